/* peer.h: what all connections have in common, whatever is spoken on them: from their first byte to their last.
 *
 *   OPEN ---> ANSWERING ---> ENDING      OPEN: its kind decides what is written, and when
 *     |                        ^         ANSWERING: one whole answer of HTTP is to be written
 *     +------------------------+         ENDING: all is written; closed as soon as that is on its way
 *
 * Whoever goes away may do so in any of them. */
#ifndef PEYGIR_PEER_H
#define PEYGIR_PEER_H

#include "push/lws.h"
#include "push/push.h"

struct peer;
struct admitted;

/* What tells one kind from another. NULL: nothing is to be done. */
struct peer_kind {
    int (*write)(struct peer *c);    /* OPEN, and the socket has room: at most one lws_write. 0; -1 closes */
    bool (*ping)(struct peer *c);    /* OPEN, and nothing has been heard for PING_MS: false: nothing has to be written now */
    void (*time)(struct peer *c);    /* its timer (peer_timer) has run out */
    void (*wake)(struct peer *c);    /* a viewer of it has something, or is over; NULL: there is something to write */
    void (*right)(const struct peer *c, const struct viewer *v, struct admitted *out); /* why a viewer of it may look; NULL: nobody asks again */
    void (*leave)(struct peer *c);   /* it is about to be closed: its viewers leave the hub */
    void (*clear)(struct peer *c);   /* it is about to be freed */
    bool silent;                     /* nothing but the end of the connection is to come from the peer (peer_part) */
};

enum peer_state { PEER_OPEN, PEER_ANSWERING, PEER_ENDING };

/* The first member of what a kind has. */
struct peer {
    const struct peer_kind *kind;
    struct push *push;
    struct lws *wsi;  /* NULL: the connection is gone */
    int fd;           /* its socket; closed by libwebsockets some time after it is gone */
    enum peer_state state;
    bool ping;        /* is to be written, or answered */
    bool asked;       /* libwebsockets will say when the socket has room */
    unsigned holds;   /* pieces of work that still look at it */
    int64_t pinged_ms, due_ms; /* due_ms: when its timer runs out; 0: it has none */
    struct str answer;
    struct peer *next, **back;
};

/* `size` bytes that begin with a struct peer; all else is zero. */
void *peer_new(struct push *p, struct lws *wsi, const struct peer_kind *kind, size_t size);
struct peer *peer_of(struct lws *wsi); /* NULL: none (any more) */
void peer_gone(struct lws *wsi);       /* libwebsockets has done with it */
/* From outside of a callback. Frees it, unless it is held; or libwebsockets has some bytes left to write, which it tries for five seconds. */
void peer_close(struct peer *c);
void peer_hold(struct peer *c);
void peer_let_go(struct peer *c);

/* One timer; 0: none any more. */
void peer_timer(struct peer *c, int64_t seconds);
int peer_time(struct peer *c);
/* There is something to write. */
void peer_wake(struct peer *c);
/* c->answer is the whole answer. */
void peer_answer(struct peer *c);
/* libwebsockets says that the socket has room. 0; -1 closes. */
int peer_room(struct peer *c);
/* One text: begin, append to what it gives, send. What the socket does not take libwebsockets keeps, and asks for no more until that is gone. 0 or
 * -1. */
struct str *peer_begin(struct peer *c);
int peer_send(struct peer *c, enum lws_write_protocol protocol);

/* The hub has something for a viewer, whose owner is a connection: it is written at once where the socket has room. */
void peer_viewer(void *ctx, struct viewer *v);
/* Some of p->partings are ready. */
void peer_part(struct push *p);
/* Once a second: pings those whose time has come, and drops those that have not taken, or not answered, their last one. */
void peer_ping(struct push *p);

#endif
