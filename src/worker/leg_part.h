/* leg_part.h: what leg.c, leg_judge.c and leg_plain.c share. Where an int is given: 0: the end is decided; -1: ask again later. */
#ifndef PEYGIR_LEG_PART_H
#define PEYGIR_LEG_PART_H

#include "worker/answer.h"
#include "worker/leg.h"

struct span leg_hash(const struct leg *leg);
int64_t leg_tries(const struct leg *leg);
int64_t leg_backoff_ms(const struct leg *leg); /* after the attempt that runs */
bool leg_wait(const struct err *err); /* Redis is away or full: nothing is decided */

int leg_ends(struct leg *leg, enum job_outcome outcome, const char *error); /* always 0 */
int leg_ends_like(struct leg *leg, enum request_status status);             /* a final one; always 0 */
int leg_tries_again(struct leg *leg, const char *error);                    /* always 0 */
/* A call that decides about nothing but its job went wrong. Always 0. */
int leg_again_or_failed(struct leg *leg, bool may_repeat);
/* Core refused a change: what that means for the job. */
int leg_refused(struct app *app, struct leg *leg, struct err *err);
/* The request fails, and its job with it. */
int leg_fails(struct app *app, struct leg *leg, int64_t run, const struct request_error *error, struct err *err);
int leg_is_interrupted(struct app *app, struct leg *leg, int64_t run, struct err *err);
/* Has a step been reached that must not be run again by itself? */
bool leg_past_repeat(const struct leg *leg, const struct request *rq);
/* 0: *answer is the bot's word, borrowed from leg->answer; -1: there is none, leg->detail says why. */
int leg_read_answer(struct leg *leg, struct answer *answer);

#endif
