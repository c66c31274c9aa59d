/* page_requests.c: the visitor's own requests, to come back to, and to delete. */
#include "web/page.h"

#include "core/locale.h"
#include "core/view.h"
#include "web/dispatch.h"
#include "web/route.h"

struct listing {
    struct exchange *x;
    struct json_object *list;
};

static void add_state(struct exchange *x, struct json_object *item, enum request_status status)
{
    const char *name = request_status_name(status);

    page_text(item, "status", name);
    str_reset(&x->scratch);
    str_addf(&x->scratch, "status.%s", name);
    page_text(item, "status_text", locale_text(x->locale, x->scratch.s));
    page_flag(item, "is_final", request_is_final(status));
    page_flag(item, "is_completed", status == REQUEST_COMPLETED);
    page_flag(item, "is_failed", status == REQUEST_FAILED);
    page_flag(item, "is_cancelled", status == REQUEST_CANCELLED);
    page_flag(item, "needs_code", status == REQUEST_OTP_REQUIRED);
}

/* One whose service is not offered any more has no page to lead to. */
static void add_item(void *ctx, const struct request *rq)
{
    struct listing *l = ctx;
    struct exchange *x = l->x;
    const struct service *service = services_find(x->seat->app.house->services, request_slug(rq));
    struct json_object *item;
    const char *started;

    if (!service)
        return;
    item = page_item(l->list);
    page_text(item, "hash", rq->hash);
    page_text(item, "title", text_in(service->title, x->locale));
    str_reset(&x->scratch);
    view_add_place(&x->scratch, rq);
    page_text(item, "url", x->scratch.s);
    str_reset(&x->scratch);
    str_addf(&x->scratch, "/services/%s/delete/%s", service->slug, rq->hash);
    page_text(item, "delete_url", x->scratch.s);
    add_state(x, item, rq->status);
    page_message(x, item, document_value(&rq->doc, DOC_MESSAGE));
    started = page_raw(x, document_value(&rq->doc, DOC_STARTED));
    page_text(item, "started_at", started ? page_time(x, span_of(started)) : NULL);
}

/* Who has no stored session has made no request. */
enum problem page_requests(struct exchange *x)
{
    struct json_object *data = page_data();
    struct listing listing = { x, page_list(data, "requests") };
    struct span owner = span_of(x->session.owner);

    if (x->session.known && request_each_of(&x->seat->app, owner, span_of(x->session.user_id), add_item, &listing, &x->err) < 0) {
        json_object_put(data);
        return exchange_fail(x);
    }
    page_flag(data, "has_requests", json_object_array_length(listing.list) > 0);
    page_flag(data, "is_deleted", span_is(form_get(&x->query, "deleted"), "1"));
    page_answer(x, 200, "requests", locale_text(x->locale, "title.requests"), data);
    return PROBLEM_NONE;
}

/* --- deleting --- */

#define AFTERWARDS SPAN("/requests?deleted=1")

/* One that is gone meanwhile is what was wanted. */
enum problem page_delete(struct exchange *x)
{
    x->has_request = false; /* what it borrowed ends with the next exchange */
    if (request_forget(&x->seat->app, x->hash, &x->err) < 0)
        return exchange_fail(x);
    page_redirect(x, AFTERWARDS);
    return PROBLEM_NONE;
}

enum problem page_delete_all(struct exchange *x)
{
    if (x->session.known &&
        request_forget_all(&x->seat->app, span_of(x->session.owner), span_of(x->session.user_id), &x->err) < 0)
        return exchange_fail(x);
    page_redirect(x, AFTERWARDS);
    return PROBLEM_NONE;
}
