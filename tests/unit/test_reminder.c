/* test_reminder.c: vendors are reminded of messages, until they are answered. */
#include "tests/unit/unit.h"

#include "base/json.h"
#include "core/inbox.h"
#include "core/notice.h"
#include "core/reminder.h"
#include "tests/unit/files.h"
#include "tests/unit/noticehouse.h"

#include <pthread.h>

#define HOUR_MS INT64_C(3600000)
#define STATE "peygir:notifications:reminder:m1"
#define DELAYED "peygir:notification:delayed"
#define MAIL(id) "peygir:mail:data:" id ".mail"
#define JOB(name) "peygir:notification:data:reminder:m1:" name

static struct app app;
static struct err err;
static struct reminder_hours hours;

static int open_house(void **state)
{
    (void)state;
    house_start();
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_stop();
    return 0;
}

static int enter(void **state)
{
    (void)state;
    server_flush();
    house_set("RESPONSE_REMINDER_HOURS", "8,24,48,168");
    house_enter_notices();
    app_open(&app, &house);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    app_close(&app);
    house_leave();
    return 0;
}

static int make_by(struct app *a, const char *message)
{
    const struct reminder_new n = { .message_id = span_of(message),
                                    .payload = SPAN("{\"message_id\":\"m1\",\"vendor_id\":\"v\",\"client_id\":\"c\",\"data\":{\"client\":\"Reza\"}}"),
                                    .email = SPAN("v@example.org"),
                                    .alternatives = SPAN("[\"A\",\"B\"]") };
    struct reminder_hours own;
    struct err why = ERR_INIT;
    int rc = reminder_make(a, &n, &own, &why);

    if (rc == -1)
        err = why;
    else if (rc != REMINDER_ANSWERED)
        hours = own;
    return rc;
}

static int make(void)
{
    return make_by(&app, "m1");
}

static int answer(int *cancelled)
{
    int rc = reminder_answer(&app, SPAN("m1"), cancelled, &err);

    if (rc < 0)
        fail_msg("%s", err.text);
    return rc;
}

/* In how many hours the job of m1 is due. */
static long long due_in_hours(const char *name)
{
    char *id = xasprintf("reminder:m1:%s", name);
    long long at = REDIS_NUMBER("ZSCORE", DELAYED, id), now = house_now_ms(&house);

    free(id);
    return (at - now + HOUR_MS / 2) / HOUR_MS;
}

/* As its job does it. 1 told, 0 answered. */
static int tell_by(struct app *a, const char *id)
{
    static const char payload[] = "{\"vendor_id\":\"v\",\"hours\":8,\"unless_answered\":\"m1\",\"email\":\"v@example.org\"}";
    struct job job = { .id = (char *)id, .type = (char *)REMINDER_TYPE };
    struct json_object *json;
    struct err why = ERR_INIT;

    assert_int_equal(json_parse(payload, sizeof payload - 1, &json, NULL), 0);
    int rc = notice_tell(a, notice_of_job(&house, &job, json), &job, json, &why);
    json_object_put(json);
    return rc;
}

static long long told(void)
{
    return REDIS_NUMBER("ZCARD", "peygir:notifications:order:v");
}

/* --- making --- */

static void each_hour_of_the_option_has_a_delayed_job_and_others_are_recommended_after_the_last(void **state)
{
    (void)state;
    assert_int_equal(make(), REMINDER_MADE);
    assert_int_equal(hours.count, 4);
    assert_int_equal(REDIS_NUMBER("ZCARD", DELAYED), 5);
    assert_int_equal(due_in_hours("8"), 8);
    assert_int_equal(due_in_hours("24"), 24);
    assert_int_equal(due_in_hours("48"), 48);
    assert_int_equal(due_in_hours("168"), 168);
    assert_int_equal(due_in_hours("alternatives"), 169);
    assert_redis("response_reminder", "HGET", JOB("48"), "type");
    assert_redis("alternative_vendor_recommendation", "HGET", JOB("alternatives"), "type");
    long long left = REDIS_NUMBER("PTTL", STATE) / HOUR_MS;
    assert_true(left >= 169 + 7 * 24 - 1 && left <= 169 + 7 * 24);
}

static void each_is_told_what_concerns_it(void **state)
{
    (void)state;
    make();
    assert_redis("{\"message_id\":\"m1\",\"vendor_id\":\"v\",\"client_id\":\"c\",\"data\":{\"client\":\"Reza\"},\"unless_answered\":\"m1\",\"hours\":8,"
                 "\"email\":\"v@example.org\"}", "HGET", JOB("8"), "payload");
    assert_redis("{\"message_id\":\"m1\",\"vendor_id\":\"v\",\"client_id\":\"c\",\"data\":{\"client\":\"Reza\"},\"unless_answered\":\"m1\","
                 "\"alternatives\":[\"A\",\"B\"]}", "HGET", JOB("alternatives"), "payload");
}

static void asking_again_changes_nothing(void **state)
{
    (void)state;
    make();
    REDIS_RUN("DEL", JOB("24")); /* as when the first asking broke off */
    REDIS_RUN("ZREM", DELAYED, "reminder:m1:24");
    house_set("RESPONSE_REMINDER_HOURS", "1"); /* of a later start: the first asking holds */
    assert_int_equal(make(), REMINDER_EXISTS);
    assert_int_equal(hours.count, 4);
    assert_int_equal(REDIS_NUMBER("ZCARD", DELAYED), 5);
    assert_int_equal(due_in_hours("24"), 24);
}

static void what_was_due_is_not_made_again(void **state)
{
    char *waiting = xasprintf("waiting %lld 8,24", (long long)(house_now_ms(&house) - 9 * HOUR_MS));

    (void)state;
    REDIS_RUN("SET", STATE, waiting, "PX", "100000");
    assert_int_equal(make(), REMINDER_EXISTS);
    assert_int_equal(REDIS_NUMBER("ZCARD", DELAYED), 2);
    assert_int_equal(due_in_hours("24"), 15);
    assert_int_equal(due_in_hours("alternatives"), 16);
    free(waiting);
}

static void messages_have_ids_that_fit_into_keys(void **state)
{
    char longest[REMINDER_MESSAGE_MAX + 2];

    (void)state;
    memset(longest, 'm', sizeof longest);
    assert_true(reminder_message_ok((struct span){ longest, REMINDER_MESSAGE_MAX }));
    assert_false(reminder_message_ok((struct span){ longest, REMINDER_MESSAGE_MAX + 1 }));
    assert_true(reminder_message_ok(SPAN("a_B.9:-")));
    assert_false(reminder_message_ok(SPAN("")));
    assert_false(reminder_message_ok(SPAN("a b")));
    assert_false(reminder_message_ok(SPAN("é")));
    assert_false(reminder_message_ok((struct span){ NULL, 0 }));
}

/* --- answered --- */

static void an_answer_ends_what_waits(void **state)
{
    int cancelled;

    (void)state;
    make();
    assert_int_equal(answer(&cancelled), 1);
    assert_int_equal(cancelled, 5);
    assert_int_equal(REDIS_NUMBER("EXISTS", DELAYED), 0);
    assert_redis("cancelled", "HGET", JOB("8"), "status");
    assert_int_equal(answer(&cancelled), 1);
    assert_int_equal(cancelled, 0);
    assert_int_equal(make(), REMINDER_ANSWERED);
    assert_int_equal(REDIS_NUMBER("EXISTS", DELAYED), 0);
    assert_true(REDIS_NUMBER("PTTL", STATE) > 0);
}

static void of_what_nobody_asked_for_there_is_no_answer(void **state)
{
    int cancelled;

    (void)state;
    assert_int_equal(answer(&cancelled), 0);
    assert_int_equal(REDIS_NUMBER("EXISTS", STATE), 0);
}

static void a_reminder_that_was_taken_before_the_answer_and_runs_after_it_is_not_told(void **state)
{
    int cancelled;

    (void)state;
    make();
    assert_int_equal(tell_by(&app, "before"), 1);
    answer(&cancelled);
    assert_int_equal(tell_by(&app, "after"), 0);
    assert_int_equal(told(), 1);
    assert_int_equal(REDIS_NUMBER("EXISTS", MAIL("after")), 0);
}

static void the_mail_of_a_reminder_ends_with_the_answer_and_is_not_counted(void **state)
{
    int cancelled;

    (void)state;
    make();
    assert_int_equal(tell_by(&app, "reminder:m1:8"), 1);
    assert_redis("pending", "HGET", MAIL("reminder:m1:8"), "status");
    answer(&cancelled);
    assert_int_equal(cancelled, 5);
    assert_redis("cancelled", "HGET", MAIL("reminder:m1:8"), "status");
    assert_int_equal(REDIS_NUMBER("EXISTS", MAIL("reminder:m1:24")), 0);
}

static void a_mail_that_was_pushed_past_the_answer_is_withdrawn_by_the_next_try(void **state)
{
    int cancelled;

    (void)state;
    make();
    assert_int_equal(tell_by(&app, "cut_off"), 1); /* of an id that the answer does not look for */
    answer(&cancelled);
    assert_redis("pending", "HGET", MAIL("cut_off"), "status");
    assert_int_equal(tell_by(&app, "cut_off"), 0);
    assert_redis("cancelled", "HGET", MAIL("cut_off"), "status");
}

struct racer {
    struct app app;
    int rc;
};

static void *tell_it(void *arg)
{
    struct racer *r = arg;

    r->rc = tell_by(&r->app, "reminder:m1:8");
    return NULL;
}

static void *answer_it(void *arg)
{
    struct racer *r = arg;
    struct err why = ERR_INIT;
    int cancelled;

    r->rc = reminder_answer(&r->app, SPAN("m1"), &cancelled, &why);
    return NULL;
}

static void *make_it(void *arg)
{
    struct racer *r = arg;

    r->rc = make_by(&r->app, "m1");
    return NULL;
}

/* Both at once; what each came to. */
static void race(void *(*one)(void *), void *(*other)(void *), int *rc_one, int *rc_other)
{
    static struct racer racers[2];
    pthread_t thread[2];

    for (int i = 0; i < 2; i++)
        app_open(&racers[i].app, &house);
    assert_int_equal(pthread_create(&thread[0], NULL, one, &racers[0]), 0);
    assert_int_equal(pthread_create(&thread[1], NULL, other, &racers[1]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        app_close(&racers[i].app);
    }
    *rc_one = racers[0].rc;
    *rc_other = racers[1].rc;
}

static void a_reminder_and_an_answer_at_once_agree_on_which_came_first(void **state)
{
    (void)state;
    for (int turn = 0; turn < 50; turn++) {
        int told_rc, answer_rc;
        server_flush();
        make();
        race(tell_it, answer_it, &told_rc, &answer_rc);
        assert_int_equal(answer_rc, 1);
        assert_true(told_rc == 0 || told_rc == 1);
        assert_int_equal(told(), told_rc);
        if (REDIS_NUMBER("EXISTS", MAIL("reminder:m1:8")))
            assert_redis("cancelled", "HGET", MAIL("reminder:m1:8"), "status");
        assert_int_equal(tell_by(&app, "late"), 0);
    }
}

static void making_and_answering_at_once_never_reminds_of_what_was_answered(void **state)
{
    (void)state;
    for (int turn = 0; turn < 50; turn++) {
        int made, answered;
        server_flush();
        race(make_it, answer_it, &made, &answered);
        assert_true(made == REMINDER_MADE && answered >= 0);
        assert_int_equal(tell_by(&app, "x"), answered == 0);
    }
}

/* --- bad days --- */

static void without_its_job_types_nobody_is_reminded_and_the_error_names_the_file(void **state)
{
    leave(state);
    assert_int_equal(files_setup(state), 0);
    files_put("default.json", "{\"handler\":\"none\"}");
    files_put(REMINDER_TYPE ".json", "{\"handler\":\"notify\"}");
    house_set("PEYGIR_JOBS_DIR", files_dir());
    house_enter(HOUSE_JOB_TYPES);
    app_open(&app, &house);
    assert_int_equal(make(), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "The job type " REMINDER_LAST_TYPE " was taken away"));
    assert_redis("0", "DBSIZE");
    assert_int_equal(files_teardown(state), 0);
}

static void a_full_redis_refuses_new_ones_and_takes_answers(void **state)
{
    int cancelled;

    (void)state;
    make();
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    int rc = make_by(&app, "m2");
    int ended = answer(&cancelled);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_int_equal(rc, -1);
    assert_int_equal(err.kind, ERR_FULL);
    assert_int_equal(ended, 1);
    assert_int_equal(cancelled, 5);
}

static void without_redis_nothing_is_said_to_be_done(void **state)
{
    int cancelled;

    (void)state;
    make();
    server_kill();
    assert_int_equal(make(), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_int_equal(reminder_answer(&app, SPAN("m1"), &cancelled, &err), -1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(each_hour_of_the_option_has_a_delayed_job_and_others_are_recommended_after_the_last),
        TEST(each_is_told_what_concerns_it),
        TEST(asking_again_changes_nothing),
        TEST(what_was_due_is_not_made_again),
        TEST(messages_have_ids_that_fit_into_keys),
        TEST(an_answer_ends_what_waits),
        TEST(of_what_nobody_asked_for_there_is_no_answer),
        TEST(a_reminder_that_was_taken_before_the_answer_and_runs_after_it_is_not_told),
        TEST(the_mail_of_a_reminder_ends_with_the_answer_and_is_not_counted),
        TEST(a_mail_that_was_pushed_past_the_answer_is_withdrawn_by_the_next_try),
        TEST(a_reminder_and_an_answer_at_once_agree_on_which_came_first),
        TEST(making_and_answering_at_once_never_reminds_of_what_was_answered),
        TEST(without_its_job_types_nobody_is_reminded_and_the_error_names_the_file),
        TEST(a_full_redis_refuses_new_ones_and_takes_answers),
        TEST(without_redis_nothing_is_said_to_be_done), /* takes Redis away: the last */
    };
    return cmocka_run_group_tests_name("reminder", tests, open_house, close_house);
}
