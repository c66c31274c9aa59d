/* dispatch.c: the one dispatcher. It runs the checks that a route demands, in this order, and then the route's
 * function:
 *
 *   from here? (only /api/internal) -> find the route -> a program's token -> read the body -> not too much waiting?
 *   -> who asks, and the request (one round trip for both) -> a newcomer's cookie -> is it theirs? -> CSRF
 *   -> is the service open? -> function
 *
 * Whatever says no ends in the same place: the error page, or problem+json. Of the requests that a thread is handed at
 * once, those that only look (ROUTE_LOOKS) share the one round trip; then the others follow, one after the other. */
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
static enum problem is_from_here(struct exchange *x)
{
    const char *list = settings_text(x->seat->app.house->settings, OPT_PEYGIR_INTERNAL_FROM);

    return !is_internal(x) || address_in_list(list, x->param[PARAM_REMOTE_ADDR]) ? PROBLEM_NONE : PROBLEM_NOT_FOUND;
}

static enum problem find_route(struct exchange *x)
{
    struct route_names names;
    enum problem problem;

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

static enum problem not_crowded(struct exchange *x)
{
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
static enum problem token_holds(struct exchange *x)
{
    char name[TOKEN_NAME_MAX + 1];
    struct span token = bearer(x);
    enum token_role role;
    int found;

    if (!demands(x, DEMAND_SOME_TOKEN))
        return PROBLEM_NONE;
    if (not_crowded(x) != PROBLEM_NONE)
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

static enum problem take_body(struct exchange *x)
{
    int64_t declared = exchange_declared(x);

    if (x->method != METHOD_POST)
        return PROBLEM_NONE;
    if (declared < 0)
        return PROBLEM_BAD_REQUEST;
    switch (fcgi_read(x->io, declared, EXCHANGE_BODY_MAX, &x->body)) {
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

/* What Redis is asked about one exchange. */
struct look {
    struct exchange *x;
    struct span token;   /* absent: no session */
    bool request, place; /* the request of the path; its place in the queue as well */
    /* what came of it */
    size_t at_session, at_request; /* where its replies are */
    bool foreign;        /* somebody wrote past the guard */
    int found;           /* 1: the request is there; 0; -1: x->err says why */
};

static void queue_session(struct app *app, struct look *l, size_t *count)
{
    if (!l->token.s)
        return;
    session_queue(app, l->token);
    l->at_session = *count;
    *count += SESSION_REPLIES;
}

static void queue_request(struct app *app, struct look *l, size_t *count)
{
    if (!l->request)
        return;
    l->at_request = *count;
    request_queue(app, l->x->hash);
    *count += REQUEST_REPLIES;
    if (!l->place)
        return;
    request_queue_place(app, l->x->hash);
    *count += PLACE_REPLIES;
}

/* All of one kind and then all of the other, beginning in the database where the connection is: one SELECT for all. */
static void queue_looks(struct app *app, struct look looks[], size_t n)
{
    void (*const kinds[])(struct app *, struct look *, size_t *) = { queue_session, queue_request };
    bool request_first = looks[0].request && redis_last_db(app->redis) == app->main_db;
    size_t count = 0;

    for (size_t turn = 0; turn < ARRAY_LEN(kinds); turn++)
        for (size_t i = 0; i < n; i++)
            kinds[turn ^ request_first](app, &looks[i], &count);
}

static int take_look(struct app *app, struct look *l, const struct reply *replies)
{
    struct exchange *x = l->x;
    int found = 0;

    if (l->token.s && session_take(app, l->token, replies + l->at_session, &x->session, &x->err) < 0)
        return -1;
    if (l->request)
        found = request_take(x->hash, replies + l->at_request, &x->request, &l->foreign, &x->err);
    if (found > 0 && l->place)
        request_take_place(replies + l->at_request + REQUEST_REPLIES, &x->request);
    return found;
}

/* One round trip for all of them. With a request among them, sessions lie on the same server. */
static void take_looks(struct app *app, struct look looks[], size_t n)
{
    struct redis *r = looks[0].request ? app->redis : app->session_redis;
    struct err *err = &looks[0].x->err;
    const struct reply *replies;
    size_t count;
    int rc;

    queue_looks(app, looks, n);
    rc = redis_exchange(r, &replies, &count, err);
    for (size_t i = 0; i < n; i++) {
        if (rc < 0)
            looks[i].x->err = *err;
        looks[i].found = rc < 0 ? -1 : take_look(app, &looks[i], replies);
    }
}

static bool wants_place(const struct exchange *x, const struct look *l)
{
    return l->found > 0 && !l->place && demands(x, DEMAND_PLACE) && x->request.status == REQUEST_PENDING;
}

/* What came of a look that needs no further one. */
static void keep_look(const struct look *l)
{
    struct exchange *x = l->x;

    if (l->found > 0 && x->request.status != REQUEST_PENDING)
        memcpy(started_slot(x), x->hash.s, HASH_LEN);
    x->has_owner = x->session.known;
    x->has_request = x->session.known && l->found > 0;
}

static struct look look_of(struct exchange *x)
{
    const struct app *app = &x->seat->app;
    bool request = demands(x, DEMAND_REQUEST) && app->session_redis == app->redis;

    return (struct look){ .x = x, .token = x->cookie, .request = request,
                          .place = request && demands(x, DEMAND_PLACE) && !is_started(x) };
}

/* Session and request by one round trip; more when sessions live on another server, when somebody wrote past the guard, or when a
 * request waits again that was seen started. Without a stored session there is no request to look for: whoever made one has
 * got a token. */
static int read_both(struct exchange *x)
{
    struct app *app = &x->seat->app;
    struct look l = look_of(x);
    bool together = l.request;

    take_looks(app, &l, 1);
    if (l.found >= 0 && demands(x, DEMAND_REQUEST) && x->session.known && (l.foreign || !together)) {
        l.found = request_read(app, x->hash, &x->request, &x->err);
        l.place = false;
    }
    if (wants_place(x, &l)) {
        l = (struct look){ .x = x, .request = true, .place = true };
        take_looks(app, &l, 1);
    }
    keep_look(&l);
    return l.found < 0 ? -1 : 0;
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

/* Whom the cookie names; 1: only Redis knows. */
static int know_cookie(struct exchange *x)
{
    int rc;

    x->cookie = visitor_cookie(x);
    rc = session_cookie(&x->seat->app, x->cookie, &x->session);
    x->has_owner = rc == 0;
    return rc;
}

static enum problem look(struct exchange *x)
{
    if (!demands(x, DEMAND_SESSION))
        return PROBLEM_NONE;
    if (know_cookie(x) > 0 && read_both(x) < 0)
        return exchange_fail(x);
    if (!x->has_owner && demands(x, DEMAND_NEWCOMER))
        visitor_welcome(x);
    return PROBLEM_NONE;
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

static enum problem csrf_holds(struct exchange *x)
{
    struct span token = x->param[PARAM_CSRF].s ? x->param[PARAM_CSRF] : form_get(&x->form, "_token");

    if (!demands(x, DEMAND_CSRF))
        return PROBLEM_NONE;
    return x->has_owner && session_csrf_ok(&x->seat->app, &x->session, token) ? PROBLEM_NONE : PROBLEM_FORBIDDEN;
}

static enum problem is_open(struct exchange *x)
{
    return demands(x, DEMAND_OPEN) && dispatch_closed(x, x->service, &x->said) ? PROBLEM_CLOSED : PROBLEM_NONE;
}

/* Posted before the function, whose exchange takes it along, or sent when the answer is on its way. */
static enum problem touch(struct exchange *x)
{
    if (x->session.known && (x->session.user_id[0] == '\0' || demands(x, DEMAND_PERSON)))
        session_touch(&x->seat->app, &x->session);
    if (x->has_request)
        request_touch(&x->seat->app, &x->request);
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
static step *const looking[] = { token_holds, take_body, not_crowded, look };
static step *const doing[] = { is_theirs, csrf_holds, is_open, touch };

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

static void log_answer(const struct exchange *x)
{
    const char *pattern = x->route ? x->route->pattern : "(none)";

    if (x->problem == PROBLEM_INTERNAL)
        log_error("%s failed: %s", pattern, x->err.text);
    else if ((x->problem == PROBLEM_AWAY || x->problem == PROBLEM_FULL) && metrics_may_warn())
        log_warn("%s could not be answered: %s", pattern, x->err.text);
    if (!log_wants(LOG_DEBUG))
        return;
    log_debug("%s %s %d in %lld ms", x->method == METHOD_POST ? "POST" : "GET", pattern, x->status,
              (long long)(clock_mono_ms() - x->started_ms));
}

/* --- serving --- */

static void begin(struct exchange *x, struct fcgi_io *io)
{
    bool good;

    x->io = io;
    x->started_ms = log_wants(LOG_DEBUG) ? clock_mono_ms() : 0;
    good = exchange_begin(x, (const char *const *)fcgi_environ(io), &x->err) == 0;
    if (is_internal(x))
        visitor_locale_of_programs(x);
    else
        visitor_locale(x);
    x->problem = good ? run(x, finding, ARRAY_LEN(finding)) : PROBLEM_BAD_REQUEST;
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
        x->problem = run(x, looking, ARRAY_LEN(looking));
    do_and_answer(x);
}

/* Has a stored session to be found, and nothing but that and its request? */
static bool may_share(struct exchange *x)
{
    const struct app *app = &x->seat->app;

    return x->problem == PROBLEM_NONE && demands(x, ROUTE_LOOKS) && app->session_redis == app->redis &&
           not_crowded(x) == PROBLEM_NONE && know_cookie(x) > 0;
}

/* Answer those that look by one round trip; false: one that needs a further one, which would take away what the others
 * borrowed, is still to be served. */
static bool answer_look(struct look *l)
{
    if (l->found >= 0 && (l->foreign || wants_place(l->x, l)))
        return false;
    keep_look(l);
    if (l->found < 0)
        l->x->problem = exchange_fail(l->x);
    do_and_answer(l->x);
    return true;
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
        take_looks(&seat->app, looks, look_count);
    for (size_t i = 0; i < look_count; i++)
        if (!answer_look(&looks[i]))
            alone[alone_count++] = looks[i].x;
    for (size_t i = 0; i < alone_count; i++)
        serve_alone(alone[i]);
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
    closure_memo_clear(&seat->closed);
    app_close(&seat->app);
    free(seat);
}
