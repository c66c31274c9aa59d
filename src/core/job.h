/* job.h: jobs that wait, run or have ended (contract 4.2). Above: web pushes, worker takes, cli looks.
 *
 *              push                take                 finish
 *   (nothing) ------> [queue] ---------------> [active] --------> done: completed | failed | cancelled
 *                       ^  ^   lease, run+1     |   |             (data expires: 24 h; failed: 7 days, and in the set `failed`)
 *                       |  +--------------------+   |
 *                       |   give back: stopping     | retry: attempt counted
 *                       |   worker (no attempt),    v
 *                       |   dead worker (deaths+1) [delayed]
 *                       +---------------------------+  when due
 *
 * A job is in exactly one of them. Each arrow is one script. `run` grows with every take, is never given back and
 * fences every write. Redis's clock decides. A job is listed under `queue` (default "task").
 * The priority set, unique keys, limits and pausing have their place between queue and take. */
#ifndef PEYGIR_JOB_H
#define PEYGIR_JOB_H

#include "core/app.h"

#define JOB_QUEUE_DEFAULT "task"
#define JOB_LEASE_MS 15000
#define JOB_RENEW_MS 5000
#define JOB_DEATHS_MAX 3

/* For a service request the first leg's job id is the request's HASH, the leg for the n-th entered code HASH.n,
 * calls on the side HASH.resend.n and HASH.cancel: ids make them unique. */
struct job {
    char *queue;
    char *id;
    char *type;         /* "service" for requests, "default" when the producer named none */
    char *payload;      /* JSON text */
    char *request_hash; /* NULL: not a request's job */
    char *call;         /* NULL: the service itself; "resend-otp" or "cancel": a call on the side */
    int64_t code;       /* which entered code this leg is for; 0: first leg */
    int64_t run;
    int64_t attempts;     /* attempts that ended with an error of their own */
    int64_t max_attempts; /* 0: by policy */
    int64_t deaths;       /* workers that died with it; JOB_DEATHS_MAX: do not run it, fail it as `poison` */
    int64_t timeout_s;    /* 0: by policy */
    int64_t created_ms;
};
void job_clear(struct job *job);

struct job_new {
    const char *queue; /* NULL: default */
    const char *id;
    const char *type;
    const char *payload;      /* NULL: "{}" */
    const char *request_hash; /* NULL: none */
    const char *user_id;      /* NULL: none */
    const char *call;
    int64_t code;
    int64_t run; /* the run before the first take (legs go on counting the request's runs); 0 usually */
    int64_t max_attempts, timeout_s;
};
/* Queue the push as the next command of the caller's exchange (its reply: 1 pushed, 0 a job of that id exists already). */
void job_push_queue(struct app *app, const struct job_new *job);
/* Alone. 1: pushed; 0: a job of that id exists already (nothing changed); -1. */
int job_push(struct app *app, const struct job_new *job, struct err *err);

/* Take at most `max` ready jobs (due delayed ones first come back to the queue) and lease each for JOB_LEASE_MS.
 * Returns how many were put into jobs[] (job_clear each), or -1. One round trip. Two callers never get the same run of a job. */
int job_take(struct app *app, const char *queue, const char *worker_id, struct job jobs[], size_t max, struct err *err);

/* Wait until the queue has something, at most wait_ms; never pops. 1: look now; 0: time ran out; -1. Blocks. */
int job_wait(struct app *app, const char *queue, int wait_ms, struct err *err);

struct job_ref {
    const char *queue, *id;
    int64_t run;
    bool lost; /* out, by job_renew: somebody else has it, or it is gone: stop working on it */
};
/* Lease them again; also renews the TTL of their requests. 0 or -1. One round trip for all. */
int job_renew(struct app *app, struct job_ref refs[], const char *const request_hashes[], size_t count, struct err *err);

enum job_outcome { JOB_COMPLETED, JOB_FAILED, JOB_CANCELLED };
/* 1: ended; 0: this run is over (nothing changed); -1. `error` NULL or text (no personal data). */
int job_finish(struct app *app, const char *queue, const char *id, int64_t run, enum job_outcome outcome, const char *error, struct err *err);
/* Again after delay_ms, counting an attempt. 1, 0 (stale), -1. */
int job_retry(struct app *app, const char *queue, const char *id, int64_t run, int64_t delay_ms, const char *error, struct err *err);
/* Back to the head of the queue at once, counting nothing (a stopping worker). 1, 0, -1. */
int job_give_back(struct app *app, const char *queue, const char *id, int64_t run, struct err *err);
/* Put back jobs whose lease ran out, deaths+1, at most 100 a call. Number put back, or -1. */
int job_recover(struct app *app, const char *queue, struct err *err);

struct job_counts {
    int64_t waiting, delayed, active, failed;
    int64_t oldest_waiting_ms; /* age of the job at the head; 0 when empty or unknown */
};
int job_count(struct app *app, const char *queue, struct job_counts *out, struct err *err);

#endif
