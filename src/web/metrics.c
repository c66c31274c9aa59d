/* metrics.c: counting, and Prometheus text. */
#include "web/metrics.h"

#include "base/clock.h"
#include "web/fcgi.h"
#include "web/route.h"

#include <stdatomic.h>
#include <unistd.h>

#define ROUTES_MAX 128 /* the last row is for requests without a route */
#define CLASSES 6

static _Atomic uint64_t answers[ROUTES_MAX][CLASSES]; /* by route and hundreds of the status */
static _Atomic uint64_t round_trips, submissions, repeated;
static _Atomic int64_t warned_ms;

static void count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static int64_t read_count(_Atomic uint64_t *counter)
{
    return (int64_t)atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_answer(const struct route *route, int status)
{
    size_t row = route ? (size_t)(route - routes) : ROUTES_MAX - 1;

    count(&answers[row][status / 100 % CLASSES], 1);
}

void metrics_round_trips(uint64_t number)
{
    if (number)
        count(&round_trips, number);
}

void metrics_submission(bool made)
{
    count(made ? &submissions : &repeated, 1);
}

bool metrics_may_warn(void)
{
    int64_t now_ms = clock_mono_ms(), last_ms = atomic_load(&warned_ms);

    return now_ms - last_ms >= 1000 && atomic_compare_exchange_strong(&warned_ms, &last_ms, now_ms);
}

void metrics_head(struct str *out, const char *name, const char *type, const char *help)
{
    str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_figure(struct str *out, const char *name, const char *type, const char *help, int64_t value)
{
    metrics_head(out, name, type, help);
    str_addf(out, "%s %lld\n", name, (long long)value);
}

static void print_answers(struct str *out)
{
    metrics_head(out, "peygir_web_answers_total", "counter", "Answers by route and class of status.");
    for (size_t row = 0; row < ROUTES_MAX; row++)
        for (int class = 0; class < CLASSES; class++) {
            int64_t n = read_count(&answers[row][class]);
            const struct route *route = row < route_count ? &routes[row] : NULL;

            if (n == 0)
                continue;
            str_addf(out, "peygir_web_answers_total{method=\"%s\",route=\"%s\",class=\"%dxx\"} %lld\n",
                     route ? exchange_method(route->method) : "", route ? route->pattern : "", class,
                     (long long)n);
        }
}

/* Resident memory in bytes; 0 when the kernel does not tell. */
static int64_t resident_bytes(void)
{
    long long size, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%lld %lld", &size, &pages) != 2)
        pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

void metrics_print(struct str *out)
{
    int64_t open;
    uint64_t accepted;

    fcgi_counts(&open, &accepted);
    print_answers(out);
    metrics_figure(out, "peygir_web_redis_round_trips_total", "counter", "Round trips to Redis.",
                   read_count(&round_trips));
    metrics_figure(out, "peygir_web_submissions_total", "counter", "Submissions that made a request.",
                   read_count(&submissions));
    metrics_figure(out, "peygir_web_submissions_repeated_total", "counter",
                   "Submissions answered with the request made before.", read_count(&repeated));
    metrics_figure(out, "peygir_web_connections", "gauge", "FastCGI connections open now.", open);
    metrics_figure(out, "peygir_web_connections_total", "counter", "FastCGI connections accepted.", (int64_t)accepted);
    metrics_figure(out, "peygir_web_resident_bytes", "gauge", "Resident memory of this process.", resident_bytes());
}
