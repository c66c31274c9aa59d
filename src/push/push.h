/* push.h: one peygir-push: its parts, and its life. All of it lives on one loop; what blocks runs on the threads of its pool. */
#ifndef PEYGIR_PUSH_H
#define PEYGIR_PUSH_H

#include "core/pool.h"
#include "push/feed.h"
#include "push/hub.h"

struct peer;
struct lws_context;

struct push {
    uv_loop_t loop;
    const struct house *house;
    struct pool *pool;
    struct hub *hub;
    struct feed *feed;
    struct lws_context *lws;
    uv_poll_t listener;
    int partings;                  /* an epoll of connections from which only the end is to come: those whose peer has gone are ready */
    uv_poll_t on_parting;
    uv_signal_t on_term, on_int;
    uv_timer_t second;             /* pings, failed looks; while stopping: is all at rest? */
    bool stopping;
    bool checking;                 /* a round of looks at rights is under way */
    int64_t checked_ms;
    struct peer *first, **last;    /* open connections, the one that was pinged longest ago first */
    struct str out;                /* what is being written, behind the room that libwebsockets wants */
};

/* Serve the listening socket until SIGTERM or SIGINT. 0, or -1. */
int push_run(const struct house *house, int listener, struct err *err);
/* 0; -1 (ERR_CONFIG): fd is not a listening socket. */
int push_check(int fd, struct err *err);

#endif
