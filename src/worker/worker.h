/* worker.h: one worker: what its parts share, and its life.
 *
 *   WORKING ---- SIGTERM, SIGINT, `peygir queue restart`,
 *                --max-time, --max-jobs, --once, --stop-when-empty -------------------> DRAINING
 *   DRAINING --- a second signal, or the drain's end (a held code: its expiry) -------> GIVING_BACK
 *   DRAINING or GIVING_BACK --- nothing runs any more --------------------------------> LEAVING
 *   GIVING_BACK --- Redis has not taken it for 5 s -----------------------------------> LEAVING
 *
 *   WORKING      takes jobs while there is room
 *   DRAINING     takes no more and finishes what runs; only a signal or a restart sets an end to that
 *   GIVING_BACK  ends the calls and gives the jobs back
 *   LEAVING      says goodbye to the others, and the loop runs out
 *
 * Everything here and in the headers of its parts belongs to the loop's thread. */
#ifndef PEYGIR_WORKER_H
#define PEYGIR_WORKER_H

#include "core/app.h"
#include "worker/alarm.h"
#include "worker/handler.h"
#include "worker/leg.h"
#include "core/pool.h"

#include <uv.h>

struct carry;
struct feed;
struct finisher;
struct taker;
struct upkeep;

enum worker_phase { WORKER_IS_WORKING, WORKER_IS_DRAINING, WORKER_IS_GIVING_BACK, WORKER_IS_LEAVING };

struct worker_options {
    char **queues; /* borrowed */
    size_t queue_count;
    bool once, stop_when_empty;
    struct mailer *mailer; /* NULL: no job type has the handler mail */
};

struct worker {
    uv_loop_t loop;
    const struct house *house;
    const struct worker_options *options;
    char id[64];
    char *api_url;
    struct policy policy;
    struct workshop shop;
    struct pool *pool;
    struct alarms *alarms;
    struct breakers *breakers;
    struct feed *feed;
    struct upkeep *upkeep;
    struct taker *taker;
    struct finisher *finisher;

    enum worker_phase phase;
    struct carry *first;   /* all that runs */
    size_t running, taking; /* jobs; places held for takes that are under way */
    size_t barred;         /* of those that run: wait for a bot that is left alone */
    size_t concurrency;
    int64_t jobs_left;     /* may still be taken; -1: no limit */
    bool redis_away;
    int64_t redis_failed_ms; /* monotonic; when it last failed */

    uv_signal_t on_term, on_int;
    uv_timer_t max_timer, drain_timer, once_timer;
    uv_prepare_t turn;     /* before the loop waits: what this turn brought together goes out */
    bool hurry;            /* a second signal came */
    int64_t give_up_ms;    /* monotonic; GIVING_BACK: leave then */
};

/* Run until it is told to stop. 0, or -1 when it could not begin (*err). Blocks for the process's life. */
int worker_run(const struct house *house, const struct worker_options *options, struct err *err);

/* How many more jobs may be taken now. */
size_t worker_room(const struct worker *w);
void worker_stop(struct worker *w, const char *why);
/* As with a first SIGTERM: what runs has until the drain's end. */
void worker_stop_gently(struct worker *w, const char *why);
/* A job has ended: there is room for another. */
void worker_job_ended(struct worker *w);
/* A job or a take has ended: is the worker's life over? */
void worker_settled(struct worker *w);
/* Every exchange with Redis tells how it went: said once at the start of an outage and once at its end. */
void worker_redis_failed(struct worker *w, const struct err *err);
void worker_redis_answered(struct worker *w);

#endif
