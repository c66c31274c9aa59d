/* request_watch.c: nothing is forgotten: requests whose job is missing, codes that nobody took or asked for again */
#include "core/change.h"
#include "core/listener.h"
#include "core/otp.h"
#include "scripts.h"

enum { WATCH_AT_ONCE = 100, WATCH_PENDING_MS = 60000, WATCH_LEG_MS = 5000 };

struct watched {
    struct app *app;
    struct span hash;
    const struct service *service;
    int64_t code_until_ms, now_ms;
    int64_t code, taken, revision;
    bool begun; /* a job has taken it up */
    const char *user_id; /* NULL: none; gone with the next exchange */
    char leg[HASH_SIZE + 32];
};

/* The status of the job that carries it out: "" when there is none. 0 or -1. */
static int leg_status(const struct watched *w, char status[16], struct err *err)
{
    struct key data = key_job(w->app->house, SPAN(JOB_QUEUE_DEFAULT), span_of(w->leg));
    const struct reply *reply = redis_do(w->app->redis, err, "HGET %b status", data.s, data.len);
    struct span text = reply ? reply_text(reply) : SPAN("");
    snprintf(status, 16, "%.*s", (int)text.len, text.s ? text.s : "");
    return reply ? 0 : -1;
}

/* Nobody has written since it was looked at. */
static int decide_abandoned(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct watched *w = ctx;
    (void)app;
    (void)err;
    if (rq->guard.revision != w->revision)
        return 0;
    change_error(c, &(struct request_error){ "interrupted", "errors.interrupted", true });
    return 1;
}

/* Its job has ended without a word: nobody else would end it. 0 or -1. */
static int end_abandoned(const struct watched *w, struct err *err)
{
    char status[16];
    if (leg_status(w, status, err) < 0)
        return -1;
    if (strcmp(status, "pending") == 0 || strcmp(status, "processing") == 0)
        return 0;
    return change_make(w->app, w->hash, 0, decide_abandoned, (void *)w, err) < 0 ? -1 : 0;
}

/* Each gives the time by which to look again, 0 for never, or -1. */
static int64_t watch_pending(const struct watched *w, struct err *err)
{
    char hash[HASH_SIZE];
    memcpy(hash, w->hash.s, HASH_LEN);
    hash[HASH_LEN] = '\0';
    int pushed = job_push(w->app, &(struct job_new){ .id = hash, .type = "service", .request_hash = hash, .user_id = w->user_id }, NULL, err);
    if (pushed < 0 || (pushed == 0 && end_abandoned(w, err) < 0))
        return -1;
    return w->now_ms + WATCH_PENDING_MS;
}

static int64_t watch_required(const struct watched *w, struct err *err)
{
    int done = otp_give_up(w->app, w->hash, err);
    if (done != 0)
        return done < 0 ? -1 : 0;
    return w->code_until_ms + 60000;
}

/* A code was entered: a leg must be there to take it, and take it in time. */
static int64_t watch_verifying(const struct watched *w, struct err *err)
{
    struct key active = key_queue(w->app->house, SPAN(JOB_QUEUE_DEFAULT), "active");
    const struct reply *lease = redis_do(w->app->redis, err, "ZSCORE %b %s", active.s, active.len, w->leg);
    if (!lease)
        return -1;
    if (lease->type != REPLY_NIL)
        return w->now_ms + WATCH_LEG_MS;
    if (otp_push_leg(w->app, w->hash, err) < 0 && err->kind != ERR_FULL)
        return -1;
    if (w->taken < w->code && w->code_until_ms > w->now_ms)
        return w->now_ms + WATCH_LEG_MS;
    char state[16];
    if (leg_status(w, state, err) < 0)
        return -1;
    if (w->taken >= w->code && strcmp(state, "pending") == 0)
        return w->now_ms + WATCH_LEG_MS; /* recovered, waits to be taken: request_begin will say it is lost */
    return otp_lost(w->app, w->service, w->hash, 0, err) < 0 ? -1 : w->now_ms + WATCH_PENDING_MS;
}

/* Its job sees to it, unless no job has taken it up (a bot works by itself). The entry stays, for a code may be asked for any moment. */
static int64_t watch_processing(const struct watched *w, struct err *err)
{
    return w->begun && end_abandoned(w, err) < 0 ? -1 : w->now_ms + WATCH_PENDING_MS;
}

static int64_t watch_never(const struct watched *w, struct err *err)
{
    (void)w;
    (void)err;
    return 0;
}

static int64_t (*const watches[REQUEST_STATUSES])(const struct watched *w, struct err *err) = {
    [REQUEST_PENDING] = watch_pending,         [REQUEST_PROCESSING] = watch_processing, [REQUEST_OTP_REQUIRED] = watch_required,
    [REQUEST_OTP_VERIFYING] = watch_verifying, [REQUEST_COMPLETED] = watch_never,  [REQUEST_FAILED] = watch_never,
    [REQUEST_CANCELLED] = watch_never,
};

/* Whoever made it has deleted it, and a bot wrote its document once more: it belongs to nobody and goes. */
static int64_t bury(struct app *app, struct span hash, struct err *err)
{
    const struct key document = key_document(hash), guard = key_guard(hash), events = key_events(hash);
    redis_use_db(app->redis, app->main_db);
    return redis_do(app->redis, err, "DEL %b %b %b", document.s, document.len, guard.s, guard.len, events.s, events.len) ? 0 : -1;
}

static int64_t look(struct app *app, const struct services *services, struct span hash, struct err *err)
{
    struct request rq;
    int found = request_read(app, hash, &rq, err);
    if (found <= 0)
        return found;
    if (rq.guard.owner.len == 0)
        return bury(app, hash, err);
    if (rq.guard.listeners.len > 0 && listener_hears(rq.status)) {
        bool told = listener_tell_read(app, &rq);
        found = request_read(app, hash, &rq, err);
        if (found <= 0 || (!told && request_is_final(rq.status)))
            return found <= 0 ? found : rq.now_ms + WATCH_PENDING_MS;
    }
    struct watched w = { .app = app,
                         .hash = hash,
                         .service = services ? services_find(services, request_slug(&rq)) : NULL,
                         .code_until_ms = rq.guard.code_until_ms,
                         .now_ms = rq.now_ms,
                         .code = rq.guard.code,
                         .taken = rq.guard.taken,
                         .revision = rq.guard.revision,
                         .begun = rq.guard.leg.len > 0,
                         .user_id = rq.guard.user_id.s };
    struct span leg = rq.guard.leg.len > 0 && rq.guard.leg.len < sizeof w.leg ? rq.guard.leg : span_of(rq.hash);
    memcpy(w.leg, leg.s, leg.len);
    w.leg[leg.len] = '\0';
    return watches[rq.status](&w, err);
}

/* Set when to look at one again; sent with the next exchange. */
static void queue_time(struct app *app, const char *how, int64_t ms, const char hash[HASH_SIZE])
{
    struct key watch = key_watch(app->house);
    char digits[NUMBER_SIZE];
    const struct span key = key_span(&watch), args[] = { span_of(how), span_number(digits, ms), { hash, HASH_LEN } };
    redis_use_db(app->redis, app->main_db);
    redis_queue_script(app->redis, &script_request_watch, 1, &key, ARRAY_LEN(args), args);
}

static int send_times(struct app *app, struct err *err)
{
    const struct reply *replies;
    size_t count;
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    return 0;
}

/* Due hashes, each put off by a minute, so that no other worker looks as well and a crash here forgets none. */
static int claim_due(struct app *app, char due[][HASH_SIZE], struct err *err)
{
    struct key watch = key_watch(app->house);
    int64_t now_ms = house_now_ms(app->house);
    int count = 0;
    redis_use_db(app->redis, app->main_db);
    const struct reply *list =
        redis_do(app->redis, err, "ZRANGEBYSCORE %b -inf %lld LIMIT 0 %d", watch.s, watch.len, (long long)now_ms, WATCH_AT_ONCE);
    if (!list)
        return -1;
    for (size_t i = 0; i < list->count && count < WATCH_AT_ONCE; i++)
        if (keys_is_hash(reply_text(&list->item[i])))
            memcpy(due[count++], reply_text(&list->item[i]).s, HASH_LEN);
    for (int i = 0; i < count; i++)
        queue_time(app, "XX", now_ms + WATCH_PENDING_MS, due[i]);
    return count == 0 || send_times(app, err) == 0 ? count : -1;
}

/* One that cannot be looked at now stays put off and stops no other. */
int request_watch(struct app *app, const struct services *services, struct err *err)
{
    struct key watch = key_watch(app->house);
    char due[WATCH_AT_ONCE][HASH_SIZE];
    int64_t again_ms[WATCH_AT_ONCE];
    int count = claim_due(app, due, err), result = count;
    for (int i = 0; i < count; i++) {
        struct err local = ERR_INIT;
        again_ms[i] = look(app, services, (struct span){ due[i], HASH_LEN }, &local);
        if (again_ms[i] >= 0 || local.kind == ERR_FULL)
            continue;
        result = -1;
        if (err)
            *err = local;
        if (local.kind == ERR_AWAY)
            return -1;
    }
    for (int i = 0; i < count; i++)
        if (again_ms[i] > 0) /* LT: a change that was made meanwhile may want it sooner */
            queue_time(app, "LT", again_ms[i], due[i]);
        else if (again_ms[i] == 0)
            redis_postf(app->redis, "ZREM %b %b", watch.s, watch.len, due[i], (size_t)HASH_LEN);
    return count > 0 && send_times(app, err) < 0 ? -1 : result;
}
