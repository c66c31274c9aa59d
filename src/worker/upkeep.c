/* upkeep.c: what a worker does by the clock */
#include "worker/breaker.h"
#include "worker/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/fleet.h"
#include "core/request.h"
#include "core/schedule.h"
#include "worker/carry.h"
#include "worker/feed.h"

enum { TICK_MS = 1000, RECOVER_MS = 2000, CALM_MS = 5000, SCHEDULE_MAX_MS = 60000 };

struct upkeep {
    struct worker *worker;
    uv_timer_t timer;
    char *queues; /* for people, with commas */
    int64_t started_ms, beat_ms, recovered_ms, renewed_ms, schedule_ms; /* monotonic; schedule_ms: look at them then */
    bool closed;
    size_t under_way; /* pieces of work on the pool */
    void (*then)(struct worker *w);

    /* the pool's while `busy` */
    bool busy, beats, recovers, schedules;
    struct fleet_beat beat;
    struct str bots_away;
    struct str jobs;
    int result, recovered, scheduled;
    int64_t next_ms;
    bool restart;
    struct err err, schedule_err;

    char schedule_said[sizeof(((struct err *)0)->text)]; /* the error that was logged; "" when all is well */
    bool renewing, renew_soon;
};

/* --- leases --- */

struct renewal {
    struct upkeep *upkeep;
    struct carry **carries;
    struct job_ref *refs;
    const char **hashes;
    size_t count;
    bool all;
    int64_t began_ms; /* monotonic */
    int result;
    struct err err;
};

static void one_less(struct upkeep *u)
{
    if (--u->under_way == 0 && u->then)
        u->then(u->worker);
}

static void free_renewal(struct renewal *r)
{
    free(r->carries);
    free(r->refs);
    free(r->hashes);
    free(r);
}

static void renew(struct app *app, void *ctx)
{
    struct renewal *r = ctx;
    r->result = job_renew(app, r->refs, r->hashes, r->count, &r->err);
}

static void renewed(void *ctx)
{
    struct renewal *r = ctx;
    struct upkeep *u = r->upkeep;
    if (r->all)
        u->renewing = false;
    u->renew_soon = u->renew_soon || r->result < 0;
    if (r->result < 0)
        worker_redis_failed(u->worker, &r->err);
    else
        worker_redis_answered(u->worker);
    for (size_t i = 0; i < r->count; i++) {
        if (r->result == 0 && r->refs[i].lost)
            carry_lose(r->carries[i]);
        else if (r->result == 0)
            carry_leased(r->carries[i], r->began_ms);
        carry_let_go(r->carries[i]);
    }
    free_renewal(r);
    one_less(u);
}

/* Those with this id (NULL: all that run), in one round trip. The carries are held, so that the texts stay. */
static void start_renewal(struct upkeep *u, const char *id)
{
    struct worker *w = u->worker;
    size_t room = id ? 1 : w->running;
    struct renewal *r = xcalloc(1, sizeof *r);
    r->upkeep = u;
    r->all = !id;
    r->began_ms = clock_mono_ms();
    r->carries = xcalloc(room + 1, sizeof *r->carries);
    r->refs = xcalloc(room + 1, sizeof *r->refs);
    r->hashes = xcalloc(room + 1, sizeof *r->hashes);
    for (struct carry *c = w->first; c && r->count < room; c = c->next) {
        const struct job *job = &c->leg.job;
        if (id && strcmp(id, job->id) != 0)
            continue;
        carry_hold(c);
        r->carries[r->count] = c;
        r->refs[r->count] = (struct job_ref){ .queue = job->queue, .id = job->id, .run = job->run };
        r->hashes[r->count++] = job->request_hash;
    }
    if (r->count == 0) {
        free_renewal(r);
        return;
    }
    u->under_way++;
    pool_run(w->pool, renew, renewed, r);
}

static void renew_all(struct upkeep *u)
{
    if (u->renewing || u->worker->running == 0)
        return;
    u->renewing = true;
    u->renew_soon = false;
    u->renewed_ms = clock_mono_ms();
    start_renewal(u, NULL);
}

void upkeep_check(struct upkeep *u, const char *id)
{
    if (u->closed)
        return;
    if (id)
        start_renewal(u, id);
    else if (u->renewing)
        u->renew_soon = true;
    else
        renew_all(u);
}

/* --- the rest, one after the other on one connection --- */

static int recover(struct app *app, struct upkeep *u)
{
    const struct worker_options *o = u->worker->options;
    int result = 0;
    for (size_t i = 0; i < o->queue_count; i++) { /* one that is broken does not hold up the others */
        int n = job_recover(app, o->queues[i], &u->err);
        if (n < 0)
            result = -1;
        else
            u->recovered += n;
    }
    return result;
}

static void beat(struct app *app, struct upkeep *u)
{
    u->result = fleet_beat(app, &u->beat, &u->err);
    u->restart = u->result > 0;
}

static void fire_schedules(struct app *app, struct upkeep *u)
{
    u->next_ms = -1;
    u->scheduled = schedule_tick(app, app->house->job_types, &u->next_ms, &u->schedule_err);
}

static void keep(struct app *app, void *ctx)
{
    struct upkeep *u = ctx;
    u->err = u->schedule_err = (struct err)ERR_INIT;
    u->recovered = u->result = 0;
    u->restart = false;
    if (u->beats)
        beat(app, u);
    if (u->result >= 0 && u->recovers)
        u->result = recover(app, u);
    if (u->result >= 0)
        u->result = request_watch(app, app->house->services, &u->err);
    if (u->result >= 0 && u->schedules)
        fire_schedules(app, u);
}

/* An error is said once, until there is another or none. */
static void kept_schedules(struct upkeep *u)
{
    int64_t wait_ms = u->next_ms >= 0 && u->next_ms < SCHEDULE_MAX_MS ? u->next_ms : SCHEDULE_MAX_MS;
    if (u->scheduled >= 0) {
        u->schedule_said[0] = '\0';
        u->schedule_ms = clock_mono_ms() + wait_ms;
    } else if (u->schedule_err.kind != ERR_AWAY && strcmp(u->schedule_said, u->schedule_err.text) != 0) {
        memcpy(u->schedule_said, u->schedule_err.text, sizeof u->schedule_said);
        log_error("scheduled jobs cannot be pushed: %s", u->schedule_err.text);
    }
}

static void kept(void *ctx)
{
    struct upkeep *u = ctx;
    struct worker *w = u->worker;
    u->busy = false;
    if (u->recovered > 0)
        log_info("%d job(s) of workers that died were put back", u->recovered);
    if (u->result >= 0)
        worker_redis_answered(w);
    else if (u->err.kind == ERR_AWAY || u->err.kind == ERR_FULL)
        worker_redis_failed(w, &u->err);
    else
        log_error("upkeep: %s", u->err.text);
    if (u->result >= 0 && u->schedules)
        kept_schedules(u);
    if (u->restart)
        worker_stop_gently(w, "peygir queue restart");
    one_less(u);
}

/* Is it time again? Then from now on anew. */
static bool due(int64_t *last_ms, int64_t every_ms, int64_t now_ms)
{
    if (*last_ms > 0 && now_ms - *last_ms < every_ms - TICK_MS / 2)
        return false;
    *last_ms = now_ms;
    return true;
}

/* Some of what runs, for people. */
static void name_jobs(struct upkeep *u)
{
    const struct carry *c = u->worker->first;
    str_reset(&u->jobs);
    str_addc(&u->jobs, '[');
    for (int i = 0; c && i < FLEET_JOBS_MAX; i++, c = c->next) {
        const struct job *job = &c->leg.job;
        str_adds(&u->jobs, i ? ",{\"id\":" : "{\"id\":");
        str_add_json(&u->jobs, job->id, strlen(job->id));
        str_adds(&u->jobs, ",\"type\":");
        str_add_json(&u->jobs, job->type, strlen(job->type));
        str_adds(&u->jobs, ",\"queue\":");
        str_add_json(&u->jobs, job->queue, strlen(job->queue));
        str_addc(&u->jobs, '}');
    }
    str_addc(&u->jobs, ']');
}

static void prepare_beat(struct upkeep *u, int64_t now_ms)
{
    struct worker *w = u->worker;
    name_jobs(u);
    breakers_add_open(w->breakers, &u->bots_away);
    u->beat = (struct fleet_beat){ .id = w->id,
                                   .queues = u->queues,
                                   .jobs = u->jobs.s,
                                   .bots_away = u->bots_away.s,
                                   .age_ms = now_ms - u->started_ms,
                                   .running = (int)w->running,
                                   .concurrency = (int)w->concurrency };
}

static void start_keeping(struct upkeep *u, int64_t now_ms)
{
    struct worker *w = u->worker;
    bool calm = !w->redis_away && (w->redis_failed_ms == 0 || now_ms - w->redis_failed_ms >= CALM_MS);
    if (u->busy)
        return;
    u->busy = true;
    u->beats = due(&u->beat_ms, FLEET_BEAT_MS, now_ms);
    u->recovers = calm && due(&u->recovered_ms, RECOVER_MS, now_ms);
    u->schedules = w->house->job_types && w->phase == WORKER_IS_WORKING && now_ms >= u->schedule_ms;
    if (u->beats)
        prepare_beat(u, now_ms);
    u->under_way++;
    pool_run(w->pool, keep, kept, u);
}

static void tick(uv_timer_t *timer)
{
    struct upkeep *u = timer->data;
    int64_t now_ms = clock_mono_ms();
    if (u->renew_soon || now_ms - u->renewed_ms >= JOB_RENEW_MS - TICK_MS / 2)
        renew_all(u);
    feed_tick(u->worker->feed);
    start_keeping(u, now_ms);
}

/* With this tick, or the next when this one is under way. */
void upkeep_beat(struct upkeep *u)
{
    u->beat_ms = 0;
    if (!u->closed)
        start_keeping(u, clock_mono_ms());
}

struct upkeep *upkeep_new(struct worker *w)
{
    struct upkeep *u = xcalloc(1, sizeof *u);
    struct str queues = STR_INIT;
    for (size_t i = 0; i < w->options->queue_count; i++)
        str_addf(&queues, "%s%s", i ? "," : "", w->options->queues[i]);
    u->worker = w;
    u->queues = str_take(&queues, NULL);
    u->started_ms = clock_mono_ms();
    uv_timer_init(&w->loop, &u->timer);
    u->timer.data = u;
    uv_timer_start(&u->timer, tick, 0, TICK_MS);
    return u;
}

void upkeep_stop(struct upkeep *u, void (*then)(struct worker *w))
{
    if (u->closed)
        return;
    u->closed = true;
    uv_close((uv_handle_t *)&u->timer, NULL);
    u->then = then;
    if (u->under_way == 0)
        then(u->worker);
}

void upkeep_free(struct upkeep *u)
{
    if (!u)
        return;
    str_free(&u->jobs);
    str_free(&u->bots_away);
    free(u->queues);
    free(u);
}
