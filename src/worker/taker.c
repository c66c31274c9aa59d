/* taker.c: takes jobs from one queue while there is room for them */
#include "worker/taker.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/options.h"
#include "worker/carry.h"

#include <pthread.h>

enum {
    TAKE_MAX = 32,
    SLICE_MS = 1000, /* a wait is made of waits of this length, so that a stop is noticed */
    REST_FIRST_MS = 250,
    REST_MAX_MS = 2000
};

struct taker {
    struct worker *worker;
    const char *queue;
    int sleep_ms;

    /* the loop's thread only */
    bool taking, waiting, stopped, found_nothing;
    int rest_ms; /* > 0: Redis is away, `rest` runs */
    uv_timer_t rest;
    uv_async_t told;
    struct job jobs[TAKE_MAX]; /* the pool's while taking */
    size_t wanted;
    int taken;
    struct err take_err;

    /* shared with the waiting thread, under lock */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool wait_wanted, stop, ended;
    int waited; /* result of the last wait */
    struct err wait_err;
};

/* --- the waiting thread --- */

static bool is_stopped(struct taker *t)
{
    pthread_mutex_lock(&t->lock);
    bool stop = t->stop;
    pthread_mutex_unlock(&t->lock);
    return stop;
}

static int wait_once(struct taker *t, struct app *app, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + t->sleep_ms, left_ms = t->sleep_ms;
    int result = 0;
    while (result == 0 && left_ms > 0 && !is_stopped(t)) {
        result = job_wait(app, t->queue, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS, err);
        left_ms = until_ms - clock_mono_ms();
    }
    return result;
}

static void *wait_thread(void *ctx)
{
    struct taker *t = ctx;
    struct app app;
    app_open(&app, t->worker->house);
    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        if (!t->wait_wanted) {
            pthread_cond_wait(&t->changed, &t->lock);
            continue;
        }
        struct err err = ERR_INIT;
        pthread_mutex_unlock(&t->lock);
        int result = wait_once(t, &app, &err);
        pthread_mutex_lock(&t->lock);
        t->wait_wanted = false;
        t->waited = result;
        t->wait_err = err;
        uv_async_send(&t->told);
    }
    pthread_mutex_unlock(&t->lock);
    app_close(&app);
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    uv_async_send(&t->told);
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* --- the loop --- */

static void take_soon(uv_timer_t *rest)
{
    taker_look(rest->data);
}

/* Redis is away: look again after a while. */
static void rest(struct taker *t, const struct err *err)
{
    worker_redis_failed(t->worker, err);
    if (t->stopped)
        return;
    t->rest_ms = t->rest_ms == 0 ? REST_FIRST_MS : t->rest_ms < REST_MAX_MS ? t->rest_ms * 2 : REST_MAX_MS;
    uv_timer_start(&t->rest, take_soon, (uint64_t)t->rest_ms, 0);
}

static void start_waiting(struct taker *t)
{
    t->waiting = true;
    pthread_mutex_lock(&t->lock);
    t->wait_wanted = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void take(struct app *app, void *ctx)
{
    struct taker *t = ctx;
    t->take_err = (struct err)ERR_INIT;
    t->taken = job_take(app, t->queue, t->worker->id, t->jobs, t->wanted, &t->take_err);
}

static void took(void *ctx)
{
    struct taker *t = ctx;
    struct worker *w = t->worker;
    t->taking = false;
    w->taking -= t->wanted;
    t->found_nothing = t->taken == 0;
    if (w->jobs_left > 0 && t->taken > 0)
        w->jobs_left -= t->taken;
    for (int i = 0; i < t->taken; i++) /* also when it was stopped meanwhile: they are ours */
        carry_start(w, &t->jobs[i]);
    if (t->taken < 0) {
        rest(t, &t->take_err);
    } else {
        worker_redis_answered(w);
        t->rest_ms = 0;
        if (!t->stopped && worker_room(w) > 0 && (size_t)t->taken == t->wanted)
            taker_look(t);
        else if (!t->stopped && worker_room(w) > 0 && !t->waiting)
            start_waiting(t);
    }
    worker_settled(w);
}

void taker_look(struct taker *t)
{
    size_t room = worker_room(t->worker);
    if (t->stopped || t->taking || room == 0)
        return;
    uv_timer_stop(&t->rest);
    t->taking = true;
    t->found_nothing = false;
    t->wanted = room < TAKE_MAX ? room : TAKE_MAX;
    t->worker->taking += t->wanted;
    pool_run(t->worker->pool, take, took, t);
}

void taker_kick(struct taker *t)
{
    if (!t->waiting && !uv_is_active((uv_handle_t *)&t->rest))
        taker_look(t);
}

bool taker_found_nothing(const struct taker *t)
{
    return t->found_nothing;
}

static void ended(struct taker *t)
{
    pthread_join(t->thread, NULL);
    uv_close((uv_handle_t *)&t->told, NULL);
    uv_close((uv_handle_t *)&t->rest, NULL);
}

static void told(uv_async_t *async)
{
    struct taker *t = async->data;
    pthread_mutex_lock(&t->lock);
    bool over = t->ended, done = !t->wait_wanted;
    int waited = t->waited;
    struct err err = t->wait_err;
    pthread_mutex_unlock(&t->lock);
    if (over)
        ended(t);
    if (over || t->stopped || !t->waiting || !done)
        return;
    t->waiting = false;
    if (waited < 0)
        rest(t, &err);
    else
        taker_look(t);
}

struct taker *taker_new(struct worker *w, const char *queue)
{
    struct taker *t = xcalloc(1, sizeof *t);
    t->worker = w;
    t->queue = queue;
    t->sleep_ms = (int)settings_int(w->house->settings, OPT_WORKER_SLEEP) * 1000;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    uv_timer_init(&w->loop, &t->rest);
    uv_async_init(&w->loop, &t->told, told);
    t->rest.data = t->told.data = t;
    if (pthread_create(&t->thread, NULL, wait_thread, t) != 0) {
        log_error("no thread can be started to wait for the queue %s; the system's limit of threads is too low", queue);
        exit(71);
    }
    return t;
}

void taker_stop(struct taker *t)
{
    if (t->stopped)
        return;
    t->stopped = true;
    uv_timer_stop(&t->rest);
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void taker_free(struct taker *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->changed);
    free(t);
}
