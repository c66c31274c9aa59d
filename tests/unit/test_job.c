/* test_job.c: a queue that loses nothing (contract 4.2). */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/fleet.h"
#include "core/job.h"
#include "core/keys.h"
#include "core/stats.h"
#include "tests/unit/jobhouse.h"

#include <pthread.h>

#define LIST "peygir:task:queue"
#define ACTIVE "peygir:task:active"
#define DELAYED "peygir:task:delayed"
#define DATA(id) "peygir:task:data:" id
#define HASH "req_0123456789ABCDEFGHJKMNPQRS"

static struct app first, second; /* two connections: two workers */

static int open_house(void **state)
{
    (void)state;
    house_start();
    house_enter(0);
    app_open(&first, &house);
    app_open(&second, &house);
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    app_close(&first);
    app_close(&second);
    house_leave();
    house_stop();
    return 0;
}

static int empty(void **state)
{
    (void)state;
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    server_flush();
    return 0;
}

static void push(const char *id)
{
    struct err err = ERR_INIT;

    assert_int_equal(job_push(&first, &(struct job_new){ .id = id, .type = "service" }, &err), 1);
}

/* Take one; its run. 0: there was none. */
static int64_t take(struct app *app, const char *id)
{
    struct err err = ERR_INIT;
    struct job job;
    int64_t run = 0;
    int n = job_take(app, NULL, app == &first ? "one" : "two", &job, 1, &err);

    assert_true(n >= 0);
    if (n > 0) {
        if (id)
            assert_string_equal(job.id, id);
        run = job.run;
        job_clear(&job);
    }
    return run;
}

static int finish(struct app *app, const char *id, int64_t run, enum job_outcome outcome)
{
    struct err err = ERR_INIT;

    return job_finish(app, NULL, id, run, outcome, NULL, &err);
}

/* What a dead worker leaves: a lease that ran out. */
static void let_lease_run_out(const char *id)
{
    REDIS_RUN("ZADD", ACTIVE, "XX", "1", id);
}

static int recover(void)
{
    struct err err = ERR_INIT;

    return job_recover(&second, NULL, &err);
}

/* --- pushing and taking --- */

static void a_pushed_job_is_taken_once_with_all_it_was_given(void **state)
{
    const struct job_new given = { .id = HASH ".2", .type = "service", .payload = "{\"a\":[]}", .request_hash = HASH,
                                   .user_id = "7", .call = "resend-otp", .code = 2, .run = 4, .max_attempts = 5,
                                   .timeout_s = 60 };
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    assert_int_equal(job_push(&first, &given, &err), 1);
    assert_int_equal(job_take(&second, "task", "two", &job, 1, &err), 1);
    assert_string_equal(job.queue, "task");
    assert_string_equal(job.id, given.id);
    assert_string_equal(job.type, given.type);
    assert_string_equal(job.payload, given.payload);
    assert_string_equal(job.request_hash, given.request_hash);
    assert_string_equal(job.call, given.call);
    assert_int_equal(job.code, 2);
    assert_int_equal(job.run, 5);
    assert_int_equal(job.attempts, 0);
    assert_int_equal(job.max_attempts, 5);
    assert_int_equal(job.timeout_s, 60);
    assert_true(job.created_ms > 0);
    job_clear(&job);
    assert_int_equal(take(&first, NULL), 0);
    assert_redis("processing", "HGET", DATA(HASH ".2"), "status");
    assert_redis("two", "HGET", DATA(HASH ".2"), "worker_id");
    assert_redis("7", "HGET", DATA(HASH ".2"), "user_id");
}

static void taking_renewing_and_ending_a_job_are_one_round_trip_each(void **state)
{
    struct err err = ERR_INIT;
    struct job_ref ref = { .queue = NULL, .id = "a", .run = 1 };
    const char *hashes[] = { HASH };
    uint64_t before = 0;

    (void)state;
    for (int round = 0; round < 2; round++) { /* in the first the scripts are loaded */
        push(ref.id);
        before = redis_round_trips(first.redis);
        assert_int_equal(take(&first, ref.id), 1);
        assert_int_equal(job_renew(&first, &ref, hashes, 1, &err), 0);
        assert_int_equal(finish(&first, ref.id, 1, JOB_COMPLETED), 1);
        ref.id = "b";
    }
    assert_int_equal(redis_round_trips(first.redis) - before, 3);
}

static void a_job_of_an_id_that_exists_is_not_pushed_again(void **state)
{
    struct err err = ERR_INIT;
    const struct job_new again = { .id = "a", .type = "service" };

    (void)state;
    push("a");
    assert_int_equal(job_push(&second, &again, &err), 0);
    assert_redis("1", "LLEN", LIST);
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_push(&second, &again, &err), 0);
    assert_redis("0", "LLEN", LIST);
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    assert_int_equal(job_push(&second, &again, &err), 0);
    assert_redis("0", "LLEN", LIST);
    assert_redis("1", "GET", "peygir:stats:tasks:total");
}

static void jobs_are_taken_in_the_order_they_came(void **state)
{
    struct err err = ERR_INIT;
    struct job jobs[3];

    (void)state;
    push("a");
    push("b");
    push("c");
    assert_int_equal(job_take(&first, NULL, "one", jobs, 2, &err), 2);
    assert_string_equal(jobs[0].id, "a");
    assert_string_equal(jobs[1].id, "b");
    job_clear(&jobs[0]);
    job_clear(&jobs[1]);
    assert_int_equal(take(&second, "c"), 1);
}

enum { MANY = 300 };
struct taker {
    struct app *app;
    int taken, wrong;
};

static void *take_until_empty(void *arg)
{
    struct taker *t = arg;
    struct job jobs[4];
    struct err err = ERR_INIT;
    int n;

    while ((n = job_take(t->app, NULL, "thread", jobs, 4, &err)) > 0)
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
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(take(&second, NULL), 0);
    REDIS_RUN("LPUSH", LIST, "a");
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    assert_int_equal(take(&second, NULL), 0);
    assert_redis("completed", "HGET", DATA("a"), "status");
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
}

/* --- other people's clients --- */

static void a_job_put_there_by_a_snippet_is_carried_out(void **state)
{
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    REDIS_RUN("LPUSH", LIST, "t-1");
    REDIS_RUN("HSET", DATA("t-1"), "user_id", "u1", "file_id", "f\"1", "status", "pending", "priority", "5",
              "created_at", "1700000000000");
    assert_int_equal(job_take(&first, NULL, "one", &job, 1, &err), 1);
    assert_string_equal(job.type, "default");
    assert_string_equal(job.payload, "{\"file_id\":\"f\\\"1\"}");
    assert_int_equal(job.run, 1);
    assert_int_equal(job.created_ms, 1700000000000);
    job_clear(&job);
}

static void a_payload_that_is_not_json_is_handed_on_as_a_string(void **state)
{
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    REDIS_RUN("HSET", DATA("t-1"), "payload", "{oops");
    REDIS_RUN("LPUSH", LIST, "t-1");
    assert_int_equal(job_take(&first, NULL, "one", &job, 1, &err), 1);
    assert_string_equal(job.payload, "\"{oops\"");
    job_clear(&job);
}

static void a_listed_id_without_data_gets_data_of_type_default(void **state)
{
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    REDIS_RUN("LPUSH", LIST, "bare");
    assert_int_equal(job_take(&first, NULL, "one", &job, 1, &err), 1);
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
    push("a");
    assert_int_equal(take(&first, "a"), 1);
}

/* --- death, fencing, giving back --- */

static void a_dead_workers_job_runs_elsewhere_and_counts_a_death(void **state)
{
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    push("a");
    push("b");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(recover(), 0);
    let_lease_run_out("a");
    assert_int_equal(recover(), 1);
    assert_int_equal(recover(), 0);
    assert_int_equal(job_take(&second, NULL, "two", &job, 1, &err), 1);
    assert_string_equal(job.id, "a");
    assert_int_equal(job.run, 2);
    assert_int_equal(job.deaths, 1);
    assert_int_equal(job.attempts, 0);
    job_clear(&job);
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
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 0);
    assert_int_equal(job_retry(&first, NULL, "a", 1, 0, NULL, &err), 0);
    assert_int_equal(job_give_back(&first, NULL, "a", 1, &err), 0);
    assert_int_equal(job_renew(&first, &ref, NULL, 1, &err), 0);
    assert_true(ref.lost);
    assert_redis("processing", "HGET", DATA("a"), "status");
    assert_int_equal(finish(&second, "a", 2, JOB_COMPLETED), 1);
    assert_int_equal(finish(&second, "a", 2, JOB_COMPLETED), 0);
}

static void a_lease_of_a_job_that_is_gone_is_only_removed(void **state)
{
    (void)state;
    REDIS_RUN("ZADD", ACTIVE, "1", "gone");
    assert_int_equal(recover(), 0);
    assert_redis("0", "ZCARD", ACTIVE);
    assert_redis("0", "LLEN", LIST);
}

static void a_job_whose_lease_entry_vanished_is_found_by_a_push(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    REDIS_RUN("DEL", ACTIVE);
    assert_int_equal(job_push(&second, &(struct job_new){ .id = "a" }, &err), 0);
    assert_int_equal(take(&second, "a"), 2);
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
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(take(&first, "b"), 1);
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

static void a_job_that_is_given_back_is_next_and_counts_nothing(void **state)
{
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    push("a");
    push("b");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_give_back(&first, NULL, "a", 1, &err), 1);
    assert_redis("0", "ZCARD", ACTIVE);
    assert_redis("pending", "HGET", DATA("a"), "status");
    assert_int_equal(job_take(&second, NULL, "two", &job, 1, &err), 1);
    assert_string_equal(job.id, "a");
    assert_int_equal(job.run, 2);
    assert_int_equal(job.attempts, 0);
    assert_int_equal(job.deaths, 0);
    job_clear(&job);
}

static void a_retried_job_waits_for_its_time_and_counts_an_attempt(void **state)
{
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_retry(&first, NULL, "a", 1, 60000, "the bot is away", &err), 1);
    assert_int_equal(take(&second, NULL), 0);
    assert_redis("1", "ZCARD", DELAYED);
    assert_redis("0", "ZCARD", ACTIVE);
    assert_redis("the bot is away", "HGET", DATA("a"), "error");
    assert_redis("1", "GET", "peygir:stats:tasks:retried");
    REDIS_RUN("ZADD", DELAYED, "1", "a");
    assert_int_equal(job_take(&second, NULL, "two", &job, 1, &err), 1);
    assert_int_equal(job.attempts, 1);
    assert_int_equal(job.run, 2);
    job_clear(&job);
    assert_redis("0", "ZCARD", DELAYED);
    assert_int_equal(job_retry(&second, NULL, "a", 2, 0, NULL, &err), 1);
    assert_int_equal(take(&first, "a"), 3);
}

/* --- the end --- */

static void a_completed_job_is_counted_made_small_and_expires(void **state)
{
    struct err err = ERR_INIT;
    struct stats s;
    struct key daily = key_stats_daily(&house, clock_ms());

    (void)state;
    assert_int_equal(job_push(&first, &(struct job_new){ .id = "a", .payload = "{\"big\":1}" }, &err), 1);
    assert_int_equal(take(&first, "a"), 1);
    REDIS_RUN("HINCRBY", DATA("a"), "started_at", "-5000");
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    assert_redis("completed", "HGET", DATA("a"), "status");
    assert_redis("0", "HEXISTS", DATA("a"), "payload");
    assert_redis("0", "ZCARD", ACTIVE);
    assert_in_range(REDIS_NUMBER("TTL", DATA("a")), 86000, 86400);
    assert_in_range(REDIS_NUMBER("TTL", daily.s), 7770000, 7776000);
    assert_int_equal(stats_read(&first, &s, &err), 0);
    assert_int_equal(s.total, 1);
    assert_int_equal(s.completed, 1);
    assert_int_equal(s.failed + s.cancelled + s.retried, 0);
    assert_int_equal(s.today_total, 1);
    assert_int_equal(s.today_completed, 1);
    assert_in_range(s.today_average_ms, 5000, 60000);
}

static void a_failed_job_is_kept_for_seven_days_with_its_error(void **state)
{
    struct err err = ERR_INIT;
    struct stats s;

    (void)state;
    assert_int_equal(job_push(&first, &(struct job_new){ .id = "a", .payload = "{\"x\":1}" }, &err), 1);
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_finish(&first, NULL, "a", 1, JOB_FAILED, "poison", &err), 1);
    assert_redis("failed", "HGET", DATA("a"), "status");
    assert_redis("poison", "HGET", DATA("a"), "error");
    assert_redis("{\"x\":1}", "HGET", DATA("a"), "payload");
    assert_in_range(REDIS_NUMBER("TTL", DATA("a")), 604000, 604800);
    assert_redis("1", "ZCARD", "peygir:task:failed");
    assert_int_equal(stats_read(&first, &s, &err), 0);
    assert_int_equal(s.failed, 1);
    assert_int_equal(s.today_failed, 1);
}

static void a_long_error_is_cut_at_a_character(void **state)
{
    struct err err = ERR_INIT;
    char text[301];

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + 199, "\xd8\xb3", 2); /* one character across the limit */
    text[300] = '\0';
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_finish(&first, NULL, "a", 1, JOB_FAILED, text, &err), 1);
    assert_redis("199", "HSTRLEN", DATA("a"), "error");
}

static void a_cancelled_jobs_end_is_counted_as_such(void **state)
{
    struct err err = ERR_INIT;
    struct stats s;

    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_finish(&first, NULL, "a", 1, JOB_CANCELLED, "expired", &err), 1);
    assert_redis("0", "EXISTS", "peygir:task:failed");
    assert_int_equal(stats_read(&first, &s, &err), 0);
    assert_int_equal(s.cancelled, 1);
}

static void the_day_of_the_statistics_is_todays(void **state)
{
    struct key daily = key_stats_daily(&house, clock_ms());

    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    assert_redis("1", "HGET", daily.s, "tasks_total");
    assert_redis("1", "HGET", daily.s, "tasks_completed");
    assert_redis("1", "HEXISTS", daily.s, "processing_ms_sum");
    assert_redis("1", "HEXISTS", daily.s, "avg_processing_time");
}

static void both_finished_jobs_of_a_request_take_less_than_900_bytes(void **state)
{
    struct err err = ERR_INIT;
    const struct job_new legs[] = { { .id = HASH, .type = "service", .request_hash = HASH },
                                    { .id = HASH ".1", .type = "service", .request_hash = HASH, .code = 1, .run = 1 } };
    char id[64];

    (void)state;
    REDIS_RUN("CONFIG", "SET", "hash-max-listpack-value", "1024");
    fleet_new_id(id);
    for (size_t i = 0; i < ARRAY_LEN(legs); i++) {
        struct job job;
        assert_int_equal(job_push(&first, &legs[i], &err), 1);
        assert_int_equal(job_take(&first, NULL, id, &job, 1, &err), 1);
        assert_int_equal(job_finish(&first, NULL, job.id, job.run, JOB_COMPLETED, NULL, &err), 1);
        job_clear(&job);
    }
    assert_redis("listpack", "OBJECT", "ENCODING", DATA(HASH));
    long long bytes = REDIS_NUMBER("MEMORY", "USAGE", DATA(HASH)) + REDIS_NUMBER("MEMORY", "USAGE", DATA(HASH ".1"));
    print_message("two finished jobs: %lld bytes\n", bytes);
    assert_true(bytes < 900);
}

/* --- waiting --- */

static void waiting_sees_a_job_and_pops_nothing(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    push("a");
    push("b");
    assert_int_equal(job_wait(&first, NULL, 60000, &err), 1);
    assert_redis("2", "LLEN", LIST);
    assert_redis("a", "LINDEX", LIST, "-1");
}

static void waiting_for_nothing_ends_when_time_runs_out(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(job_wait(&first, NULL, 5, &err), 0);
    assert_int_equal(job_wait(&first, NULL, 0, &err), 0);
}

static void waiting_ends_when_a_delayed_job_is_due(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_retry(&first, NULL, "a", 1, 30, NULL, &err), 1);
    assert_int_equal(job_wait(&first, NULL, 60000, &err), 1);
    assert_int_equal(take(&first, "a"), 2);
}

static void *wait_long(void *arg)
{
    struct err err = ERR_INIT;
    int *rc = arg;

    *rc = job_wait(&second, NULL, 60000, &err);
    return NULL;
}

static void a_push_wakes_who_waits(void **state)
{
    pthread_t thread;
    int rc = -1;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wait_long, &rc), 0);
    for (bool blocked = false; !blocked;) {
        char *clients = REDIS_CLI("INFO", "clients");
        blocked = strstr(clients, "blocked_clients:1") != NULL;
        free(clients);
    }
    push("a");
    pthread_join(thread, NULL);
    assert_int_equal(rc, 1);
    assert_redis("1", "LLEN", LIST);
}

/* --- bad days --- */

static void when_redis_is_full_new_work_is_refused_and_running_work_can_end(void **state)
{
    struct err err = ERR_INIT;
    struct job_ref ref = { .id = "a", .run = 1 };
    struct fleet_beat beat = { .id = "one", .queues = "task" };

    (void)state;
    push("a");
    push("b");
    push("c");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    assert_int_equal(job_push(&second, &(struct job_new){ .id = "d" }, &err), -1);
    assert_int_equal(err.kind, ERR_FULL);
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_renew(&first, &ref, NULL, 1, &err), 0);
    assert_int_equal(job_wait(&first, NULL, 1, &err), 1);
    assert_int_equal(take(&first, "b"), 1);
    assert_int_equal(job_retry(&first, NULL, "b", 1, 0, "again", &err), 1);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    let_lease_run_out("a");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    assert_int_equal(recover(), 1);
    assert_int_equal(take(&first, "a"), 2);
    assert_int_equal(finish(&first, "a", 2, JOB_COMPLETED), 1);
    assert_int_equal(fleet_beat(&first, &beat, &err), 0);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_redis("0", "EXISTS", DATA("d"));
}

/* --- looking --- */

static void the_queue_is_counted(void **state)
{
    struct err err = ERR_INIT;
    struct job_counts c;

    (void)state;
    assert_int_equal(job_count(&first, NULL, &c, &err), 0);
    assert_int_equal(c.waiting + c.delayed + c.active + c.failed + c.oldest_waiting_ms, 0);
    push("a");
    push("b");
    push("c");
    push("d");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(take(&first, "b"), 1);
    assert_int_equal(job_retry(&first, NULL, "b", 1, 60000, NULL, &err), 1);
    REDIS_RUN("HINCRBY", DATA("c"), "created_at", "-7000");
    assert_int_equal(job_count(&first, NULL, &c, &err), 0);
    assert_int_equal(c.waiting, 2);
    assert_int_equal(c.delayed, 1);
    assert_int_equal(c.active, 1);
    assert_in_range(c.oldest_waiting_ms, 7000, 600000);
}

static void other_queues_have_keys_of_their_own(void **state)
{
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    assert_int_equal(job_push(&first, &(struct job_new){ .queue = "mail", .id = "a" }, &err), 1);
    assert_redis("1", "LLEN", "peygir:mail:queue");
    assert_int_equal(take(&first, NULL), 0);
    assert_int_equal(job_take(&first, "mail", "one", &job, 1, &err), 1);
    assert_string_equal(job.queue, "mail");
    job_clear(&job);
    assert_redis("processing", "HGET", "peygir:mail:data:a", "status");
}

static void workers_are_counted_while_they_beat(void **state)
{
    struct err err = ERR_INIT;
    struct fleet_beat one = { .id = "one", .queues = "task", .started_ms = 5, .running = 2, .concurrency = 9 },
                      two = { .id = "two" };

    (void)state;
    assert_int_equal(fleet_count(&first, &err), 0);
    assert_int_equal(fleet_beat(&first, &one, &err), 0);
    assert_int_equal(fleet_beat(&first, &two, &err), 0);
    assert_int_equal(fleet_count(&second, &err), 2);
    assert_redis("2", "HGET", "peygir:worker:one", "running");
    assert_in_range(REDIS_NUMBER("PTTL", "peygir:worker:one"), 1, FLEET_TTL_MS);
    REDIS_RUN("ZINCRBY", "peygir:workers", "-15001", "two");
    assert_int_equal(fleet_count(&second, &err), 1);
    assert_int_equal(fleet_leave(&first, "one", &err), 0);
    assert_int_equal(fleet_count(&second, &err), 0);
    assert_redis("0", "EXISTS", "peygir:worker:one");
}

static void a_hash_is_told_from_other_text(void **state)
{
    (void)state;
    assert_true(keys_is_hash(span_of(HASH)));
    assert_false(keys_is_hash(span_of("req_0123456789ABCDEFGHJKMNPQR")));
    assert_false(keys_is_hash(span_of("req_0123456789ABCDEFGHJKMNPQRSS")));
    assert_false(keys_is_hash(span_of("req_0123456789ABCDEFGHJKMNPQRs")));
    assert_false(keys_is_hash(span_of("req_0123456789ABCDEFGHJKMNPQRU")));
    assert_false(keys_is_hash(span_of("rex_0123456789ABCDEFGHJKMNPQRS")));
    assert_false(keys_is_hash(span_of("")));
}

static void a_name_that_is_too_long_is_cut_not_run_over(void **state)
{
    char longest[2000];
    struct key k;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    k = key_document((struct span){ longest, sizeof(longest) });
    assert_int_equal(k.len, sizeof(k.s) - 1);
    assert_int_equal(strlen(k.s), k.len);
}

#define T(name) cmocka_unit_test_setup(name, empty)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_pushed_job_is_taken_once_with_all_it_was_given),
        T(taking_renewing_and_ending_a_job_are_one_round_trip_each),
        T(a_job_of_an_id_that_exists_is_not_pushed_again),
        T(jobs_are_taken_in_the_order_they_came),
        T(two_workers_at_once_never_get_the_same_run),
        T(an_id_that_is_listed_twice_runs_once),
        T(a_cancelled_job_is_skipped),
        T(a_job_put_there_by_a_snippet_is_carried_out),
        T(a_payload_that_is_not_json_is_handed_on_as_a_string),
        T(a_listed_id_without_data_gets_data_of_type_default),
        T(a_key_of_another_kind_in_a_jobs_place_stops_nothing),
        T(a_dead_workers_job_runs_elsewhere_and_counts_a_death),
        T(an_old_run_changes_nothing),
        T(a_lease_of_a_job_that_is_gone_is_only_removed),
        T(a_job_whose_lease_entry_vanished_is_found_by_a_push),
        T(renewing_leases_again_and_keeps_the_request_alive),
        T(a_job_that_is_given_back_is_next_and_counts_nothing),
        T(a_retried_job_waits_for_its_time_and_counts_an_attempt),
        T(a_completed_job_is_counted_made_small_and_expires),
        T(a_failed_job_is_kept_for_seven_days_with_its_error),
        T(a_long_error_is_cut_at_a_character),
        T(a_cancelled_jobs_end_is_counted_as_such),
        T(the_day_of_the_statistics_is_todays),
        T(both_finished_jobs_of_a_request_take_less_than_900_bytes),
        T(waiting_sees_a_job_and_pops_nothing),
        T(waiting_for_nothing_ends_when_time_runs_out),
        T(waiting_ends_when_a_delayed_job_is_due),
        T(a_push_wakes_who_waits),
        T(when_redis_is_full_new_work_is_refused_and_running_work_can_end),
        T(the_queue_is_counted),
        T(other_queues_have_keys_of_their_own),
        T(workers_are_counted_while_they_beat),
        cmocka_unit_test(a_hash_is_told_from_other_text),
        cmocka_unit_test(a_name_that_is_too_long_is_cut_not_run_over),
    };

    return cmocka_run_group_tests_name("job", tests, open_house, close_house);
}
