/* report.c: health and statistics as JSON */
#include "core/report.h"

#include "base/clock.h"
#include "core/cache.h"
#include "core/closure.h"
#include "core/keyspace.h"
#include "core/tally.h"

static void set_number(struct json_object *row, const char *name, int64_t value)
{
    json_object_object_add(row, name, json_object_new_int64(value));
}

static void set_text(struct json_object *row, const char *name, const char *value)
{
    json_object_object_add(row, name, json_object_new_string(value));
}

/* --- health --- */

static enum grade grade_of(const struct json_object *health)
{
    const char *word = json_object_get_string(json_object_object_get(health, "status"));

    for (int i = GRADES - 1; i > 0; i--)
        if (strcmp(word, grade_names[i]) == 0)
            return (enum grade)i;
    return GRADE_OK;
}

void report_add_check(struct json_object *health, const char *check, enum grade grade, const char *detail)
{
    struct json_object *row = json_object_new_object();

    set_text(row, "check", check);
    set_text(row, "status", grade_names[grade]);
    set_text(row, "detail", detail);
    json_object_array_add(json_object_object_get(health, "checks"), row);
    if (grade > grade_of(health))
        set_text(health, "status", grade_names[grade]);
}

bool report_has_failed(const struct json_object *health)
{
    return grade_of(health) == GRADE_FAILED;
}

static void add_finding(void *ctx, const struct health_finding *f)
{
    report_add_check(ctx, f->name, f->grade, f->detail);
}

static int find_all(struct app *app, struct json_object *health, struct err *err)
{
    struct overview overview;
    int rc;

    if (health_redis(app, add_finding, health, err) < 0)
        return -1;
    rc = overview_take(app, NULL, 0, &overview, err);
    if (rc == 0)
        rc = health_work(app, &overview, add_finding, health, err);
    overview_clear(&overview);
    return rc;
}

struct json_object *report_health(struct app *app, struct err *err)
{
    struct json_object *health = json_object_new_object();

    set_text(health, "status", grade_names[GRADE_OK]);
    json_object_object_add(health, "checks", json_object_new_array());
    if (find_all(app, health, err) == 0)
        return health;
    json_object_put(health);
    return NULL;
}

/* --- statistics --- */

static void count_closed(void *ctx, struct span slug, struct span message)
{
    (void)slug;
    (void)message;
    ++*(int64_t *)ctx;
}

static void add_jobs(struct json_object *all, const struct overview *o)
{
    const struct stats *s = &o->stats;
    const struct {
        const char *name;
        int64_t value;
    } rows[] = { { "tasks_total", s->total },
                 { "tasks_completed", s->completed },
                 { "tasks_failed", s->failed },
                 { "tasks_retried", s->retried },
                 { "tasks_cancelled", s->cancelled },
                 { "today_total", s->today_total },
                 { "today_completed", s->today_completed },
                 { "today_failed", s->today_failed },
                 { "today_average_ms", s->today_average_ms } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        set_number(all, rows[i].name, rows[i].value);
}

/* Sums of all queues. */
static void add_sums(struct json_object *all, const struct overview *o)
{
    struct job_counts sum = { .waiting = 0 };
    int64_t paused = 0;

    for (size_t i = 0; i < o->queue_count; i++) {
        const struct job_counts *n = &o->queue[i].counts;
        sum.waiting += n->waiting;
        sum.delayed += n->delayed;
        sum.active += n->active;
        sum.failed += n->failed;
        paused += n->paused;
        if (n->oldest_waiting_ms > sum.oldest_waiting_ms)
            sum.oldest_waiting_ms = n->oldest_waiting_ms;
    }
    set_number(all, "waiting", sum.waiting);
    set_number(all, "delayed", sum.delayed);
    set_number(all, "active", sum.active);
    set_number(all, "failed", sum.failed);
    set_number(all, "oldest_waiting_ms", sum.oldest_waiting_ms);
    set_number(all, "paused_queues", paused);
}

static void add_queues(struct json_object *all, const struct overview *o)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < o->queue_count; i++) {
        const struct overview_queue *q = &o->queue[i];
        struct json_object *row = json_object_new_object();
        set_text(row, "queue", q->name);
        set_number(row, "waiting", q->counts.waiting);
        set_number(row, "delayed", q->counts.delayed);
        set_number(row, "active", q->counts.active);
        set_number(row, "failed", q->counts.failed);
        set_number(row, "oldest_waiting_ms", q->counts.oldest_waiting_ms);
        set_number(row, "workers", q->workers);
        json_object_array_add(list, row);
    }
    json_object_object_add(all, "queues", list);
}

static void add_cache(void *ctx, const struct cache_counts *n)
{
    struct json_object *row = json_object_new_object();
    int percent = cache_hit_percent(n);

    json_object_object_add(row, "prefix", json_object_new_string_len(n->prefix.s, (int)n->prefix.len));
    set_number(row, "hits", n->hits);
    set_number(row, "misses", n->misses);
    set_number(row, "sets", n->sets);
    set_number(row, "evictions", n->evictions);
    json_object_object_add(row, "hit_percent", percent >= 0 ? json_object_new_int(percent) : NULL);
    json_object_array_add(ctx, row);
}

static int add_sessions(struct app *app, struct json_object *all, struct err *err)
{
    int64_t count[TALLIES];
    char *name;

    if (tally_read(app, count, err) < 0)
        return -1;
    for (int i = 0; i < TALLIES; i++) {
        name = xasprintf("sessions_%s", tally_names[i]);
        set_number(all, name, count[i]);
        free(name);
    }
    return 0;
}

static int add_keys(struct app *app, struct json_object *all, struct err *err)
{
    struct json_object *list = json_object_new_array();
    struct keyspace keys;

    json_object_object_add(all, "keys", list);
    if (keyspace_guess(app, &keys, err) < 0)
        return -1;
    set_number(all, "keys_total", keys.total);
    for (size_t i = 0; i < keys.families; i++) {
        struct json_object *row = json_object_new_object();
        set_text(row, "family", keys.family[i].name);
        set_number(row, "about", keys.family[i].count);
        json_object_array_add(list, row);
    }
    return 0;
}

static int add_overview(struct app *app, struct json_object *all, struct err *err)
{
    struct overview overview;
    int64_t closed = 0;
    int rc = overview_take(app, NULL, 0, &overview, err);

    if (rc == 0) {
        add_jobs(all, &overview);
        add_sums(all, &overview);
        set_number(all, "workers", (int64_t)overview.worker_count);
        add_queues(all, &overview);
        rc = closure_each(app, count_closed, &closed, err) < 0 ? -1 : 0;
        set_number(all, "closed_services", closed);
    }
    overview_clear(&overview);
    return rc;
}

/* A cache that is away has no counters; all else is told. */
struct json_object *report_stats(struct app *app, struct err *err)
{
    struct json_object *all = json_object_new_object(), *cache = json_object_new_array();
    char now[CLOCK_RFC3339_SIZE];

    clock_rfc3339(house_now_ms(app->house), now);
    set_text(all, "at", now);
    json_object_object_add(all, "cache", cache);
    if (add_overview(app, all, err) == 0 && add_sessions(app, all, err) == 0 && add_keys(app, all, err) == 0) {
        cache_stats(app, add_cache, cache, NULL);
        return all;
    }
    json_object_put(all);
    return NULL;
}
