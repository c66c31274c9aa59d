/* stats.h: counters of jobs (contract 4.2); the scripts of job.h count, this reads. */
#ifndef PEYGIR_STATS_H
#define PEYGIR_STATS_H

#include "core/app.h"

struct stats {
    int64_t total, completed, failed, retried, cancelled;
    int64_t today_total, today_completed, today_failed, today_average_ms;
};
/* One round trip. 0 or -1. */
int stats_read(struct app *app, struct stats *out, struct err *err);

#endif
