/* job.h: jobs that wait, run or have ended (contract 4.2): pushing, taking, ending. Looking after them is job_admin.h.
 *
 *                 push --delay                        due
 *   (nothing) ------------------> [delayed] --------------------+
 *       |                          ^  ^  ^                      |
 *       | push                     |  |  +-- at its limit --+   |
 *       |                   retry: |  |     (type, period)  |   |
 *       |                  attempt |  +------------------+  |   |
 *       v                    + 1   |                     |  |   v
 *   [queue] or [priority] ---------|------- take ------> [active] ----- end ----> done: completed | cancelled
 *       ^        ^                 |    lease, run + 1    |  |  |                 (data expires after 24 h)
 *       |        |                 +----------------------+  |  |
 *       |        +-- give back: a stopping worker (nothing --+  |   (with a delay: to [delayed])
 *       |            counted); its lease ran out: deaths + 1    |
 *       |                                                       +--- tries used up, error for good, third death
 *       |   failed retry (attempts, deaths from 0)              v
 *       +--------------------------------------------------- [failed] ---- 7 days, forget ----> (nothing)
 *
 *   cancel leads from [queue], [priority], [delayed] and [active] to done.
 *
 * A job is in exactly one of them. Each arrow is one script, or one transaction: neither waits. `run` grows with every take, is never given
 * back, and fences every write of a run. `attempts` counts errors of its own, `deaths` counts workers that died with it.
 * Redis's clock decides; a transaction has the time from house_now_ms(), which is that clock within a round trip.
 *
 * Order of a take: the priority set from the highest score down to 6, then the list, oldest first, then the rest of the set.
 * A push with priority p other than 5 gets the score p + 1 - n/2^44 (n counts the pushes of the queue, so that it is first in,
 * first out within p), one without or with 5 goes into the list. A bare ZADD with a whole number gets its fraction when it is first
 * seen. Each eighth job taken from a queue is the one that waits longest. A paused queue hands out nothing.
 *
 * Redis full: pushing is refused (ERR_FULL); taking, renewing, ending still work. */
#ifndef PEYGIR_JOB_H
#define PEYGIR_JOB_H

#include "core/keys.h"

#define JOB_QUEUE_DEFAULT "task"
#define JOB_ID_MAX 128 /* bytes, as long as ids in keys may be */
#define JOB_LEASE_MS 15000
#define JOB_RENEW_MS 5000
#define JOB_DEATHS_MAX 3
#define JOB_PRIORITY_MAX 10
#define JOB_PRIORITY_LIST 5      /* stands where the list stands */
#define JOB_BATCH 32             /* jobs in one take, and in one ending */
#define JOB_PUSH_BATCH 500       /* jobs in one script of job_push_many */
#define JOB_RESULT_MAX (64 * 1024)

/* For a service request the first leg's job id is the request's HASH, the leg for the n-th entered code HASH.n,
 * calls on the side HASH.resend.n and HASH.cancel: ids make them unique. */
struct job {
    char *queue;
    char *id;
    char *type;         /* "service" for requests, "default" when the producer named none */
    char *payload;      /* JSON text */
    char *request_hash; /* NULL: not a request's job */
    char *user_id;      /* NULL: none */
    char *call;         /* NULL: the service itself; "resend-otp" or "cancel": a call on the side */
    char *backoff;      /* NULL: by policy; else as written by the producer: seconds, or seconds separated by commas */
    int64_t code;       /* which entered code this leg is for; 0: first leg */
    int64_t run;
    int64_t attempts;     /* attempts that ended with an error of their own */
    int64_t max_attempts; /* 0: by policy */
    int64_t deaths;       /* workers that died with it; JOB_DEATHS_MAX: do not run it, fail it as `poison` */
    int64_t timeout_s;    /* 0: by policy */
    int64_t created_ms;
};
void job_clear(struct job *job);

/* --- pushing --- */

struct job_new {
    const char *queue; /* NULL: default */
    const char *id;    /* see job_new_id */
    bool fresh;        /* the id comes from job_new_id() and this is its first push: nobody need look whether there is one already */
    const char *type;
    const char *payload;      /* NULL: "{}" */
    const char *request_hash; /* NULL: none */
    const char *user_id;      /* NULL: none */
    const char *parent;       /* NULL: none; id of the job that pushed this one */
    const char *call;
    const char *backoff;      /* NULL: by policy */
    int64_t code;
    int64_t run; /* the run before the first take (legs go on counting the request's runs); 0 usually */
    int64_t max_attempts, timeout_s; /* 0: by policy */
    int priority;        /* 1 + priority (1 to 11); 0: none, the list */
    int64_t delay_ms;    /* > 0: not before */
    const char *unique_key; /* NULL: none. While a job with this key waits or runs, or for unique_ms after this push, another push with
                               it changes nothing */
    int64_t unique_ms;   /* 0: while it waits or runs */
};
/* "job_" and 26 random Crockford digits. */
#define JOB_ID_SIZE 31
void job_new_id(char out[JOB_ID_SIZE]);

enum { JOB_EXISTS = 0, JOB_PUSHED = 1, JOB_NOT_UNIQUE = 2 };
/* Queue the push, a script or a transaction, as the next of the caller's exchange; its one reply is read by job_push_reply. */
void job_push_queue(struct app *app, const struct job_new *job);
/* JOB_PUSHED; JOB_EXISTS: a job of that id exists already (nothing changed; one that was taken and whose lease is lost goes back);
 * JOB_NOT_UNIQUE: one with the same unique key does, *other is its id (free(); other may be NULL); -1 (ERR_FULL, ERR_AWAY...). */
int job_push_reply(const struct reply *reply, char **other, struct err *err);
/* Alone. As job_push_reply. */
int job_push(struct app *app, const struct job_new *job, char **other, struct err *err);
/* Many at once, all in one queue (jobs[0].queue), without delay, priority and unique key; JOB_PUSH_BATCH a script, pipelined.
 * Number pushed (existing ids are left alone), or -1: some may have been pushed; pushing the same ids again is harmless. */
int64_t job_push_many(struct app *app, const struct job_new jobs[], size_t count, struct err *err);

/* --- taking --- */

/* What holds back jobs of one type (etc/jobs) or of a whole queue (job_limit_queue). 0: no limit. */
struct job_limit {
    const char *type;     /* NULL: the queue's own */
    int64_t at_once;      /* jobs that run */
    int64_t per_count, per_ms; /* begun in any per_ms, spread evenly with a burst of per_count (GCRA) */
};

struct job_take {
    const char *queue;     /* NULL: default */
    const char *worker_id;
    const struct job_limit *limits; /* of types, from their definitions */
    size_t limit_count;
    struct job *jobs;      /* out: room for max; job_clear each */
    size_t max;
    int64_t next_ms;       /* out: in so many ms the next delayed job is due or the queue's limit lets one through; -1: nothing will
                              come by itself */
    bool paused;           /* out */
};
/* Take at most t->max ready jobs (due delayed ones first come back) and lease each for JOB_LEASE_MS. Returns how many, or -1. One
 * round trip. Two callers never get the same run of a job. A type at its limit does not hold up others. */
int job_take(struct app *app, struct job_take *t, struct err *err);

/* Prefixes of keys whose changes may mean work in this queue: for sub_track (redis/sub.h). Number written. */
#define JOB_WAKE_KEYS 4
size_t job_wake_keys(const struct house *house, const char *queue, struct key out[JOB_WAKE_KEYS]);

/* --- running --- */

struct job_ref {
    const char *queue, *id;
    int64_t run;
    bool lost; /* out, by job_renew: somebody else has it, it was cancelled, or it is gone: stop working on it */
};
/* Lease them again; also renews the TTL of their requests. 0 or -1. One round trip for all. */
int job_renew(struct app *app, struct job_ref refs[], const char *const request_hashes[], size_t count, struct err *err);
/* Tell how far a job is: stored and published. progress -1, message NULL: as it is. 1; 0: this run is over; -1. */
int job_progress(struct app *app, const char *queue, const char *id, int64_t run, int progress, const char *message,
                 struct err *err);

/* --- its end --- */

enum job_outcome {
    JOB_COMPLETED,
    JOB_FAILED,    /* for good: goes to `failed` with its error, history and payload */
    JOB_CANCELLED,
    JOB_AGAIN,     /* after delay_ms, an attempt is counted and noted in its history */
    JOB_GIVE_BACK  /* nothing counted: to the head of where it was (a stopping worker), or after delay_ms (its bot is left alone) */
};
struct job_end {
    const char *queue, *id;
    int64_t run;
    enum job_outcome outcome;
    int64_t delay_ms;       /* JOB_AGAIN, JOB_GIVE_BACK */
    const char *error;      /* NULL or text (no personal data), cut at 200 bytes */
    const char *result;     /* JOB_COMPLETED: NULL or JSON, at most JOB_RESULT_MAX */
    const char *limited;    /* NULL, or its type when that has an at_once limit: a waiting one is let through */
    bool over;              /* out: this run was over already, nothing changed */
};
/* End them, one script for up to JOB_BATCH of one queue; one round trip for all. 0 or -1 (asking again is harmless). */
int job_end(struct app *app, struct job_end ends[], size_t count, struct err *err);
/* One. 1: ended; 0: this run is over (nothing changed); -1. */
int job_end_one(struct app *app, const struct job_end *end, struct err *err);

/* Put back jobs whose lease ran out, deaths+1, at most 5,000 a call. Number put back, or -1. A round trip for each hundred. */
int job_recover(struct app *app, const char *queue, struct err *err);

/* End a job that waits or runs. Its run is told through channel key_worker_orders(worker): {"cancel": id}. 1: cancelled;
 * 0: it had ended already; -1 (ERR_NOT_FOUND: there is none). A request's job is cancelled by request_cancel instead. */
int job_cancel(struct app *app, const char *queue, const char *id, struct err *err);

/* --- counting --- */

struct job_counts {
    int64_t waiting;   /* list and priority set */
    int64_t delayed, active, failed;
    int64_t oldest_waiting_ms; /* age of the one that waits longest at the head of the list; 0 when empty or unknown */
    bool paused;
};
int job_count(struct app *app, const char *queue, struct job_counts *out, struct err *err);

#endif
