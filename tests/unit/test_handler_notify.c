/* test_handler_notify.c: jobs that are messages to users, carried out on a loop of the test */
#include "tests/unit/unit.h"

#include "core/job.h"
#include "tests/unit/ear.h"
#include "tests/unit/noticehouse.h"
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

static struct trial run_as(const char *type, const char *payload, bool cancelled)
{
    struct job job = { .id = (char *)"job_1", .type = (char *)type, .payload = (char *)payload };
    struct trial t = { .times = 0 };
    void *call = handler_notify.start(&shop, &(struct order){ .job_id = job.id, .body = SPAN("{}"), .job = &job }, on_done, &t);
    assert_non_null(call);
    assert_int_equal(t.times, 0);
    if (cancelled)
        handler_notify.cancel(call);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(t.times, 1);
    assert_int_equal(pool_busy(shop.pool), 0);
    return t;
}

static struct trial run(const char *payload, bool cancelled)
{
    return run_as("notify", payload, cancelled);
}

static int set_up(void **state)
{
    (void)state;
    house_start();
    house_set("PEYGIR_PREFIX", "p");
    house_enter_notices();
    ear_open();
    ear_add("p:notifications");
    ear_add("p:notifications:user:u1");
    ear_add("p:notifications:user:42");
    shop.pool = pool_new(&loop, &house);
    return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    pool_free(shop.pool);
    ear_close();
    house_leave();
    house_stop();
    return uv_loop_close(&loop);
}

static void assert_sent(const char *payload, const char *on, const char *not_on, const char *what)
{
    struct trial t = run(payload, false);
    assert_int_equal(t.end, CALL_ANSWERED);
    assert_string_equal(t.answer, "{\"status\":\"success\"}");
    const char *told = ear_hear();
    assert_non_null(strstr(told, on));
    assert_true(!not_on || !strstr(told, not_on));
    assert_non_null(strstr(told, what));
}

static void a_user_gets_the_message_and_its_data(void **state)
{
    (void)state;
    assert_sent("{\"message\":\"a\\u00e9\",\"user_id\":\"u1\",\"data\":{\"b\": 1}}", "p:notifications:user:u1 {", NULL,
                "\"task_id\":\"job_1\",\"user_id\":\"u1\",\"message\":\"aé\",\"data\":{\"b\": 1},");
    assert_sent("{\"message\":\"x\",\"user_id\":42}", "p:notifications:user:42 {", NULL, "\"user_id\":\"42\"");
}

static void without_a_user_everybody_gets_it(void **state)
{
    (void)state;
    assert_sent("{\"message\":\"news\"}", "p:notifications {", ":user:", "\"user_id\":null,\"message\":\"news\",\"data\":null");
    assert_sent("{\"message\":\"news\",\"user_id\":null}", "p:notifications {", ":user:", "\"user_id\":null");
}

static void a_payload_that_is_none_fails_for_good(void **state)
{
    static const char *const payloads[] = { "", "{}", "[]", "{\"message\":", "{\"message\":5}", "{\"message\":\"\"}",
                                            "{\"message\":\"x\",\"user_id\":\"\"}", "{\"message\":\"x\",\"user_id\":-1}",
                                            "{\"message\":\"x\",\"user_id\":{}}", "{\"message\":\"x\",\"user_id\":true}" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        struct trial t = run(payloads[i], false);
        assert_int_equal(t.end, CALL_ANSWERED);
        assert_non_null(strstr(t.answer, "{\"status\":\"error\",\"code\":\"invalid_payload\",\"message\":\"The payload"));
        assert_non_null(strstr(t.answer, ",\"retryable\":false}"));
    }
    assert_string_equal(ear_hear(), "");
}

static void a_user_s_id_that_is_too_long_fails_for_good(void **state)
{
    char payload[256];
    (void)state;
    snprintf(payload, sizeof payload, "{\"message\":\"x\",\"user_id\":\"%0129d\"}", 0);
    struct trial t = run(payload, false);
    assert_string_equal(t.answer, "{\"status\":\"error\",\"code\":\"invalid_payload\",\"message\":\"A user's id has 1 to 128 "
                                  "bytes, and this one has 129.\",\"retryable\":false}");
}

/* --- events --- */

static void an_event_is_kept_and_published_once(void **state)
{
    static const char payload[] = "{\"event\":\"message\",\"user_id\":\"u1\",\"data\":{\"title\":\"T\",\"text\":\"x\"}}";
    (void)state;
    assert_sent(payload, "p:notifications:user:u1 {", NULL, "\"message\":\"x\",\"data\":{\"title\":\"T\",\"text\":\"x\"},\"id\":\"job_1\",\"event\":\"message\","
                "\"title\":\"T\",\"texts\":{\"en\":{\"title\":\"T\",\"text\":\"x\"},\"fa\":{\"title\":\"T\",\"text\":\"x\"}},");
    assert_redis("1", "HEXISTS", "p:notifications:kept:u1", "job_1");
    struct trial t = run(payload, false);
    assert_string_equal(t.answer, "{\"status\":\"success\"}");
    assert_string_equal(ear_hear(), "");
}

static void a_type_that_is_an_event_needs_no_other_name_and_tells_what_it_has(void **state)
{
    (void)state;
    struct trial t = run_as("vendor_cart_add", "{\"vendor_id\":42,\"client_id\":7,\"client\":\"Reza\",\"email\":\"v@example.org\",\"locale\":\"en\",\"data\":{\"service\":\"Tea\"}}", false);
    assert_string_equal(t.answer, "{\"status\":\"success\"}");
    const char *told = ear_hear();
    assert_non_null(strstr(told, "p:notifications:user:42 {"));
    assert_non_null(strstr(told, "\"data\":{\"vendor_id\":42,\"client_id\":7,\"client\":\"Reza\",\"service\":\"Tea\"}"));
    assert_non_null(strstr(told, "Reza has put Tea into the cart."));
    assert_null(strstr(told, "example.org"));
}

static void an_event_without_a_user_or_with_too_much_to_tell_fails_for_good(void **state)
{
    static const char *const payloads[] = { "{\"event\":\"message\"}", "{\"event\":\"message\",\"user_id\":\"\"}", "{\"event\":\"message\",\"user_id\":[]}",
                                            "{\"event\":\"message\",\"user_id\":\"a\\nb\"}", "{\"event\":\"message\",\"vendor_id\":\"u1\"}",
                                            "{\"event\":\"nothing\",\"user_id\":\"u1\"}", "{\"event\":\"message\",\"user_id\":\"u1\",\"unless_answered\":true}",
                                            "{\"event\":\"message\",\"user_id\":\"u1\",\"unless_answered\":\"a b\"}" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        struct trial t = run(payloads[i], false);
        assert_non_null(strstr(t.answer, "{\"status\":\"error\",\"code\":\"invalid_payload\",\"message\":\"The payload"));
    }
    char *large = xasprintf("{\"event\":\"message\",\"user_id\":\"u1\",\"data\":{\"x\":\"%04096d\"}}", 0);
    struct trial t = run(large, false);
    free(large);
    assert_non_null(strstr(t.answer, "What message tells has 4104 bytes of JSON, and 4096 is the most."));
    assert_string_equal(ear_hear(), "");
}

static void without_the_site_s_address_a_mail_has_no_link_to_a_path(void **state)
{
    (void)state;
    struct trial t = run_as("response_reminder", "{\"vendor_id\":\"u9\",\"email\":\"v@example.org\",\"locale\":\"en\",\"link\":\"/requests\",\"client\":\"Reza\",\"hours\":8}", false);
    assert_string_equal(t.answer, "{\"status\":\"success\"}");
    assert_redis("{\"to\":\"v@example.org\",\"template\":\"reminder\",\"locale\":\"en\",\"data\":{\"vendor_id\":\"u9\",\"client\":\"Reza\",\"hours\":8,"
                 "\"title\":\"A message waits for your answer\",\"about\":\"Reza has waited 8 hours for your answer. \"}}", "HGET", "p:mail:data:job_1.mail", "payload");
    assert_non_null(strstr(ear_hear(), "\"link\":\"/requests\""));
}

static void what_was_answered_is_not_told_and_is_no_error(void **state)
{
    (void)state;
    struct trial t = run("{\"event\":\"message\",\"user_id\":\"u1\",\"unless_answered\":\"m1\"}", false);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"answered\":true}}");
    assert_string_equal(ear_hear(), "");
}

static void a_cancelled_call_says_so(void **state)
{
    (void)state;
    struct trial t = run("{\"message\":\"x\"}", true);
    assert_int_equal(t.end, CALL_CANCELLED);
    assert_string_equal(t.answer, "");
}

static void without_redis_it_is_worth_another_try(void **state)
{
    (void)state;
    server_kill();
    struct trial t = run("{\"message\":\"x\"}", false);
    assert_int_equal(t.end, CALL_REFUSED);
    assert_string_not_equal(t.detail, "");
    server_start();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_gets_the_message_and_its_data),
        cmocka_unit_test(without_a_user_everybody_gets_it),
        cmocka_unit_test(a_payload_that_is_none_fails_for_good),
        cmocka_unit_test(a_user_s_id_that_is_too_long_fails_for_good),
        cmocka_unit_test(an_event_is_kept_and_published_once),
        cmocka_unit_test(a_type_that_is_an_event_needs_no_other_name_and_tells_what_it_has),
        cmocka_unit_test(an_event_without_a_user_or_with_too_much_to_tell_fails_for_good),
        cmocka_unit_test(without_the_site_s_address_a_mail_has_no_link_to_a_path),
        cmocka_unit_test(what_was_answered_is_not_told_and_is_no_error),
        cmocka_unit_test(a_cancelled_call_says_so),
        cmocka_unit_test(without_redis_it_is_worth_another_try),
    };
    return cmocka_run_group_tests_name("handler_notify", tests, set_up, tear_down);
}
