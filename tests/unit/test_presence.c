/* test_presence.c: who is online, and who was when (contract 4.3). */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/presence.h"
#include "core/session.h"
#include "tests/unit/jobhouse.h"

#include <pthread.h>

#define DAY_MS INT64_C(86400000)
#define THREADS 4

static struct app app;
static struct err err;

static int open_house(void **state)
{
    (void)state;
    house_start();
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_stop();
    return 0;
}

/* The clock stands at the beginning of a period of PRESENCE_QUIET_MS, the n-th from now, so that a test lies within one. */
static void at_period(int n)
{
    clock_test_offset(0);
    clock_test_offset(n * PRESENCE_QUIET_MS - clock_mono_ms() % PRESENCE_QUIET_MS);
}

static int enter(void **state)
{
    (void)state;
    server_flush();
    REDIS_RUN("CONFIG", "RESETSTAT");
    house_enter(0);
    app_open(&app, &house);
    at_period(1);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    clock_test_offset(0);
    app_close(&app);
    house_leave();
    return 0;
}

/* Posted commands have arrived when a later one is answered. */
static void settle(struct app *a)
{
    assert_non_null(redis_do(a->redis, &err, "PING"));
}

static void touch(const char *user)
{
    presence_touch(&app, span_of(user));
    settle(&app);
}

/* How often Redis was told that somebody is here. */
static long long told(void)
{
    char *stats = REDIS_CLI("INFO", "commandstats"), *at = strstr(stats, "cmdstat_eval:calls=");
    long long calls = at ? strtoll(at + strlen("cmdstat_eval:calls="), NULL, 10) : 0;

    free(stats);
    return calls;
}

static struct presence of(const char *user)
{
    const struct span name = span_of(user);
    struct presence p = { .seen_ms = -1 };

    assert_int_equal(presence_read(&app, &name, 1, &p, &err), 0);
    return p;
}

/* --- being here --- */

static void whoever_is_here_is_online_for_a_minute(void **state)
{
    long long left;

    (void)state;
    touch("sara");
    assert_true(of("sara").online);
    left = REDIS_NUMBER("PTTL", "peygir:presence:sara");
    assert_true(left > 0 && left <= 60000);
    assert_redis("1", "DEL", "peygir:presence:sara");
    assert_false(of("sara").online);
}

static void when_somebody_was_last_seen_stays(void **state)
{
    long long at, left;

    (void)state;
    touch("sara");
    at = REDIS_NUMBER("GET", "peygir:presence:sara");
    assert_true(at > 0);
    assert_int_equal(of("sara").seen_ms, at);
    REDIS_RUN("DEL", "peygir:presence:sara");
    assert_int_equal(of("sara").seen_ms, at);
    left = REDIS_NUMBER("PTTL", "peygir:presence");
    assert_true(left > 89 * DAY_MS && left <= 90 * DAY_MS);
}

static void of_an_unknown_user_nothing_is_known(void **state)
{
    (void)state;
    assert_false(of("nobody").online);
    assert_int_equal(of("nobody").seen_ms, 0);
}

static void a_visitor_is_nobody(void **state)
{
    (void)state;
    touch("");
    touch(NULL);
    assert_int_equal(told(), 0);
    assert_redis("0", "DBSIZE");
}

static void a_user_may_have_the_longest_id_and_any_letters(void **state)
{
    char longest[SESSION_USER_MAX + 1] = { 0 };

    (void)state;
    memset(longest, 'u', SESSION_USER_MAX);
    touch(longest);
    touch("سارا, {a}: b");
    assert_true(of(longest).online);
    assert_true(of("سارا, {a}: b").online);
    longest[SESSION_USER_MAX - 1] = 'v';
    assert_false(of(longest).online);
}

/* --- not too often --- */

static void redis_is_told_once_in_a_while_however_much_is_asked(void **state)
{
    uint64_t before;

    (void)state;
    settle(&app);
    before = redis_round_trips(app.redis);
    for (int i = 0; i < 100; i++)
        presence_touch(&app, SPAN("sara"));
    assert_int_equal(redis_round_trips(app.redis), before);
    settle(&app);
    assert_int_equal(told(), 1);
}

static void whoever_goes_on_asking_does_not_go_offline(void **state)
{
    (void)state;
    touch("sara");
    REDIS_RUN("PEXPIRE", "peygir:presence:sara", "30000"); /* as time passes */
    at_period(2);
    touch("sara");
    assert_int_equal(told(), 2);
    assert_true(REDIS_NUMBER("PTTL", "peygir:presence:sara") > 30000);
}

static void nobody_is_taken_for_another(void **state)
{
    const int users = 10000; /* more than are remembered */
    char name[32];

    (void)state;
    for (int i = 0; i < users; i++) {
        snprintf(name, sizeof name, "user-%d", i);
        presence_touch(&app, span_of(name));
        if (i % 100 == 99)
            settle(&app);
    }
    assert_int_equal(REDIS_NUMBER("ZCARD", "peygir:presence"), users);
}

static void *ask_often(void *arg)
{
    for (int i = 0; i < 1000; i++)
        presence_touch(arg, SPAN("sara"));
    return NULL;
}

static void of_all_threads_of_a_process_one_tells(void **state)
{
    struct app apps[THREADS];
    pthread_t thread[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        app_open(&apps[i], &house);
        assert_int_equal(pthread_create(&thread[i], NULL, ask_often, &apps[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        settle(&apps[i]);
        app_close(&apps[i]);
    }
    assert_int_equal(told(), 1);
}

/* --- not for ever --- */

static void whoever_has_not_come_for_ninety_days_is_forgotten_when_anybody_comes(void **state)
{
    char before[NUMBER_SIZE + 1], within[NUMBER_SIZE + 1];
    int64_t now_ms;

    (void)state;
    touch("now");
    now_ms = of("now").seen_ms;
    snprintf(before, sizeof before, "%lld", (long long)(now_ms - 90 * DAY_MS - 1));
    snprintf(within, sizeof within, "%lld", (long long)(now_ms - 89 * DAY_MS));
    REDIS_RUN("ZADD", "peygir:presence", before, "before", within, "within");
    assert_int_equal(of("before").seen_ms, 0); /* nor is it said before that */
    assert_int_equal(of("within").seen_ms, now_ms - 89 * DAY_MS);
    touch("another");
    assert_redis("3", "ZCARD", "peygir:presence");
    assert_redis("", "ZSCORE", "peygir:presence", "before");
}

/* --- reading --- */

static void many_users_take_one_round_trip(void **state)
{
    struct span users[PRESENCE_USERS];
    struct presence out[PRESENCE_USERS];
    char names[PRESENCE_USERS][24];
    uint64_t before;

    (void)state;
    for (int i = 0; i < PRESENCE_USERS; i++) {
        snprintf(names[i], sizeof names[i], "user-%d", i);
        users[i] = span_of(names[i]);
        if (i % 3 == 0)
            touch(names[i]);
    }
    before = redis_round_trips(app.redis);
    assert_int_equal(presence_read(&app, users, PRESENCE_USERS, out, &err), 0);
    assert_int_equal(redis_round_trips(app.redis), before + 1);
    for (int i = 0; i < PRESENCE_USERS; i++) {
        assert_int_equal(out[i].online, i % 3 == 0);
        assert_int_equal(out[i].seen_ms > 0, i % 3 == 0);
    }
    assert_int_equal(presence_read(&app, users, 0, out, &err), 0);
    assert_int_equal(redis_round_trips(app.redis), before + 1);
}

static void what_others_wrote_under_its_keys_is_an_error_and_no_answer(void **state)
{
    const struct span sara = SPAN("sara");
    struct presence p;

    (void)state;
    REDIS_RUN("SET", "peygir:presence", "x");
    assert_int_equal(presence_read(&app, &sara, 1, &p, &err), -1);
    assert_int_equal(err.kind, ERR_FAILED);
}

/* --- bad days --- */

static void a_full_redis_is_left_in_peace(void **state)
{
    (void)state;
    touch("before");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    touch("sara");
    assert_false(of("sara").online);
    assert_int_equal(of("sara").seen_ms, 0);
    assert_true(of("before").online);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    at_period(2);
    touch("sara");
    assert_true(of("sara").online);
}

static void without_redis_nothing_is_known_and_nobody_waits(void **state)
{
    const struct span sara = SPAN("sara");
    struct presence p;

    (void)state;
    settle(&app);
    server_kill();
    assert_int_equal(presence_read(&app, &sara, 1, &p, &err), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    presence_touch(&app, sara);
    redis_flush(app.redis);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(whoever_is_here_is_online_for_a_minute),
        TEST(when_somebody_was_last_seen_stays),
        TEST(of_an_unknown_user_nothing_is_known),
        TEST(a_visitor_is_nobody),
        TEST(a_user_may_have_the_longest_id_and_any_letters),
        TEST(redis_is_told_once_in_a_while_however_much_is_asked),
        TEST(whoever_goes_on_asking_does_not_go_offline),
        TEST(nobody_is_taken_for_another),
        TEST(of_all_threads_of_a_process_one_tells),
        TEST(whoever_has_not_come_for_ninety_days_is_forgotten_when_anybody_comes),
        TEST(many_users_take_one_round_trip),
        TEST(what_others_wrote_under_its_keys_is_an_error_and_no_answer),
        TEST(a_full_redis_is_left_in_peace),
        TEST(without_redis_nothing_is_known_and_nobody_waits), /* takes Redis away: the last */
    };
    return cmocka_run_group_tests_name("presence", tests, open_house, close_house);
}
