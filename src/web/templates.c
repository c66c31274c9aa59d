/* templates.c: the template files of the pages. */
#include "web/templates.h"

#include "base/mustache_set.h"

/* What the C code renders; `content` in a template means the page's own. */
static const char *const needed[] = { "layout", "home",   "form",     "closed", "progress",
                                       "otp",    "result", "requests", "market", "notifications", "account", "error",
                                      "sign-in", "admin" };
static const char content[] = "content";

struct pages {
    struct mustache_set *set;
};

void pages_free(struct pages *p)
{
    if (!p)
        return;
    mustache_set_free(p->set);
    free(p);
}

const struct mustache *pages_find(const struct pages *p, const char *slug, const char *name)
{
    return mustache_set_find(p->set, slug, name);
}

static int check(const struct pages *p, const char *dir, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!pages_find(p, NULL, needed[i]))
            return err_set(err, ERR_CONFIG, "The template %s/%s" MUSTACHE_SUFFIX " does not exist.", dir, needed[i]);
    return mustache_set_check(p->set, content, err);
}

int pages_load(const char *dir, const struct services *services, struct pages **out, struct err *err)
{
    struct pages *p = xcalloc(1, sizeof *p);
    int rc;

    p->set = mustache_set_new();
    rc = mustache_set_load(p->set, dir, NULL, false, err);
    for (size_t i = 0; rc == 0 && i < services_count(services); i++) {
        const char *slug = services_at(services, i)->slug;
        char *own = xasprintf("%s/services/%s", dir, slug);

        rc = mustache_set_load(p->set, own, slug, true, err);
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
