/* test_json.c: JSON checked and parsed. */
#include "tests/unit/unit.h"

#include "base/json.h"

static void accepted(const char *text, size_t len)
{
    struct json_object *obj = NULL;
    struct err err = ERR_INIT;

    if (json_check(text, len, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    if (json_parse(text, len, &obj, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    json_object_put(obj);
}

static void refused(const char *text, size_t len)
{
    struct json_object *obj = NULL;
    struct err err = ERR_INIT;

    if (json_check(text, len, &err) != -1 || json_parse(text, len, &obj, &err) != -1)
        fail_msg("accepted: %s", text);
    assert_null(obj);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.text, "at byte "));
}

static void every_kind_of_value_is_accepted(void **state)
{
    static const char *const good[] = {
        "null", "true", "false", "0", "-0", "12", "-12", "1.5", "0.5e-3", "1E5", "1e+2", "\"\"", "\"a\\\"b\"",
        "[]", "{}",
        " \t\r\n[ 1 , 2 ] ", "{ \"a\" : { \"a\" : [ { \"a\" : 1 } ] } , \"b\":null}", "\"\\b\\f\\n\\r\\t\\/\\\\\"",
        "\"\\u06f1\\ud83d\\ude00\"", "\"\xd9\xbe\xf0\x9f\x98\x80\x7f\"", "{\"\":1}", "{\"a\":1,\"A\":2,\"aa\":3}",
        "[{\"a\":1},{\"a\":1}]", "18446744073709551615", "-9223372036854775808",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(good); i++)
        accepted(good[i], strlen(good[i]));
}

static void what_json_does_not_know_is_refused(void **state)
{
    static const char *const bad[] = {
        "", " ", "nul", "nulll", "True", "NaN", "Infinity", "-Infinity", "-", "+1", "01", "-01", "1.", ".5", "1e",
        "1e+", "0x10", "1 2", "[1,]", "[,1]", "[1 2]", "[", "[1", "[1,", "]", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
        "{\"a\":1,", "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}", "'a'", "{\"a\" 1}", "{1:2}", "[1}",
        "{\"a\":1]", "\"", "\"a", "\"\\",
        "\"\\\"", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "/* c */ 1", "1 // c", "\v1", "\xef\xbb\xbf{}",
        "{}x", "{}{}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        refused(bad[i], strlen(bad[i]));
}

static void what_json_c_lets_through_is_refused(void **state)
{
    static const char *const bad[] = {
        "\"a\nb\"", "\"a\x01\"", "\"\\u0000\"", "{\"a\\u0000b\":1}", "\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\"",
        "\"\\ud800\\ud800\"", "\"\\ud800\\u0041\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xff\"", "\"\xd9\"",
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":{},\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"\\/\":1,\"/\":2}",
        "[{\"x\":{\"k\":1,\"k\":1}}]", "{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        refused(bad[i], strlen(bad[i]));
    refused("\"a\0b\"", 5);
    refused("{}\0", 3);
    refused("1\0", 2);
}

static void thirty_two_levels_are_accepted_and_no_more(void **state)
{
    char text[80];
    size_t depth;

    (void)state;
    for (depth = 31; depth <= 34; depth++) {
        memset(text, '[', depth);
        text[depth] = '1';
        memset(text + depth + 1, ']', depth);
        text[2 * depth + 1] = '\0';
        if (depth <= 32)
            accepted(text, 2 * depth + 1);
        else
            refused(text, 2 * depth + 1);
    }
}

static void an_object_has_at_most_256_members(void **state)
{
    struct str text = STR_INIT;
    size_t i, count;

    (void)state;
    for (count = 256; count <= 257; count++) {
        str_reset(&text);
        for (i = 0; i < count; i++)
            str_addf(&text, "%s\"k%zu\":{\"k%zu\":0}", i ? "," : "{", i, i);
        str_addc(&text, '}');
        if (count <= 256)
            accepted(text.s, text.len);
        else
            refused(text.s, text.len);
    }
    str_free(&text);
}

static void a_text_cut_anywhere_is_refused(void **state)
{
    static const char text[] = "{\"a\":[1.5e3,true,null,\"\\ud83d\\ude00\\n\xd9\xbe\"],\"\\u0062\":{\"c\":-7}}";
    char *exact;
    size_t len;

    (void)state;
    accepted(text, sizeof(text) - 1);
    for (len = 0; len < sizeof(text) - 1; len++) {
        exact = xmalloc(len); /* of exactly this size, for the sanitizer to see a read behind it */
        memcpy(exact, text, len);
        assert_int_equal(json_check(exact, len, NULL), -1);
        free(exact);
    }
}

static void integers_beyond_64_bits_pass_the_check_but_are_not_parsed(void **state)
{
    static const char *const large[] = {
        "18446744073709551616", "-9223372036854775809", "[100000000000000000000]", "{\"a\":-99999999999999999999}",
    };
    struct json_object *obj;
    struct err err = ERR_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(large); i++) {
        assert_int_equal(json_check(large[i], strlen(large[i]), &err), 0);
        assert_int_equal(json_parse(large[i], strlen(large[i]), &obj, &err), -1);
        assert_non_null(strstr(err.text, "64 bits"));
    }
}

static void an_error_names_byte_and_line_but_not_the_text(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(json_check("{\n \"secret\": secret}", 20, &err), -1);
    assert_non_null(strstr(err.text, "at byte 14 (line 2)"));
    assert_null(strstr(err.text, "secret"));
}

static void integers_beyond_64_bits_are_shown_as_texts(void **state)
{
    static const char text[] = "{\"a\":[18446744073709551615,-9223372036854775809,1e999,-0],\"b \\\" 99999999999999999999\":99999999999999999999}";
    static const char *const bad[] = { "[99999999999999999999", "", "[01]" };
    struct json_object *obj;
    struct str out = STR_INIT;
    (void)state;

    assert_int_equal(json_parse_wide(text, sizeof(text) - 1, &obj, NULL), 0);
    json_add(&out, obj);
    assert_string_equal(out.s, "{\"a\":[18446744073709551615,\"-9223372036854775809\",1e999,0],\"b \\\" 99999999999999999999\":\"99999999999999999999\"}");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(json_parse_wide(bad[i], strlen(bad[i]), &obj, NULL), -1);
    str_free(&out);
    json_object_put(obj);
}

static void null_parses_to_no_object(void **state)
{
    struct json_object *obj = (struct json_object *)&obj;

    (void)state;
    assert_int_equal(json_parse("null", 4, &obj, NULL), 0);
    assert_null(obj);
}

static void the_length_is_the_end_even_without_a_nul(void **state)
{
    struct json_object *obj;

    (void)state;
    assert_int_equal(json_parse("12345", 3, &obj, NULL), 0);
    assert_int_equal(json_object_get_int(obj), 123);
    json_object_put(obj);
}

static void objects_are_written_compactly_and_as_json(void **state)
{
    static const char text[] = "{ \"u\" : \"http://x/\", \"n\" : [ 1.50, 9007199254740993, null ], \"e\": {} }";
    struct str out = STR_INIT;
    struct json_object *obj;

    (void)state;
    assert_int_equal(json_parse(text, sizeof(text) - 1, &obj, NULL), 0);
    json_add(&out, obj);
    assert_string_equal(out.s, "{\"u\":\"http://x/\",\"n\":[1.50,9007199254740993,null],\"e\":{}}");
    json_object_put(obj);
    str_reset(&out);
    json_add(&out, NULL);
    assert_string_equal(out.s, "null");
    obj = json_object_new_string("a\xff");
    str_reset(&out);
    json_add(&out, obj);
    assert_int_equal(json_check(out.s, out.len, NULL), 0);
    json_object_put(obj);
    str_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_accepted),
        cmocka_unit_test(what_json_does_not_know_is_refused),
        cmocka_unit_test(what_json_c_lets_through_is_refused),
        cmocka_unit_test(thirty_two_levels_are_accepted_and_no_more),
        cmocka_unit_test(an_object_has_at_most_256_members),
        cmocka_unit_test(a_text_cut_anywhere_is_refused),
        cmocka_unit_test(integers_beyond_64_bits_pass_the_check_but_are_not_parsed),
        cmocka_unit_test(an_error_names_byte_and_line_but_not_the_text),
        cmocka_unit_test(integers_beyond_64_bits_are_shown_as_texts),
        cmocka_unit_test(null_parses_to_no_object),
        cmocka_unit_test(the_length_is_the_end_even_without_a_nul),
        cmocka_unit_test(objects_are_written_compactly_and_as_json),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
