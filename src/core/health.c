/* health.c: whether Peygir is able to work. */
#include "core/health.h"

#include "base/clock.h"
#include "core/closure.h"

#define LONG_WAIT_MS 60000

struct teller {
    health_fn fn;
    void *ctx;
};

static void tell(const struct teller *t, const struct health_finding *finding)
{
    t->fn(t->ctx, finding);
}

/* --- the server --- */

static void tell_advice(void *ctx, const struct advice *a)
{
    tell(ctx, &(struct health_finding){ HEALTH_ADVICE + a->kind, a->grade, a->check, a->detail, .subject = a->subject,
                                        .number = { a->number[0], a->number[1] } });
}

int health_redis(struct app *app, health_fn fn, void *ctx, struct err *err)
{
    struct teller t = { fn, ctx };
    int64_t start_ms = clock_mono_ms();

    redis_use_db(app->redis, app->main_db);
    if (!redis_do(app->redis, err, "PING"))
        return -1;
    tell(&t, &(struct health_finding){ HEALTH_REDIS, GRADE_OK, .number = { clock_mono_ms() - start_ms + 1 } });
    return advice_ask(app, tell_advice, &t, err);
}

/* --- the work --- */

static void judge_queue(const struct teller *t, const struct overview_queue *q)
{
    const struct job_counts *n = &q->counts;
    const struct span name = span_of(q->name);

    tell(t, &(struct health_finding){ HEALTH_QUEUE, n->oldest_waiting_ms > LONG_WAIT_MS && !n->paused ? GRADE_WARNING : GRADE_OK,
                                      .subject = name, .number = { n->waiting, n->delayed, n->active, n->oldest_waiting_ms / 1000 } });
    if (n->failed > 0)
        tell(t, &(struct health_finding){ HEALTH_FAILED_JOBS, GRADE_WARNING, .subject = name, .number = { n->failed } });
    if (q->pause_reason)
        tell(t, &(struct health_finding){ HEALTH_PAUSED, GRADE_WARNING, .subject = name, .words = span_of(q->pause_reason) });
}

static void tell_closed(void *ctx, struct span slug, struct span message)
{
    tell(ctx, &(struct health_finding){ HEALTH_CLOSED, GRADE_WARNING, .subject = slug, .words = message });
}

/* Has one of the workers before said so? */
static bool is_told(const struct overview *o, size_t before, struct span bot)
{
    for (size_t i = 0; i < before; i++)
        for (const char *at = o->worker[i].bots_away; *at; at += strspn(at, " ")) {
            size_t len = strcspn(at, " ");
            if (span_eq(bot, (struct span){ at, len }))
                return true;
            at += len;
        }
    return false;
}

static void judge_bots(const struct teller *t, const struct overview *o)
{
    for (size_t i = 0; i < o->worker_count; i++)
        for (const char *at = o->worker[i].bots_away; *at; at += strspn(at, " ")) {
            const struct span bot = { at, strcspn(at, " ") };
            if (!is_told(o, i, bot))
                tell(t, &(struct health_finding){ HEALTH_BOT, GRADE_WARNING, .subject = bot });
            at += bot.len;
        }
}

int health_work(struct app *app, const struct overview *o, health_fn fn, void *ctx, struct err *err)
{
    struct teller t = { fn, ctx };

    tell(&t, &(struct health_finding){ HEALTH_WORKERS, o->worker_count == 0 ? GRADE_FAILED : GRADE_OK,
                                       .number = { (int64_t)o->worker_count } });
    judge_bots(&t, o);
    for (size_t i = 0; i < o->queue_count; i++)
        judge_queue(&t, &o->queue[i]);
    return closure_each(app, tell_closed, &t, err);
}
