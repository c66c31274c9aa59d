/* test_sse.c: Server-Sent Events as text */
#include "tests/unit/unit.h"

#include "push/sse.h"

static void an_update_is_one_event_whatever_breaks_the_lines_of_its_data(void **state)
{
    struct str out = STR_INIT;
    (void)state;
    sse_add_update(&out, 7, SPAN("{\"a\":1,\r\n \"b\":\n\n2}"));
    assert_string_equal(out.s, "id: 7\nevent: update\ndata: {\"a\":1,   \"b\":  2}\n\n");
    str_free(&out);
}

static void the_head_says_when_to_come_back_and_a_ping_says_nothing(void **state)
{
    struct str out = STR_INIT;
    (void)state;
    sse_add_head(&out, 2500);
    assert_non_null(strstr(out.s, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
    assert_non_null(strstr(out.s, "\r\n\r\nretry: 2500\n\n"));
    str_reset(&out);
    sse_add_ping(&out);
    assert_string_equal(out.s, ": ping\n\n");
    str_free(&out);
}

static void a_last_id_is_a_revision_or_nothing(void **state)
{
    (void)state;
    assert_int_equal(sse_last_id(SPAN("12")), 12);
    assert_int_equal(sse_last_id(SPAN("0")), 0);
    assert_int_equal(sse_last_id(SPAN("")), -1);
    assert_int_equal(sse_last_id((struct span){ NULL, 0 }), -1);
    assert_int_equal(sse_last_id(SPAN("-3")), -1);
    assert_int_equal(sse_last_id(SPAN("1e3")), -1);
    assert_int_equal(sse_last_id(SPAN("99999999999999999999")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_is_one_event_whatever_breaks_the_lines_of_its_data),
        cmocka_unit_test(the_head_says_when_to_come_back_and_a_ping_says_nothing),
        cmocka_unit_test(a_last_id_is_a_revision_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
