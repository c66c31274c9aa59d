/* test_job_check.c: every job stands in exactly one place, or is found */
#include "tests/unit/unit.h"

#include "tests/unit/jobs.h"

#include <pthread.h>
#include <stdatomic.h>

static struct err err;

struct heard {
    enum job_fault fault[20];
    char id[20][40];
    size_t count;
};

static void hear(void *ctx, enum job_fault fault, const char *id)
{
    struct heard *h = ctx;

    h->fault[h->count] = fault;
    snprintf(h->id[h->count++], sizeof h->id[0], "%s", id);
}

static struct job_faults_found check(bool repair, struct heard *heard)
{
    struct job_faults_found found;

    if (job_check(house_app(), NULL, repair, heard ? hear : NULL, heard, &found, &err) < 0)
        fail_msg("job_check: %s", err.text);
    return found;
}

static int64_t all_of(const struct job_faults_found *f)
{
    int64_t sum = 0;

    for (size_t i = 0; i < JOB_FAULTS; i++)
        sum += f->found[i];
    return sum;
}

/* One fault, of this job; repaired, it is gone. */
static void expect_repaired(enum job_fault fault, const char *id)
{
    struct heard heard = { .count = 0 };
    struct job_faults_found found = check(false, &heard);

    assert_int_equal(all_of(&found), 1);
    assert_int_equal(found.found[fault], 1);
    assert_int_equal(found.repaired[fault], 0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.fault[0], fault);
    assert_string_equal(heard.id[0], id);
    found = check(true, NULL);
    assert_int_equal(found.repaired[fault], 1);
    found = check(false, NULL);
    assert_int_equal(all_of(&found), 0);
}

static void nothing_is_wrong_with_a_queue_in_good_order(void **state)
{
    struct job_faults_found found;

    (void)state;
    found = check(false, NULL);
    assert_int_equal(all_of(&found) + found.looked_at, 0);
    jobs_push(&(struct job_new){ .id = "active" });
    jobs_take("active");
    jobs_push(&(struct job_new){ .id = "done" });
    jobs_end("done", jobs_take("done"), JOB_COMPLETED, NULL);
    jobs_fail(&(struct job_new){ .id = "failed" }, "it broke");
    jobs_push(&(struct job_new){ .id = "list" });
    jobs_push(&(struct job_new){ .id = "priority", .priority = 9 });
    jobs_push(&(struct job_new){ .id = "delayed", .delay_ms = 60000 });
    found = check(false, NULL);
    assert_int_equal(all_of(&found), 0);
    assert_int_equal(found.looked_at, 6);
}

static void a_producer_that_writes_a_leased_jobs_hash_is_no_fault(void **state)
{
    struct job_faults_found found;

    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_take("a");
    REDIS_RUN("HSET", JOBS_DATA("a"), "status", "pending");
    found = check(true, NULL);
    assert_int_equal(all_of(&found), 0);
    assert_redis("1", "ZCARD", JOBS_ACTIVE);
}

static void a_job_that_is_carried_out_without_a_lease_is_leased_again(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_take("a");
    REDIS_RUN("ZREM", JOBS_ACTIVE, "a");
    expect_repaired(JOB_FAULT_ACTIVE_WITHOUT_LEASE, "a");
    assert_redis("a", "ZRANGE", JOBS_ACTIVE, "0", "-1");
    assert_redis("processing", "HGET", JOBS_DATA("a"), "status");
    jobs_end("a", 1, JOB_COMPLETED, NULL);
}

static void a_lease_of_a_job_that_ended_is_removed(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_end("a", jobs_take("a"), JOB_COMPLETED, NULL);
    REDIS_RUN("ZADD", JOBS_ACTIVE, "9999999999999", "a");
    expect_repaired(JOB_FAULT_LEASE_WITHOUT_JOB, "a");
    assert_redis("0", "ZCARD", JOBS_ACTIVE);
}

static void a_lease_of_a_job_that_is_gone_is_removed(void **state)
{
    (void)state;
    REDIS_RUN("ZADD", JOBS_ACTIVE, "9999999999999", "gone");
    expect_repaired(JOB_FAULT_LEASE_WITHOUT_JOB, "gone");
    assert_redis("0", "ZCARD", JOBS_ACTIVE);
}

static void a_listed_id_without_data_is_given_what_it_will_run_as(void **state)
{
    (void)state;
    REDIS_RUN("LPUSH", JOBS_LIST, "bare");
    expect_repaired(JOB_FAULT_LISTED_WITHOUT_DATA, "bare");
    assert_redis("default", "HGET", JOBS_DATA("bare"), "type");
    assert_redis("1", "LLEN", JOBS_LIST);
    jobs_take("bare");
}

static void a_ranked_or_delayed_id_without_data_is_found_too(void **state)
{
    struct job_faults_found found;

    (void)state;
    REDIS_RUN("ZADD", JOBS_PRIORITY, "8", "bare");
    REDIS_RUN("ZADD", JOBS_DELAYED, "9999999999999", "late");
    found = check(true, NULL);
    assert_int_equal(found.repaired[JOB_FAULT_LISTED_WITHOUT_DATA], 2);
    found = check(false, NULL);
    assert_int_equal(all_of(&found), 0);
}

static void a_job_that_is_listed_twice_stays_where_it_is_taken_first(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_push(&(struct job_new){ .id = "b" });
    REDIS_RUN("ZADD", JOBS_DELAYED, "9999999999999", "a");
    REDIS_RUN("ZADD", JOBS_PRIORITY, "2", "a");
    REDIS_RUN("LPUSH", JOBS_LIST, "a");
    expect_repaired(JOB_FAULT_LISTED_TWICE, "a");
    assert_redis("2", "LLEN", JOBS_LIST);
    assert_redis("a", "LINDEX", JOBS_LIST, "-1");
    assert_redis("0", "ZCARD", JOBS_DELAYED);
    assert_redis("0", "ZCARD", JOBS_PRIORITY);
}

static void a_job_that_is_carried_out_and_listed_stays_where_it_is(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_take("a");
    REDIS_RUN("LPUSH", JOBS_LIST, "a");
    expect_repaired(JOB_FAULT_LISTED_TWICE, "a");
    assert_redis("0", "LLEN", JOBS_LIST);
    assert_redis("1", "ZCARD", JOBS_ACTIVE);
}

static void a_failed_job_that_is_listed_does_not_run_again(void **state)
{
    (void)state;
    jobs_fail(&(struct job_new){ .id = "a" }, "it broke");
    REDIS_RUN("ZADD", JOBS_DELAYED, "9999999999999", "a");
    expect_repaired(JOB_FAULT_LISTED_TWICE, "a");
    assert_redis("0", "ZCARD", JOBS_DELAYED);
    assert_redis("1", "ZCARD", JOBS_FAILED);
}

static void a_job_that_waits_nowhere_is_put_back_under_its_priority(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    REDIS_RUN("DEL", JOBS_LIST);
    expect_repaired(JOB_FAULT_IN_NO_SET, "a");
    jobs_take("a");
    jobs_push(&(struct job_new){ .id = "b", .priority = 9 });
    REDIS_RUN("DEL", JOBS_PRIORITY);
    expect_repaired(JOB_FAULT_IN_NO_SET, "b");
    assert_redis("0", "LLEN", JOBS_LIST);
    assert_int_equal(REDIS_NUMBER("ZSCORE", JOBS_PRIORITY, "b"), 8);
}

static void a_job_that_waits_but_is_only_among_the_failed_is_put_back(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    REDIS_RUN("DEL", JOBS_LIST);
    REDIS_RUN("ZADD", JOBS_FAILED, "1", "a");
    expect_repaired(JOB_FAULT_IN_NO_SET, "a");
    assert_redis("0", "ZCARD", JOBS_FAILED);
    assert_redis("1", "LLEN", JOBS_LIST);
}

static void a_job_that_has_ended_is_no_fault_when_its_producer_says_pending_too_late(void **state)
{
    struct job_faults_found found;

    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_take("a");
    REDIS_RUN("ZREM", JOBS_ACTIVE, "a");
    REDIS_RUN("HSET", JOBS_DATA("a"), "status", "pending", "completed_at", "1");
    found = check(true, NULL);
    assert_int_equal(all_of(&found), 0);
    assert_redis("0", "LLEN", JOBS_LIST);
}

static void a_job_that_the_limit_of_its_type_holds_back_is_no_fault(void **state)
{
    const struct job_limit limit = { .type = "ocr", .at_once = 1 };
    struct job jobs[2];
    struct job_take t = { .worker_id = "one", .jobs = jobs, .max = 2, .limits = &limit, .limit_count = 1 };
    struct job_faults_found found;

    (void)state;
    jobs_push(&(struct job_new){ .id = "a", .type = "ocr" });
    jobs_push(&(struct job_new){ .id = "b", .type = "ocr" });
    assert_int_equal(job_take(house_app(), &t, &err), 1);
    job_clear(&jobs[0]);
    found = check(true, NULL);
    assert_int_equal(all_of(&found), 0);
    assert_redis("1", "ZCARD", "peygir:task:limited:ocr");
}

static void queues_that_have_the_same_beginning_and_a_prefix_with_wildcards_are_kept_apart(void **state)
{
    struct job_faults_found found;

    (void)state;
    REDIS_RUN("HSET", "peygir:task:data:a", "status", "pending");
    REDIS_RUN("HSET", "peygir:task2:data:b", "status", "pending");
    found = check(false, NULL);
    assert_int_equal(found.looked_at, 1);
    if (job_check(house_app(), "ta*", false, NULL, NULL, &found, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(found.looked_at, 0);
}

static void thousands_are_gone_through(void **state)
{
    struct job_faults_found found;

    (void)state;
    REDIS_RUN("EVAL",
              "for i = 1, 3000 do redis.call('LPUSH', KEYS[1], 'j' .. i) "
              "redis.call('HSET', 'peygir:task:data:j' .. i, 'status', 'pending', 'type', 'x') end",
              "1", JOBS_LIST);
    REDIS_RUN("LREM", JOBS_LIST, "1", "j1234");
    REDIS_RUN("LPUSH", JOBS_LIST, "j77");
    found = check(true, NULL);
    assert_int_equal(all_of(&found), 2);
    assert_int_equal(found.found[JOB_FAULT_IN_NO_SET], 1);
    assert_int_equal(found.found[JOB_FAULT_LISTED_TWICE], 1);
    assert_int_equal(found.looked_at, 3000);
    assert_redis("3000", "LLEN", JOBS_LIST);
}

/* --- a queue that lives --- */

static atomic_bool enough;
static atomic_int rounds;

static void push_one(struct app *app, int n)
{
    char id[24];

    snprintf(id, sizeof id, "live%d", n);
    if (job_push(app, &(struct job_new){ .id = id, .priority = n % 3 ? 0 : 9 }, NULL, NULL) != JOB_PUSHED)
        abort();
}

/* A worker and a producer in one: all outcomes of jobs, as fast as it goes. */
static void *live(void *arg)
{
    struct app app;
    struct job jobs[8];
    struct job_take t = { .worker_id = "one", .jobs = jobs, .max = ARRAY_LEN(jobs) };

    (void)arg;
    app_open(&app, house_app()->house);
    for (int n = 0; !enough; n += 8, rounds++) {
        for (int i = 0; i < 8; i++)
            push_one(&app, n + i);
        int got = job_take(&app, &t, NULL);
        for (int i = 0; i < got; i++) {
            struct job_end end = {
                .id = jobs[i].id, .run = jobs[i].run, .outcome = (enum job_outcome)(i % 5), .delay_ms = i % 2
            };
            job_end_one(&app, &end, NULL);
            job_clear(&jobs[i]);
        }
    }
    app_close(&app);
    return NULL;
}

static void a_busy_queue_raises_no_false_alarm(void **state)
{
    pthread_t thread;
    struct job_faults_found found;

    (void)state;
    enough = false;
    rounds = 0;
    assert_int_equal(pthread_create(&thread, NULL, live, NULL), 0);
    do {
        found = check(true, NULL);
        if (all_of(&found) > 0)
            break;
    } while (rounds < 100);
    enough = true;
    pthread_join(thread, NULL);
    assert_int_equal(all_of(&found), 0);
    found = check(false, NULL);
    assert_int_equal(all_of(&found), 0);
    assert_true(found.looked_at >= 800);
}

#define T(name) cmocka_unit_test_setup(name, house_fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_is_wrong_with_a_queue_in_good_order),
        T(a_producer_that_writes_a_leased_jobs_hash_is_no_fault),
        T(a_job_that_is_carried_out_without_a_lease_is_leased_again),
        T(a_lease_of_a_job_that_ended_is_removed),
        T(a_lease_of_a_job_that_is_gone_is_removed),
        T(a_listed_id_without_data_is_given_what_it_will_run_as),
        T(a_ranked_or_delayed_id_without_data_is_found_too),
        T(a_job_that_is_listed_twice_stays_where_it_is_taken_first),
        T(a_job_that_is_carried_out_and_listed_stays_where_it_is),
        T(a_failed_job_that_is_listed_does_not_run_again),
        T(a_job_that_waits_nowhere_is_put_back_under_its_priority),
        T(a_job_that_waits_but_is_only_among_the_failed_is_put_back),
        T(a_job_that_has_ended_is_no_fault_when_its_producer_says_pending_too_late),
        T(a_job_that_the_limit_of_its_type_holds_back_is_no_fault),
        T(queues_that_have_the_same_beginning_and_a_prefix_with_wildcards_are_kept_apart),
        T(thousands_are_gone_through),
        T(a_busy_queue_raises_no_false_alarm),
    };

    return cmocka_run_group_tests_name("job_check", tests, house_setup, house_teardown);
}
