/* handler_webhook.c: the webhook handler: an API client is called (core/webhook.h). Two steps: a thread of the pool reads whether the client's
 * token still holds and may be called there; then the call is made on the loop. */
#include "base/clock.h"
#include "base/json.h"
#include "base/raw.h"
#include "core/job.h"
#include "core/pool.h"
#include "core/token.h"
#include "core/webhook.h"
#include "net/http.h"
#include "worker/answer.h"
#include "worker/breaker.h"
#include "worker/handler.h"

enum { GONE = 410, ANSWER_BYTES = 16 * 1024, CONNECT_MS = 5000, TOTAL_MS = 10000 };

struct call {
    const struct workshop *shop;
    const struct job *job; /* the carrier's; stays until done */
    call_done done;
    void *ctx;
    struct http_call *http; /* NULL: the token is being read */
    bool cancelled;
    struct str url, digest, addresses;
    struct span event;
    const char *wrong; /* with the payload; NULL: it is good */
    int found; /* of token_callbacks */
    struct str origin; /* "webhook:https://host:port": what is left alone when it fails again and again, whoever's requests tell it */
    struct str answer;
    struct err err;
};

static void finish(struct call *call, const struct call_result *result)
{
    call->done(call->ctx, result);
    str_free(&call->url);
    str_free(&call->digest);
    str_free(&call->addresses);
    str_free(&call->origin);
    str_free(&call->answer);
    free(call);
}

static void answer(struct call *call, const char *text)
{
    finish(call, &(struct call_result){ .end = CALL_ANSWERED, .answer = span_of(text), .detail = "" });
}

/* Calling again would not help. */
static void refuse(struct call *call, const char *code, const char *sentence)
{
    answer_add_error(&call->answer, code, sentence, false);
    answer(call, call->answer.s);
}

/* --- the call --- */

/* A client that refuses what it is told is well. */
static enum breaker_word word_of(const struct http_result *r)
{
    if (r->outcome == HTTP_CANCELLED)
        return BREAKER_OFF;
    return r->outcome == HTTP_REFUSED || r->outcome == HTTP_BROKEN || r->status >= 500 ? BREAKER_BAD : BREAKER_GOOD;
}

static void answered(void *ctx, const struct http_result *r)
{
    static const enum call_end ends[] = { [HTTP_REFUSED] = CALL_REFUSED, [HTTP_BROKEN] = CALL_BROKEN, [HTTP_CANCELLED] = CALL_CANCELLED };
    struct call *call = ctx;
    char detail[64];
    breakers_tell(call->shop->breakers, call->origin.s, word_of(r), clock_mono_ms());
    if (r->outcome != HTTP_ANSWERED && r->outcome != HTTP_TOO_LARGE) {
        finish(call, &(struct call_result){ .end = ends[r->outcome], .detail = r->error });
    } else if (r->status >= 200 && r->status < 300) {
        answer(call, "{\"status\":\"success\"}");
    } else if (r->status == GONE) {
        refuse(call, "gone", "The client wishes no more calls: it answered with status 410.");
    } else {
        snprintf(detail, sizeof detail, "The client answered with status %d.", r->status);
        finish(call, &(struct call_result){ .end = CALL_BROKEN, .detail = detail });
    }
}

static void call_client(struct call *call)
{
    int64_t now_s = house_now_ms(call->shop->house) / 1000;
    struct str id = STR_INIT, time = STR_INIT, signature = STR_INIT;
    str_addf(&id, "webhook-id: %s", call->job->id);
    str_addf(&time, "webhook-timestamp: %lld", (long long)now_s);
    str_adds(&signature, "webhook-signature: ");
    webhook_add_signatures(&signature, call->shop->house->secret, call->digest.s, call->job->id, now_s, call->event);
    const char *headers[] = { "Content-Type: application/json", id.s, time.s, signature.s, NULL };
    call->http = http_post(call->shop->http, &(struct http_request){ .url = call->url.s, .headers = headers, .body = call->event, .connect_timeout_ms = CONNECT_MS,
                                                                     .total_timeout_ms = TOTAL_MS, .max_body_bytes = ANSWER_BYTES }, answered, call);
    str_free(&id);
    str_free(&time);
    str_free(&signature);
}

/* --- may it be called? --- */

static void work(struct app *app, void *ctx)
{
    struct call *call = ctx;
    if (!call->wrong)
        call->found = token_callbacks(app, call->digest.s, &call->addresses, &call->err);
}

/* One that hangs must not hold the places of all. */
static void call_or_wait(struct call *call)
{
    int64_t rest_ms = breakers_ask(call->shop->breakers, call->origin.s, clock_mono_ms());
    if (rest_ms > 0)
        finish(call, &(struct call_result){ .end = CALL_LATER, .later_ms = rest_ms, .detail = "The client fails again and again and is left alone for a while." });
    else
        call_client(call);
}

static void worked(void *ctx)
{
    struct call *call = ctx;
    if (call->cancelled)
        finish(call, &(struct call_result){ .end = CALL_CANCELLED, .detail = "The call was cancelled." });
    else if (call->wrong)
        refuse(call, "invalid_payload", call->wrong);
    else if (call->found < 0)
        finish(call, &(struct call_result){ .end = call->err.kind == ERR_AWAY ? CALL_REFUSED : CALL_BROKEN, .detail = call->err.text });
    else if (call->found == 0)
        refuse(call, "revoked", "The client's token was revoked.");
    else if (!webhook_allows((struct span){ call->addresses.s, call->addresses.len }, (struct span){ call->url.s, call->url.len }))
        refuse(call, "not_allowed", "The client may not be called there.");
    else
        call_or_wait(call);
}

/* Ids come from any producer: one that ends a header is none of ours. */
static bool is_ours(const char *id)
{
    return strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == strlen(id);
}

/* NULL, or why nobody can be called. */
static const char *read_payload(struct call *call)
{
    struct span payload = span_of(call->job->payload ? call->job->payload : "");
    if (!is_ours(call->job->id) || json_check(payload.s, payload.len, NULL) < 0 ||
        !webhook_read_listener(raw_get(payload, "listener"), &call->url, &call->digest) || !(call->event = raw_get(payload, "event")).s)
        return "The job is none that a request pushes: its payload must be {listener: {url, token}, event}.";
    str_adds(&call->origin, "webhook:");
    webhook_add_origin(&call->origin, (struct span){ call->url.s, call->url.len });
    return call->shop->house->secret ? NULL : "The worker has no PEYGIR_SECRET_FILE, with which calls to clients are signed.";
}

static void *start(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    struct call *call = xcalloc(1, sizeof *call);
    *call = (struct call){ .shop = shop, .job = order->job, .done = done, .ctx = ctx };
    call->wrong = read_payload(call);
    pool_run(shop->pool, work, worked, call);
    return call;
}

static void cancel(void *handle)
{
    struct call *call = handle;
    call->cancelled = true;
    if (call->http)
        http_cancel(call->http);
}

const struct handler handler_webhook = {
    .name = "webhook",
    .needs = "A payload as core/listener.h makes it, for an API client whose token may be called there; PEYGIR_SECRET_FILE.",
    .promises = "One signed POST, redirects not followed; 2xx is success, 410 is for good, all else is tried again.",
    .start = start,
    .cancel = cancel,
};
