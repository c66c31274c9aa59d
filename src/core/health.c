/* health.c: whether Peygir is able to work. */
#include "core/health.h"

#include "base/clock.h"
#include "core/closure.h"
#include "core/keys.h"
#include "core/source.h"

#include <stdarg.h>

#define LONG_WAIT_MS 60000

struct teller {
    health_fn fn;
    void *ctx;
};

/* With its words; `detail` is a format. */
static void __attribute__((format(printf, 4, 5)))
tell(const struct teller *t, struct health_finding finding, const char *name, const char *detail, ...)
{
    va_list ap;
    char *words;

    va_start(ap, detail);
    words = xvasprintf(detail, ap);
    va_end(ap);
    finding.name = name;
    finding.detail = words;
    t->fn(t->ctx, &finding);
    free(words);
}

/* --- the server --- */

static void tell_advice(void *ctx, const struct advice *a)
{
    tell(ctx, (struct health_finding){ HEALTH_ADVICE + a->kind, a->grade, .subject = a->subject, .number = { a->number[0], a->number[1] } },
         a->check, "%s", a->detail);
}

/* A server beside the main one: the worst that is to be said of it. */
struct beside {
    enum health_check check;
    const char *name;
    enum grade worst;
    char *detail; /* NULL: nothing yet */
    int64_t took_ms;
};

static void note_worst(void *ctx, const struct advice *a)
{
    struct beside *b = ctx;

    if (b->detail && a->grade <= b->worst)
        return;
    free(b->detail);
    b->worst = a->grade;
    b->detail = a->grade == GRADE_OK ? xasprintf("a server of its own, answers within %lld ms", (long long)b->took_ms) : xstrdup(a->detail);
}

typedef int (*ask_fn)(struct app *app, advice_fn *tell, void *ctx, struct err *err);

static void look_beside(const struct teller *t, struct app *app, struct redis *r, ask_fn ask, struct beside b, enum grade when_away)
{
    struct err err = ERR_INIT;
    int64_t start_ms = clock_mono_ms();
    bool answers = redis_do(r, &err, "PING") != NULL;

    b.took_ms = clock_mono_ms() - start_ms + 1;
    if (!answers || ask(app, note_worst, &b, &err) < 0) {
        free(b.detail);
        b.worst = when_away;
        b.detail = xstrdup(err.text);
    }
    tell(t, (struct health_finding){ .check = b.check, .grade = b.worst }, b.name, "%s", b.detail);
    free(b.detail);
}

static void look_at_others(const struct teller *t, struct app *app)
{
    if (app->session_redis != app->redis)
        look_beside(t, app, app->session_redis, advice_ask_sessions, (struct beside){ .check = HEALTH_SESSIONS, .name = "sessions" }, GRADE_FAILED);
    if (app->cache_redis != app->redis)
        look_beside(t, app, app->cache_redis, advice_ask_cache, (struct beside){ .check = HEALTH_CACHE, .name = "cache" }, GRADE_WARNING);
}

int health_redis(struct app *app, health_fn fn, void *ctx, struct err *err)
{
    struct teller t = { fn, ctx };
    int64_t start_ms = clock_mono_ms(), took_ms;

    redis_use_db(app->redis, app->main_db);
    if (!redis_do(app->redis, err, "PING"))
        return -1;
    took_ms = clock_mono_ms() - start_ms + 1;
    tell(&t, (struct health_finding){ HEALTH_REDIS, GRADE_OK, .number = { took_ms } }, "redis", "answers within %lld ms", (long long)took_ms);
    if (advice_ask(app, tell_advice, &t, err) < 0)
        return -1;
    look_at_others(&t, app);
    return 0;
}

/* --- the work --- */

static void tell_queue(const struct teller *t, const struct overview_queue *q)
{
    const struct job_counts *n = &q->counts;
    const bool late = n->oldest_waiting_ms > LONG_WAIT_MS && !n->paused;
    char *name = strcmp(q->name, JOB_QUEUE_DEFAULT) == 0 ? xstrdup("queue") : xasprintf("queue %s", q->name);

    tell(t, (struct health_finding){ HEALTH_QUEUE, late ? GRADE_WARNING : GRADE_OK, .subject = span_of(q->name),
                                     .number = { n->waiting, n->delayed, n->active, n->oldest_waiting_ms / 1000 } },
         name, "%lld waiting, %lld delayed, %lld active; the oldest waits %lld s", (long long)n->waiting, (long long)n->delayed,
         (long long)n->active, (long long)n->oldest_waiting_ms / 1000);
    free(name);
}

static void judge_queue(const struct teller *t, const struct overview_queue *q)
{
    const struct job_counts *n = &q->counts;
    const struct span name = span_of(q->name);
    const char *why = overview_pause_words(q->pause_reason);

    tell_queue(t, q);
    if (n->failed > 0)
        tell(t, (struct health_finding){ HEALTH_FAILED_JOBS, GRADE_WARNING, .subject = name, .number = { n->failed } }, "failed",
             "%lld in the queue %s: peygir failed list tells why", (long long)n->failed, q->name);
    if (q->pause_reason)
        tell(t, (struct health_finding){ HEALTH_PAUSED, GRADE_WARNING, .subject = name, .words = span_of(q->pause_reason) }, "paused",
             "the queue %s is paused%s%s%s; peygir queue resume %s lets it go on", q->name, *why ? " (" : "", why, *why ? ")" : "", q->name);
}

static void tell_closed(void *ctx, struct span slug, struct span message)
{
    tell(ctx, (struct health_finding){ HEALTH_CLOSED, GRADE_WARNING, .subject = slug, .words = message }, "closed",
         "the service %.*s is closed: %.*s", (int)slug.len, slug.s, (int)message.len, message.s);
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
                tell(t, (struct health_finding){ HEALTH_BOT, GRADE_WARNING, .subject = bot }, bot.s[0] == '/' ? "bot" : "called",
                     "%.*s fails again and again: jobs wait, and it is tried again every minute at the latest", (int)bot.len, bot.s);
            at += bot.len;
        }
}

static void tell_source(const struct teller *t, const struct source *s, int64_t rest_ms)
{
    char *name = xasprintf("source %s", s->name);
    const int64_t rest_s = (rest_ms + 999) / 1000;

    if (rest_ms > 0)
        tell(t, (struct health_finding){ HEALTH_SOURCE, GRADE_WARNING, .subject = span_of(s->name), .number = { rest_s } }, name,
             "it wishes to be left alone for %lld s more; what is kept is served meanwhile", (long long)rest_s);
    else
        tell(t, (struct health_finding){ HEALTH_SOURCE, GRADE_OK, .subject = span_of(s->name) }, name, "may be fetched");
    free(name);
}

/* Those whose breaker is open are told by the workers (judge_bots). */
static int judge_sources(const struct teller *t, struct app *app, struct err *err)
{
    const struct sources *sources = app->house->sources;
    const struct reply *replies;
    size_t count;

    if (!sources || sources_count(sources) == 0)
        return 0;
    redis_use_db(app->redis, app->main_db);
    for (size_t i = 0; i < sources_count(sources); i++) {
        const struct key rest = key_source(app->house, span_of(sources_at(sources, i)->name), "rest");
        redis_queuef(app->redis, "PTTL %b", rest.s, rest.len);
    }
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count && i < sources_count(sources); i++)
        tell_source(t, sources_at(sources, i), reply_int(&replies[i], 0));
    return 0;
}

int health_work(struct app *app, const struct overview *o, health_fn fn, void *ctx, struct err *err)
{
    struct teller t = { fn, ctx };

    if (o->worker_count > 0)
        tell(&t, (struct health_finding){ HEALTH_WORKERS, GRADE_OK, .number = { (int64_t)o->worker_count } }, "workers", "%zu alive", o->worker_count);
    else
        tell(&t, (struct health_finding){ .check = HEALTH_WORKERS, .grade = GRADE_FAILED }, "workers", "no worker has been heard of for 15 s: start peygir-worker");
    judge_bots(&t, o);
    for (size_t i = 0; i < o->queue_count; i++)
        judge_queue(&t, &o->queue[i]);
    if (judge_sources(&t, app, err) < 0)
        return -1;
    return closure_each(app, tell_closed, &t, err);
}
