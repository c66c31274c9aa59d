/* feed.h: news of the requests that are carried: one subscription on the loop for all of them. A message is a hint:
 * where it matters, the stored state is read before anything follows from it; so it is after every (re)subscription. */
#ifndef PEYGIR_FEED_H
#define PEYGIR_FEED_H

#include "worker/carry.h"

struct feed;

struct feed *feed_new(struct worker *w);
/* Closes the connection; its handles are closed by the loop, which then frees it. */
void feed_close(struct feed *f);
/* From now on carry_hear() is told about the request of `c`. Twice is once. */
void feed_add(struct feed *f, struct carry *c);
void feed_remove(struct feed *f, struct carry *c);
/* Once a second: looks that failed are made again. */
void feed_tick(struct feed *f);

#endif
