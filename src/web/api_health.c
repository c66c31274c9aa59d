/* api_health.c: alive, able to work, and counters. */
#include "web/api.h"

#include "core/advice.h"
#include "core/fleet.h"
#include "core/job.h"
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

static void print_queue(struct str *out, const struct job_counts *n)
{
    const struct {
        const char *state;
        int64_t count;
    } rows[] = {
        { "waiting", n->waiting },
        { "delayed", n->delayed },
        { "active", n->active },
        { "failed", n->failed },
    };

    str_adds(out, "# HELP peygir_jobs Jobs of the default queue by state.\n# TYPE peygir_jobs gauge\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        str_addf(out, "peygir_jobs{queue=\"" JOB_QUEUE_DEFAULT "\",state=\"%s\"} %lld\n", rows[i].state,
                 (long long)rows[i].count);
    metrics_figure(out, "peygir_queue_oldest_ms", "gauge", "Age of the job that waits longest.", n->oldest_waiting_ms);
}

static bool is_loopback(struct span address)
{
    static const char *const good[] = { "127.0.0.1", "::1", "unix:" };

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (span_is(address, good[i]))
            return true;
    return false;
}

/* Not public. Without Redis the figures of this process remain. */
/* Workers that live, and for how many addresses of bots at least one of them waits. */
struct fleet_figures {
    int workers;
    struct str away;  /* each once, with a blank on both sides */
    int64_t bots;
};

static void add_worker(void *ctx, const struct fleet_view *view)
{
    struct fleet_figures *f = ctx;

    f->workers++;
    for (const char *at = view->bots_away; *at; at += strspn(at, " ")) {
        char *bot = xasprintf(" %.*s ", (int)strcspn(at, " "), at);
        if (!strstr(f->away.s, bot)) {
            str_adds(&f->away, bot);
            f->bots++;
        }
        free(bot);
        at += strcspn(at, " ");
    }
}

static void print_fleet(struct app *app, struct str *out)
{
    struct fleet_figures f = { .away = STR_INIT };

    str_reset(&f.away);
    if (fleet_each(app, add_worker, &f, NULL) >= 0) {
        metrics_figure(out, "peygir_workers", "gauge", "Workers that are alive.", f.workers);
        metrics_figure(out, "peygir_bots_away", "gauge", "Bots that fail again and again, so that jobs wait for them.", f.bots);
    }
    str_free(&f.away);
}

enum problem api_metrics(struct exchange *x)
{
    struct app *app = &x->seat->app;
    struct job_counts counts;
    struct err err = ERR_INIT;
    struct str *out;
    bool up;

    if (!is_loopback(x->param[PARAM_REMOTE_ADDR]))
        return PROBLEM_NOT_FOUND;
    up = job_count(app, JOB_QUEUE_DEFAULT, &counts, &err) == 0;
    out = api_json(x, 200);
    x->content = CONTENT_METRICS;
    metrics_print(out);
    metrics_figure(out, "peygir_redis_up", "gauge", "Whether Redis answers.", up);
    if (up) {
        print_queue(out, &counts);
        print_fleet(app, out);
    }
    return PROBLEM_NONE;
}
