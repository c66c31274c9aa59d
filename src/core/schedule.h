/* schedule.h: jobs that run by the clock: every worker may look, each tick fires once.
 *
 * P:schedule is a hash. Per type: {type}: the tick (ms since 1970) up to which all are fired or skipped; {type}:line:
 * "line|zone" it belongs to; {type}:fired: the tick fired last; {type}:run: when it was fired by hand last. A tick's
 * job has the id "schedule:{type}:{tick in seconds}". It is pushed and its tick remembered in one step, and only by a
 * worker whose look still holds, so that no tick is lost, none fires twice, and several workers do what one would: after
 * an outage there is one job, of the newest tick that is due. A type seen for the first time (or
 * with another line) begins with the first tick after now. What was not scheduled by any caller's definitions for 30
 * days is forgotten: workers on other hosts may know other types. */
#ifndef PEYGIR_SCHEDULE_H
#define PEYGIR_SCHEDULE_H

#include "core/job_type.h"

/* Fire what is due, by Redis's clock. Number of jobs pushed, or -1. *next_ms: milliseconds until the next tick of any
 * type (-1: none). Two round trips, one when nothing is due; one more when the server had lost its script. When another
 * worker was faster *next_ms is 0: look again. */
int schedule_tick(struct app *app, const struct job_types *types, int64_t *next_ms, struct err *err);

struct schedule_state {
    const struct job_type *type;
    int64_t last_ms;  /* the tick fired last; 0: none yet */
    int64_t run_ms;   /* fired by hand last; 0: never */
    int64_t next_ms;  /* when the next tick is; -1: none within five years */
};
/* One for each scheduled type, in order of name. 0 or -1. */
int schedule_each(struct app *app, const struct job_types *types,
                  void (*fn)(void *ctx, const struct schedule_state *state), void *ctx, struct err *err);
/* Push the type's scheduled job now, whatever the clock says, and also when it has no schedule: id
 * "schedule:{type}:{now in ms}". JOB_PUSHED or -1 (ERR_NOT_FOUND: no such type; ERR_STATE: it is
 * unique, and a job of it is there). */
int schedule_run(struct app *app, const struct job_types *types, const char *type, char **id, struct err *err);

#endif
