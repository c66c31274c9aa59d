/* test_leg_plain.c: jobs that are no service request: which call, how often, and what becomes of them. Needs no Redis. */
#include "tests/unit/unit.h"

#include "core/app.h"
#include "tests/unit/files.h"
#include "worker/leg_part.h"

static const struct policy policy = { .tries = 4, .timeout_s = 300, .backoff_s = 60, .call_timeout_s = 180, .refused_repeats = 2 };

static struct house house;
static struct leg leg;

static int write_types(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    files_setup(NULL);
    files_put("default.json", "{\"handler\":\"http\",\"path\":\"/api/jobs/default\"}");
    files_put("typed.json", "{\"handler\":\"http\",\"path\":\"/typed\",\"tries\":2,\"timeout\":30,\"backoff\":[5,7],\"limits\":{\"at_once\":3}}");
    files_put("local.json", "{\"handler\":\"exec\",\"command\":[\"true\"]}");
    house.job_types = job_types_open(files_dir(), &err);
    if (!house.job_types)
        fail_msg("%s", err.text);
    return 0;
}

static int remove_types(void **state)
{
    (void)state;
    job_types_free(house.job_types);
    files_teardown(NULL);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    leg_clear(&leg);
    return 0;
}

/* A job of this type that was taken for the first time; its numbers are the caller's to set. */
static struct job *take(const char *type)
{
    struct job job = { .queue = xstrdup("task"),
                       .id = xstrdup("id \"1\""),
                       .type = xstrdup(type),
                       .payload = xstrdup("{\"a\":1}"),
                       .run = 3,
                       .created_ms = 1234 };

    leg_init(&leg, &policy, &job);
    return &leg.job;
}

static void answer(enum call_end end, const char *text)
{
    leg.call_end = end;
    str_reset(&leg.answer);
    str_adds(&leg.answer, text);
    leg_judge_plain(&leg);
}

static void the_body_says_what_the_job_is_and_carries_its_payload(void **state)
{
    (void)state;
    take("typed")->attempts = 1;
    leg.job.user_id = xstrdup("u1");
    assert_int_equal(leg_begin_plain(&house, &leg), 1);
    assert_string_equal(leg.path, "/typed");
    assert_string_equal(leg.body.s, "{\"job\":{\"id\":\"id \\\"1\\\"\",\"type\":\"typed\",\"queue\":\"task\",\"attempt\":2,\"run\":3,"
                                    "\"user_id\":\"u1\",\"created_at\":1234},\"payload\":{\"a\":1}}");
}

static void an_unknown_type_is_carried_out_as_the_default_one(void **state)
{
    (void)state;
    take("whatever");
    assert_int_equal(leg_begin_plain(&house, &leg), 1);
    assert_string_equal(leg.path, "/api/jobs/default");
    assert_string_equal(leg.handler->name, "http");
    assert_non_null(strstr(leg.body.s, "\"type\":\"whatever\""));
}

static void the_third_death_ends_it_without_a_call(void **state)
{
    (void)state;
    take("typed")->deaths = JOB_DEATHS_MAX;
    assert_int_equal(leg_begin_plain(&house, &leg), 0);
    assert_int_equal(leg.outcome, JOB_FAILED);
    assert_string_equal(leg.error, "poison");
}

static void the_job_says_more_than_its_type_and_that_more_than_the_worker(void **state)
{
    (void)state;
    take("typed");
    leg_begin_plain(&house, &leg);
    assert_int_equal(leg_tries(&leg), 2);
    assert_int_equal(leg_attempt_ms(&leg), 30000);
    assert_int_equal(leg_call_ms(&leg), 30000);
    assert_int_equal(leg_backoff_ms(&leg), 5000);
    leg.job.attempts = 1;
    assert_int_equal(leg_backoff_ms(&leg), 7000);
    leg.job.max_attempts = 9;
    leg.job.timeout_s = 11;
    leg.job.backoff = xstrdup("1,2,3");
    assert_int_equal(leg_tries(&leg), 9);
    assert_int_equal(leg_attempt_ms(&leg), 11000);
    assert_int_equal(leg_backoff_ms(&leg), 2000);
}

static void where_nobody_says_anything_the_worker_does(void **state)
{
    (void)state;
    take("default");
    leg_begin_plain(&house, &leg);
    assert_int_equal(leg_tries(&leg), 4);
    assert_int_equal(leg_attempt_ms(&leg), 300000);
    assert_int_equal(leg_call_ms(&leg), 180000);
    assert_int_equal(leg_backoff_ms(&leg), 60000);
}

static void a_backoff_that_is_none_counts_for_nothing(void **state)
{
    (void)state;
    take("typed")->backoff = xstrdup("soon");
    leg_begin_plain(&house, &leg);
    assert_int_equal(leg_backoff_ms(&leg), 5000);
}

static void the_time_of_a_call_to_a_bot_is_not_that_of_a_program(void **state)
{
    (void)state;
    take("local");
    leg_begin_plain(&house, &leg);
    assert_int_equal(leg_call_ms(&leg), 300000);
}

static void the_data_of_a_success_is_the_result(void **state)
{
    (void)state;
    take("typed");
    leg_begin_plain(&house, &leg);
    answer(CALL_ANSWERED, "{\"status\":\"success\",\"data\":{\"b\":[2]}}");
    const struct job_end end = leg_end(&leg);
    assert_int_equal(end.outcome, JOB_COMPLETED);
    assert_string_equal(end.result, "{\"b\":[2]}");
    assert_string_equal(end.limited, "typed");
    assert_null(end.error);
}

static void a_result_that_is_too_long_is_not_kept(void **state)
{
    struct str text = STR_INIT;

    (void)state;
    str_adds(&text, "{\"status\":\"success\",\"data\":{\"x\":\"");
    for (int i = 0; i < JOB_RESULT_MAX; i++)
        str_addc(&text, 'x');
    str_adds(&text, "\"}}");
    take("default");
    leg_begin_plain(&house, &leg);
    answer(CALL_ANSWERED, text.s);
    assert_int_equal(leg_end(&leg).outcome, JOB_COMPLETED);
    assert_null(leg_end(&leg).result);
    str_free(&text);
}

static void trouble_is_tried_again_until_the_tries_are_used_up(void **state)
{
    (void)state;
    take("typed");
    leg_begin_plain(&house, &leg);
    answer(CALL_TIMED_OUT, "");
    assert_int_equal(leg_end(&leg).outcome, JOB_AGAIN);
    assert_int_equal(leg_end(&leg).delay_ms, 5000);
    leg.job.attempts = 1;
    answer(CALL_TIMED_OUT, "");
    assert_int_equal(leg_end(&leg).outcome, JOB_FAILED);
    assert_string_equal(leg_end(&leg).error, "timeout");
}

static void an_error_is_tried_again_only_if_it_says_so(void **state)
{
    (void)state;
    take("typed");
    leg_begin_plain(&house, &leg);
    answer(CALL_ANSWERED, "{\"status\":\"error\",\"code\":\"BUSY\",\"message\":\"come later\",\"retryable\":true}");
    assert_int_equal(leg_end(&leg).outcome, JOB_AGAIN);
    assert_string_equal(leg_end(&leg).error, "error BUSY: come later");
    answer(CALL_ANSWERED, "{\"status\":\"error\",\"code\":\"NEVER\"}");
    assert_int_equal(leg_end(&leg).outcome, JOB_FAILED);
}

static void garbage_is_trouble_and_not_success(void **state)
{
    (void)state;
    take("typed");
    leg_begin_plain(&house, &leg);
    answer(CALL_ANSWERED, "<html>");
    assert_int_equal(leg_end(&leg).outcome, JOB_AGAIN);
    assert_null(leg_end(&leg).result);
}

static void a_stopping_worker_gives_it_back(void **state)
{
    (void)state;
    take("typed");
    leg_begin_plain(&house, &leg);
    answer(CALL_STOPPED, "");
    assert_int_equal(leg_end(&leg).outcome, JOB_GIVE_BACK);
    assert_int_equal(leg_end(&leg).delay_ms, 0);
}

#define with_leg(test) cmocka_unit_test_teardown(test, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_leg(the_body_says_what_the_job_is_and_carries_its_payload),
        with_leg(an_unknown_type_is_carried_out_as_the_default_one),
        with_leg(the_third_death_ends_it_without_a_call),
        with_leg(the_job_says_more_than_its_type_and_that_more_than_the_worker),
        with_leg(where_nobody_says_anything_the_worker_does),
        with_leg(a_backoff_that_is_none_counts_for_nothing),
        with_leg(the_time_of_a_call_to_a_bot_is_not_that_of_a_program),
        with_leg(the_data_of_a_success_is_the_result),
        with_leg(a_result_that_is_too_long_is_not_kept),
        with_leg(trouble_is_tried_again_until_the_tries_are_used_up),
        with_leg(an_error_is_tried_again_only_if_it_says_so),
        with_leg(garbage_is_trouble_and_not_success),
        with_leg(a_stopping_worker_gives_it_back),
    };
    return cmocka_run_group_tests_name("leg_plain", tests, write_types, remove_types);
}
