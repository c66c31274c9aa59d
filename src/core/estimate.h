/* estimate.h: how long a service takes, learned from what it took lately. The estimate of a request is fixed when it is made; only a run that
 * starts again counts from the beginning, so that the time left never jumps up without a reason in the message. Time in otp_required does not count. */
#ifndef PEYGIR_ESTIMATE_H
#define PEYGIR_ESTIMATE_H

#include "core/request.h"

#define ESTIMATE_RUNS 21     /* kept a service */
#define ESTIMATE_ENOUGH 5    /* fewer: the definition's estimated_duration */

/* Median of the recent runs in seconds, or the definition's. -1 on error. One round trip. */
int64_t estimate_read(struct app *app, const struct service *service, struct err *err);
/* A request has completed: remember what it took. Posted, not awaited. */
void estimate_record(struct app *app, const struct request *rq);
/* Seconds of work so far, and left (never below 0). */
int64_t estimate_spent_ms(const struct request *rq);
int64_t estimate_left_s(const struct request *rq);

#endif
