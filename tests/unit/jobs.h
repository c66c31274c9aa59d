/* jobs.h: jobs pushed, taken and ended in the house of a unit test. */
#ifndef PEYGIR_UNIT_JOBS_H
#define PEYGIR_UNIT_JOBS_H

#include "core/job_admin.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

#define JOBS_LIST "peygir:task:queue"
#define JOBS_PRIORITY "peygir:task:priority"
#define JOBS_DELAYED "peygir:task:delayed"
#define JOBS_ACTIVE "peygir:task:active"
#define JOBS_FAILED "peygir:task:failed"
#define JOBS_DATA(id) "peygir:task:data:" id

/* The field of a job whose id is made by the test. */
static inline char *jobs_field(const char *id, const char *field)
{
    char *key = xasprintf("peygir:task:data:%s", id), *value = server_cli((const char *const[]){ "HGET", key, field, NULL });

    free(key);
    return value;
}

#define assert_field(expected, id, field)             \
    do {                                              \
        char *value_ = jobs_field(id, field);         \
        assert_string_equal(value_, (expected));      \
        free(value_);                                 \
    } while (0)

static inline void jobs_push(const struct job_new *job)
{
    struct err err = ERR_INIT;

    if (job_push(house_app(), job, NULL, &err) != JOB_PUSHED)
        fail_msg("job_push: %s", err.text);
}

/* Take the next one, which must be `id`. Its run. */
static inline int64_t jobs_take(const char *id)
{
    struct err err = ERR_INIT;
    struct job job;
    struct job_take t = { .worker_id = "one", .jobs = &job, .max = 1 };
    int64_t run = 0;

    if (job_take(house_app(), &t, &err) != 1)
        fail_msg("job_take found none for %s: %s", id, err.text);
    assert_string_equal(job.id, id);
    run = job.run;
    job_clear(&job);
    return run;
}

static inline void jobs_end(const char *id, int64_t run, enum job_outcome outcome, const char *error)
{
    struct err err = ERR_INIT;
    struct job_end end = { .id = id, .run = run, .outcome = outcome, .error = error, .delay_ms = 42000 };

    if (job_end_one(house_app(), &end, &err) != 1)
        fail_msg("job_end of %s: %s", id, err.text);
}

/* Pushed, taken and failed for good. */
static inline void jobs_fail(const struct job_new *job, const char *error)
{
    jobs_push(job);
    jobs_end(job->id, jobs_take(job->id), JOB_FAILED, error);
}

#endif
