/* test_breaker.c: bots that fail are left alone for a while */
#include "tests/unit/unit.h"

#include "base/log.h"
#include "worker/breaker.h"

#define BOT "/api/services/one"
#define S INT64_C(1000)

static struct breakers *b;

static int setup(void **state)
{
    (void)state;
    log_setup("test", LOG_ERROR, false);
    b = breakers_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    breakers_free(b);
    return 0;
}

static void called(const char *bot, enum breaker_word word, int count, int64_t now_ms)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(breakers_ask(b, bot, now_ms), 0);
        breakers_tell(b, bot, word, now_ms);
    }
}

static void expect_open(const char *bots)
{
    struct str out = STR_INIT;
    breakers_add_open(b, &out);
    assert_string_equal(out.s, bots);
    str_free(&out);
}

static void a_few_calls_never_open_it(void **state)
{
    (void)state;
    called(BOT, BREAKER_BAD, BREAKER_CALLS - 1, 100 * S);
    assert_int_equal(breakers_ask(b, BOT, 100 * S), 0);
    expect_open("");
}

static void half_of_twenty_that_fail_open_it(void **state)
{
    (void)state;
    called(BOT, BREAKER_GOOD, 10, 100 * S);
    called(BOT, BREAKER_BAD, 10, 101 * S);
    assert_int_equal(breakers_ask(b, BOT, 101 * S), BREAKER_SHORTEST_S * S);
    assert_int_equal(breakers_ask(b, BOT, 103 * S), (BREAKER_SHORTEST_S - 2) * S);
    expect_open(BOT);
}

static void less_than_half_leave_it_closed(void **state)
{
    (void)state;
    called(BOT, BREAKER_GOOD, 31, 100 * S);
    called(BOT, BREAKER_BAD, 30, 101 * S);
    assert_int_equal(breakers_ask(b, BOT, 101 * S), 0);
}

static void failures_are_forgotten_after_half_a_minute(void **state)
{
    (void)state;
    called(BOT, BREAKER_BAD, 19, 100 * S);
    called(BOT, BREAKER_BAD, 19, (100 + BREAKER_WINDOW_S) * S);
    expect_open("");
    called(BOT, BREAKER_BAD, 1, (100 + BREAKER_WINDOW_S + 1) * S);
    expect_open(BOT);
}

static void one_bot_that_fails_stops_no_other(void **state)
{
    (void)state;
    called(BOT, BREAKER_BAD, 20, 100 * S);
    assert_true(breakers_ask(b, BOT, 100 * S) > 0);
    assert_int_equal(breakers_ask(b, "/api/services/two", 100 * S), 0);
}

static void one_probe_at_a_time_finds_out_whether_it_is_well(void **state)
{
    (void)state;
    called(BOT, BREAKER_BAD, 20, 100 * S);
    assert_int_equal(breakers_ask(b, BOT, 105 * S), 0);
    assert_true(breakers_ask(b, BOT, 105 * S) > 0);
    expect_open(BOT);
    breakers_tell(b, BOT, BREAKER_GOOD, 106 * S);
    assert_int_equal(breakers_ask(b, BOT, 106 * S), 0);
    expect_open("");
    called(BOT, BREAKER_BAD, 19, 106 * S); /* what was before counts no more */
    expect_open("");
}

static void each_probe_that_fails_doubles_the_rest_up_to_a_minute(void **state)
{
    int64_t now_ms = 100 * S, rest_s = BREAKER_SHORTEST_S;
    (void)state;
    called(BOT, BREAKER_BAD, 20, now_ms);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(breakers_ask(b, BOT, now_ms), rest_s * S);
        now_ms += rest_s * S;
        assert_int_equal(breakers_ask(b, BOT, now_ms), 0);
        breakers_tell(b, BOT, BREAKER_BAD, now_ms);
        rest_s = 2 * rest_s < BREAKER_LONGEST_S ? 2 * rest_s : BREAKER_LONGEST_S;
    }
    assert_int_equal(rest_s, BREAKER_LONGEST_S);
}

static void a_probe_that_is_called_off_leaves_the_place_to_the_next(void **state)
{
    (void)state;
    called(BOT, BREAKER_BAD, 20, 100 * S);
    assert_int_equal(breakers_ask(b, BOT, 105 * S), 0);
    breakers_tell(b, BOT, BREAKER_OFF, 106 * S);
    assert_int_equal(breakers_ask(b, BOT, 106 * S), 0);
}

static void what_was_called_before_it_opened_says_nothing_while_it_rests(void **state)
{
    (void)state;
    called(BOT, BREAKER_BAD, 20, 100 * S);
    breakers_tell(b, BOT, BREAKER_GOOD, 101 * S);
    breakers_tell(b, BOT, BREAKER_BAD, 101 * S);
    assert_int_equal(breakers_ask(b, BOT, 101 * S), 4 * S);
}

static void calls_that_say_nothing_count_for_nothing(void **state)
{
    (void)state;
    called(BOT, BREAKER_OFF, 100, 100 * S);
    called(BOT, BREAKER_BAD, 19, 100 * S);
    expect_open("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_few_calls_never_open_it),
        TEST(half_of_twenty_that_fail_open_it),
        TEST(less_than_half_leave_it_closed),
        TEST(failures_are_forgotten_after_half_a_minute),
        TEST(one_bot_that_fails_stops_no_other),
        TEST(one_probe_at_a_time_finds_out_whether_it_is_well),
        TEST(each_probe_that_fails_doubles_the_rest_up_to_a_minute),
        TEST(a_probe_that_is_called_off_leaves_the_place_to_the_next),
        TEST(what_was_called_before_it_opened_says_nothing_while_it_rests),
        TEST(calls_that_say_nothing_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
