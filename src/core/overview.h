/* overview.h: how queues and workers stand at one moment, for the command line and the administrators' pages. */
#ifndef PEYGIR_OVERVIEW_H
#define PEYGIR_OVERVIEW_H

#include "core/job_admin.h"
#include "core/stats.h"

struct overview_queue {
    char *name;
    struct job_counts counts;
    struct job_limit limit;
    char *pause_reason;    /* NULL: not paused; "": without a word */
    int64_t workers;       /* alive and serving it */
};
struct overview_worker {
    char *id, *host, *queues, *bots_away; /* as in fleet.h */
    int64_t pid, running, concurrency, started_ms, beat_ms;
};
struct overview {
    int64_t at_ms;         /* this host's clock */
    struct overview_queue *queue;
    size_t queue_count;
    struct overview_worker *worker;
    size_t worker_count;
    struct stats stats;
};
/* `names` NULL: the queues that are known without a scan: the default one, and those that job types and living workers name. A few
 * round trips a queue, three for the rest. 0 or -1; overview_clear() in any case. */
int overview_take(struct app *app, char *const names[], size_t count, struct overview *out, struct err *err);
/* Why a queue is paused, as an administrator wrote it; "" when nobody did (NULL, "", or a key of the catalogue, which is for visitors). */
const char *overview_pause_words(const char *pause_reason);
void overview_clear(struct overview *o);

#endif
