/* page_progress.c: how a request gets on, and cancelling it. */
#include "web/page.h"

#include "core/locale.h"
#include "core/view.h"
#include "web/dispatch.h"
#include "web/route.h"

#define AUTO_REFRESH_S 5

enum { STEP_DONE, STEP_CURRENT, STEP_WAITING };

static void add_step(struct exchange *x, struct json_object *item, const struct service_step *step, size_t number,
                     int state)
{
    static const char *const texts[] = { "step.done", "step.current", "step.waiting" };

    page_text(item, "id", step->id);
    page_text(item, "label", text_in(step->label, x->locale));
    page_text(item, "number", page_number(x, (int64_t)number));
    page_flag(item, "is_done", state == STEP_DONE);
    page_flag(item, "is_current", state == STEP_CURRENT);
    page_flag(item, "is_waiting", state == STEP_WAITING);
    page_text(item, "state_text", locale_text(x->locale, texts[state]));
}

/* The step the document names is the present one; without a worker none is. */
static void add_steps(struct exchange *x, struct json_object *data)
{
    const struct service *service = x->service;
    const char *id = page_raw(x, document_value(&x->request.doc, DOC_STEP));
    int current = id ? service_step_index(service, span_of(id)) : -1;
    struct json_object *list = page_list(data, "steps");

    if (x->request.status == REQUEST_PENDING)
        current = -1;
    for (size_t i = 0; i < service->step_count; i++)
        add_step(x, page_item(list), &service->steps[i], i + 1,
                 (int)i < current ? STEP_DONE : (int)i == current ? STEP_CURRENT : STEP_WAITING);
}

static void add_queue(struct exchange *x, struct json_object *data)
{
    const struct request *rq = &x->request;
    bool waiting = rq->status == REQUEST_PENDING;
    char *number;

    page_null(data, "queue_position");
    page_text(data, "queue_text", waiting && rq->beyond ? locale_text(x->locale, "progress.queue_beyond") : NULL);
    if (!waiting || rq->beyond || rq->ahead < 0)
        return;
    number = xstrdup(page_number(x, rq->ahead + 1));
    page_int(data, "queue_position", rq->ahead + 1);
    page_text(data, "queue_text", page_words(x, "progress.queue", LOCALE_PARAMS("position", number)));
    free(number);
}

/* The percentage in words; the caller releases it. */
static char *percent(struct exchange *x, int64_t progress)
{
    char *number = xstrdup(page_number(x, progress)), *words;

    words = xstrdup(page_words(x, "progress.percent", LOCALE_PARAMS("percent", number)));
    free(number);
    return words;
}

enum problem page_progress(struct exchange *x)
{
    struct json_object *data;
    int64_t progress = raw_int(document_value(&x->request.doc, DOC_PROGRESS), 0), left_s = view_left_s(&x->request);
    const char *service;
    char *percentage;

    if (page_elsewhere(x))
        return PROBLEM_NONE;
    data = page_data();
    percentage = percent(x, progress);
    page_request(x, data);
    page_int(data, "progress", progress);
    page_text(data, "progress_text", percentage);
    page_text(data, "heading", locale_text(x->locale, x->request.status == REQUEST_PENDING ? "progress.heading_pending" : "progress.heading"));
    add_steps(x, data);
    page_text(data, "time_left", left_s > 0 ? page_duration(x, left_s) : NULL);
    add_queue(x, data);
    page_refresh(x, data, AUTO_REFRESH_S);
    service = text_in(x->service->title, x->locale);
    page_answer(x, 200, "progress",
                page_words(x, "title.progress", LOCALE_PARAMS("service", service, "percent", percentage)), data);
    free(percentage);
    return PROBLEM_NONE;
}

/* The button without JavaScript. A request that ended meanwhile is not cancelled: its result says how it ended. */
enum problem page_cancel(struct exchange *x)
{
    struct app *app = &x->seat->app;

    x->has_request = false; /* what it borrowed ends with the next exchange */
    if (request_cancel(app, x->hash, &x->err) < 0 && x->err.kind != ERR_FINAL)
        return exchange_fail(x);
    str_reset(&x->scratch);
    str_addf(&x->scratch, "/services/%s/result/%s", x->service->slug, x->request.hash);
    page_redirect(x, (struct span){ x->scratch.s, x->scratch.len });
    return PROBLEM_NONE;
}
