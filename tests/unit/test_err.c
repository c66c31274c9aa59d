/* test_err.c: errors as sentences. */
#include "tests/unit/unit.h"

#include "base/err.h"
#include "base/utf8.h"

static void an_error_has_kind_and_sentence(void **state)
{
    struct err err = { ERR_AWAY, 9, "old" };

    (void)state;
    assert_int_equal(err_set(&err, ERR_INVALID, "%s must be at least %d.", "WEB_THREADS", 1), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(err.retry_after_s, 0);
    assert_string_equal(err.text, "WEB_THREADS must be at least 1.");
}

static void a_missing_error_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_FAILED, "nobody reads %s", "this"), -1);
    assert_int_equal(err_prefix(NULL, "nor %s", "this"), -1);
}

static void a_prefix_stands_before_the_sentence_and_keeps_the_rest(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    err_set(&err, ERR_TOO_MANY, "too often.");
    err.retry_after_s = 7;
    assert_int_equal(err_prefix(&err, "%s:%d", "a.json", 3), -1);
    assert_string_equal(err.text, "a.json:3: too often.");
    assert_int_equal(err.kind, ERR_TOO_MANY);
    assert_int_equal(err.retry_after_s, 7);
}

static void the_sentence_may_be_built_from_itself(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    err_set(&err, ERR_FAILED, "inner");
    err_set(&err, ERR_CONFIG, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    err_prefix(&err, "%s", err.text);
    assert_string_equal(err.text, "outer (inner): outer (inner)");
}

static void a_long_sentence_is_cut_between_characters(void **state)
{
    char persian[1201];
    struct err err = ERR_INIT;
    size_t i, shift;

    (void)state;
    for (i = 0; i < 1200; i += 2)
        memcpy(persian + i, "\xd9\xbe", 2);
    persian[1200] = '\0';
    for (shift = 0; shift < 4; shift++) {
        err_set(&err, ERR_FAILED, "%.*s%s", (int)shift, "xxx", persian);
        assert_true(utf8_valid(err.text, strlen(err.text)));
        assert_true(strlen(err.text) >= sizeof(err.text) - 4);
        err_prefix(&err, "%.*s", (int)shift, "yyyy");
        assert_true(utf8_valid(err.text, strlen(err.text)));
        assert_true(strlen(err.text) < sizeof(err.text));
    }
    err_set(&err, ERR_FAILED, "short");
    err_prefix(&err, "%s", persian);
    assert_true(utf8_valid(err.text, strlen(err.text)));
}

static void the_sentence_is_one_line_of_utf8_whatever_was_put_in(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    err_set(&err, ERR_FAILED, "a%sb", "\n\r\t\x7f");
    assert_string_equal(err.text, "a    b");
    err_set(&err, ERR_FAILED, "a%sb", "\xff\xc0");
    assert_string_equal(err.text, "a??b");
    err_set(&err, ERR_FAILED, "%s", "\xd9");
    assert_string_equal(err.text, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_kind_and_sentence),
        cmocka_unit_test(a_missing_error_is_allowed),
        cmocka_unit_test(a_prefix_stands_before_the_sentence_and_keeps_the_rest),
        cmocka_unit_test(the_sentence_may_be_built_from_itself),
        cmocka_unit_test(a_long_sentence_is_cut_between_characters),
        cmocka_unit_test(the_sentence_is_one_line_of_utf8_whatever_was_put_in),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
