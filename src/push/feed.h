/* feed.h: fills the hub's topics, which are called as the channels that tell of them: one subscription for all of them, however many look.
 *
 * Of a request a message is a hint: what is sent is read from the request and its history, at each message, and after each (re)subscription,
 * so that nothing between is missed. What is told to a user or of a task is sent as it came, to whoever listens at that moment; a user
 * hears what is told to everybody as well. */
#ifndef PEYGIR_FEED_H
#define PEYGIR_FEED_H

#include "core/pool.h"
#include "push/hub.h"

struct feed;

/* All are borrowed. */
struct feed *feed_new(uv_loop_t *loop, const struct house *house, struct pool *pool);
void feed_use(struct feed *f, struct hub *hub); /* before the first of the others */
/* Closes the connection; its handles are closed by the loop, which then frees it. */
void feed_close(struct feed *f);

/* A topic has its first viewer, or none any more. */
void feed_open(struct feed *f, struct topic *t);
void feed_shut(struct feed *f, struct topic *t);
/* A further viewer has come, who may have read an older state than the others. */
void feed_catch_up(struct feed *f, struct topic *t);
/* The request that a topic is about; "": none. */
const char *feed_hash(const struct topic *t);
/* Once a second: looks that failed are made again. */
void feed_tick(struct feed *f);
/* No look begins any more. */
void feed_stop(struct feed *f);

#endif
