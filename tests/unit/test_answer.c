/* test_answer.c: what a bot answers, read from its text */
#include "tests/unit/unit.h"

#include "worker/answer.h"

static struct answer good(const char *text)
{
    struct answer a;
    struct err err = ERR_INIT;
    if (answer_read(span_of(text), &a, &err) != 0)
        fail_msg("%s was refused: %s", text, err.text);
    return a;
}

static void bad(const char *text)
{
    struct answer a;
    struct err err = ERR_INIT;
    if (answer_read(span_of(text), &a, &err) != -1)
        fail_msg("%s was accepted", text);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(strlen(err.text) > 10);
}

static void assert_span(struct span s, const char *text)
{
    assert_non_null(s.s);
    assert_true(span_is(s, text));
}

static void data_is_handed_on_byte_for_byte(void **state)
{
    (void)state;
    struct answer a =
        good(" {\"status\":\"success\", \"data\": {\"n\": 12345678901234567890123, \"e\":[], \"s\":\"\\u06f1\"} }");
    assert_int_equal(a.kind, ANSWER_DONE);
    assert_span(a.data, "{\"n\": 12345678901234567890123, \"e\":[], \"s\":\"\\u06f1\"}");
    assert_false(a.has_otp);
}

static void success_without_data_has_none(void **state)
{
    (void)state;
    assert_null(good("{\"status\":\"success\"}").data.s);
    assert_null(good("{\"status\":\"success\",\"data\":null}").data.s);
    assert_int_equal(good("{\"status\":\"success\"}").kind, ANSWER_DONE);
}

static void data_that_is_no_object_is_refused(void **state)
{
    (void)state;
    bad("{\"status\":\"success\",\"data\":[1]}");
    bad("{\"status\":\"success\",\"data\":\"done\"}");
    bad("{\"status\":\"success\",\"data\":1}");
}

static void a_sent_code_brings_handle_expiry_length_and_message(void **state)
{
    (void)state;
    struct answer a = good("{\"status\":\"success\",\"code\":\"SMS_SENT\",\"otp\":{\"hash\":{\"a\":[1, 2]},"
                           "\"expiry\":90,\"length\":6,\"message\":\"کد را وارد کنید\"}}");
    assert_int_equal(a.kind, ANSWER_CODE_NEEDED);
    assert_true(a.has_otp);
    assert_span(a.handle, "{\"a\":[1, 2]}");
    assert_int_equal(a.expiry_s, 90);
    assert_int_equal(a.length, 6);
    assert_string_equal(a.message, "کد را وارد کنید");
}

static void a_sent_code_may_say_nothing_more(void **state)
{
    (void)state;
    struct answer a = good("{\"status\":\"success\",\"code\":\"SMS_SENT\"}");
    assert_int_equal(a.kind, ANSWER_CODE_NEEDED);
    assert_false(a.has_otp);
    a = good("{\"status\":\"success\",\"code\":\"SMS_SENT\",\"message\":\"look at your phone\","
             "\"otp\":{\"hash\":null}}");
    assert_true(a.has_otp);
    assert_null(a.handle.s);
    assert_int_equal(a.expiry_s, 0);
    assert_int_equal(a.length, 0);
    assert_string_equal(a.message, "look at your phone");
}

static void numbers_outside_reason_count_as_not_said(void **state)
{
    (void)state;
    struct answer a = good("{\"status\":\"success\",\"code\":\"SMS_SENT\",\"otp\":{\"expiry\":-5,\"length\":1000000}}");
    assert_int_equal(a.expiry_s, 0);
    assert_int_equal(a.length, 0);
    a = good("{\"status\":\"success\",\"code\":\"SMS_SENT\",\"otp\":{\"expiry\":\"soon\",\"length\":[]}}");
    assert_int_equal(a.expiry_s, 0);
    assert_int_equal(a.length, 0);
}

static void an_otp_that_is_no_object_is_refused(void **state)
{
    (void)state;
    bad("{\"status\":\"success\",\"code\":\"SMS_SENT\",\"otp\":\"12345\"}");
    bad("{\"status\":\"success\",\"code\":\"SMS_SENT\",\"otp\":[]}");
}

static void success_with_data_and_otp_of_a_side_call_keeps_both(void **state)
{
    (void)state;
    struct answer a = good("{\"status\":\"success\",\"otp\":{\"hash\":\"h2\"}}");
    assert_int_equal(a.kind, ANSWER_DONE);
    assert_true(a.has_otp);
    assert_span(a.handle, "\"h2\"");
}

static void the_two_words_about_a_code_are_known(void **state)
{
    (void)state;
    struct answer a = good("{\"status\":\"error\",\"code\":\"OTP_WRONG\",\"message\":\"not this one\"}");
    assert_int_equal(a.kind, ANSWER_CODE_WRONG);
    assert_string_equal(a.message, "not this one");
    assert_int_equal(good("{\"status\":\"error\",\"code\":\"OTP_EXPIRED\"}").kind, ANSWER_CODE_EXPIRED);
}

static void an_error_may_be_repeated_only_when_it_says_so(void **state)
{
    (void)state;
    struct answer a = good("{\"status\":\"error\",\"code\":\"SITE_DOWN\",\"message\":\"m\",\"retryable\":true}");
    assert_int_equal(a.kind, ANSWER_ERROR);
    assert_true(a.retryable);
    assert_string_equal(a.code, "SITE_DOWN");
    assert_false(good("{\"status\":\"error\",\"retryable\":false}").retryable);
    assert_false(good("{\"status\":\"error\"}").retryable);
    assert_false(good("{\"status\":\"error\",\"retryable\":\"true\"}").retryable);
    assert_false(good("{\"status\":\"error\",\"retryable\":1}").retryable);
}

static void a_code_keeps_only_word_characters(void **state)
{
    (void)state;
    assert_string_equal(good("{\"status\":\"error\",\"code\":\"a b<c>\\u0627\\n-_9\"}").code, "abc-_9");
    assert_string_equal(good("{\"status\":\"error\",\"code\":\"خطا\"}").code, "bot_error");
    assert_string_equal(good("{\"status\":\"error\",\"code\":17}").code, "bot_error");
    assert_string_equal(good("{\"status\":\"error\"}").code, "bot_error");
}

static void a_code_is_clipped(void **state)
{
    (void)state;
    char text[400] = "{\"status\":\"error\",\"code\":\"", code[201];
    memset(code, 'x', sizeof code - 1);
    code[sizeof code - 1] = '\0';
    size_t n = strlen(text);
    snprintf(text + n, sizeof text - n, "%s\"}", code);
    assert_int_equal(strlen(good(text).code), ANSWER_CODE_MAX);
}

static void a_message_is_one_line_clipped_at_a_character(void **state)
{
    (void)state;
    struct str text = STR_INIT;
    assert_string_equal(good("{\"status\":\"error\",\"message\":\"a\\r\\nb\\tc\\u007f\"}").message, "a  b c ");
    str_adds(&text, "{\"status\":\"error\",\"message\":\"x");
    for (int i = 0; i < 400; i++)
        str_adds(&text, "م"); /* two bytes: 1 + 2n never is 500 */
    str_adds(&text, "\"}");
    assert_int_equal(strlen(good(text.s).message), 499);
    str_free(&text);
}

static void a_message_that_is_no_text_is_none(void **state)
{
    (void)state;
    assert_string_equal(good("{\"status\":\"error\",\"message\":{\"a\":1}}").message, "");
    assert_string_equal(good("{\"status\":\"error\",\"message\":null}").message, "");
}

static void garbage_is_refused(void **state)
{
    (void)state;
    bad("");
    bad("<html>502</html>");
    bad("[]");
    bad("null");
    bad("\"success\"");
    bad("{\"status\":\"success\"");
    bad("{\"status\":\"success\"} trailing");
    bad("{\"status\":\"success\",\"status\":\"error\"}");
    bad("{\"status\":\"success\",\"data\":{\"a\":NaN}}");
    bad("{\"status\":\"success\",\"data\":{\"a\":\"\\u0000\"}}");
}

static void other_states_than_success_and_error_are_refused(void **state)
{
    (void)state;
    bad("{}");
    bad("{\"status\":\"ok\"}");
    bad("{\"status\":true}");
    bad("{\"data\":{}}");
    bad("{\"code\":\"SMS_SENT\"}");
}

static void invalid_utf8_is_refused(void **state)
{
    (void)state;
    bad("{\"status\":\"error\",\"message\":\"\xff\"}");
    bad("{\"status\":\"error\",\"message\":\"\xc0\xaf\"}");
}

static void an_absent_text_is_refused(void **state)
{
    (void)state;
    struct answer a;
    struct err err = ERR_INIT;
    assert_int_equal(answer_read((struct span){ NULL, 0 }, &a, &err), -1);
}

static void sentences_never_quote_the_answer(void **state)
{
    (void)state;
    struct answer a;
    struct err err = ERR_INIT;
    assert_int_equal(answer_read(SPAN("{\"status\":\"secret-12345\"}"), &a, &err), -1);
    assert_null(strstr(err.text, "12345"));
    assert_int_equal(answer_read(SPAN("secret-12345"), &a, &err), -1);
    assert_null(strstr(err.text, "12345"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_handed_on_byte_for_byte),
        cmocka_unit_test(success_without_data_has_none),
        cmocka_unit_test(data_that_is_no_object_is_refused),
        cmocka_unit_test(a_sent_code_brings_handle_expiry_length_and_message),
        cmocka_unit_test(a_sent_code_may_say_nothing_more),
        cmocka_unit_test(numbers_outside_reason_count_as_not_said),
        cmocka_unit_test(an_otp_that_is_no_object_is_refused),
        cmocka_unit_test(success_with_data_and_otp_of_a_side_call_keeps_both),
        cmocka_unit_test(the_two_words_about_a_code_are_known),
        cmocka_unit_test(an_error_may_be_repeated_only_when_it_says_so),
        cmocka_unit_test(a_code_keeps_only_word_characters),
        cmocka_unit_test(a_code_is_clipped),
        cmocka_unit_test(a_message_is_one_line_clipped_at_a_character),
        cmocka_unit_test(a_message_that_is_no_text_is_none),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(other_states_than_success_and_error_are_refused),
        cmocka_unit_test(invalid_utf8_is_refused),
        cmocka_unit_test(an_absent_text_is_refused),
        cmocka_unit_test(sentences_never_quote_the_answer),
    };
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
