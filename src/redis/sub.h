/* sub.h: one subscription connection for any number of channels, driven by the caller's event loop, never blocking.
 * Messages are hints: after every (re)subscription `subscribed` is called and the caller reads the state again. */
#ifndef PEYGIR_SUB_H
#define PEYGIR_SUB_H

#include "redis/redis.h"

struct sub;

struct sub_handler {
    void (*message)(void *ctx, struct span channel, struct span payload);
    void (*subscribed)(void *ctx, struct span channel); /* confirmed by Redis; also after each reconnect */
    void *ctx;
    /* The two below are called after sub_track() only. */
    void (*changed)(void *ctx, struct span key); /* this key has changed; key.s NULL: any may have */
    /* On each way up. NULL: from now on `changed` tells, so the state is read now; else why Redis refuses that. */
    void (*tracked)(void *ctx, const char *refused);
};

/* Connects from the first sub_tick() on (sub_timeout_ms() is 0). The functions of handler may call sub_add and
 * sub_remove, not sub_free. A host name is looked up at every connect, which waits for the name server: give an
 * address where that matters. */
struct sub *sub_new(const struct redisurl *url, const char *client_name, struct sub_handler handler);
void sub_free(struct sub *s);
/* Adding twice counts twice. true: the channel is subscribed already, so no `subscribed` will follow and the state
 * may be read now. */
bool sub_add(struct sub *s, const char *channel);
void sub_remove(struct sub *s, const char *channel); /* unknown channels are ignored */
/* Be told of each change of a key that begins with one of the prefixes, whoever makes it and in whichever database: Redis's client
 * tracking, redirected to this very connection, so that it works with RESP2. Also of changes that come to nothing. Copied; call it once,
 * before the first sub_tick(). */
void sub_track(struct sub *s, const char *const prefixes[], size_t count);

/* For the loop: the descriptor (-1 while not connected) and what to wait for (POLLIN | POLLOUT). Ask again after
 * every call. */
int sub_fd(const struct sub *s);
/* Called before that descriptor is closed (but by sub_free), so that a loop lets go of it while the number is not yet another thread's. */
void sub_on_close(struct sub *s, void (*closing)(void *ctx), void *ctx);
short sub_events(const struct sub *s);
/* Milliseconds until sub_tick must be called (reconnecting with back-off 100 ms - 2 s, a PING every 10 s of
 * silence). */
int sub_timeout_ms(const struct sub *s);
void sub_ready(struct sub *s, short revents);
void sub_tick(struct sub *s);

#endif
