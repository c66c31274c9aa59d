/* dispatch.h: what happens between a FastCGI request and its answer. Each worker thread has a seat: its connections
 * to Redis, its catalogues for templates, and as many exchanges as it is handed at once, used again and again. */
#ifndef PEYGIR_WEB_DISPATCH_H
#define PEYGIR_WEB_DISPATCH_H

#include "core/cache_peek.h"
#include "core/closure.h"
#include "web/exchange.h"
#include "web/fcgi.h"

struct pages;

/* Made once, read-only, shared by all threads. */
struct web {
    const struct house *house;
    const struct pages *pages;
};

#define SEAT_STARTED 1024 /* a power of two */
#define SEAT_ADDRESSES 64

/* An address, and what stands for it in keys of limits. */
struct seat_address {
    char text[46]; /* INET6_ADDRSTRLEN */
    char who[LIMIT_WHO_LEN + 1];
};

struct seat {
    const struct web *web;
    struct app app;
    struct json_object **bases;   /* of each locale, see page_bases */
    struct exchange x[FCGI_BATCH];
    struct closure_memo closed;   /* which services are, as of a second ago at most */
    struct cache_tally tally;     /* hits of the cache that Redis is yet to be told of */
    uint64_t trips_seen;          /* round trips that /metrics knows of */
    struct seat_address address[SEAT_ADDRESSES]; /* by their digests */
    char started[SEAT_STARTED][HASH_LEN]; /* requests seen past pending, by their last letters */
};

/* The functions of a struct fcgi_handler; ctx is the struct web. */
void *dispatch_open(void *ctx);
void dispatch_serve(void *seat, struct fcgi_io *const io[], size_t count);
void dispatch_rest(void *seat);
void dispatch_close(void *seat);

/* Is the service closed? Then *words is what its administrator says about it, in the visitor's language. While Redis is away what was
 * known last counts, and a service nobody knows about is open. Ends what x->request borrowed. */
bool dispatch_closed(struct exchange *x, const struct service *service, struct str *words);

/* After core has spoken to Redis, what x->request borrowed is gone: read it again. False: it is not there any more,
 * or Redis is away, and x->has_request is false. x->err is left alone. */
bool dispatch_reread(struct exchange *x);

#endif
