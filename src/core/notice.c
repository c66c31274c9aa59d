/* notice.c: what users are told: reading the definitions, and their words. */
#include "core/notice.h"

#include "base/utf8.h"
#include "core/definitions.h"

#define KNOWN(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyz0123456789_"
#define NAME_MAX_BYTES 64

struct notices {
    struct notice *list;
    size_t count;
};

/* --- reading --- */

static int read_words(const struct jread *root, const char *key, struct text **out, struct err *err)
{
    struct jread at = jread_member(root, key);
    int rc = text_read(&at, out, err);

    return rc == 0 ? jread_missing(&at, err) : rc;
}

static int read_to(const struct jread *root, struct notice *n, struct err *err)
{
    struct jread at = jread_member(root, "to");
    const char *to = "user_id";

    if (jread_string(&at, &to, err) < 0)
        return -1;
    if (strcmp(to, "user_id") != 0 && strcmp(to, "vendor_id") != 0 && strcmp(to, "client_id") != 0)
        return jread_fail(&at, err, "unknown value \"%s\"; known are: user_id, vendor_id, client_id.", to);
    n->to = xstrdup(to);
    return 0;
}

static int read_mail(const struct jread *root, struct notice *n, struct err *err)
{
    struct jread at = jread_member(root, "mail");
    int rc = jread_copy(&at, &n->mail, err);

    if (rc > 0 && !jread_made_of(n->mail, NAME_BYTES "-", NAME_MAX_BYTES))
        return jread_fail(&at, err, "must be the name of a mail's template: lower-case letters, digits, _ and -, at most %d.", NAME_MAX_BYTES);
    return rc < 0 ? -1 : 0;
}

static int read_notice(const struct jread *root, struct notice *n, struct err *err)
{
    if (!jread_made_of(n->event, NAME_BYTES "-", NAME_MAX_BYTES))
        return jread_fail(root, err, "the file's name is the event's: lower-case letters, digits, _ and -, at most %d, and .json.", NAME_MAX_BYTES);
    if (jread_expect(root, KNOWN("title", "text", "to", "mail"), err) < 0 || read_words(root, "title", &n->title, err) < 0 ||
        read_words(root, "text", &n->text, err) < 0 || read_to(root, n, err) < 0)
        return -1;
    return read_mail(root, n, err);
}

static int load_one(void *ctx, const char *file, const char *name, struct err *err)
{
    struct notices *all = ctx;
    struct json_object *json;

    if (jread_file(file, &json, err) < 0)
        return -1;
    all->list = xreallocarray(all->list, all->count + 1, sizeof(*all->list));
    struct notice *n = &all->list[all->count++];
    *n = (struct notice){ .event = xstrdup(name) };
    struct jread root = jread_root(file, json);
    int rc = read_notice(&root, n, err);
    json_object_put(json);
    return rc;
}

struct notices *notices_open(const char *dir, struct err *err)
{
    struct notices *all = xcalloc(1, sizeof(*all));

    if (definitions_each(dir, load_one, all, err) == 0)
        return all;
    notices_free(all);
    return NULL;
}

void notices_free(struct notices *all)
{
    for (size_t i = 0; all && i < all->count; i++) {
        struct notice *n = &all->list[i];
        free(n->event);
        text_free(n->title);
        text_free(n->text);
        free(n->to);
        free(n->mail);
    }
    if (all)
        free(all->list);
    free(all);
}

const struct notice *notices_find(const struct notices *all, struct span event)
{
    for (size_t i = 0; all && i < all->count; i++)
        if (span_is(event, all->list[i].event))
            return &all->list[i];
    return NULL;
}

size_t notices_count(const struct notices *all)
{
    return all->count;
}

const struct notice *notices_at(const struct notices *all, size_t i)
{
    return &all->list[i];
}

/* --- words --- */

/* One line: what would break it is a blank. */
static void add_line(struct str *out, const char *text, size_t len)
{
    size_t from = out->len;

    str_add(out, text, len);
    for (size_t i = from; i < out->len; i++)
        if ((unsigned char)out->s[i] < ' ' || out->s[i] == 0x7f)
            out->s[i] = ' ';
}

static void add_value(struct str *out, const struct locale *locale, struct json_object *value)
{
    if (json_object_is_type(value, json_type_string))
        add_line(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    else if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double))
        locale_add_decimal(locale, out, span_of(json_object_get_string(value)));
}

static void add_list(struct str *out, const struct locale *locale, struct json_object *list)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        if (i > 0)
            str_adds(out, locale_text(locale, "notifications.comma"));
        add_value(out, locale, json_object_array_get_idx(list, i));
    }
}

static struct json_object *value_of(struct json_object *data, const char *name, size_t len)
{
    char key[NAME_MAX_BYTES + 1];

    if (len > NAME_MAX_BYTES)
        return NULL;
    memcpy(key, name, len);
    key[len] = '\0';
    return json_object_object_get(data, key);
}

static bool is_one(struct json_object *value)
{
    return value && strcmp(json_object_get_string(value), "1") == 0;
}

/* The words of {name|one|many}, from the first |. What follows it; NULL: there are not two, and this is text. */
static const char *add_number_word(struct str *out, const char *words, struct json_object *value)
{
    static const char ends[] = "{|}";
    size_t one_len = strcspn(words + 1, ends);
    const char *many = words + 1 + one_len + 1;

    if (words[1 + one_len] != '|')
        return NULL;
    size_t many_len = strcspn(many, ends);
    if (many[many_len] != '}')
        return NULL;
    if (is_one(value))
        add_line(out, words + 1, one_len);
    else
        add_line(out, many, many_len);
    return many + many_len + 1;
}

/* What stands in a brace. What follows it; NULL: this one is text. */
static const char *add_brace(struct str *out, const struct locale *locale, struct json_object *data, const char *name)
{
    size_t len = strspn(name, NAME_BYTES);
    struct json_object *value = value_of(data, name, len);

    if (len > 0 && name[len] == '|')
        return add_number_word(out, name + len, value);
    if (len == 0 || name[len] != '}')
        return NULL;
    if (json_object_is_type(value, json_type_array))
        add_list(out, locale, value);
    else
        add_value(out, locale, value);
    return name + len + 1;
}

void notice_add_words(struct str *out, const struct text *words, const struct locale *locale, struct json_object *data, size_t max)
{
    const char *at = text_in(words, locale), *brace;
    size_t from = out->len;

    while ((brace = strchr(at, '{'))) {
        add_line(out, at, (size_t)(brace - at));
        at = add_brace(out, locale, data, brace + 1);
        if (!at) {
            str_addc(out, '{');
            at = brace + 1;
        }
    }
    add_line(out, at, strlen(at));
    out->len = from + utf8_clip(out->s + from, out->len - from, max);
    out->s[out->len] = '\0';
}

/* --- links --- */

/* Browsers leave out some blanks and controls: none may hide what a link is. */
static bool is_one_word(const char *text)
{
    while ((unsigned char)*text > ' ' && *text != 0x7f)
        text++;
    return *text == '\0';
}

bool notice_is_place(const char *link)
{
    bool is_path = link[0] == '/' && link[1] != '/' && link[1] != '\\';

    return (is_path || strncmp(link, "https://", 8) == 0 || strncmp(link, "http://", 7) == 0) && is_one_word(link);
}
