/* dispatch.c: the one dispatcher. It runs the checks that a route demands, in this order, and then the route's
 * function:
 *
 *   from here? (only /api/internal) -> find the route -> not too much waiting? -> who asks or which program, the request,
 *   and is it too often? (one round trip for all three) -> read the body -> a newcomer's cookie -> signed in? -> is it
 *   theirs? -> an administrator? -> from a page of ours? -> CSRF -> is the service open? -> function
 *
 * Whatever says no ends in the same place: the error page, or problem+json. Of the requests that a thread is handed at
 * once, those that only look (ROUTE_LOOKS) share the one round trip; then the others follow, one after the other. */
#include "web/dispatch.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "core/cache.h"
#include "core/job.h"
#include "core/locale.h"
#include "core/options.h"
#include "core/presence.h"
#include "web/admin.h"
#include "web/api.h"
#include "web/look.h"
#include "web/metrics.h"
#include "web/page.h"
#include "web/route.h"
#include "web/visitor.h"

#include <strings.h>

static bool is_api(const struct exchange *x)
{
    if (x->route)
        return demands(x, ROUTE_API);
    return route_is_api(x->segment, x->segment_count) || (x->segment_count > 0 && span_is(x->segment[0], "api"));
}

/* What programs use: from listed addresses only, without cookies, in plain English. */
static bool is_internal(const struct exchange *x)
{
    return x->segment_count > 1 && span_is(x->segment[0], "api") && span_is(x->segment[1], "internal");
}

/* --- the steps; each says PROBLEM_NONE to go on --- */

/* Others hear that there is nothing, whatever they ask for. */
static enum problem is_from_here(struct exchange *x)
{
    const char *list = settings_text(x->seat->app.house->settings, OPT_PEYGIR_INTERNAL_FROM);

    return !is_internal(x) || address_in_list(list, x->param[PARAM_REMOTE_ADDR]) ? PROBLEM_NONE : PROBLEM_NOT_FOUND;
}

/* What follows "Bearer" (RFC 6750 2.1), perhaps nothing; absent: another scheme, or none. */
static struct span bearer(struct span all)
{
    const size_t word = sizeof "Bearer" - 1;

    if (all.len < word || strncasecmp(all.s, "Bearer", word) != 0 || (all.len > word && all.s[word] != ' '))
        return (struct span){ NULL, 0 };
    return all.len > word ? (struct span){ all.s + word + 1, all.len - word - 1 } : SPAN("");
}

static enum problem find_route(struct exchange *x)
{
    struct route_names names;
    enum problem problem;

    x->route = route_find(x->method, x->segment, x->segment_count, &names, &problem);
    if (!x->route)
        return problem;
    if (demands(x, DEMAND_SOME_TOKEN))
        x->bearer = bearer(x->param[PARAM_AUTHORIZATION]);
    x->slug = names.slug;
    x->hash = names.hash;
    x->id = names.id;
    x->key = names.key;
    x->source = names.source;
    x->source_method = names.method;
    if (x->id.s && (x->id.len > JOB_ID_MAX || span_has_control(x->id)))
        return PROBLEM_NOT_FOUND;
    if (x->slug.s && !(x->service = services_find(x->seat->app.house->services, x->slug)))
        return PROBLEM_NOT_FOUND;
    return x->hash.s && !keys_is_hash(x->hash) ? PROBLEM_NOT_FOUND : PROBLEM_NONE;
}

static enum problem not_crowded(struct exchange *x)
{
    return fcgi_crowded() && !demands(x, ROUTE_ALWAYS) ? PROBLEM_BUSY : PROBLEM_NONE;
}

static enum problem decode_body(struct exchange *x)
{
    struct span body = { x->body.s, x->body.len }, type = x->param[PARAM_CONTENT_TYPE];

    if (body.len == 0 || demands(x, ROUTE_RAW))
        return PROBLEM_NONE;
    if (!form_is_type(type, is_api(x) ? "application/json" : "application/x-www-form-urlencoded"))
        return exchange_say(x, PROBLEM_MEDIA_TYPE, is_api(x) ? "json.media_type" : NULL);
    if (!is_api(x))
        return form_parse(&x->form, body, &x->err) < 0 ? PROBLEM_BAD_REQUEST : PROBLEM_NONE;
    if (json_parse(body.s, body.len, &x->json, &x->err) < 0)
        return exchange_say_with(x, PROBLEM_BAD_REQUEST, "json.unreadable", "reason", x->err.text);
    return PROBLEM_NONE;
}

static enum problem take_body(struct exchange *x)
{
    int64_t declared = exchange_declared(x);

    if (x->method != METHOD_POST && x->method != METHOD_PUT)
        return PROBLEM_NONE;
    if (declared < 0)
        return PROBLEM_BAD_REQUEST;
    switch (fcgi_read(x->io, declared, demands(x, ROUTE_RAW) ? CACHE_VALUE_MAX : EXCHANGE_BODY_MAX, &x->body)) {
    case FCGI_BODY_WHOLE:
        return decode_body(x);
    case FCGI_BODY_LIES:
        return PROBLEM_BAD_REQUEST;
    case FCGI_BODY_TOO_LARGE:
        return PROBLEM_TOO_LARGE;
    default:
        x->dropped = true;
        return PROBLEM_BAD_REQUEST;
    }
}

bool dispatch_closed(struct exchange *x, const struct service *service, struct str *words)
{
    struct str message = STR_INIT;
    struct err err = ERR_INIT;
    bool closed = closure_read(&x->seat->app, &x->seat->closed, span_of(service->slug), &message, &err) == 1;

    str_reset(words);
    if (closed)
        locale_add_message(x->locale, words, message.len ? (struct span){ message.s, message.len } : SPAN("messages.closed"));
    str_free(&message);
    return closed;
}

bool dispatch_reread(struct exchange *x)
{
    struct err err = ERR_INIT;

    x->has_request = request_read(&x->seat->app, x->hash, &x->request, &err) == 1;
    return x->has_request;
}

/* Who asks too often has no body read, nor has a script or program that is refused. Any other refusal comes after it, so that a form
 * keeps what was typed. */
static enum problem look_and_read(struct exchange *x)
{
    enum problem problem = not_crowded(x), body;

    if (problem == PROBLEM_NONE)
        problem = look_alone(x);
    if (problem == PROBLEM_TOO_MANY || (problem != PROBLEM_NONE && is_api(x)))
        return problem;
    body = take_body(x);
    return body != PROBLEM_NONE ? body : problem;
}

static enum problem welcome(struct exchange *x)
{
    if (!x->has_owner && demands(x, DEMAND_NEWCOMER))
        visitor_welcome(x);
    return PROBLEM_NONE;
}

static enum problem is_signed_in(struct exchange *x)
{
    return !demands(x, DEMAND_USER) || visitor_is_user(x) ? PROBLEM_NONE : exchange_say(x, PROBLEM_FORBIDDEN, "account.needed");
}

static enum problem is_theirs(struct exchange *x)
{
    if (!demands(x, DEMAND_REQUEST))
        return PROBLEM_NONE;
    if (!x->has_request || !request_belongs(&x->request, span_of(x->session.owner), span_of(x->session.user_id)))
        return PROBLEM_NOT_FOUND;
    if (x->slug.s && !span_eq(x->slug, request_slug(&x->request)))
        return PROBLEM_NOT_FOUND;
    x->service = services_find(x->seat->app.house->services, request_slug(&x->request));
    return PROBLEM_NONE;
}

/* The authority of "scheme://host:port"; absent for "null" and what is none. */
static struct span authority(struct span origin)
{
    const char *slashes = origin.s ? memmem(origin.s, origin.len, "://", 3) : NULL;

    return slashes ? (struct span){ slashes + 3, (size_t)(origin.s + origin.len - slashes - 3) } : (struct span){ NULL, 0 };
}

/* What a browser says about the page that sent it (Fetch Metadata, RFC 6454): no page of another site may act here, nor one of another
 * host below the same domain. Programs and old browsers say neither; the token that follows decides. No page of another site can send a bearer token. */
static enum problem is_from_our_page(struct exchange *x)
{
    struct span site = x->param[PARAM_FETCH_SITE], origin = x->param[PARAM_ORIGIN], host = x->param[PARAM_HOST];

    if (!demands(x, DEMAND_CSRF) || x->bearer.s)
        return PROBLEM_NONE;
    if (site.s)
        return span_is(site, "same-origin") || span_is(site, "none") ? PROBLEM_NONE : PROBLEM_FORBIDDEN;
    return !origin.s || !host.s || span_eq(authority(origin), host) ? PROBLEM_NONE : PROBLEM_FORBIDDEN;
}

static enum problem administers(struct exchange *x)
{
    return demands(x, ROUTE_ADMIN) ? admin_look(x, demands(x, DEMAND_ADMIN)) : PROBLEM_NONE;
}

static enum problem csrf_holds(struct exchange *x)
{
    struct span token = x->param[PARAM_CSRF].s ? x->param[PARAM_CSRF] : form_get(&x->form, "_token");

    if (!demands(x, DEMAND_CSRF) || x->bearer.s)
        return PROBLEM_NONE;
    if (demands(x, ROUTE_ADMIN))
        return admin_session_csrf_ok(&x->seat->app, &x->admin, token) ? PROBLEM_NONE : PROBLEM_FORBIDDEN;
    return x->has_owner && session_csrf_ok(&x->seat->app, &x->session, token) ? PROBLEM_NONE : PROBLEM_FORBIDDEN;
}

static enum problem is_open(struct exchange *x)
{
    return demands(x, DEMAND_OPEN) && dispatch_closed(x, x->service, &x->said) ? PROBLEM_CLOSED : PROBLEM_NONE;
}

static bool asked_by_person(const struct exchange *x)
{
    return demands(x, DEMAND_PERSON) && !page_is_auto(x);
}

/* Posted before the function, whose exchange takes it along, or sent when the answer is on its way. */
static enum problem touch(struct exchange *x)
{
    if (x->session.known && (x->session.user_id[0] == '\0' || asked_by_person(x)))
        session_touch(&x->seat->app, &x->session);
    if (x->has_request)
        request_touch(&x->seat->app, &x->request);
    if (visitor_is_user(x)) /* also a page that looks by itself: it is open */
        presence_touch(&x->seat->app, span_of(x->session.user_id));
    if (x->admin.known && asked_by_person(x))
        admin_session_touch(&x->seat->app, &x->admin);
    return PROBLEM_NONE;
}

typedef enum problem step(struct exchange *x);

static enum problem run(struct exchange *x, step *const steps[], size_t count)
{
    enum problem problem = PROBLEM_NONE;

    for (size_t i = 0; i < count && problem == PROBLEM_NONE; i++)
        problem = steps[i](x);
    return problem;
}

static step *const finding[] = { is_from_here, find_route };
static step *const doing[] = { welcome, is_signed_in, is_theirs, administers, is_from_our_page, csrf_holds, is_open, touch };

/* --- the answer --- */

/* What the limit is, and what is left of it (draft-ietf-httpapi-ratelimit-headers). */
static void add_limit_headers(struct exchange *x)
{
    const struct limit_verdict *v = &x->verdict;
    const char *name = limits[x->limit ? x->limit : x->route->limit].name;
    double fills_s = (double)v->bucket.burst * (double)v->bucket.period_s / v->bucket.count;

    str_addf(&x->headers, "RateLimit-Policy: \"%s\";q=%lld;w=%.0f\r\n", name, (long long)v->bucket.burst, fills_s < 1 ? 1 : fills_s);
    str_addf(&x->headers, "RateLimit: \"%s\";r=%lld;t=%d\r\n", name, (long long)v->left, limit_wait_s(v));
}

static void add_problem_headers(struct exchange *x)
{
    const struct problem_row *row = &problems[x->problem];
    int retry_s = x->err.retry_after_s > 0 ? x->err.retry_after_s : row->retry_after_s;

    if (retry_s > 0)
        exchange_header_int(x, "Retry-After", retry_s);
    x->err.retry_after_s = retry_s;
    if (x->refused)
        add_limit_headers(x);
    if (x->problem == PROBLEM_UNAUTHORIZED)
        exchange_header(x, "WWW-Authenticate", SPAN("Bearer"));
    if (x->problem != PROBLEM_METHOD)
        return;
    str_reset(&x->scratch);
    route_allowed(x->segment, x->segment_count, &x->scratch);
    exchange_header(x, "Allow", (struct span){ x->scratch.s, x->scratch.len });
}

static void answer_problem(struct exchange *x)
{
    x->status = problems[x->problem].status;
    x->no_store = true;
    str_reset(&x->answer);
    add_problem_headers(x);
    if (is_api(x))
        api_problem(x);
    else if (!x->route || !x->route->refused || x->route->refused(x) != PROBLEM_NONE)
        page_problem(x);
}

static void log_answer(const struct exchange *x)
{
    const char *pattern = x->route ? x->route->pattern : "(none)";

    if (x->problem == PROBLEM_INTERNAL)
        log_error("%s failed: %s", pattern, x->err.text);
    else if ((x->problem == PROBLEM_AWAY || x->problem == PROBLEM_FULL) && metrics_may_warn())
        log_warn("%s could not be answered: %s", pattern, x->err.text);
    if (!log_wants(LOG_DEBUG))
        return;
    log_debug("%s %s %d in %lld ms", exchange_method(x->method), pattern, x->status,
              (long long)(clock_mono_ms() - x->started_ms));
}

/* --- serving --- */

static void begin(struct exchange *x, struct fcgi_io *io)
{
    bool good;

    x->io = io;
    x->started_ms = log_wants(LOG_DEBUG) ? clock_mono_ms() : 0;
    good = exchange_begin(x, (const char *const *)fcgi_environ(io), &x->err) == 0;
    x->problem = good ? run(x, finding, ARRAY_LEN(finding)) : PROBLEM_BAD_REQUEST;
    if (is_internal(x)) /* the route says whether cookies count */
        visitor_locale_of_programs(x);
    else
        visitor_locale(x);
}

static void answer(struct exchange *x)
{
    if (x->dropped)
        return;
    if (x->problem != PROBLEM_NONE)
        answer_problem(x);
    exchange_finish(x);
    metrics_answer(x->route, x->status);
    log_answer(x);
    fcgi_send(x->io, x->out.s, x->out.len);
}

/* Everything behind the look. */
static void do_and_answer(struct exchange *x)
{
    if (x->problem == PROBLEM_NONE)
        x->problem = run(x, doing, ARRAY_LEN(doing));
    if (x->problem == PROBLEM_NONE)
        x->problem = x->route->function(x);
    answer(x);
}

static void serve_alone(struct exchange *x)
{
    if (x->problem == PROBLEM_NONE)
        x->problem = look_and_read(x);
    do_and_answer(x);
}

/* Has a stored session or a token to be found, or data, and nothing but that, its request and how often it asked? */
static bool may_share(struct exchange *x)
{
    const struct app *app = &x->seat->app;

    if (x->problem != PROBLEM_NONE || !demands(x, ROUTE_LOOKS) || app->session_redis != app->redis || not_crowded(x) != PROBLEM_NONE)
        return false;
    look_cookie(x);
    return x->token.s || x->bearer.s || (demands(x, DEMAND_DATA) && app->cache_redis == app->redis);
}

void dispatch_serve(void *arg, struct fcgi_io *const io[], size_t count)
{
    struct seat *seat = arg;
    struct exchange *alone[FCGI_BATCH];
    struct look looks[FCGI_BATCH];
    size_t alone_count = 0, look_count = 0;

    for (size_t i = 0; i < count; i++) {
        struct exchange *x = &seat->x[i];

        begin(x, io[i]);
        if (may_share(x))
            looks[look_count++] = look_of(x);
        else
            alone[alone_count++] = x;
    }
    if (look_count > 0)
        look_together(looks, look_count);
    for (size_t i = 0; i < look_count; i++) {
        if (look_end(&looks[i], &looks[i].x->problem))
            do_and_answer(looks[i].x);
        else /* what it asks for takes away what the others borrowed: when they are answered */
            alone[alone_count++] = looks[i].x;
    }
    for (size_t i = 0; i < alone_count; i++)
        serve_alone(alone[i]);
}

/* --- seats --- */

static uint64_t round_trips(const struct app *app)
{
    uint64_t n = redis_round_trips(app->redis);

    n += app->session_redis == app->redis ? 0 : redis_round_trips(app->session_redis);
    return app->cache_redis == app->redis ? n : n + redis_round_trips(app->cache_redis);
}

void dispatch_rest(void *arg)
{
    struct seat *seat = arg;
    uint64_t trips = round_trips(&seat->app);

    cache_tally_rest(&seat->app, &seat->tally, false);
    redis_flush(seat->app.redis);
    if (seat->app.session_redis != seat->app.redis)
        redis_flush(seat->app.session_redis);
    metrics_round_trips(trips - seat->trips_seen);
    seat->trips_seen = trips;
}

void *dispatch_open(void *ctx)
{
    struct seat *seat = xcalloc(1, sizeof *seat);

    seat->web = ctx;
    for (size_t i = 0; i < FCGI_BATCH; i++)
        seat->x[i].seat = seat;
    app_open(&seat->app, seat->web->house);
    seat->bases = page_bases(seat->web->house->locales);
    return seat;
}

void dispatch_close(void *arg)
{
    struct seat *seat = arg;

    page_bases_free(seat->bases, seat->web->house->locales);
    for (size_t i = 0; i < FCGI_BATCH; i++)
        exchange_free(&seat->x[i]);
    cache_tally_rest(&seat->app, &seat->tally, true);
    redis_flush(seat->app.cache_redis);
    closure_memo_clear(&seat->closed);
    app_close(&seat->app);
    free(seat);
}
