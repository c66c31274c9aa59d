/* job_admin.h: looking after jobs: for the command line, the internal API and the administrators' pages. Each call is a few round
 * trips; only job_check scans. `queue` NULL: the default one. */
#ifndef PEYGIR_JOB_ADMIN_H
#define PEYGIR_JOB_ADMIN_H

#include "core/job.h"

/* --- one job --- */

enum job_place { JOB_IN_LIST, JOB_IN_PRIORITY, JOB_IN_DELAYED, JOB_IN_ACTIVE, JOB_IN_FAILED, JOB_IS_DONE, JOB_IS_NOWHERE };
extern const char *const job_places[]; /* "queue", "priority", "delayed", "active", "failed", "done", "nowhere" */

/* One job as it is stored. All texts are owned; NULL: not there. */
struct job_view {
    char *queue, *id, *type, *status, *payload, *request_hash, *user_id, *parent, *worker_id, *error, *message, *result;
    char *history;   /* JSON array, oldest first: {"run","at","worker","error"}, at most 20; NULL: none */
    char *unique_key;
    enum job_place place;
    double score;    /* in its sorted set: priority; due, lease end or failure in ms */
    int64_t ahead;   /* in the list: jobs before it; -1: not in the list, or more than 10,000 */
    int64_t priority, attempts, max_attempts, deaths, run, progress, timeout_s;
    int64_t created_ms, started_ms, completed_ms; /* 0: not yet */
    int64_t ttl_ms;  /* until its data goes; -1: it stays */
    int64_t now_ms;  /* Redis's clock */
};
/* 1; 0: there is no such job; -1. */
int job_look(struct app *app, const char *queue, const char *id, struct job_view *out, struct err *err);
void job_view_clear(struct job_view *view);
/* As look, trying each of the queues. */
int job_find(struct app *app, char *const queues[], size_t queue_count, const char *id, struct job_view *out, struct err *err);

/* Whose it is, by its data alone; "": nobody's, and no request's. */
struct job_owner {
    char user_id[129];
    char hash[HASH_SIZE]; /* the request that it works for */
};
/* The first of the queues that has it. 1, 0 or -1. One round trip. */
int job_find_owner(struct app *app, char *const queues[], size_t queue_count, const char *id, struct job_owner *out, struct err *err);

/* Why it is where it is and what will happen next: full English sentences, one a line. Knows pauses, limits, delays, leases,
 * missing workers. */
int job_explain(struct app *app, const struct job_view *view, struct str *out, struct err *err);

/* --- a queue --- */

/* Nothing is taken from it until it is resumed. `reason` is shown to waiting visitors (a catalogue key or plain text); NULL: a usual
 * sentence. 1: changed; 0: it was so already (a pause keeps its first reason); -1. */
int job_pause(struct app *app, const char *queue, const char *reason, struct err *err);
int job_resume(struct app *app, const char *queue, struct err *err);
/* 1: paused, *reason filled (may be empty); 0; -1. */
int job_is_paused(struct app *app, const char *queue, struct str *reason, struct err *err);

/* Limits of a whole queue, kept in Redis, so that they hold at once for all workers. 0 in both: none. */
int job_limit_queue(struct app *app, const char *queue, const struct job_limit *limit, struct err *err);
int job_limit_read(struct app *app, const char *queue, struct job_limit *out, struct err *err);

/* Throw away what waits (list, priority, delayed; not what runs, not `failed`); a waiting job of a request fails its request with a
 * message that says so (error `cleared`). 1,000 a script; no more than waited at the beginning. Number (dry_run: that would be), or -1. */
int64_t job_clear_queue(struct app *app, const char *queue, bool dry_run, struct err *err);

/* Every queue that has a key of its own or is named by a job type, in order of name, the default first. Scans. Caller frees each
 * and the array. Number, or -1. */
int job_queues(struct app *app, char ***out, struct err *err);

/* --- failed jobs --- */

/* Newest first, at most `limit` (0: all). fn's view is borrowed; fn may use the connection. 0 or -1. */
int job_failed_each(struct app *app, const char *queue, int64_t limit, void (*fn)(void *ctx, const struct job_view *view), void *ctx,
                    struct err *err);
/* Once more, attempts and deaths from 0, under the next run. A request's job reopens its request (request_reopen). A leg for an entered
 * code (HASH.n) is forgotten, and its request begins again with its first leg (HASH): nobody could enter that code again. A call on the
 * side (HASH.resend.n) is tried by itself. Cut off in the middle, it is finished by doing it again. 1; 0: it is not among the failed;
 * -1 (ERR_NOT_FOUND: its request has expired, ERR_FINAL, ERR_STATE: its request has not failed; so it stays failed; ...). */
int job_failed_retry(struct app *app, const char *queue, const char *id, struct err *err);
/* All of them, oldest first, paced: `per_s` a second; 0: as fast as it goes; blocks meanwhile. Number retried, or -1; those whose
 * request has expired or has not failed are left and counted in *left (may be NULL). dry_run looks for expired ones only. */
int64_t job_failed_retry_all(struct app *app, const char *queue, int64_t per_s, bool dry_run, int64_t *left, struct err *err);
/* 1; 0: it is not among the failed; -1. */
int job_failed_forget(struct app *app, const char *queue, const char *id, struct err *err);
int64_t job_failed_flush(struct app *app, const char *queue, bool dry_run, struct err *err);

/* --- checking --- */

enum job_fault {
    JOB_FAULT_ACTIVE_WITHOUT_LEASE, /* data says processing, no lease */
    JOB_FAULT_LEASE_WITHOUT_JOB,    /* a lease whose job is gone or has ended */
    JOB_FAULT_LISTED_WITHOUT_DATA,  /* waits, but has no data: it will run as type default */
    JOB_FAULT_LISTED_TWICE,         /* is on more than one of the lists */
    JOB_FAULT_IN_NO_SET,            /* data says pending, listed nowhere */
    JOB_FAULTS
};
extern const char *const job_faults[JOB_FAULTS]; /* one sentence each */
struct job_faults_found {
    int64_t found[JOB_FAULTS], repaired[JOB_FAULTS], looked_at;
};
/* Look at every job of the queue (SCAN; not for programs that answer visitors). What looks wrong is looked at again a moment later, so
 * that a living queue raises no false alarm. repair: put it where it belongs: leased again (a worker that lives renews it, a dead one's
 * is recovered), off the leases, given data of type default, left where it is taken first, back into the queue.
 * fn (may be NULL; it may use the connection) hears of each. 0 or -1. */
int job_check(struct app *app, const char *queue, bool repair, void (*fn)(void *ctx, enum job_fault fault, const char *id), void *ctx,
              struct job_faults_found *out, struct err *err);

#endif
