/* upkeep.h: what a worker does by the clock.
 *
 *   every second     requests that are due are looked at (request_watch); leases are renewed if that failed last time
 *   every 2 s        jobs of dead workers are put back, so that they run elsewhere within 15 s of lease and these 2 s
 *   every 5 s        the leases of all jobs that run are renewed; the worker says that it lives
 *
 * After an outage of Redis every worker first renews what it has; for 5 s nobody is declared dead. */
#ifndef PEYGIR_UPKEEP_H
#define PEYGIR_UPKEEP_H

#include "worker/worker.h"

struct upkeep *upkeep_new(struct worker *w);
/* Closes its timer; free it when the loop has ended. */
void upkeep_stop(struct upkeep *u);
void upkeep_free(struct upkeep *u);

#endif
