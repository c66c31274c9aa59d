/* overview.c: how queues and workers stand at one moment. */
#include "core/overview.h"

#include "core/fleet.h"
#include "core/job_type.h"

/* --- workers --- */

static void add_worker(void *ctx, const struct fleet_view *view)
{
    struct overview *o = ctx;

    o->worker = xreallocarray(o->worker, o->worker_count + 1, sizeof *o->worker);
    o->worker[o->worker_count++] = (struct overview_worker){
        .id = xstrdup(view->id), .host = xstrdup(view->host), .queues = xstrdup(view->queues), .bots_away = xstrdup(view->bots_away), .pid = view->pid, .running = view->running,
        .concurrency = view->concurrency, .started_ms = view->started_ms, .beat_ms = view->beat_ms
    };
}

/* The next name of a list with commas, or false. */
static bool next_name(const char **list, struct span *name)
{
    *list += strspn(*list, ", ");
    *name = (struct span){ *list, strcspn(*list, ", ") };
    *list += name->len;
    return name->len > 0;
}

static int64_t count_workers(const struct overview *o, const char *queue)
{
    int64_t count = 0;

    for (size_t i = 0; i < o->worker_count; i++) {
        const char *list = o->worker[i].queues;
        bool serves = false;
        for (struct span name; next_name(&list, &name);)
            serves = serves || span_is(name, queue);
        count += serves;
    }
    return count;
}

/* --- queues --- */

static void add_queue(struct overview *o, struct span name)
{
    for (size_t i = 0; i < o->queue_count; i++)
        if (span_is(name, o->queue[i].name))
            return;
    o->queue = xreallocarray(o->queue, o->queue_count + 1, sizeof *o->queue);
    o->queue[o->queue_count++] = (struct overview_queue){ .name = xmemdupz(name.s, name.len) };
}

static void add_known_queues(struct overview *o, const struct job_types *types)
{
    add_queue(o, SPAN(JOB_QUEUE_DEFAULT));
    for (size_t i = 0; types && i < job_types_count(types); i++)
        add_queue(o, span_of(job_types_at(types, i)->queue));
    for (size_t i = 0; i < o->worker_count; i++) {
        const char *list = o->worker[i].queues;
        for (struct span name; next_name(&list, &name);)
            add_queue(o, name);
    }
}

static int look_at_queue(struct app *app, const struct overview *o, struct overview_queue *q, struct err *err)
{
    struct str reason = STR_INIT;
    int paused = 0;

    if (job_count(app, q->name, &q->counts, err) < 0 || job_limit_read(app, q->name, &q->limit, err) < 0)
        return -1;
    if (q->counts.paused && (paused = job_is_paused(app, q->name, &reason, err)) > 0)
        q->pause_reason = xmemdupz(reason.len ? reason.s : "", reason.len);
    str_free(&reason);
    q->counts.paused = paused > 0;
    q->workers = count_workers(o, q->name);
    return paused < 0 ? -1 : 0;
}

int overview_take(struct app *app, char *const names[], size_t count, struct overview *out, struct err *err)
{
    *out = (struct overview){ .at_ms = house_now_ms(app->house) };
    if (fleet_each(app, add_worker, out, err) < 0 || stats_read(app, &out->stats, err) < 0)
        return -1;
    for (size_t i = 0; names && i < count; i++)
        add_queue(out, span_of(names[i]));
    if (!names)
        add_known_queues(out, app->house->job_types);
    for (size_t i = 0; i < out->queue_count; i++)
        if (look_at_queue(app, out, &out->queue[i], err) < 0)
            return -1;
    return 0;
}

const char *overview_pause_words(const char *pause_reason)
{
    static const char keys[] = "messages.";

    return pause_reason && strncmp(pause_reason, keys, sizeof keys - 1) != 0 ? pause_reason : "";
}

void overview_clear(struct overview *o)
{
    for (size_t i = 0; i < o->queue_count; i++) {
        free(o->queue[i].name);
        free(o->queue[i].pause_reason);
    }
    for (size_t i = 0; i < o->worker_count; i++) {
        free(o->worker[i].id);
        free(o->worker[i].host);
        free(o->worker[i].queues);
        free(o->worker[i].bots_away);
    }
    free(o->queue);
    free(o->worker);
    *o = (struct overview){ .queue = NULL };
}
