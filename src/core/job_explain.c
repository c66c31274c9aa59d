/* job_explain.c: why a job is where it is, and what will happen next, in sentences. */
#include "core/job_look.h"

#include "base/clock.h"
#include "base/json.h"
#include "core/fleet.h"
#include "core/job_type.h"
#include "core/locale.h"
#include "core/mask.h"

/* --- pieces of sentences --- */

static void add_span_of_time(struct str *out, int64_t ms)
{
    static const struct {
        int64_t below_ms, unit_ms;
        const char *unit;
    } rows[] = {
        { 120000, 1000, "s" }, { 7200000, 60000, "min" }, { 172800000, 3600000, "h" }, { INT64_MAX, 86400000, "days" }
    };
    size_t i = 0;

    ms = ms > 0 ? ms : 0;
    while (ms >= rows[i].below_ms)
        i++;
    str_addf(out, "%lld %s", (long long)((ms + rows[i].unit_ms / 2) / rows[i].unit_ms), rows[i].unit);
}

static void add_count(struct str *out, int64_t n, const char *one, const char *many)
{
    str_addf(out, "%lld %s", (long long)n, n == 1 ? one : many);
}

/* A reason may be a key of the catalogue: then its English text. */
static void add_reason(struct str *out, const struct app *app, struct span reason)
{
    const struct locale *en = app->house->locales ? locales_find(app->house->locales, SPAN("en")) : NULL;

    if (en)
        locale_add_message(en, out, reason);
    else
        str_add_span(out, reason);
}

/* What a bot or program said may hold a number of a person. */
static void add_said(struct str *out, const char *before, const char *text)
{
    str_adds(out, before);
    mask_add_numbers(out, text);
}

/* A text that ends a sentence, with its stop and the line's end. */
static void end_line(struct str *out)
{
    bool stopped = out->len > 0 && strchr(".!?", out->s[out->len - 1]);

    str_adds(out, stopped ? "\n" : ".\n");
}

/* --- what must be known besides the job --- */

struct scene {
    struct app *app;
    const struct job_view *view;
    struct str paused;    /* JSON; empty: it is not */
    struct job_limit own; /* of the queue */
    int64_t active, urgent, before, listed, running;
    bool held;            /* by the limit of its type */
    int workers, serving; /* that are alive; that take from its queue */
};

static const char *type_of(const struct job_view *view)
{
    return view->type ? view->type : "default";
}

static struct key type_key(const struct scene *s, const char *part)
{
    char name[160];

    snprintf(name, sizeof(name), "%s:%s", part, type_of(s->view));
    return job_part_key(s->app, s->view->queue, name);
}

static void queue_scene(const struct scene *s)
{
    const char *queue = s->view->queue;
    const struct key paused = job_part_key(s->app, queue, "paused"), limits = job_part_key(s->app, queue, "limits"),
                     active = job_part_key(s->app, queue, "active"), priority = job_part_key(s->app, queue, "priority"),
                     list = job_part_key(s->app, queue, "queue"), limited = type_key(s, "limited"),
                     running = type_key(s, "running");
    struct redis *r = job_part_redis(s->app);

    redis_queuef(r, "GET %b", paused.s, paused.len);
    redis_queuef(r, "HMGET %b at_once per_count per_ms", limits.s, limits.len);
    redis_queuef(r, "ZCARD %b", active.s, active.len);
    redis_queuef(r, "ZCOUNT %b 6 +inf", priority.s, priority.len);
    redis_queuef(r, "ZCOUNT %b (%.17g +inf", priority.s, priority.len,
                 s->view->place == JOB_IN_PRIORITY ? s->view->score : 0);
    redis_queuef(r, "LLEN %b", list.s, list.len);
    redis_queuef(r, "ZCARD %b", running.s, running.len);
    redis_queuef(r, "ZSCORE %b %s", limited.s, limited.len, s->view->id);
}

static bool serves(const char *queues, const char *queue)
{
    size_t len = strlen(queue);

    for (const char *p = queues; *p; p += strspn(p, ", ")) {
        size_t word = strcspn(p, ", ");
        if (word == len && memcmp(p, queue, len) == 0)
            return true;
        p += word;
    }
    return false;
}

static void see_worker(void *ctx, const struct fleet_view *worker)
{
    struct scene *s = ctx;

    s->serving += serves(worker->queues, s->view->queue);
}

static int read_scene(struct scene *s, struct err *err)
{
    const struct reply *replies;
    size_t count;

    queue_scene(s);
    replies = job_look_exchange(s->app, &count, err);
    if (!replies)
        return -1;
    if (reply_text(&replies[0]).s)
        str_add_span(&s->paused, reply_text(&replies[0]));
    if (replies[1].count == 3)
        s->own = (struct job_limit){ .at_once = reply_int(&replies[1].item[0], 0),
                                     .per_count = reply_int(&replies[1].item[1], 0),
                                     .per_ms = reply_int(&replies[1].item[2], 0) };
    s->active = reply_int(&replies[2], 0);
    s->urgent = reply_int(&replies[3], 0);
    s->before = reply_int(&replies[4], 0);
    s->listed = reply_int(&replies[5], 0);
    s->running = reply_int(&replies[6], 0);
    s->held = replies[7].type != REPLY_NIL && s->view->place == JOB_IN_DELAYED;
    s->workers = fleet_each(s->app, see_worker, s, err);
    return s->workers < 0 ? -1 : 0;
}

/* --- what holds back all jobs of a queue or type --- */

static void add_limit(struct str *out, const char *what, const char *name, const struct job_limit *limit,
                      int64_t running)
{
    if (limit->at_once > 0)
        str_addf(out, "%s %s runs at most %lld at once and %lld %s now.\n", what, name, (long long)limit->at_once,
                 (long long)running, running == 1 ? "runs" : "run");
    if (limit->per_count > 0) {
        str_addf(out, "%s %s begins at most %lld in ", what, name, (long long)limit->per_count);
        add_span_of_time(out, limit->per_ms);
        str_adds(out, ".\n");
    }
}

static void add_pause(struct str *out, const struct scene *s)
{
    struct span json = { s->paused.s, s->paused.len };
    char since[CLOCK_RFC3339_SIZE];
    struct str reason = STR_INIT;

    if (s->paused.len == 0)
        return;
    clock_rfc3339(raw_int(raw_get(json, "since"), 0), since);
    str_addf(out, "Queue %s is paused since %s", s->view->queue, since);
    if (raw_string(raw_get(json, "reason"), &reason) && reason.len > 0) {
        str_adds(out, ": ");
        add_reason(out, s->app, (struct span){ reason.s, reason.len });
    }
    str_free(&reason);
    end_line(out);
}

static void add_workers(struct str *out, const struct scene *s)
{
    if (s->workers == 0)
        str_adds(out, "No worker is alive.\n");
    else if (s->serving == 0)
        str_addf(out, "No worker that is alive serves queue %s.\n", s->view->queue);
}

static void add_hindrances(struct str *out, const struct scene *s)
{
    add_pause(out, s);
    add_limit(out, "Queue", s->view->queue, &s->own, s->active);
    add_workers(out, s);
    if (s->view->deaths > 0) {
        add_count(out, s->view->deaths, "worker", "workers");
        str_addf(out, " died with it; with %d it fails as poison.\n", JOB_DEATHS_MAX);
    }
}

/* --- one function a place --- */

static void explain_list(struct str *out, const struct scene *s)
{
    const struct job_view *v = s->view;

    if (v->ahead < 0) {
        str_addf(out, "It waits in queue %s behind more than 10,000 jobs.\n", v->queue);
    } else {
        str_addf(out, "It waits at place %lld of queue %s (", (long long)v->ahead + 1, v->queue);
        add_count(out, v->ahead, "job", "jobs");
        str_adds(out, " before it).\n");
    }
    if (s->urgent > 0) {
        add_count(out, s->urgent, "job of priority 6 or more goes", "jobs of priority 6 or more go");
        str_adds(out, " before these.\n");
    }
    add_hindrances(out, s);
}

static void explain_priority(struct str *out, const struct scene *s)
{
    const struct job_view *v = s->view;

    str_addf(out, "It waits with priority %lld in queue %s; ", (long long)v->score, v->queue);
    add_count(out, s->before + (v->score < JOB_PRIORITY_LIST + 1 ? s->listed : 0), "job goes before it.\n",
              "jobs go before it.\n");
    add_hindrances(out, s);
}

static void add_attempt(struct str *out, const struct job_view *v)
{
    static const char *const words[] = { "first", "second", "third", "fourth", "fifth" };

    if (v->attempts < 1)
        return;
    if (v->attempts < (int64_t)ARRAY_LEN(words))
        str_addf(out, " (%s attempt", words[v->attempts]);
    else
        str_addf(out, " (attempt %lld", (long long)v->attempts + 1);
    if (v->error)
        add_said(out, " after: ", v->error);
    str_addc(out, ')');
}

static void add_held(struct str *out, const struct scene *s)
{
    const char *type = type_of(s->view);
    const struct job_type *known =
        s->app->house->job_types ? job_types_find(s->app->house->job_types, span_of(type)) : NULL;

    str_addf(out, "The limit of type %s holds it back.\n", type);
    if (known && known->limit.type)
        add_limit(out, "Type", type, &known->limit, s->running);
}

static void explain_delayed(struct str *out, const struct scene *s)
{
    const struct job_view *v = s->view;
    int64_t left_ms = (int64_t)v->score - v->now_ms;

    if (s->held) {
        add_held(out, s);
    } else {
        str_adds(out, left_ms > 0 ? "It is due in " : "It is due now");
        if (left_ms > 0)
            add_span_of_time(out, left_ms);
        add_attempt(out, v);
        str_adds(out, ".\n");
    }
    add_hindrances(out, s);
}

static void explain_active(struct str *out, const struct scene *s)
{
    const struct job_view *v = s->view;
    int64_t left_ms = (int64_t)v->score - v->now_ms;

    if (v->worker_id)
        str_addf(out, "Worker %s carries it out since ", v->worker_id);
    else
        str_adds(out, "It is being carried out since ");
    add_span_of_time(out, v->now_ms - v->started_ms);
    str_adds(out, left_ms > 0 ? "; its lease ends in "
                              : "; its lease ran out, and another worker takes it up in a moment, late by ");
    add_span_of_time(out, left_ms > 0 ? left_ms : -left_ms);
    str_adds(out, ".\n");
    if (v->progress > 0 || v->message) {
        str_addf(out, "It is at %lld %%", (long long)v->progress);
        if (v->message) {
            char *said = mask_numbers(v->message);
            str_adds(out, ": ");
            add_reason(out, s->app, span_of(said));
            free(said);
        }
        end_line(out);
    }
}

static size_t times_failed(const struct job_view *v)
{
    struct json_object *list = NULL;
    size_t count = 1;

    if (v->history && json_parse(v->history, strlen(v->history), &list, NULL) == 0 &&
        json_object_is_type(list, json_type_array) && json_object_array_length(list) > 0)
        count = json_object_array_length(list);
    json_object_put(list);
    return count;
}

static void explain_failed(struct str *out, const struct scene *s)
{
    const struct job_view *v = s->view;
    size_t times = times_failed(v);

    str_adds(out, "It failed for good ");
    add_span_of_time(out, v->now_ms - (int64_t)v->score);
    str_adds(out, " ago");
    if (v->error)
        add_said(out, ": ", v->error);
    end_line(out);
    str_addf(out, "It failed %zu %s; peygir failed retry %s tries it again.\n", times, times == 1 ? "time" : "times",
             v->id);
    if (v->ttl_ms >= 0) {
        str_adds(out, "It is forgotten in ");
        add_span_of_time(out, v->ttl_ms);
        str_adds(out, ".\n");
    }
}

static void explain_done(struct str *out, const struct scene *s)
{
    const struct job_view *v = s->view;

    str_addf(out, "It is %s since ", v->status);
    add_span_of_time(out, v->now_ms - v->completed_ms);
    if (v->error)
        add_said(out, ": ", v->error);
    end_line(out);
    if (v->ttl_ms >= 0) {
        str_adds(out, "Its data goes in ");
        add_span_of_time(out, v->ttl_ms);
        str_adds(out, ".\n");
    }
}

static void explain_nowhere(struct str *out, const struct scene *s)
{
    bool runs = s->view->status && strcmp(s->view->status, "processing") == 0;

    str_adds(out, job_faults[runs ? JOB_FAULT_ACTIVE_WITHOUT_LEASE : JOB_FAULT_IN_NO_SET]);
    str_addf(out, "\npeygir queue check %s --repair puts it right.\n", s->view->queue);
}

int job_explain(struct app *app, const struct job_view *view, struct str *out, struct err *err)
{
    static void (*const explain[])(struct str *out, const struct scene *s) = {
        [JOB_IN_LIST] = explain_list,       [JOB_IN_PRIORITY] = explain_priority, [JOB_IN_DELAYED] = explain_delayed,
        [JOB_IN_ACTIVE] = explain_active,   [JOB_IN_FAILED] = explain_failed,     [JOB_IS_DONE] = explain_done,
        [JOB_IS_NOWHERE] = explain_nowhere,
    };
    struct scene s = { .app = app, .view = view, .paused = STR_INIT };
    int rc = read_scene(&s, err);

    if (rc == 0) {
        explain[view->place](out, &s);
        if (view->request_hash)
            str_addf(out, "It carries out request %s.\n", view->request_hash);
    }
    str_free(&s.paused);
    return rc;
}
