/* upkeep.h: what a worker does by the clock.
 *
 *   every second     requests that are due are looked at (request_watch); leases are renewed if that failed last time; schedules
 *                    that are due push their jobs
 *   every 2 s        jobs of dead workers are put back, so that they run elsewhere within 15 s of lease and these 2 s
 *   every 5 s        the leases of all jobs that run are renewed; the worker says that it lives, and learns whether it is to start anew
 *
 * After an outage of Redis every worker first renews what it has; for 5 s nobody is declared dead. */
#ifndef PEYGIR_UPKEEP_H
#define PEYGIR_UPKEEP_H

#include "worker/worker.h"

struct upkeep *upkeep_new(struct worker *w);
/* No more of it. `then` follows when nothing of it is under way any more; free it when the loop has ended. */
void upkeep_stop(struct upkeep *u, void (*then)(struct worker *w));
/* Say now that the worker lives. */
void upkeep_beat(struct upkeep *u);
/* Renew the lease of the job with this id now, of all jobs for NULL: those that are not ours any more are left. */
void upkeep_check(struct upkeep *u, const char *id);
void upkeep_free(struct upkeep *u);

#endif
