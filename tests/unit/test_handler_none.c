/* test_handler_none.c: the handler that does nothing, on a loop of the test */
#include "tests/unit/unit.h"

#include "worker/handler.h"

#define MANY 1000

static uv_loop_t loop;
static struct workshop shop = { .loop = &loop };

struct trial {
    int times;
    enum call_end end;
    char answer[64];
    int more;               /* to be started from its done */
    void *cancelled;        /* by its done */
};

static void on_done(void *ctx, const struct call_result *r)
{
    struct trial *t = ctx;
    t->times++;
    t->end = r->end;
    snprintf(t->answer, sizeof t->answer, "%.*s", (int)r->answer.len, r->answer.s ? r->answer.s : "");
    if (t->cancelled)
        handler_none.cancel(t->cancelled);
    if (t->more-- > 0)
        handler_none.start(&shop, &(struct order){ .job_id = "job" }, on_done, t);
}

static void *begin(struct trial *t)
{
    void *call = handler_none.start(&shop, &(struct order){ .job_id = "job" }, on_done, t);
    assert_non_null(call);
    return call;
}

static int set_up(void **state)
{
    (void)state;
    return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    return uv_loop_close(&loop); /* refused while a handle is left */
}

static void each_call_succeeds_once_from_the_loop(void **state)
{
    static struct trial t[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        begin(&t[i]);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(t[i].times, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(t[i].times, 1);
        assert_int_equal(t[i].end, CALL_ANSWERED);
        assert_string_equal(t[i].answer, "{\"status\":\"success\"}");
    }
}

static void one_turn_of_the_loop_is_enough(void **state)
{
    struct trial t = { .times = 0 };
    (void)state;
    begin(&t);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(t.times, 1);
}

static void calls_may_be_started_by_the_end_of_others(void **state)
{
    struct trial t = { .more = MANY };
    (void)state;
    begin(&t);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(t.times, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(t.times, MANY + 1);
}

static void a_cancelled_call_says_so(void **state)
{
    struct trial t = { .times = 0 }, first = t, second = t;
    (void)state;
    handler_none.cancel(begin(&t));
    begin(&first);
    first.cancelled = begin(&second);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(t.times, 1);
    assert_int_equal(t.end, CALL_CANCELLED);
    assert_string_equal(t.answer, "");
    assert_int_equal(first.end, CALL_ANSWERED);
    assert_int_equal(second.end, CALL_CANCELLED);
}

static void loops_do_not_mix(void **state)
{
    uv_loop_t other;
    struct trial here = { .times = 0 }, there = here, again = here;
    (void)state;
    uv_loop_init(&other);
    begin(&here);
    shop.loop = &other;
    begin(&there);
    shop.loop = &loop;
    begin(&again);
    uv_run(&other, UV_RUN_DEFAULT);
    assert_int_equal(there.times, 1);
    assert_int_equal(here.times + again.times, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(here.times, 1);
    assert_int_equal(again.times, 1);
    assert_int_equal(uv_loop_close(&other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_succeeds_once_from_the_loop),
        cmocka_unit_test(one_turn_of_the_loop_is_enough),
        cmocka_unit_test(calls_may_be_started_by_the_end_of_others),
        cmocka_unit_test(a_cancelled_call_says_so),
        cmocka_unit_test(loops_do_not_mix),
    };
    return cmocka_run_group_tests_name("handler_none", tests, set_up, tear_down);
}
