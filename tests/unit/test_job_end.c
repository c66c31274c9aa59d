/* test_job_end.c: how jobs end, what is told and counted of them (contract 4.2). */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/fleet.h"
#include "core/keys.h"
#include "core/stats.h"
#include "redis/sub.h"
#include "tests/unit/jobkit.h"

#include <poll.h>

static struct stats stats(void)
{
    struct err err = ERR_INIT;
    struct stats s;

    assert_int_equal(stats_read(&first, &s, &err), 0);
    return s;
}

/* --- retries --- */

static void a_job_that_is_given_back_is_next_and_counts_nothing(void **state)
{
    struct job job;

    (void)state;
    push("a");
    push("b");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(finish(&first, "a", 1, JOB_GIVE_BACK), 1);
    assert_redis("0", "ZCARD", ACTIVE);
    assert_redis("pending", "HGET", DATA("a"), "status");
    assert_redis("0", "HEXISTS", DATA("a"), "worker_id");
    assert_redis("0", "HEXISTS", DATA("a"), "history");
    job = take_job(&second);
    assert_string_equal(job.id, "a");
    assert_int_equal(job.run, 2);
    assert_int_equal(job.attempts, 0);
    assert_int_equal(job.deaths, 0);
    job_clear(&job);
}

static void a_retried_job_waits_for_its_time_and_counts_an_attempt(void **state)
{
    struct job job;

    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(again(&first, "a", 1, 60000, "the bot is away"), 1);
    assert_int_equal(take(&second, NULL), 0);
    assert_string_equal(place_of("a"), "delayed");
    assert_redis("the bot is away", "HGET", DATA("a"), "error");
    assert_int_equal(stats().retried, 1);
    REDIS_RUN("ZADD", DELAYED, "1", "a");
    job = take_job(&second);
    assert_int_equal(job.attempts, 1);
    assert_int_equal(job.run, 2);
    job_clear(&job);
    assert_redis("0", "ZCARD", DELAYED);
    assert_int_equal(again(&second, "a", 2, 0, NULL), 1);
    assert_int_equal(take(&first, "a"), 3);
}

static void the_history_keeps_the_last_twenty_attempts(void **state)
{
    char *history;
    int entries = 0;

    (void)state;
    push("a");
    for (int run = 1; run <= 23; run++) {
        assert_int_equal(take(&first, "a"), run);
        assert_int_equal(again(&first, "a", run, 0, "no \"{\"run\":\" here\n"), 1);
    }
    history = REDIS_CLI("HGET", DATA("a"), "history");
    for (const char *at = history; (at = strstr(at, "{\"run\":")); at++)
        entries++;
    assert_int_equal(entries, 20);
    assert_int_equal(strncmp(history, "[{\"run\":4,\"at\":", 15), 0);
    assert_non_null(strstr(history, ",{\"run\":23,\"at\":"));
    assert_non_null(strstr(history, "\"worker\":\"one\",\"error\":\"no \\\"{\\\"run\\\":\\\" here\\n\"}]"));
    free(history);
}

/* --- the end --- */

static void a_completed_job_is_counted_made_small_and_expires(void **state)
{
    struct stats s;
    struct key daily = key_stats_daily(&house, clock_ms());

    (void)state;
    assert_int_equal(push_job(&(struct job_new){ .id = "a", .payload = "{\"big\":1}" }), JOB_PUSHED);
    assert_int_equal(take(&first, "a"), 1);
    REDIS_RUN("HINCRBY", DATA("a"), "started_at", "-5000");
    assert_int_equal(end_job(&first, &(struct job_end){ .id = "a", .run = 1, .result = "{\"pages\":3}" }), 1);
    assert_redis("completed", "HGET", DATA("a"), "status");
    assert_redis("0", "HEXISTS", DATA("a"), "payload");
    assert_redis("{\"pages\":3}", "HGET", DATA("a"), "result");
    assert_true(REDIS_NUMBER("HGET", DATA("a"), "completed_at") > 0);
    assert_string_equal(place_of("a"), "");
    assert_in_range(REDIS_NUMBER("TTL", DATA("a")), 86000, 86400);
    assert_in_range(REDIS_NUMBER("TTL", daily.s), 7770000, 7776000);
    s = stats();
    assert_int_equal(s.total, 1);
    assert_int_equal(s.completed, 1);
    assert_int_equal(s.failed + s.cancelled + s.retried, 0);
    assert_int_equal(s.today_total, 1);
    assert_int_equal(s.today_completed, 1);
    assert_in_range(s.today_average_ms, 5000, 60000);
}

static void a_job_may_be_given_back_for_later_and_nothing_is_counted(void **state)
{
    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(end_job(&first, &(struct job_end){ .id = "a", .run = 1, .outcome = JOB_GIVE_BACK, .delay_ms = 60000 }), 1);
    assert_string_equal(place_of("a"), "delayed");
    assert_redis("pending", "HGET", DATA("a"), "status");
    assert_redis("0", "HEXISTS", DATA("a"), "worker_id");
    assert_int_equal(REDIS_NUMBER("HEXISTS", DATA("a"), "history") + REDIS_NUMBER("HEXISTS", DATA("a"), "error"), 0);
    assert_int_equal(stats().retried, 0);
    REDIS_RUN("ZADD", "peygir:task:delayed", "1", "a"); /* its time has come */
    assert_int_equal(take(&first, "a"), 2);
}

static void a_result_that_is_too_long_is_not_kept(void **state)
{
    char *result = xmalloc(JOB_RESULT_MAX + 2);

    (void)state;
    memset(result, '1', JOB_RESULT_MAX + 1);
    result[JOB_RESULT_MAX + 1] = '\0';
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(end_job(&first, &(struct job_end){ .id = "a", .run = 1, .result = result }), 1);
    assert_redis("0", "HEXISTS", DATA("a"), "result");
    free(result);
}

static void a_failed_job_is_kept_for_seven_days_with_its_error(void **state)
{
    char *history;

    (void)state;
    REDIS_RUN("ZADD", FAILED, "1", "ages-ago");
    assert_int_equal(push_job(&(struct job_new){ .id = "a", .payload = "{\"x\":1}" }), JOB_PUSHED);
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(end_job(&first, &(struct job_end){ .id = "a", .run = 1, .outcome = JOB_FAILED, .error = "poison" }), 1);
    assert_redis("failed", "HGET", DATA("a"), "status");
    assert_redis("poison", "HGET", DATA("a"), "error");
    assert_redis("{\"x\":1}", "HGET", DATA("a"), "payload");
    assert_redis("one", "HGET", DATA("a"), "worker_id");
    assert_in_range(REDIS_NUMBER("TTL", DATA("a")), 604000, 604800);
    assert_string_equal(place_of("a"), "failed");
    assert_redis("1", "ZCARD", FAILED);
    history = REDIS_CLI("HGET", DATA("a"), "history");
    assert_non_null(strstr(history, "\"error\":\"poison\"}]"));
    free(history);
    assert_int_equal(stats().failed, 1);
    assert_int_equal(stats().today_failed, 1);
}

static void a_long_error_is_cut_at_a_character(void **state)
{
    char text[301];

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + 199, "\xd8\xb3", 2); /* one character across the limit */
    text[300] = '\0';
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(end_job(&first, &(struct job_end){ .id = "a", .run = 1, .outcome = JOB_FAILED, .error = text }), 1);
    assert_redis("199", "HSTRLEN", DATA("a"), "error");
}

static void an_error_that_is_no_utf8_is_mended(void **state)
{
    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(again(&first, "a", 1, 0, "a\xff"), 1);
    assert_redis("a\xef\xbf\xbd", "HGET", DATA("a"), "error");
}

static void many_end_in_one_round_trip_each_in_its_way(void **state)
{
    struct err err = ERR_INIT;
    struct job_end ends[] = {
        { .id = "a", .run = 1 },
        { .id = "b", .run = 1, .outcome = JOB_FAILED, .error = "e" },
        { .id = "c", .run = 1, .outcome = JOB_CANCELLED, .error = "expired" },
        { .id = "d", .run = 1, .outcome = JOB_AGAIN, .delay_ms = 60000 },
        { .id = "e", .run = 1, .outcome = JOB_GIVE_BACK },
        { .id = "never", .run = 1 },
        { .id = "f", .run = 9 },
        { .queue = "mail", .id = "m", .run = 1 },
    };
    uint64_t before = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (strcmp(ends[i].id, "never") != 0 && !ends[i].queue)
            push(ends[i].id);
    assert_string_equal(take_ids(&first, 9), "a b c d e f");
    assert_int_equal(finish(&first, "never", 1, JOB_COMPLETED), 0); /* the script is loaded */
    before = redis_round_trips(first.redis);
    assert_int_equal(job_end(&first, ends, ARRAY_LEN(ends), &err), 0);
    assert_int_equal(redis_round_trips(first.redis) - before, 1);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        assert_int_equal(ends[i].over, i >= 5);
    assert_string_equal(place_of("a"), "");
    assert_string_equal(place_of("b"), "failed");
    assert_redis("cancelled", "HGET", DATA("c"), "status");
    assert_redis("expired", "HGET", DATA("c"), "error");
    assert_string_equal(place_of("d"), "delayed");
    assert_string_equal(place_of("e"), "queue");
    assert_string_equal(place_of("f"), "active");
    assert_redis("0", "EXISTS", DATA("never"));
    assert_int_equal(stats().completed, 1);
    assert_int_equal(stats().failed, 1);
    assert_int_equal(stats().cancelled, 1);
    assert_int_equal(stats().retried, 1);
}

static void more_than_a_batch_ends_too(void **state)
{
    enum { COUNT = JOB_BATCH + 5 };
    struct err err = ERR_INIT;
    struct job_end ends[COUNT];
    char ids[COUNT][16];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof(ids[i]), "j%d", i);
        ends[i] = (struct job_end){ .id = ids[i], .run = 1 };
        push(ids[i]);
    }
    take_ids(&first, JOB_BATCH);
    take_ids(&first, JOB_BATCH);
    assert_int_equal(job_end(&first, ends, COUNT, &err), 0);
    for (int i = 0; i < COUNT; i++)
        assert_false(ends[i].over);
    assert_redis("0", "ZCARD", ACTIVE);
    assert_int_equal(stats().completed, COUNT);
}

static void both_finished_jobs_of_a_request_take_less_than_900_bytes(void **state)
{
    const struct job_new legs[] = { { .id = HASH, .type = "service", .request_hash = HASH },
                                    { .id = HASH ".1", .type = "service", .request_hash = HASH, .code = 1, .run = 1 } };
    struct err err = ERR_INIT;
    char id[64];

    (void)state;
    REDIS_RUN("CONFIG", "SET", "hash-max-listpack-value", "1024");
    fleet_new_id(id);
    for (size_t i = 0; i < ARRAY_LEN(legs); i++) {
        struct job job;
        struct job_take t = { .worker_id = id, .jobs = &job, .max = 1 };
        assert_int_equal(push_job(&legs[i]), JOB_PUSHED);
        assert_int_equal(job_take(&first, &t, &err), 1);
        assert_int_equal(finish(&first, job.id, job.run, JOB_COMPLETED), 1);
        job_clear(&job);
    }
    assert_redis("listpack", "OBJECT", "ENCODING", DATA(HASH));
    assert_true(REDIS_NUMBER("MEMORY", "USAGE", DATA(HASH)) + REDIS_NUMBER("MEMORY", "USAGE", DATA(HASH ".1")) < 900);
}

/* --- cancelling --- */

static int cancel(const char *id)
{
    struct err err = ERR_INIT;
    int result = job_cancel(&second, NULL, id, &err);

    if (result < 0)
        assert_int_equal(err.kind, ERR_NOT_FOUND);
    return result;
}

static void a_waiting_job_is_cancelled_wherever_it_waits(void **state)
{
    static const char *const ids[] = { "list", "ranked", "later", "bare" };

    (void)state;
    push("list");
    push_ranked("ranked", 9);
    assert_int_equal(push_job(&(struct job_new){ .id = "later", .delay_ms = 60000, .unique_key = "k" }), JOB_PUSHED);
    REDIS_RUN("LPUSH", LIST, "bare");
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        char data[64];
        snprintf(data, sizeof(data), DATA("%s"), ids[i]);
        assert_int_equal(cancel(ids[i]), 1);
        assert_int_equal(cancel(ids[i]), 0);
        assert_string_equal(place_of(ids[i]), "");
        assert_redis("cancelled", "HGET", data, "status");
        assert_in_range(REDIS_NUMBER("TTL", data), 86000, 86400);
    }
    assert_redis("0", "EXISTS", "peygir:task:unique:k");
    assert_int_equal(take(&first, NULL), 0);
    assert_int_equal(stats().cancelled, 4);
    assert_int_equal(cancel("never"), -1);
    assert_redis("0", "EXISTS", DATA("never"));
}

static void a_job_in_a_very_long_list_is_cancelled_when_it_is_taken(void **state)
{
    (void)state;
    REDIS_RUN("EVAL", "for i = 1, 10001 do redis.call('LPUSH', KEYS[1], i) end", "1", LIST);
    push("a");
    assert_int_equal(cancel("a"), 1);
    assert_int_equal(REDIS_NUMBER("TTL", DATA("a")), -1); /* it must not be forgotten before */
    REDIS_RUN("LTRIM", LIST, "0", "0");
    assert_int_equal(take(&first, NULL), 0);
    assert_in_range(REDIS_NUMBER("TTL", DATA("a")), 86000, 86400);
}

static void a_running_job_that_is_cancelled_is_lost_to_its_run(void **state)
{
    struct err err = ERR_INIT;
    struct job_ref ref = { .id = "a", .run = 1 };

    (void)state;
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(cancel("a"), 1);
    assert_int_equal(job_renew(&first, &ref, NULL, 1, &err), 0);
    assert_true(ref.lost);
    assert_int_equal(again(&first, "a", 1, 0, NULL), 0);
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 0);
    assert_int_equal(recover(), 0);
    assert_int_equal(take(&second, NULL), 0);
    assert_redis("cancelled", "HGET", DATA("a"), "status");
    assert_string_equal(place_of("a"), "");
}

static void a_held_back_job_is_cancelled_without_a_trace(void **state)
{
    const struct job_limit limit = { .type = "service", .at_once = 1 };

    (void)state;
    push("a");
    push("b");
    push("c");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), "a");
    assert_int_equal(cancel("b"), 1);
    assert_redis("1", "ZCARD", "peygir:task:limited:service");
    assert_int_equal(cancel("a"), 1);
    assert_redis("0", "ZCARD", "peygir:task:running:service");
    assert_string_equal(take_ids_limited(&first, 9, &limit, 1, NULL), "c");
}

/* --- what is told --- */

struct ears {
    struct sub *sub;
    struct str heard; /* "channel message" lines, the timestamps as 0 */
    int subscribed;
    bool over;
};

static void on_message(void *ctx, struct span channel, struct span payload)
{
    struct ears *e = ctx;
    const char *stamp = memmem(payload.s, payload.len, "\"timestamp\":", 12);

    if (span_is(payload, "over")) {
        e->over = true;
        return;
    }
    str_add_span(&e->heard, channel);
    str_addc(&e->heard, ' ');
    if (stamp) {
        assert_in_range(strtoll(stamp + 12, NULL, 10), 1700000000000, 9000000000000);
        str_add(&e->heard, payload.s, (size_t)(stamp + 12 - payload.s));
        str_adds(&e->heard, "0}");
    } else {
        str_add_span(&e->heard, payload);
    }
    str_addc(&e->heard, '\n');
}

static void on_subscribed(void *ctx, struct span channel)
{
    (void)channel;
    ((struct ears *)ctx)->subscribed++;
}

static void step(struct ears *e)
{
    struct pollfd p = { .fd = sub_fd(e->sub), .events = sub_events(e->sub) };

    poll(&p, p.fd >= 0 ? 1 : 0, sub_timeout_ms(e->sub));
    if (p.revents)
        sub_ready(e->sub, p.revents);
    sub_tick(e->sub);
}

static void listen_to(struct ears *e, const char *const channels[], int count)
{
    *e = (struct ears){ .heard = STR_INIT };
    e->sub = sub_new(&house.main_url, "unit-ears", (struct sub_handler){ .message = on_message, .subscribed = on_subscribed, .ctx = e });
    for (int i = 0; i < count; i++)
        sub_add(e->sub, channels[i]);
    while (e->subscribed < count)
        step(e);
}

/* Everything so far; frees. */
static void assert_heard(struct ears *e, const char *channel, const char *expected)
{
    REDIS_RUN("PUBLISH", channel, "over");
    while (!e->over)
        step(e);
    assert_string_equal(e->heard.s ? e->heard.s : "", expected);
    sub_free(e->sub);
    str_free(&e->heard);
}

#define TOLD(type, status) "{\"type\":\"task_" type "\",\"task_id\":\"a\",\"user_id\":null,\"status\":\"" status "\",\"timestamp\":0}\n"

static void every_step_of_a_job_is_told(void **state)
{
    static const char *const general[] = { "peygir:notifications" };
    struct err err = ERR_INIT;
    struct ears e;
    const char *expected = "peygir:notifications " TOLD("pending", "pending")
                           "peygir:notifications " TOLD("processing", "processing")
                           "peygir:notifications {\"type\":\"task_progress\",\"task_id\":\"a\",\"user_id\":null,\"status\":\"processing\","
                           "\"progress\":40,\"message\":\"h\\\"i\",\"timestamp\":0}\n"
                           "peygir:notifications " TOLD("pending", "pending")
                           "peygir:notifications " TOLD("processing", "processing")
                           "peygir:notifications " TOLD("pending", "pending")
                           "peygir:notifications " TOLD("processing", "processing")
                           "peygir:notifications " TOLD("pending", "pending")
                           "peygir:notifications " TOLD("processing", "processing")
                           "peygir:notifications " TOLD("completed", "completed");

    (void)state;
    listen_to(&e, general, 1);
    push("a");
    assert_int_equal(take(&first, "a"), 1);
    assert_int_equal(job_progress(&first, NULL, "a", 1, 40, "h\"i", &err), 1);
    assert_redis("40", "HGET", DATA("a"), "progress");
    assert_redis("h\"i", "HGET", DATA("a"), "message");
    assert_int_equal(again(&first, "a", 1, 0, NULL), 1);
    assert_int_equal(take(&first, "a"), 2);
    assert_int_equal(finish(&first, "a", 2, JOB_GIVE_BACK), 1);
    assert_int_equal(take(&first, "a"), 3);
    let_lease_run_out("a");
    assert_int_equal(recover(), 1);
    assert_int_equal(take(&first, "a"), 4);
    assert_int_equal(finish(&first, "a", 4, JOB_COMPLETED), 1);
    assert_heard(&e, "peygir:notifications", expected);
}

static void a_job_tells_its_user_and_whoever_follows_it(void **state)
{
    static const char *const channels[] = { "peygir:notifications:user:u\"1", "peygir:notifications:task:j 1" };
    struct ears e;
    struct str expected = STR_INIT;
    static const char *const steps[] = { "pending", "processing", "failed" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        for (int c = 1; c >= 0; c--)
            str_addf(&expected, "%s {\"type\":\"task_%s\",\"task_id\":\"j 1\",\"user_id\":\"u\\\"1\",\"status\":\"%s\",\"timestamp\":0}\n",
                     channels[c], steps[i], steps[i]);
    listen_to(&e, channels, 2);
    assert_int_equal(push_job(&(struct job_new){ .id = "j 1", .user_id = "u\"1" }), JOB_PUSHED);
    assert_int_equal(take(&first, "j 1"), 1);
    assert_int_equal(finish(&first, "j 1", 1, JOB_FAILED), 1);
    assert_heard(&e, channels[0], expected.s);
    str_free(&expected);
}

static void jobs_that_are_pushed_together_are_told_one_by_one(void **state)
{
    static const char *const channels[] = { "peygir:notifications", "peygir:notifications:user:7" };
    const struct job_new jobs[] = { { .id = "a" }, { .id = "b\\", .user_id = "7" } };
    struct err err = ERR_INIT;
    struct ears e;

    (void)state;
    listen_to(&e, channels, 2);
    assert_int_equal(job_push_many(&first, jobs, 2, &err), 2);
    assert_heard(&e, channels[0],
                 "peygir:notifications " TOLD("pending", "pending")
                 "peygir:notifications {\"type\":\"task_pending\",\"task_id\":\"b\\\\\",\"user_id\":\"7\",\"status\":\"pending\",\"timestamp\":0}\n"
                 "peygir:notifications:user:7 {\"type\":\"task_pending\",\"task_id\":\"b\\\\\",\"user_id\":\"7\",\"status\":\"pending\",\"timestamp\":0}\n");
}

static void the_worker_of_a_cancelled_job_is_told(void **state)
{
    static const char *const channels[] = { "peygir:worker:one:orders", "peygir:notifications" };
    struct ears e;

    (void)state;
    push("a");
    push("b");
    assert_int_equal(take(&first, "a"), 1);
    listen_to(&e, channels, 2);
    assert_int_equal(cancel("a"), 1);
    assert_int_equal(cancel("b"), 1); /* nobody has it */
    assert_heard(&e, channels[0],
                 "peygir:worker:one:orders {\"cancel\":\"a\"}\n"
                 "peygir:notifications " TOLD("cancelled", "cancelled")
                 "peygir:notifications {\"type\":\"task_cancelled\",\"task_id\":\"b\",\"user_id\":null,\"status\":\"cancelled\",\"timestamp\":0}\n");
}

/* A full queue has room again: whoever waits for changes of the list hears of it, though nothing has come. */
static void an_end_in_a_limited_queue_touches_what_waits(void **state)
{
    static const char *const channels[] = { "__keyspace@0__:" LIST };
    struct ears e;

    (void)state;
    REDIS_RUN("CONFIG", "SET", "notify-keyspace-events", "Kl");
    REDIS_RUN("HSET", "peygir:task:limits", "at_once", "1");
    push("a");
    push("b");
    push("c");
    assert_string_equal(take_ids(&first, 9), "a");
    listen_to(&e, channels, 1);
    assert_int_equal(finish(&first, "a", 1, JOB_COMPLETED), 1);
    assert_heard(&e, channels[0], "__keyspace@0__:" LIST " rpush\n__keyspace@0__:" LIST " rpop\n");
    REDIS_RUN("CONFIG", "SET", "notify-keyspace-events", "");
    assert_string_equal(take_ids(&first, 9), "b");
}

/* Jobs a (runs), b and c (wait for its room); by the type's limit, or by the queue's own. */
static void fill(bool by_type)
{
    const struct job_limit limit = { .type = "service", .at_once = 1 };

    if (!by_type)
        REDIS_RUN("HSET", "peygir:task:limits", "at_once", "1");
    push("a");
    push("b");
    push("c");
    assert_string_equal(take_ids_limited(&first, 9, &limit, by_type, NULL), "a");
}

static void assert_woken(bool by_type, struct ears *e, const char *channel)
{
    assert_heard(e, channel, by_type ? "__keyspace@0__:" DELAYED " zadd\n" : "__keyspace@0__:" LIST " rpush\n__keyspace@0__:" LIST " rpop\n");
}

/* Whoever ends it otherwise than by its run: workers that wait for room hear of it at once. */
static void room_that_a_cancelled_or_lost_job_leaves_wakes_who_waits_for_it(void **state)
{
    static const char *const of_queue[] = { "__keyspace@0__:" LIST }, *const of_type[] = { "__keyspace@0__:" DELAYED };

    (void)state;
    REDIS_RUN("CONFIG", "SET", "notify-keyspace-events", "Klz");
    for (int way = 0; way < 4; way++) {
        bool by_type = way & 1, cancels = way & 2;
        struct ears e;
        server_flush();
        fill(by_type);
        listen_to(&e, by_type ? of_type : of_queue, 1);
        if (cancels) {
            assert_int_equal(cancel("a"), 1);
        } else { /* its data is gone: there is nothing to put back */
            let_lease_run_out("a");
            REDIS_RUN("HDEL", DATA("a"), "run");
            assert_int_equal(recover(), 0);
        }
        assert_woken(by_type, &e, by_type ? of_type[0] : of_queue[0]);
    }
    REDIS_RUN("CONFIG", "SET", "notify-keyspace-events", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_job_that_is_given_back_is_next_and_counts_nothing),
        KIT_TEST(a_retried_job_waits_for_its_time_and_counts_an_attempt),
        KIT_TEST(the_history_keeps_the_last_twenty_attempts),
        KIT_TEST(a_completed_job_is_counted_made_small_and_expires),
        KIT_TEST(a_job_may_be_given_back_for_later_and_nothing_is_counted),
        KIT_TEST(a_result_that_is_too_long_is_not_kept),
        KIT_TEST(a_failed_job_is_kept_for_seven_days_with_its_error),
        KIT_TEST(a_long_error_is_cut_at_a_character),
        KIT_TEST(an_error_that_is_no_utf8_is_mended),
        KIT_TEST(many_end_in_one_round_trip_each_in_its_way),
        KIT_TEST(more_than_a_batch_ends_too),
        KIT_TEST(both_finished_jobs_of_a_request_take_less_than_900_bytes),
        KIT_TEST(a_waiting_job_is_cancelled_wherever_it_waits),
        KIT_TEST(a_job_in_a_very_long_list_is_cancelled_when_it_is_taken),
        KIT_TEST(a_running_job_that_is_cancelled_is_lost_to_its_run),
        KIT_TEST(a_held_back_job_is_cancelled_without_a_trace),
        KIT_TEST(every_step_of_a_job_is_told),
        KIT_TEST(a_job_tells_its_user_and_whoever_follows_it),
        KIT_TEST(jobs_that_are_pushed_together_are_told_one_by_one),
        KIT_TEST(the_worker_of_a_cancelled_job_is_told),
        KIT_TEST(an_end_in_a_limited_queue_touches_what_waits),
        KIT_TEST(room_that_a_cancelled_or_lost_job_leaves_wakes_who_waits_for_it),
    };

    return cmocka_run_group_tests_name("job_end", tests, kit_open, kit_close);
}
