/* http.c: HTTP calls, each a handle of libcurl that multi.h carries on the loop. */
#include "net/http.h"

#include "base/address.h"
#include "net/multi.h"

#include <strings.h>
#include <sys/socket.h>

#define CONNECT_MS 5000L
#define BODY_BYTES_MAX (1024 * 1024)
#define HEADER_BYTES_MAX (64 * 1024)
#define RECEIVE_BYTES 4096L /* buffer of each call: thousands wait at once, few receive */

struct http_call {
    struct multi_call place; /* first, so that a place is its call */
    CURL *easy;
    struct curl_slist *headers;
    http_done done;
    void *ctx;
    size_t max_body_bytes;
    size_t header_bytes;
    bool too_large;
    bool forbidden; /* its host has an address that is not public */
    struct str body, etag, last_modified;
    char host[128]; /* and port: for errors */
    char reason[CURL_ERROR_SIZE];
};

struct http {
    struct multi *multi;
    bool public_only;
};

/* --- results --- */

static void free_call(struct http_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    str_free(&call->body);
    str_free(&call->etag);
    str_free(&call->last_modified);
    free(call);
}

/* The one place where done is called. */
static void report(struct http_call *call, struct http_result *result)
{
    call->done(call->ctx, result);
    free_call(call);
}

static void report_cancelled(struct http_call *call)
{
    struct http_result result = { .outcome = HTTP_CANCELLED };

    snprintf(result.error, sizeof(result.error), "The call to %s was cancelled", call->host);
    report(call, &result);
}

/* Whether bytes of the request went out decides between "safe to repeat" and "may have acted". */
static enum http_outcome outcome_of(const struct http_call *call, CURLcode code)
{
    long sent_bytes = 0;

    if (call->too_large)
        return HTTP_TOO_LARGE;
    if (code == CURLE_OK)
        return HTTP_ANSWERED;
    curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    return sent_bytes == 0 ? HTTP_REFUSED : HTTP_BROKEN;
}

static const char *reason_of(const struct http_call *call, CURLcode code)
{
    if (call->too_large)
        return "the answer is larger than allowed";
    if (call->header_bytes > HEADER_BYTES_MAX)
        return "the headers of the answer are larger than allowed";
    if (code == CURLE_OUT_OF_MEMORY) /* so curl calls a line that is longer than it takes */
        return "a line of the answer's head is longer than allowed";
    if (call->forbidden)
        return "its address is not a public one";
    return *call->reason ? call->reason : curl_easy_strerror(code);
}

static struct span span_if(const struct str *text)
{
    return (struct span){ text->len ? text->s : NULL, text->len };
}

static void report_answer(struct http_call *call, struct http_result *result)
{
    curl_off_t retry_s = 0;
    char *type = NULL;

    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_s);
    result->content_type = span_of(type);
    result->etag = span_if(&call->etag);
    result->last_modified = span_if(&call->last_modified);
    result->retry_after_s = retry_s > 0 ? retry_s : 0;
    result->body = (struct span){ call->body.s ? call->body.s : "", call->body.len };
}

static void report_end(struct http_call *call, CURLcode code)
{
    struct http_result result = { .outcome = outcome_of(call, code) };
    long status = 0;

    if (result.outcome == HTTP_ANSWERED || result.outcome == HTTP_TOO_LARGE) {
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        result.status = (int)status;
    }
    if (result.outcome == HTTP_ANSWERED) {
        report_answer(call, &result);
    } else {
        snprintf(result.error, sizeof(result.error), "%s: %s", call->host, reason_of(call, code));
    }
    report(call, &result);
}

static void on_ended(struct multi_call *place, bool cancelled, CURLcode code)
{
    struct http_call *call = (struct http_call *)place;

    if (cancelled)
        report_cancelled(call);
    else
        report_end(call, code);
}

/* --- one call --- */

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    size_t len = size * count;

    if (len > call->max_body_bytes - call->body.len) {
        call->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    str_add(&call->body, data, len);
    return len;
}

/* Bytes that came, still packed: an answer without end may unpack to nothing. */
static int on_progress(void *ctx, curl_off_t to_come, curl_off_t come, curl_off_t to_go, curl_off_t gone)
{
    struct http_call *call = ctx;

    (void)to_come;
    (void)to_go;
    (void)gone;
    call->too_large |= (uint64_t)come > call->max_body_bytes;
    return call->too_large;
}

/* The value of "Name: value" and a line's end, where it has this name. */
static void keep_header(struct span line, const char *name, struct str *out)
{
    size_t len = strlen(name);

    if (line.len < len || strncasecmp(line.s, name, len) != 0)
        return;
    line.s += len;
    line.len -= len;
    while (line.len > 0 && (*line.s == ' ' || *line.s == '\t')) {
        line.s++;
        line.len--;
    }
    while (line.len > 0 && strchr(" \t\r\n", line.s[line.len - 1]))
        line.len--;
    str_reset(out);
    str_add_span(out, line);
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    struct span line = { data, size * count };

    keep_header(line, "etag:", &call->etag);
    keep_header(line, "last-modified:", &call->last_modified);
    call->header_bytes += size * count;
    return call->header_bytes > HEADER_BYTES_MAX ? CURL_WRITEFUNC_ERROR : size * count;
}

/* Asked with the very address that is connected to, so that no name can be one thing when it is looked at and another when it is used. */
static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_call *call = ctx;

    (void)purpose;
    if (!address_is_public(&address->addr)) {
        call->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void name_host(struct http_call *call, const char *url)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    char *port = NULL;

    snprintf(call->host, sizeof(call->host), "%s", "the given address");
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        snprintf(call->host, sizeof(call->host), "%s:%s", host, port);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
}

static void add_header(struct http_call *call, const char *header)
{
    struct curl_slist *list = curl_slist_append(call->headers, header);

    if (!list)
        abort();
    call->headers = list;
}

/* "Name:" alone takes away a header that curl would send of its own accord. */
static void set_headers(struct http_call *call, const char *const *header)
{
    bool has_type = false;

    for (; header && *header; header++) {
        has_type |= strncasecmp(*header, "content-type:", 13) == 0;
        add_header(call, *header);
    }
    add_header(call, "Expect:");
    if (!has_type)
        add_header(call, "Content-Type:");
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

/* curl repeats a request by itself when a kept connection turns out dead, even if the other side may have read it.
 * So only what is safe to repeat may use a kept connection. */
static void set_method(struct http_call *call, const char *method, struct span body)
{
    bool safe = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    if (body.s || !safe) {
        curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, body.s ? body.s : "");
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, safe ? 0L : 1L);
    curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, safe ? 0L : 1L);
}

static void set_manners(struct http_call *call, const struct http_request *rq, bool public_only)
{
    CURL *easy = call->easy;
    long connect_ms = rq->connect_timeout_ms ? rq->connect_timeout_ms : CONNECT_MS;

    curl_easy_setopt(easy, CURLOPT_URL, rq->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 15L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    if (rq->total_timeout_ms)
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)rq->total_timeout_ms);
    if (public_only) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
}

static struct http_call *send_call(struct http *h, const struct http_request *rq, const char *method, http_done done,
                                   void *ctx)
{
    struct http_call *call = xcalloc(1, sizeof(*call));

    call->done = done;
    call->ctx = ctx;
    call->max_body_bytes = rq->max_body_bytes ? rq->max_body_bytes : BODY_BYTES_MAX;
    call->easy = curl_easy_init();
    if (!call->easy)
        abort();
    name_host(call, rq->url);
    set_manners(call, rq, h->public_only);
    set_headers(call, rq->headers);
    set_method(call, rq->method ? rq->method : method, rq->body);
    call->place.ended = on_ended;
    multi_start(h->multi, &call->place, call->easy);
    return call;
}

struct http_call *http_send(struct http *h, const struct http_request *rq, http_done done, void *ctx)
{
    return send_call(h, rq, "GET", done, ctx);
}

struct http_call *http_post(struct http *h, const struct http_request *rq, http_done done, void *ctx)
{
    return send_call(h, rq, "POST", done, ctx);
}

void http_cancel(struct http_call *call)
{
    multi_cancel(&call->place);
}

size_t http_calls(const struct http *h)
{
    return multi_calls(h->multi);
}

/* --- the whole --- */

struct http *http_new(uv_loop_t *loop, size_t max_connections)
{
    struct http *h = xcalloc(1, sizeof(*h));

    h->multi = multi_new(loop, max_connections);
    return h;
}

struct http *http_new_public(uv_loop_t *loop, size_t max_connections)
{
    struct http *h = http_new(loop, max_connections);

    h->public_only = true;
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    multi_free(h->multi);
    free(h);
}
