/* api_health.c: alive, able to work, and counters. */
#include "web/api.h"

#include "core/advice.h"
#include "core/cache.h"
#include "core/fleet.h"
#include "core/health.h"
#include "core/overview.h"
#include "core/tally.h"
#include "web/dispatch.h"
#include "web/metrics.h"
#include "web/route.h"

/* Says nothing about Redis: a process that lives is not to be restarted because Redis is away. */
enum problem api_healthz(struct exchange *x)
{
    str_adds(api_json(x, 200), "{\"status\":\"ok\"}");
    return PROBLEM_NONE;
}

/* For operators and load balancers, not for visitors: in English, and no warning in the log each time somebody asks. */
static void not_ready(struct exchange *x, const char *why)
{
    x->problem = PROBLEM_AWAY;
    exchange_header_int(x, "Retry-After", problems[PROBLEM_AWAY].retry_after_s);
    api_problem_open(x, why);
    str_addc(&x->answer, '}');
    x->problem = PROBLEM_NONE;
}

/* Only which, because anybody may ask; `peygir redis check` says what and what to do. */
static void add_warning(void *ctx, const struct advice *advice)
{
    struct str *list = ctx;

    if (advice->grade == GRADE_OK)
        return;
    str_adds(list, list->len ? "," : "");
    str_add_json(list, advice->check, strlen(advice->check));
}

static void say_ready(struct exchange *x, int workers)
{
    struct str warnings = STR_INIT;
    struct err err = ERR_INIT;
    struct str *out = api_json(x, 200);

    str_addf(out, "{\"status\":\"ready\",\"workers\":%d", workers);
    if (advice_ask(&x->seat->app, add_warning, &warnings, &err) == 0 && warnings.len)
        str_addf(out, ",\"warnings\":[%s]", warnings.s);
    str_addc(out, '}');
    str_free(&warnings);
}

enum problem api_readyz(struct exchange *x)
{
    int workers = fleet_count(&x->seat->app, &x->err);

    if (workers < 0)
        not_ready(x, "Redis does not answer.");
    else if (workers == 0)
        not_ready(x, "No worker is alive.");
    else
        say_ready(x, workers);
    return PROBLEM_NONE;
}

static bool is_loopback(struct span address)
{
    static const char *const good[] = { "127.0.0.1", "::1", "unix:" };

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (span_is(address, good[i]))
            return true;
    return false;
}

/* --- what Redis knows, as figures --- */

/* What a label must not hold is left out. */
static void add_label(struct str *out, const char *before, const char *name, struct span value)
{
    str_addf(out, "%s%s=\"", before, name);
    for (size_t i = 0; i < value.len; i++)
        if (value.s[i] >= ' ' && value.s[i] <= '~' && value.s[i] != '"' && value.s[i] != '\\')
            str_addc(out, value.s[i]);
    str_addc(out, '"');
}

static void print_labelled(struct str *out, const char *name, const char *label, struct span value, const char *more, int64_t figure)
{
    str_adds(out, name);
    add_label(out, "{", label, value);
    str_addf(out, "%s} %lld\n", more, (long long)figure);
}

static void print_queues(struct str *out, const struct overview *o)
{
    static const struct {
        const char *state;
        size_t offset;
    } states[] = { { ",state=\"waiting\"", offsetof(struct job_counts, waiting) },
                   { ",state=\"delayed\"", offsetof(struct job_counts, delayed) },
                   { ",state=\"active\"", offsetof(struct job_counts, active) },
                   { ",state=\"failed\"", offsetof(struct job_counts, failed) } };

    metrics_head(out, "peygir_jobs", "gauge", "Jobs by queue and state.");
    for (size_t i = 0; i < o->queue_count; i++)
        for (size_t k = 0; k < ARRAY_LEN(states); k++)
            print_labelled(out, "peygir_jobs", "queue", span_of(o->queue[i].name), states[k].state,
                           *(const int64_t *)(const void *)((const char *)&o->queue[i].counts + states[k].offset));
    metrics_head(out, "peygir_queue_oldest_ms", "gauge", "Age of the job that waits longest, by queue.");
    for (size_t i = 0; i < o->queue_count; i++)
        print_labelled(out, "peygir_queue_oldest_ms", "queue", span_of(o->queue[i].name), "", o->queue[i].counts.oldest_waiting_ms);
}

static void print_jobs(struct str *out, const struct stats *s)
{
    metrics_figure(out, "peygir_tasks_total", "counter", "Jobs pushed.", s->total);
    metrics_figure(out, "peygir_tasks_completed_total", "counter", "Jobs completed.", s->completed);
    metrics_figure(out, "peygir_tasks_failed_total", "counter", "Jobs failed for good.", s->failed);
    metrics_figure(out, "peygir_tasks_retried_total", "counter", "Attempts after which a job was tried again.", s->retried);
}

/* For how many addresses of bots at least one worker waits. */
static int64_t count_bots_away(const struct overview *o)
{
    struct str away = STR_INIT; /* each once, with a blank on both sides */
    int64_t bots = 0;

    str_reset(&away);
    for (size_t i = 0; i < o->worker_count; i++)
        for (const char *at = o->worker[i].bots_away; *at; at += strspn(at, " ")) {
            char *bot = xasprintf(" %.*s ", (int)strcspn(at, " "), at);
            if (!strstr(away.s, bot)) {
                str_adds(&away, bot);
                bots++;
            }
            free(bot);
            at += strcspn(at, " ");
        }
    str_free(&away);
    return bots;
}

struct printed {
    struct str *out;
    int64_t memory[2]; /* bytes used, limit */
};

static void print_finding(void *ctx, const struct health_finding *f)
{
    struct printed *p = ctx;

    str_adds(p->out, "peygir_health");
    add_label(p->out, "{", "check", span_of(f->name));
    add_label(p->out, ",", "about", f->subject); /* several bots may fail, and jobs of several queues */
    str_addf(p->out, "} %d\n", (int)f->grade);
    if (f->check == HEALTH_ADVICE + ADVICE_MEMORY)
        memcpy(p->memory, f->number, sizeof p->memory);
}

/* What peygir health says, as numbers. */
static void print_health(struct app *app, const struct overview *o, struct str *out)
{
    struct printed p = { .out = out };

    metrics_head(out, "peygir_health", "gauge", "The checks of peygir health: 0 ok, 1 warning, 2 failed.");
    if (health_redis(app, print_finding, &p, NULL) < 0 || health_work(app, o, print_finding, &p, NULL) < 0)
        return;
    metrics_figure(out, "peygir_redis_memory_bytes", "gauge", "Memory that the main Redis uses.", p.memory[0]);
    metrics_figure(out, "peygir_redis_memory_limit_bytes", "gauge", "How much it may use; 0: no limit.", p.memory[1]);
}

static void print_work(struct app *app, struct str *out)
{
    struct overview o;

    if (overview_take(app, NULL, 0, &o, NULL) == 0) {
        print_health(app, &o, out);
        print_queues(out, &o);
        print_jobs(out, &o.stats);
        metrics_figure(out, "peygir_workers", "gauge", "Workers that are alive.", (int64_t)o.worker_count);
        metrics_figure(out, "peygir_bots_away", "gauge", "Bots that fail again and again, so that jobs wait for them.", count_bots_away(&o));
    }
    overview_clear(&o);
}

static void print_sessions(struct app *app, struct str *out)
{
    int64_t count[TALLIES];

    if (tally_read(app, count, NULL) < 0)
        return;
    metrics_figure(out, "peygir_sessions_made_total", "counter", "Sessions made.", count[TALLY_SESSIONS_MADE]);
    metrics_figure(out, "peygir_sessions_checked_total", "counter", "Sessions that were looked up.", count[TALLY_SESSIONS_CHECKED]);
}

static void print_cached(void *ctx, const struct cache_counts *n)
{
    print_labelled(ctx, "peygir_cache_total", "prefix", n->prefix, ",event=\"hit\"", n->hits);
    print_labelled(ctx, "peygir_cache_total", "prefix", n->prefix, ",event=\"miss\"", n->misses);
    print_labelled(ctx, "peygir_cache_total", "prefix", n->prefix, ",event=\"set\"", n->sets);
    print_labelled(ctx, "peygir_cache_total", "prefix", n->prefix, ",event=\"eviction\"", n->evictions);
}

static void print_cache(struct app *app, struct str *out)
{
    metrics_head(out, "peygir_cache_total", "counter", "What happened in the cache, by what stands before the first _ or : of a key.");
    cache_stats(app, print_cached, out, NULL);
}

/* Not public. Without Redis the figures of this process remain. */
enum problem api_metrics(struct exchange *x)
{
    struct app *app = &x->seat->app;
    struct str *out;
    bool up;

    if (!is_loopback(x->param[PARAM_REMOTE_ADDR]))
        return PROBLEM_NOT_FOUND;
    redis_use_db(app->redis, app->main_db);
    up = redis_do(app->redis, &x->err, "PING") != NULL;
    out = api_json(x, 200);
    x->content = CONTENT_METRICS;
    metrics_print(out);
    metrics_figure(out, "peygir_redis_up", "gauge", "Whether Redis answers.", up);
    if (up) {
        print_work(app, out);
        print_sessions(app, out);
        print_cache(app, out);
    }
    return PROBLEM_NONE;
}
