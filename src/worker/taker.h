/* taker.h: takes jobs from the worker's queues while there is room for them.
 *
 * Waiting never pops and needs no connection of its own: what was popped for a dying worker would be lost. A queue is looked at
 * (taking is one script, JOB_BATCH jobs at most) when it may have something:
 *
 *   - Redis says that one of its keys has changed, whoever did it (feed.h), or that it follows them again;
 *   - its next delayed job is due, or its limit lets one through (job_take.next_ms);
 *   - the last look took all that it had asked for;
 *   - nothing was heard for WORKER_SLEEP.
 *
 * One look is under way at a time, and the queues that may have something take turns, so that none starves. What is heard
 * meanwhile, or while there is no room, makes for a look later. */
#ifndef PEYGIR_TAKER_H
#define PEYGIR_TAKER_H

#include "worker/worker.h"

struct taker;

struct taker *taker_new(struct worker *w);
/* When the loop has ended. NULL is harmless. */
void taker_free(struct taker *t);
/* The queue to which this key belongs may have something; key.s NULL: each of them. */
void taker_wake(struct taker *t, struct span key);
/* Once a turn of the loop, before it waits: look, if there is room and something to look at. */
void taker_turn(struct taker *t);
/* Did the last look at each queue find nothing, and was nothing heard since? */
bool taker_found_nothing(const struct taker *t);
/* Take no more. */
void taker_stop(struct taker *t);
/* For sub_track: the keys that taker_wake understands. The caller frees the array; its texts are the taker's. */
const char **taker_keys(const struct taker *t, size_t *count);

#endif
