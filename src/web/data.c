/* data.c: external data in a visitor's name */
#include "web/data.h"

#include "core/cache_peek.h"
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

/* --- of a route --- */

size_t data_given(const struct exchange *x, struct source_given given[])
{
    size_t count = 0;

    for (size_t i = 0; i < x->query.count; i++)
        if (!span_is(x->query.field[i].name, "lang"))
            given[count++] = (struct source_given){ x->query.field[i].name, x->query.field[i].value };
    return count;
}

const struct source_method *data_method(const struct exchange *x)
{
    const struct source *source = sources_find(x->seat->app.house->sources, x->source);

    return source ? source_find_method(source, x->source_method) : NULL;
}

/* What is wrong with it the route's function tells. */
static void read_call(struct exchange *x)
{
    const struct source_method *method = data_method(x);
    struct source_given given[FORM_FIELDS];

    if (method)
        source_call_read(&x->call, method, given, data_given(x, given), NULL, NULL, NULL);
}

bool data_is_wanted(struct exchange *x)
{
    const struct app *app = &x->seat->app;

    if (!x->call.method)
        read_call(x);
    return x->call.method && !x->peeked && app->cache_redis == app->redis;
}

struct span data_name(struct exchange *x)
{
    str_reset(&x->scratch);
    source_add_name(&x->call, &x->scratch);
    return (struct span){ x->scratch.s, x->scratch.len };
}

size_t data_queue(struct app *app, struct exchange *x)
{
    const struct cache_tags tags = source_tags(x->call.method);

    return cache_peek_queue(app, data_name(x), &tags);
}

void data_take(struct app *app, struct exchange *x, const struct reply replies[])
{
    const struct cache_tags tags = source_tags(x->call.method);

    x->peeked = true;
    x->has_entry = cache_peek_take(app, data_name(x), &tags, replies, &x->seat->tally, &x->entry);
}
