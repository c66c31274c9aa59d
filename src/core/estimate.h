/* estimate.h: how long a service takes, learned from what it took lately. The estimate of a request is fixed when it is made; only a run that
 * starts again counts from the beginning, so that the time left never jumps up without a reason in the message. Time in otp_required does not count. */
#ifndef PEYGIR_ESTIMATE_H
#define PEYGIR_ESTIMATE_H

#include "core/request.h"

#define ESTIMATE_RUNS 21     /* kept a service */
#define ESTIMATE_ENOUGH 5    /* fewer: the definition's estimated_duration */

/* Median of the recent runs in seconds, or the definition's: ESTIMATE_REPLIES commands of the caller's exchange on app->redis. -1 on error. */
#define ESTIMATE_REPLIES 1
void estimate_queue(struct app *app, const struct service *service);
int64_t estimate_take(const struct service *service, const struct reply replies[ESTIMATE_REPLIES], struct err *err);
/* A request has completed: remember what it took. Posted, not awaited. */
void estimate_record(struct app *app, const struct request *rq);
/* Seconds of work so far, and left (never below 0). */
int64_t estimate_spent_ms(const struct request *rq);
int64_t estimate_left_s(const struct request *rq);

#endif
