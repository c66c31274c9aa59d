/* finisher.c: ends of jobs go out together */
#include "worker/finisher.h"

#include "base/log.h"
#include "core/otp.h"
#include "worker/leg.h"

enum { ENDS_MAX = 512, WAIT_FIRST_MS = 250, WAIT_MAX_MS = 2000 };

struct finisher {
    struct worker *worker;
    struct carry *first, **last; /* waiting */
    struct alarm alarm;          /* Redis is away: not before it rings */
    int64_t wait_ms;

    /* the pool's while busy */
    bool busy;
    struct carry *carries[ENDS_MAX];
    struct job_end ends[ENDS_MAX];
    size_t count;
    int result;
    struct err err;
};

/* --- on the pool --- */

static bool must_wait(const struct err *err)
{
    return err->kind == ERR_AWAY || err->kind == ERR_FULL;
}

/* Something is wrong with one of them: it must not hold up the others. */
static int end_each(struct app *app, struct finisher *f)
{
    for (size_t i = 0; i < f->count; i++) {
        struct err err = ERR_INIT;
        int ended = job_end_one(app, &f->ends[i], &err);
        if (ended < 0 && must_wait(&err)) {
            f->err = err;
            return -1;
        }
        if (ended < 0)
            log_event(LOG_ERROR, LOG_FIELDS("job", f->ends[i].id), "%s", err.text);
        f->ends[i].over = ended <= 0;
    }
    return 0;
}

static void work(struct app *app, void *ctx)
{
    struct finisher *f = ctx;
    f->err = (struct err)ERR_INIT;
    f->result = job_end(app, f->ends, f->count, &f->err);
    if (f->result < 0 && !must_wait(&f->err))
        f->result = end_each(app, f);
}

/* --- the code that came while a first leg ran --- */

static void push_code(struct app *app, void *ctx)
{
    const struct carry *c = ctx;
    otp_push_leg(app, span_of(c->leg.job.request_hash), NULL); /* should it fail, request_watch pushes it */
}

static void pushed(void *ctx)
{
    carry_let_go(ctx);
}

static void ended(struct carry *c, bool over)
{
    enum job_outcome outcome = c->leg.outcome;
    if (!over && c->leg.push_code && outcome != JOB_AGAIN && outcome != JOB_GIVE_BACK) {
        carry_hold(c);
        pool_run(c->worker->pool, push_code, pushed, c);
    }
    carry_ended(c, over);
}

/* --- the loop --- */

static void put(struct finisher *f, struct carry *c)
{
    c->end_next = NULL;
    *f->last = c;
    f->last = &c->end_next;
}

static void ring(struct alarm *alarm)
{
    (void)alarm; /* the loop's turn looks whether it is set */
}

static void wait_for_redis(struct finisher *f)
{
    worker_redis_failed(f->worker, &f->err);
    f->wait_ms = f->wait_ms == 0 ? WAIT_FIRST_MS : f->wait_ms < WAIT_MAX_MS ? f->wait_ms * 2 : WAIT_MAX_MS;
    for (size_t i = 0; i < f->count; i++)
        if (carry_is_running(f->carries[i]))
            put(f, f->carries[i]);
        else /* given up meanwhile; when all are, the worker has left, and its alarms with it */
            carry_let_go(f->carries[i]);
    if (f->first)
        alarm_set(f->worker->alarms, &f->alarm, f->wait_ms, ring);
}

static void worked(void *ctx)
{
    struct finisher *f = ctx;
    f->busy = false;
    if (f->result < 0) {
        wait_for_redis(f);
        return;
    }
    worker_redis_answered(f->worker);
    f->wait_ms = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (carry_is_running(f->carries[i]))
            ended(f->carries[i], f->ends[i].over);
        carry_let_go(f->carries[i]);
    }
}

void finisher_add(struct finisher *f, struct carry *c)
{
    carry_hold(c);
    put(f, c);
}

static void gather(struct finisher *f)
{
    f->count = 0;
    for (struct carry *c; (c = f->first) && f->count < ENDS_MAX;) {
        f->first = c->end_next;
        if (!f->first)
            f->last = &f->first;
        if (carry_is_running(c))
            f->carries[f->count++] = c;
        else
            carry_let_go(c);
    }
}

static int by_queue(const void *a, const void *b)
{
    const struct carry *const *one = a, *const *other = b;
    return strcmp((*one)->leg.job.queue, (*other)->leg.job.queue);
}

void finisher_turn(struct finisher *f)
{
    if (f->busy || !f->first || alarm_is_set(&f->alarm))
        return;
    gather(f);
    if (f->count == 0)
        return;
    if (f->worker->options->queue_count > 1) /* one script takes those of one queue */
        qsort(f->carries, f->count, sizeof(struct carry *), by_queue);
    for (size_t i = 0; i < f->count; i++)
        f->ends[i] = leg_end(&f->carries[i]->leg);
    f->busy = true;
    pool_run(f->worker->pool, work, worked, f);
}

struct finisher *finisher_new(struct worker *w)
{
    struct finisher *f = xcalloc(1, sizeof *f);
    f->worker = w;
    f->last = &f->first;
    return f;
}

void finisher_free(struct finisher *f)
{
    if (!f)
        return;
    for (struct carry *c = f->first, *next; c; c = next) { /* given up, for Redis did not come back */
        next = c->end_next;
        carry_let_go(c);
    }
    free(f);
}
