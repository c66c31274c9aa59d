/* handler_notify.c: the notify handler: an event that a user is notified of (core/notice.h), or a plain message to a user, or to everybody
 * (contract 4.2) */
#include "base/json.h"
#include "core/job.h"
#include "core/notice.h"
#include "core/notify.h"
#include "worker/answer.h"
#include "worker/handler.h"
#include "core/pool.h"

struct call {
    const struct job *job; /* the carrier's; stays until done */
    call_done done;
    void *ctx;
    bool cancelled;
    enum call_end end;
    struct str answer;
    struct err err;
};

/* The producer's mistake: sending it again would not help. */
static void refuse(struct call *call, const char *sentence)
{
    answer_add_error(&call->answer, "invalid_payload", sentence, false);
}

static bool absent(struct span value)
{
    return !value.s || span_is(value, "null");
}

/* A string, or a whole number as it stands there: producers have ids of both kinds. */
static bool read_user(struct span value, struct str *out)
{
    if (raw_string(value, out))
        return out->len > 0;
    str_add_span(out, value);
    return value.len > 0 && strspn(out->s, "0123456789") == out->len;
}

/* NULL, or what is wrong with the payload. Spans of *n are borrowed from payload, user and message. */
static const char *read_payload(struct span payload, struct notification *n, struct str *user, struct str *message)
{
    enum { USER, MESSAGE, DATA, MEMBERS };
    static const char *const names[MEMBERS] = { "user_id", "message", "data" };
    struct span value[MEMBERS];
    if (json_check(payload.s, payload.len, NULL) < 0 || raw_get_many(payload, names, value, MEMBERS) < 0)
        return "The payload must be a JSON object with message, and user_id and data as needed.";
    if (!value[MESSAGE].s || !raw_string(value[MESSAGE], message) || message->len == 0)
        return "The payload must have message, a text that is not empty, or name an event that there is.";
    if (!absent(value[USER]) && !read_user(value[USER], user))
        return "The payload's user_id must be a text or a whole number; without it the message goes to everybody.";
    if (user->len > 0)
        n->user_id = (struct span){ user->s, user->len };
    n->message = (struct span){ message->s, message->len };
    if (!absent(value[DATA]))
        n->data = value[DATA];
    return NULL;
}

/* What core says of it: 1 or 0 (there was nothing to tell any more), -1. */
static void conclude(struct call *call, int rc)
{
    if (rc >= 0)
        str_adds(&call->answer, rc > 0 ? "{\"status\":\"success\"}" : "{\"status\":\"success\",\"data\":{\"answered\":true}}");
    else if (call->err.kind == ERR_INVALID)
        refuse(call, call->err.text);
    else
        call->end = call->err.kind == ERR_AWAY ? CALL_REFUSED : CALL_BROKEN;
}

static void send_message(struct app *app, struct call *call, struct span payload)
{
    struct notification n = { .task_id = call->job->id };
    struct str user = STR_INIT, message = STR_INIT;
    const char *wrong = read_payload(payload, &n, &user, &message);
    if (wrong)
        refuse(call, wrong);
    else
        conclude(call, notify_send(app, &n, &call->err) < 0 ? -1 : 1);
    str_free(&user);
    str_free(&message);
}

static void work(struct app *app, void *ctx)
{
    struct call *call = ctx;
    struct span payload = span_of(call->job->payload ? call->job->payload : "");
    struct json_object *json = NULL;
    const struct notice *notice = NULL;
    if (json_parse(payload.s, payload.len, &json, NULL) == 0 && json_object_is_type(json, json_type_object))
        notice = notice_of_job(app->house, call->job, json);
    if (notice)
        conclude(call, notice_tell(app, notice, call->job, json, &call->err));
    else
        send_message(app, call, payload);
    json_object_put(json);
}

static void worked(void *ctx)
{
    struct call *call = ctx;
    struct call_result result = { .end = call->end, .detail = call->err.text };
    if (call->cancelled)
        result = (struct call_result){ .end = CALL_CANCELLED, .detail = "The call was cancelled." };
    else if (call->end == CALL_ANSWERED)
        result = (struct call_result){ .end = CALL_ANSWERED, .answer = { call->answer.s, call->answer.len }, .detail = "" };
    call->done(call->ctx, &result);
    str_free(&call->answer);
    free(call);
}

static void *start(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    struct call *call = xcalloc(1, sizeof *call);
    *call = (struct call){ .job = order->job, .done = done, .ctx = ctx, .end = CALL_ANSWERED };
    pool_run(shop->pool, work, worked, call);
    return call;
}

/* The thread has the job in its hands: done comes when it is back, after Redis's time-out at the latest. */
static void cancel(void *handle)
{
    ((struct call *)handle)->cancelled = true;
}

const struct handler handler_notify = {
    .name = "notify",
    .needs = "A payload {\"user_id\", \"message\", \"data\"}; without user_id it is for everybody. Or one that names an event, or a type that is one.",
    .promises = "One message on the general channel and the user's own; nobody needs to be listening. An event is also kept for its user.",
    .start = start,
    .cancel = cancel,
};
