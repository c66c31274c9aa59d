/* snapshot.c: how queues and workers stand at one moment */
#include "cli/snapshot.h"

#include "core/overview.h"

static const char *member(struct json_object *object, const char *name)
{
    const char *text = json_object_get_string(json_object_object_get(object, name));
    return text ? text : "";
}

static struct json_object *worker_row(const struct overview_worker *worker)
{
    struct json_object *row = json_object_new_object();
    output_set_text(row, "id", worker->id);
    output_set_text(row, "host", worker->host);
    output_set_number(row, "pid", worker->pid);
    output_set_text(row, "queues", worker->queues);
    output_set_number(row, "running", worker->running);
    output_set_number(row, "concurrency", worker->concurrency);
    output_set_time(row, "started_at", worker->started_ms);
    output_set_time(row, "beat_at", worker->beat_ms);
    return row;
}

static struct json_object *queue_row(const struct overview_queue *queue)
{
    const char *reason = queue->pause_reason;
    struct json_object *row = json_object_new_object();
    output_set_text(row, "queue", queue->name);
    output_set_number(row, "waiting", queue->counts.waiting);
    output_set_number(row, "delayed", queue->counts.delayed);
    output_set_number(row, "active", queue->counts.active);
    output_set_number(row, "failed", queue->counts.failed);
    output_set_bool(row, "paused", reason != NULL);
    output_set_text(row, "pause_reason", reason && *reason ? reason : NULL);
    output_set_number(row, "oldest_waiting_ms", queue->counts.oldest_waiting_ms);
    jobs_set_limit(row, &queue->limit);
    output_set_number(row, "workers", queue->workers);
    return row;
}

static void add_counters(struct json_object *all, const struct stats *s)
{
    struct json_object *today = json_object_new_object(), *totals = json_object_new_object();
    output_set_number(today, "total", s->today_total);
    output_set_number(today, "completed", s->today_completed);
    output_set_number(today, "failed", s->today_failed);
    output_set_number(today, "average_ms", s->today_average_ms);
    output_set_number(totals, "total", s->total);
    output_set_number(totals, "completed", s->completed);
    output_set_number(totals, "failed", s->failed);
    output_set_number(totals, "retried", s->retried);
    output_set_number(totals, "cancelled", s->cancelled);
    json_object_object_add(all, "today", today);
    json_object_object_add(all, "totals", totals);
}

static struct json_object *as_json(const struct overview *o)
{
    struct json_object *all = json_object_new_object(), *rows = json_object_new_array(), *workers = json_object_new_array();
    output_set_time(all, "at", o->at_ms);
    json_object_object_add(all, "queues", rows);
    json_object_object_add(all, "workers", workers);
    add_counters(all, &o->stats);
    for (size_t i = 0; i < o->worker_count; i++)
        json_object_array_add(workers, worker_row(&o->worker[i]));
    for (size_t i = 0; i < o->queue_count; i++)
        json_object_array_add(rows, queue_row(&o->queue[i]));
    return all;
}

struct json_object *snapshot_take(struct cli *cli, const struct queues *queues, struct err *err)
{
    struct overview overview;
    struct json_object *all = NULL;
    if (overview_take(&cli->app, queues->name, queues->count, &overview, err) == 0)
        all = as_json(&overview);
    overview_clear(&overview);
    return all;
}

/* --- as text --- */

/* Limits and pause as one column, which is empty mostly. */
static void add_state(struct json_object *row)
{
    struct str text = STR_INIT;
    struct json_object *at_once = json_object_object_get(row, "at_once"), *per = json_object_object_get(row, "per");
    str_reset(&text);
    const char *reason = overview_pause_words(member(row, "pause_reason"));
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
