/* snapshot.c: how queues and workers stand at one moment */
#include "cli/snapshot.h"

#include "core/fleet.h"
#include "core/job_type.h"
#include "core/stats.h"

/* --- workers --- */

static void add_worker(void *ctx, const struct fleet_view *view)
{
    struct json_object *row = json_object_new_object();
    output_set_text(row, "id", view->id);
    output_set_text(row, "host", view->host);
    output_set_number(row, "pid", view->pid);
    output_set_text(row, "queues", view->queues);
    output_set_number(row, "running", view->running);
    output_set_number(row, "concurrency", view->concurrency);
    output_set_time(row, "started_at", view->started_ms);
    output_set_time(row, "beat_at", view->beat_ms);
    json_object_array_add(ctx, row);
}

/* The next name of a list with commas, or false. */
static bool next_name(const char **list, struct span *name)
{
    *list += strspn(*list, ", ");
    *name = (struct span){ *list, strcspn(*list, ", ") };
    *list += name->len;
    return name->len > 0;
}

static const char *member(struct json_object *object, const char *name)
{
    const char *text = json_object_get_string(json_object_object_get(object, name));
    return text ? text : "";
}

static int64_t count_workers(struct json_object *workers, const char *queue)
{
    int64_t count = 0;
    for (size_t i = 0; i < json_object_array_length(workers); i++) {
        const char *list = member(json_object_array_get_idx(workers, i), "queues");
        bool serves = false;
        for (struct span name; next_name(&list, &name);)
            serves = serves || span_is(name, queue);
        count += serves;
    }
    return count;
}

/* --- queues --- */

static void add_name(struct queues *queues, struct span name)
{
    for (size_t i = 0; i < queues->count; i++)
        if (span_is(name, queues->name[i]))
            return;
    queues->name = xreallocarray(queues->name, queues->count + 1, sizeof *queues->name);
    queues->name[queues->count++] = xmemdupz(name.s, name.len);
}

static void add_names_of_worker(void *ctx, const struct fleet_view *view)
{
    const char *list = view->queues;
    for (struct span name; next_name(&list, &name);)
        add_name(ctx, name);
}

int snapshot_queues(struct cli *cli, struct queues *out, struct err *err)
{
    const struct job_types *types = cli->house.job_types;
    *out = (struct queues){ NULL, 0 };
    add_name(out, SPAN(JOB_QUEUE_DEFAULT));
    for (size_t i = 0; types && i < job_types_count(types); i++)
        add_name(out, span_of(job_types_at(types, i)->queue));
    return fleet_each(&cli->app, add_names_of_worker, out, err) < 0 ? -1 : 0;
}

static struct json_object *queue_row(struct cli *cli, const char *queue, struct json_object *workers, struct err *err)
{
    struct job_counts counts;
    struct job_limit limit = { .type = NULL };
    struct str reason = STR_INIT;
    int paused = 0;
    if (job_count(&cli->app, queue, &counts, err) < 0 || job_limit_read(&cli->app, queue, &limit, err) < 0 ||
        (counts.paused && (paused = job_is_paused(&cli->app, queue, &reason, err)) < 0)) {
        str_free(&reason);
        return NULL;
    }
    struct json_object *row = json_object_new_object();
    output_set_text(row, "queue", queue);
    output_set_number(row, "waiting", counts.waiting);
    output_set_number(row, "delayed", counts.delayed);
    output_set_number(row, "active", counts.active);
    output_set_number(row, "failed", counts.failed);
    output_set_bool(row, "paused", paused > 0);
    output_set_text(row, "pause_reason", paused > 0 && reason.len > 0 ? reason.s : NULL);
    output_set_number(row, "oldest_waiting_ms", counts.oldest_waiting_ms);
    jobs_set_limit(row, &limit);
    output_set_number(row, "workers", count_workers(workers, queue));
    str_free(&reason);
    return row;
}

/* --- all of it --- */

static int add_counters(struct cli *cli, struct json_object *all, struct err *err)
{
    struct stats s;
    if (stats_read(&cli->app, &s, err) < 0)
        return -1;
    struct json_object *today = json_object_new_object(), *totals = json_object_new_object();
    output_set_number(today, "total", s.today_total);
    output_set_number(today, "completed", s.today_completed);
    output_set_number(today, "failed", s.today_failed);
    output_set_number(today, "average_ms", s.today_average_ms);
    output_set_number(totals, "total", s.total);
    output_set_number(totals, "completed", s.completed);
    output_set_number(totals, "failed", s.failed);
    output_set_number(totals, "retried", s.retried);
    output_set_number(totals, "cancelled", s.cancelled);
    json_object_object_add(all, "today", today);
    json_object_object_add(all, "totals", totals);
    return 0;
}

struct json_object *snapshot_take(struct cli *cli, const struct queues *queues, struct err *err)
{
    struct json_object *all = json_object_new_object(), *rows = json_object_new_array(), *workers = json_object_new_array();
    output_set_time(all, "at", house_now_ms(&cli->house));
    json_object_object_add(all, "queues", rows);
    json_object_object_add(all, "workers", workers);
    int result = fleet_each(&cli->app, add_worker, workers, err) < 0 ? -1 : add_counters(cli, all, err);
    for (size_t i = 0; result == 0 && i < queues->count; i++) {
        struct json_object *row = queue_row(cli, queues->name[i], workers, err);
        if (row)
            json_object_array_add(rows, row);
        result = row ? 0 : -1;
    }
    if (result == 0)
        return all;
    json_object_put(all);
    return NULL;
}

/* --- as text --- */

/* Limits and pause as one column, which is empty mostly. */
static void add_state(struct json_object *row)
{
    struct str text = STR_INIT;
    struct json_object *at_once = json_object_object_get(row, "at_once"), *per = json_object_object_get(row, "per");
    str_reset(&text);
    const char *reason = jobs_pause_reason(member(row, "pause_reason"));
    if (json_object_get_boolean(json_object_object_get(row, "paused")))
        str_addf(&text, "paused%s%s", *reason ? ": " : "", reason);
    if (at_once)
        str_addf(&text, "%s%lld at once", text.len > 0 ? "; " : "", (long long)json_object_get_int64(at_once));
    if (per)
        str_addf(&text, "%s%s jobs in %s s", text.len > 0 ? "; " : "", member(per, "jobs"), member(per, "seconds"));
    output_set_text(row, "state", text.len > 0 ? text.s : NULL);
    str_free(&text);
}

static long long number(struct json_object *all, const char *group, const char *name)
{
    return (long long)json_object_get_int64(json_object_object_get(json_object_object_get(all, group), name));
}

void snapshot_print(FILE *out, const struct cli *cli, struct json_object *snapshot)
{
    static const struct column columns[] = { COLUMN("queue", "QUEUE"),
                                             COLUMN("waiting", "WAITING"),
                                             COLUMN("delayed", "DELAYED"),
                                             COLUMN("active", "ACTIVE"),
                                             COLUMN("failed", "FAILED"),
                                             COLUMN_SPAN("oldest_waiting_ms", "OLDEST"),
                                             COLUMN("workers", "WORKERS"),
                                             COLUMN_CUT("state", "PAUSED, LIMITS", 40),
                                             COLUMN_END };
    struct json_object *rows = json_object_object_get(snapshot, "queues");
    for (size_t i = 0; i < json_object_array_length(rows); i++)
        add_state(json_object_array_get_idx(rows, i));
    output_table(out, cli, rows, columns);
    fprintf(out, "\ntoday: %lld pushed, %lld completed, %lld failed, %lld ms on average; workers alive: %zu\n",
            number(snapshot, "today", "total"), number(snapshot, "today", "completed"), number(snapshot, "today", "failed"),
            number(snapshot, "today", "average_ms"), json_object_array_length(json_object_object_get(snapshot, "workers")));
}
