/* test_str.c: the growing buffer and the escapings. */
#include "tests/unit/unit.h"

#include "base/str.h"

#include <limits.h>

static void escapes_to(void (*add)(struct str *, const char *, size_t), const char *in, size_t len, const char *want)
{
    struct str b = STR_INIT;

    add(&b, in, len);
    assert_string_equal(b.s, want);
    assert_int_equal(b.len, strlen(want));
    str_free(&b);
}

#define ESCAPES(add, in, want) escapes_to(add, in, sizeof(in) - 1, want)

static void an_empty_append_gives_an_empty_string(void **state)
{
    struct str b = STR_INIT;

    (void)state;
    str_add(&b, NULL, 0);
    assert_string_equal(b.s, "");
    str_free(&b);
    assert_null(b.s);
    str_reset(&b);
    assert_string_equal(b.s, "");
    str_free(&b);
    str_add_html(&b, NULL, 0);
    assert_string_equal(b.s, "");
    str_free(&b);
}

static void appends_of_all_kinds_follow_each_other(void **state)
{
    struct str b = STR_INIT;

    (void)state;
    str_add(&b, "a\0b", 3);
    str_addc(&b, 'c');
    str_adds(&b, "def");
    str_addf(&b, "%d-%s", 7, "g");
    str_add_span(&b, SPAN("!"));
    assert_int_equal(b.len, 11);
    assert_memory_equal(b.s, "a\0bcdef7-g!", 12);
    str_free(&b);
}

static void the_buffer_grows_and_stays_terminated(void **state)
{
    struct str b = STR_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < 5000; i++) {
        str_addc(&b, (char)('a' + i % 26));
        assert_int_equal(b.s[b.len], '\0');
    }
    assert_int_equal(b.len, 5000);
    for (i = 0; i < 5000; i++)
        assert_int_equal(b.s[i], 'a' + i % 26);
    str_free(&b);
}

static void formatted_text_longer_than_the_room_is_whole(void **state)
{
    struct str b = STR_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < 300; i++) {
        str_reset(&b);
        str_addf(&b, "%*d", (int)i + 1, 1);
        assert_int_equal(b.len, i + 1);
        assert_int_equal(b.s[i], '1');
        str_free(&b);
    }
}

static void a_reset_keeps_the_memory(void **state)
{
    struct str b = STR_INIT;
    char *memory;

    (void)state;
    str_adds(&b, "something");
    memory = b.s;
    str_reset(&b);
    assert_ptr_equal(b.s, memory);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.s, "");
    str_free(&b);
}

static void taking_hands_the_memory_over(void **state)
{
    struct str b = STR_INIT;
    size_t len = 9;
    char *s;

    (void)state;
    s = str_take(&b, &len);
    assert_string_equal(s, "");
    assert_int_equal(len, 0);
    free(s);
    str_adds(&b, "xyz");
    s = str_take(&b, NULL);
    assert_string_equal(s, "xyz");
    assert_null(b.s);
    assert_int_equal(b.cap, 0);
    free(s);
}

static void integers_of_every_size_are_decimal(void **state)
{
    static const long long numbers[] = { 0, 7, -7, 10, 1234567890, LLONG_MAX, LLONG_MIN };
    struct str b = STR_INIT;
    char want[32];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(numbers); i++) {
        str_reset(&b);
        str_add_int(&b, numbers[i]);
        snprintf(want, sizeof(want), "%lld", numbers[i]);
        assert_string_equal(b.s, want);
    }
    str_free(&b);
}

static void html_cannot_leave_text_or_attribute(void **state)
{
    (void)state;
    ESCAPES(str_add_html, "plain \xd9\xbe", "plain \xd9\xbe");
    ESCAPES(str_add_html, "<a b=\"c\" d='e'>&", "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
}

static void json_strings_are_always_json(void **state)
{
    (void)state;
    ESCAPES(str_add_json, "", "\"\"");
    ESCAPES(str_add_json, "a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    ESCAPES(str_add_json, "\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    ESCAPES(str_add_json, "a\0b", "\"a\xef\xbf\xbd" "b\"");
    ESCAPES(str_add_json, "\xd9\xbe\xf0\x9f\x98\x80", "\"\xd9\xbe\xf0\x9f\x98\x80\"");
}

static void invalid_utf8_becomes_the_replacement_character_in_json(void **state)
{
    (void)state;
    ESCAPES(str_add_json, "a\xff"
                          "b", "\"a\xef\xbf\xbd"
                               "b\"");
    ESCAPES(str_add_json, "\xd9", "\"\xef\xbf\xbd\"");
    ESCAPES(str_add_json, "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    ESCAPES(str_add_json, "\xed\xa0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\\"\"");
}

static void urls_keep_only_unreserved_bytes(void **state)
{
    (void)state;
    ESCAPES(str_add_url, "azAZ09-._~", "azAZ09-._~");
    ESCAPES(str_add_url, " /?&=%+\n", "%20%2F%3F%26%3D%25%2B%0A");
    ESCAPES(str_add_url, "\xd9\xbe\0", "%D9%BE%00");
}

static void log_text_has_no_control_bytes_and_no_quotes(void **state)
{
    (void)state;
    ESCAPES(str_add_log, "a b=\xd9\xbe", "a b=\xd9\xbe");
    ESCAPES(str_add_log, "x\n\x1b[31m\"\\\x7f", "x\\x0a\\x1b[31m\\x22\\x5c\\x7f");
    ESCAPES(str_add_log, "\xff\xd9", "\\xff\\xd9");
    ESCAPES(str_add_log, "\xc2\x9b" "2J\xc2\xa0", "\\xc2\\x9b2J\xc2\xa0");
}

static void spans_compare_by_bytes_and_know_absence(void **state)
{
    struct span absent = { NULL, 0 };

    (void)state;
    assert_true(span_is(SPAN("abc"), "abc"));
    assert_false(span_is(SPAN("abc"), "ab"));
    assert_false(span_is(absent, ""));
    assert_true(span_eq(SPAN("a\0b"), SPAN("a\0b")));
    assert_false(span_eq(SPAN("a\0b"), SPAN("a\0c")));
    assert_null(span_of(NULL).s);
}

static void control_bytes_are_told_from_all_others(void **state)
{
    (void)state;
    assert_false(span_has_control((struct span){ NULL, 0 }));
    assert_false(span_has_control(SPAN("a ~\xc3\xa9\xd9\xbe")));
    for (unsigned c = 0; c < 256; c++)
        assert_int_equal(span_has_control((struct span){ &(char){ (char)c }, 1 }), c < 0x20 || c == 0x7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_append_gives_an_empty_string),
        cmocka_unit_test(appends_of_all_kinds_follow_each_other),
        cmocka_unit_test(the_buffer_grows_and_stays_terminated),
        cmocka_unit_test(formatted_text_longer_than_the_room_is_whole),
        cmocka_unit_test(a_reset_keeps_the_memory),
        cmocka_unit_test(taking_hands_the_memory_over),
        cmocka_unit_test(integers_of_every_size_are_decimal),
        cmocka_unit_test(html_cannot_leave_text_or_attribute),
        cmocka_unit_test(json_strings_are_always_json),
        cmocka_unit_test(invalid_utf8_becomes_the_replacement_character_in_json),
        cmocka_unit_test(urls_keep_only_unreserved_bytes),
        cmocka_unit_test(log_text_has_no_control_bytes_and_no_quotes),
        cmocka_unit_test(control_bytes_are_told_from_all_others),
        cmocka_unit_test(spans_compare_by_bytes_and_know_absence),
    };

    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
