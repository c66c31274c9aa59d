/* test_view.c: the public view */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/json.h"
#include "core/view.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

static struct err err;

static struct json_object *paused_view_of(struct span h, const char *locale, struct span paused)
{
    struct request rq = house_read(h);
    rq.ahead = 0;
    rq.paused = paused;
    struct str text = STR_INIT;
    struct json_object *view = NULL;
    view_add(&text, &rq, house_service("credit-score-rating"), locales_find(house_app()->house->locales, span_of(locale)));
    if (json_parse(text.s, text.len, &view, &err) < 0)
        fail_msg("%s in %s", err.text, text.s);
    str_free(&text);
    return view;
}

static struct json_object *view_of(struct span h, const char *locale)
{
    return paused_view_of(h, locale, (struct span){ NULL, 0 });
}

static const char *text_of(struct json_object *view, const char *name)
{
    return json_object_get_string(json_object_object_get(view, name));
}

static void the_view_has_every_field_of_the_contract(void **state)
{
    (void)state;
    static const char *const names[] = { "hash", "service_slug", "status", "step", "progress", "current_message", "estimated_duration",
                                         "revision", "updated_at", "requires_otp", "is_completed", "is_failed", "is_cancelled", "error", "otp",
                                         "expires_at", "estimated_remaining_time", "queue_position", "redirect_url" };
    char hash[HASH_SIZE];
    struct json_object *view = view_of(house_request("k", hash), "en");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_true(json_object_object_get_ex(view, names[i], NULL));
    assert_int_equal(json_object_object_length(view), (int)ARRAY_LEN(names));
    assert_int_equal(json_object_get_int(json_object_object_get(view, "queue_position")), 1);
    json_object_put(view);
}

static void nothing_private_is_in_the_view(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct json_object *view = view_of(house_request("k", hash), "fa");
    const char *text = json_object_to_json_string(view);
    assert_null(strstr(text, "09120000000"));
    assert_null(strstr(text, "0123456789ABCDEFGHJKMNPQRS"));
    json_object_put(view);
}

static void a_catalogue_key_is_shown_in_the_readers_language(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_request("k", hash);
    struct json_object *fa = view_of(h, "fa"), *en = view_of(h, "en");
    assert_string_not_equal(text_of(fa, "current_message"), "messages.queued");
    assert_string_not_equal(text_of(fa, "current_message"), text_of(en, "current_message"));
    json_object_put(fa);
    json_object_put(en);
}

static void the_place_follows_the_state(void **state)
{
    (void)state;
    char hash[HASH_SIZE], place[96];
    struct span h = house_processing("k", hash);
    struct json_object *view = view_of(h, "en");
    snprintf(place, sizeof place, "/services/credit-score-rating/progress/%s", hash);
    assert_string_equal(text_of(view, "redirect_url"), place);
    json_object_put(view);
    assert_int_equal(otp_require(house_app(), house_service("credit-score-rating"), h, 1, &(struct otp_ask){ .message = "m" }, &err), 1);
    view = view_of(h, "en");
    snprintf(place, sizeof place, "/services/credit-score-rating/otp/%s", hash);
    assert_string_equal(text_of(view, "redirect_url"), place);
    struct json_object *otp = json_object_object_get(view, "otp");
    assert_in_range(json_object_get_int(json_object_object_get(otp, "expires_in")), 118, 120);
    assert_in_range(json_object_get_int(json_object_object_get(otp, "resend_in")), 58, 60);
    json_object_put(view);
    assert_int_equal(request_fail(house_app(), h, 1, &(struct request_error){ "x", "errors.failed", true }, &err), 1);
    view = view_of(h, "en");
    snprintf(place, sizeof place, "/services/credit-score-rating/result/%s", hash);
    assert_string_equal(text_of(view, "redirect_url"), place);
    assert_true(json_object_get_boolean(json_object_object_get(view, "is_failed")));
    assert_string_not_equal(text_of(json_object_object_get(view, "error"), "message"), "errors.failed");
    json_object_put(view);
}

static void expect_message(struct span h, struct span paused, const char *message)
{
    struct json_object *view = paused_view_of(h, "en", paused);
    assert_string_equal(text_of(view, "current_message"), message);
    json_object_put(view);
}

static void while_the_queue_is_paused_the_reason_is_the_message(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_request("k", hash);
    const char *usual = locale_text(locales_find(house_app()->house->locales, SPAN("en")), "messages.paused");
    expect_message(h, SPAN("{\"reason\":\"The bot is being \\\"mended\\\".\",\"since\":1}"), "The bot is being \"mended\".");
    expect_message(h, SPAN("{\"reason\":\"messages.paused\",\"since\":1}"), usual);
    expect_message(h, SPAN("{\"reason\":null,\"since\":1}"), usual);
    expect_message(h, SPAN("{\"reason\":\"\"}"), usual);
    expect_message(h, SPAN("by hand"), usual);
}

static void nobody_knows_how_long_it_takes_while_the_queue_is_paused(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_request("k", hash);
    struct json_object *view = paused_view_of(h, "en", SPAN("{\"reason\":\"x\"}"));
    assert_null(json_object_object_get(view, "estimated_remaining_time"));
    assert_int_equal(json_object_get_int(json_object_object_get(view, "queue_position")), 1);
    json_object_put(view);
    view = view_of(h, "en");
    assert_true(json_object_get_int(json_object_object_get(view, "estimated_remaining_time")) > 0);
    json_object_put(view);
}

static void a_request_that_has_begun_does_not_mind_the_pause(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    struct json_object *view = paused_view_of(h, "en", SPAN("{\"reason\":\"x\"}"));
    assert_string_not_equal(text_of(view, "current_message"), "x");
    assert_non_null(json_object_object_get(view, "estimated_remaining_time"));
    json_object_put(view);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, house_fresh)
    const struct CMUnitTest tests[] = {
        TEST(the_view_has_every_field_of_the_contract),
        TEST(nothing_private_is_in_the_view),
        TEST(a_catalogue_key_is_shown_in_the_readers_language),
        TEST(the_place_follows_the_state),
        TEST(while_the_queue_is_paused_the_reason_is_the_message),
        TEST(nobody_knows_how_long_it_takes_while_the_queue_is_paused),
        TEST(a_request_that_has_begun_does_not_mind_the_pause),
    };
    return cmocka_run_group_tests_name("view", tests, house_setup, house_teardown);
}
