/* upkeep.c: what a worker does by the clock */
#include "worker/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/fleet.h"
#include "core/request.h"
#include "worker/carry.h"
#include "worker/feed.h"

enum { TICK_MS = 1000, RECOVER_MS = 2000, CALM_MS = 5000 };

struct upkeep {
    struct worker *worker;
    uv_timer_t timer;
    char *queues; /* for people, with commas */
    int64_t started_ms, beat_ms, recovered_ms, renewed_ms; /* monotonic but the first */
    bool closed;

    /* the pool's while `busy` */
    bool busy, beats, recovers;
    struct fleet_beat beat;
    int result, recovered;
    struct err err;

    bool renewing, renew_failed;
};

/* --- leases --- */

struct renewal {
    struct upkeep *upkeep;
    struct carry **carries;
    struct job_ref *refs;
    const char **hashes;
    size_t count;
    int result;
    struct err err;
};

static void renew(struct app *app, void *ctx)
{
    struct renewal *r = ctx;
    r->result = job_renew(app, r->refs, r->hashes, r->count, &r->err);
}

static void renewed(void *ctx)
{
    struct renewal *r = ctx;
    struct upkeep *u = r->upkeep;
    u->renewing = false;
    u->renew_failed = r->result < 0;
    if (r->result < 0)
        worker_redis_failed(u->worker, &r->err);
    else
        worker_redis_answered(u->worker);
    for (size_t i = 0; i < r->count; i++) {
        if (r->result == 0 && r->refs[i].lost)
            carry_lose(r->carries[i]);
        carry_let_go(r->carries[i]);
    }
    free(r->carries);
    free(r->refs);
    free(r->hashes);
    free(r);
}

/* All that runs, in one round trip. The carries are held, so that the texts stay. */
static void start_renewal(struct upkeep *u)
{
    struct worker *w = u->worker;
    if (u->renewing || w->running == 0)
        return;
    struct renewal *r = xcalloc(1, sizeof *r);
    r->upkeep = u;
    r->carries = xcalloc(w->running, sizeof *r->carries);
    r->refs = xcalloc(w->running, sizeof *r->refs);
    r->hashes = xcalloc(w->running, sizeof *r->hashes);
    for (struct carry *c = w->first; c; c = c->next) {
        carry_hold(c);
        r->carries[r->count] = c;
        r->refs[r->count] = (struct job_ref){ .queue = c->leg.job.queue, .id = c->leg.job.id, .run = c->leg.job.run };
        r->hashes[r->count++] = c->leg.job.request_hash;
    }
    u->renewing = true;
    u->renewed_ms = clock_mono_ms();
    pool_run(w->pool, renew, renewed, r);
}

/* --- the rest, one after the other on one connection --- */

static int recover(struct app *app, struct upkeep *u)
{
    const struct worker_options *o = u->worker->options;
    for (size_t i = 0; i < o->queue_count; i++) {
        int n = job_recover(app, o->queues[i], &u->err);
        if (n < 0)
            return -1;
        u->recovered += n;
    }
    return 0;
}

static void keep(struct app *app, void *ctx)
{
    struct upkeep *u = ctx;
    u->err = (struct err)ERR_INIT;
    u->recovered = 0;
    u->result = u->beats ? fleet_beat(app, &u->beat, &u->err) : 0;
    if (u->result >= 0 && u->recovers)
        u->result = recover(app, u);
    if (u->result >= 0)
        u->result = request_watch(app, app->house->services, &u->err);
}

static void kept(void *ctx)
{
    struct upkeep *u = ctx;
    u->busy = false;
    if (u->recovered > 0)
        log_info("%d job(s) of workers that died were put back", u->recovered);
    if (u->result >= 0)
        worker_redis_answered(u->worker);
    else if (u->err.kind == ERR_AWAY || u->err.kind == ERR_FULL)
        worker_redis_failed(u->worker, &u->err);
    else
        log_error("upkeep: %s", u->err.text);
}

/* Is it time again? Then from now on anew. */
static bool due(int64_t *last_ms, int64_t every_ms, int64_t now_ms)
{
    if (*last_ms > 0 && now_ms - *last_ms < every_ms - TICK_MS / 2)
        return false;
    *last_ms = now_ms;
    return true;
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
    u->beat = (struct fleet_beat){ w->id, u->queues, u->started_ms, (int)w->running, (int)w->concurrency };
    pool_run(w->pool, keep, kept, u);
}

static void tick(uv_timer_t *timer)
{
    struct upkeep *u = timer->data;
    int64_t now_ms = clock_mono_ms();
    if (u->renew_failed || now_ms - u->renewed_ms >= JOB_RENEW_MS - TICK_MS / 2)
        start_renewal(u);
    feed_tick(u->worker->feed);
    start_keeping(u, now_ms);
}

struct upkeep *upkeep_new(struct worker *w)
{
    struct upkeep *u = xcalloc(1, sizeof *u);
    struct str queues = STR_INIT;
    for (size_t i = 0; i < w->options->queue_count; i++)
        str_addf(&queues, "%s%s", i ? "," : "", w->options->queues[i]);
    u->worker = w;
    u->queues = str_take(&queues, NULL);
    u->started_ms = clock_ms();
    uv_timer_init(&w->loop, &u->timer);
    u->timer.data = u;
    uv_timer_start(&u->timer, tick, 0, TICK_MS);
    return u;
}

void upkeep_stop(struct upkeep *u)
{
    if (u->closed)
        return;
    u->closed = true;
    uv_close((uv_handle_t *)&u->timer, NULL);
}

void upkeep_free(struct upkeep *u)
{
    if (!u)
        return;
    free(u->queues);
    free(u);
}
