/* taker.h: takes jobs from one queue while there is room for them.
 *
 * Waiting is blocking and done by a thread with a connection of its own, which never pops: what a dying worker popped
 * would be lost. Taking is one script on the pool, at most 32 jobs at once. The loop's thread decides; the waiting
 * thread only says "look now". */
#ifndef PEYGIR_TAKER_H
#define PEYGIR_TAKER_H

#include "worker/worker.h"

struct taker *taker_new(struct worker *w, const char *queue);
/* There may be room now: take, unless it waits already. */
void taker_kick(struct taker *t);
/* Take now, also while it waits. */
void taker_look(struct taker *t);
/* Did the last look find nothing? Forgotten by taker_look. */
bool taker_found_nothing(const struct taker *t);
/* Take no more. It closes itself on the loop, within a second or what Redis takes to answer; free it after the loop. */
void taker_stop(struct taker *t);
void taker_free(struct taker *t);

#endif
