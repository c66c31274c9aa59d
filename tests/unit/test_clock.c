/* test_clock.c: time and its text. */
#include "tests/unit/unit.h"

#include "base/clock.h"

#define LAST_MS INT64_C(253402300799999)

static void the_offset_moves_both_clocks(void **state)
{
    int64_t wall = clock_ms(), mono = clock_mono_ms();

    (void)state;
    clock_test_offset(INT64_C(1000000000));
    assert_true(clock_ms() >= wall + 1000000000);
    assert_true(clock_mono_ms() >= mono + 1000000000);
    clock_test_offset(0);
    assert_true(clock_ms() < wall + 1000000000);
}

static void a_wrong_clock_of_this_host_moves_no_other(void **state)
{
    int64_t wall = clock_ms(), mono = clock_mono_ms(), ahead = clock_ahead_ms(5000, 0);

    (void)state;
    clock_test_wrong(1000000);
    assert_true(clock_ms() >= wall + 1000000);
    assert_in_range(clock_mono_ms(), mono, mono + 100000);
    assert_in_range(clock_mono_ms() + ahead, 5000, 105000);
    clock_test_wrong(0);
    clock_test_offset(1000000);
    assert_in_range(clock_mono_ms() + ahead, 1005000, 1105000);
    clock_test_offset(0);
}

static void another_clock_that_may_be_the_same_is_taken_for_the_same(void **state)
{
    int64_t wall = clock_ms(), same = wall - clock_mono_ms();

    (void)state;
    assert_in_range(clock_ahead_ms(wall - 400, 500) - same + 2, 0, 4);
    assert_in_range(clock_ahead_ms(wall - 5000, 500) - (same - 4750) + 50, 0, 100);
    assert_in_range(clock_ahead_ms(wall + 5000, 500) - (same + 5250) + 50, 0, 100);
}

static void times_are_written_as_rfc3339(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 951868799999, "2000-02-29T23:59:59.999Z" },
        { 1767323045678, "2026-01-02T03:04:05.678Z" },
        { 1798761599001, "2026-12-31T23:59:59.001Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" },
        { LAST_MS, "9999-12-31T23:59:59.999Z" },
        { LAST_MS + 1, "9999-12-31T23:59:59.999Z" },
        { -1, "1970-01-01T00:00:00.000Z" },
    };
    char out[CLOCK_RFC3339_SIZE];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        clock_rfc3339(rows[i].ms, out);
        assert_string_equal(out, rows[i].text);
    }
}

static void every_day_is_what_the_c_library_says_and_reads_back(void **state)
{
    char out[CLOCK_RFC3339_SIZE], want[64];
    struct tm tm;
    time_t t;
    int64_t ms;

    (void)state;
    for (ms = 0; ms < LAST_MS; ms += 86400000 * INT64_C(17) + 3723456) {
        t = (time_t)(ms / 1000);
        gmtime_r(&t, &tm);
        snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
        clock_rfc3339(ms, out);
        assert_string_equal(out, want);
        assert_true(clock_parse_rfc3339(span_of(out)) == ms);
    }
}

static void times_with_offset_fraction_or_small_letters_are_read(void **state)
{
    static const char *const same[] = {
        "2026-01-02T03:04:05Z", "2026-01-02t03:04:05z", "2026-01-02T03:04:05.0Z", "2026-01-02T03:04:05.000000001Z",
        "2026-01-02T06:34:05+03:30", "2026-01-01T22:04:05-05:00", "2026-01-02T03:04:05+00:00",
        "2026-01-02T03:04:05-00:00",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(same); i++)
        assert_true(clock_parse_rfc3339(span_of(same[i])) == 1767323045000);
    assert_true(clock_parse_rfc3339(SPAN("2026-01-02T03:04:05.678901+00:00")) == 1767323045678);
    assert_true(clock_parse_rfc3339(SPAN("2016-12-31T23:59:60Z")) == 1483228800000);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "2026", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-01-02T03:04Z",
        "2026-13-02T03:04:05Z", "2026-00-02T03:04:05Z", "2026-02-29T03:04:05Z", "2100-02-29T03:04:05Z",
        "2026-04-31T03:04:05Z", "2026-01-00T03:04:05Z", "2026-01-02T24:04:05Z", "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05+0330", "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+03:60", "2026-01-02T03:04:05ZZ", " 2026-01-02T03:04:05Z", "2026-1-2T3:4:5Z",
        "0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "+026-01-02T03:04:05Z", "2026-01-02T03:04:05+03:3",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        if (clock_parse_rfc3339(span_of(bad[i])) != -1)
            fail_msg("%s", bad[i]);
    assert_true(clock_parse_rfc3339(span_of(NULL)) == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_offset_moves_both_clocks),
        cmocka_unit_test(a_wrong_clock_of_this_host_moves_no_other),
        cmocka_unit_test(another_clock_that_may_be_the_same_is_taken_for_the_same),
        cmocka_unit_test(times_are_written_as_rfc3339),
        cmocka_unit_test(every_day_is_what_the_c_library_says_and_reads_back),
        cmocka_unit_test(times_with_offset_fraction_or_small_letters_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
