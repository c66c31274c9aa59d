/* multi.h: libcurl's multi interface on the caller's libuv loop, for whoever makes calls with it (http.h, smtp.h).
 * curl says which sockets to watch and when it wants to be woken; libuv says when that happened; then curl goes on with
 * all calls. Nothing here blocks and nothing is thread-safe: one loop, one thread, one struct multi. */
#ifndef PEYGIR_MULTI_H
#define PEYGIR_MULTI_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <uv.h>

struct multi;

/* A call is on exactly one list: waiting (for a free place), out (in curl's hands), cancelled (`ended` comes soon). */
struct multi_call {
    TAILQ_ENTRY(multi_call) link;
    enum { MULTI_WAITING, MULTI_OUT, MULTI_CANCELLED, MULTI_ENDED } state;
    struct multi *multi;
    CURL *easy;
    /* Called exactly once, from the loop, never from within these functions, the easy handle being the caller's again;
     * the call may be freed by it. It may start and cancel calls (not while multi_free() runs), not call multi_free(). */
    void (*ended)(struct multi_call *call, bool cancelled, CURLcode code);
    /* NULL, or called once as soon as curl has done its part well (CURLOPT_CONNECT_ONLY): the call stays out, with its
     * connection, until multi_close() or multi_cancel(). */
    void (*connected)(struct multi_call *call);
};

/* max_out: calls that are out at most, those beyond it wait their turn (0: no limit). Never NULL. The loop is borrowed. */
struct multi *multi_new(uv_loop_t *loop, size_t max_out);
/* Every call that has not ended ends as cancelled from within multi_free. Its handles are closed by the loop: run the loop
 * once more (uv_run) before uv_loop_close. NULL is harmless. */
void multi_free(struct multi *m);

/* `ended`, and `connected` where it is used, are set before; the easy handle (its CURLOPT_PRIVATE is taken) and the call are
 * the caller's, and stay until `ended`. */
void multi_start(struct multi *m, struct multi_call *call, CURL *easy);
/* Close its connection at once; `ended` is called as cancelled from the loop soon. Cancelling twice is harmless. */
void multi_cancel(struct multi_call *call);
/* One that is connected has ended by itself: close its connection. `ended` is not called any more. */
void multi_close(struct multi_call *call);
/* Calls that have not ended. */
size_t multi_calls(const struct multi *m);

#endif
