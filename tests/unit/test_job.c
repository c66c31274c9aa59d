/* test_job.c: pushing jobs and counting them (contract 4.2). */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/fleet.h"
#include "core/job.h"
#include "core/keys.h"
#include "core/stats.h"
#include "tests/unit/ear.h"
#include "tests/unit/jobkit.h"

/* --- pushing one --- */

static void a_pushed_job_is_taken_once_with_all_it_was_given(void **state)
{
    const struct job_new given = { .id = HASH ".2", .type = "service", .payload = "{\"a\":[]}", .request_hash = HASH,
                                   .user_id = "7", .call = "resend-otp", .code = 2, .run = 4, .max_attempts = 5,
                                   .timeout_s = 60, .backoff = "10,60", .parent = "p" };
    struct job job;

    (void)state;
    assert_int_equal(push_job(&given), JOB_PUSHED);
    job = take_job(&second);
    assert_string_equal(job.queue, "task");
    assert_string_equal(job.id, given.id);
    assert_string_equal(job.type, given.type);
    assert_string_equal(job.payload, given.payload);
    assert_string_equal(job.request_hash, given.request_hash);
    assert_string_equal(job.user_id, "7");
    assert_string_equal(job.call, given.call);
    assert_string_equal(job.backoff, "10,60");
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
    assert_redis("p", "HGET", DATA(HASH ".2"), "parent");
}

static void a_job_of_ours_without_a_payload_has_an_empty_object(void **state)
{
    struct job job;

    (void)state;
    assert_int_equal(push_job(&(struct job_new){ .id = "a", .parent = "p" }), JOB_PUSHED);
    job = take_job(&first);
    assert_string_equal(job.type, "default");
    assert_string_equal(job.payload, "{}");
    job_clear(&job);
}

static void pushing_taking_renewing_and_ending_a_job_are_one_round_trip_each(void **state)
{
    struct err err = ERR_INIT;
    struct job_ref ref = { .queue = NULL, .id = "a", .run = 1 };
    const char *hashes[] = { HASH };
    uint64_t before = 0;

    (void)state;
    for (int round = 0; round < 2; round++) { /* in the first the scripts are loaded */
        before = redis_round_trips(first.redis);
        push(ref.id);
        assert_int_equal(take(&first, ref.id), 1);
        assert_int_equal(job_renew(&first, &ref, hashes, 1, &err), 0);
        assert_int_equal(job_progress(&first, NULL, ref.id, 1, 5, "m", &err), 1);
        assert_int_equal(finish(&first, ref.id, 1, JOB_COMPLETED), 1);
        ref.id = "b";
    }
    assert_int_equal(redis_round_trips(first.redis) - before, 5);
}

static void a_job_of_an_id_that_exists_is_not_pushed_again(void **state)
{
    const struct job_new again_a = { .id = "a", .type = "service", .delay_ms = 5, .unique_key = "k" };

    (void)state;
    push("a");
    assert_int_equal(push_job(&again_a), JOB_EXISTS);
    assert_string_equal(place_of("a"), "queue");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(push_job(&again_a), JOB_EXISTS);
    assert_string_equal(place_of("a"), "active");
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    assert_int_equal(push_job(&again_a), JOB_EXISTS);
    assert_string_equal(place_of("a"), "");
    assert_redis("1", "GET", "peygir:stats:tasks:total");
    assert_redis("0", "EXISTS", "peygir:task:unique:k");
}

static void a_job_whose_lease_entry_vanished_is_found_by_a_push(void **state)
{
    (void)state;
    push("a");
    push_ranked("b", 8);
    assert_string_equal(take_ids(&first, 2), "b a");
    REDIS_RUN("DEL", ACTIVE);
    assert_int_equal(push_job(&(struct job_new){ .id = "a" }), JOB_EXISTS);
    assert_int_equal(push_job(&(struct job_new){ .id = "b" }), JOB_EXISTS);
    assert_string_equal(place_of("a"), "queue");
    assert_string_equal(place_of("b"), "priority");
    assert_int_equal(take(&second, "b"), 2);
    assert_int_equal(take(&second, "a"), 2);
}

static void new_ids_are_all_different(void **state)
{
    char one[JOB_ID_SIZE], two[JOB_ID_SIZE];

    (void)state;
    job_new_id(one);
    job_new_id(two);
    assert_int_equal(strlen(one), JOB_ID_SIZE - 1);
    assert_memory_equal(one, "job_", 4);
    assert_int_equal(strspn(one + 4, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
    assert_string_not_equal(one, two);
}

static void a_delayed_job_is_not_taken_before_its_time(void **state)
{
    int64_t next_ms;

    (void)state;
    assert_int_equal(push_job(&(struct job_new){ .id = "a", .delay_ms = 60000 }), JOB_PUSHED);
    assert_int_equal(push_job(&(struct job_new){ .id = "b", .delay_ms = 90000, .priority = 10 }), JOB_PUSHED);
    assert_string_equal(take_ids_limited(&first, 9, NULL, 0, &next_ms), "");
    assert_in_range(next_ms, 50000, 60000);
    assert_string_equal(place_of("a"), "delayed");
    REDIS_RUN("ZADD", DELAYED, "1", "a", "2", "b");
    assert_string_equal(take_ids_limited(&first, 1, NULL, 0, &next_ms), "b"); /* it came back to its priority */
    assert_string_equal(place_of("a"), "queue");
    assert_string_equal(take_ids_limited(&first, 9, NULL, 0, &next_ms), "a");
    assert_int_equal(next_ms, -1);
}

/* --- ids drawn just now --- */

static long long transactions_run(void)
{
    char *stats = REDIS_CLI("INFO", "commandstats"), *at = strstr(stats, "cmdstat_exec:calls=");
    long long n = at ? strtoll(at + strlen("cmdstat_exec:calls="), NULL, 10) : 0;

    free(stats);
    return n;
}

static int push_on(struct app *app, const struct job_new *job)
{
    struct err err = ERR_INIT;
    int pushed = job_push(app, job, NULL, &err);

    if (pushed < 0)
        fail_msg("%s", err.text);
    return pushed;
}

static const char *today(void)
{
    static struct key daily;

    daily = key_stats_daily(&house, house_now_ms(&house));
    return daily.s;
}

/* A connection of its own that knows that there are transactions, on an empty Redis. */
static void open_fresh(struct app *app)
{
    app_open(app, &house);
    assert_int_equal(push_on(app, &(struct job_new){ .id = "first", .fresh = true }), JOB_PUSHED);
    server_flush();
}

/* All that a push of "a" left: keys, what they hold, what was told to whom; the time of the push stands there as NOW. */
static char *traces(void)
{
    struct str out = STR_INIT;
    char *created = REDIS_CLI("HGET", DATA("a"), "created_at"), *kept[] = {
        REDIS_CLI("EVAL", "local k = redis.call('KEYS', '*') table.sort(k) return table.concat(k, ' ')", "0"), REDIS_CLI("LRANGE", LIST, "0", "-1"),
        REDIS_CLI("HGETALL", DATA("a")), REDIS_CLI("TTL", DATA("a")), REDIS_CLI("GET", "peygir:stats:tasks:total"), REDIS_CLI("HGETALL", today()),
        xstrdup(REDIS_NUMBER("TTL", today()) > 90 * 86400 - 60 ? "kept for 90 days" : "kept"), xstrdup(ear_hear()) };

    created[strcspn(created, "\n")] = '\0';
    assert_int_equal(strlen(created), 13);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        char *rest = kept[i];
        for (char *at = strstr(rest, created); at; at = strstr(rest, created)) {
            str_add(&out, rest, (size_t)(at - rest));
            str_adds(&out, "NOW");
            rest = at + strlen(created);
        }
        str_addf(&out, "%s\n", rest);
        free(kept[i]);
    }
    free(created);
    server_flush();
    return str_take(&out, NULL);
}

static void a_job_of_a_new_id_leaves_what_a_script_leaves(void **state)
{
    struct job_new given[] = { { .id = "a", .type = "service", .payload = "{\"a\":[]}", .request_hash = HASH, .user_id = "7 \"x\"", .call = "cancel", .code = 2, .run = 4,
                                 .max_attempts = 5, .timeout_s = 60, .backoff = "10,60", .parent = "p" },
                               { .id = "a" }, { .id = "a", .user_id = "" }, { .id = "a", .priority = 1 + JOB_PRIORITY_LIST, .user_id = "8" } };
    static const char *const channels[] = { "peygir:notifications", "peygir:notifications:task:a", "peygir:notifications:user:7 \"x\"", "peygir:notifications:user:8",
                                            "peygir:notifications:user:" };
    struct app app;

    (void)state;
    ear_open();
    for (size_t i = 0; i < ARRAY_LEN(channels); i++)
        ear_add(channels[i]);
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        long long before;
        char *script, *transaction;

        open_fresh(&app);
        given[i].fresh = false;
        ear_hear();
        before = transactions_run();
        assert_int_equal(push_on(&app, &given[i]), JOB_PUSHED);
        script = traces();
        assert_int_equal(transactions_run(), before);
        given[i].fresh = true;
        assert_int_equal(push_on(&app, &given[i]), JOB_PUSHED);
        transaction = traces();
        assert_int_equal(transactions_run(), before + 1);
        assert_string_equal(transaction, script);
        assert_non_null(strstr(script, "peygir:notifications:task:a {"));
        assert_int_equal(strstr(script, "peygir:notifications:user:") != NULL, given[i].user_id && *given[i].user_id);
        free(script);
        free(transaction);
        app_close(&app);
    }
    ear_close();
}

static void a_job_of_a_new_id_costs_one_round_trip_and_has_redis_time(void **state)
{
    struct app app;
    uint64_t before;
    long long now_ms;

    (void)state;
    clock_test_wrong(3600000);
    open_fresh(&app);
    before = redis_round_trips(app.redis);
    assert_int_equal(push_on(&app, &(struct job_new){ .id = "a", .fresh = true }), JOB_PUSHED);
    assert_int_equal(redis_round_trips(app.redis) - before, 1);
    now_ms = REDIS_NUMBER("EVAL", "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)", "0");
    assert_in_range(REDIS_NUMBER("HGET", DATA("a"), "created_at"), now_ms - 2000, now_ms + 100);
    clock_test_wrong(0);
    app_close(&app);
}

static void many_new_ids_in_one_exchange_are_answered_each(void **state)
{
    const struct job_new jobs[] = { { .id = "a", .fresh = true }, { .id = "b" }, { .id = "c", .fresh = true }, { .id = "b" }, { .id = "d", .fresh = true, .priority = 9 } };
    static const int expected[] = { JOB_PUSHED, JOB_PUSHED, JOB_PUSHED, JOB_EXISTS, JOB_PUSHED };
    const struct reply *replies;
    struct err err = ERR_INIT;
    struct app app;
    size_t count;

    (void)state;
    for (int known = 0; known < 2; known++) {
        if (known)
            open_fresh(&app);
        else
            app_open(&app, &house);
        for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
            job_push_queue(&app, &jobs[i]);
        assert_int_equal(redis_exchange(app.redis, &replies, &count, &err), 0);
        assert_int_equal(count, ARRAY_LEN(jobs));
        for (size_t i = 0; i < count; i++)
            assert_int_equal(job_push_reply(&replies[i], NULL, &err), expected[i]);
        assert_string_equal(take_ids(&first, 9), "d a b c");
        app_close(&app);
        server_flush();
    }
}

static void a_job_of_a_new_id_that_wants_more_goes_by_script(void **state)
{
    const struct job_new jobs[] = { { .id = "ranked", .priority = 1 + 8, .fresh = true }, { .id = "delayed", .delay_ms = 60000, .fresh = true },
                                    { .id = "unique", .unique_key = "k", .fresh = true } };
    struct app app;
    long long before;

    (void)state;
    open_fresh(&app);
    before = transactions_run();
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        assert_int_equal(push_on(&app, &jobs[i]), JOB_PUSHED);
    assert_int_equal(push_on(&app, &(struct job_new){ .id = "other", .unique_key = "k", .fresh = true }), JOB_NOT_UNIQUE);
    assert_int_equal(transactions_run(), before);
    assert_string_equal(place_of("ranked"), "priority");
    assert_string_equal(place_of("delayed"), "delayed");
    assert_string_equal(place_of("unique"), "queue");
    assert_redis("unique", "GET", "peygir:task:unique:k");
    app_close(&app);
}

static void where_transactions_are_forbidden_jobs_of_new_ids_are_pushed_by_script(void **state)
{
    struct app app;

    (void)state;
    REDIS_RUN("ACL", "SETUSER", "default", "-multi");
    app_open(&app, &house);
    assert_int_equal(push_on(&app, &(struct job_new){ .id = "a", .fresh = true }), JOB_PUSHED);
    assert_int_equal(push_on(&app, &(struct job_new){ .id = "b", .fresh = true }), JOB_PUSHED);
    REDIS_RUN("ACL", "SETUSER", "default", "+multi");
    assert_string_equal(take_ids(&first, 9), "a b");
    assert_redis("2", "GET", "peygir:stats:tasks:total");
    app_close(&app);
}

static void the_statistics_of_the_day_expire_whoever_made_them(void **state)
{
    struct app app;
    char *daily;

    (void)state;
    open_fresh(&app);
    daily = xstrdup(today());
    assert_int_equal(push_on(&app, &(struct job_new){ .id = "a", .fresh = true }), JOB_PUSHED);
    assert_in_range(REDIS_NUMBER("TTL", daily), 90 * 86400 - 60, 90 * 86400);
    REDIS_RUN("PERSIST", daily);
    assert_int_equal(push_on(&app, &(struct job_new){ .id = "b", .fresh = true }), JOB_PUSHED);
    clock_test_offset(60000);
    if (strcmp(daily, today()) == 0) { /* it is not midnight */
        assert_int_equal(push_on(&app, &(struct job_new){ .id = "c", .fresh = true }), JOB_PUSHED);
        assert_in_range(REDIS_NUMBER("TTL", daily), 90 * 86400 - 60, 90 * 86400);
        REDIS_RUN("EXPIRE", daily, "1000");
        clock_test_offset(120000);
        assert_int_equal(push_on(&app, &(struct job_new){ .id = "d", .fresh = true }), JOB_PUSHED);
        assert_in_range(REDIS_NUMBER("TTL", daily), 1, 1000); /* they live no longer for being written */
    }
    clock_test_offset(0);
    free(daily);
    app_close(&app);
}

static void an_error_among_the_steps_of_a_push_is_told(void **state)
{
    struct err err = ERR_INIT;
    struct app app;

    (void)state;
    open_fresh(&app);
    REDIS_RUN("SET", LIST, "no list");
    assert_int_equal(job_push(&app, &(struct job_new){ .id = "a", .fresh = true }, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_FAILED);
    assert_non_null(strstr(err.text, "WRONGTYPE"));
    REDIS_RUN("DEL", LIST, DATA("a"));
    REDIS_RUN("SET", "peygir:stats:tasks:total", "no number");
    assert_int_equal(job_push(&app, &(struct job_new){ .id = "a", .fresh = true }, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_FAILED);
    app_close(&app);
}

static void when_redis_is_full_nothing_of_a_job_of_a_new_id_is_written(void **state)
{
    struct err err = ERR_INIT;
    struct app app;

    (void)state;
    open_fresh(&app);
    ear_open();
    ear_add("peygir:notifications");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    assert_int_equal(job_push(&app, &(struct job_new){ .id = "a", .fresh = true }, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_FULL);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_redis("0", "DBSIZE");
    assert_string_equal(ear_hear(), "");
    assert_int_equal(push_on(&app, &(struct job_new){ .id = "a", .fresh = true }), JOB_PUSHED);
    assert_string_equal(take_ids(&first, 9), "a");
    ear_close();
    app_close(&app);
}

/* --- unique keys --- */

static int push_unique(const char *id, int64_t unique_ms, char **other)
{
    struct err err = ERR_INIT;

    return job_push(&first, &(struct job_new){ .id = id, .unique_key = "k", .unique_ms = unique_ms }, other, &err);
}

static void a_unique_key_holds_while_its_job_waits_or_runs(void **state)
{
    char *other = NULL;

    (void)state;
    assert_int_equal(push_unique("a", 0, NULL), JOB_PUSHED);
    assert_int_equal(push_unique("b", 0, &other), JOB_NOT_UNIQUE);
    assert_string_equal(other, "a");
    free(other);
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(push_unique("b", 0, NULL), JOB_NOT_UNIQUE);
    assert_int_equal(again(&first, "a", 1, 60000, NULL), 1);
    assert_int_equal(push_unique("b", 0, NULL), JOB_NOT_UNIQUE);
    assert_redis("0", "EXISTS", DATA("b"));
    assert_redis("1", "GET", "peygir:stats:tasks:total");
    REDIS_RUN("ZADD", DELAYED, "1", "a");
    assert_int_equal(take(&first, "a"), 2);
    assert_int_equal(finish(&first, "a", 2, JOB_FAILED), 1);
    assert_redis("0", "EXISTS", "peygir:task:unique:k");
    assert_int_equal(push_unique("b", 0, &other), JOB_PUSHED);
    assert_null(other);
    assert_redis("b", "GET", "peygir:task:unique:k");
}

static void a_unique_key_may_be_long(void **state)
{
    char key[1001];
    struct job_new job = { .id = "a", .unique_key = key };

    (void)state;
    memset(key, 'k', 1000);
    key[1000] = '\0';
    assert_int_equal(push_job(&job), JOB_PUSHED);
    job.id = "b";
    assert_int_equal(push_job(&job), JOB_NOT_UNIQUE);
    key[999] = 'x';
    assert_int_equal(push_job(&job), JOB_PUSHED);
    assert_string_equal(take_ids(&first, 2), "a b");
    assert_int_equal(finish(&first, "b", 1, JOB_COMPLETED), 1);
    job.id = "c";
    assert_int_equal(push_job(&job), JOB_PUSHED);
}

static void a_unique_key_with_a_time_outlives_its_job(void **state)
{
    (void)state;
    assert_int_equal(push_unique("a", 60000, NULL), JOB_PUSHED);
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    assert_int_equal(push_unique("b", 60000, NULL), JOB_NOT_UNIQUE);
    assert_in_range(REDIS_NUMBER("PTTL", "peygir:task:unique:k"), 1, 60000);
    REDIS_RUN("DEL", "peygir:task:unique:k"); /* its time is over */
    assert_int_equal(push_unique("b", 60000, NULL), JOB_PUSHED);
}

static void a_unique_key_of_a_job_that_is_gone_or_has_ended_is_taken_over(void **state)
{
    (void)state;
    REDIS_RUN("SET", "peygir:task:unique:k", "gone");
    assert_int_equal(push_unique("a", 0, NULL), JOB_PUSHED);
    REDIS_RUN("HSET", DATA("a"), "status", "completed");
    assert_int_equal(push_unique("b", 0, NULL), JOB_PUSHED);
    assert_int_equal(take(&first, "b"), 1);
    REDIS_RUN("SET", "peygir:task:unique:k", "somebody");
    assert_int_equal(finish(&first, "b", 1, JOB_COMPLETED), 1);
    assert_redis("somebody", "GET", "peygir:task:unique:k"); /* it was not b's any more */
}

/* --- pushing many --- */

static void many_jobs_are_pushed_in_order_and_existing_ones_left_alone(void **state)
{
    enum { COUNT = 2 * JOB_PUSH_BATCH + 7 };
    static struct job_new jobs[COUNT];
    static char ids[COUNT][16];
    const struct job_new twice[] = { { .id = "twice" }, { .id = "twice" } };
    struct err err = ERR_INIT;
    struct job job;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof(ids[i]), "n-%04d", i);
        jobs[i] = (struct job_new){ .id = ids[i], .payload = "{\"n\":1}", .max_attempts = i, .timeout_s = 9 };
        jobs[i].user_id = i % 100 == 0 ? NULL : "7"; /* others have other fields */
    }
    push("n-0003");
    assert_int_equal(job_push_many(&first, jobs, COUNT, &err), COUNT - 1);
    assert_int_equal(job_push_many(&first, jobs, COUNT, &err), 0);
    assert_int_equal(job_push_many(&first, jobs, 0, &err), 0);
    assert_int_equal(job_push_many(&first, twice, 2, &err), 1);
    REDIS_RUN("LREM", LIST, "1", "twice");
    REDIS_RUN("DECR", "peygir:stats:tasks:total");
    assert_int_equal(REDIS_NUMBER("LLEN", LIST), COUNT);
    assert_int_equal(REDIS_NUMBER("GET", "peygir:stats:tasks:total"), COUNT);
    assert_redis("service", "HGET", DATA("n-0003"), "type");
    assert_string_equal(take_ids(&first, 5), "n-0003 n-0000 n-0001 n-0002 n-0004");
    job = take_job(&first);
    assert_string_equal(job.id, "n-0005");
    assert_string_equal(job.payload, "{\"n\":1}");
    assert_string_equal(job.user_id, "7");
    assert_int_equal(job.max_attempts, 5);
    assert_int_equal(job.timeout_s, 9);
    assert_true(job.created_ms > 0);
    job_clear(&job);
    assert_redis("pending", "HGET", DATA("n-1006"), "status");
}

/* --- when Redis is full --- */

static void when_redis_is_full_new_work_is_refused_and_running_work_can_end(void **state)
{
    struct err err = ERR_INIT;
    struct job_ref ref = { .id = "a", .run = 1 };
    struct fleet_beat beat = { .id = "one", .queues = "task" };
    const struct job_new d = { .id = "d" };

    (void)state;
    push("a");
    push("b");
    push("c");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    assert_int_equal(job_push(&second, &d, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_FULL);
    assert_int_equal(job_push_many(&second, &d, 1, &err), -1);
    assert_int_equal(err.kind, ERR_FULL);
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_renew(&first, &ref, NULL, 1, &err), 0);
    assert_false(ref.lost);
    assert_int_equal(job_progress(&first, NULL, "a", 1, 10, NULL, &err), 1);
    assert_int_equal(take(&first, "b"), 1);
    assert_int_equal(again(&first, "b", 1, 0, "again"), 1);
    assert_int_equal(job_cancel(&first, NULL, "c", &err), 1);
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
    assert_false(c.paused);
    push("a");
    push("b");
    push("c");
    push("d");
    push_ranked("e", 1);
    assert_string_equal(take_ids(&first, 2), "a b");
    assert_int_equal(again(&first, "b", 1, 60000, NULL), 1);
    REDIS_RUN("HINCRBY", DATA("c"), "created_at", "-7000");
    REDIS_RUN("SET", "peygir:task:paused", "");
    assert_int_equal(job_count(&first, NULL, &c, &err), 0);
    assert_int_equal(c.waiting, 3);
    assert_int_equal(c.delayed, 1);
    assert_int_equal(c.active, 1);
    assert_in_range(c.oldest_waiting_ms, 7000, 600000);
    assert_true(c.paused);
    assert_int_equal(finish(&first, "a", 1, JOB_FAILED), 1);
    assert_int_equal(job_count(&first, NULL, &c, &err), 0);
    assert_int_equal(c.failed, 1);
}

static void other_queues_have_keys_of_their_own(void **state)
{
    struct err err = ERR_INIT;
    struct job job;
    struct job_take t = { .queue = "mail", .worker_id = "one", .jobs = &job, .max = 1 };

    (void)state;
    assert_int_equal(push_job(&(struct job_new){ .queue = "mail", .id = "a" }), JOB_PUSHED);
    assert_redis("1", "LLEN", "peygir:mail:queue");
    assert_int_equal(take(&first, NULL), 0);
    assert_int_equal(job_take(&first, &t, &err), 1);
    assert_string_equal(job.queue, "mail");
    job_clear(&job);
    assert_redis("processing", "HGET", "peygir:mail:data:a", "status");
}

/* Redis takes these as the prefixes of one tracking client only when none of them begins with another. */
static void wake_keys_never_overlap(void **state)
{
    static const char *const lists[] = { "peygir:task:queue", "peygir:task", "peygir:task:priority:mine", "peygir:task:delayed" };
    static const size_t counts[] = { 4, 1, 3, 3 };
    char list[64];
    struct house other = house;
    struct key keys[JOB_WAKE_KEYS];

    (void)state;
    other.task_queue = list;
    for (size_t c = 0; c < ARRAY_LEN(lists); c++) {
        snprintf(list, sizeof(list), "%s", lists[c]);
        size_t n = job_wake_keys(&other, NULL, keys);
        assert_int_equal(n, counts[c]);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                assert_true(i == k || strncmp(keys[i].s, keys[k].s, keys[k].len) != 0);
    }
}

static void workers_are_counted_while_they_beat(void **state)
{
    struct err err = ERR_INIT;
    struct fleet_beat one = { .id = "one", .queues = "task", .running = 2, .concurrency = 9 },
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_pushed_job_is_taken_once_with_all_it_was_given),
        KIT_TEST(a_job_of_ours_without_a_payload_has_an_empty_object),
        KIT_TEST(pushing_taking_renewing_and_ending_a_job_are_one_round_trip_each),
        KIT_TEST(a_job_of_an_id_that_exists_is_not_pushed_again),
        KIT_TEST(a_job_whose_lease_entry_vanished_is_found_by_a_push),
        KIT_TEST(new_ids_are_all_different),
        KIT_TEST(a_delayed_job_is_not_taken_before_its_time),
        KIT_TEST(a_job_of_a_new_id_leaves_what_a_script_leaves),
        KIT_TEST(a_job_of_a_new_id_costs_one_round_trip_and_has_redis_time),
        KIT_TEST(many_new_ids_in_one_exchange_are_answered_each),
        KIT_TEST(a_job_of_a_new_id_that_wants_more_goes_by_script),
        KIT_TEST(where_transactions_are_forbidden_jobs_of_new_ids_are_pushed_by_script),
        KIT_TEST(the_statistics_of_the_day_expire_whoever_made_them),
        KIT_TEST(an_error_among_the_steps_of_a_push_is_told),
        KIT_TEST(when_redis_is_full_nothing_of_a_job_of_a_new_id_is_written),
        KIT_TEST(a_unique_key_holds_while_its_job_waits_or_runs),
        KIT_TEST(a_unique_key_may_be_long),
        KIT_TEST(a_unique_key_with_a_time_outlives_its_job),
        KIT_TEST(a_unique_key_of_a_job_that_is_gone_or_has_ended_is_taken_over),
        KIT_TEST(many_jobs_are_pushed_in_order_and_existing_ones_left_alone),
        KIT_TEST(when_redis_is_full_new_work_is_refused_and_running_work_can_end),
        KIT_TEST(the_queue_is_counted),
        KIT_TEST(other_queues_have_keys_of_their_own),
        KIT_TEST(wake_keys_never_overlap),
        KIT_TEST(workers_are_counted_while_they_beat),
        cmocka_unit_test(a_hash_is_told_from_other_text),
        cmocka_unit_test(a_name_that_is_too_long_is_cut_not_run_over),
    };

    return cmocka_run_group_tests_name("job", tests, kit_open, kit_close);
}
