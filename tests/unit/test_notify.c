/* test_notify.c: messages to users, heard on a subscription. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/json.h"
#include "core/notify.h"
#include "tests/unit/ear.h"

static struct app app;
static const char *told;

static int set_up(void **state)
{
    (void)state;
    house_start();
    house_set("PEYGIR_PREFIX", "p");
    house_enter(0);
    app_open(&app, &house);
    ear_open();
    ear_add("p:notifications");
    ear_add("p:notifications:user:u1");
    ear_add("p:notifications:user:");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ear_close();
    app_close(&app);
    house_leave();
    house_stop();
    return 0;
}

static void send_it(const struct notification *n)
{
    struct err err = ERR_INIT;
    if (notify_send(&app, n, &err) < 0)
        fail_msg("%s", err.text);
    told = ear_hear();
}

/* The message of `channel`, its timestamp checked and replaced by 0. */
static void assert_heard(const char *channel, const char *message)
{
    static const char *const names[] = { "timestamp" };
    char *begin = xasprintf("%s {", channel), *line = strstr(told, begin);
    struct str plain = STR_INIT;
    struct span text, at;
    if (!line)
        fail_msg("nothing came on %s: %s", channel, told);
    text = (struct span){ line + strlen(channel) + 1, strcspn(line, "\n") - strlen(channel) - 1 };
    assert_int_equal(json_check(text.s, text.len, NULL), 0);
    assert_int_equal(raw_get_many(text, names, &at, 1), 1);
    assert_true(raw_int(at, 0) <= clock_ms() && raw_int(at, 0) > clock_ms() - 60000);
    raw_set(&plain, text, &(struct raw_member){ "timestamp", SPAN("0") }, 1);
    assert_string_equal(plain.s, message);
    str_free(&plain);
    free(begin);
}

static void a_message_goes_to_everybody_and_to_its_user(void **state)
{
    static const char all[] = "{\"type\":\"notification\",\"task_id\":\"job_1\",\"user_id\":\"u1\",\"message\":\"سلام \\\"x\\\"\","
                              "\"data\":{\"a\":[1]},\"timestamp\":0}";
    (void)state;
    uint64_t trips = redis_round_trips(app.redis);
    send_it(&(struct notification){ "job_1", SPAN("u1"), SPAN("سلام \"x\""), SPAN("{\"a\":[1]}") });
    assert_heard("p:notifications", all);
    assert_heard("p:notifications:user:u1", all);
    assert_true(redis_round_trips(app.redis) - trips <= 2); /* the first one connects */
    trips = redis_round_trips(app.redis);
    send_it(&(struct notification){ "job_1", SPAN("u1"), SPAN("x"), { NULL, 0 } });
    assert_int_equal(redis_round_trips(app.redis) - trips, 1);
}

static void a_message_without_a_user_goes_to_the_general_channel_only(void **state)
{
    (void)state;
    send_it(&(struct notification){ .message = SPAN("news") });
    assert_heard("p:notifications", "{\"type\":\"notification\",\"task_id\":null,\"user_id\":null,\"message\":\"news\","
                                    "\"data\":null,\"timestamp\":0}");
    assert_null(strstr(told, ":user:"));
}

static void an_id_that_is_no_user_s_is_refused(void **state)
{
    char id[200];
    struct err err = ERR_INIT;
    (void)state;
    memset(id, 'x', sizeof id);
    assert_int_equal(notify_send(&app, &(struct notification){ .user_id = { id, 129 }, .message = SPAN("x") }, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_string_equal(err.text, "A user's id has 1 to 128 bytes, and this one has 129.");
    assert_int_equal(notify_send(&app, &(struct notification){ .user_id = { id, 0 }, .message = SPAN("x") }, &err), -1);
    told = ear_hear();
    assert_string_equal(told, "");
    assert_int_equal(notify_send(&app, &(struct notification){ .user_id = { id, 128 }, .message = SPAN("x") }, &err), 0);
}

static void without_redis_it_says_so(void **state)
{
    struct err err = ERR_INIT;
    (void)state;
    server_kill();
    assert_int_equal(notify_send(&app, &(struct notification){ .message = SPAN("x") }, &err), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    server_start();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_to_everybody_and_to_its_user),
        cmocka_unit_test(a_message_without_a_user_goes_to_the_general_channel_only),
        cmocka_unit_test(an_id_that_is_no_user_s_is_refused),
        cmocka_unit_test(without_redis_it_says_so),
    };
    return cmocka_run_group_tests_name("notify", tests, set_up, tear_down);
}
