/* dispatch.c: the one dispatcher. It runs the checks that a route demands, in this order, and then the route's
 * function:
 *
 *   from here? (only /api/internal) -> find the route -> a program's token -> read the body -> not too much waiting?
 *   -> who asks, and the request (one round trip for both) -> a newcomer's cookie -> is it theirs? -> CSRF
 *   -> is the service open? -> function
 *
 * Whatever says no ends in the same place: the error page, or problem+json. */
#include "web/dispatch.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/locale.h"
#include "core/options.h"
#include "web/api.h"
#include "web/metrics.h"
#include "web/page.h"
#include "web/route.h"
#include "web/visitor.h"

#include <strings.h>

#define JOB_ID_MAX 128

static bool demands(const struct exchange *x, unsigned flag)
{
    return (x->route->flags & flag) != 0;
}

static bool is_api(const struct exchange *x)
{
    if (x->route)
        return demands(x, ROUTE_API);
    return x->segment_count > 0 && span_is(x->segment[0], "api");
}

/* What programs use: from listed addresses only, without cookies, in plain English. */
static bool is_internal(const struct exchange *x)
{
    return x->segment_count > 1 && span_is(x->segment[0], "api") && span_is(x->segment[1], "internal");
}

static bool has_control_bytes(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.s[i] < 0x20 || s.s[i] == 0x7f)
            return true;
    return false;
}

/* --- the steps; each says PROBLEM_NONE to go on --- */

/* Others hear that there is nothing, whatever they ask for. */
static enum problem is_from_here(struct exchange *x, struct fcgi_io *io)
{
    const char *list = settings_text(x->seat->app.house->settings, OPT_PEYGIR_INTERNAL_FROM);

    (void)io;
    return !is_internal(x) || address_in_list(list, x->param[PARAM_REMOTE_ADDR]) ? PROBLEM_NONE : PROBLEM_NOT_FOUND;
}

static enum problem find_route(struct exchange *x, struct fcgi_io *io)
{
    struct route_names names;
    enum problem problem;

    (void)io;
    x->route = route_find(x->method, x->segment, x->segment_count, &names, &problem);
    if (!x->route)
        return problem;
    x->slug = names.slug;
    x->hash = names.hash;
    x->id = names.id;
    if (x->id.s && (x->id.len > JOB_ID_MAX || has_control_bytes(x->id)))
        return PROBLEM_NOT_FOUND;
    if (x->slug.s && !(x->service = services_find(x->seat->app.house->services, x->slug)))
        return PROBLEM_NOT_FOUND;
    return x->hash.s && !keys_is_hash(x->hash) ? PROBLEM_NOT_FOUND : PROBLEM_NONE;
}

static enum problem not_crowded(struct exchange *x, struct fcgi_io *io)
{
    (void)io;
    return fcgi_crowded() && !demands(x, ROUTE_ALWAYS) ? PROBLEM_BUSY : PROBLEM_NONE;
}

/* What follows "Bearer " (RFC 6750 2.1); absent: another scheme, or none. */
static struct span bearer(const struct exchange *x)
{
    struct span all = x->param[PARAM_AUTHORIZATION];
    const size_t start = sizeof "Bearer " - 1;

    if (all.len < start || strncasecmp(all.s, "Bearer ", start) != 0)
        return (struct span){ NULL, 0 };
    return (struct span){ all.s + start, all.len - start };
}

/* Before the body, so that nobody has one read who may not send it. */
static enum problem token_holds(struct exchange *x, struct fcgi_io *io)
{
    char name[TOKEN_NAME_MAX + 1];
    struct span token = bearer(x);
    enum token_role role;
    int found;

    if (!demands(x, DEMAND_SOME_TOKEN))
        return PROBLEM_NONE;
    if (not_crowded(x, io) != PROBLEM_NONE)
        return PROBLEM_BUSY;
    found = token.s ? token_check(&x->seat->app, token, &role, name, &x->err) : 0;
    if (found < 0)
        return exchange_fail(x);
    if (found == 0)
        return PROBLEM_UNAUTHORIZED;
    return demands(x, DEMAND_TOKEN(role)) ? PROBLEM_NONE : exchange_say(x, PROBLEM_FORBIDDEN, "json.token_role");
}

static enum problem decode_body(struct exchange *x)
{
    struct span body = { x->body.s, x->body.len }, type = x->param[PARAM_CONTENT_TYPE];
    int rc;

    if (body.len == 0)
        return PROBLEM_NONE;
    if (!form_is_type(type, is_api(x) ? "application/json" : "application/x-www-form-urlencoded"))
        return PROBLEM_MEDIA_TYPE;
    rc = is_api(x) ? json_parse(body.s, body.len, &x->json, &x->err) : form_parse(&x->form, body, &x->err);
    return rc < 0 ? PROBLEM_BAD_REQUEST : PROBLEM_NONE;
}

static enum problem take_body(struct exchange *x, struct fcgi_io *io)
{
    int64_t declared = exchange_declared(x);

    if (x->method != METHOD_POST)
        return PROBLEM_NONE;
    if (declared < 0)
        return PROBLEM_BAD_REQUEST;
    switch (fcgi_read(io, declared, EXCHANGE_BODY_MAX, &x->body)) {
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

/* Requests that this thread saw past `pending`: their place in the queue is not asked for. A wrong guess costs a second
 * round trip, never a wrong answer. */
static char *started_slot(struct exchange *x)
{
    const unsigned char *end = (const unsigned char *)x->hash.s + HASH_LEN; /* random letters and digits */

    return x->seat->started[(end[-1] + end[-2] * 31u + end[-3] * 961u) % SEAT_STARTED];
}

static bool is_started(struct exchange *x)
{
    return memcmp(started_slot(x), x->hash.s, HASH_LEN) == 0;
}

/* What one exchange is asked for. */
struct looking {
    struct span token; /* absent: no session */
    bool request, place;
};

static int exchange_looks(struct exchange *x, const struct looking *l, bool *foreign)
{
    struct app *app = &x->seat->app;
    bool request_first = l->request && redis_last_db(app->redis) == app->main_db; /* one SELECT instead of two */
    size_t count, at_request = request_first || !l->token.s ? 0 : SESSION_REPLIES;
    size_t at_session = request_first ? REQUEST_REPLIES + (l->place ? PLACE_REPLIES : 0) : 0;
    const struct reply *replies;
    int found = 0;

    for (int turn = 0; turn < 2; turn++) {
        if ((turn == 0) != request_first && l->token.s)
            session_queue(app, l->token);
        if ((turn == 0) == request_first && l->request)
            request_queue(app, x->hash);
        if ((turn == 0) == request_first && l->place)
            request_queue_place(app, x->hash);
    }
    if (redis_exchange(l->request ? app->redis : app->session_redis, &replies, &count, &x->err) < 0)
        return -1;
    if (l->token.s && session_take(app, l->token, replies + at_session, &x->session, &x->err) < 0)
        return -1;
    if (l->request)
        found = request_take(x->hash, replies + at_request, &x->request, foreign, &x->err);
    if (found > 0 && l->place)
        request_take_place(replies + at_request + REQUEST_REPLIES, &x->request);
    return found;
}

/* Session and request by one round trip; more when sessions live on another server, when somebody wrote past the guard, or when a
 * request waits again that was seen started. Without a stored session there is no request to look for: whoever made one has
 * got a token. */
static int read_both(struct exchange *x, struct span token)
{
    struct app *app = &x->seat->app;
    bool wanted = demands(x, DEMAND_REQUEST), together = wanted && app->session_redis == app->redis, foreign = false;
    bool place = demands(x, DEMAND_PLACE) && !is_started(x);
    int found = exchange_looks(x, &(struct looking){ token, together, together && place }, &foreign);

    if (found >= 0 && wanted && x->session.known && (foreign || !together)) {
        found = request_read(app, x->hash, &x->request, &x->err);
        place = false;
    }
    if (found > 0 && !place && demands(x, DEMAND_PLACE) && x->request.status == REQUEST_PENDING)
        found = exchange_looks(x, &(struct looking){ { NULL, 0 }, true, true }, &foreign);
    if (found > 0 && x->request.status != REQUEST_PENDING)
        memcpy(started_slot(x), x->hash.s, HASH_LEN);
    x->has_owner = x->session.known;
    x->has_request = x->session.known && found > 0;
    return found < 0 ? -1 : 0;
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

static enum problem look(struct exchange *x, struct fcgi_io *io)
{
    struct span cookie;

    (void)io;
    if (!demands(x, DEMAND_SESSION))
        return PROBLEM_NONE;
    cookie = visitor_cookie(x);
    switch (session_cookie(&x->seat->app, cookie, &x->session)) {
    case 1:
        if (read_both(x, cookie) < 0)
            return exchange_fail(x);
        break;
    case 0:
        x->has_owner = true;
        break;
    default:
        break;
    }
    if (!x->has_owner && demands(x, DEMAND_NEWCOMER))
        visitor_welcome(x);
    return PROBLEM_NONE;
}

static enum problem is_theirs(struct exchange *x, struct fcgi_io *io)
{
    (void)io;
    if (!demands(x, DEMAND_REQUEST))
        return PROBLEM_NONE;
    if (!x->has_request || !request_belongs(&x->request, span_of(x->session.owner), span_of(x->session.user_id)))
        return PROBLEM_NOT_FOUND;
    if (x->slug.s && !span_eq(x->slug, request_slug(&x->request)))
        return PROBLEM_NOT_FOUND;
    x->service = services_find(x->seat->app.house->services, request_slug(&x->request));
    return PROBLEM_NONE;
}

static enum problem csrf_holds(struct exchange *x, struct fcgi_io *io)
{
    struct span token = x->param[PARAM_CSRF].s ? x->param[PARAM_CSRF] : form_get(&x->form, "_token");

    (void)io;
    if (!demands(x, DEMAND_CSRF))
        return PROBLEM_NONE;
    return x->has_owner && session_csrf_ok(&x->seat->app, &x->session, token) ? PROBLEM_NONE : PROBLEM_FORBIDDEN;
}

static enum problem is_open(struct exchange *x, struct fcgi_io *io)
{
    (void)io;
    return demands(x, DEMAND_OPEN) && dispatch_closed(x, x->service, &x->said) ? PROBLEM_CLOSED : PROBLEM_NONE;
}

/* Posted before the function, whose exchange takes it along, or sent when the answer is on its way. */
static enum problem touch(struct exchange *x, struct fcgi_io *io)
{
    (void)io;
    if (x->session.known && (x->session.user_id[0] == '\0' || demands(x, DEMAND_PERSON)))
        session_touch(&x->seat->app, &x->session);
    if (x->has_request)
        request_touch(&x->seat->app, &x->request);
    return PROBLEM_NONE;
}

static enum problem run(struct exchange *x, struct fcgi_io *io)
{
    static enum problem (*const steps[])(struct exchange *, struct fcgi_io *) = {
        is_from_here, find_route, token_holds, take_body, not_crowded, look, is_theirs, csrf_holds, is_open, touch,
    };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        enum problem problem = steps[i](x, io);
        if (problem != PROBLEM_NONE)
            return problem;
    }
    return x->route->function(x);
}

/* --- the answer --- */

static void add_problem_headers(struct exchange *x)
{
    const struct problem_row *row = &problems[x->problem];
    int retry_s = x->err.retry_after_s > 0 ? x->err.retry_after_s : row->retry_after_s;

    if (retry_s > 0)
        exchange_header_int(x, "Retry-After", retry_s);
    x->err.retry_after_s = retry_s;
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

static void log_answer(const struct exchange *x, int64_t started_ms)
{
    const char *pattern = x->route ? x->route->pattern : "(none)";

    if (x->problem == PROBLEM_INTERNAL)
        log_error("%s failed: %s", pattern, x->err.text);
    else if ((x->problem == PROBLEM_AWAY || x->problem == PROBLEM_FULL) && metrics_may_warn())
        log_warn("%s could not be answered: %s", pattern, x->err.text);
    if (!log_wants(LOG_DEBUG))
        return;
    log_debug("%s %s %d in %lld ms", x->method == METHOD_POST ? "POST" : "GET", pattern, x->status,
              (long long)(clock_mono_ms() - started_ms));
}

void dispatch_serve(void *arg, struct fcgi_io *io)
{
    struct seat *seat = arg;
    struct exchange *x = &seat->x;
    int64_t started_ms = log_wants(LOG_DEBUG) ? clock_mono_ms() : 0;
    bool good = exchange_begin(x, (const char *const *)fcgi_environ(io), &x->err) == 0;

    if (is_internal(x))
        visitor_locale_of_programs(x);
    else
        visitor_locale(x);
    x->problem = good ? run(x, io) : PROBLEM_BAD_REQUEST;
    if (x->dropped)
        return;
    if (x->problem != PROBLEM_NONE)
        answer_problem(x);
    exchange_finish(x);
    fcgi_send(io, x->out.s, x->out.len);
    metrics_answer(x->route, x->status);
    log_answer(x, started_ms);
}

/* --- seats --- */

static uint64_t round_trips(const struct app *app)
{
    uint64_t n = redis_round_trips(app->redis);

    return app->session_redis == app->redis ? n : n + redis_round_trips(app->session_redis);
}

void dispatch_rest(void *arg)
{
    struct seat *seat = arg;
    uint64_t trips = round_trips(&seat->app);

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
    seat->x.seat = seat;
    app_open(&seat->app, seat->web->house);
    seat->bases = page_bases(seat->web->house->locales);
    return seat;
}

void dispatch_close(void *arg)
{
    struct seat *seat = arg;

    page_bases_free(seat->bases, seat->web->house->locales);
    exchange_free(&seat->x);
    closure_memo_clear(&seat->closed);
    app_close(&seat->app);
    free(seat);
}
