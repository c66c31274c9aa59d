/* feed.h: what Redis has to say, on one connection of the loop: news of the requests that are carried, changes of the queues, orders
 * for this worker, and the word that all workers are to start anew. A message is a hint: where it matters, the stored state is
 * read before anything follows from it; so it is after every (re)subscription. */
#ifndef PEYGIR_FEED_H
#define PEYGIR_FEED_H

#include "worker/carry.h"

struct feed;

/* After the taker, whose keys are followed. */
struct feed *feed_new(struct worker *w);
/* Closes the connection; its handles are closed by the loop, which then frees it. */
void feed_close(struct feed *f);
/* From now on carry_hear() is told about the request of `c`. Twice is once. */
void feed_add(struct feed *f, struct carry *c);
void feed_remove(struct feed *f, struct carry *c);
/* Once a second: looks that failed are made again. */
void feed_tick(struct feed *f);

#endif
