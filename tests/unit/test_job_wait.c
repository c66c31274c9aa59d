/* test_job_wait.c: a take for which Redis waits until something comes (job_take.wait_ms). */
#include "tests/unit/unit.h"

#include "core/job_admin.h"
#include "tests/unit/jobkit.h"

#include <pthread.h>

enum { LONG_MS = 60000, MOMENT_MS = 20 };

/* A worker that waits in a thread of its own. */
struct waiter {
    struct app app;
    struct job job;
    int taken;
    struct err err;
    pthread_t thread;
};

static void *wait_for_one(void *arg)
{
    struct waiter *w = arg;
    struct job_take t = { .worker_id = "waiter", .jobs = &w->job, .max = 1, .wait_ms = LONG_MS };

    w->taken = job_take(&w->app, &t, &w->err);
    return NULL;
}

/* Returns when Redis knows that it waits. */
static void waiter_start(struct waiter *w)
{
    const struct reply *clients;

    *w = (struct waiter){ .taken = -1 };
    app_open(&w->app, &house);
    pthread_create(&w->thread, NULL, wait_for_one, w);
    do
        assert_non_null(clients = redis_do(first.redis, NULL, "INFO clients"));
    while (!strstr(clients->text.s, "blocked_clients:1\r"));
}

static void waiter_end(struct waiter *w)
{
    pthread_join(w->thread, NULL);
    app_close(&w->app);
}

static const char *take_waiting(int64_t wait_ms, struct job_take *t)
{
    static char id[JOB_ID_MAX + 1];
    struct job job;

    *t = (struct job_take){ .jobs = &job, .max = 1, .wait_ms = wait_ms };
    id[0] = '\0';
    if (take_all(&first, t) > 0) {
        snprintf(id, sizeof(id), "%s", job.id);
        job_clear(&job);
    }
    t->jobs = NULL;
    return id;
}

static void what_comes_is_taken_in_that_very_moment(void **state)
{
    struct waiter w;

    (void)state;
    waiter_start(&w);
    REDIS_RUN("LPUSH", LIST, "bare");
    assert_redis("processing", "HGET", DATA("bare"), "status"); /* before the waiter may have heard of it */
    assert_redis("waiter", "HGET", DATA("bare"), "worker_id");
    waiter_end(&w);
    assert_int_equal(w.taken, 1);
    assert_string_equal(w.job.id, "bare");
    job_clear(&w.job);
}

static void whoever_goes_while_waiting_takes_nothing_along(void **state)
{
    struct waiter w;

    (void)state;
    waiter_start(&w);
    REDIS_RUN("CLIENT", "KILL", "TYPE", "normal");
    waiter_end(&w);
    assert_int_equal(w.taken, -1);
    assert_int_equal(w.err.kind, ERR_AWAY);
    push("a");
    assert_int_equal(take(&second, "a"), 1);
}

static void what_is_there_already_is_not_waited_for_and_keeps_its_order(void **state)
{
    struct job_take t;

    (void)state;
    push("a");
    push("b");
    push("c");
    assert_string_equal(take_waiting(LONG_MS, &t), "a");
    assert_string_equal(take_ids(&second, 9), "b c");
}

static void a_wait_for_nothing_ends_by_itself(void **state)
{
    struct job_take t;

    (void)state;
    assert_string_equal(take_waiting(MOMENT_MS, &t), "");
    push("later");
    assert_int_equal(take(&second, "later"), 1);
}

static void a_wait_ends_with_a_look_at_all_that_a_take_looks_at(void **state)
{
    struct job_take t;

    (void)state;
    push_ranked("ranked", 9);
    assert_string_equal(take_waiting(MOMENT_MS, &t), "ranked");
}

static void a_paused_queue_says_so_at_once(void **state)
{
    struct err err = ERR_INIT;
    struct job_take t;

    (void)state;
    push("a");
    assert_int_equal(job_pause(&first, NULL, NULL, &err), 1);
    assert_string_equal(take_waiting(LONG_MS, &t), "");
    assert_true(t.paused);
}

/* A full Redis refuses BLMOVE, and not every user may run it. */
static void where_waiting_is_refused_what_there_is_is_taken(void **state)
{
    struct job_take t;

    (void)state;
    push_ranked("a", 9);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    assert_string_equal(take_waiting(LONG_MS, &t), "a");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    push_ranked("b", 9);
    REDIS_RUN("ACL", "SETUSER", "default", "-blmove");
    assert_string_equal(take_waiting(LONG_MS, &t), "b");
    REDIS_RUN("ACL", "SETUSER", "default", "+blmove");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(what_comes_is_taken_in_that_very_moment),
        KIT_TEST(whoever_goes_while_waiting_takes_nothing_along),
        KIT_TEST(what_is_there_already_is_not_waited_for_and_keeps_its_order),
        KIT_TEST(a_wait_for_nothing_ends_by_itself),
        KIT_TEST(a_wait_ends_with_a_look_at_all_that_a_take_looks_at),
        KIT_TEST(a_paused_queue_says_so_at_once),
        KIT_TEST(where_waiting_is_refused_what_there_is_is_taken),
    };

    return cmocka_run_group_tests_name("job_wait", tests, kit_open, kit_close);
}
