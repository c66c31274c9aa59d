/* hub.h: who looks at what, and what still has to be sent to whom. Topics have names; a viewer looks at one topic in one language, or, without
 * a language, waits to be woken by what happens there. Knows no protocol and no Redis; for one thread.
 *
 * An event is shared by all who get it. A viewer gets each revision once, in order, and none twice. One who does not keep up with as
 * many as it keeps gets the newest in place of all that wait. */
#ifndef PEYGIR_HUB_H
#define PEYGIR_HUB_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define HUB_WAITING 128 /* more than a history has, so that a replay fits */

struct event {
    unsigned refs;
    bool last;            /* nothing follows it */
    const void *language; /* compared, not looked into */
    int64_t revision;
    size_t len;
    char text[];
};
/* With one reference. Made by any thread, then handed to the hub's. */
struct event *event_new(const void *language, int64_t revision, bool last, struct span text);
void event_drop(struct event *e); /* NULL is harmless */

struct viewer {
    struct topic *topic;     /* NULL: looks at nothing (any more) */
    const void *language;
    void *owner;             /* for whom it looks; the hub only hands it on */
    int64_t seen;            /* the newest revision that was offered; -1: none; INT64_MAX: none is wanted */
    bool over;               /* nothing will be offered any more; what waits is still to be sent */
    struct event **waiting;  /* oldest first; NULL: none */
    unsigned count, room, keeps; /* keeps 0: HUB_WAITING */
    struct viewer *next, **back;
};

struct topic {
    struct viewer *first;
    size_t viewers;
    unsigned holds;
    struct topic *next, **back;
    /* Whoever fills the topic (feed.c) keeps here how far it is. */
    struct topic *due_next;
    bool heard;              /* changes are told of */
    bool due, looking, again, waits_in_queue;
    char name[];
};

struct hub_handler {
    void (*wake)(void *ctx, struct viewer *v);   /* something waits for it, or it is over; may come more often than needed */
    void (*opened)(void *ctx, struct topic *t);  /* it has its first viewer */
    void (*closed)(void *ctx, struct topic *t);  /* it has none any more */
    void *ctx;
};

struct hub;

struct hub *hub_new(struct hub_handler handler);
void hub_free(struct hub *h); /* when nobody looks any more. NULL is harmless */

/* language and seen of `v` are set, all else is zero. True: it is the first. */
bool hub_join(struct hub *h, const char *name, struct viewer *v);
/* What waits is dropped. One that looks at nothing is let be. */
void hub_leave(struct hub *h, struct viewer *v);
/* NULL: nobody looks at it. */
struct topic *hub_find(struct hub *h, struct span name);
void hub_each(struct hub *h, void (*fn)(void *ctx, struct topic *t), void *ctx);
/* A held topic stays in memory when its last viewer has left. */
void hub_hold(struct topic *t);
void hub_let_go(struct topic *t);

/* The lowest `seen` of its viewers; 0 without any. */
int64_t hub_seen(const struct topic *t);
/* Offer events, in order of their revisions, to one viewer or to all of a topic: each takes those of its language that it has not seen. */
void hub_offer(struct hub *h, struct viewer *v, struct event *const events[], size_t count);
void hub_publish(struct hub *h, struct topic *t, struct event *const events[], size_t count);
/* Nothing follows, for one or for all: the topic is gone, or they may not see it any more; what waits is dropped. */
void hub_cut(struct hub *h, struct viewer *v);
void hub_end(struct hub *h, struct topic *t);
/* Something has happened: wake those who wait for that. */
void hub_poke(struct hub *h, struct topic *t);
/* The next event to send, which the caller drops; NULL: none. */
struct event *hub_take(struct viewer *v);

#endif
