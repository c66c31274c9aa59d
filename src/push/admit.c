/* admit.c: who may look at what */
#include "push/admit.h"

#include "core/job_admin.h"
#include "core/job_type.h"
#include "core/presence.h"

void asker_clear(struct asker *asker)
{
    free(asker->cookie);
    free(asker->bearer);
    asker->cookie = asker->bearer = NULL;
}

void admit_clear(struct admit *a)
{
    views_clear(&a->views);
}

/* --- entering --- */

/* What is asked for one who enters, and where the replies are. */
struct entry {
    struct admit *a;
    struct span token;   /* absent: neither a token nor a session that could have made a request */
    bool program;        /* it is a program's */
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

/* A program is known by its token as a visitor is by their session. 1; 0: a->answer is what it gets; -1. */
static int know_program(struct app *app, struct entry *e, struct err *err)
{
    struct span bearer = span_of(e->a->asker->bearer);
    struct token token;
    int found = token_check(app, bearer, &token, err);
    if (found <= 0 || token.role != TOKEN_API) {
        e->a->answer = found < 0 ? ADMIT_NOBODY_KNOWS : found == 0 ? ADMIT_NO_TOKEN : ADMIT_WRONG_ROLE;
        return found < 0 ? -1 : 0;
    }
    e->program = e->session.known = true;
    e->token = bearer;
    token_owner(bearer, e->session.owner);
    snprintf(e->session.token, sizeof e->session.token, "%s", bearer.s);
    return 1;
}

static int know(struct app *app, struct entry *e, struct err *err)
{
    const struct asker *asker = e->a->asker;
    struct span cookie = span_of(asker->cookie);
    int known = asker->bearer ? know_program(app, e, err) : 1;
    if (known < 1)
        return known;
    int kind = !e->program && cookie.len > 0 ? session_cookie(app, cookie, &e->session) : -1;
    if (kind > 0)
        e->token = cookie;
    if (e->program || kind >= 0)
        count_by(app, e, LIMIT_BY_SESSION, e->program ? e->token : cookie);
    count_by(app, e, LIMIT_BY_ADDRESS, span_of(asker->address));
    return 1;
}

static bool has_session(const struct entry *e)
{
    return e->token.s && !e->program;
}

/* Sessions on another server are asked for first. 0 or -1. */
static int take_session_elsewhere(struct app *app, struct entry *e, struct err *err)
{
    const struct reply *replies;
    size_t count;
    if (app->session_redis == app->redis || !has_session(e))
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
    if (has_session(e) && app->session_redis == app->redis) {
        session_queue(app, e->token);
        e->at_session = count;
        count += SESSION_REPLIES;
    }
    if (e->token.s && e->a->what == ADMIT_REQUEST) {
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

static bool is_program(const char *token)
{
    return strncmp(token, TOKEN_START, sizeof TOKEN_START - 1) == 0;
}

/* A stream counts as activity for visitors; for users only what a person asked for does, but they are here. */
static void touch(struct app *app, const struct session *s, const struct request *rq)
{
    if (!s->user_id[0] && !is_program(s->token))
        session_touch(app, s);
    presence_touch(app, span_of(s->user_id));
    if (rq)
        request_touch(app, rq);
}

static bool is_theirs(const struct entry *e, const struct request *rq)
{
    return e->session.known && request_belongs(rq, span_of(e->session.owner), span_of(e->session.user_id));
}

static enum admit_answer answer_found(int found)
{
    return found < 0 ? ADMIT_NOBODY_KNOWS : found == 0 ? ADMIT_NOT_FOUND : ADMIT_YES;
}

static enum admit_answer take_request(struct app *app, struct entry *e, const struct reply *replies)
{
    struct admit *a = e->a;
    struct request rq;
    bool foreign;
    int found = e->token.s ? views_take(app, &a->views, replies + e->at_request, &rq, &foreign) : 0;
    if (found < 1)
        return answer_found(found);
    if (!is_theirs(e, &rq))
        return ADMIT_NOT_FOUND;
    touch(app, &e->session, &rq);
    memcpy(a->hash, a->views.hash, sizeof a->hash);
    if (foreign)
        views_read(app, &a->views, 1);
    else
        views_fill(app, &a->views, replies + e->at_request, &rq);
    return answer_found(a->views.found);
}

/* The request that a job works for is named by its id, or by its data. 1, 0 or -1. */
static int find_task(struct app *app, struct admit *a, struct job_owner *owner)
{
    struct span id = span_of(a->task), hash = { id.s, id.len < HASH_LEN ? id.len : HASH_LEN };
    size_t count;
    *owner = (struct job_owner){ .user_id = "" };
    if (keys_is_hash(hash) && (id.len == HASH_LEN || id.s[HASH_LEN] == '.')) {
        memcpy(owner->hash, hash.s, HASH_LEN);
        return 1;
    }
    char **queues = job_types_queues(app->house->job_types, &count);
    int found = job_find_owner(app, queues, count, a->task, owner, &a->views.err);
    free(queues);
    return found;
}

static enum admit_answer take_task(struct app *app, struct entry *e)
{
    struct admit *a = e->a;
    struct job_owner owner;
    struct request rq;
    int found = e->session.known ? find_task(app, a, &owner) : 0;
    if (found < 1)
        return answer_found(found);
    if (owner.user_id[0] && strcmp(owner.user_id, e->session.user_id) == 0) {
        touch(app, &e->session, NULL);
        return ADMIT_YES;
    }
    found = owner.hash[0] ? request_read(app, span_of(owner.hash), &rq, &a->views.err) : 0;
    if (found < 1 || !is_theirs(e, &rq))
        return found < 0 ? ADMIT_NOBODY_KNOWS : ADMIT_NOT_FOUND;
    touch(app, &e->session, &rq);
    memcpy(a->hash, owner.hash, sizeof a->hash);
    return ADMIT_YES;
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

static enum admit_answer take_thing(struct app *app, struct entry *e, const struct reply *replies)
{
    switch (e->a->what) {
    case ADMIT_REQUEST:
        return take_request(app, e, replies);
    case ADMIT_TASK:
        return take_task(app, e);
    default:
        return e->session.known && e->session.user_id[0] ? ADMIT_YES : ADMIT_SIGN_IN;
    }
}

static enum admit_answer counted(int result)
{
    return result < 0 ? ADMIT_NOBODY_KNOWS : result == 0 ? ADMIT_TOO_OFTEN : ADMIT_YES;
}

static enum admit_answer take_entry(struct app *app, struct entry *e, const struct reply *replies)
{
    struct admit *a = e->a;
    struct err *err = &a->views.err;
    const struct limit_thing *const things = &e->limited;
    enum admit_answer answer = e->limited.count > 0 ? counted(limit_take(&things, 0, replies + e->at_limit, &a->verdict, err)) : ADMIT_YES;
    if (has_session(e) && app->session_redis == app->redis &&
        session_take(app, e->token, replies + e->at_session, &e->session, err) < 0)
        return ADMIT_NOBODY_KNOWS;
    if (answer == ADMIT_YES)
        answer = take_thing(app, e, replies);
    if (answer == ADMIT_YES)
        answer = counted(count_user(app, e, err));
    return answer;
}

static void flush(struct app *app)
{
    redis_flush(app->redis);
    if (app->session_redis != app->redis)
        redis_flush(app->session_redis);
}

static enum admit_answer enter(struct app *app, struct entry *e)
{
    struct admit *a = e->a;
    const struct reply *replies = NULL;
    size_t count;
    int known = know(app, e, &a->views.err);
    if (known < 1)
        return known < 0 ? ADMIT_NOBODY_KNOWS : a->answer;
    if (take_session_elsewhere(app, e, &a->views.err) < 0 ||
        (queue_entry(app, e) > 0 && redis_exchange(app->redis, &replies, &count, &a->views.err) < 0))
        return ADMIT_NOBODY_KNOWS;
    return take_entry(app, e, replies);
}

void admit_enter(struct app *app, struct admit *a)
{
    struct entry e = { .a = a };
    a->answer = enter(app, &e);
    memcpy(a->token, e.session.token, sizeof a->token);
    memcpy(a->user_id, e.session.user_id, sizeof a->user_id);
    flush(app);
}

/* --- still there? --- */

static bool new_token(const struct admitted list[], size_t i)
{
    return i == 0 || strcmp(list[i].token, list[i - 1].token) != 0;
}

static bool new_hash(const struct admitted list[], size_t i)
{
    return list[i].hash[0] && (i == 0 || memcmp(list[i].hash, list[i - 1].hash, HASH_LEN) != 0);
}

/* Whose token it is, by the replies or, of a program, by what was asked before: known 1, 0 or -1. */
static int know_again(struct app *app, const char *token, bool revoked, const struct reply **sessions, struct session *s)
{
    if (!is_program(token))
        return session_take(app, span_of(token), (*sessions)++, s, NULL);
    *s = (struct session){ .known = true };
    token_owner(span_of(token), s->owner);
    snprintf(s->token, sizeof s->token, "%s", token);
    return !revoked;
}

/* Of each, what it is now, by the replies of one exchange or of one with each server. Of what cannot be read nobody knows. */
static void judge(struct app *app, struct admitted list[], size_t count, const struct reply *sessions, const struct reply *requests)
{
    struct session session;
    struct request rq;
    int known = 0, found = 0;
    bool foreign;
    for (size_t i = 0; i < count; i++) {
        bool fresh = new_token(list, i) || new_hash(list, i), of_request = list[i].hash[0];
        if (new_token(list, i))
            known = know_again(app, list[i].token, list[i].ended, &sessions, &session);
        if (new_hash(list, i)) {
            found = request_take(app, span_of(list[i].hash), requests, &rq, &foreign, NULL);
            requests += REQUEST_REPLIES;
        }
        bool theirs = known > 0 && (!of_request || (found > 0 && request_belongs(&rq, span_of(session.owner), span_of(session.user_id))));
        list[i].ended = known >= 0 && (!of_request || found >= 0) && !theirs;
        if (theirs && fresh)
            touch(app, &session, of_request ? &rq : NULL);
    }
}

/* Tokens of programs cost one round trip each; a revoked one has `ended` set. 0 or -1. */
static int check_programs(struct app *app, struct admitted list[], size_t count, struct err *err)
{
    struct token token;
    for (size_t i = 0; i < count; i++) {
        int known = 1;
        list[i].ended = i > 0 && !new_token(list, i) && list[i - 1].ended;
        if (new_token(list, i) && is_program(list[i].token))
            known = token_check(app, span_of(list[i].token), &token, err);
        if (known < 0)
            return -1;
        list[i].ended = list[i].ended || known == 0;
    }
    return 0;
}

int admit_again(struct app *app, struct admitted list[], size_t count, struct err *err)
{
    const struct reply *sessions = NULL, *requests = NULL;
    size_t replied, of_sessions = 0, of_requests = 0;
    if (check_programs(app, list, count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (new_token(list, i) && !is_program(list[i].token)) {
            session_queue(app, span_of(list[i].token));
            of_sessions += SESSION_REPLIES;
        }
    if (app->session_redis != app->redis && of_sessions > 0 && redis_exchange(app->session_redis, &sessions, &replied, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (new_hash(list, i)) {
            request_queue(app, span_of(list[i].hash));
            of_requests += REQUEST_REPLIES;
        }
    bool here = app->session_redis == app->redis;
    if (of_requests + (here ? of_sessions : 0) > 0 && redis_exchange(app->redis, &requests, &replied, err) < 0)
        return -1;
    if (here) {
        sessions = requests;
        requests = requests ? requests + of_sessions : NULL;
    }
    judge(app, list, count, sessions, requests);
    flush(app);
    return 0;
}
