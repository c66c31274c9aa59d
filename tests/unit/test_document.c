/* test_document.c: the text of a request's document */
#include "tests/unit/unit.h"

#include "core/document.h"

static const char text[] = "{\"hash\":\"req_X\",\"status\":\"processing\",\"step\":\"captcha\",\"progress\":50,\"current_message\":\"m\","
                           "\"otp_data\":{\"length\":5,\"message\":\"a\"},\"big\":12345678901234567890,\"empty\":[],\"revision\":7,"
                           "\"updated_at\":\"2026-01-02T03:04:05.000Z\"}";

static struct document read_text(const char *s)
{
    struct document doc;
    assert_int_equal(document_read(span_of(s), &doc, NULL), 0);
    return doc;
}

static void fields_are_found_as_raw_text(void **state)
{
    (void)state;
    struct document doc = read_text(text);
    assert_true(span_is(doc.field[DOC_PROGRESS], "50"));
    assert_true(span_is(doc.field[DOC_STATUS], "\"processing\""));
    assert_null(doc.field[DOC_ERROR].s);
    assert_true(span_is(document_value(&doc, DOC_ERROR), "null"));
    assert_true(span_is(document_otp(&doc, "length"), "5"));
    assert_null(document_otp(&doc, "hash").s);
}

static void an_entry_tells_the_stored_state_in_order(void **state)
{
    (void)state;
    struct document doc = read_text(text);
    struct str entry = STR_INIT;
    document_add_entry(&entry, &doc);
    assert_string_equal(entry.s, "[7,\"2026-01-02T03:04:05.000Z\",\"processing\",\"captcha\",50,\"m\",null,null]");
    str_free(&entry);
}

static void an_entry_tells_of_the_code_while_one_is_awaited(void **state)
{
    (void)state;
    struct document doc = read_text("{\"revision\":2,\"status\":\"otp_required\",\"otp_data\":{\"hash\":\"h\",\"expires_at\":\"E\","
                                    "\"length\":5,\"attempts\":1}}");
    struct str entry = STR_INIT;
    document_add_entry(&entry, &doc);
    assert_string_equal(entry.s, "[2,null,\"otp_required\",null,null,null,[\"E\",5,1,null],null]");
    str_free(&entry);
}

static void the_check_differs_with_all_that_an_entry_tells(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{\"revision\":8,\"status\":\"otp_required\",\"progress\":50,\"otp_data\":{\"length\":5}}",
        "{\"revision\":7,\"status\":\"otp_verifying\",\"progress\":50,\"otp_data\":{\"length\":5}}",
        "{\"revision\":7,\"status\":\"otp_required\",\"progress\":51,\"otp_data\":{\"length\":5}}",
        "{\"revision\":7,\"status\":\"otp_required\",\"progress\":50,\"otp_data\":{\"length\":6}}",
        "{\"revision\":7,\"status\":\"otp_required\",\"progress\":50,\"otp_data\":{\"length\":5},\"step\":\"s\"}",
        "{\"revision\":7,\"status\":\"otp_required\",\"progress\":50,\"otp_data\":{\"length\":5},\"error_data\":{}}",
        "{\"revision\":7,\"status\":\"otp_required\",\"progress\":50,\"otp_data\":{\"length\":5},\"current_message\":\"\"}",
        "{\"revision\":7,\"status\":\"otp_required\",\"progress\":50,\"otp_data\":{\"length\":5},\"updated_at\":\"\"}",
    };
    struct document doc = read_text("{\"revision\":7,\"status\":\"otp_required\",\"progress\":50,\"otp_data\":{\"length\":5}}");
    struct document same = read_text(" {\"status\":\"otp_required\", \"revision\":7, \"owner\":\"o\",\"progress\":50,\"otp_data\":{\"length\":5}}");
    int64_t check = document_check(&doc);
    assert_in_range(check, 1, (INT64_C(1) << 53) - 1);
    assert_int_equal(document_check(&same), check);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct document other = read_text(others[i]);
        assert_int_not_equal(document_check(&other), check);
    }
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    struct document doc;
    struct err err = ERR_INIT;
    assert_int_equal(document_read(SPAN("[1,2]"), &doc, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(document_read(SPAN(""), &doc, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_as_raw_text),
        cmocka_unit_test(an_entry_tells_the_stored_state_in_order),
        cmocka_unit_test(an_entry_tells_of_the_code_while_one_is_awaited),
        cmocka_unit_test(the_check_differs_with_all_that_an_entry_tells),
        cmocka_unit_test(what_is_no_object_is_refused),
    };
    return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
