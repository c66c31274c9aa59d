/* test_schedule.c: jobs by the clock: what is due, that it is fired once, and what is forgotten. The clock is Redis's:
 * a tick is made due by writing back the one that was dealt with last. */
#include "tests/unit/unit.h"

#include "core/schedule.h"
#include "tests/unit/files.h"
#include "tests/unit/jobhouse.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>

#define KEY "peygir:schedule"
#define HOUR_MS 3600000LL
#define DAY_MS (24 * HOUR_MS)
#define YEARLY "0 0 1 1 *"

static struct app app;
static struct job_types *types;

static int setup(void **state)
{
    (void)state;
    house_start();
    house_enter(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    house_leave();
    house_stop();
    return 0;
}

static int fresh(void **state)
{
    server_flush();
    app_open(&app, &house);
    return files_setup(state);
}

static int over(void **state)
{
    job_types_free(types);
    types = NULL;
    app_close(&app);
    return files_teardown(state);
}

/* A type with a schedule; more members go into it. */
static void put(const char *name, const char *schedule, const char *more)
{
    char *file = xasprintf("%s.json", name),
         *text = xasprintf("{\"handler\":\"none\",\"schedule\":{%s}%s}", schedule, more);

    files_put(file, text);
    free(text);
    free(file);
}

static void load(void)
{
    struct err err = ERR_INIT;

    files_put("default.json", "{\"handler\":\"http\"}");
    job_types_free(types);
    types = job_types_open(files_dir(), &err);
    if (!types)
        fail_msg("%s", err.text);
}

static int tick_next(int64_t *next_ms)
{
    struct err err = ERR_INIT;
    int fired = schedule_tick(&app, types, next_ms, &err);

    if (fired < 0)
        fail_msg("%s", err.text);
    return fired;
}

static int tick(void)
{
    int64_t next_ms;

    return tick_next(&next_ms);
}

static int64_t redis_ms(void)
{
    return (int64_t)REDIS_NUMBER("TIME") * 1000;
}

static int64_t stored(const char *field)
{
    return (int64_t)REDIS_NUMBER("HGET", KEY, field);
}

/* As if the last look had been so long ago. */
static void put_back(const char *type, int64_t ms)
{
    char at[NUMBER_SIZE];

    snprintf(at, sizeof(at), "%" PRId64, redis_ms() - ms);
    REDIS_RUN("HSET", KEY, type, at);
}

static char *job_key(const char *queue, const char *type, int64_t tick_ms)
{
    return xasprintf("peygir:%s:data:schedule:%s:%" PRId64, queue, type, tick_ms / 1000);
}

static void assert_field(const char *key, const char *field, const char *value)
{
    assert_redis(value, "HGET", key, field);
}

/* --- what is due --- */

static void a_new_type_begins_with_the_first_tick_after_now(void **state)
{
    int64_t next_ms, before = redis_ms();

    (void)state;
    put("x", "\"cron\":\"* * * * *\"", "");
    load();
    assert_int_equal(tick_next(&next_ms), 0);
    assert_true(next_ms > 0 && next_ms <= 60000);
    assert_true(stored("x") >= before && stored("x") <= redis_ms() + 1000);
    assert_redis("* * * * *|UTC", "HGET", KEY, "x:line");
    assert_redis("0", "LLEN", "peygir:task:queue");
    assert_redis("0", "HEXISTS", KEY, "x:fired");
}

static void a_due_tick_pushes_its_job_with_what_the_type_says(void **state)
{
    char *key;

    (void)state;
    put("x", "\"cron\":\"" YEARLY "\",\"time_zone\":\"Asia/Tehran\",\"payload\":{\"a\":1}",
        ",\"queue\":\"slow\",\"priority\":8,\"tries\":2");
    load();
    tick();
    put_back("x", 367 * DAY_MS);
    assert_int_equal(tick(), 1);
    key = job_key("slow", "x", stored("x"));
    assert_field(key, "type", "x");
    assert_field(key, "payload", "{\"a\":1}");
    assert_redis("1", "ZCARD", "peygir:slow:priority");
    assert_redis("9", "EVAL",
                 "return math.floor(redis.call('ZRANGE', 'peygir:slow:priority', 0, 0, 'WITHSCORES')[2] + 0.5)", "0");
    assert_int_equal(stored("x:fired"), stored("x"));
    assert_int_equal(stored("x") % 1000, 0);
    free(key);
}

static void a_tick_is_fired_once(void **state)
{
    (void)state;
    put("x", "\"cron\":\"" YEARLY "\"", "");
    load();
    tick();
    put_back("x", 367 * DAY_MS);
    assert_int_equal(tick(), 1);
    assert_int_equal(tick(), 0);
    assert_redis("1", "LLEN", "peygir:task:queue");
    /* nor when what is remembered is lost: the job has the tick's id */
    put_back("x", 367 * DAY_MS);
    assert_int_equal(tick(), 0);
    assert_redis("1", "LLEN", "peygir:task:queue");
    assert_true(stored("x") > redis_ms() - 367 * DAY_MS);
}

static void nothing_due_costs_one_round_trip_and_something_two(void **state)
{
    uint64_t before;

    (void)state;
    put("x", "\"cron\":\"" YEARLY "\"", "");
    put("y", "\"cron\":\"" YEARLY "\"", ",\"queue\":\"other\"");
    load();
    tick();
    put_back("x", 367 * DAY_MS);
    tick(); /* all scripts are there now */
    before = redis_round_trips(app.redis);
    assert_int_equal(tick(), 0);
    assert_int_equal(redis_round_trips(app.redis) - before, 1);
    put_back("y", 367 * DAY_MS);
    before = redis_round_trips(app.redis);
    assert_int_equal(tick(), 1);
    assert_int_equal(redis_round_trips(app.redis) - before, 2);
}

static void many_missed_ticks_run_once(void **state)
{
    (void)state;
    put("x", "\"cron\":\"*/5 * * * *\",\"missed\":\"run\"", "");
    load();
    tick();
    put_back("x", 40 * DAY_MS);
    assert_int_equal(tick(), 1);
    assert_redis("1", "LLEN", "peygir:task:queue");
    assert_true(redis_ms() - stored("x") < 5 * 60000 + 2000);
}

static void missed_ticks_are_skipped_where_the_type_says_so(void **state)
{
    (void)state;
    put("x", "\"cron\":\"" YEARLY "\",\"missed\":\"skip\"", "");
    load();
    tick();
    put_back("x", 367 * DAY_MS);
    assert_int_equal(tick(), 0);
    assert_redis("0", "LLEN", "peygir:task:queue");
    assert_true(stored("x") > redis_ms() - 367 * DAY_MS);
    assert_redis("0", "HEXISTS", KEY, "x:fired");
}

/* A line for each minute always has a tick in the last 60 seconds. */
static void a_tick_that_has_just_been_is_not_a_missed_one(void **state)
{
    (void)state;
    put("x", "\"cron\":\"* * * * *\",\"missed\":\"skip\"", "");
    load();
    tick();
    put_back("x", 3 * HOUR_MS);
    assert_int_equal(tick(), 1);
    assert_redis("1", "LLEN", "peygir:task:queue");
}

static void another_line_or_zone_begins_anew(void **state)
{
    static const char *const schedules[] = { "\"cron\":\"" YEARLY "\"", "\"cron\":\"0 1 1 1 *\"",
                                             "\"cron\":\"0 1 1 1 *\",\"time_zone\":\"Asia/Tehran\"" };
    int64_t before = redis_ms();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(schedules); i++) {
        put("x", schedules[i], "");
        load();
        assert_int_equal(tick(), 0);
        assert_true(stored("x") >= before);
        put_back("x", 367 * DAY_MS);
    }
    assert_redis("0 1 1 1 *|Asia/Tehran", "HGET", KEY, "x:line");
    assert_redis("0", "LLEN", "peygir:task:queue");
}

static void a_clock_that_went_back_does_not_stop_a_schedule(void **state)
{
    (void)state;
    put("x", "\"cron\":\"* * * * *\"", "");
    load();
    tick();
    put_back("x", -5 * HOUR_MS);
    assert_int_equal(tick(), 0);
    assert_true(stored("x") <= redis_ms() + 1000);
}

static void the_next_tick_of_any_type_is_told(void **state)
{
    int64_t next_ms;

    (void)state;
    load();
    assert_int_equal(tick_next(&next_ms), 0);
    assert_int_equal(next_ms, -1);
    put("x", "\"cron\":\"" YEARLY "\"", "");
    load();
    tick_next(&next_ms);
    assert_true(next_ms > 0 && next_ms <= 366 * DAY_MS);
    put("y", "\"cron\":\"*/15 * * * *\"", "");
    load();
    tick_next(&next_ms);
    assert_true(next_ms > 0 && next_ms <= 15 * 60000);
}

static void types_without_a_schedule_are_left_alone(void **state)
{
    (void)state;
    files_put("x.json", "{\"handler\":\"none\"}");
    load();
    assert_int_equal(tick(), 0);
    assert_redis("0", "EXISTS", KEY);
}

static void what_nobody_has_scheduled_for_long_is_forgotten(void **state)
{
    (void)state;
    put("x", "\"cron\":\"" YEARLY "\"", "");
    load();
    REDIS_RUN("HSET", KEY, "gone:line", "* * * * *|UTC", "gone:run", "5", "gone:fired", "5");
    put_back("gone", 31 * DAY_MS);
    REDIS_RUN("HSET", KEY, "elsewhere:line", "* * * * *|UTC");
    put_back("elsewhere", 29 * DAY_MS);
    put_back("by-hand:run", 29 * DAY_MS);
    REDIS_RUN("HSET", KEY, "no:such:field", "1");
    tick();
    assert_redis(
        "0", "EVAL",
        "local n = 0 for _, f in ipairs(redis.call('HKEYS', KEYS[1])) do if f:find('^gone') then n = n + 1 end end "
        "return n",
        "1", KEY);
    assert_redis("1", "HEXISTS", KEY, "elsewhere:line");
    assert_redis("1", "HEXISTS", KEY, "elsewhere");
    assert_redis("1", "HEXISTS", KEY, "by-hand:run");
    assert_redis("1", "HEXISTS", KEY, "x");
}

/* --- bad days --- */

static void a_full_redis_loses_no_tick(void **state)
{
    struct err err = ERR_INIT;
    int64_t next_ms, before;

    (void)state;
    put("x", "\"cron\":\"" YEARLY "\"", "");
    load();
    tick();
    put_back("x", 367 * DAY_MS);
    before = stored("x");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    assert_int_equal(schedule_tick(&app, types, &next_ms, &err), -1);
    assert_int_equal(err.kind, ERR_FULL);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_int_equal(stored("x"), before);
    assert_int_equal(tick(), 1);
}

static void a_server_that_lost_its_scripts_remembers_the_tick_too(void **state)
{
    (void)state;
    put("x", "\"cron\":\"" YEARLY "\"", "");
    load();
    tick();
    put_back("x", 367 * DAY_MS);
    REDIS_RUN("SCRIPT", "FLUSH");
    assert_int_equal(tick(), 1);
    assert_int_equal(stored("x:fired"), stored("x"));
    assert_true(stored("x") > redis_ms() - 367 * DAY_MS);
}

/* The push failed alone: the tick is not remembered without its job. */
static void a_tick_is_not_remembered_without_its_job(void **state)
{
    struct err err = ERR_INIT;
    int64_t next_ms;

    (void)state;
    put("x", "\"cron\":\"" YEARLY "\"", "");
    put("y", "\"cron\":\"" YEARLY "\"", ",\"queue\":\"other\"");
    load();
    tick();
    put_back("x", 367 * DAY_MS);
    put_back("y", 367 * DAY_MS);
    REDIS_RUN("SET", "peygir:task:queue", "no list");
    assert_int_equal(schedule_tick(&app, types, &next_ms, &err), -1);
    assert_int_equal(stored("x:fired"), 0);
    REDIS_RUN("DEL", "peygir:task:queue");
    assert_true(stored("y:fired") > 0);
}

static void redis_away_is_said(void **state)
{
    struct err err = ERR_INIT;
    int64_t next_ms;
    char *id = NULL;

    (void)state;
    put("x", "\"cron\":\"* * * * *\"", "");
    load();
    server_kill();
    assert_int_equal(schedule_tick(&app, types, &next_ms, &err), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_int_equal(schedule_run(&app, types, "x", &id, &err), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_null(id);
}

enum { WORKERS = 8, ROUNDS = 12 };
static pthread_barrier_t together;

static void *worker(void *pushed)
{
    struct app own;
    struct err err = ERR_INIT;
    int64_t next_ms;

    app_open(&own, &house);
    redis_do(own.redis, &err, "PING");
    pthread_barrier_wait(&together);
    *(int *)pushed = schedule_tick(&own, types, &next_ms, &err);
    app_close(&own);
    return NULL;
}

static void any_number_of_workers_fire_a_tick_once(void **state)
{
    pthread_t threads[WORKERS];
    int pushed[WORKERS], sum;

    (void)state;
    pthread_barrier_init(&together, NULL, WORKERS);
    for (int round = 0; round < ROUNDS; round++) {
        server_flush();
        put("x", "\"cron\":\"" YEARLY "\"", "");
        load();
        tick();
        put_back("x", 367 * DAY_MS);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, worker, &pushed[i]), 0);
        sum = 0;
        for (int i = 0; i < WORKERS; i++) {
            pthread_join(threads[i], NULL);
            assert_true(pushed[i] >= 0);
            sum += pushed[i];
        }
        assert_int_equal(sum, 1);
        assert_redis("1", "LLEN", "peygir:task:queue");
    }
    pthread_barrier_destroy(&together);
}

static void a_tick_of_a_unique_type_is_left_out_while_its_job_is_there(void **state)
{
    struct err err = ERR_INIT;
    char *id = NULL;

    (void)state;
    put("x", "\"cron\":\"" YEARLY "\"", ",\"unique\":{}");
    load();
    tick();
    put_back("x", 3 * 366 * DAY_MS);
    REDIS_RUN("HSET", "peygir:task:data:before", "status", "processing");
    REDIS_RUN("SET", "peygir:task:unique:x", "before");
    assert_int_equal(tick(), 0);
    assert_redis("0", "LLEN", "peygir:task:queue");
    assert_true(stored("x") > 0 && stored("x:fired") == stored("x"));
    assert_int_equal(schedule_run(&app, types, "x", &id, &err), -1);
    assert_int_equal(err.kind, ERR_STATE);
    assert_non_null(strstr(err.text, "job before"));
    REDIS_RUN("HSET", "peygir:task:data:before", "status", "completed");
    assert_int_equal(schedule_run(&app, types, "x", &id, &err), JOB_PUSHED);
    assert_redis("1", "LLEN", "peygir:task:queue");
    free(id);
}

static void *look_late(void *ctx)
{
    struct err err = ERR_INIT;
    int64_t *next_ms = ctx;

    return schedule_tick(&app, types, next_ms, &err) == 0 ? NULL : (void *)"it fired";
}

static long long times_read(void)
{
    char *stats = REDIS_CLI("INFO", "commandstats"), *at = strstr(stats, "cmdstat_hgetall:calls=");
    long long n = at ? strtoll(at + strlen("cmdstat_hgetall:calls="), NULL, 10) : 0;

    free(stats);
    return n;
}

/* One looks after an outage and sees a missed tick; before it fires, another has seen the next tick, and fired that for both. */
static void a_tick_between_the_looks_of_two_workers_makes_one_job(void **state)
{
    struct app other;
    struct err err = ERR_INIT;
    const struct reply *replies;
    pthread_t thread;
    size_t count;
    long long before;
    int64_t next_ms = -1;
    void *wrong;

    (void)state;
    put("x", "\"cron\":\"" YEARLY "\"", "");
    load();
    tick();
    put_back("x", 367 * DAY_MS);
    app_open(&other, &house);
    before = times_read();
    assert_non_null(redis_do(other.redis, &err, "CLIENT PAUSE 60000 WRITE"));
    assert_int_equal(pthread_create(&thread, NULL, look_late, &next_ms), 0);
    while (times_read() == before)
        sched_yield();
    redis_queuef(other.redis, "CLIENT UNPAUSE"); /* what follows in the same write comes before those who were held up */
    redis_queuef(other.redis, "HSET %s x %lld", KEY, (long long)redis_ms());
    assert_int_equal(redis_exchange(other.redis, &replies, &count, &err), 0);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    assert_redis("0", "LLEN", "peygir:task:queue");
    assert_int_equal(next_ms, 0);
    app_close(&other);
}

/* --- for people --- */

struct seen {
    size_t count;
    struct schedule_state states[4];
};

static void see(void *ctx, const struct schedule_state *state)
{
    struct seen *seen = ctx;

    seen->states[seen->count++] = *state;
}

static void schedules_are_told_in_order_of_name(void **state)
{
    struct seen seen = { .count = 0 };
    struct err err = ERR_INIT;
    char *id = NULL;

    (void)state;
    put("b", "\"cron\":\"" YEARLY "\"", "");
    put("a", "\"cron\":\"0 0 29 2 *\"", "");
    load();
    assert_int_equal(schedule_each(&app, types, see, &seen, &err), 0);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.states[0].type->name, "a");
    assert_string_equal(seen.states[1].type->name, "b");
    assert_int_equal(seen.states[1].last_ms, 0);
    assert_int_equal(seen.states[1].run_ms, 0);
    assert_true(seen.states[1].next_ms > redis_ms());
    tick();
    put_back("b", 367 * DAY_MS);
    tick();
    assert_int_equal(schedule_run(&app, types, "b", &id, &err), JOB_PUSHED);
    seen.count = 0;
    assert_int_equal(schedule_each(&app, types, see, &seen, &err), 0);
    assert_int_equal(seen.states[1].last_ms, stored("b"));
    assert_int_equal(seen.states[1].run_ms, stored("b:run"));
    assert_int_equal(seen.states[0].last_ms, 0); /* begun, not fired */
    free(id);
}

static void a_schedule_is_run_by_hand_whatever_the_clock_says(void **state)
{
    struct err err = ERR_INIT;
    char *first = NULL, *second = NULL, *key;

    (void)state;
    put("x", "\"cron\":\"" YEARLY "\",\"payload\":{\"b\":2}", ",\"priority\":5");
    load();
    assert_int_equal(schedule_run(&app, types, "x", &first, &err), JOB_PUSHED);
    assert_int_equal(schedule_run(&app, types, "x", &second, &err), JOB_PUSHED);
    assert_string_not_equal(first, second);
    assert_memory_equal(first, "schedule:x:", 11);
    key = xasprintf("peygir:task:data:%s", first);
    assert_field(key, "type", "x");
    assert_field(key, "payload", "{\"b\":2}");
    assert_redis("2", "LLEN", "peygir:task:queue");
    assert_int_equal(stored("x"), 0); /* the clock's ticks are not touched */
    free(key);
    free(first);
    free(second);
}

static void a_type_without_a_schedule_is_run_by_hand_too(void **state)
{
    struct err err = ERR_INIT;
    char *id = NULL;

    (void)state;
    load();
    assert_int_equal(schedule_run(&app, types, "default", &id, &err), JOB_PUSHED);
    assert_memory_equal(id, "schedule:default:", 17);
    assert_redis("1", "LLEN", "peygir:task:queue");
    free(id);
}

static void a_type_that_does_not_exist_is_not_run(void **state)
{
    struct err err = ERR_INIT;
    char *id = NULL;

    (void)state;
    load();
    assert_int_equal(schedule_run(&app, types, "nothing", &id, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "\"nothing\""));
    assert_null(id);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, fresh, over)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_new_type_begins_with_the_first_tick_after_now),
        FRESH(a_due_tick_pushes_its_job_with_what_the_type_says),
        FRESH(a_tick_is_fired_once),
        FRESH(nothing_due_costs_one_round_trip_and_something_two),
        FRESH(many_missed_ticks_run_once),
        FRESH(missed_ticks_are_skipped_where_the_type_says_so),
        FRESH(a_tick_that_has_just_been_is_not_a_missed_one),
        FRESH(another_line_or_zone_begins_anew),
        FRESH(a_clock_that_went_back_does_not_stop_a_schedule),
        FRESH(the_next_tick_of_any_type_is_told),
        FRESH(types_without_a_schedule_are_left_alone),
        FRESH(what_nobody_has_scheduled_for_long_is_forgotten),
        FRESH(a_full_redis_loses_no_tick),
        FRESH(a_server_that_lost_its_scripts_remembers_the_tick_too),
        FRESH(a_tick_is_not_remembered_without_its_job),
        FRESH(a_tick_of_a_unique_type_is_left_out_while_its_job_is_there),
        FRESH(a_tick_between_the_looks_of_two_workers_makes_one_job),
        FRESH(any_number_of_workers_fire_a_tick_once),
        FRESH(schedules_are_told_in_order_of_name),
        FRESH(a_schedule_is_run_by_hand_whatever_the_clock_says),
        FRESH(a_type_without_a_schedule_is_run_by_hand_too),
        FRESH(a_type_that_does_not_exist_is_not_run),
        FRESH(redis_away_is_said), /* the last one: a server that was away is not asked again for a while */
    };

    return cmocka_run_group_tests_name("schedule", tests, setup, teardown);
}
