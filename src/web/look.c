/* look.c: who asks, the request, and how often: what Redis is asked before anything is done. */
#include "web/look.h"

#include "base/digest.h"
#include "core/locale.h"
#include "web/data.h"
#include "web/dispatch.h"
#include "web/route.h"
#include "web/visitor.h"

_Static_assert(FCGI_BATCH <= LIMIT_THINGS, "all requests of a batch are counted by one command");

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

static void queue_session(struct app *app, struct look *l, size_t *count)
{
    if (!l->token.s)
        return;
    session_queue(app, l->token);
    l->at_session = *count;
    *count += SESSION_REPLIES;
}

static void queue_bearer(struct app *app, struct look *l, size_t *count)
{
    if (!l->bearer)
        return;
    token_queue(app, l->x->bearer);
    l->at_bearer = *count;
    *count += TOKEN_REPLIES;
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

/* What is to be counted, in the order of looks[]. */
static size_t limited_of(const struct look looks[], size_t n, const struct limit_thing *things[LIMIT_THINGS])
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        if (looks[i].limited.count > 0)
            things[count++] = &looks[i].limited;
    return count;
}

static void queue_sessions(struct app *app, struct look looks[], size_t n, size_t *count)
{
    for (size_t i = 0; i < n; i++)
        queue_session(app, &looks[i], count);
}

/* Tokens and requests; the limits of all by one command, which stands last. */
static void queue_main(struct app *app, struct look looks[], size_t n, size_t *count)
{
    const struct limit_thing *things[LIMIT_THINGS];
    size_t limited = limited_of(looks, n, things);

    for (size_t i = 0; i < n; i++) {
        queue_bearer(app, &looks[i], count);
        queue_request(app, &looks[i], count);
    }
    if (limited == 0)
        return;
    limit_queue(app, things, limited);
    *count += LIMIT_REPLIES;
}

static void queue_data(struct app *app, struct look looks[], size_t n, size_t *count)
{
    for (size_t i = 0; i < n; i++) {
        if (!looks[i].data)
            continue;
        looks[i].at_data = *count;
        *count += data_queue(app, looks[i].x);
    }
}

/* All of one database and then all of the others, beginning where the connection is: one SELECT for all, where two are asked. Returns where
 * the reply about limits is. */
static size_t queue_looks(struct app *app, struct look looks[], size_t n)
{
    bool main_first = redis_last_db(app->redis) == app->main_db, data_first = redis_last_db(app->redis) == app->cache_db;
    size_t count = 0, at_limits;

    if (data_first)
        queue_data(app, looks, n, &count);
    if (!main_first)
        queue_sessions(app, looks, n, &count);
    queue_main(app, looks, n, &count);
    at_limits = count > LIMIT_REPLIES ? count - LIMIT_REPLIES : 0; /* where nothing is limited nobody looks there */
    if (main_first)
        queue_sessions(app, looks, n, &count);
    if (!data_first)
        queue_data(app, looks, n, &count);
    return at_limits;
}

/* A limit that cannot be counted refuses nobody who only reads. */
static int take_limit(struct exchange *x, const struct limit_thing *const things[], size_t which, const struct reply *replies)
{
    int rc = limit_take(things, which, replies, &x->verdict, &x->err);

    x->counted = rc >= 0;
    x->refused = rc == 0;
    return rc < 0 && !limits[x->route->limit].open ? -1 : 0;
}

/* Each takes its share of the one answer. A look that may not go on has `found` -1. */
static void take_limits(struct look looks[], size_t n, const struct reply *replies)
{
    const struct limit_thing *things[LIMIT_THINGS];
    size_t which = 0;

    limited_of(looks, n, things);
    for (size_t i = 0; i < n; i++)
        if (looks[i].limited.count > 0 && take_limit(looks[i].x, things, which++, replies) < 0)
            looks[i].found = -1;
}

static int take_bearer(struct app *app, struct exchange *x, const struct reply replies[TOKEN_REPLIES])
{
    int rc = token_take(app, x->bearer, replies, &x->program, &x->err);

    x->bearer_holds = rc > 0;
    if (x->bearer_holds && demands(x, DEMAND_SESSION))
        visitor_client(x);
    return rc;
}

static int take_look(struct app *app, struct look *l, const struct reply *replies)
{
    struct exchange *x = l->x;
    int found = 0;

    if (l->found < 0)
        return -1;
    if (l->token.s && session_take(app, l->token, replies + l->at_session, &x->session, &x->err) < 0)
        return -1;
    if (l->bearer && take_bearer(app, x, replies + l->at_bearer) < 0)
        return -1;
    if (l->data)
        data_take(app, x, replies + l->at_data);
    if (l->request)
        found = request_take(app, x->hash, replies + l->at_request, &x->request, &l->foreign, &x->err);
    if (found > 0 && l->place)
        request_take_place(replies + l->at_request + REQUEST_REPLIES, &x->request);
    return found;
}

/* One round trip for all of them, which ask the same server. */
void look_together(struct look looks[], size_t n)
{
    struct app *app = &looks[0].x->seat->app;
    struct redis *r = looks[0].bearer || looks[0].request || looks[0].data || looks[0].limited.count > 0 ? app->redis : app->session_redis;
    struct err *err = &looks[0].x->err;
    const struct reply *replies;
    size_t count, at_limits;
    int rc;

    at_limits = queue_looks(app, looks, n);
    rc = redis_exchange(r, &replies, &count, err);
    if (rc == 0)
        take_limits(looks, n, replies + at_limits);
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
    x->has_owner = x->has_owner || x->session.known;
    x->has_request = (x->session.known || x->bearer_holds) && l->found > 0;
}

static void count_by(struct look *l, enum limit_by by, const char *who)
{
    const struct exchange *x = l->x;

    l->limited.bucket[l->limited.count++] = limit_bucket(x->seat->app.house, x->limit ? x->limit : x->route->limit, by, who);
}

/* The same few addresses ask again and again, and an HMAC is not cheap. */
static const char *address_who(struct exchange *x)
{
    struct span address = x->param[PARAM_REMOTE_ADDR];
    struct seat_address *known = &x->seat->address[digest_short(address.s, address.len) % SEAT_ADDRESSES];

    if (address.len >= sizeof known->text)
        address.len = sizeof known->text - 1;
    if (!span_is(address, known->text)) {
        limit_who(x->seat->app.house, LIMIT_BY_ADDRESS, address, known->who);
        memcpy(known->text, address.s, address.len);
        known->text[address.len] = '\0';
    }
    return known->who;
}

static bool is_limited(const struct exchange *x)
{
    return x->route->limit != LIMIT_NONE && limit_is_on(x->seat->app.house);
}

/* By the session or the token first, which is the smaller one, and by the address. */
static void count_visitor(struct look *l, struct span brought)
{
    struct exchange *x = l->x;
    char who[LIMIT_WHO_LEN + 1];

    if (brought.s) {
        limit_who(x->seat->app.house, LIMIT_BY_SESSION, brought, who);
        count_by(l, LIMIT_BY_SESSION, who);
    }
    if (x->param[PARAM_REMOTE_ADDR].s)
        count_by(l, LIMIT_BY_ADDRESS, address_who(x));
}

/* Without a stored session or a program's token there is no request to look for: whoever made one has got either. */
struct look look_of(struct exchange *x)
{
    struct look l = { .x = x, .token = x->token, .bearer = x->bearer.s != NULL };

    l.request = demands(x, DEMAND_REQUEST) && (l.token.s || l.bearer);
    l.place = l.request && demands(x, DEMAND_PLACE) && !is_started(x);
    l.data = demands(x, DEMAND_DATA) && data_is_wanted(x);
    if (is_limited(x) && !x->counted)
        count_visitor(&l, x->bearer.s ? x->bearer : x->cookie);
    return l;
}

static int look_again(struct look *l)
{
    look_together(l, 1);
    if (l->found >= 0 && l->foreign) {
        l->found = request_read(&l->x->seat->app, l->x->hash, &l->x->request, &l->x->err);
        l->place = false;
    }
    return l->found;
}

/* Sessions on another server are asked for first. */
static int look_elsewhere(struct look *l)
{
    struct look session = { .x = l->x, .token = l->token };

    if (l->x->seat->app.session_redis == l->x->seat->app.redis || !l->token.s)
        return 0;
    look_together(&session, 1);
    l->token = (struct span){ NULL, 0 };
    l->request = l->request && l->x->session.known;
    l->place = l->place && l->request;
    return session.found;
}

/* Who acts is counted as a user too, over all sessions. */
static bool counts_user(const struct exchange *x)
{
    return is_limited(x) && !x->refused && x->session.user_id[0] && !limits[x->route->limit].open;
}

/* Session or token, request and limits by one round trip; more when sessions live on another server, when a signed-in user acts, when somebody
 * wrote past the guard, or when a request waits again that was seen started. */
static int read_all(struct exchange *x)
{
    struct look l = look_of(x);
    char who[LIMIT_WHO_LEN + 1];

    if (look_elsewhere(&l) < 0)
        return -1;
    if ((l.token.s || l.bearer || l.request || l.data || l.limited.count > 0) && look_again(&l) < 0)
        return -1;
    if (x->session.known && counts_user(x)) {
        l = (struct look){ .x = x, .request = l.found > 0, .place = l.place };
        limit_who(x->seat->app.house, LIMIT_BY_USER, span_of(x->session.user_id), who);
        count_by(&l, LIMIT_BY_USER, who);
        if (look_again(&l) < 0)
            return -1;
    }
    if (!x->refused && wants_place(x, &l)) {
        l = (struct look){ .x = x, .request = true, .place = true };
        look_together(&l, 1);
    }
    keep_look(&l);
    return l.found < 0 ? -1 : 0;
}

void look_cookie(struct exchange *x)
{
    struct span cookie;
    int rc;

    if (demands(x, DEMAND_DATA))
        x->cookie = visitor_cookie(x); /* to be counted by: whose it is does not matter */
    if (!demands(x, DEMAND_SESSION) || x->bearer.s)
        return;
    cookie = visitor_cookie(x);
    rc = session_cookie(&x->seat->app, cookie, &x->session);
    x->has_owner = rc == 0;
    if (rc >= 0)
        x->cookie = cookie;
    if (rc > 0)
        x->token = cookie;
}

/* "You may again in {time}." */
static enum problem too_often(struct exchange *x)
{
    str_reset(&x->words);
    locale_add_duration(x->locale, &x->words, x->err.retry_after_s);
    return exchange_say_with(x, PROBLEM_TOO_MANY, "limit.wait", "time", x->words.s);
}

/* Does the token that the route demands, or the one that was brought in place of a cookie, open it? */
static enum problem token_problem(struct exchange *x)
{
    if (!x->bearer.s && !route_is_for_programs(x->route))
        return PROBLEM_NONE;
    if (!x->bearer_holds)
        return PROBLEM_UNAUTHORIZED;
    return demands(x, DEMAND_TOKEN(x->program.role)) ? PROBLEM_NONE : exchange_say(x, PROBLEM_FORBIDDEN, "json.token_role");
}

enum problem look_alone(struct exchange *x)
{
    look_cookie(x);
    if (read_all(x) < 0 && (x->token.s || x->bearer.s || !limits[x->route->limit].open))
        return exchange_fail(x);
    return x->refused ? too_often(x) : token_problem(x);
}

bool look_end(struct look *l, enum problem *problem)
{
    struct exchange *x = l->x;

    if (l->found >= 0 && !x->refused && (l->foreign || wants_place(x, l) || (demands(x, DEMAND_DATA) && x->call.method && !x->has_entry)))
        return false;
    keep_look(l);
    if (l->found < 0)
        *problem = exchange_fail(x);
    else
        *problem = x->refused ? too_often(x) : token_problem(x);
    return true;
}

/* A cookie counts as it is: one that was made up is in the address's bucket like any other. */
enum problem look_count(struct exchange *x, enum limit_id id)
{
    struct look l = { .x = x };
    int rc;

    if (!limit_is_on(x->seat->app.house))
        return PROBLEM_NONE;
    x->limit = id;
    count_visitor(&l, visitor_cookie(x));
    rc = l.limited.count > 0 ? limit_ask(&x->seat->app, &l.limited, &x->verdict, &x->err) : 1;
    if (rc < 0)
        return exchange_fail(x);
    x->refused = rc == 0;
    return x->refused ? too_often(x) : PROBLEM_NONE;
}
