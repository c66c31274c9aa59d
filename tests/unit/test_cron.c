/* test_cron.c: cron lines, what is refused, and when they come, daylight saving included. */
#include "tests/unit/unit.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/cron.h"

#define DAY_S 86400LL

static struct zone *open_zone(const char *name)
{
    struct err err = ERR_INIT;
    struct zone *zone = zone_open(name, &err);

    if (!zone)
        fail_msg("%s", err.text);
    return zone;
}

static struct cron parse(const char *line)
{
    struct err err = ERR_INIT;
    struct cron c;

    if (cron_parse(&c, line, &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

static int64_t at(const char *text)
{
    int64_t ms = clock_parse_rfc3339(span_of(text));

    if (ms == -1)
        fail_msg("%s is no time", text);
    return ms / 1000;
}

/* --- days --- */

static void days_and_dates_agree_both_ways(void **state)
{
    struct civil before = civil_of(-800001), date;
    static const struct {
        int year, month, day;
        int64_t number;
        int weekday;
    } rows[] = { { 1970, 1, 1, 0, 4 },     { 1969, 12, 31, -1, 3 },   { 2000, 2, 29, 11016, 2 },
                 { 2000, 3, 1, 11017, 3 }, { 1900, 3, 1, -25508, 4 }, { 2026, 11, 21, 20778, 6 },
                 { 2100, 3, 1, 47541, 1 }, { 1, 1, 1, -719162, 1 } };

    (void)state;
    for (int64_t day = -800000; day < 800000; before = date, day++) {
        date = civil_of(day);
        assert_true(civil_day(date.year, date.month, date.day) == day);
        if (date.day > 1)
            assert_true(date.day == before.day + 1 && date.month == before.month);
        else
            assert_true(before.day == civil_month_days(before.year, before.month));
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(civil_day(rows[i].year, rows[i].month, rows[i].day), rows[i].number);
        assert_int_equal(civil_weekday(rows[i].number), rows[i].weekday);
    }
}

/* --- reading --- */

static uint64_t bits(const char *list)
{
    uint64_t all = 0;
    char *end;

    for (; *list; list = *end ? end + 1 : end)
        all |= 1ULL << strtol(list, &end, 10);
    return all;
}

#define ALL_HOURS 0xffffffU
#define ALL_DAYS 0xfffffffeU
#define ALL_MONTHS 0x1ffeU
#define ALL_WEEKDAYS 0x7fU

static void fields_are_read(void **state)
{
    static const struct {
        const char *line, *minutes, *hours, *days, *months, *weekdays; /* NULL: all */
    } rows[] = {
        { "* * * * *", NULL, NULL, NULL, NULL, NULL },
        { "0 0 1 1 0", "0", "0", "1", "1", "0" },
        { "59 23 31 12 7", "59", "23", "31", "12", "0" },
        { "  5\t4  3 2 1  ", "5", "4", "3", "2", "1" },
        { "*/15 * * * *", "0,15,30,45", NULL, NULL, NULL, NULL },
        { "1-10/3 * * * *", "1,4,7,10", NULL, NULL, NULL, NULL },
        { "0,30,5-7 * * * *", "0,5,6,7,30", NULL, NULL, NULL, NULL },
        { "*/59 */23 */31 */12 */7", "0,59", "0,23", "1", "1", "0" },
        { "*/1000 * * * *", "0", NULL, NULL, NULL, NULL },
        { "0 0 * JAN,mar-May *", "0", "0", NULL, "1,3,4,5", NULL },
        { "0 0 * * Mon-fri", "0", "0", NULL, NULL, "1,2,3,4,5" },
        { "0 0 * * fri-sun", "0", "0", NULL, NULL, "5,6,0" },
        { "0 0 * * 5-7", "0", "0", NULL, NULL, "5,6,0" },
        { "0 0 * * 0-7", "0", "0", NULL, NULL, NULL },
        { "0 0 * * sun-tue,sat", "0", "0", NULL, NULL, "0,1,2,6" },
        { "00 07 008 * *", "0", "7", "8", NULL, NULL },
        { "@hourly", "0", NULL, NULL, NULL, NULL },
        { "@daily", "0", "0", NULL, NULL, NULL },
        { "@Midnight", "0", "0", NULL, NULL, NULL },
        { "@weekly", "0", "0", NULL, NULL, "0" },
        { "@monthly", "0", "0", "1", NULL, NULL },
        { "@yearly", "0", "0", "1", "1", NULL },
        { "@annually", "0", "0", "1", "1", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cron c = parse(rows[i].line);

        assert_true(c.minutes == (rows[i].minutes ? bits(rows[i].minutes) : (1ULL << 60) - 1));
        assert_true(c.hours == (rows[i].hours ? bits(rows[i].hours) : ALL_HOURS));
        assert_true(c.days == (rows[i].days ? bits(rows[i].days) : ALL_DAYS) || c.any_day);
        assert_true(c.months == (rows[i].months ? bits(rows[i].months) : ALL_MONTHS) || strstr(rows[i].line, "*/12"));
        assert_true(c.weekdays == (rows[i].weekdays ? bits(rows[i].weekdays) : ALL_WEEKDAYS) || c.any_weekday);
    }
}

static void stars_are_told_from_full_ranges(void **state)
{
    (void)state;
    assert_true(parse("* * * * *").every_hour && parse("* */2 * * *").every_hour && parse("@hourly").every_hour);
    assert_false(parse("* 0-23 * * *").every_hour || parse("@daily").every_hour);
    assert_true(parse("* * */2 * 1").any_day && parse("* * 1 * *").any_weekday);
    assert_false(parse("* * 1-31 * 0-7").any_day || parse("* * 1-31 * 0-7").any_weekday);
}

static void wrong_lines_are_refused_by_the_field(void **state)
{
    static const struct {
        const char *line, *part;
    } rows[] = {
        { "", "has 0 fields; it must have five" },
        { "* * * *", "has 4 fields" },
        { "* * * * * *", "has 6 fields" },
        { "@reboot", "\"@reboot\" is not known; known are @yearly" },
        { "@", "is not known" },
        { "60 * * * *", "The field minute, \"60\", is wrong; accepted are *, the values 0 to 59" },
        { "-1 * * * *", "field minute" },
        { "a * * * *", "field minute" },
        { "1; * * * *", "field minute" },
        { ", * * * *", "field minute" },
        { "1, * * * *", "field minute" },
        { "1,,2 * * * *", "field minute" },
        { "5-1 * * * *", "field minute" },
        { "1- * * * *", "field minute" },
        { "1-2-3 * * * *", "field minute" },
        { "*/0 * * * *", "field minute" },
        { "*/ * * * *", "field minute" },
        { "*/-1 * * * *", "field minute" },
        { "5/10 * * * *", "field minute" },
        { "** * * * *", "field minute" },
        { "*-5 * * * *", "field minute" },
        { "99999999999999999999 * * * *", "field minute" },
        { "* 24 * * *", "The field hour, \"24\"" },
        { "* jan * * *", "field hour" },
        { "* * 0 * *", "The field day of month, \"0\"" },
        { "* * 32 * *", "field day of month" },
        { "* * * 0 *", "The field month, \"0\"" },
        { "* * * 13 *", "field month" },
        { "* * * janu *", "field month" },
        { "* * * ja *", "field month" },
        { "* * * dec-jan *", "field month" },
        { "* * * * 8", "The field day of week, \"8\"" },
        { "* * * * wed-mon", "field day of week" },
        { "* * * * sunday", "field day of week" },
        { "0 0 30 2 *", "never comes: none of its months has such a day" },
        { "0 0 31 4,6,9,11 *", "never comes" },
        { "0 0 30,31 feb */2", "never comes" },
    };
    struct cron c;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        err = (struct err)ERR_INIT;
        if (cron_parse(&c, rows[i].line, &err) == 0)
            fail_msg("\"%s\" was accepted", rows[i].line);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.text, rows[i].part))
            fail_msg("\"%s\": %s", rows[i].line, err.text);
    }
}

static void a_line_without_end_is_refused(void **state)
{
    char line[400];
    struct cron c;

    (void)state;
    memset(line, '1', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    assert_int_equal(cron_parse(&c, line, NULL), -1);
}

/* --- when --- */

/* Long, for it is the table. Several ticks follow each other from `after` on; "" ends them, "never" is -1. */
static void ticks_come_when_the_line_says(void **state)
{
    static const struct {
        const char *line, *zone, *after, *ticks[6];
    } rows[] = {
        { "* * * * *", "UTC", "2026-01-01T00:00:00Z", { "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z" } },
        { "* * * * *", "UTC", "2026-01-01T00:00:59Z", { "2026-01-01T00:01:00Z" } },
        { "* * * * *", "UTC", "2025-12-31T23:59:59Z", { "2026-01-01T00:00:00Z" } },
        { "*/5 * * * *", "UTC", "2026-01-01T00:56:00Z", { "2026-01-01T01:00:00Z", "2026-01-01T01:05:00Z" } },
        { "0 * * * *", "Asia/Tehran", "2026-01-01T00:00:00Z", { "2026-01-01T00:30:00Z", "2026-01-01T01:30:00Z" } },
        { "30 3 * * *", "Asia/Tehran", "2026-01-01T00:00:00Z", { "2026-01-02T00:00:00Z" } },
        { "0 0 1 1 *", "UTC", "2026-01-01T00:00:00Z", { "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z" } },
        { "59 23 31 12 *", "UTC", "2026-01-01T00:00:00Z", { "2026-12-31T23:59:00Z" } },
        { "0 0 31 * *",
          "UTC",
          "2026-01-31T00:00:00Z",
          { "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z", "2026-08-31T00:00:00Z" } },
        { "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", { "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z" } },
        { "0 0 29 2 *", "UTC", "2095-01-01T00:00:00Z", { "2096-02-29T00:00:00Z", "never" } },
        { "0 0 29 2 *", "UTC", "2099-03-01T00:00:00Z", { "2104-02-29T00:00:00Z" } },
        { "0 12 * * 1-5", "UTC", "2026-11-20T12:00:00Z", { "2026-11-23T12:00:00Z", "2026-11-24T12:00:00Z" } },
        { "0 0 * * 7", "UTC", "2026-11-21T00:00:00Z", { "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z" } },
        /* both day fields: either; a star at the front of one: both */
        { "0 0 13 * 5",
          "UTC",
          "2026-11-01T00:00:00Z",
          { "2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z",
            "2026-12-04T00:00:00Z" } },
        { "0 0 1,15 * 1",
          "UTC",
          "2026-12-01T00:00:00Z",
          { "2026-12-07T00:00:00Z", "2026-12-14T00:00:00Z", "2026-12-15T00:00:00Z" } },
        { "0 0 */2 * 1", "UTC", "2026-11-01T00:00:00Z", { "2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z" } },
        { "0 0 30 2 1", "UTC", "2026-01-31T00:00:00Z", { "2026-02-02T00:00:00Z" } },
        { "@weekly", "UTC", "2026-11-21T10:00:00Z", { "2026-11-22T00:00:00Z" } },
        { "@monthly", "UTC", "2026-11-21T10:00:00Z", { "2026-12-01T00:00:00Z" } },
        { "30 2,3 5 nov *", "UTC", "2026-11-05T02:30:00Z", { "2026-11-05T03:30:00Z", "2027-11-05T02:30:00Z" } },
        /* Berlin: 02:00 becomes 03:00 on 29 March 2026, 03:00 becomes 02:00 on 25 October */
        { "30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", { "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z" } },
        { "15,30,45 2 * * *",
          "Europe/Berlin",
          "2026-03-28T02:00:00Z",
          { "2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z" } },
        { "0,30 2,3 * * *",
          "Europe/Berlin",
          "2026-03-28T03:00:00Z",
          { "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z" } },
        { "30 2 29 3 *", "Europe/Berlin", "2026-01-01T00:00:00Z", { "2026-03-29T01:00:00Z", "2027-03-29T00:30:00Z" } },
        { "30 2 * * *", "Europe/Berlin", "2026-03-29T00:59:59Z", { "2026-03-29T01:00:00Z" } },
        { "30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", { "2026-03-30T00:30:00Z" } },
        { "30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", { "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z" } },
        { "30 */2 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", { "2026-03-28T23:30:00Z", "2026-03-29T02:30:00Z" } },
        { "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", { "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z" } },
        { "0,30 2 * * *",
          "Europe/Berlin",
          "2026-10-24T12:00:00Z",
          { "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z" } },
        { "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", { "2026-10-26T01:30:00Z" } },
        { "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", { "2026-10-26T01:30:00Z" } },
        { "30 * * * *",
          "Europe/Berlin",
          "2026-10-25T00:00:00Z",
          { "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z" } },
        { "0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", { "2026-10-25T02:00:00Z" } },
        { "0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", { "2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z" } },
        /* far behind the table of the file: the rule */
        { "30 2 * * *", "Europe/Berlin", "2090-03-25T12:00:00Z", { "2090-03-26T01:00:00Z", "2090-03-27T00:30:00Z" } },
        /* New York: 8 March and 1 November 2026 */
        { "15 2 * * *",
          "America/New_York",
          "2026-03-07T12:00:00Z",
          { "2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z" } },
        { "15 1 * * *",
          "America/New_York",
          "2026-10-31T12:00:00Z",
          { "2026-11-01T05:15:00Z", "2026-11-02T06:15:00Z" } },
        { "15 * * * *",
          "America/New_York",
          "2026-11-01T05:00:00Z",
          { "2026-11-01T05:15:00Z", "2026-11-01T06:15:00Z" } },
        /* Lord Howe: half an hour; 02:00 becomes 02:30 on 4 October 2026, 02:00 becomes 01:30 on 5 April */
        { "15 2 * * *",
          "Australia/Lord_Howe",
          "2026-10-03T00:00:00Z",
          { "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z" } },
        { "30 2 * * *",
          "Australia/Lord_Howe",
          "2026-10-03T00:00:00Z",
          { "2026-10-03T15:30:00Z", "2026-10-04T15:30:00Z" } },
        { "45 1 * * *",
          "Australia/Lord_Howe",
          "2026-04-04T00:00:00Z",
          { "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z" } },
        { "*/15 * * * *",
          "Australia/Lord_Howe",
          "2026-04-04T14:40:00Z",
          { "2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:15:00Z", "2026-04-04T15:30:00Z" } },
        /* Tehran: daylight saving until 2022, at midnight */
        { "30 0 * * *", "Asia/Tehran", "2022-03-21T00:00:00Z", { "2022-03-21T20:30:00Z", "2022-03-22T20:00:00Z" } },
        { "30 0 * * *", "Asia/Tehran", "2023-03-21T00:00:00Z", { "2023-03-21T21:00:00Z", "2023-03-22T21:00:00Z" } },
        /* Samoa left out 30 December 2011 */
        { "0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", { "2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z" } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zone *zone = open_zone(rows[i].zone);
        struct cron c = parse(rows[i].line);
        int64_t t = at(rows[i].after);

        for (size_t n = 0; n < ARRAY_LEN(rows[i].ticks) && rows[i].ticks[n]; n++) {
            int64_t expected = strcmp(rows[i].ticks[n], "never") == 0 ? -1 : at(rows[i].ticks[n]);
            char said[CLOCK_RFC3339_SIZE];

            t = cron_next(&c, zone, t);
            clock_rfc3339(t * 1000, said);
            if (t != expected)
                fail_msg("%s in %s after %s: tick %zu is %s instead of %s", rows[i].line, rows[i].zone, rows[i].after,
                         n + 1, said, rows[i].ticks[n]);
        }
        zone_free(zone);
    }
}

/* --- against the plain definition, minute by minute --- */

static bool matches(const struct cron *c, int64_t wall)
{
    struct civil date = civil_of(civil_day_of(wall));
    int second = (int)(wall - civil_day_of(wall) * DAY_S);
    bool by_day = c->days >> date.day & 1, by_weekday = c->weekdays >> civil_weekday(civil_day_of(wall)) & 1;

    return (c->minutes >> (second / 60 % 60) & 1) && (c->hours >> (second / 3600) & 1) &&
           (c->months >> date.month & 1) &&
           (c->any_day || c->any_weekday ? by_day && by_weekday : by_day || by_weekday);
}

/* Does the line come at this minute? *high: the highest reading of the wall clock before it. */
static bool comes(const struct cron *c, int64_t wall, int64_t *high)
{
    bool yes = false;

    if (c->every_hour)
        return matches(c, wall);
    for (int64_t w = *high + 60; w <= wall; w += 60)
        yes = yes || matches(c, w);
    *high = wall > *high ? wall : *high;
    return yes;
}

static void compare(const char *line, const struct zone *zone, const char *name, int64_t from, int64_t to)
{
    struct cron c = parse(line);
    int64_t next = cron_next(&c, zone, from - 1), start = from - 3 * DAY_S,
            high = start + zone_offset_s(zone, start) - 60;

    for (int64_t t = start; t < to; t += 60) {
        if (!comes(&c, t + zone_offset_s(zone, t), &high) || t < from)
            continue;
        if (next != t)
            fail_msg("%s in %s: %lld instead of %lld", line, name, (long long)next, (long long)t);
        next = cron_next(&c, zone, t);
    }
    assert_true(next == -1 || next >= to);
}

static void every_minute_around_changes_agrees_with_the_definition(void **state)
{
    static const char *const zones[] = { "Europe/Berlin",     "America/New_York", "Australia/Lord_Howe",
                                         "Pacific/Chatham",   "America/St_Johns", "Asia/Tehran",
                                         "Africa/Casablanca", "Antarctica/Troll", "Pacific/Apia" };
    static const char *const lines[] = { "* * * * *", "*/7 * * * *",      "30 2 * * *",      "0,20,40 1-3 * * *",
                                         "* 2 * * *", "59 23 * * *",      "*/10 0-23 * * *", "15 */3 * * *",
                                         "5 0 * * 0", "45 1,2 28-31 * 0", "0 0 */2 * 6,0",   "1-59/2 2 * 3,10 *" };

    (void)state;
    for (size_t z = 0; z < ARRAY_LEN(zones); z++) {
        struct zone *zone = open_zone(zones[z]);
        int64_t change = at("2010-06-01T00:00:00Z");

        for (int n = 0; n < 5 && change < at("2040-01-01T00:00:00Z"); n++) {
            change = zone_change_s(zone, change);
            if (change == INT64_MAX)
                break;
            for (size_t l = 0; l < ARRAY_LEN(lines); l++)
                compare(lines[l], zone, zones[z], change - 2 * DAY_S, change + 2 * DAY_S);
        }
        zone_free(zone);
    }
}

/* From any second on the answer is the first tick behind it. */
static void the_answer_does_not_depend_on_where_the_question_stands(void **state)
{
    struct zone *zone = open_zone("Europe/Berlin");
    const char *const lines[] = { "30 2 * * *", "*/20 2 * * *", "30 * * * *" };

    (void)state;
    for (size_t l = 0; l < ARRAY_LEN(lines); l++) {
        struct cron c = parse(lines[l]);
        int64_t ends[] = { at("2026-03-29T04:00:00Z"), at("2026-10-25T04:00:00Z") };

        for (size_t e = 0; e < ARRAY_LEN(ends); e++)
            for (int64_t t = ends[e] - DAY_S, next = cron_next(&c, zone, t); t < ends[e]; t += 13) {
                if (t >= next)
                    next = cron_next(&c, zone, next);
                assert_int_equal(cron_next(&c, zone, t), next);
            }
    }
    zone_free(zone);
}

static void ticks_before_1970_are_found(void **state)
{
    struct zone *zone = open_zone("UTC");
    struct cron c = parse("0 0 * * *");

    (void)state;
    assert_int_equal(cron_next(&c, zone, -DAY_S - 1), -DAY_S);
    assert_int_equal(cron_next(&c, zone, -DAY_S), 0);
    zone_free(zone);
}

static void times_without_end_have_no_tick(void **state)
{
    struct zone *zone = open_zone("Europe/Berlin");
    struct cron c = parse("* * * * *");

    (void)state;
    assert_int_equal(cron_next(&c, zone, INT64_MAX), -1);
    assert_int_equal(cron_next(&c, zone, INT64_MIN), -1);
    assert_true(cron_next(&c, zone, 1LL << 40) > 1LL << 40);
    assert_true(cron_next(&c, zone, -(1LL << 40)) > -(1LL << 40));
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_and_dates_agree_both_ways),
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(stars_are_told_from_full_ranges),
        cmocka_unit_test(wrong_lines_are_refused_by_the_field),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(ticks_come_when_the_line_says),
        cmocka_unit_test(every_minute_around_changes_agrees_with_the_definition),
        cmocka_unit_test(the_answer_does_not_depend_on_where_the_question_stands),
        cmocka_unit_test(ticks_before_1970_are_found),
        cmocka_unit_test(times_without_end_have_no_tick),
    };

    return cmocka_run_group_tests_name("cron", tests, NULL, NULL);
}
