/* api_jobs.c: jobs as programs push, look at and cancel them: /api/internal/jobs. Its sentences are for operators, in English. */
#include "web/api.h"

#include "core/job_admin.h"
#include "core/options.h"
#include "web/dispatch.h"
#include "web/push.h"
#include "web/route.h"

/* --- pushing --- */

/* All in one round trip. When it fails some may have been pushed: whoever gave ids or unique keys may simply try again. */
static int push_all(struct exchange *x, struct push *pushes, size_t count)
{
    struct app *app = &x->seat->app;
    const struct reply *replies;
    size_t got;

    for (size_t i = 0; i < count; i++)
        job_push_queue(app, &pushes[i].job);
    if (redis_exchange(app->redis, &replies, &got, &x->err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int rc = job_push_reply(&replies[i], &pushes[i].existing, &x->err);
        if (rc < 0)
            return -1;
        if (rc == JOB_EXISTS)
            pushes[i].existing = xstrdup(pushes[i].job.id);
    }
    return 0;
}

static void add_location(struct exchange *x, const char *queue, const char *id)
{
    struct str place = STR_INIT;

    str_adds(&place, "/api/internal/jobs/");
    str_add_url(&place, id, strlen(id));
    if (strcmp(queue, JOB_QUEUE_DEFAULT) != 0)
        str_addf(&place, "?queue=%s", queue);
    exchange_header(x, "Location", (struct span){ place.s, place.len });
    str_free(&place);
}

/* The status of one that was there already is looked up; of one that is gone again nothing is said. */
static int answer_pushed(struct exchange *x, const struct push *p)
{
    const char *id = p->existing ? p->existing : p->job.id;
    struct job_view view;
    int found = p->existing ? job_look(&x->seat->app, p->job.queue, id, &view, &x->err) : 0;
    struct str *out;

    if (found < 0)
        return -1;
    add_location(x, p->job.queue, id);
    out = api_json(x, p->existing ? 200 : 201);
    api_add_text(out, "{\"id\":", id);
    api_add_text(out, ",\"queue\":", p->job.queue);
    api_add_text(out, ",\"status\":", p->existing ? (found ? view.status : NULL) : "pending");
    str_adds(out, p->existing ? ",\"existing\":true}" : "}");
    if (found)
        job_view_clear(&view);
    return 0;
}

static int answer_all(struct exchange *x, const struct push *pushes, size_t count)
{
    struct str *out = api_json(x, 201);

    str_adds(out, "{\"jobs\":[");
    for (size_t i = 0; i < count; i++) {
        const struct push *p = &pushes[i];

        api_add_text(out, i ? ",{\"id\":" : "{\"id\":", p->existing ? p->existing : p->job.id);
        api_add_text(out, ",\"queue\":", p->job.queue);
        str_adds(out, p->existing ? ",\"existing\":true}" : "}");
    }
    str_adds(out, "]}");
    return 0;
}

static enum problem create(struct exchange *x, struct json_object *list, struct push *pushes, size_t count)
{
    struct str errors = STR_INIT;
    enum problem problem = PROBLEM_NONE;

    if (!push_read(x, list, pushes, &errors))
        api_refuse_members(x, &errors);
    else if (push_all(x, pushes, count) < 0 || (list ? answer_all(x, pushes, count) : answer_pushed(x, pushes)) < 0)
        problem = exchange_fail(x);
    str_free(&errors);
    return problem;
}

/* One job, or {"jobs": [...]}. */
enum problem api_jobs_create(struct exchange *x)
{
    struct json_object *list = NULL;
    struct push *pushes;
    enum problem problem;
    size_t count = 1;

    if (!json_object_is_type(x->json, json_type_object))
        return exchange_say(x, PROBLEM_INVALID, "json.not_object");
    if (json_object_object_get_ex(x->json, "jobs", &list)) {
        count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
        if (count == 0 || count > JOB_PUSH_BATCH || json_object_object_length(x->json) > 1)
            return exchange_say(x, PROBLEM_INVALID, "json.jobs_list");
    }
    pushes = xcalloc(count, sizeof *pushes);
    problem = create(x, list, pushes, count);
    push_free(pushes, count);
    return problem;
}

/* --- looking --- */

/* What is told to people is not for bots, in which others than the house may have a hand. */
static bool is_hidden(const struct exchange *x, const struct job_view *view)
{
    const struct job_type *type = view->type ? job_types_find(x->seat->app.house->job_types, span_of(view->type)) : NULL;

    return x->program.role == TOKEN_BOT && type && job_type_tells(type);
}

/* In the queue that ?queue= names, else in any that is known. */
static enum problem find(struct exchange *x, struct job_view *view)
{
    struct app *app = &x->seat->app;
    struct span asked = form_get(&x->query, "queue");
    char *id = xmemdupz(x->id.s, x->id.len), **queues;
    char *queue = asked.s ? xmemdupz(asked.s, asked.len) : NULL;
    size_t count;
    int found = 0;

    *view = (struct job_view){ .id = NULL };
    if (queue) {
        found = options_queue_name(asked) ? job_look(app, queue, id, view, &x->err) : 0;
    } else {
        queues = job_types_queues(app->house->job_types, &count);
        found = job_find(app, queues, count, id, view, &x->err);
        free(queues);
    }
    free(queue);
    free(id);
    if (found < 0)
        return exchange_fail(x);
    if (found && is_hidden(x, view)) {
        job_view_clear(view);
        found = 0;
    }
    return found ? PROBLEM_NONE : exchange_say(x, PROBLEM_NOT_FOUND, "json.no_job");
}

static void add_number(struct str *out, const char *name, int64_t n)
{
    str_adds(out, name);
    str_add_int(out, n);
}

static void add_view(struct str *out, const struct job_view *v)
{
    api_add_text(out, "{\"id\":", v->id);
    api_add_text(out, ",\"queue\":", v->queue);
    api_add_text(out, ",\"type\":", v->type);
    api_add_text(out, ",\"status\":", v->status);
    api_add_text(out, ",\"place\":", job_places[v->place]);
    add_number(out, ",\"progress\":", v->progress);
    api_add_text(out, ",\"message\":", v->message);
    add_number(out, ",\"attempts\":", v->attempts);
    add_number(out, ",\"max_attempts\":", v->max_attempts);
    add_number(out, ",\"deaths\":", v->deaths);
    add_number(out, ",\"run\":", v->run);
    api_add_text(out, ",\"worker_id\":", v->worker_id);
    api_add_text(out, ",\"error\":", v->error);
    api_add_stored(out, ",\"history\":", v->history ? v->history : "[]");
    api_add_stored(out, ",\"result\":", v->result);
    api_add_stored(out, ",\"payload\":", v->payload);
    api_add_text(out, ",\"parent\":", v->parent);
    api_add_text(out, ",\"unique_key\":", v->unique_key);
    api_add_text(out, ",\"user_id\":", v->user_id);
    api_add_text(out, ",\"request_hash\":", v->request_hash);
    api_add_time(out, ",\"created_at\":", v->created_ms);
    api_add_time(out, ",\"started_at\":", v->started_ms);
    api_add_time(out, ",\"completed_at\":", v->completed_ms);
    api_add_time(out, ",\"expires_at\":", v->ttl_ms >= 0 ? v->now_ms + v->ttl_ms : 0);
    str_addc(out, '}');
}

enum problem api_job_view(struct exchange *x)
{
    struct job_view view;
    enum problem problem = find(x, &view);

    if (problem != PROBLEM_NONE)
        return problem;
    add_view(api_json(x, 200), &view);
    job_view_clear(&view);
    return PROBLEM_NONE;
}

/* --- cancelling --- */

/* A request's job ends with its request. 1, 0 (it had ended), -1. */
static int cancel(struct exchange *x, const struct job_view *view)
{
    struct app *app = &x->seat->app;

    if (view->request_hash) {
        int rc = request_cancel(app, span_of(view->request_hash), &x->err);
        if (rc >= 0 || x->err.kind != ERR_NOT_FOUND)
            return rc < 0 && x->err.kind == ERR_FINAL ? 0 : rc;
    }
    return job_cancel(app, view->queue, view->id, &x->err);
}

enum problem api_job_cancel(struct exchange *x)
{
    struct job_view view;
    enum problem problem = find(x, &view);
    int rc;

    if (problem != PROBLEM_NONE)
        return problem;
    rc = cancel(x, &view);
    job_view_clear(&view);
    if (rc < 0)
        return exchange_fail(x);
    return rc == 0 ? exchange_say(x, PROBLEM_CONFLICT, "json.job_ended") : api_job_view(x);
}
