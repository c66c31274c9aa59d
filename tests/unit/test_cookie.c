/* test_cookie.c: cookies as browsers send them. */
#include "tests/unit/unit.h"

#include "base/cookie.h"

static void a_cookie_is_found_by_its_whole_name(void **state)
{
    struct span header = SPAN("xa=1; a=2;b=\"3\"; a=4; c=");

    (void)state;
    assert_true(span_is(cookie_find(header, "a"), "2"));
    assert_true(span_is(cookie_find(header, "b"), "3"));
    assert_true(span_is(cookie_find(header, "c"), ""));
    assert_null(cookie_find(header, "x").s);
    assert_null(cookie_find((struct span){ NULL, 0 }, "a").s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_cookie_is_found_by_its_whole_name) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
