/* progress.c: what a job says of itself while it is called */
#include "worker/progress.h"

#include "base/clock.h"
#include "base/log.h"

enum { PACE_MS = 1000 };

struct word {
    int progress;
    char *message;
};

struct progress {
    struct carry *carry;
    struct alarm alarm;
    struct word next; /* to be written; progress -1 and no message: nothing */
    int64_t written_ms; /* monotonic; 0: nothing yet */
    void (*then)(struct carry *c);

    bool writing; /* the pool has what follows */
    struct word word;
    int result;
    struct err err;
};

static bool has_news(const struct progress *p)
{
    return p->next.progress >= 0 || p->next.message;
}

static void write_word(struct app *app, void *ctx)
{
    struct progress *p = ctx;
    const struct job *job = &p->carry->leg.job;
    p->err = (struct err)ERR_INIT;
    if (leg_is_plain(&p->carry->leg))
        p->result = job_progress(app, job->queue, job->id, job->run, p->word.progress, p->word.message, &p->err);
    else
        p->result = request_progress(app, span_of(job->request_hash), p->carry->leg.run, p->word.progress, NULL, p->word.message,
                                     &p->err);
}

static void start(struct progress *p);

static void ring(struct alarm *alarm)
{
    start((struct progress *)(void *)((char *)alarm - offsetof(struct progress, alarm)));
}

/* A word that could not be written is a hint lost, and no reason to hold up the job. */
static void written(void *ctx)
{
    struct progress *p = ctx;
    struct carry *c = p->carry;
    p->writing = false;
    free(p->word.message);
    p->word.message = NULL;
    if (p->result < 0)
        log_event(LOG_DEBUG, LOG_FIELDS("job", c->leg.job.id), "its progress was not written: %s", p->err.text);
    if (p->result == 0 && leg_is_plain(&c->leg))
        carry_lose(c);
    if (p->then && (p->result < 0 || !has_news(p)))
        p->then(c);
    else if (carry_is_running(c) && has_news(p))
        p->then ? start(p) : alarm_set(c->worker->alarms, &p->alarm, PACE_MS, ring);
    carry_let_go(c);
}

static void start(struct progress *p)
{
    p->word = p->next;
    p->next = (struct word){ -1, NULL };
    p->writing = true;
    p->written_ms = clock_mono_ms();
    carry_hold(p->carry);
    pool_run(p->carry->worker->pool, write_word, written, p);
}

void progress_say(struct carry *c, int progress, const char *message)
{
    struct progress *p = c->progress;
    if (!p) {
        p = c->progress = xcalloc(1, sizeof *p);
        p->carry = c;
        p->next.progress = -1;
    }
    if (progress >= 0)
        p->next.progress = progress;
    if (message) {
        free(p->next.message);
        p->next.message = xstrdup(message);
    }
    if (p->writing || alarm_is_set(&p->alarm) || !has_news(p))
        return;
    int64_t since_ms = clock_mono_ms() - p->written_ms;
    if (p->written_ms == 0 || since_ms >= PACE_MS)
        start(p);
    else
        alarm_set(c->worker->alarms, &p->alarm, PACE_MS - since_ms, ring);
}

void progress_finish(struct carry *c, void (*then)(struct carry *c))
{
    struct progress *p = c->progress;
    if (!p || (!p->writing && !has_news(p))) {
        then(c);
        return;
    }
    p->then = then;
    alarm_stop(c->worker->alarms, &p->alarm);
    if (!p->writing)
        start(p);
}

void progress_stop(struct progress *p)
{
    if (p)
        alarm_stop(p->carry->worker->alarms, &p->alarm);
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    free(p->next.message);
    free(p->word.message);
    free(p);
}
