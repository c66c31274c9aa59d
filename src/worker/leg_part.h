/* leg_part.h: what leg.c and leg_judge.c share. Where an int is given: 0: the end is decided; -1: ask again later. */
#ifndef PEYGIR_LEG_PART_H
#define PEYGIR_LEG_PART_H

#include "worker/leg.h"

struct span leg_hash(const struct leg *leg);
int64_t leg_tries(const struct leg *leg);
int64_t leg_backoff_ms(const struct leg *leg);
bool leg_wait(const struct err *err); /* Redis is away or full: nothing is decided */

int leg_ends(struct leg *leg, enum job_outcome outcome, const char *error); /* always 0 */
int leg_ends_like(struct leg *leg, enum request_status status);             /* a final one; always 0 */
int leg_tries_again(struct leg *leg, const char *error);                    /* always 0 */
/* Core refused a change: what that means for the job. */
int leg_refused(struct app *app, struct leg *leg, struct err *err);
/* The request fails, and its job with it. */
int leg_fails(struct app *app, struct leg *leg, int64_t run, const struct request_error *error, struct err *err);
int leg_is_interrupted(struct app *app, struct leg *leg, int64_t run, struct err *err);
/* Has a step been reached that must not be run again by itself? */
bool leg_past_repeat(const struct leg *leg, const struct request *rq);

#endif
