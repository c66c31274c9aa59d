/* handler_fetch.c: the fetch handler: an answer of a source of external data into the cache. What to ask for and what an answer means for the cache is
 * core's (core/source_fetch.h), on the pool's threads; in between this makes the call. */
#include "base/clock.h"
#include "base/rnd.h"
#include "core/job.h"
#include "core/pool.h"
#include "core/source_fetch.h"
#include "net/http.h"
#include "worker/answer.h"
#include "worker/breaker.h"
#include "worker/handler.h"

#include <strings.h>

enum { CONNECT_MS = 5000, TOTAL_MS = 15000 };

/* ASKING and KEEPING are the pool's, CALLING is the loop's. */
struct call {
    const struct workshop *shop;
    const struct job *job; /* the carrier's; stays until done */
    void (*progress)(void *ctx, int progress, const char *message);
    call_done done;
    void *ctx;
    bool cancelled;
    struct http_call *http; /* CALLING; else NULL */
    int fetch_it;
    struct source_fetch fetch;
    struct source_answer answer;
    struct str body, etag, modified; /* back the answer */
    char detail[400], breaker[80];
};

/* --- its end --- */

static void add_result(const struct source_fetch *f, struct str *out)
{
    static const char *const words[] = { [SOURCE_STORED] = "stored", [SOURCE_UNCHANGED] = "unchanged", [SOURCE_NOT_FOUND] = "not_found", [SOURCE_THERE] = "there" };

    str_addf(out, "{\"status\":\"success\",\"data\":{\"outcome\":\"%s\",\"key\":", words[f->verdict]);
    str_add_json(out, f->name.s, f->name.len);
    str_addf(out, ",\"bytes\":%zu}}", f->bytes);
}

/* What waits for the same moment does not come back all at once. */
static int64_t apart(int64_t wait_ms)
{
    return wait_ms + rnd_below((uint32_t)(wait_ms / 8) + 1);
}

static void finish(void *ctx)
{
    struct call *call = ctx;
    const struct source_fetch *f = &call->fetch;
    struct call_result result = { .end = CALL_ANSWERED, .detail = f->why.text };
    struct str text = STR_INIT;

    if (f->verdict == SOURCE_LATER)
        result = (struct call_result){ .end = CALL_LATER, .later_ms = apart(f->wait_ms), .detail = f->why.text };
    else if (f->verdict == SOURCE_FAILED && f->retryable)
        result.end = CALL_BROKEN;
    else if (f->verdict == SOURCE_FAILED)
        answer_add_error(&text, f->code, f->why.text, false); /* trying again would not help */
    else
        add_result(f, &text);
    result.answer = (struct span){ text.s, text.len };
    if (call->cancelled)
        result = (struct call_result){ .end = CALL_CANCELLED, .detail = "The call was cancelled." };
    if (result.end == CALL_LATER && call->progress && f->why.text[0])
        call->progress(call->ctx, -1, f->why.text); /* whoever looks at the job reads why it waits */
    call->done(call->ctx, &result);
    str_free(&text);
    str_free(&call->body);
    str_free(&call->etag);
    str_free(&call->modified);
    source_fetch_clear(&call->fetch);
    free(call);
}

static void drop(struct app *app, void *ctx)
{
    struct call *call = ctx;

    source_fetch_drop(app, &call->fetch);
}

/* What was cancelled gives its claim back; where the worker stops, the job goes on elsewhere, with the same claim. */
static void end(struct call *call)
{
    if (call->cancelled && !call->shop->stopping && call->fetch.claim[0])
        pool_run(call->shop->pool, drop, finish, call);
    else
        finish(call);
}

/* --- KEEPING --- */

static void keep(struct app *app, void *ctx)
{
    struct call *call = ctx;

    source_fetch_end(app, &call->fetch, &call->answer);
}

static void kept(void *ctx)
{
    struct call *call = ctx;

    if (call->answer.word != SOURCE_BARRED)
        breakers_tell(call->shop->breakers, call->breaker, call->fetch.broken ? BREAKER_BAD : BREAKER_GOOD, clock_mono_ms());
    end(call);
}

/* --- CALLING --- */

static bool is_json_type(struct span type)
{
    size_t len = 0;

    while (len < type.len && type.s[len] != ';' && type.s[len] != ' ')
        len++;
    if (len == 0)
        return true; /* it says nothing: its bytes decide */
    return len >= 5 && (strncasecmp(type.s + len - 5, "/json", 5) == 0 || strncasecmp(type.s + len - 5, "+json", 5) == 0);
}

/* What a status means; the first row that fits. */
static const struct {
    int from, to;
    enum source_word word;
    const char *more;
} statuses[] = {
    { 200, 200, SOURCE_SAYS_DATA, "" },
    { 304, 304, SOURCE_SAYS_SAME, "" },
    { 300, 399, SOURCE_SAYS_NONSENSE, "; redirects are not followed" },
    { 404, 404, SOURCE_SAYS_NOTHING, "" },
    { 408, 408, SOURCE_SAYS_NONSENSE, "" },
    { 410, 410, SOURCE_SAYS_NOTHING, "" },
    { 425, 425, SOURCE_SAYS_NONSENSE, "" },
    { 429, 429, SOURCE_SAYS_WAIT, " and wants to be left alone for a while" },
    { 400, 499, SOURCE_SAYS_NO, "" },
    { 0, 999, SOURCE_SAYS_NONSENSE, "" },
};

static void read_status(struct call *call, const struct http_result *r)
{
    const struct source_fetch *f = &call->fetch;
    bool asked_again = f->etag.len || f->modified.len;
    size_t i = 0;

    while (r->status < statuses[i].from || r->status > statuses[i].to)
        i++;
    call->answer.word = statuses[i].word;
    if (r->status == 503 && r->retry_after_s > 0)
        call->answer.word = SOURCE_SAYS_WAIT;
    if (call->answer.word == SOURCE_SAYS_SAME && !asked_again)
        call->answer.word = SOURCE_SAYS_NONSENSE;
    snprintf(call->detail, sizeof call->detail, "answered with status %d%s", r->status, statuses[i].more);
    if (call->answer.word == SOURCE_SAYS_DATA && !is_json_type(r->content_type)) {
        call->answer.word = SOURCE_SAYS_NONSENSE;
        snprintf(call->detail, sizeof call->detail, "answered with something that does not call itself JSON (Content-Type)");
    }
}

static struct span copy(struct str *out, struct span value)
{
    if (!value.s)
        return value;
    str_reset(out);
    str_add_span(out, value);
    return (struct span){ out->s, out->len };
}

static void answered(void *ctx, const struct http_result *r)
{
    struct call *call = ctx;

    call->http = NULL;
    if (call->cancelled) {
        breakers_tell(call->shop->breakers, call->breaker, BREAKER_OFF, clock_mono_ms());
        end(call);
        return;
    }
    call->answer = (struct source_answer){ .word = SOURCE_SAYS_NONSENSE, .detail = call->detail, .wait_s = r->retry_after_s };
    if (r->outcome == HTTP_ANSWERED)
        read_status(call, r);
    else
        snprintf(call->detail, sizeof call->detail, "gave no answer that can be used: %.340s", r->error);
    call->answer.body = copy(&call->body, r->body);
    call->answer.etag = copy(&call->etag, r->etag);
    call->answer.modified = copy(&call->modified, r->last_modified);
    pool_run(call->shop->pool, keep, kept, call);
}

static char *validator(const char *name, const struct str *value)
{
    return value->len ? xasprintf("%s: %s", name, value->s) : NULL;
}

/* Has the file a header of this name? */
static bool is_named(char *const *own, const char *header)
{
    size_t len = strcspn(header, ":") + 1;

    for (size_t i = 0; own && own[i]; i++)
        if (strncasecmp(own[i], header, len) == 0)
            return true;
    return false;
}

/* What the file names is sent as it says, and once. */
static void send_call(struct call *call, struct http *http)
{
    static const char *const usual[] = { "Accept: application/json", "User-Agent: peygir/" PACKAGE_VERSION };
    const struct source_fetch *f = &call->fetch;
    char *const *own = f->call.method->source->headers;
    char *match = validator("If-None-Match", &f->etag), *since = validator("If-Modified-Since", &f->modified);
    const char *headers[32] = { NULL };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (!is_named(own, usual[i]))
            headers[n++] = usual[i];
    for (size_t i = 0; own && own[i]; i++)
        headers[n++] = own[i];
    if (match)
        headers[n++] = match;
    if (since)
        headers[n++] = since;
    if (f->request.header.len)
        headers[n++] = f->request.header.s;
    call->http = http_send(http, &(struct http_request){ .url = f->request.url.s, .headers = headers, .connect_timeout_ms = CONNECT_MS,
                                                         .total_timeout_ms = TOTAL_MS, .max_body_bytes = SOURCE_BODY_MAX }, answered, call);
    free(match);
    free(since);
}

/* --- ASKING --- */

static void ask(struct app *app, void *ctx)
{
    struct call *call = ctx;
    const char *payload = call->job->payload ? call->job->payload : "";

    call->fetch_it = source_fetch_begin(app, &call->fetch, span_of(payload), call->job->created_ms);
}

static void asked(void *ctx)
{
    struct call *call = ctx;
    const struct workshop *shop = call->shop;
    const struct source *source;
    int64_t rest_ms;

    if (!call->fetch_it || call->cancelled) {
        end(call);
        return;
    }
    source = call->fetch.call.method->source;
    snprintf(call->breaker, sizeof call->breaker, "source:%s", source->name);
    rest_ms = breakers_ask(shop->breakers, call->breaker, clock_mono_ms());
    if (rest_ms > 0) {
        call->answer = (struct source_answer){ .word = SOURCE_BARRED, .wait_s = (rest_ms + 999) / 1000, .detail = "fails again and again and is left alone for a while" };
        pool_run(shop->pool, keep, kept, call);
    } else {
        send_call(call, source_may_be_private(source, shop->house->settings) ? shop->http : shop->http_public);
    }
}

static void *start(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    struct call *call = xcalloc(1, sizeof *call);

    *call = (struct call){ .shop = shop, .job = order->job, .progress = order->progress, .done = done, .ctx = ctx };
    pool_run(shop->pool, ask, asked, call);
    return call;
}

/* A thread that has it in its hands brings it back soon. */
static void cancel(void *handle)
{
    struct call *call = handle;

    call->cancelled = true;
    if (call->http)
        http_cancel(call->http);
}

const struct handler handler_fetch = {
    .name = "fetch",
    .needs = "A payload {\"source\", \"method\", \"params\"}, as etc/sources has them.",
    .promises = "One GET at most, to the source's own address, redirects not followed, at most 4 MiB; only a good answer replaces what is kept.",
    .start = start,
    .cancel = cancel,
};
