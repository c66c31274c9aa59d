/* admit.c: who may look at what */
#include "push/admit.h"

void admit_clear(struct admit *a)
{
    free(a->cookie);
    a->cookie = NULL;
    views_clear(&a->views);
}

/* --- entering --- */

/* What is asked for one who enters, and where the replies are. */
struct entry {
    struct admit *a;
    struct span token;   /* absent: no session that could have made a request */
    struct session session;
    struct limit_thing limited;
    size_t at_limit, at_session, at_request;
};

static void count_by(struct app *app, struct entry *e, enum limit_by by, struct span who)
{
    char id[LIMIT_WHO_LEN + 1];
    if (!limit_is_on(app->house) || !who.len)
        return;
    limit_who(app->house, by, who, id);
    e->limited.bucket[e->limited.count++] = limit_bucket(app->house, LIMIT_STREAM, by, id);
}

static struct entry entry_of(struct app *app, struct admit *a)
{
    struct entry e = { .a = a };
    struct span cookie = span_of(a->cookie);
    int kind = cookie.len > 0 ? session_cookie(app, cookie, &e.session) : -1;
    if (kind > 0)
        e.token = cookie;
    if (kind >= 0)
        count_by(app, &e, LIMIT_BY_SESSION, cookie);
    count_by(app, &e, LIMIT_BY_ADDRESS, span_of(a->address));
    return e;
}

/* Sessions on another server are asked for first. 0 or -1. */
static int take_session_elsewhere(struct app *app, struct entry *e, struct err *err)
{
    const struct reply *replies;
    size_t count;
    if (app->session_redis == app->redis || !e->token.s)
        return 0;
    session_queue(app, e->token);
    return redis_exchange(app->session_redis, &replies, &count, err) < 0 ||
                   session_take(app, e->token, replies, &e->session, err) < 0
               ? -1
               : 0;
}

static size_t queue_entry(struct app *app, struct entry *e)
{
    size_t count = 0;
    if (e->token.s && app->session_redis == app->redis) {
        session_queue(app, e->token);
        e->at_session = count;
        count += SESSION_REPLIES;
    }
    if (e->token.s) {
        views_queue(app, &e->a->views);
        e->at_request = count;
        count += VIEWS_REPLIES(&e->a->views);
    }
    if (e->limited.count > 0) {
        const struct limit_thing *const things = &e->limited;
        limit_queue(app, &things, 1);
        e->at_limit = count;
        count += LIMIT_REPLIES;
    }
    return count;
}

/* A stream counts as activity for visitors; for users only what a person asked for does. */
static void touch(struct app *app, const struct session *s, const struct request *rq)
{
    if (!s->user_id[0])
        session_touch(app, s);
    request_touch(app, rq);
}

static void take_request(struct app *app, struct entry *e, const struct reply *replies)
{
    struct admit *a = e->a;
    struct request rq;
    bool foreign;
    if (views_take(app, &a->views, replies, &rq, &foreign) < 1)
        return;
    a->may = e->session.known && request_belongs(&rq, span_of(e->session.owner), span_of(e->session.user_id));
    if (!a->may)
        return;
    memcpy(a->token, e->session.token, sizeof a->token);
    touch(app, &e->session, &rq);
    if (foreign)
        views_read(app, &a->views, 1);
    else
        views_fill(app, &a->views, replies, &rq);
    a->may = a->views.found == 1;
}

/* Whoever has signed in is counted as a user too, over all devices. 1, 0 too often, -1. */
static int count_user(struct app *app, const struct entry *e, struct err *err)
{
    struct entry user = { .a = e->a };
    if (!e->session.user_id[0])
        return 1;
    count_by(app, &user, LIMIT_BY_USER, span_of(e->session.user_id));
    return user.limited.count == 0 ? 1 : limit_ask(app, &user.limited, &e->a->verdict, err);
}

static int take_entry(struct app *app, struct entry *e, const struct reply *replies)
{
    struct admit *a = e->a;
    struct err *err = &a->views.err;
    const struct limit_thing *const things = &e->limited;
    int counted = e->limited.count > 0 ? limit_take(&things, 0, replies + e->at_limit, &a->verdict, err) : 1;
    if (counted < 0 || (e->token.s && app->session_redis == app->redis &&
                        session_take(app, e->token, replies + e->at_session, &e->session, err) < 0))
        return -1;
    if (counted > 0 && e->token.s)
        take_request(app, e, replies + e->at_request);
    if (counted > 0 && a->may)
        counted = count_user(app, e, err);
    a->too_often = counted == 0;
    a->may = a->may && counted > 0;
    return counted < 0 ? -1 : 0;
}

static void flush(struct app *app)
{
    redis_flush(app->redis);
    if (app->session_redis != app->redis)
        redis_flush(app->session_redis);
}

void admit_enter(struct app *app, struct admit *a)
{
    struct entry e = entry_of(app, a);
    const struct reply *replies;
    size_t count;
    if (take_session_elsewhere(app, &e, &a->views.err) < 0 ||
        (queue_entry(app, &e) > 0 &&
         (redis_exchange(app->redis, &replies, &count, &a->views.err) < 0 || take_entry(app, &e, replies) < 0))) {
        a->may = false;
        a->views.found = -1;
    }
    flush(app);
}

/* --- still there? --- */

static bool new_token(const struct admitted list[], size_t i)
{
    return i == 0 || memcmp(list[i].token, list[i - 1].token, SESSION_TOKEN_LEN) != 0;
}

static bool new_hash(const struct admitted list[], size_t i)
{
    return i == 0 || memcmp(list[i].hash, list[i - 1].hash, HASH_LEN) != 0;
}

/* Of each, what it is now, by the replies of one exchange or of one with each server. Of what cannot be read nobody knows. */
static void judge(struct app *app, struct admitted list[], size_t count, const struct reply *sessions, const struct reply *requests)
{
    struct session session;
    struct request rq;
    int known = 0, found = 0;
    bool foreign;
    for (size_t i = 0; i < count; i++) {
        if (new_token(list, i)) {
            known = session_take(app, span_of(list[i].token), sessions, &session, NULL);
            sessions += SESSION_REPLIES;
        }
        if (new_hash(list, i)) {
            found = request_take(app, span_of(list[i].hash), requests, &rq, &foreign, NULL);
            requests += REQUEST_REPLIES;
        }
        bool theirs = known > 0 && found > 0 && request_belongs(&rq, span_of(session.owner), span_of(session.user_id));
        list[i].ended = known >= 0 && found >= 0 && !theirs;
        if (theirs && (new_token(list, i) || new_hash(list, i)))
            touch(app, &session, &rq);
    }
}

int admit_again(struct app *app, struct admitted list[], size_t count, struct err *err)
{
    const struct reply *sessions, *requests;
    size_t replied, of_sessions = 0;
    for (size_t i = 0; i < count; i++)
        if (new_token(list, i)) {
            session_queue(app, span_of(list[i].token));
            of_sessions += SESSION_REPLIES;
        }
    if (app->session_redis != app->redis && redis_exchange(app->session_redis, &sessions, &replied, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (new_hash(list, i))
            request_queue(app, span_of(list[i].hash));
    if (redis_exchange(app->redis, &requests, &replied, err) < 0)
        return -1;
    if (app->session_redis == app->redis) {
        sessions = requests;
        requests += of_sessions;
    }
    judge(app, list, count, sessions, requests);
    flush(app);
    return 0;
}
