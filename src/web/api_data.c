/* api_data.c: GET /api/data/{source}/{method}: external data from the cache (contract 5.2). What is fresh comes along with the look at limits. Else one
 * more look says what is there, and whether this visitor is the one for whom it is fetched; then a job is pushed, and nobody waits for it. */
#include "web/api.h"

#include "core/locale.h"
#include "web/data.h"
#include "web/dispatch.h"
#include "web/route.h"

#define S 1000
#define ASK_AGAIN_S "1"

static void add_broken(void *ctx, struct span name, const char *sentence)
{
    struct exchange *x = ctx;
    char *field = xmemdupz(name.s ? name.s : "", name.len);

    api_add_error(&x->scratch, field, sentence);
    free(field);
}

/* 422 in the visitor's language, with what is wrong with each parameter. */
static enum problem refuse_parameters(struct exchange *x, const struct source_method *m)
{
    struct source_given given[FORM_FIELDS];
    size_t count = data_given(x, given);

    str_reset(&x->scratch);
    source_call_read(&x->call, m, given, count, x->locale, add_broken, x);
    x->problem = PROBLEM_INVALID;
    x->no_store = true;
    api_problem_open(x, locale_text(x->locale, "data.wrong_parameters"));
    x->problem = PROBLEM_NONE;
    str_adds(&x->answer, ",\"errors\":[");
    str_add(&x->answer, x->scratch.s, x->scratch.len);
    str_adds(&x->answer, "]}");
    return PROBLEM_NONE;
}

/* --- answers --- */

/* RFC 9111, 5861 and 9211: how old it is, how long it was fresh in all, how long after that anyone may go on using it. */
static enum problem hand_out(struct exchange *x, const struct cache_entry *e)
{
    const char *who = form_get(&x->query, "lang").s ? "private" : "public"; /* with a cookie it is for one */
    int64_t age_s = e->age_ms / S, life_s = (e->age_ms + e->fresh_ms) / S, left_s = life_s - age_s;
    struct str *out = api_json(x, 200);

    str_add_span(out, e->value);
    x->own_life = true;
    exchange_header_int(x, "Age", age_s);
    str_addf(&x->headers, "Cache-Control: %s, max-age=%lld, stale-while-revalidate=%lld\r\n", who, (long long)life_s, (long long)((e->ends_ms - e->fresh_ms) / S));
    str_addf(&x->headers, "Cache-Status: peygir; hit; ttl=%lld\r\n", (long long)left_s);
    return PROBLEM_NONE;
}

static enum problem ask_again(struct exchange *x, const struct source_call *call, bool first)
{
    struct str *out = api_json(x, 202);

    x->no_store = true;
    exchange_header(x, "Retry-After", SPAN(ASK_AGAIN_S));
    str_addf(&x->headers, "Cache-Status: peygir; fwd=uri-miss%s\r\n", first ? "" : "; collapsed");
    api_add_text(out, "{\"source\":", call->method->source->name);
    api_add_text(out, ",\"method\":", call->method->name);
    str_adds(out, ",\"status\":\"fetching\"}");
    return PROBLEM_NONE;
}

/* Nothing is kept, and fetching it failed a moment ago. */
static enum problem say_failed(struct exchange *x, const struct cache_entry *e)
{
    if (span_is(e->failed, SOURCE_NOTE_NOT_FOUND))
        return exchange_say(x, PROBLEM_NOT_FOUND, "data.not_found");
    x->err.retry_after_s = (int)((e->wait_ms + S - 1) / S);
    return exchange_say(x, PROBLEM_AWAY, "data.away");
}

/* --- the route --- */

/* Not fresh, as far as was seen: a proper look, with a claim, and what follows from it. */
static enum problem look_and_answer(struct exchange *x)
{
    const struct cache_tags tags = source_tags(x->call.method);
    const struct cache_want want = data_want(&tags);
    enum problem problem = PROBLEM_NONE;
    struct cache_entry e;
    int found = cache_look(&x->seat->app, data_name(x), &want, &e, &x->err);

    if (found < 0)
        return exchange_fail(x);
    if (found > 0)
        hand_out(x, &e); /* before the value goes with the next exchange */
    else if (e.failed.len)
        return say_failed(x, &e);
    if (e.claim[0])
        problem = data_fetch(x, &x->call, e.claim, found > 0);
    if (found > 0)
        return PROBLEM_NONE;
    return problem == PROBLEM_NONE ? ask_again(x, &x->call, e.claim[0] != '\0') : problem;
}

/* Most often what the cache has came along with the look. */
enum problem api_data(struct exchange *x)
{
    const struct source_method *method = data_method(x);

    if (!method)
        return exchange_say(x, PROBLEM_NOT_FOUND, "data.unknown");
    if (!x->call.method)
        return refuse_parameters(x, method);
    return x->has_entry ? hand_out(x, &x->entry) : look_and_answer(x);
}
