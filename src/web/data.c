/* data.c: external data in a visitor's name */
#include "web/data.h"

#include "web/dispatch.h"
#include "web/look.h"

struct cache_want data_want(const struct cache_tags *tags)
{
    return (struct cache_want){ .claim = CACHE_CLAIM_STALE, .claim_ms = SOURCE_CLAIM_MS, .tags = tags };
}

enum problem data_fetch(struct exchange *x, const struct source_call *call, const char *claim, bool is_kept)
{
    struct app *app = &x->seat->app;
    enum problem problem = is_kept ? PROBLEM_NONE : look_count(x, LIMIT_DATA);
    struct str name = STR_INIT;
    struct err err = ERR_INIT;

    if (problem == PROBLEM_NONE && source_push(app, call, NULL, &x->err) < 0)
        problem = exchange_fail(x);
    if (problem != PROBLEM_NONE) {
        source_add_name(call, &name);
        cache_release(app, (struct span){ name.s, name.len }, claim, SPAN(""), 0, &err);
    }
    str_free(&name);
    return problem;
}
