/* http.h: HTTP/1.1 requests to other programs, thousands at once, on the caller's libuv loop (libcurl multi).
 * Nothing here blocks and nothing is thread-safe: one loop, one thread, one struct http. Redirects are never
 * followed, proxies of the environment and cookies never used, only http and https spoken. There is no total
 * time-out: whoever calls keeps its own timer and uses http_cancel(). Nothing is sent twice: only GET and HEAD use
 * a kept connection. The program calls curl_global_init() before it starts threads (http_new does it too). */
#ifndef PEYGIR_HTTP_H
#define PEYGIR_HTTP_H

#include "base/str.h"

#include <stdint.h>
#include <uv.h>

struct http;
struct http_call;

enum http_outcome {
    HTTP_ANSWERED,  /* a whole response, whatever its status */
    HTTP_REFUSED,   /* no connection (refused, unknown host, connect time-out, TLS, bad URL): nothing was sent */
    HTTP_BROKEN,    /* reset, closed early, too slow or not HTTP after sending began: the other side may have acted */
    HTTP_TOO_LARGE, /* the body went over max_body_bytes, packed or unpacked; the rest was not read */
    HTTP_CANCELLED  /* by http_cancel() or http_free() */
};

struct http_result {
    enum http_outcome outcome;
    int status;               /* 200 ...; 0 unless ANSWERED or TOO_LARGE */
    struct span body;         /* ANSWERED; NUL-terminated as well; empty body: len 0 */
    struct span etag, last_modified; /* ANSWERED, as sent; absent: .s == NULL */
    int64_t retry_after_s;    /* ANSWERED: of Retry-After, seconds or a date; 0: absent, or over */
    struct span content_type; /* as sent ("application/json; charset=utf-8"); absent: .s == NULL */
    char error[400];          /* one sentence without a final stop that names host and reason; "" when ANSWERED */
};

/* The result and all it points to live until done returns. done may start and cancel calls (not while http_free()
 * runs), not call http_free(). */
typedef void (*http_done)(void *ctx, const struct http_result *result);

struct http_request {
    const char *method;         /* NULL: http_post sends POST, http_send GET */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    struct span body;           /* copied; absent: none is sent (a POST then has Content-Length: 0) */
    int connect_timeout_ms;     /* 0: 5000 */
    int total_timeout_ms;       /* 0: none */
    size_t max_body_bytes;      /* 0: 1 MiB */
};

/* max_connections: simultaneous ones at most, calls beyond it wait their turn (0: no limit). Never NULL. The loop
 * is borrowed. */
struct http *http_new(uv_loop_t *loop, size_t max_connections);
/* The same, for calls to strangers: it connects to public addresses only (address_is_public), whatever name stands for them and
 * whenever that is resolved; any other is REFUSED. */
struct http *http_new_public(uv_loop_t *loop, size_t max_connections);
/* Every call that is still out gets HTTP_CANCELLED from within http_free. Its handles are closed by the loop: run
 * the loop once more (uv_run) before uv_loop_close. NULL is harmless. */
void http_free(struct http *h);

/* Start a call; everything in rq is copied. done is called exactly once, from the loop, never from within these
 * functions. The returned handle is valid until done was called. Never NULL: also a bad URL is reported by done. */
struct http_call *http_send(struct http *h, const struct http_request *rq, http_done done, void *ctx);
struct http_call *http_post(struct http *h, const struct http_request *rq, http_done done, void *ctx);
/* Close the call's connection at once; done is called with HTTP_CANCELLED from the loop soon. Cancelling twice is
 * harmless. */
void http_cancel(struct http_call *call);
/* Calls whose done was not called yet. */
size_t http_calls(const struct http *h);

#endif
