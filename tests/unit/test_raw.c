/* test_raw.c: members found and replaced in the text of an object. */
#include "tests/unit/unit.h"

#include "base/json.h"

static const char document[] = " { \"hash\" : \"req_1\",\"list\":[ ], "
                               "\"nested\": {\"status\":\"no\",\"s\":\"}]\\\"\"} ,\n"
                               "\"status\":\"pending\", \"big\":12345678901234567890123, \"none\": null,\"t\":true } ";

static void get_is(struct span doc, const char *key, const char *want)
{
    struct span value = raw_get(doc, key);

    if (!want)
        assert_null(value.s);
    else if (!span_is(value, want))
        fail_msg("%s: %.*s, not %s", key, (int)value.len, value.s ? value.s : "", want);
}

static void set_gives(const char *doc, const char *key, const char *value, const char *want)
{
    const struct raw_member member = { key, span_of(value) };
    struct str out = STR_INIT;

    str_adds(&out, "kept ");
    assert_int_equal(raw_set(&out, span_of(doc), &member, 1), 0);
    assert_memory_equal(out.s, "kept ", 5);
    assert_string_equal(out.s + 5, want);
    str_free(&out);
}

static void a_value_is_found_as_it_is_written(void **state)
{
    (void)state;
    get_is(SPAN(document), "hash", "\"req_1\"");
    get_is(SPAN(document), "list", "[ ]");
    get_is(SPAN(document), "nested", "{\"status\":\"no\",\"s\":\"}]\\\"\"}");
    get_is(SPAN(document), "status", "\"pending\"");
    get_is(SPAN(document), "big", "12345678901234567890123");
    get_is(SPAN(document), "none", "null");
    get_is(SPAN(document), "t", "true");
    get_is(SPAN(document), "s", NULL);
    get_is(SPAN(document), "hashes", NULL);
    get_is(SPAN(document), "has", NULL);
    get_is(SPAN(document), "", NULL);
    get_is(SPAN("{\"\":1}"), "", "1");
    get_is(SPAN("{}"), "a", NULL);
}

static void many_values_are_found_in_any_order(void **state)
{
    static const char *const keys[] = { "t", "hash", "missing", "status", "list" };
    struct span out[5];

    (void)state;
    assert_int_equal(raw_get_many(SPAN(document), keys, out, 5), 4);
    assert_true(span_is(out[0], "true"));
    assert_true(span_is(out[1], "\"req_1\""));
    assert_null(out[2].s);
    assert_true(span_is(out[3], "\"pending\""));
    assert_true(span_is(out[4], "[ ]"));
    assert_int_equal(raw_get_many(SPAN(document), NULL, NULL, 0), 0);
}

static void of_a_key_that_stands_twice_the_last_one_counts(void **state)
{
    (void)state;
    get_is(SPAN("{\"a\":1,\"b\":2,\"a\":3}"), "a", "3");
    set_gives("{\"a\":1,\"b\":2,\"a\":3}", "a", "9", "{\"a\":9,\"b\":2,\"a\":9}");
}

static void an_escaped_key_is_the_same_key(void **state)
{
    (void)state;
    get_is(SPAN("{\"st\\u0061tus\":1}"), "status", "1");
    get_is(SPAN("{\"stat\\u0000s\":1}"), "stat", NULL);
    get_is(SPAN("{\"status\\u0000\":1}"), "status", NULL);
    get_is(SPAN("{\"a\\/b\":1}"), "a/b", "1");
    set_gives("{\"\\u0061\":1}", "a", "2", "{\"\\u0061\":2}");
}

static void what_is_no_object_has_no_members(void **state)
{
    static const char *const bad[] = {
        "", " ", "null", "[]", "\"a\"", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{\"a\":1}}",
        "{\"a\":1} x", "{\"a\":}", "{\"a\" 1}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":\"x}", "{\"a\":[1}", "{,\"a\":1}",
        "{\"a\":1,\"b\":?}", "{\"a\":1,\"b\":\"\\\"}",
    };
    const struct raw_member member = { "a", SPAN("2") };
    static const char *const key = "a";
    struct str out = STR_INIT;
    struct span value;
    size_t i;

    (void)state;
    str_adds(&out, "kept");
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        if (raw_get_many(span_of(bad[i]), &key, &value, 1) != -1 || value.s)
            fail_msg("taken for an object: %s", bad[i]);
        assert_int_equal(raw_set(&out, span_of(bad[i]), &member, 1), -1);
        assert_string_equal(out.s, "kept");
        assert_int_equal(out.len, 4);
    }
    assert_int_equal(raw_get_many(span_of(NULL), &key, &value, 1), -1);
    assert_int_equal(raw_set(&out, span_of(NULL), &member, 1), -1);
    str_free(&out);
}

static void a_value_is_replaced_and_the_rest_stays_byte_for_byte(void **state)
{
    (void)state;
    set_gives(" { \"a\" : 1 , \"b\":\t[ ],\n \"c\":12345678901234567890 } ", "b", "{\"x\":1}",
              " { \"a\" : 1 , \"b\":\t{\"x\":1},\n \"c\":12345678901234567890 } ");
    set_gives("{\"a\":{\"b\":1},\"b\":2}", "b", "3", "{\"a\":{\"b\":1},\"b\":3}");
}

static void an_absent_member_is_added_before_the_closing_brace(void **state)
{
    (void)state;
    set_gives("{}", "a", "1", "{\"a\":1}");
    set_gives(" { } ", "a", "1", " {\"a\":1 } ");
    set_gives("{ \"b\": 2 }\n", "a", "1", "{ \"b\": 2,\"a\":1 }\n");
}

static void many_members_are_set_at_once(void **state)
{
    struct raw_member members[40];
    char keys[40][8], text[16];
    struct str out = STR_INIT, again = STR_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < 40; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
        members[i] = (struct raw_member){ keys[i], SPAN("0") };
    }
    members[7].value = span_of(NULL);
    assert_int_equal(raw_set(&out, SPAN("{\"k39\":1,\"z\":[],\"k7\":7}"), members, 40), 0);
    for (i = 0; i < 40; i++) {
        snprintf(text, sizeof(text), "%d", i == 7 ? 7 : 0);
        get_is((struct span){ out.s, out.len }, keys[i], text);
    }
    get_is((struct span){ out.s, out.len }, "z", "[]");
    assert_int_equal(json_check(out.s, out.len, NULL), 0);
    assert_int_equal(raw_set(&again, (struct span){ out.s, out.len }, members, 40), 0);
    assert_string_equal(again.s, out.s);
    str_free(&out);
    str_free(&again);
}

static void a_document_cut_anywhere_is_no_object_and_is_not_read_beyond(void **state)
{
    static const char *const keys[] = { "hash", "t" };
    const struct raw_member member = { "t", SPAN("false") };
    struct str out = STR_INIT;
    struct span values[2];
    size_t len, whole = strlen(document) - 1; /* without the last space, the text ends with the brace */
    char *exact;

    (void)state;
    for (len = 0; len < whole; len++) {
        exact = xmalloc(len);
        memcpy(exact, document, len);
        assert_int_equal(raw_get_many((struct span){ exact, len }, keys, values, 2), -1);
        assert_null(values[0].s);
        assert_int_equal(raw_set(&out, (struct span){ exact, len }, &member, 1), -1);
        free(exact);
    }
    assert_int_equal(raw_get_many((struct span){ document, whole }, keys, values, 2), 2);
    str_free(&out);
}

static void any_byte_anywhere_is_survived(void **state)
{
    static const char *const keys[] = { "hash", "status", "t" };
    struct span values[3];
    struct str text = STR_INIT;
    char *copy = xmemdupz(document, strlen(document));
    size_t i, j;
    int byte;

    (void)state;
    for (i = 0; i < strlen(document); i++) {
        for (byte = 0; byte < 256; byte++) {
            copy[i] = (char)byte;
            raw_get_many((struct span){ copy, strlen(document) }, keys, values, 3);
            for (j = 0; j < 3; j++) {
                str_reset(&text);
                raw_string(values[j], &text);
                raw_int(values[j], 0);
                raw_is(values[j], "pending");
            }
        }
        copy[i] = document[i];
    }
    str_free(&text);
    free(copy);
}

static void strings_are_decoded(void **state)
{
    struct str out = STR_INIT;

    (void)state;
    assert_true(raw_string(SPAN("\"plain \xd9\xbe\""), &out));
    assert_true(raw_string(SPAN("\"\""), &out));
    assert_true(raw_string(SPAN("\"|\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u06F1\\ud83d\\ude00|\""), &out));
    assert_string_equal(out.s, "plain \xd9\xbe|\"\\/\b\f\n\r\tA\xdb\xb1\xf0\x9f\x98\x80|");
    str_reset(&out);
    assert_true(raw_string(SPAN("\"\\u0000\\ud800x\\udc00\""), &out));
    assert_string_equal(out.s, "\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd");
    str_free(&out);
}

static void what_is_no_string_is_not_decoded(void **state)
{
    static const char *const bad[] = {
        "", "\"", "1", "null", "\"a", "a\"", "\"a\"b\"", "\"\\\"", "\"x\\q\"", "\"x\\u12\"",
    };
    struct str out = STR_INIT;
    size_t i;

    (void)state;
    str_adds(&out, "kept");
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(raw_string(span_of(bad[i]), &out));
    assert_false(raw_string(span_of(NULL), &out));
    assert_string_equal(out.s, "kept");
    str_free(&out);
}

static void integers_are_read_or_fall_back(void **state)
{
    static const char *const bad[] = {
        "", "null", "\"5\"", "5x", "01", "+5", "0x5", "inf", "9223372036854775808", "-9223372036854775809", "1e19",
        "1e999", "--5", "5.", "-", "1 ",
    };
    size_t i;

    (void)state;
    assert_int_equal(raw_int(SPAN("0"), -5), 0);
    assert_int_equal(raw_int(SPAN("-17"), -5), -17);
    assert_true(raw_int(SPAN("9223372036854775807"), -5) == INT64_MAX);
    assert_true(raw_int(SPAN("-9223372036854775808"), -5) == INT64_MIN);
    assert_int_equal(raw_int(SPAN("1.0"), -5), 1);
    assert_int_equal(raw_int(SPAN("-2.9"), -5), -2);
    assert_int_equal(raw_int(SPAN("1e2"), -5), 100);
    for (i = 0; i < ARRAY_LEN(bad); i++)
        if (raw_int(span_of(bad[i]), -5) != -5)
            fail_msg("%s", bad[i]);
    assert_int_equal(raw_int(span_of(NULL), -5), -5);
}

static void a_string_is_compared_with_plain_text(void **state)
{
    (void)state;
    assert_true(raw_is(SPAN("\"failed\""), "failed"));
    assert_true(raw_is(SPAN("\"f\\u0061iled\""), "failed"));
    assert_true(raw_is(SPAN("\"\""), ""));
    assert_false(raw_is(SPAN("\"faile\""), "failed"));
    assert_false(raw_is(SPAN("\"failed \""), "failed"));
    assert_false(raw_is(SPAN("failed"), "failed"));
    assert_false(raw_is(SPAN("null"), ""));
    assert_false(raw_is(span_of(NULL), ""));
}

static void items_of_an_array_are_found_as_they_are_written(void **state)
{
    struct span item[3];

    (void)state;
    assert_int_equal(raw_items(SPAN(" [ 1 ,\"a,]\",[2,{}],null]"), item, 3), 4);
    assert_true(span_is(item[0], "1"));
    assert_true(span_is(item[1], "\"a,]\""));
    assert_true(span_is(item[2], "[2,{}]"));
    assert_int_equal(raw_items(SPAN("[7]"), item, 3), 1);
    assert_null(item[1].s);
    assert_int_equal(raw_items(SPAN("[ ]"), item, 3), 0);
    assert_int_equal(raw_items(SPAN("{}"), item, 3), -1);
    assert_int_equal(raw_items((struct span){ NULL, 0 }, item, 3), -1);
}

static void an_array_cut_anywhere_is_none(void **state)
{
    static const char whole[] = "[12,\"x\\\"y\",[1,[2]],{\"a\":[]},null]";
    struct span item[2];

    (void)state;
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *cut = xmemdupz(whole, len);
        assert_int_equal(raw_items((struct span){ cut, len }, item, 2), -1);
        free(cut);
    }
    assert_int_equal(raw_items(SPAN(whole), item, 2), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_as_it_is_written),
        cmocka_unit_test(many_values_are_found_in_any_order),
        cmocka_unit_test(of_a_key_that_stands_twice_the_last_one_counts),
        cmocka_unit_test(an_escaped_key_is_the_same_key),
        cmocka_unit_test(what_is_no_object_has_no_members),
        cmocka_unit_test(a_value_is_replaced_and_the_rest_stays_byte_for_byte),
        cmocka_unit_test(an_absent_member_is_added_before_the_closing_brace),
        cmocka_unit_test(many_members_are_set_at_once),
        cmocka_unit_test(a_document_cut_anywhere_is_no_object_and_is_not_read_beyond),
        cmocka_unit_test(any_byte_anywhere_is_survived),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(what_is_no_string_is_not_decoded),
        cmocka_unit_test(integers_are_read_or_fall_back),
        cmocka_unit_test(a_string_is_compared_with_plain_text),
        cmocka_unit_test(items_of_an_array_are_found_as_they_are_written),
        cmocka_unit_test(an_array_cut_anywhere_is_none),
    };

    return cmocka_run_group_tests_name("raw", tests, NULL, NULL);
}
