/* jobkit.h: two connections to a queue on a private Redis, and the steps of jobs in one word each. */
#ifndef PEYGIR_UNIT_JOBKIT_H
#define PEYGIR_UNIT_JOBKIT_H

#include "core/job.h"
#include "tests/unit/jobhouse.h"

#define LIST "peygir:task:queue"
#define PRIORITY "peygir:task:priority"
#define ACTIVE "peygir:task:active"
#define DELAYED "peygir:task:delayed"
#define FAILED "peygir:task:failed"
#define DATA(id) "peygir:task:data:" id
#define HASH "req_0123456789ABCDEFGHJKMNPQRS"

static struct app first, second; /* two workers */

static inline int kit_open(void **state)
{
    (void)state;
    house_start();
    house_enter(0);
    app_open(&first, &house);
    app_open(&second, &house);
    return 0;
}

static inline int kit_close(void **state)
{
    (void)state;
    app_close(&first);
    app_close(&second);
    house_leave();
    house_stop();
    return 0;
}

static inline int kit_empty(void **state)
{
    (void)state;
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    server_flush();
    return 0;
}
#define KIT_TEST(name) cmocka_unit_test_setup(name, kit_empty)

static inline int push_job(const struct job_new *job)
{
    struct err err = ERR_INIT;
    int pushed = job_push(&first, job, NULL, &err);

    if (pushed < 0)
        fail_msg("%s", err.text);
    return pushed;
}

static inline void push(const char *id)
{
    assert_int_equal(push_job(&(struct job_new){ .id = id, .type = "service" }), JOB_PUSHED);
}

static inline void push_ranked(const char *id, int priority)
{
    assert_int_equal(push_job(&(struct job_new){ .id = id, .priority = 1 + priority }), JOB_PUSHED);
}

/* The whole of a take. */
static inline int take_all(struct app *app, struct job_take *t)
{
    struct err err = ERR_INIT;
    int n;

    t->worker_id = app == &first ? "one" : "two";
    n = job_take(app, t, &err);
    if (n < 0)
        fail_msg("%s", err.text);
    return n;
}

/* Take up to max; their ids, separated by spaces (valid until the next call). */
static inline const char *take_ids_limited(struct app *app, size_t max, const struct job_limit *limits, size_t limit_count, int64_t *next_ms)
{
    static char ids[4096];
    struct job jobs[JOB_BATCH];
    struct job_take t = { .jobs = jobs, .max = max, .limits = limits, .limit_count = limit_count };
    int n = take_all(app, &t);
    size_t len = 0;

    ids[0] = '\0';
    for (int i = 0; i < n; i++) {
        len += (size_t)snprintf(ids + len, sizeof(ids) - len, "%s%s", i ? " " : "", jobs[i].id);
        job_clear(&jobs[i]);
    }
    if (next_ms)
        *next_ms = t.next_ms;
    return ids;
}

static inline const char *take_ids(struct app *app, size_t max)
{
    return take_ids_limited(app, max, NULL, 0, NULL);
}

/* Take one, which must be this; NULL: whichever. Its run; 0: there was none. */
static inline int64_t take(struct app *app, const char *id)
{
    struct job job;
    struct job_take t = { .jobs = &job, .max = 1 };
    int64_t run = 0;

    if (take_all(app, &t) == 0)
        return 0;
    if (id)
        assert_string_equal(job.id, id);
    run = job.run;
    job_clear(&job);
    return run;
}

/* Take one that must be there; job_clear it. */
static inline struct job take_job(struct app *app)
{
    struct job job = { .queue = NULL };
    struct job_take t = { .jobs = &job, .max = 1 };

    assert_int_equal(take_all(app, &t), 1);
    return job;
}

static inline int end_job(struct app *app, const struct job_end *end)
{
    struct err err = ERR_INIT;
    int ended = job_end_one(app, end, &err);

    if (ended < 0)
        fail_msg("%s", err.text);
    return ended;
}

static inline int finish(struct app *app, const char *id, int64_t run, enum job_outcome outcome)
{
    return end_job(app, &(struct job_end){ .id = id, .run = run, .outcome = outcome });
}

static inline int again(struct app *app, const char *id, int64_t run, int64_t delay_ms, const char *error)
{
    return end_job(app, &(struct job_end){ .id = id, .run = run, .outcome = JOB_AGAIN, .delay_ms = delay_ms, .error = error });
}

/* What a dead worker leaves: a lease that ran out. */
static inline void let_lease_run_out(const char *id)
{
    REDIS_RUN("ZADD", ACTIVE, "XX", "1", id);
}

static inline int recover(void)
{
    struct err err = ERR_INIT;
    int n = job_recover(&second, NULL, &err);

    if (n < 0)
        fail_msg("%s", err.text);
    return n;
}

/* Where a job is: one of queue, priority, delayed, active, failed; "" in none; "twice" in more than one. */
static inline const char *place_of(const char *id)
{
    static const char *const sets[] = { "priority", "delayed", "active", "failed" };
    const char *place = "";
    char *found = REDIS_CLI("LPOS", LIST, id);
    int places = 0;

    if (found[0] >= '0' && found[0] <= '9') {
        place = "queue";
        places++;
    }
    free(found);
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        char key[64];
        snprintf(key, sizeof(key), "peygir:task:%s", sets[i]);
        found = REDIS_CLI("ZSCORE", key, id);
        if (found[0] && found[0] != '\n') {
            place = sets[i];
            places++;
        }
        free(found);
    }
    return places > 1 ? "twice" : place;
}

#endif
