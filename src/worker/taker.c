/* taker.c: takes jobs from the worker's queues while there is room for them */
#include "worker/taker.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/job_type.h"
#include "core/options.h"
#include "worker/alarm.h"
#include "worker/carry.h"

enum {
    EARLY_MS = 1,     /* a moment by Redis's clock may be that much later by ours */
    REST_FIRST_MS = 250,
    REST_MAX_MS = 2000
};

/* One queue. */
struct stall {
    const char *queue;
    struct key keys[JOB_WAKE_KEYS];
    size_t key_count;
    bool look;      /* it may have something */
    bool empty;     /* the last look found nothing, and nothing was heard since */
    bool broken;    /* the last look failed for a reason of its own, and that was said */
    int64_t due_ms; /* monotonic: then it may have something */
};

struct taker {
    struct worker *worker;
    struct stall *stalls;
    size_t count, turn; /* whose turn it is */
    int64_t sleep_ms;
    struct job_limit *limits; /* of types; texts are theirs */
    size_t limit_count;
    struct alarm alarm; /* the nearest due_ms; while resting: the end of it */
    int64_t rest_ms;    /* > 0: Redis is away */
    bool stopped;

    /* the pool's while taking */
    bool taking;
    struct stall *at;
    struct job jobs[JOB_BATCH];
    struct job_take take;
    int64_t began_ms; /* monotonic */
    int taken;
    struct err err;
};

static struct taker *of_alarm(struct alarm *alarm)
{
    return (struct taker *)(void *)((char *)alarm - offsetof(struct taker, alarm));
}

/* --- when to look --- */

static void rested(struct alarm *alarm)
{
    (void)alarm; /* the loop's turn looks whether it is set */
}

/* Redis is away: look again after a while. */
static void rest(struct taker *t)
{
    worker_redis_failed(t->worker, &t->err);
    t->rest_ms = t->rest_ms == 0 ? REST_FIRST_MS : t->rest_ms < REST_MAX_MS ? t->rest_ms * 2 : REST_MAX_MS;
    if (!t->stopped)
        alarm_set(t->worker->alarms, &t->alarm, t->rest_ms, rested);
}

static void ring(struct alarm *alarm);

static void set_alarm(struct taker *t)
{
    int64_t due_ms = INT64_MAX;
    if (t->stopped || t->rest_ms > 0)
        return;
    for (size_t i = 0; i < t->count; i++)
        if (!t->stalls[i].look && &t->stalls[i] != t->at && t->stalls[i].due_ms < due_ms)
            due_ms = t->stalls[i].due_ms;
    if (due_ms < INT64_MAX)
        alarm_set(t->worker->alarms, &t->alarm, due_ms - clock_mono_ms(), ring);
}

static void ring(struct alarm *alarm)
{
    struct taker *t = of_alarm(alarm);
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < t->count; i++)
        if (t->stalls[i].due_ms <= now_ms)
            t->stalls[i].look = true;
    set_alarm(t);
}

static bool belongs(const struct stall *s, struct span key)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (key.len >= s->keys[i].len && memcmp(key.s, s->keys[i].s, s->keys[i].len) == 0)
            return true;
    return false;
}

void taker_wake(struct taker *t, struct span key)
{
    for (size_t i = 0; i < t->count; i++)
        if (!key.s || belongs(&t->stalls[i], key)) {
            t->stalls[i].look = true;
            t->stalls[i].empty = false;
        }
}

/* --- looking --- */

static void take(struct app *app, void *ctx)
{
    struct taker *t = ctx;
    t->err = (struct err)ERR_INIT;
    t->taken = job_take(app, &t->take, &t->err);
}

/* Something is wrong with this queue alone: the others go on. */
static void give_up(struct taker *t, struct stall *s)
{
    if (!s->broken)
        log_error("nothing can be taken from the queue %s: %s", s->queue, t->err.text);
    s->broken = true;
    s->look = false;
    s->due_ms = clock_mono_ms() + t->sleep_ms;
}

static void took_from(struct taker *t, struct stall *s)
{
    int64_t wait_ms = t->take.next_ms >= 0 && !t->take.paused ? t->take.next_ms + EARLY_MS : t->sleep_ms;
    s->broken = false;
    s->due_ms = clock_mono_ms() + (wait_ms < t->sleep_ms ? wait_ms : t->sleep_ms);
    if ((size_t)t->taken == t->take.max)
        s->look = true;
    s->empty = t->taken == 0 && !s->look;
}

/* Also when it was stopped meanwhile: they are ours. But whoever stood still for longer than a lease has lost them, without
 * having begun any. */
static void begin(struct taker *t)
{
    bool late = clock_mono_ms() - t->began_ms >= JOB_LEASE_MS;
    for (int i = 0; i < t->taken; i++)
        if (late)
            job_clear(&t->jobs[i]);
        else
            carry_start(t->worker, &t->jobs[i], t->began_ms);
}

static void took(void *ctx)
{
    struct taker *t = ctx;
    struct worker *w = t->worker;
    struct stall *s = t->at;
    t->taking = false;
    t->at = NULL;
    w->taking -= t->take.max;
    if (w->jobs_left > 0 && t->taken > 0)
        w->jobs_left -= t->taken;
    begin(t);
    if (t->taken >= 0) {
        worker_redis_answered(w);
        t->rest_ms = 0;
        took_from(t, s);
    } else if (t->err.kind == ERR_AWAY || t->err.kind == ERR_FULL) {
        s->look = true;
        rest(t);
    } else {
        give_up(t, s);
    }
    set_alarm(t);
    worker_settled(w);
}

/* Room is shared among the queues that may have something. */
static size_t share(const struct taker *t, size_t room)
{
    size_t looking = 0;
    for (size_t i = 0; i < t->count; i++)
        looking += t->stalls[i].look;
    size_t each = looking > 1 ? (room + looking - 1) / looking : room;
    return each < JOB_BATCH ? each : JOB_BATCH;
}

/* An idle worker waits for Redis itself, so that a job is taken up sooner; one that carries out jobs has them to look after. */
static void start(struct taker *t, struct stall *s, size_t room)
{
    bool idle = t->worker->running == 0 && pool_busy(t->worker->pool) == 0;
    t->take = (struct job_take){ .queue = s->queue,
                                 .worker_id = t->worker->id,
                                 .limits = t->limits,
                                 .limit_count = t->limit_count,
                                 .jobs = t->jobs,
                                 .max = share(t, room),
                                 .next_ms = -1 };
    t->taking = true;
    t->began_ms = clock_mono_ms();
    t->at = s;
    s->look = s->empty = false;
    t->worker->taking += t->take.max;
    if (idle)
        pool_run_here(t->worker->pool, take, took, t);
    else
        pool_run(t->worker->pool, take, took, t);
}

static struct stall *next_stall(struct taker *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct stall *s = &t->stalls[(t->turn + i) % t->count];
        if (!s->look)
            continue;
        t->turn = (t->turn + i + 1) % t->count;
        return s;
    }
    return NULL;
}

void taker_turn(struct taker *t)
{
    struct stall *s;
    size_t room;
    while (!t->stopped && !t->taking && !(t->rest_ms > 0 && alarm_is_set(&t->alarm)) && (room = worker_room(t->worker)) > 0 &&
           (s = next_stall(t)))
        start(t, s, room);
}

bool taker_found_nothing(const struct taker *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (!t->stalls[i].empty)
            return false;
    return true;
}

void taker_stop(struct taker *t)
{
    t->stopped = true;
    alarm_stop(t->worker->alarms, &t->alarm);
}

/* --- the whole --- */

const char **taker_keys(const struct taker *t, size_t *count)
{
    const char **keys = xcalloc(t->count * JOB_WAKE_KEYS, sizeof *keys);
    *count = 0;
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->stalls[i].key_count; k++)
            keys[(*count)++] = t->stalls[i].keys[k].s;
    return keys;
}

static void read_limits(struct taker *t, const struct job_types *types)
{
    size_t count = types ? job_types_count(types) : 0;
    t->limits = xcalloc(count + 1, sizeof *t->limits);
    for (size_t i = 0; i < count; i++)
        if (job_types_at(types, i)->limit.type)
            t->limits[t->limit_count++] = job_types_at(types, i)->limit;
}

struct taker *taker_new(struct worker *w)
{
    struct taker *t = xcalloc(1, sizeof *t);
    t->worker = w;
    t->sleep_ms = settings_int(w->house->settings, OPT_WORKER_SLEEP) * 1000;
    t->count = w->options->queue_count;
    t->stalls = xcalloc(t->count, sizeof *t->stalls);
    for (size_t i = 0; i < t->count; i++) {
        struct stall *s = &t->stalls[i];
        s->queue = w->options->queues[i];
        s->key_count = job_wake_keys(w->house, s->queue, s->keys);
        s->look = true;
    }
    read_limits(t, w->house->job_types);
    return t;
}

void taker_free(struct taker *t)
{
    if (!t)
        return;
    free(t->stalls);
    free(t->limits);
    free(t);
}
