/* report.h: health and statistics as JSON, for the command line and for the host site: both say the same. The caller releases what it gets
 * with json_object_put(). */
#ifndef PEYGIR_REPORT_H
#define PEYGIR_REPORT_H

#include "core/health.h"

#include <json-c/json.h>

/* {"status": the worst, "checks": [{"check", "status", "detail"}]}; NULL: Redis does not answer. A few round trips, and some for each queue. */
struct json_object *report_health(struct app *app, struct err *err);
/* One more check, which only the caller knows. */
void report_add_check(struct json_object *health, const char *check, enum grade grade, const char *detail);
bool report_has_failed(const struct json_object *health);

/* Counters of jobs, queues, cache and sessions, and how many keys there are of which kind; NULL: Redis does not answer. Likewise. */
struct json_object *report_stats(struct app *app, struct err *err);

#endif
