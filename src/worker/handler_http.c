/* handler_http.c: the http handler: a bot behind LOCAL_API_URL (contract 6) */
#include "net/http.h"
#include "worker/handler.h"

struct call {
    struct http_call *http;
    call_done done;
    void *ctx;
};

/* What an HTTP status means for the body. A redirect is not followed: a bot answers where it is called. */
static struct call_result read_status(const struct http_result *r, char *detail, size_t size)
{
    snprintf(detail, size, "The bot answered with status %d.", r->status);
    if (r->status >= 200 && r->status < 300)
        return (struct call_result){ .end = CALL_ANSWERED, .answer = r->body, .detail = "" };
    if (r->status >= 400 && r->status < 500)
        return (struct call_result){ .end = CALL_ANSWERED, .answer = r->body, .errors_only = true, .detail = detail };
    return (struct call_result){ .end = r->status >= 500 ? CALL_BROKEN : CALL_INVALID, .detail = detail };
}

static void answered(void *ctx, const struct http_result *r)
{
    static const enum call_end ends[] = { [HTTP_ANSWERED] = CALL_ANSWERED, [HTTP_REFUSED] = CALL_REFUSED,
                                          [HTTP_BROKEN] = CALL_BROKEN,     [HTTP_TOO_LARGE] = CALL_INVALID,
                                          [HTTP_CANCELLED] = CALL_CANCELLED };
    struct call *call = ctx;
    char detail[64];
    struct call_result result = { .end = ends[r->outcome], .detail = r->error };
    if (r->outcome == HTTP_ANSWERED)
        result = read_status(r, detail, sizeof detail);
    call->done(call->ctx, &result);
    free(call);
}

static void *start(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    struct call *call = xmalloc(sizeof *call);
    struct str url = STR_INIT, job = STR_INIT, run = STR_INIT, language = STR_INIT;
    *call = (struct call){ .done = done, .ctx = ctx };
    str_adds(&url, shop->api_url);
    str_adds(&url, order->path);
    str_adds(&job, "Peygir-Job: "); /* ids come from any producer: escaped, so that none ends the header */
    str_add_url(&job, order->job_id, strlen(order->job_id));
    str_addf(&run, "Peygir-Run: %lld", (long long)order->run);
    str_adds(&language, "Accept-Language: ");
    str_add_span(&language, order->locale);
    const char *headers[] = { "Content-Type: application/json", "Accept: application/json", job.s, run.s,
                              order->locale.len > 0 ? language.s : NULL, NULL };
    call->http = http_post(shop->http, &(struct http_request){ .url = url.s, .headers = headers, .body = order->body },
                           answered, call);
    str_free(&url);
    str_free(&job);
    str_free(&run);
    str_free(&language);
    return call;
}

static void cancel(void *handle)
{
    http_cancel(((struct call *)handle)->http);
}

const struct handler handler_http = {
    .name = "http",
    .needs = "A bot that answers POST LOCAL_API_URL/api/services/{slug}.",
    .promises = "One call, redirects not followed, at most 1 MiB of answer; 2xx and errors in 4xx are its word.",
    .start = start,
    .cancel = cancel,
};
