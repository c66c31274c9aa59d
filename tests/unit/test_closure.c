/* test_closure.c: services that are closed for a while. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/closure.h"
#include "tests/unit/jobhouse.h"

static struct app app;
static struct err err;
static struct closure_memo memo;
static struct str message;

static int open_house(void **state)
{
    const char *source = getenv("TOP_SOURCE");
    char *dir = xasprintf("%s/etc/services", source ? source : ".");

    (void)state;
    house_start();
    house_set("PEYGIR_SERVICES_DIR", dir);
    house_enter(HOUSE_SERVICES);
    app_open(&app, &house);
    free(dir);
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    str_free(&message);
    app_close(&app);
    house_leave();
    house_stop();
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    server_flush();
    clock_test_offset(0);
    closure_memo_clear(&memo);
    err = (struct err)ERR_INIT;
    return 0;
}

static int forget(void **state)
{
    (void)state;
    closure_memo_clear(&memo);
    return 0;
}

static int is_closed(const char *slug)
{
    return closure_read(&app, &memo, span_of(slug), &message, &err);
}

static void a_closed_service_says_why_until_it_is_opened(void **state)
{
    (void)state;
    assert_int_equal(closure_set(&app, "document-ocr", "Back at \"noon\" \\ ظهر", &err), 0);
    assert_int_equal(is_closed("document-ocr"), 1);
    assert_string_equal(message.s, "Back at \"noon\" \\ ظهر");
    assert_int_equal(is_closed("credit-score-rating"), 0);
    assert_int_equal(closure_clear(&app, "document-ocr", &err), 1);
    assert_int_equal(closure_clear(&app, "document-ocr", &err), 0);
    closure_memo_clear(&memo);
    assert_int_equal(is_closed("document-ocr"), 0);
}

static void closing_again_changes_the_message(void **state)
{
    (void)state;
    assert_int_equal(closure_set(&app, "document-ocr", "first", &err), 0);
    assert_int_equal(closure_set(&app, "document-ocr", "second", &err), 0);
    assert_int_equal(is_closed("document-ocr"), 1);
    assert_string_equal(message.s, "second");
}

static void only_a_service_that_there_is_can_be_closed(void **state)
{
    static const char *const slugs[] = { "", "nothing", "Document-OCR", "document-ocr ", "../x" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(slugs); i++) {
        assert_int_equal(closure_set(&app, slugs[i], "closed", &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
    assert_redis("0", "DBSIZE");
}

static void a_message_that_is_none_is_refused(void **state)
{
    char longest[CLOSURE_MESSAGE_BYTES + 2];
    const char *const messages[] = { "", "   ", "two\nlines", "\xff", longest };

    (void)state;
    memset(longest, 'm', sizeof longest);
    longest[CLOSURE_MESSAGE_BYTES + 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        assert_int_equal(closure_set(&app, "document-ocr", messages[i], &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
    longest[CLOSURE_MESSAGE_BYTES] = '\0';
    assert_int_equal(closure_set(&app, "document-ocr", longest, &err), 0);
}

static void add(void *ctx, struct span slug, struct span text)
{
    str_addf(ctx, "%.*s=%.*s;", (int)slug.len, slug.s, (int)text.len, text.s);
}

static void all_that_are_closed_are_listed(void **state)
{
    struct str all = STR_INIT;

    (void)state;
    closure_set(&app, "document-ocr", "a", &err);
    closure_set(&app, "credit-score-rating", "b", &err);
    assert_int_equal(closure_each(&app, add, &all, &err), 0);
    assert_non_null(strstr(all.s, "document-ocr=a;"));
    assert_non_null(strstr(all.s, "credit-score-rating=b;"));
    str_free(&all);
}

static void redis_is_asked_at_most_once_a_second(void **state)
{
    uint64_t before;

    (void)state;
    is_closed("document-ocr");
    before = redis_round_trips(app.redis);
    closure_set(&app, "document-ocr", "new", &err);
    for (int i = 0; i < 50; i++)
        is_closed(i % 2 ? "document-ocr" : "credit-score-rating");
    assert_int_equal(redis_round_trips(app.redis), before + 1); /* that of closing it */
    clock_test_offset(1000);
    assert_int_equal(is_closed("document-ocr"), 1);
    assert_int_equal(redis_round_trips(app.redis), before + 2);
}

static void a_foreign_name_in_the_hash_does_no_harm(void **state)
{
    (void)state;
    REDIS_RUN("HSET", "peygir:services:closed", "x\":1,\"document-ocr", "no", "", "no", "credit-score-rating", "yes");
    assert_int_equal(is_closed("document-ocr"), 0);
    assert_int_equal(is_closed("credit-score-rating"), 1);
    assert_string_equal(message.s, "yes");
}

static void while_redis_is_away_what_was_known_counts(void **state)
{
    (void)state;
    closure_set(&app, "document-ocr", "known", &err);
    assert_int_equal(is_closed("document-ocr"), 1);
    server_kill();
    clock_test_offset(2000);
    assert_int_equal(is_closed("document-ocr"), 1);
    assert_string_equal(message.s, "known");
}

static void when_nothing_is_known_redis_is_missed_once_a_second(void **state)
{
    (void)state;
    assert_int_equal(is_closed("document-ocr"), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_int_equal(is_closed("document-ocr"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_closed_service_says_why_until_it_is_opened, fresh, forget),
        cmocka_unit_test_setup_teardown(closing_again_changes_the_message, fresh, forget),
        cmocka_unit_test_setup_teardown(only_a_service_that_there_is_can_be_closed, fresh, forget),
        cmocka_unit_test_setup_teardown(a_message_that_is_none_is_refused, fresh, forget),
        cmocka_unit_test_setup_teardown(all_that_are_closed_are_listed, fresh, forget),
        cmocka_unit_test_setup_teardown(redis_is_asked_at_most_once_a_second, fresh, forget),
        cmocka_unit_test_setup_teardown(a_foreign_name_in_the_hash_does_no_harm, fresh, forget),
        cmocka_unit_test_setup_teardown(while_redis_is_away_what_was_known_counts, fresh, forget), /* takes Redis away */
        cmocka_unit_test_setup_teardown(when_nothing_is_known_redis_is_missed_once_a_second, forget, forget),
    };
    return cmocka_run_group_tests_name("closure", tests, open_house, close_house);
}
