/* job_part.h: what the files job*.c share. Inside core only.
 *
 * How a job gets back to where jobs are taken from, the same in every script:
 *   to the head  (given back, recovered, let through by a limit): into the priority set under its field `from_score`, which a take
 *                writes when it took it from there; without that field RPUSH onto the list
 *   to the tail  (a delay that ran out, a retry): by its field `priority`: a whole number from 0 to 10 other than 5 into the priority
 *                set under p + 1 - n/2^44, n = INCR of the part "sequence", written as %.17g; anything else LPUSH onto the list;
 *                `from_score` is deleted
 * A job that a limit of its type holds back is in `delayed`, and in limited:{type} under the score by which it would have been taken
 * (its field `held_score`); it goes to the head when a take finds room for it. Whoever takes it out of `delayed` for good also takes it
 * out of limited:{type} and deletes `held_score`.
 *
 * A run owns its job while the hash names that run, has not ended, and either says `processing` or has a lease in `active`: a producer
 * that writes its hash (status pending) after its job was taken takes nothing away from the run. */
#ifndef PEYGIR_JOB_PART_H
#define PEYGIR_JOB_PART_H

#include "core/job.h"

struct span job_part_queue(const char *queue); /* NULL: the default one */
struct key job_part_key(const struct app *app, const char *queue, const char *part);
struct key job_part_data(const struct app *app, const char *queue, const char *id);
/* The connection, in the database of requests and jobs. */
struct redis *job_part_redis(struct app *app);
/* Send what is queued; the last reply, or NULL. */
const struct reply *job_part_exchange(struct app *app, struct err *err);

/* Queue a script that knows the whole queue: keys list, priority, delayed, active, failed; args: prefix of the queue's keys, prefix of
 * its jobs' hashes, channel of notifications, prefix of the counters, key of the day's statistics, then the caller's. The first
 * JOB_PART_ARGS of args[] are filled in here; `count` includes them. */
#define JOB_PART_ARGS 5
void job_part_script(struct app *app, const char *queue, const struct script *script, struct span args[], int count);

/* Send what is queued, scripts that answer 1 or 0 for each job that they were asked about. The answers in order: each is turned round into
 * a bool, *over and those behind it, stride bytes apart. 0 or -1. */
int job_part_verdicts(struct app *app, bool *over, size_t stride, size_t count, struct err *err);

/* A script that pushes a job under a condition of its own: its key and args stand before those of job_push.lua. */
#define JOB_PART_GUARD_ARGS 5
struct job_part_guard {
    const struct script *script;
    struct span key, args[JOB_PART_GUARD_ARGS];
};
/* As job_push_queue, by the guard's script (NULL: none). Without guard a fresh job that wants no place of its own goes by a transaction
 * where Redis lets us have any: that costs it two thirds of the script. */
void job_part_push(struct app *app, const struct job_new *job, const struct job_part_guard *guard);

/* Text of an error as it is kept: valid UTF-8, at most 200 bytes; borrowed from `error` or from *mended (str_free). */
struct span job_part_error(const char *error, struct str *mended);

#endif
