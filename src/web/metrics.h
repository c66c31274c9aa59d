/* metrics.h: counters of this process, for /metrics. All functions may be called by any thread. */
#ifndef PEYGIR_WEB_METRICS_H
#define PEYGIR_WEB_METRICS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct route;

void metrics_answer(const struct route *route, int status); /* route NULL: none was found */
void metrics_round_trips(uint64_t count);
void metrics_submission(bool made); /* false: a repeated one, answered with the request it had made */
/* True once a second at most: a warning that every request would repeat. */
bool metrics_may_warn(void);

/* Prometheus text of all counters of the process, its connections and memory. */
void metrics_print(struct str *out);
/* What stands before the figures of a name. */
void metrics_head(struct str *out, const char *name, const char *type, const char *help);
/* One figure: "# TYPE name type" and its value. */
void metrics_figure(struct str *out, const char *name, const char *type, const char *help, int64_t value);

#endif
