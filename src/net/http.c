/* http.c: libcurl's multi interface on a libuv loop. curl says which sockets to watch and when it wants to be
 * woken; libuv says when that happened; then curl goes on with all calls. A call is on exactly one list: waiting
 * (for a free place), out (in curl's hands), cancelled (its done is called soon). */
#include "net/http.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <strings.h>
#include <sys/queue.h>

#define CONNECT_MS 5000L
#define BODY_BYTES_MAX (1024 * 1024)
#define HEADER_BYTES_MAX (64 * 1024)
#define RECEIVE_BYTES 4096L /* buffer of each call: thousands wait at once, few receive */
#define IDLE_CONNECTIONS 32L

struct http_call {
    TAILQ_ENTRY(http_call) link;
    enum { WAITING, OUT, CANCELLED, ENDED } state;
    struct http *http;
    CURL *easy;
    struct curl_slist *headers;
    http_done done;
    void *ctx;
    size_t max_body_bytes;
    size_t header_bytes;
    bool too_large;
    struct str body;
    char host[128]; /* and port: for errors */
    char reason[CURL_ERROR_SIZE];
};

TAILQ_HEAD(calls, http_call);

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;  /* curl's */
    uv_timer_t later;  /* delivers what was cancelled */
    int open_handles;  /* of the two */
    size_t max_out, out_count, count;
    struct calls waiting, out, cancelled;
};

struct watch {
    uv_poll_t poll; /* first, so that a handle is its watch */
    struct http *http;
    curl_socket_t fd;
};

/* --- results --- */

static void free_call(struct http_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    str_free(&call->body);
    free(call);
}

/* The one place where done is called: the call is on no list any more. */
static void report(struct http_call *call, struct http_result *result)
{
    call->state = ENDED;
    call->http->count--;
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
    return *call->reason ? call->reason : curl_easy_strerror(code);
}

static void report_end(struct http_call *call, CURLcode code)
{
    struct http_result result = { .outcome = outcome_of(call, code) };
    char *type = NULL;
    long status = 0;

    if (result.outcome == HTTP_ANSWERED || result.outcome == HTTP_TOO_LARGE) {
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        result.status = (int)status;
    }
    if (result.outcome == HTTP_ANSWERED) {
        curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
        result.content_type = span_of(type);
        result.body = (struct span){ call->body.s ? call->body.s : "", call->body.len };
    } else {
        snprintf(result.error, sizeof(result.error), "%s: %s", call->host, reason_of(call, code));
    }
    report(call, &result);
}

/* --- places --- */

static void check(CURLMcode code, const char *what)
{
    if (code == CURLM_OK)
        return;
    fprintf(stderr, "http: %s: %s\n", what, curl_multi_strerror(code));
    abort();
}

static void send_waiting(struct http *h)
{
    struct http_call *call;

    while ((call = TAILQ_FIRST(&h->waiting)) && (h->max_out == 0 || h->out_count < h->max_out)) {
        TAILQ_REMOVE(&h->waiting, call, link);
        TAILQ_INSERT_TAIL(&h->out, call, link);
        call->state = OUT;
        h->out_count++;
        check(curl_multi_add_handle(h->multi, call->easy), "a call cannot be started");
    }
}

/* Out of curl's hands; a connection that is in the middle of something is closed. */
static void take_back(struct http_call *call)
{
    struct http *h = call->http;

    TAILQ_REMOVE(&h->out, call, link);
    h->out_count--;
    check(curl_multi_remove_handle(h->multi, call->easy), "a call cannot be ended");
}

static void take_ended(struct http *h)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(h->multi, &left))) {
        struct http_call *call = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        take_back(call); /* the message is gone now */
        report_end(call, code);
    }
    send_waiting(h);
}

/* --- curl and libuv --- */

static void on_timer(uv_timer_t *timer);

static void start_timer(struct http *h, long timeout_ms)
{
    uv_update_time(h->loop);
    uv_timer_start(&h->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct http *h = timer->data;
    long timeout_ms = -1;
    int running;

    check(curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running), "time cannot be kept");
    take_ended(h);
    /* curl names a moment once; were this wake-up a little early, it would not ask again. */
    curl_multi_timeout(h->multi, &timeout_ms);
    if (timeout_ms >= 0 && !uv_is_active((uv_handle_t *)timer))
        start_timer(h, timeout_ms > 0 ? timeout_ms : 1);
}

static int on_timeout_wish(CURLM *multi, long timeout_ms, void *ctx)
{
    struct http *h = ctx;

    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&h->timer);
    else
        start_timer(h, timeout_ms);
    return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watch *w = (struct watch *)poll;
    struct http *h = w->http;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    int running;

    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    check(curl_multi_socket_action(h->multi, w->fd, what, &running), "a socket cannot be served");
    take_ended(h);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle);
}

static struct watch *new_watch(struct http *h, curl_socket_t fd)
{
    struct watch *w = xcalloc(1, sizeof(*w));

    w->http = h;
    w->fd = fd;
    if (uv_poll_init_socket(h->loop, &w->poll, fd) < 0) {
        free(w);
        return NULL;
    }
    curl_multi_assign(h->multi, fd, w);
    return w;
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *ctx, void *assigned)
{
    struct http *h = ctx;
    struct watch *w = assigned;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            uv_poll_stop(&w->poll);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
            curl_multi_assign(h->multi, fd, NULL);
        }
        return 0;
    }
    if (!w)
        w = new_watch(h, fd);
    return w && uv_poll_start(&w->poll, events, on_socket) == 0 ? 0 : -1;
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

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;

    (void)data;
    call->header_bytes += size * count;
    return call->header_bytes > HEADER_BYTES_MAX ? CURL_WRITEFUNC_ERROR : size * count;
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

static void set_manners(struct http_call *call, const struct http_request *rq)
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
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
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

    call->http = h;
    call->done = done;
    call->ctx = ctx;
    call->max_body_bytes = rq->max_body_bytes ? rq->max_body_bytes : BODY_BYTES_MAX;
    call->easy = curl_easy_init();
    if (!call->easy)
        abort();
    name_host(call, rq->url);
    set_manners(call, rq);
    set_headers(call, rq->headers);
    set_method(call, rq->method ? rq->method : method, rq->body);
    call->state = WAITING;
    TAILQ_INSERT_TAIL(&h->waiting, call, link);
    h->count++;
    send_waiting(h);
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

static void on_later(uv_timer_t *timer)
{
    struct http *h = timer->data;
    struct http_call *call;

    while ((call = TAILQ_FIRST(&h->cancelled))) {
        TAILQ_REMOVE(&h->cancelled, call, link);
        report_cancelled(call);
    }
    send_waiting(h);
}

void http_cancel(struct http_call *call)
{
    struct http *h = call->http;

    if (call->state == CANCELLED || call->state == ENDED)
        return;
    if (call->state == OUT)
        take_back(call);
    else
        TAILQ_REMOVE(&h->waiting, call, link);
    call->state = CANCELLED;
    TAILQ_INSERT_TAIL(&h->cancelled, call, link);
    uv_timer_start(&h->later, on_later, 0, 0);
}

size_t http_calls(const struct http *h)
{
    return h->count;
}

/* --- the whole --- */

static void open_timer(struct http *h, uv_timer_t *timer)
{
    uv_timer_init(h->loop, timer);
    timer->data = h;
    h->open_handles++;
}

struct http *http_new(uv_loop_t *loop, size_t max_connections)
{
    struct http *h = xcalloc(1, sizeof(*h));

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(h->multi = curl_multi_init()))
        abort();
    h->loop = loop;
    h->max_out = max_connections;
    TAILQ_INIT(&h->waiting);
    TAILQ_INIT(&h->out);
    TAILQ_INIT(&h->cancelled);
    open_timer(h, &h->timer);
    open_timer(h, &h->later);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wish);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
    return h;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http *h = handle->data;

    if (--h->open_handles == 0)
        free(h);
}

void http_free(struct http *h)
{
    struct http_call *call;

    if (!h)
        return;
    while ((call = TAILQ_FIRST(&h->waiting)) || (call = TAILQ_FIRST(&h->out)))
        http_cancel(call);
    on_later(&h->later);
    curl_multi_cleanup(h->multi);
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
    uv_close((uv_handle_t *)&h->later, on_timer_closed);
}
