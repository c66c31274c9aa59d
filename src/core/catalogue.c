/* catalogue.c: the texts of one language. */
#include "core/catalogue.h"

#include "base/jread.h"

struct entry {
    char *key, *text;
    size_t key_len;
};

struct catalogue {
    struct entry *entries;
    size_t count, room;
    size_t *slots; /* index + 1 of an entry; 0: free. Twice as many as entries at least, so probes are short */
    size_t mask;
    char *json;
    size_t json_len;
};

/* FNV-1a: short keys, no enemy chooses them. */
unsigned catalogue_spread(struct span key)
{
    unsigned h = 2166136261u;

    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (unsigned char)key.s[i]) * 16777619u;
    return h;
}

static bool is_member_name(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static void add_entry(struct catalogue *c, const char *key, const char *text)
{
    if (c->count == c->room) {
        c->room = c->room ? c->room * 2 : 256;
        c->entries = xreallocarray(c->entries, c->room, sizeof(*c->entries));
    }
    c->entries[c->count++] = (struct entry){ xstrdup(key), xstrdup(text), strlen(key) };
}

static int flatten(struct catalogue *c, const struct jread *at, struct err *err);

static int flatten_member(struct catalogue *c, const struct jread *at, const char *name, struct err *err)
{
    const char *text;

    if (!is_member_name(name))
        return jread_fail(at, err, "a name holds only lower-case letters, digits and underscores.");
    if (strlen(at->path) > CATALOGUE_KEY_MAX)
        return jread_fail(at, err, "the key is longer than %d bytes.", CATALOGUE_KEY_MAX);
    if (json_object_is_type(at->obj, json_type_object))
        return flatten(c, at, err);
    if (!json_object_is_type(at->obj, json_type_string))
        return jread_fail(at, err, "must be a text or an object of texts.");
    if (jread_string(at, &text, err) < 0)
        return -1;
    add_entry(c, at->path, text);
    return 0;
}

/* The path of a value inside the file is its key. */
static int flatten(struct catalogue *c, const struct jread *at, struct err *err)
{
    struct json_object_iterator i = json_object_iter_begin(at->obj), end = json_object_iter_end(at->obj);
    struct jread member;
    const char *name;

    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        name = json_object_iter_peek_name(&i);
        member = jread_member(at, name);
        if (flatten_member(c, &member, name, err) < 0)
            return -1;
    }
    return 0;
}

static void build_slots(struct catalogue *c)
{
    size_t size = 16, at;

    while (size < c->count * 2)
        size *= 2;
    c->slots = xcalloc(size, sizeof(*c->slots));
    c->mask = size - 1;
    for (size_t i = 0; i < c->count; i++) {
        at = catalogue_spread((struct span){ c->entries[i].key, c->entries[i].key_len }) & c->mask;
        while (c->slots[at])
            at = (at + 1) & c->mask;
        c->slots[at] = i + 1;
    }
}

static int build(struct catalogue *c, const char *file, struct json_object *root, struct err *err)
{
    struct jread at = jread_root(file, root);
    struct str json = STR_INIT;

    if (!json_object_is_type(root, json_type_object))
        return jread_fail(&at, err, "must be an object of texts.");
    if (flatten(c, &at, err) < 0)
        return -1;
    build_slots(c);
    json_add(&json, root);
    c->json = str_take(&json, &c->json_len);
    return 0;
}

int catalogue_load(const char *file, struct catalogue **out, struct err *err)
{
    struct json_object *root;
    struct catalogue *c;
    int rc;

    if (jread_file(file, &root, err) < 0)
        return -1;
    c = xcalloc(1, sizeof(*c));
    rc = build(c, file, root, err);
    json_object_put(root);
    if (rc < 0)
        catalogue_free(c);
    else
        *out = c;
    return rc;
}

void catalogue_free(struct catalogue *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->entries[i].key);
        free(c->entries[i].text);
    }
    free(c->entries);
    free(c->slots);
    free(c->json);
    free(c);
}

const char *catalogue_find(const struct catalogue *c, struct span key)
{
    const struct entry *e;

    for (size_t at = catalogue_spread(key) & c->mask; c->slots[at]; at = (at + 1) & c->mask) {
        e = &c->entries[c->slots[at] - 1];
        if (span_eq(key, (struct span){ e->key, e->key_len }))
            return e->text;
    }
    return NULL;
}

size_t catalogue_count(const struct catalogue *c)
{
    return c->count;
}

const char *catalogue_key(const struct catalogue *c, size_t index)
{
    return c->entries[index].key;
}

const char *catalogue_json(const struct catalogue *c, size_t *len)
{
    *len = c->json_len;
    return c->json;
}
