/* test_locale.c: texts, numbers, dates by language, and the catalogues that ship. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/calendar.h"
#include "core/locale.h"
#include "core/rules.h"
#include "tests/unit/files.h"

/* A small language: what every one needs, and one text. */
#define LANGUAGE(code, direction, more)                                                                                    \
    "{\"locale\":{\"code\":\"" code "\",\"name\":\"" code "\",\"direction\":\"" direction "\",\"digits\":\"latin\","       \
    "\"calendar\":\"gregorian\",\"time_zone\":\"+00:00\"},\"number\":{\"group\":\",\",\"decimal\":\".\",\"minus\":\"-\"}," \
    "\"duration\":{\"moment\":\"m\",\"seconds\":\"{n} s\",\"minute\":\"min\",\"minutes\":\"{n} min\",\"hour\":\"h\","      \
    "\"hours\":\"{n} h\",\"day\":\"d\",\"days\":\"{n} d\"},\"date\":{\"day\":\"{day} {month} {year}\","                    \
    "\"day_time\":\"{day} {month} {year} {time}\",\"month\":{\"1\":\"a\",\"2\":\"b\",\"3\":\"c\",\"4\":\"d\",\"5\":\"e\"," \
    "\"6\":\"f\",\"7\":\"g\",\"8\":\"h\",\"9\":\"i\",\"10\":\"j\",\"11\":\"k\",\"12\":\"l\"}}" more "}"

static struct locales *all;
static const struct locale *fa, *en;

static int load_shipped(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    if (locales_load(files_source("www/locales"), "fa", &all, &err) < 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    fa = locales_find(all, SPAN("fa"));
    en = locales_find(all, SPAN("en"));
    return fa && en ? 0 : -1;
}

static int free_shipped(void **state)
{
    (void)state;
    locales_free(all);
    return 0;
}

/* The text that one call appended; valid until the next. */
static struct str out;
static const char *said(void)
{
    static char text[512];

    snprintf(text, sizeof(text), "%s", out.s ? out.s : "");
    str_free(&out);
    return text;
}

static const char *message(const struct locale *l, const char *stored)
{
    locale_add_message(l, &out, span_of(stored));
    return said();
}

static void a_key_is_its_path(void **state)
{
    (void)state;
    assert_string_equal(locale_text(en, "status.completed"), "Done");
    assert_string_equal(locale_find(en, SPAN("locale.code")), "en");
    assert_null(locale_find(en, SPAN("status")));
    assert_null(locale_find(en, SPAN("status.nothing")));
    assert_null(locale_find(en, SPAN("")));
}

static void a_missing_text_shows_its_key(void **state)
{
    (void)state;
    assert_string_equal(locale_text(en, "no.such_key"), "no.such_key");
    locale_add(fa, &out, "no.such_key", NULL);
    assert_string_equal(said(), "no.such_key");
}

static void placeholders_are_filled(void **state)
{
    (void)state;
    locale_add(en, &out, "validation.between", LOCALE_PARAMS("field", "Name", "min", "2", "max", "9"));
    assert_string_equal(said(), "Name must have 2 to 9 characters.");
    locale_add(en, &out, "validation.between", LOCALE_PARAMS("field", "{max}", "max", "9"));
    assert_string_equal(said(), "{max} must have {min} to 9 characters.");
}

static void a_stored_message_is_a_key_or_a_text(void **state)
{
    (void)state;
    assert_string_equal(message(en, "messages.queued"), locale_text(en, "messages.queued"));
    assert_string_equal(message(fa, "errors.poison"), locale_text(fa, "errors.poison"));
    assert_string_equal(message(en, "حل کپچا..."), "حل کپچا...");
    assert_string_equal(message(en, "messages.unknown_one"), "messages.unknown_one");
    assert_string_equal(message(en, "status.completed"), "status.completed");
    assert_string_equal(message(en, "messages.queued indeed"), "messages.queued indeed");
    assert_string_equal(message(en, "messages.queued [1]"), "messages.queued [1]");
    assert_string_equal(message(en, ""), "");
}

static void a_stored_message_carries_parameters(void **state)
{
    struct locales *two = NULL;
    struct err err = ERR_INIT;

    (void)state;
    files_put("en.json", LANGUAGE("en", "ltr", ",\"messages\":{\"wait\":\"{who}: {n} of {max} {more}\"}"));
    assert_int_equal(locales_load(files_dir(), "en", &two, &err), 0);
    assert_string_equal(message(locales_default(two),
                                "messages.wait {\"who\":\"\\u0633\\\"\",\"n\":1234,\"max\":-2.5}"),
                        "س\": 1,234 of -2.5 {more}");
    locales_free(two);
}

static void numbers_have_the_languages_digits_and_groups(void **state)
{
    static const struct {
        int64_t n;
        const char *fa, *en;
    } rows[] = { { 0, "۰", "0" },
                 { 999, "۹۹۹", "999" },
                 { 1000, "۱٬۰۰۰", "1,000" },
                 { 12345, "۱۲٬۳۴۵", "12,345" },
                 { -1234567, "\u200e−۱٬۲۳۴٬۵۶۷", "-1,234,567" },
                 { INT64_MIN, "\u200e−۹٬۲۲۳٬۳۷۲٬۰۳۶٬۸۵۴٬۷۷۵٬۸۰۸", "-9,223,372,036,854,775,808" } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        locale_add_number(fa, &out, rows[i].n);
        assert_string_equal(said(), rows[i].fa);
        locale_add_number(en, &out, rows[i].n);
        assert_string_equal(said(), rows[i].en);
    }
}

static void decimals_have_the_languages_sign(void **state)
{
    (void)state;
    locale_add_decimal(fa, &out, SPAN("1234.50"));
    assert_string_equal(said(), "۱٬۲۳۴٫۵۰");
    locale_add_decimal(en, &out, SPAN("0.97"));
    assert_string_equal(said(), "0.97");
    locale_add_decimal(fa, &out, SPAN("1e3"));
    assert_string_equal(said(), "۱e۳");
    locale_add_decimal(fa, &out, SPAN("1."));
    assert_string_equal(said(), "۱.");
    locale_add_decimal(fa, &out, SPAN(""));
    assert_string_equal(said(), "");
}

static void only_digits_change_in_a_text(void **state)
{
    (void)state;
    locale_add_digits(fa, &out, SPAN("A-12"));
    assert_string_equal(said(), "A-۱۲");
    locale_add_digits(en, &out, SPAN("A-12"));
    assert_string_equal(said(), "A-12");
}

static void durations_are_told_roughly(void **state)
{
    static const struct {
        int64_t s;
        const char *text;
    } rows[] = {
        { -5, "a few seconds" },   { 0, "a few seconds" },       { 4, "a few seconds" },    { 5, "about 5 seconds" },
        { 12, "about 10 seconds" }, { 57, "about 55 seconds" },  { 58, "about a minute" },  { 89, "about a minute" },
        { 90, "about 2 minutes" },  { 3569, "about 59 minutes" }, { 3570, "about an hour" }, { 5400, "about 2 hours" },
        { 84600, "about a day" },   { 129600, "about 2 days" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        locale_add_duration(en, &out, rows[i].s);
        assert_string_equal(said(), rows[i].text);
    }
    locale_add_duration(fa, &out, 120);
    assert_string_equal(said(), "حدود ۲ دقیقه");
}

static void dates_follow_calendar_and_time_zone(void **state)
{
    int64_t ms = clock_parse_rfc3339(SPAN("2025-03-20T20:31:00Z"));

    (void)state;
    locale_add_date(en, &out, ms, true);
    assert_string_equal(said(), "20 March 2025, 20:31 UTC");
    locale_add_date(fa, &out, ms, true);
    assert_string_equal(said(), "۱ فروردین ۱۴۰۴، ساعت ۰۰:۰۱");
    locale_add_date(fa, &out, ms - 120000, false);
    assert_string_equal(said(), "۳۰ اسفند ۱۴۰۳");
    locale_add_date(en, &out, -1, true);
    assert_string_equal(said(), "31 December 1969, 23:59 UTC");
}

static void jalali_new_years_are_where_the_almanac_has_them(void **state)
{
    /* First days of Farvardin; the calendar became law in 1304. */
    static const struct calendar_date days[] = { { 1925, 3, 21 }, { 1979, 3, 21 }, { 1996, 3, 20 }, { 2000, 3, 20 },
                                                 { 2017, 3, 21 }, { 2021, 3, 21 }, { 2024, 3, 20 }, { 2025, 3, 21 },
                                                 { 2026, 3, 21 }, { 2029, 3, 20 }, { 2030, 3, 21 } };
    static const int64_t years[] = { 1304, 1358, 1375, 1379, 1396, 1400, 1403, 1404, 1405, 1408, 1409 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        struct calendar_date date = calendar_jalali(calendar_day(days[i]));

        assert_int_equal(date.year, years[i]);
        assert_int_equal(date.month, 1);
        assert_int_equal(date.day, 1);
    }
}

static void every_day_follows_the_day_before_in_both_calendars(void **state)
{
    struct calendar_date was[2] = { calendar_gregorian(-30001), calendar_jalali(-30001) }, is[2];

    (void)state;
    for (int64_t day = -30000; day < 60000; day++) {
        is[0] = calendar_gregorian(day);
        is[1] = calendar_jalali(day);
        assert_int_equal(calendar_day(is[0]), day);
        for (int i = 0; i < 2; i++) {
            if (is[i].day == 1 && is[i].month == 1)
                assert_true(is[i].year == was[i].year + 1 && was[i].month == 12 && was[i].day >= 29);
            else if (is[i].day == 1)
                assert_true(is[i].year == was[i].year && is[i].month == was[i].month + 1 && was[i].day >= 28);
            else
                assert_true(is[i].year == was[i].year && is[i].month == was[i].month && is[i].day == was[i].day + 1);
            was[i] = is[i];
        }
    }
}

static void the_best_language_is_accepted(void **state)
{
    static const struct {
        const char *header, *code;
    } rows[] = { { "en", "en" },
                 { "en-GB,en;q=0.8", "en" },
                 { "EN-us", "en" },
                 { "de, en;q=0.5, fa;q=0.9", "fa" },
                 { "fa;q=0.2,en;q=0.3", "en" },
                 { "en;q=0, de", "fa" },
                 { "*", "fa" },
                 { "*;q=0.1, en;q=0.2", "en" },
                 { "english", "fa" },
                 { "", "fa" },
                 { " , ;q=1,, en ; q=0.7 ", "en" },
                 { "en;q=2", "fa" },
                 { "en;q=0.1234", "fa" },
                 { "en;level=1;q=0.4", "en" } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(locale_code(locales_accept(all, span_of(rows[i].header))), rows[i].code);
    assert_string_equal(locale_code(locales_accept(all, (struct span){ NULL, 0 })), "fa");
}

static void languages_are_listed_by_code(void **state)
{
    (void)state;
    assert_int_equal(locales_count(all), 2);
    assert_string_equal(locale_code(locales_at(all, 0)), "en");
    assert_true(locale_is_rtl(fa));
    assert_false(locale_is_rtl(en));
    assert_string_equal(locale_name(fa), "فارسی");
    assert_ptr_equal(locales_default(all), fa);
    assert_null(locales_find(all, SPAN("de")));
}

static void the_catalogue_is_there_as_json(void **state)
{
    size_t len;
    const char *text = locale_catalogue(fa, &len);
    struct json_object *root = json_tokener_parse(text), *status, *done;

    (void)state;
    assert_int_equal(strlen(text), len);
    assert_true(json_object_object_get_ex(root, "status", &status));
    assert_true(json_object_object_get_ex(status, "completed", &done));
    assert_string_equal(json_object_get_string(done), locale_text(fa, "status.completed"));
    json_object_put(root);
}

static void every_rule_has_its_sentence(void **state)
{
    char key[80];

    (void)state;
    for (size_t i = 0; rules_name(i); i++) {
        snprintf(key, sizeof(key), "validation.%s", rules_name(i));
        assert_non_null(locale_find(fa, span_of(key)));
    }
}

/* Count {names} of one text that the other lacks. */
static int lacking(const char *a, const char *b)
{
    char name[64];
    int lack = 0;

    for (const char *p = a; (p = strchr(p, '{')); p++) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, "}") + 1, p);
        lack += !strstr(b, name);
    }
    return lack;
}

static void compare_texts(struct json_object *a, struct json_object *b, const char *path)
{
    struct json_object_iterator i = json_object_iter_begin(a), end = json_object_iter_end(a);
    struct json_object *value, *other;
    char below[256];

    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        value = json_object_iter_peek_value(&i);
        other = json_object_object_get(b, json_object_iter_peek_name(&i));
        snprintf(below, sizeof(below), "%s.%s", path, json_object_iter_peek_name(&i));
        if (json_object_is_type(value, json_type_object)) {
            compare_texts(value, other, below);
        } else if (lacking(json_object_get_string(value), json_object_get_string(other)) ||
                   lacking(json_object_get_string(other), json_object_get_string(value))) {
            fail_msg("%s has different placeholders", below);
        }
    }
}

static void both_languages_have_the_same_placeholders(void **state)
{
    size_t len;
    struct json_object *a = json_tokener_parse(locale_catalogue(fa, &len));
    struct json_object *b = json_tokener_parse(locale_catalogue(en, &len));

    (void)state;
    compare_texts(a, b, "");
    json_object_put(a);
    json_object_put(b);
}

/* Load files_dir() with `fallback`; it must fail with a sentence that holds `part`. */
static void assert_refused(const char *fallback, const char *part)
{
    struct err err = ERR_INIT;
    struct locales *l = NULL;

    assert_int_equal(locales_load(files_dir(), fallback, &l, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void a_key_that_one_language_lacks_is_an_error(void **state)
{
    (void)state;
    files_put("aa.json", LANGUAGE("aa", "ltr", ",\"x\":{\"y\":\"1\"}"));
    files_put("bb.json", LANGUAGE("bb", "rtl", ""));
    assert_refused("aa", "bb.json: x.y: is missing; aa.json has it.");
    files_put("bb.json", LANGUAGE("bb", "rtl", ",\"x\":{\"y\":\"1\",\"z\":\"2\"}"));
    assert_refused("aa", "aa.json: x.z: is missing; bb.json has it.");
}

static void an_unknown_default_names_what_there_is(void **state)
{
    (void)state;
    files_put("aa.json", LANGUAGE("aa", "ltr", ""));
    assert_refused("fa", "PEYGIR_LOCALE is \"fa\"");
    assert_refused("fa", "it has: aa.");
}

static void a_wrong_catalogue_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *part;
    } rows[] = { { "[]", "aa.json: must be an object of texts." },
                 { "{", "aa.json: " },
                 { "{\"a\":{\"b\":1}}", "aa.json: a.b: must be a text" },
                 { "{\"a\":{\"B\":\"1\"}}", "a.B: a name holds only" },
                 { "{\"a\":\"1\"}", "locale.code: is missing" },
                 { LANGUAGE("bb", "ltr", ""), "locale.code: is \"bb\"" },
                 { LANGUAGE("aa", "up", ""), "locale.direction: is \"up\"; it must be ltr or rtl." } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        files_put("aa.json", rows[i].text);
        assert_refused("aa", rows[i].part);
    }
}

static void a_directory_that_is_not_there_is_named(void **state)
{
    struct err err = ERR_INIT;
    struct locales *l = NULL;

    (void)state;
    assert_int_equal(locales_load("/nonexistent/locales", "fa", &l, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent/locales"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_its_path),
        cmocka_unit_test(a_missing_text_shows_its_key),
        cmocka_unit_test(placeholders_are_filled),
        cmocka_unit_test(a_stored_message_is_a_key_or_a_text),
        cmocka_unit_test_setup_teardown(a_stored_message_carries_parameters, files_setup, files_teardown),
        cmocka_unit_test(numbers_have_the_languages_digits_and_groups),
        cmocka_unit_test(decimals_have_the_languages_sign),
        cmocka_unit_test(only_digits_change_in_a_text),
        cmocka_unit_test(durations_are_told_roughly),
        cmocka_unit_test(dates_follow_calendar_and_time_zone),
        cmocka_unit_test(jalali_new_years_are_where_the_almanac_has_them),
        cmocka_unit_test(every_day_follows_the_day_before_in_both_calendars),
        cmocka_unit_test(the_best_language_is_accepted),
        cmocka_unit_test(languages_are_listed_by_code),
        cmocka_unit_test(the_catalogue_is_there_as_json),
        cmocka_unit_test(every_rule_has_its_sentence),
        cmocka_unit_test(both_languages_have_the_same_placeholders),
        cmocka_unit_test_setup_teardown(a_key_that_one_language_lacks_is_an_error, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(an_unknown_default_names_what_there_is, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(a_wrong_catalogue_is_refused_with_its_place, files_setup, files_teardown),
        cmocka_unit_test(a_directory_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests_name("locale", tests, load_shipped, free_shipped);
}
