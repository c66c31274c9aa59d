/* test_handler_maintenance.c: maintenance as a job, carried out on a loop of the test */
#include "tests/unit/unit.h"

#include "core/job_type.h"
#include "core/session.h"
#include "tests/unit/jobhouse.h"
#include "worker/handler.h"
#include "core/pool.h"

static uv_loop_t loop;
static struct workshop shop = { .loop = &loop };

struct trial {
    int times;
    enum call_end end;
    char answer[256], detail[256];
};

static void on_done(void *ctx, const struct call_result *r)
{
    struct trial *t = ctx;
    t->times++;
    t->end = r->end;
    snprintf(t->answer, sizeof t->answer, "%.*s", (int)r->answer.len, r->answer.s ? r->answer.s : "");
    snprintf(t->detail, sizeof t->detail, "%s", r->detail);
}

static struct trial run(const char *name, bool cancelled)
{
    const struct job_type type = { .name = (char *)name };
    struct trial t = { .times = 0 };
    void *call = handler_maintenance.start(&shop, &(struct order){ .job_id = "job_1", .body = SPAN("{}"), .type = &type }, on_done, &t);
    assert_non_null(call);
    assert_int_equal(t.times, 0);
    if (cancelled)
        handler_maintenance.cancel(call);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(t.times, 1);
    assert_int_equal(pool_busy(shop.pool), 0);
    return t;
}

static int set_up(void **state)
{
    (void)state;
    house_start();
    house_enter(0);
    shop.pool = pool_new(&loop, &house);
    return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    pool_free(shop.pool);
    house_leave();
    house_stop();
    return uv_loop_close(&loop);
}

static int fresh(void **state)
{
    (void)state;
    server_flush();
    return 0;
}

/* So many users whose sessions are gone. */
static void leave_behind(int users)
{
    struct app app;
    struct err err = ERR_INIT;
    app_open(&app, &house);
    redis_use_db(app.session_redis, app.session_db);
    for (int i = 0; i < users; i++) {
        redis_queuef(app.session_redis, "SADD peygir:user_sessions:u%d gone", i);
        redis_queuef(app.session_redis, "ZADD peygir:user_sessions 1 u%d", i);
    }
    assert_non_null(redis_do(app.session_redis, &err, "PING"));
    app_close(&app);
}

static void ended_sessions_are_forgotten_piece_by_piece_and_counted(void **state)
{
    (void)state;
    leave_behind(2 * SESSION_CLEANUP + 7);
    struct trial t = run("cleanup_expired_sessions", false);
    assert_int_equal(t.end, CALL_ANSWERED);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"forgotten\":207}}");
    assert_redis("0", "-n", "2", "DBSIZE");
    t = run("cleanup_expired_sessions", false);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"forgotten\":0}}");
}

static void a_cancelled_call_ends_between_two_pieces(void **state)
{
    (void)state;
    leave_behind(2 * SESSION_CLEANUP);
    assert_int_equal(run("cleanup_expired_sessions", true).end, CALL_CANCELLED);
    assert_redis("100", "-n", "2", "ZCARD", "peygir:user_sessions");
}

static void a_name_that_is_none_fails_for_good(void **state)
{
    (void)state;
    struct trial t = run("nothing", false);
    assert_int_equal(t.end, CALL_ANSWERED);
    assert_non_null(strstr(t.answer, "\"code\":\"unknown_maintenance\""));
    assert_non_null(strstr(t.answer, "\"retryable\":false"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ended_sessions_are_forgotten_piece_by_piece_and_counted, fresh),
        cmocka_unit_test_setup(a_cancelled_call_ends_between_two_pieces, fresh),
        cmocka_unit_test_setup(a_name_that_is_none_fails_for_good, fresh),
    };
    return cmocka_run_group_tests_name("handler_maintenance", tests, set_up, tear_down);
}
