/* worker.c: one worker: its parts put together, and its life */
#include "worker/breaker.h"
#include "worker/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/fleet.h"
#include "core/job_type.h"
#include "core/options.h"
#include "net/http.h"
#include "worker/carry.h"
#include "worker/feed.h"
#include "worker/finisher.h"
#include "worker/mailer.h"
#include "worker/taker.h"
#include "worker/upkeep.h"
#include "worker/warden.h"

#include <signal.h>

enum { GIVE_BACK_LOOK_MS = 500, GIVE_UP_MS = 5000 };

/* --- Redis --- */

void worker_redis_failed(struct worker *w, const struct err *err)
{
    w->redis_failed_ms = clock_mono_ms();
    if (w->redis_away)
        return;
    w->redis_away = true;
    log_warn("%s Running jobs go on; nothing is taken until it answers again.", err->text);
}

void worker_redis_answered(struct worker *w)
{
    if (!w->redis_away)
        return;
    w->redis_away = false;
    log_info("Redis answers again");
}

/* --- leaving --- */

static void goodbye(struct app *app, void *ctx)
{
    struct worker *w = ctx;
    fleet_leave(app, w->id, NULL); /* when it fails, its entry expires by itself */
}

static void gone(void *ctx)
{
    struct worker *w = ctx;
    uv_handle_t *const handles[] = { (uv_handle_t *)&w->on_term,     (uv_handle_t *)&w->on_int,
                                     (uv_handle_t *)&w->max_timer,   (uv_handle_t *)&w->drain_timer,
                                     (uv_handle_t *)&w->once_timer,  (uv_handle_t *)&w->turn };
    feed_close(w->feed);
    http_free(w->shop.http);
    mailer_stop(w->shop.mailer);
    http_free(w->shop.http_public);
    breakers_free(w->breakers);
    alarms_close(w->alarms);
    for (size_t i = 0; i < ARRAY_LEN(handles); i++)
        uv_close(handles[i], NULL);
}

/* No beat is under way any more that could bring its entry back. */
static void say_goodbye(struct worker *w)
{
    pool_run(w->pool, goodbye, gone, w);
}

static void leave(struct worker *w)
{
    w->phase = WORKER_IS_LEAVING;
    upkeep_stop(w->upkeep, say_goodbye);
}

/* --- stopping --- */

size_t worker_room(const struct worker *w)
{
    size_t used = w->running + w->taking, room = used < w->concurrency ? w->concurrency - used : 0;
    if (w->phase != WORKER_IS_WORKING)
        return 0;
    if (w->jobs_left < 0)
        return room;
    size_t left = (size_t)w->jobs_left > w->taking ? (size_t)w->jobs_left - w->taking : 0;
    return left < room ? left : room;
}

void worker_stop(struct worker *w, const char *why)
{
    if (w->phase != WORKER_IS_WORKING)
        return;
    log_info("stopping: %s; %zu job(s) are still running", why, w->running);
    w->phase = WORKER_IS_DRAINING;
    taker_stop(w->taker);
    worker_settled(w);
}

/* Looks again until all is given back, or Redis has not taken it for long enough. */
static void give_back(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    int64_t now_ms = clock_mono_ms();
    bool holds = false;
    if (w->phase == WORKER_IS_LEAVING)
        return;
    w->phase = WORKER_IS_GIVING_BACK;
    w->shop.stopping = true;
    for (struct carry *c = w->first, *next; c; c = next) {
        next = c->next;
        holds = carry_stop(c, w->hurry) || holds;
    }
    if (holds || w->give_up_ms == 0)
        w->give_up_ms = now_ms + GIVE_UP_MS;
    if (now_ms >= w->give_up_ms && w->redis_away)
        for (struct carry *c = w->first, *next; c; c = next) {
            next = c->next;
            carry_abandon(c);
        }
}

static void start_giving_back(struct worker *w, int64_t after_ms)
{
    uv_timer_start(&w->drain_timer, give_back, (uint64_t)after_ms, GIVE_BACK_LOOK_MS);
}

static void stop_within(struct worker *w, const char *why, int64_t drain_ms)
{
    worker_stop(w, why);
    if (w->phase != WORKER_IS_LEAVING)
        start_giving_back(w, drain_ms);
}

void worker_stop_gently(struct worker *w, const char *why)
{
    if (w->phase == WORKER_IS_WORKING)
        stop_within(w, why, settings_int(w->house->settings, OPT_WORKER_DRAIN) * 1000);
}

/* The first asks to finish what runs, the second not to wait for it. */
static void on_signal(uv_signal_t *handle, int signum)
{
    struct worker *w = handle->data;
    w->hurry = uv_is_active((uv_handle_t *)&w->drain_timer);
    stop_within(w, signum == SIGINT ? "SIGINT" : "SIGTERM",
                w->hurry ? 0 : settings_int(w->house->settings, OPT_WORKER_DRAIN) * 1000);
}

static void on_max_time(uv_timer_t *timer)
{
    worker_stop(timer->data, "its time is over");
}

/* --once: as long as --sleep there was no job for it. */
static void on_once_timer(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    if (w->running == 0 && w->taking == 0 && !w->redis_away && w->jobs_left > 0)
        worker_stop(w, "no job came");
}

static bool is_idle(const struct worker *w)
{
    return w->running == 0 && w->taking == 0;
}

void worker_settled(struct worker *w)
{
    if (w->phase == WORKER_IS_WORKING && w->jobs_left == 0 && is_idle(w))
        worker_stop(w, "it has done its number of jobs");
    else if (w->phase == WORKER_IS_WORKING && w->options->stop_when_empty && is_idle(w) && taker_found_nothing(w->taker))
        worker_stop(w, "the queues are empty");
    else if ((w->phase == WORKER_IS_DRAINING || w->phase == WORKER_IS_GIVING_BACK) && is_idle(w))
        leave(w);
}

void worker_job_ended(struct worker *w)
{
    if (w->options->stop_when_empty && w->running == 0)
        taker_wake(w->taker, (struct span){ NULL, 0 }); /* it may have left others behind */
    worker_settled(w);
}

/* --- life --- */

static struct policy read_policy(const struct settings *s)
{
    return (struct policy){ .tries = settings_int(s, OPT_WORKER_TRIES),
                            .timeout_s = settings_int(s, OPT_WORKER_TIMEOUT),
                            .backoff_s = settings_int(s, OPT_WORKER_BACKOFF),
                            .call_timeout_s = settings_int(s, OPT_LOCAL_API_TIMEOUT),
                            .refused_repeats = (int)settings_int(s, OPT_LOCAL_API_RETRIES) };
}

static char *read_api_url(const struct settings *s)
{
    char *url = xstrdup(settings_text(s, OPT_LOCAL_API_URL));
    for (size_t len = strlen(url); len > 0 && url[len - 1] == '/';)
        url[--len] = '\0';
    return url;
}

static void turn(uv_prepare_t *prepare)
{
    struct worker *w = prepare->data;
    finisher_turn(w->finisher);
    taker_turn(w->taker);
}

static void start_handles(struct worker *w)
{
    const struct settings *s = w->house->settings;
    uint64_t sleep_ms = (uint64_t)settings_int(s, OPT_WORKER_SLEEP) * 1000;
    uv_signal_init(&w->loop, &w->on_term);
    uv_signal_init(&w->loop, &w->on_int);
    uv_timer_init(&w->loop, &w->max_timer);
    uv_timer_init(&w->loop, &w->drain_timer);
    uv_timer_init(&w->loop, &w->once_timer);
    uv_prepare_init(&w->loop, &w->turn);
    w->on_term.data = w->on_int.data = w->max_timer.data = w->drain_timer.data = w->once_timer.data = w->turn.data = w;
    uv_signal_start(&w->on_term, on_signal, SIGTERM);
    uv_signal_start(&w->on_int, on_signal, SIGINT);
    uv_timer_start(&w->max_timer, on_max_time, (uint64_t)settings_int(s, OPT_WORKER_MAX_TIME) * 1000, 0);
    if (w->options->once)
        uv_timer_start(&w->once_timer, on_once_timer, sleep_ms, 100);
    uv_prepare_start(&w->turn, turn);
}

static void begin(struct worker *w)
{
    const struct settings *s = w->house->settings;
    fleet_new_id(w->id);
    w->api_url = read_api_url(s);
    w->policy = read_policy(s);
    w->concurrency = (size_t)settings_int(s, OPT_WORKER_CONCURRENCY);
    int64_t max_jobs = settings_int(s, OPT_WORKER_MAX_JOBS);
    w->jobs_left = w->options->once ? 1 : max_jobs > 0 ? max_jobs : -1;
    w->pool = pool_new(&w->loop, w->house);
    w->alarms = alarms_new(&w->loop);
    w->shop.house = w->house;
    w->shop.loop = &w->loop;
    w->shop.pool = w->pool;
    w->shop.http = http_new(&w->loop, 0);
    w->shop.http_public = http_new_public(&w->loop, 0);
    w->shop.mailer = w->options->mailer;
    mailer_start(w->shop.mailer, &w->loop);
    w->breakers = w->shop.breakers = breakers_new();
    w->shop.api_url = w->api_url;
    w->taker = taker_new(w);
    w->finisher = finisher_new(w);
    w->feed = feed_new(w);
    w->upkeep = upkeep_new(w);
    start_handles(w);
    log_info("worker %s: up to %zu jobs at once, bots at %s", w->id, w->concurrency, w->api_url);
}

static bool has_programs(const struct job_types *types)
{
    for (size_t i = 0; types && i < job_types_count(types); i++)
        if (job_types_at(types, i)->command)
            return true;
    return false;
}

/* Threads come with the loop's work: until then the process may be copied. */
static int begin_alone(struct worker *w, struct err *err)
{
    if (has_programs(w->house->job_types) && !(w->shop.warden = warden_new(err)))
        return -1;
    int failed = uv_loop_init(&w->loop);
    if (failed == 0)
        return 0;
    warden_free(w->shop.warden);
    return err_set(err, ERR_FAILED, "The event loop cannot be started: %s.", uv_strerror(failed));
}

int worker_run(const struct house *house, const struct worker_options *options, struct err *err)
{
    struct worker w = { .house = house, .options = options };
    if (begin_alone(&w, err) < 0)
        return -1;
    begin(&w);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    taker_free(w.taker);
    finisher_free(w.finisher);
    upkeep_free(w.upkeep);
    pool_free(w.pool);
    warden_free(w.shop.warden);
    free(w.api_url);
    if (uv_loop_close(&w.loop) < 0)
        log_warn("the event loop was left with something open");
    log_info("stopped");
    return 0;
}
