/* templates.c: reading the template files, and looking them up. */
#include "web/templates.h"

#include <dirent.h>
#include <errno.h>

#define SUFFIX ".mustache"
#define TEMPLATE_BYTES_MAX (256 * 1024)

/* What the C code renders; `content` in a template means the page's own. */
static const char *const needed[] = { "layout", "home",   "form",     "closed", "progress",
                                      "otp",    "result", "requests", "account", "error",
                                      "sign-in", "admin" };
static const char content[] = "content";

struct page {
    char *slug; /* NULL: for all services */
    char *name;
    struct mustache *template;
};

struct pages {
    struct page *page;
    size_t count;
};

void pages_free(struct pages *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        free(p->page[i].slug);
        free(p->page[i].name);
        mustache_free(p->page[i].template);
    }
    free(p->page);
    free(p);
}

static const struct mustache *find_exactly(const struct pages *p, const char *slug, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct page *page = &p->page[i];
        bool same = slug ? page->slug && strcmp(page->slug, slug) == 0 : !page->slug;

        if (same && strcmp(page->name, name) == 0)
            return page->template;
    }
    return NULL;
}

const struct mustache *pages_find(const struct pages *p, const char *slug, const char *name)
{
    const struct mustache *own = slug ? find_exactly(p, slug, name) : NULL;

    return own ? own : find_exactly(p, NULL, name);
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

static int load_file(struct pages *p, const char *dir, const char *slug, const char *file_name, struct err *err)
{
    char *file = xasprintf("%s/%s", dir, file_name);
    struct str text = STR_INIT;
    struct page page = { .template = NULL };
    int rc = read_file(file, &text, err);

    if (rc == 0 && (rc = mustache_parse(file, text.s, text.len, &page.template, err)) < 0 && err)
        err->kind = ERR_CONFIG;
    if (rc == 0) {
        page.slug = slug ? xstrdup(slug) : NULL;
        page.name = xmemdupz(file_name, strlen(file_name) - strlen(SUFFIX));
        p->page = xreallocarray(p->page, p->count + 1, sizeof *p->page);
        p->page[p->count++] = page;
    }
    str_free(&text);
    free(file);
    return rc;
}

static bool is_template(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > strlen(SUFFIX) && strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

/* All templates of a directory; one that does not exist has none. */
static int load_dir(struct pages *p, const char *dir, const char *slug, struct err *err)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int rc = 0;

    if (!d && slug && errno == ENOENT)
        return 0;
    if (!d)
        return err_set(err, ERR_CONFIG, "The templates' directory %s cannot be read: %s.", dir, strerror(errno));
    while (rc == 0 && (entry = readdir(d)))
        if (is_template(entry->d_name))
            rc = load_file(p, dir, slug, entry->d_name, err);
    closedir(d);
    return rc;
}

struct partial_check {
    const struct pages *pages;
    const struct page *page;
    struct err *err;
    int rc;
};

static void check_partial(void *ctx, const char *name)
{
    struct partial_check *c = ctx;

    if (strcmp(name, content) == 0 || pages_find(c->pages, c->page->slug, name))
        return;
    c->rc = err_set(c->err, ERR_CONFIG, "The template %s names the partial \"%s\", which does not exist.",
                    c->page->name, name);
}

static int check(const struct pages *p, const char *dir, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!find_exactly(p, NULL, needed[i]))
            return err_set(err, ERR_CONFIG, "The template %s/%s" SUFFIX " does not exist.", dir, needed[i]);
    for (size_t i = 0; i < p->count; i++) {
        struct partial_check c = { p, &p->page[i], err, 0 };
        mustache_partials(p->page[i].template, check_partial, &c);
        if (c.rc < 0)
            return -1;
    }
    return 0;
}

int pages_load(const char *dir, const struct services *services, struct pages **out, struct err *err)
{
    struct pages *p = xcalloc(1, sizeof *p);
    int rc = load_dir(p, dir, NULL, err);

    for (size_t i = 0; rc == 0 && i < services_count(services); i++) {
        const char *slug = services_at(services, i)->slug;
        char *own = xasprintf("%s/services/%s", dir, slug);

        rc = load_dir(p, own, slug, err);
        free(own);
    }
    if (rc == 0)
        rc = check(p, dir, err);
    if (rc < 0)
        pages_free(p);
    else
        *out = p;
    return rc;
}
