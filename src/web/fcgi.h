/* fcgi.h: the FastCGI side: connections of nginx handed to worker threads. The only file that includes libfcgi is
 * fcgi.c.
 *
 *   acceptor ---- accept4 ----> one shared epoll (EPOLLONESHOT) <---- N workers: wait, read a request from each that
 *                                        ^                              is ready (FCGX_Accept_r), serve them, hand
 *                                        +------- armed again ----------- each back as soon as it is answered
 *
 * A worker takes what is ready, up to a batch: one request when little happens, several when all are busy, so that the
 * handler can ask Redis for all of them at once. What is left finds the next worker.
 *
 * An idle keep-alive connection costs no thread, and no connection is served twice before the others had their turn.
 * This layer knows no HTTP and no Redis. */
#ifndef PEYGIR_WEB_FCGI_H
#define PEYGIR_WEB_FCGI_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct fcgi;    /* the responder */
struct fcgi_io; /* one request, while it is served */

#define FCGI_BATCH 4 /* requests that wait for the slowest among them should be few */

struct fcgi_handler {
    void *(*open)(void *ctx); /* in each worker thread, before its first request */
    /* Answers each of the requests with fcgi_send once, in any order, or not at all (the peer is gone). */
    void (*serve)(void *seat, struct fcgi_io *const io[], size_t count);
    void (*rest)(void *seat); /* what can wait until the answers are on their way */
    void (*close)(void *seat);
    void *ctx;
    int batch;                /* 1 to FCGI_BATCH: how many at once */
};

/* Is `fd` a listening socket? 0, or -1 (ERR_CONFIG) with a sentence that says how to start the program. */
int fcgi_check(int fd, struct err *err);
/* The hand-over uses fields of libfcgi's struct that its header calls private: prove on a socketpair that this build
 * of libfcgi treats them as expected. 0 or -1. Call once before fcgi_start, before any thread is started. */
int fcgi_self_test(struct err *err);
/* Start serving in threads of its own; all signals that matter are blocked by the caller first. NULL and *err on
 * failure. */
struct fcgi *fcgi_start(int listen_fd, int threads, const struct fcgi_handler *handler, struct err *err);
/* Accept no more, serve what was sent already, close idle connections, end the threads. Connections that are still
 * busy after drain_ms are left to the end of the process: false then. Releases `f` when true. */
bool fcgi_stop(struct fcgi *f, int drain_ms);

/* --- for the handler --- */
char **fcgi_environ(struct fcgi_io *io); /* CGI variables, "NAME=value", NULL-terminated; borrowed */
/* So many connections are open that waiting would take longer than people do: answer 503 at once. */
bool fcgi_crowded(void);

enum fcgi_body {
    FCGI_BODY_WHOLE,
    FCGI_BODY_LIES,      /* shorter or longer than declared */
    FCGI_BODY_TOO_LARGE, /* over max_bytes; not kept */
    FCGI_BODY_ABORTED    /* the peer went away: answer nothing */
};
/* Read the body that is declared to have `declared` bytes into `body` (reset first). What is left unread is thrown
 * away. */
enum fcgi_body fcgi_read(struct fcgi_io *io, int64_t declared, size_t max_bytes, struct str *body);
/* The whole answer. The request is over: what fcgi_environ() gave is gone. */
void fcgi_send(struct fcgi_io *io, const char *data, size_t len);

/* Connections open now and accepted since the start, for /metrics. */
void fcgi_counts(int64_t *open, uint64_t *accepted);

#endif
