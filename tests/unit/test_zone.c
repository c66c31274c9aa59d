/* test_zone.c: time zones of the system, against the C library's reading of them, and files that are none. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/cron.h"

#define YEAR_S (365LL * 86400)

static const char *const real_zones[] = {
    "UTC",
    "Asia/Tehran",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Lisbon",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Nuuk",
    "America/Havana",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Africa/Monrovia",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Antarctica/Troll",
    "Etc/GMT+12",
    "EST5EDT",
};

static struct zone *open_zone(const char *name)
{
    struct err err = ERR_INIT;
    struct zone *zone = zone_open(name, &err);

    if (!zone)
        fail_msg("%s", err.text);
    return zone;
}

static int64_t at(const char *text)
{
    int64_t ms = clock_parse_rfc3339(span_of(text));

    if (ms == -1)
        fail_msg("%s is no time", text);
    return ms / 1000;
}

static long offset_of_libc(int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm;

    assert_non_null(localtime_r(&t, &tm));
    return tm.tm_gmtoff;
}

/* From 1900 to 2200 in steps that meet every hour of the day and every day of the year. */
static void every_zone_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(real_zones); i++) {
        struct zone *zone = open_zone(real_zones[i]);

        setenv("TZ", real_zones[i], 1);
        tzset();
        for (int64_t t = -70 * YEAR_S; t < 230 * YEAR_S; t += 181 * 3600 + 7)
            if (zone_offset_s(zone, t) != offset_of_libc(t))
                fail_msg("%s at %lld: %d, the C library says %ld", real_zones[i], (long long)t, zone_offset_s(zone, t),
                         offset_of_libc(t));
        zone_free(zone);
    }
    unsetenv("TZ");
    tzset();
}

/* Between two changes the offset stays, and at a change that is one the C library agrees on both sides. */
static void changes_are_where_the_offset_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(real_zones); i++) {
        struct zone *zone = open_zone(real_zones[i]);
        int64_t end = at("2060-01-01T00:00:00Z"), next;

        setenv("TZ", real_zones[i], 1);
        tzset();
        for (int64_t t = -20 * YEAR_S; t < end; t = next) {
            next = zone_change_s(zone, t);
            assert_true(next > t);
            if (next == INT64_MAX)
                break;
            assert_int_equal(zone_offset_s(zone, next - 1), zone_offset_s(zone, t));
            assert_int_equal(zone_offset_s(zone, next - 1), offset_of_libc(next - 1));
            assert_int_equal(zone_offset_s(zone, next), offset_of_libc(next));
        }
        zone_free(zone);
    }
    unsetenv("TZ");
    tzset();
}

static void known_offsets(void **state)
{
    static const struct {
        const char *zone, *at;
        int32_t offset_s;
    } rows[] = {
        { "UTC", "2026-07-01T00:00:00Z", 0 },
        { "Asia/Tehran", "2022-07-01T00:00:00Z", 16200 },
        { "Asia/Tehran", "2023-07-01T00:00:00Z", 12600 },
        { "Asia/Tehran", "2090-07-01T00:00:00Z", 12600 },
        { "Europe/Berlin", "2026-03-29T00:59:59Z", 3600 },
        { "Europe/Berlin", "2026-03-29T01:00:00Z", 7200 },
        { "Europe/Berlin", "2026-10-25T00:59:59Z", 7200 },
        { "Europe/Berlin", "2026-10-25T01:00:00Z", 3600 },
        { "Europe/Berlin", "2150-07-01T00:00:00Z", 7200 },
        { "America/New_York", "2026-03-08T06:59:59Z", -18000 },
        { "America/New_York", "2026-03-08T07:00:00Z", -14400 },
        { "America/New_York", "2099-12-01T00:00:00Z", -18000 },
        { "Australia/Lord_Howe", "2026-01-01T00:00:00Z", 39600 },
        { "Australia/Lord_Howe", "2026-07-01T00:00:00Z", 37800 },
        { "Asia/Kathmandu", "2026-01-01T00:00:00Z", 20700 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zone *zone = open_zone(rows[i].zone);

        assert_int_equal(zone_offset_s(zone, at(rows[i].at)), rows[i].offset_s);
        zone_free(zone);
    }
}

static void times_without_end_have_an_offset_too(void **state)
{
    static const int64_t times[] = { INT64_MIN,       INT64_MIN + 1, -(1LL << 50) - 1,
                                     (1LL << 50) + 1, INT64_MAX - 1, INT64_MAX };
    struct zone *zone = open_zone("Europe/Berlin");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int32_t offset = zone_offset_s(zone, times[i]);

        assert_true(offset > 0 && offset <= 7200);
        assert_true(zone_change_s(zone, times[i]) > times[i] || times[i] == INT64_MAX);
    }
    zone_free(zone);
}

static void names_that_are_none_are_refused(void **state)
{
    static const char *const names[] = { "",
                                         "/etc/passwd",
                                         "../../../etc/passwd",
                                         "Asia/../UTC",
                                         "Asia",
                                         "Asia/",
                                         "Asia/Teheran",
                                         "zone.tab",
                                         "leapseconds",
                                         "Asia/Tehran ",
                                         "posix\nx",
                                         "right/UTC",
                                         "tzdata.zi",
                                         "Europe//../x",
                                         "AsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaAsiaX" };
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        err = (struct err)ERR_INIT;
        if (zone_open(names[i], &err))
            fail_msg("\"%s\" was opened", names[i]);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.text, "time zone \""));
    }
}

/* --- files --- */

static void add_number(struct str *b, uint64_t n, size_t bytes)
{
    while (bytes--)
        str_addc(b, (char)(n >> 8 * bytes));
}

static void add_header(struct str *b, char version, uint32_t leaps, uint32_t times, uint32_t types)
{
    static const char reserved[15];
    const uint32_t counts[] = { 0, 0, leaps, times, types, 4 };

    str_adds(b, "TZif");
    str_addc(b, version);
    str_add(b, reserved, sizeof(reserved));
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        add_number(b, counts[i], 4);
}

static void add_type(struct str *b, int32_t offset_s)
{
    add_number(b, (uint32_t)offset_s, 4);
    add_number(b, 0, 2);
}

/* A file of version 2 with one offset and no table. */
static struct str file_with(int32_t offset_s, const char *footer)
{
    struct str b = STR_INIT;

    add_header(&b, '2', 0, 0, 0);
    str_add(&b, "ABC", 4);
    add_header(&b, '2', 0, 0, 1);
    add_type(&b, offset_s);
    str_add(&b, "ABC", 4);
    str_addf(&b, "\n%s\n", footer);
    return b;
}

static struct zone *read_str(struct str *b, struct err *err)
{
    char *exact = xmemdupz(b->s, b->len); /* so that a reader that goes too far is caught */
    struct zone *zone = zone_read("test", (struct span){ exact, b->len }, err);

    free(exact);
    return zone;
}

static void rules_for_the_future_are_those_of_posix(void **state)
{
    static const struct {
        const char *rule, *at;
        int32_t offset_s;
    } rows[] = {
        { "", "2030-01-01T00:00:00Z", 1234 },
        { "UTC0", "2030-01-01T00:00:00Z", 0 },
        { "<+0330>-3:30", "2030-01-01T00:00:00Z", 12600 },
        { "<-0330>+3:30:15", "2030-01-01T00:00:00Z", -12615 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2030-03-31T00:59:59Z", 3600 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2030-03-31T01:00:00Z", 7200 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2030-10-27T00:59:59Z", 7200 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2030-10-27T01:00:00Z", 3600 },
        { "AAA-10BBB-12,M10.1.0,M4.1.0", "2030-01-01T00:00:00Z", 43200 },
        { "AAA-10BBB-12,M10.1.0,M4.1.0", "2030-06-01T00:00:00Z", 36000 },
        { "IST-1GMT0,M10.5.0,M3.5.0/1", "2030-01-01T00:00:00Z", 0 },
        { "IST-1GMT0,M10.5.0,M3.5.0/1", "2030-07-01T00:00:00Z", 3600 },
        { "AAA0BBB,J60/0,J61/0", "2028-03-01T12:00:00Z", 3600 }, /* J60 is 1 March also in a leap year */
        { "AAA0BBB,J60/0,J61/0", "2028-02-29T12:00:00Z", 0 },
        { "AAA0BBB,59/0,60/0", "2028-02-29T12:00:00Z", 3600 },
        { "AAA0BBB,59/0,60/0", "2027-03-01T12:00:00Z", 3600 },
        { "EST3EDT4,0/0,J365/23", "2030-01-01T03:30:00Z", -14400 }, /* summer all the year (RFC 8536, 3.3.1) */
        { "EST3EDT4,0/0,J365/23", "2030-07-01T00:00:00Z", -14400 },
        { "EST3EDT4,0/0,J365/23", "2029-12-31T23:59:59Z", -14400 },
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T00:59:59Z", -7200 }, /* 23:00 of the day before */
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T01:00:00Z", -3600 },
        { "IST-2IDT,M3.4.4/26,M10.5.0", "2030-03-29T00:00:00Z", 10800 }, /* 26:00 of a Thursday */
        { "IST-2IDT,M3.4.4/26,M10.5.0", "2030-03-28T23:59:59Z", 7200 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str b = file_with(1234, rows[i].rule);
        struct err err = ERR_INIT;
        struct zone *zone = read_str(&b, &err);

        if (!zone)
            fail_msg("%s: %s", rows[i].rule, err.text);
        if (zone_offset_s(zone, at(rows[i].at)) != rows[i].offset_s)
            fail_msg("%s at %s: %d instead of %d", rows[i].rule, rows[i].at, zone_offset_s(zone, at(rows[i].at)),
                     rows[i].offset_s);
        zone_free(zone);
        str_free(&b);
    }
}

static void wrong_rules_are_refused(void **state)
{
    static const char *const rules[] = { "X",
                                         "XX1",
                                         "CET",
                                         "CET-1CEST",
                                         "CET-1CEST,M3.5.0",
                                         "CET-1CEST,M13.1.0,M3.5.0",
                                         "CET-25",
                                         "CET-1CEST,M3.6.0,M10.5.0",
                                         "CET-1CEST,M3.5.7,M10.5.0",
                                         "CET-1CEST,J0,J5",
                                         "<+03",
                                         "<>1",
                                         "CET-1CEST,M3.5.0,M10.5.0/168",
                                         "CET-1CEST,M3.5.0,M10.5.0x",
                                         "CET-1CEST,366,1",
                                         "A\nB" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct str b = file_with(0, rules[i]);
        struct err err = ERR_INIT;

        if (read_str(&b, &err))
            fail_msg("\"%s\" was read", rules[i]);
        assert_non_null(strstr(err.text, "rule for the future"));
        str_free(&b);
    }
}

static void a_file_of_version_1_ends_with_its_last_offset(void **state)
{
    struct str b = STR_INIT;
    struct zone *zone;

    (void)state;
    add_header(&b, '\0', 0, 2, 2);
    add_number(&b, (uint32_t)-1000, 4);
    add_number(&b, 1000, 4);
    str_add(&b, "\1\0", 2);
    add_type(&b, 60);
    add_type(&b, 120);
    str_add(&b, "ABC", 4);
    zone = read_str(&b, NULL);
    assert_non_null(zone);
    assert_int_equal(zone_offset_s(zone, -1001), 60);
    assert_int_equal(zone_offset_s(zone, -1000), 120);
    assert_int_equal(zone_offset_s(zone, 999), 120);
    assert_int_equal(zone_offset_s(zone, 1000), 60);
    assert_int_equal(zone_offset_s(zone, 1LL << 40), 60);
    assert_true(zone_change_s(zone, 1000) == INT64_MAX);
    zone_free(zone);
    str_free(&b);
}

struct broken {
    char version;
    uint32_t leaps, times, types;
    const char *body; /* in hex */
    const char *part;
};

static void broken_tables_are_refused(void **state)
{
    static const struct broken rows[] = {
        { '\0', 0, 0, 0, "58585800", "names no offset" },
        { '\0', 0, 1, 1, "00000000" "01" "000000000000" "58585800", "broken table" },
        { '\0', 0, 2, 1, "0000000100000001" "0000" "000000000000" "58585800", "broken table" },
        { '\0', 0, 0, 1, "7fffffff0000" "58585800", "offset of more than a day" },
        { '\0', 1, 0, 1, "000000000000" "58585800" "0000000000000001", "leap seconds" },
        { '\0', 0, 1, 1, "00000000", "ends too early" },
        { '\0', 0, 0xffffffff, 1, "00000000", "is no time zone" },
        { '2', 0, 0, 1, "000000000000" "58585800", "is no time zone" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str b = STR_INIT;
        struct err err = ERR_INIT;

        add_header(&b, rows[i].version, rows[i].leaps, rows[i].times, rows[i].types);
        for (const char *hex = rows[i].body; *hex; hex += 2)
            str_addc(&b, (char)strtol((char[]){ hex[0], hex[1], '\0' }, NULL, 16));
        assert_null(read_str(&b, &err));
        if (!strstr(err.text, rows[i].part))
            fail_msg("row %zu: %s", i, err.text);
        str_free(&b);
    }
}

/* The same every time, so that a failure comes back. */
static uint32_t dice(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void use(struct zone *zone)
{
    struct cron cron;

    cron_parse(&cron, "30 2 * * *", NULL);
    for (int64_t t = -80 * YEAR_S; t < 120 * YEAR_S; t += 23 * YEAR_S) {
        zone_offset_s(zone, t);
        assert_true(zone_change_s(zone, t) > t);
        cron_next(&cron, zone, t);
    }
    zone_free(zone);
}

static struct str read_system_file(const char *name)
{
    char *path = xasprintf("/usr/share/zoneinfo/%s", name);
    FILE *f = fopen(path, "r");
    struct str b = STR_INIT;
    char part[4096];
    size_t n;

    assert_non_null(f);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        str_add(&b, part, n);
    fclose(f);
    free(path);
    return b;
}

static void hostile_files_do_no_harm(void **state)
{
    static const char *const names[] = { "Europe/Berlin", "Asia/Tehran", "Australia/Lord_Howe" };
    uint32_t seed = 7;

    (void)state;
    for (int round = 0; round < 6000; round++) {
        struct str good = read_system_file(names[round % 3]), b = STR_INIT;
        size_t len = round % 5 == 0 ? dice(&seed) % (good.len + 1) : good.len;
        struct zone *zone;

        str_add(&b, good.s, len);
        for (uint32_t flips = dice(&seed) % 8; flips && b.len; flips--) {
            /* Header, middle and end alike. */
            size_t reach = flips % 3 == 0 ? (b.len < 60 ? b.len : 60) : b.len;
            size_t place = flips % 3 == 1 ? b.len - 1 - dice(&seed) % (b.len < 60 ? b.len : 60) : dice(&seed) % reach;

            b.s[place] = (char)dice(&seed);
        }
        zone = b.len ? read_str(&b, NULL) : NULL;
        if (zone)
            use(zone);
        str_free(&b);
        str_free(&good);
    }
}

static void random_bytes_do_no_harm(void **state)
{
    uint32_t seed = 11;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct str b = STR_INIT;
        struct zone *zone;

        add_header(&b, (char)(round % 2 ? '2' : '\0'), dice(&seed) % 2, dice(&seed) % 5, dice(&seed) % 4);
        for (uint32_t n = dice(&seed) % 200; n; n--)
            str_addc(&b, (char)dice(&seed));
        zone = read_str(&b, NULL);
        if (zone)
            use(zone);
        str_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_zone_agrees_with_the_c_library),
        cmocka_unit_test(changes_are_where_the_offset_changes),
        cmocka_unit_test(known_offsets),
        cmocka_unit_test(times_without_end_have_an_offset_too),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(rules_for_the_future_are_those_of_posix),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(a_file_of_version_1_ends_with_its_last_offset),
        cmocka_unit_test(broken_tables_are_refused),
        cmocka_unit_test(hostile_files_do_no_harm),
        cmocka_unit_test(random_bytes_do_no_harm),
    };

    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
