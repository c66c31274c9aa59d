/* request_watch.c: nothing is forgotten: requests whose job is missing, codes that nobody took or asked for again */
#include "base/clock.h"
#include "core/change.h"
#include "core/otp.h"

enum { WATCH_AT_ONCE = 100, WATCH_PENDING_MS = 60000, WATCH_LEG_MS = 5000 };

struct watched {
    struct app *app;
    struct span hash;
    const struct service *service;
    int64_t code_until_ms, now_ms;
    int64_t code, taken;
    char leg[HASH_SIZE + 32];
};

/* Each gives the time by which to look again, 0 for never, or -1. */
static int64_t watch_pending(const struct watched *w, struct err *err)
{
    char hash[HASH_SIZE];
    memcpy(hash, w->hash.s, HASH_LEN);
    hash[HASH_LEN] = '\0';
    if (job_push(w->app, &(struct job_new){ .id = hash, .type = "service", .request_hash = hash }, err) < 0)
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
    int pushed = otp_push_leg(w->app, w->hash, err);
    if (pushed < 0)
        return -1;
    if (w->taken < w->code && w->code_until_ms > w->now_ms)
        return w->now_ms + WATCH_LEG_MS;
    struct key data = key_job(w->app->house, SPAN(JOB_QUEUE_DEFAULT), span_of(w->leg));
    const struct reply *state = redis_do(w->app->redis, err, "HGET %b status", data.s, data.len);
    if (!state)
        return -1;
    if (w->taken >= w->code && span_is(reply_text(state), "pending"))
        return w->now_ms + WATCH_LEG_MS; /* recovered, waits to be taken: request_begin will say it is lost */
    return otp_lost(w->app, w->service, w->hash, 0, err) < 0 ? -1 : 0;
}

static int64_t watch_processing(const struct watched *w, struct err *err)
{
    (void)err;
    return w->now_ms + WATCH_PENDING_MS; /* its job sees to it; but the entry stays, for a code may be asked for any moment */
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

static int64_t look(struct app *app, const struct services *services, struct span hash, struct err *err)
{
    struct request rq;
    int found = request_read(app, hash, &rq, err);
    if (found <= 0)
        return found;
    struct watched w = { .app = app,
                         .hash = hash,
                         .service = services ? services_find(services, request_slug(&rq)) : NULL,
                         .code_until_ms = rq.guard.code_until_ms,
                         .now_ms = rq.now_ms,
                         .code = rq.guard.code,
                         .taken = rq.guard.taken };
    struct span leg = rq.guard.leg.len > 0 && rq.guard.leg.len < sizeof w.leg ? rq.guard.leg : span_of(rq.hash);
    memcpy(w.leg, leg.s, leg.len);
    w.leg[leg.len] = '\0';
    return watches[rq.status](&w, err);
}

/* Due hashes, each put off by a minute, so that no other worker looks as well and a crash here forgets none. */
static int claim_due(struct app *app, char due[][HASH_SIZE], struct err *err)
{
    struct key watch = key_watch(app->house);
    long long now_ms = clock_ms();
    int count = 0;
    redis_use_db(app->redis, app->main_db);
    const struct reply *list =
        redis_do(app->redis, err, "ZRANGEBYSCORE %b -inf %lld LIMIT 0 %d", watch.s, watch.len, now_ms, WATCH_AT_ONCE);
    if (!list)
        return -1;
    for (size_t i = 0; i < list->count && count < WATCH_AT_ONCE; i++)
        if (keys_is_hash(reply_text(&list->item[i])))
            memcpy(due[count++], reply_text(&list->item[i]).s, HASH_LEN);
    for (int i = 0; i < count; i++)
        redis_postf(app->redis, "ZADD %b XX %lld %b", watch.s, watch.len, now_ms + WATCH_PENDING_MS, due[i], (size_t)HASH_LEN);
    return count;
}

int request_watch(struct app *app, const struct services *services, struct err *err)
{
    struct key watch = key_watch(app->house);
    char due[WATCH_AT_ONCE][HASH_SIZE];
    int count = claim_due(app, due, err);
    for (int i = 0; i < count; i++) {
        struct span hash = { due[i], HASH_LEN };
        int64_t again_ms = look(app, services, hash, err);
        if (again_ms < 0)
            return -1;
        if (again_ms > 0) /* LT: a change that was made meanwhile may want it sooner */
            redis_postf(app->redis, "ZADD %b LT %lld %b", watch.s, watch.len, (long long)again_ms, hash.s, hash.len);
        else
            redis_postf(app->redis, "ZREM %b %b", watch.s, watch.len, hash.s, hash.len);
    }
    redis_flush(app->redis);
    return count;
}
