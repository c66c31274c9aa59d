/* mustache_set.c: reading template files, and looking them up. */
#include "base/mustache_set.h"

#include <dirent.h>
#include <errno.h>

#define TEMPLATE_BYTES_MAX (256 * 1024)

struct entry {
    char *group; /* NULL: common */
    char *name;
    struct mustache *template;
};

struct mustache_set {
    struct entry *entry;
    size_t count;
};

struct mustache_set *mustache_set_new(void)
{
    return xcalloc(1, sizeof(struct mustache_set));
}

void mustache_set_free(struct mustache_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        free(set->entry[i].group);
        free(set->entry[i].name);
        mustache_free(set->entry[i].template);
    }
    free(set->entry);
    free(set);
}

static const struct mustache *find_exactly(const struct mustache_set *set, const char *group, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct entry *e = &set->entry[i];
        bool same = group ? e->group && strcmp(e->group, group) == 0 : !e->group;

        if (same && strcmp(e->name, name) == 0)
            return e->template;
    }
    return NULL;
}

const struct mustache *mustache_set_find(const struct mustache_set *set, const char *group, const char *name)
{
    const struct mustache *own = group ? find_exactly(set, group, name) : NULL;

    return own ? own : find_exactly(set, NULL, name);
}

static int read_file(const char *file, struct str *out, struct err *err)
{
    FILE *f = fopen(file, "re");
    size_t got;
    bool bad;

    if (!f)
        return err_set(err, ERR_CONFIG, "The template %s cannot be read: %s.", file, strerror(errno));
    str_reset(out);
    str_grow(out, TEMPLATE_BYTES_MAX + 1);
    got = fread(out->s, 1, TEMPLATE_BYTES_MAX + 1, f);
    bad = ferror(f) != 0;
    fclose(f);
    if (bad || got > TEMPLATE_BYTES_MAX)
        return err_set(err, ERR_CONFIG, "The template %s cannot be read, or is larger than 256 KiB.", file);
    out->len = got;
    return 0;
}

static int load_file(struct mustache_set *set, const char *dir, const char *group, const char *file_name, struct err *err)
{
    char *file = xasprintf("%s/%s", dir, file_name);
    struct str text = STR_INIT;
    struct entry e = { .template = NULL };
    int rc = read_file(file, &text, err);

    if (rc == 0 && (rc = mustache_parse(file, text.s, text.len, &e.template, err)) < 0 && err)
        err->kind = ERR_CONFIG;
    if (rc == 0) {
        e.group = group ? xstrdup(group) : NULL;
        e.name = xmemdupz(file_name, strlen(file_name) - strlen(MUSTACHE_SUFFIX));
        set->entry = xreallocarray(set->entry, set->count + 1, sizeof *set->entry);
        set->entry[set->count++] = e;
    }
    str_free(&text);
    free(file);
    return rc;
}

static bool is_template(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > strlen(MUSTACHE_SUFFIX) && strcmp(name + len - strlen(MUSTACHE_SUFFIX), MUSTACHE_SUFFIX) == 0;
}

int mustache_set_load(struct mustache_set *set, const char *dir, const char *group, bool absent, struct err *err)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int rc = 0;

    if (!d && absent && errno == ENOENT)
        return 0;
    if (!d)
        return err_set(err, ERR_CONFIG, "The templates' directory %s cannot be read: %s.", dir, strerror(errno));
    while (rc == 0 && (entry = readdir(d)))
        if (is_template(entry->d_name))
            rc = load_file(set, dir, group, entry->d_name, err);
    closedir(d);
    return rc;
}

struct partial_check {
    const struct mustache_set *set;
    const struct entry *entry;
    const char *given;
    struct err *err;
    int rc;
};

static void check_partial(void *ctx, const char *name)
{
    struct partial_check *c = ctx;

    if ((c->given && strcmp(name, c->given) == 0) || mustache_set_find(c->set, c->entry->group, name))
        return;
    c->rc = err_set(c->err, ERR_CONFIG, "The template %s names the partial \"%s\", which does not exist.",
                    c->entry->name, name);
}

int mustache_set_check(const struct mustache_set *set, const char *given, struct err *err)
{
    for (size_t i = 0; i < set->count; i++) {
        struct partial_check c = { set, &set->entry[i], given, err, 0 };
        mustache_partials(set->entry[i].template, check_partial, &c);
        if (c.rc < 0)
            return -1;
    }
    return 0;
}
