/* test_job_take.c: the order in which jobs are taken, what holds them back, other people's jobs, and dead workers (contract 4.2). */
#include "tests/unit/unit.h"

#include "core/keys.h"
#include "tests/unit/jobkit.h"

#include <pthread.h>

/* --- order --- */

static void jobs_are_taken_in_the_order_they_came(void **state)
{
    (void)state;
    push("a");
    push("b");
    push("c");
    assert_string_equal(take_ids(&first, 2), "a b");
    assert_int_equal(take(&second, "c"), 1);
}

static void a_higher_priority_goes_first_and_the_list_stands_at_five(void **state)
{
    (void)state;
    push_ranked("p4", 4);
    push("list");
    push_ranked("p9", 9);
    push_ranked("p6", 6);
    push_ranked("p10", 10);
    assert_string_equal(take_ids(&first, 9), "p10 p9 p6 list p4");
}

static void within_a_priority_the_first_goes_first(void **state)
{
    (void)state;
    push_ranked("z", 7);
    push_ranked("m", 7);
    push_ranked("a", 7);
    push_ranked("low-z", 0);
    push_ranked("low-a", 0);
    assert_string_equal(take_ids(&first, 9), "z m a low-z low-a");
}

static void a_priority_of_five_stands_in_the_list(void **state)
{
    (void)state;
    push("a");
    push_ranked("b", 5);
    push("c");
    assert_string_equal(place_of("b"), "queue");
    assert_string_equal(take_ids(&first, 9), "a b c");
}

static void our_score_is_exact(void **state)
{
    char expected[64];

    (void)state;
    push_ranked("a", 10);
    push_ranked("b", 10);
    snprintf(expected, sizeof(expected), "%.17g", 11 - 2 / 17592186044416.0);
    assert_redis(expected, "ZSCORE", PRIORITY, "b");
    assert_redis("10", "HGET", DATA("b"), "priority");
}

static void a_bare_whole_score_gets_its_fraction_when_it_is_seen(void **state)
{
    (void)state;
    REDIS_RUN("ZADD", PRIORITY, "8", "bare", "8", "bare2", "9", "nine", "3", "three", "5", "five");
    push_ranked("later", 2);
    assert_string_equal(take_ids(&first, 1), "nine");
    push_ranked("ours", 8); /* after the bare ones were seen */
    assert_string_equal(take_ids(&first, 4), "bare bare2 ours five");
    assert_string_equal(take_ids(&first, 9), "three later");
}

static void each_eighth_job_is_the_longest_waiting(void **state)
{
    (void)state;
    push("old");
    push_ranked("older", 1);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof(id), "p%02d", i);
        push_ranked(id, 9);
    }
    REDIS_RUN("HINCRBY", DATA("old"), "created_at", "-1000");
    REDIS_RUN("HINCRBY", DATA("older"), "created_at", "-2000");
    assert_string_equal(take_ids(&first, 6), "p00 p01 p02 p03 p04 p05");
    assert_string_equal(take_ids(&first, 10), "p06 older p07 p08 p09 p10 p11 p12 p13 old");
    assert_string_equal(take_ids(&first, 9), "p14 p15 p16 p17 p18 p19");
    assert_redis("22", "GET", "peygir:task:takes");
}

static void one_without_data_grows_old_too(void **state)
{
    (void)state;
    REDIS_RUN("LPUSH", LIST, "bare");
    REDIS_RUN("SET", "peygir:task:takes", "7");
    push_ranked("a", 9);
    REDIS_RUN("HINCRBY", DATA("a"), "created_at", "-5000");
    assert_string_equal(take_ids(&first, 1), "a"); /* known to be older; bare's age begins to count */
    assert_true(REDIS_NUMBER("HGET", DATA("bare"), "created_at") > 0);
    REDIS_RUN("HINCRBY", DATA("bare"), "created_at", "-60000");
    push_ranked("b", 9);
    REDIS_RUN("SET", "peygir:task:takes", "15");
    assert_string_equal(take_ids(&first, 1), "bare");
}

static void a_retry_comes_back_behind_its_own_priority(void **state)
{
    (void)state;
    push_ranked("a", 8);
    push_ranked("b", 8);
    push("c");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(again(&first, "a", 1, 0, NULL), 1);
    assert_string_equal(place_of("a"), "priority");
    assert_string_equal(take_ids(&first, 9), "b a c");
    assert_int_equal(again(&first, "c", 1, 60000, NULL), 1);
    assert_int_equal(again(&first, "b", 1, 60000, NULL), 1);
    push("d");
    REDIS_RUN("ZADD", DELAYED, "1", "c", "2", "b");
    assert_string_equal(take_ids(&first, 9), "b d c");
}

static void what_is_given_back_or_recovered_is_first_again(void **state)
{
    (void)state;
    push_ranked("a", 8);
    push_ranked("b", 8);
    push("c");
    push("d");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(finish(&first, "a", 1, JOB_GIVE_BACK), 1);
    assert_int_equal(take(&first, "a"), 2);
    let_lease_run_out("a");
    assert_int_equal(recover(), 1);
    assert_string_equal(take_ids(&first, 3), "a b c");
    let_lease_run_out("c");
    assert_int_equal(recover(), 1);
    assert_string_equal(take_ids(&first, 9), "c d");
}

/* --- one taker at a time --- */

enum { MANY = 300 };
struct taker {
    struct app *app;
    int taken, wrong;
};

static void *take_until_empty(void *arg)
{
    struct taker *t = arg;
    struct job jobs[4];
    struct job_take take = { .worker_id = "thread", .jobs = jobs, .max = 4 };
    struct err err = ERR_INIT;
    int n;

    while ((n = job_take(t->app, &take, &err)) > 0)
        for (int i = 0; i < n; i++) {
            t->taken++;
            t->wrong += jobs[i].run != 1;
            job_clear(&jobs[i]);
        }
    t->wrong += n < 0;
    return NULL;
}

static void two_workers_at_once_never_get_the_same_run(void **state)
{
    struct taker one = { .app = &first }, two = { .app = &second };
    pthread_t thread;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof(id), "j%d", i);
        push(id);
    }
    assert_int_equal(pthread_create(&thread, NULL, take_until_empty, &two), 0);
    take_until_empty(&one);
    pthread_join(thread, NULL);
    assert_int_equal(one.wrong + two.wrong, 0);
    assert_int_equal(one.taken + two.taken, MANY);
    assert_int_equal(REDIS_NUMBER("ZCARD", ACTIVE), MANY);
}

static void an_id_that_is_listed_twice_runs_once(void **state)
{
    (void)state;
    push("a");
    REDIS_RUN("LPUSH", LIST, "a");
    REDIS_RUN("ZADD", PRIORITY, "9", "a");
    assert_string_equal(take_ids(&first, 9), "a");
    REDIS_RUN("LPUSH", LIST, "a");
    assert_int_equal(take(&second, NULL), 0);
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    REDIS_RUN("LPUSH", LIST, "a");
    assert_int_equal(take(&second, NULL), 0);
    assert_redis("completed", "HGET", DATA("a"), "status");
    assert_redis("0", "LLEN", LIST);
}

static void a_cancelled_job_is_skipped(void **state)
{
    (void)state;
    push("a");
    push("b");
    REDIS_RUN("HSET", DATA("a"), "status", "cancelled");
    assert_int_equal(take(&first, "b"), 1);
    assert_redis("0", "LLEN", LIST);
    assert_redis("cancelled", "HGET", DATA("a"), "status");
    assert_in_range(REDIS_NUMBER("TTL", DATA("a")), 86000, 86400);
}

/* --- pausing --- */

static void a_paused_queue_hands_out_nothing(void **state)
{
    struct job job;
    struct job_take t = { .jobs = &job, .max = 1 };

    (void)state;
    push("a");
    REDIS_RUN("SET", "peygir:task:paused", "why");
    assert_int_equal(take_all(&first, &t), 0);
    assert_true(t.paused);
    assert_int_equal(t.next_ms, -1);
    REDIS_RUN("DEL", "peygir:task:paused");
    assert_int_equal(take_all(&first, &t), 1);
    assert_false(t.paused);
    job_clear(&job);
}

/* --- limits --- */

static void push_of_type(const char *id, const char *type)
{
    assert_int_equal(push_job(&(struct job_new){ .id = id, .type = type }), JOB_PUSHED);
}

static void a_type_at_its_limit_does_not_hold_up_others(void **state)
{
    const struct job_limit limit = { .type = "slow", .at_once = 2 };
    struct job_end end = { .id = "s1", .run = 1, .limited = "slow" };

    (void)state;
    push_of_type("s1", "slow");
    push_of_type("s2", "slow");
    push_of_type("s3", "slow");
    push_of_type("s4", "slow");
    push_of_type("q1", "quick");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), "s1 s2 q1");
    assert_string_equal(place_of("s3"), "delayed");
    assert_string_equal(place_of("s4"), "delayed");
    assert_redis("2", "ZCARD", "peygir:task:limited:slow");
    assert_string_equal(take_ids_limited(&second, 9, &limit, 1, NULL), "");
    assert_int_equal(end_job(&first, &end), 1); /* lets the first one through: it is due at once, which wakes who waits */
    assert_true(REDIS_NUMBER("ZSCORE", DELAYED, "s3") <= REDIS_NUMBER("HGET", DATA("s1"), "completed_at"));
    push_of_type("q2", "quick");
    assert_string_equal(take_ids_limited(&second, 9, &limit, 1, NULL), "s3 q2");
    assert_redis("0", "HEXISTS", DATA("s3"), "held_score");
    assert_redis("2", "ZCARD", "peygir:task:running:slow");
}

static void held_back_jobs_keep_their_order(void **state)
{
    const struct job_limit limit = { .type = "slow", .at_once = 1 };
    struct job_end end = { .run = 1, .limited = "slow" };
    static const char *const order[] = { "s1", "p9", "s2", "s3", "p2" };

    (void)state;
    push_of_type("s1", "slow");
    assert_string_equal(take_ids_limited(&first, 1, &limit, 1, NULL), "s1");
    push_of_type("s2", "slow");
    push_of_type("s3", "slow");
    assert_int_equal(push_job(&(struct job_new){ .id = "p2", .type = "slow", .priority = 3 }), JOB_PUSHED);
    assert_int_equal(push_job(&(struct job_new){ .id = "p9", .type = "slow", .priority = 10 }), JOB_PUSHED);
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), "");
    assert_redis("0", "ZCARD", PRIORITY);
    for (size_t i = 0; i + 1 < ARRAY_LEN(order); i++) {
        end.id = order[i];
        assert_int_equal(end_job(&first, &end), 1);
        assert_string_equal(take_ids_limited(&second, 9, &limit, 1, NULL), order[i + 1]);
    }
}

static void a_running_job_without_a_lease_does_not_count(void **state)
{
    const struct job_limit limit = { .type = "slow", .at_once = 1 };

    (void)state;
    push_of_type("s1", "slow");
    push_of_type("s2", "slow");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), "s1");
    assert_int_equal(finish(&first, "s1", 1, JOB_COMPLETED), 1); /* by a worker that knows of no limit */
    assert_redis("1", "ZCARD", "peygir:task:running:slow");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), "s2");
    let_lease_run_out("s2");
    assert_int_equal(recover(), 1);
    assert_redis("0", "ZCARD", "peygir:task:running:slow");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), "s2");
}

static void a_limit_that_is_gone_lets_all_through_when_they_look_after_themselves(void **state)
{
    const struct job_limit limit = { .type = "slow", .at_once = 1 };

    (void)state;
    push_of_type("s1", "slow");
    push_of_type("s2", "slow");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), "s1");
    REDIS_RUN("ZADD", DELAYED, "1", "s2");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), ""); /* it holds still */
    assert_string_equal(place_of("s2"), "delayed");
    assert_redis("1", "ZCARD", "peygir:task:limited:slow");
    REDIS_RUN("ZADD", DELAYED, "1", "s2");
    assert_string_equal(take_ids(&first, 9), "s2");
    assert_redis("0", "ZCARD", "peygir:task:limited:slow");
}

static void only_so_many_of_a_type_begin_in_a_period(void **state)
{
    const struct job_limit limit = { .type = "paced", .per_count = 2, .per_ms = 600000 };
    int64_t next_ms;

    (void)state;
    push_of_type("a", "paced");
    push_of_type("b", "paced");
    push_of_type("c", "paced");
    push_of_type("d", "quick");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, &next_ms), "a b d");
    assert_string_equal(place_of("c"), "delayed");
    assert_in_range(next_ms, 200000, 300000); /* spread evenly: one each five minutes */
    REDIS_RUN("INCRBYFLOAT", "peygir:task:period:paced", "-300000");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, &next_ms), "c");
    assert_true(REDIS_NUMBER("PTTL", "peygir:task:period:paced") > 0);
}

static void a_queue_may_be_limited_too(void **state)
{
    int64_t next_ms;

    (void)state;
    push("a");
    push("b");
    push_ranked("c", 2);
    REDIS_RUN("HSET", "peygir:task:limits", "at_once", "2");
    assert_string_equal(take_ids_limited(&first, 9, NULL, 0, &next_ms), "a b");
    assert_string_equal(take_ids_limited(&second, 9, NULL, 0, &next_ms), "");
    assert_int_equal(next_ms, -1);
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    assert_string_equal(take_ids(&second, 9), "c");
    REDIS_RUN("HSET", "peygir:task:limits", "at_once", "0", "per_count", "2", "per_ms", "600000");
    push("d");
    push("e");
    push("f");
    assert_string_equal(take_ids_limited(&second, 9, NULL, 0, &next_ms), "d e");
    assert_in_range(next_ms, 200000, 300000);
    assert_string_equal(place_of("f"), "queue");
    REDIS_RUN("HINCRBYFLOAT", "peygir:task:limits", "tat", "-300000");
    assert_string_equal(take_ids(&second, 9), "f");
}

static void a_list_full_of_held_back_jobs_costs_a_take_no_more_than_its_share(void **state)
{
    const struct job_limit limit = { .type = "slow", .at_once = 1 };
    static struct job_new jobs[2000];
    static char ids[2000][16];
    struct err err = ERR_INIT;
    int64_t next_ms = 0;
    int takes = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        snprintf(ids[i], sizeof(ids[i]), "s%d", i);
        jobs[i] = (struct job_new){ .id = ids[i], .type = "slow" };
    }
    assert_int_equal(job_push_many(&first, jobs, 2000, &err), 2000);
    push("q");
    assert_string_equal(take_ids_limited(&first, 8, &limit, 1, &next_ms), "s0");
    assert_int_equal(next_ms, 0); /* there may be more: look again at once */
    assert_true(REDIS_NUMBER("ZCARD", DELAYED) < 400);
    while (strcmp(take_ids_limited(&first, 8, &limit, 1, &next_ms), "q") != 0 && takes++ < 20)
        assert_int_equal(next_ms, 0);
    assert_in_range(takes, 1, 19);
    assert_int_equal(REDIS_NUMBER("ZCARD", "peygir:task:limited:slow"), 1999);
}

/* --- other people's clients --- */

static void a_job_put_there_by_a_snippet_is_carried_out(void **state)
{
    struct job job;

    (void)state;
    REDIS_RUN("LPUSH", LIST, "t-1");
    REDIS_RUN("HSET", DATA("t-1"), "user_id", "u1", "file_id", "f\"1", "status", "pending", "priority", "5", "created_at",
              "1700000000000", "message", "hello", "code", "x");
    job = take_job(&first);
    assert_string_equal(job.type, "default");
    assert_string_equal(job.payload, "{\"file_id\":\"f\\\"1\",\"message\":\"hello\",\"code\":\"x\"}");
    assert_string_equal(job.user_id, "u1");
    assert_int_equal(job.run, 1);
    assert_int_equal(job.code, 0);
    assert_int_equal(job.created_ms, 1700000000000);
    job_clear(&job);
}

static void a_bare_member_of_the_priority_set_is_carried_out(void **state)
{
    struct job job;

    (void)state;
    REDIS_RUN("ZADD", PRIORITY, "8", "t-1");
    job = take_job(&first);
    assert_string_equal(job.id, "t-1");
    assert_string_equal(job.type, "default");
    assert_int_equal(finish(&first, "t-1", job.run, JOB_GIVE_BACK), 1);
    assert_string_equal(place_of("t-1"), "priority");
    job_clear(&job);
}

static void a_hash_that_is_written_after_its_job_was_taken_neither_loses_nor_doubles_it(void **state)
{
    struct err err = ERR_INIT;
    struct job_ref ref = { .id = "t-1", .run = 1 };
    struct job job;

    (void)state;
    REDIS_RUN("LPUSH", LIST, "t-1", "t-2");
    assert_string_equal(take_ids(&first, 2), "t-1 t-2");
    REDIS_RUN("HSET", DATA("t-1"), "status", "pending", "file_id", "f", "created_at", "1700000000000");
    REDIS_RUN("HSET", DATA("t-2"), "status", "pending", "file_id", "f");
    assert_int_equal(take(&second, NULL), 0);
    assert_int_equal(finish(&first, "t-2", 1, JOB_COMPLETED), 1);
    assert_redis("completed", "HGET", DATA("t-2"), "status");
    let_lease_run_out("t-1");
    assert_int_equal(recover(), 1);
    assert_int_equal(finish(&first, "t-1", 1, JOB_COMPLETED), 0);
    job = take_job(&second);
    assert_string_equal(job.payload, "{\"file_id\":\"f\"}");
    assert_int_equal(job.run, 2);
    assert_int_equal(job.deaths, 1);
    job_clear(&job);
    REDIS_RUN("HSET", DATA("t-1"), "status", "pending");
    ref.run = 2;
    assert_int_equal(job_renew(&second, &ref, NULL, 1, &err), 0);
    assert_false(ref.lost);
    assert_redis("processing", "HGET", DATA("t-1"), "status");
}

static void an_id_that_is_given_once_more_after_its_end_is_kept_while_it_runs(void **state)
{
    (void)state;
    push("t-1");
    assert_int_equal(take(&first, "t-1"), 1);
    assert_int_equal(finish(&first, "t-1", 1, JOB_FAILED), 1);
    REDIS_RUN("LPUSH", LIST, "t-1");
    REDIS_RUN("HSET", DATA("t-1"), "status", "pending");
    assert_int_equal(take(&first, "t-1"), 2);
    assert_int_equal(REDIS_NUMBER("TTL", DATA("t-1")), -1);
    assert_string_equal(place_of("t-1"), "active");
}

static void a_payload_that_is_not_json_is_handed_on_as_a_string(void **state)
{
    struct job job;

    (void)state;
    REDIS_RUN("HSET", DATA("t-1"), "payload", "{oops");
    REDIS_RUN("LPUSH", LIST, "t-1");
    job = take_job(&first);
    assert_string_equal(job.payload, "\"{oops\"");
    job_clear(&job);
}

static void a_listed_id_without_data_gets_data_of_type_default(void **state)
{
    struct job job;

    (void)state;
    REDIS_RUN("LPUSH", LIST, "bare");
    job = take_job(&first);
    assert_string_equal(job.type, "default");
    assert_string_equal(job.payload, "{}");
    assert_true(job.created_ms > 0);
    job_clear(&job);
    assert_redis("default", "HGET", DATA("bare"), "type");
}

static void a_key_of_another_kind_in_a_jobs_place_stops_nothing(void **state)
{
    (void)state;
    REDIS_RUN("SET", DATA("odd"), "text");
    REDIS_RUN("LPUSH", LIST, "odd");
    REDIS_RUN("ZADD", PRIORITY, "9", "odd");
    REDIS_RUN("ZADD", DELAYED, "1", "odd");
    push("a");
    assert_string_equal(take_ids(&first, 9), "a");
    REDIS_RUN("ZADD", ACTIVE, "1", "odd");
    assert_int_equal(recover(), 0);
}

static void numbers_of_a_hash_that_are_none_stop_nothing(void **state)
{
    struct job job;

    (void)state;
    REDIS_RUN("HSET", DATA("t"), "run", "-7", "priority", "high", "attempts", "x", "created_at", "soon", "timeout", "99999999999999999999");
    REDIS_RUN("ZADD", DELAYED, "1", "t");
    job = take_job(&first);
    assert_int_equal(job.run, 1);
    assert_int_equal(job.attempts, 0);
    assert_int_equal(finish(&first, "t", 1, JOB_COMPLETED), 1);
    job_clear(&job);
}

/* Fields as anybody might write them. */
static const char *const odd[] = { "x", "", "1.0", "nan", "inf", "-1e300", "9223372036854775807" };

static void odd_numbers_lose_no_job_on_any_way_back(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        struct job_end back = { .id = "c", .run = 1, .outcome = JOB_GIVE_BACK };

        server_flush();
        push("a");
        push("b");
        push("c");
        take_ids(&first, 3);
        for (const char *id = "abc"; *id; id++) {
            char data[64];
            snprintf(data, sizeof data, DATA("%c"), *id);
            REDIS_RUN("HSET", data, "attempts", odd[i], "deaths", odd[i], "from_score", odd[i], "started_at", odd[i], "held_score", odd[i],
                      "history", "{\"run\":");
        }
        assert_int_equal(again(&first, "a", 1, 0, "e"), 1);
        let_lease_run_out("b");
        assert_int_equal(recover(), 1);
        assert_int_equal(job_end_one(&first, &back, &err), 1);
        assert_redis("0", "ZCARD", ACTIVE);
        assert_int_equal(take(&first, NULL) + take(&first, NULL) + take(&first, NULL), 6);
        REDIS_RUN("HSET", DATA("a"), "started_at", odd[i]);
        assert_int_equal(finish(&first, "a", 2, JOB_COMPLETED), 1);
        assert_redis("1", "GET", "peygir:stats:tasks:completed");
    }
}

static void one_odd_score_among_the_due_ones_stops_none_of_them(void **state)
{
    const struct job_limit limit = { .type = "ocr", .at_once = 1 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        server_flush();
        for (const char *id = "abc"; *id; id++) {
            char data[64], name[2] = { *id, '\0' };
            snprintf(data, sizeof data, DATA("%c"), *id);
            REDIS_RUN("HSET", data, "type", "other", "status", "pending");
            REDIS_RUN("ZADD", DELAYED, "1", name);
        }
        REDIS_RUN("HSET", DATA("b"), "held_score", odd[i], "from_score", odd[i], "type", "ocr");
        assert_int_equal(strlen(take_ids_limited(&first, 9, &limit, 1, NULL)), strlen("a b c"));
        assert_redis("3", "ZCARD", ACTIVE);
    }
}

static void an_id_that_fits_into_no_key_fails_at_once(void **state)
{
    char id[200];

    (void)state;
    memset(id, 'i', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    REDIS_RUN("LPUSH", LIST, id);
    REDIS_RUN("EVAL", "redis.call('LPUSH', KEYS[1], 'a\\0b', 'c\\nd')", "1", LIST);
    push("good");
    assert_string_equal(take_ids(&first, 9), "good");
    assert_redis("1", "ZCARD", ACTIVE);
    assert_redis("3", "ZCARD", FAILED);
    assert_redis("3", "GET", "peygir:stats:tasks:failed");
}

/* It begins to wait when it is first looked at, which is at the eighth take; at the sixteenth it waits longest. */
static void one_whose_creation_is_no_number_grows_old_too(void **state)
{
    bool taken = false;

    (void)state;
    REDIS_RUN("HSET", DATA("old"), "created_at", "2026-01-02T03:04:05Z");
    REDIS_RUN("ZADD", PRIORITY, "0", "old");
    for (int i = 1; i <= 24; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        push_ranked(id, 9);
        if (i == 8 || i == 24)
            taken = strstr(take_ids(&first, 8), "old") || taken;
    }
    assert_true(taken);
}

static void all_jobs_of_a_worker_that_carried_many_come_back_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 350; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        push(id);
    }
    while (take(&first, NULL) > 0)
        ;
    REDIS_RUN("EVAL", "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 1, id) end", "1", ACTIVE);
    assert_int_equal(recover(), 350);
    assert_redis("350", "LLEN", LIST);
}

/* --- death and fencing --- */

static void a_dead_workers_job_runs_elsewhere_and_counts_a_death(void **state)
{
    struct job job;
    char *history;

    (void)state;
    push("a");
    push("b");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(recover(), 0);
    let_lease_run_out("a");
    assert_int_equal(recover(), 1);
    assert_int_equal(recover(), 0);
    job = take_job(&second);
    assert_string_equal(job.id, "a");
    assert_int_equal(job.run, 2);
    assert_int_equal(job.deaths, 1);
    assert_int_equal(job.attempts, 0);
    job_clear(&job);
    history = REDIS_CLI("HGET", DATA("a"), "history");
    assert_non_null(strstr(history, "[{\"run\":1,\"at\":"));
    assert_non_null(strstr(history, "\"worker\":\"one\",\"error\":\"the worker died\"}]"));
    free(history);
}

static void several_dead_workers_jobs_keep_their_order(void **state)
{
    (void)state;
    push("a");
    push("b");
    push("c");
    assert_string_equal(take_ids(&first, 2), "a b");
    REDIS_RUN("ZADD", ACTIVE, "1", "a", "2", "b");
    assert_int_equal(recover(), 2);
    assert_string_equal(take_ids(&second, 9), "a b c");
}

static void an_old_run_changes_nothing(void **state)
{
    struct err err = ERR_INIT;
    struct job_ref ref = { .id = "a", .run = 1 };

    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    let_lease_run_out("a");
    assert_int_equal(recover(), 1);
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 0); /* even before somebody else has it */
    assert_int_equal(take(&second, "a"), 2);
    for (int outcome = JOB_COMPLETED; outcome <= JOB_GIVE_BACK; outcome++)
        assert_int_equal(finish(&first, "a", 1, (enum job_outcome)outcome), 0);
    assert_int_equal(job_progress(&first, NULL, "a", 1, 50, NULL, &err), 0);
    assert_int_equal(job_renew(&first, &ref, NULL, 1, &err), 0);
    assert_true(ref.lost);
    assert_redis("processing", "HGET", DATA("a"), "status");
    assert_redis("0", "HEXISTS", DATA("a"), "progress");
    assert_string_equal(place_of("a"), "active");
    assert_int_equal(finish(&second, "a", 2, JOB_COMPLETED), 1);
    assert_int_equal(finish(&second, "a", 2, JOB_COMPLETED), 0);
}

static void a_lease_of_a_job_that_is_gone_is_only_removed(void **state)
{
    (void)state;
    REDIS_RUN("ZADD", ACTIVE, "1", "gone");
    assert_int_equal(recover(), 0);
    assert_redis("0", "ZCARD", ACTIVE);
    assert_redis("0", "EXISTS", DATA("gone"));
}

static void renewing_leases_again_and_keeps_the_request_alive(void **state)
{
    struct err err = ERR_INIT;
    struct job_ref refs[] = { { .id = "a", .run = 1 }, { .id = "b", .run = 1 }, { .id = "never", .run = 1 },
                              { .queue = "other", .id = "c", .run = 1 } };
    const char *hashes[] = { HASH, NULL, NULL, NULL };

    (void)state;
    push("a");
    push("b");
    assert_string_equal(take_ids(&first, 2), "a b");
    REDIS_RUN("SET", "local_request:" HASH, "{}", "EX", "5");
    REDIS_RUN("HSET", "{local_request:" HASH "}:guard", "status", "processing");
    let_lease_run_out("a");
    REDIS_RUN("ZREM", ACTIVE, "b");
    assert_int_equal(job_renew(&first, refs, hashes, ARRAY_LEN(refs), &err), 0);
    assert_false(refs[0].lost);
    assert_false(refs[1].lost);
    assert_true(refs[2].lost);
    assert_true(refs[3].lost);
    assert_int_equal(recover(), 0);
    assert_redis("2", "ZCARD", ACTIVE);
    assert_true(REDIS_NUMBER("TTL", "local_request:" HASH) > 1000);
    assert_true(REDIS_NUMBER("TTL", "{local_request:" HASH "}:guard") > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(jobs_are_taken_in_the_order_they_came),
        KIT_TEST(a_higher_priority_goes_first_and_the_list_stands_at_five),
        KIT_TEST(within_a_priority_the_first_goes_first),
        KIT_TEST(a_priority_of_five_stands_in_the_list),
        KIT_TEST(our_score_is_exact),
        KIT_TEST(a_bare_whole_score_gets_its_fraction_when_it_is_seen),
        KIT_TEST(each_eighth_job_is_the_longest_waiting),
        KIT_TEST(one_without_data_grows_old_too),
        KIT_TEST(a_retry_comes_back_behind_its_own_priority),
        KIT_TEST(what_is_given_back_or_recovered_is_first_again),
        KIT_TEST(two_workers_at_once_never_get_the_same_run),
        KIT_TEST(an_id_that_is_listed_twice_runs_once),
        KIT_TEST(a_cancelled_job_is_skipped),
        KIT_TEST(a_paused_queue_hands_out_nothing),
        KIT_TEST(a_type_at_its_limit_does_not_hold_up_others),
        KIT_TEST(held_back_jobs_keep_their_order),
        KIT_TEST(a_running_job_without_a_lease_does_not_count),
        KIT_TEST(a_limit_that_is_gone_lets_all_through_when_they_look_after_themselves),
        KIT_TEST(only_so_many_of_a_type_begin_in_a_period),
        KIT_TEST(a_queue_may_be_limited_too),
        KIT_TEST(a_list_full_of_held_back_jobs_costs_a_take_no_more_than_its_share),
        KIT_TEST(a_job_put_there_by_a_snippet_is_carried_out),
        KIT_TEST(a_bare_member_of_the_priority_set_is_carried_out),
        KIT_TEST(a_hash_that_is_written_after_its_job_was_taken_neither_loses_nor_doubles_it),
        KIT_TEST(an_id_that_is_given_once_more_after_its_end_is_kept_while_it_runs),
        KIT_TEST(a_payload_that_is_not_json_is_handed_on_as_a_string),
        KIT_TEST(a_listed_id_without_data_gets_data_of_type_default),
        KIT_TEST(a_key_of_another_kind_in_a_jobs_place_stops_nothing),
        KIT_TEST(numbers_of_a_hash_that_are_none_stop_nothing),
        KIT_TEST(odd_numbers_lose_no_job_on_any_way_back),
        KIT_TEST(one_odd_score_among_the_due_ones_stops_none_of_them),
        KIT_TEST(an_id_that_fits_into_no_key_fails_at_once),
        KIT_TEST(one_whose_creation_is_no_number_grows_old_too),
        KIT_TEST(all_jobs_of_a_worker_that_carried_many_come_back_at_once),
        KIT_TEST(a_dead_workers_job_runs_elsewhere_and_counts_a_death),
        KIT_TEST(several_dead_workers_jobs_keep_their_order),
        KIT_TEST(an_old_run_changes_nothing),
        KIT_TEST(a_lease_of_a_job_that_is_gone_is_only_removed),
        KIT_TEST(renewing_leases_again_and_keeps_the_request_alive),
    };

    return cmocka_run_group_tests_name("job_take", tests, kit_open, kit_close);
}
