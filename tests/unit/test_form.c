/* test_form.c: decoding of fields, JSON data and media types. */
#include "tests/unit/unit.h"

#include "web/form.h"

#include "base/json.h"

static struct form form = FORM_INIT;

static int parse(const char *text)
{
    return form_parse(&form, span_of(text), NULL);
}

static void assert_field(const char *name, const char *value)
{
    struct span found = form_get(&form, name);

    assert_non_null(found.s);
    assert_int_equal(found.len, strlen(value));
    assert_memory_equal(found.s, value, found.len);
}

static void fields_are_decoded_in_their_order(void **state)
{
    (void)state;
    assert_int_equal(parse("a=1&b=x+y%2B&c=&d&%D8%A7=%d9%be"), 0);
    assert_int_equal(form.count, 5);
    assert_field("a", "1");
    assert_field("b", "x y+");
    assert_field("c", "");
    assert_field("d", "");
    assert_field("\xd8\xa7", "\xd9\xbe");
    assert_true(span_is(form.field[1].name, "b"));
}

static void an_absent_field_differs_from_an_empty_one(void **state)
{
    (void)state;
    assert_int_equal(parse("a="), 0);
    assert_non_null(form_get(&form, "a").s);
    assert_null(form_get(&form, "b").s);
}

static void empty_pieces_between_ampersands_are_nothing(void **state)
{
    (void)state;
    assert_int_equal(parse("&&a=1&"), 0);
    assert_int_equal(form.count, 1);
    assert_int_equal(parse(""), 0);
    assert_int_equal(form.count, 0);
}

static void bad_encoding_is_refused(void **state)
{
    static const char *const bad[] = { "a=%",   "a=%4",     "a=%zz",       "a=%00",   "%=1",
                                       "a=%ff", "a=%c0%af", "a=%ed%a0%80", "a=\xff", "=1" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(form_parse(&form, span_of(bad[i]), &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void a_raw_nul_byte_is_refused(void **state)
{
    (void)state;
    assert_int_equal(form_parse(&form, SPAN("a=1\0b"), NULL), -1);
}

static void a_field_sent_twice_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse("a=1&b=2&a=1"), -1);
    assert_int_equal(parse("a=1&%61=2"), -1);
}

static void sixty_four_fields_are_taken_and_no_more(void **state)
{
    struct str text = STR_INIT;

    (void)state;
    for (int i = 0; i < FORM_FIELDS; i++)
        str_addf(&text, "f%d=%d&", i, i);
    assert_int_equal(parse(text.s), 0);
    assert_int_equal(form.count, FORM_FIELDS);
    assert_field("f0", "0");
    assert_field("f63", "63");
    str_adds(&text, "more=1");
    assert_int_equal(parse(text.s), -1);
    str_free(&text);
}

static int from_json(const char *text)
{
    struct json_object *object = NULL;
    int rc;

    assert_int_equal(json_parse(text, strlen(text), &object, NULL), 0);
    rc = form_from_json(&form, object, NULL);
    json_object_put(object);
    return rc;
}

static void json_members_become_fields(void **state)
{
    (void)state;
    assert_int_equal(from_json("{\"a\":\"x\",\"n\":12,\"d\":0.10,\"yes\":true,"
                               "\"no\":false,\"nil\":null,\"e\":\"\"}"), 0);
    assert_int_equal(form.count, 5);
    assert_field("a", "x");
    assert_field("n", "12");
    assert_field("d", "0.10");
    assert_field("yes", "1");
    assert_field("e", "");
    assert_null(form_get(&form, "no").s);
    assert_null(form_get(&form, "nil").s);
}

static void json_lists_and_objects_are_no_fields(void **state)
{
    (void)state;
    assert_int_equal(from_json("{\"a\":[1]}"), -1);
    assert_int_equal(from_json("{\"a\":{}}"), -1);
}

static void a_media_type_is_compared_without_parameters_and_case(void **state)
{
    (void)state;
    assert_true(form_is_type(SPAN("application/json"), "application/json"));
    assert_true(form_is_type(SPAN(" Application/JSON ; charset=utf-8"), "application/json"));
    assert_false(form_is_type(SPAN("application/jsonx"), "application/json"));
    assert_false(form_is_type(SPAN("text/plain; application/json"), "application/json"));
    assert_false(form_is_type((struct span){ NULL, 0 }, "application/json"));
}

static int release(void **state)
{
    (void)state;
    form_free(&form);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_decoded_in_their_order),
        cmocka_unit_test(an_absent_field_differs_from_an_empty_one),
        cmocka_unit_test(empty_pieces_between_ampersands_are_nothing),
        cmocka_unit_test(bad_encoding_is_refused),
        cmocka_unit_test(a_raw_nul_byte_is_refused),
        cmocka_unit_test(a_field_sent_twice_is_refused),
        cmocka_unit_test(sixty_four_fields_are_taken_and_no_more),
        cmocka_unit_test(json_members_become_fields),
        cmocka_unit_test(json_lists_and_objects_are_no_fields),
        cmocka_unit_test(a_media_type_is_compared_without_parameters_and_case),
    };
    return cmocka_run_group_tests_name("form", tests, NULL, release);
}
