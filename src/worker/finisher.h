/* finisher.h: ends of jobs go out together: what ends while an exchange is under way goes with the next one. */
#ifndef PEYGIR_FINISHER_H
#define PEYGIR_FINISHER_H

#include "worker/carry.h"

struct finisher;

struct finisher *finisher_new(struct worker *w);
/* When the loop has ended. NULL is harmless. */
void finisher_free(struct finisher *f);
/* The job ends as its leg has decided; carry_ended() follows. While Redis is away it is asked again and again. */
void finisher_add(struct finisher *f, struct carry *c);
/* Once a turn of the loop, before it waits: all that ended in this turn goes out. */
void finisher_turn(struct finisher *f);

#endif
