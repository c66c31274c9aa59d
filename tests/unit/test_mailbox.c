/* test_mailbox.c: letters to a bot that waits */
#include "tests/unit/unit.h"

#include "core/mailbox.h"
#include "core/otp.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

#define LETTER "{\"otp\":\"12345\"}"

static struct err err;
static struct letter letter; /* the one taken last */

static int setup(void **state)
{
    err = (struct err)ERR_INIT;
    return house_fresh(state);
}

static int teardown(void **state)
{
    (void)state;
    str_free(&letter.text);
    return 0;
}

static void put(struct span hash, const char *text, const char *ms)
{
    const struct key mailbox = key_mailbox(hash);
    REDIS_RUN("RPUSH", mailbox.s, text);
    REDIS_RUN("PEXPIRE", mailbox.s, ms);
}

static int64_t stays_ms(struct span hash)
{
    const struct key mailbox = key_mailbox(hash);
    return REDIS_NUMBER("PTTL", mailbox.s);
}

static void expect_letter(struct span hash, int64_t run, const char *text)
{
    if (mailbox_take(house_app(), hash, run, &letter, &err) != 1)
        fail_msg("no %s: %s", text, err.text);
    assert_string_equal(letter.text.s, text);
}

static void expect_none(struct span hash, int64_t run)
{
    assert_int_equal(mailbox_take(house_app(), hash, run, &letter, &err), 0);
}

static void expect_refused(struct span hash, int64_t run, enum err_kind kind)
{
    err = (struct err)ERR_INIT;
    assert_int_equal(mailbox_take(house_app(), hash, run, &letter, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_true(err.text[0]);
}

static void return_letter(struct span hash)
{
    if (mailbox_return(house_app(), hash, &letter, &err) < 0)
        fail_msg("%s", err.text);
}

/* A request that waits for a code. */
static struct span waiting(const char *key, char hash[HASH_SIZE])
{
    struct span h = house_processing(key, hash);
    if (otp_require(house_app(), house_service("credit-score-rating"), h, 1, &(struct otp_ask){ .message = "sent" }, &err) != 1)
        fail_msg("%s", err.text);
    return h;
}

/* --- taking --- */

static void letters_are_taken_once_in_the_order_they_came(void **state)
{
    char hash[HASH_SIZE], other_hash[HASH_SIZE];
    struct span h = house_processing("k", hash), other = house_processing("l", other_hash);
    (void)state;
    put(h, "{\"resend\":true}", "60000");
    put(h, LETTER, "60000");
    put(other, "{\"cancelled\":true}", "60000");
    expect_letter(h, 0, "{\"resend\":true}");
    expect_letter(h, 0, LETTER);
    expect_none(h, 0);
    expect_letter(other, 0, "{\"cancelled\":true}");
}

static void a_look_into_the_mailbox_is_one_round_trip(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    expect_none(h, 1); /* the script is loaded */
    put(h, LETTER, "60000");
    uint64_t before = redis_round_trips(house_app()->redis);
    expect_letter(h, 1, LETTER);
    assert_int_equal(redis_round_trips(house_app()->redis) - before, 1);
}

static void the_visitors_code_is_such_a_letter_as_long_as_it_counts(void **state)
{
    char hash[HASH_SIZE];
    struct span h = waiting("k", hash);
    (void)state;
    expect_none(h, 1);
    assert_int_equal(otp_submit(house_app(), house_service("credit-score-rating"), h, SPAN("12345"), &err), 1);
    int64_t before = stays_ms(h);
    expect_letter(h, 1, LETTER);
    assert_in_range(letter.stays_ms, 1, before);
    expect_none(h, 1);
}

static void what_is_left_stays_as_long_as_before(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    put(h, "{\"resend\":true}", "60000");
    put(h, LETTER, "60000");
    int64_t before = stays_ms(h);
    expect_letter(h, 0, "{\"resend\":true}");
    assert_in_range(letter.stays_ms, 1, before);
    assert_in_range(stays_ms(h), 1, letter.stays_ms);
}

static void a_bot_whose_run_is_over_gets_nothing(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    put(h, LETTER, "60000");
    expect_refused(h, 2, ERR_STALE);
    expect_letter(h, 1, LETTER);
    put(h, LETTER, "60000");
    expect_letter(h, 0, LETTER); /* a bot that was not told its run */
}

static void a_request_that_waits_for_its_worker_has_no_run_yet(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_request("k", hash);
    (void)state;
    expect_none(h, 0);
}

static void a_request_that_is_gone_or_never_was_is_not_found(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    put(h, LETTER, "60000");
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    expect_refused(h, 1, ERR_NOT_FOUND);
    expect_refused(h, 0, ERR_NOT_FOUND);
    expect_refused(SPAN("req_0123456789ABCDEFGHJKMNPQRS"), 0, ERR_NOT_FOUND);
}

static void a_cancellation_is_told_before_that_the_request_has_ended(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    assert_int_equal(request_cancel(house_app(), h, &err), 1);
    expect_letter(h, 1, "{\"cancelled\":true}");
    expect_refused(h, 1, ERR_FINAL);
}

static void however_a_request_ended_a_bot_need_not_wait_any_more(void **state)
{
    const struct request_error error = { "broken", "errors.internal", false };
    char hash[HASH_SIZE], other_hash[HASH_SIZE];
    struct span done = house_processing("k", hash), failed = house_processing("l", other_hash);
    (void)state;
    assert_int_equal(request_complete(house_app(), done, 1, SPAN("{}"), &err), 1);
    assert_int_equal(request_fail(house_app(), failed, 1, &error, &err), 1);
    expect_refused(done, 1, ERR_FINAL);
    expect_refused(failed, 0, ERR_FINAL);
    expect_refused(failed, 2, ERR_STALE);
}

/* --- putting back --- */

static void a_letter_is_put_back_before_the_others_with_its_time(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    put(h, LETTER, "60000");
    expect_letter(h, 1, LETTER);
    int64_t before = letter.stays_ms;
    return_letter(h);
    assert_in_range(stays_ms(h), 1, before);
    expect_letter(h, 1, LETTER);
    put(h, "{\"resend\":true}", "60000");
    return_letter(h);
    expect_letter(h, 1, LETTER);
    expect_letter(h, 1, "{\"resend\":true}");
    expect_none(h, 1);
}

static void one_that_came_meanwhile_loses_no_time_by_that(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    put(h, LETTER, "30000");
    expect_letter(h, 1, LETTER);
    put(h, "{\"cancelled\":true}", "600000");
    return_letter(h);
    assert_in_range(stays_ms(h), 60000, 600000);
}

static void one_without_a_time_has_none_when_it_is_put_back(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    const struct key mailbox = key_mailbox(h);
    (void)state;
    REDIS_RUN("RPUSH", mailbox.s, LETTER);
    expect_letter(h, 1, LETTER);
    return_letter(h);
    assert_redis(LETTER, "LINDEX", mailbox.s, "0");
}

static void nothing_is_put_back_to_a_request_that_is_gone(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    const struct key document = key_document(h), mailbox = key_mailbox(h);
    (void)state;
    put(h, LETTER, "60000");
    expect_letter(h, 1, LETTER);
    REDIS_RUN("DEL", document.s);
    return_letter(h);
    assert_redis("0", "EXISTS", mailbox.s);
}

static void a_code_is_not_put_back_to_a_request_that_has_ended_but_the_word_of_that_is(void **state)
{
    char hash[HASH_SIZE];
    struct span h = waiting("k", hash);
    (void)state;
    assert_int_equal(otp_submit(house_app(), house_service("credit-score-rating"), h, SPAN("12345"), &err), 1);
    expect_letter(h, 1, LETTER);
    assert_int_equal(request_cancel(house_app(), h, &err), 1);
    return_letter(h);
    expect_letter(h, 1, "{\"cancelled\":true}");
    expect_refused(h, 1, ERR_FINAL);
    return_letter(h);
    expect_letter(h, 1, "{\"cancelled\":true}");
}

/* --- bad days --- */

static void when_redis_is_full_letters_are_taken_and_put_back_all_the_same(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    put(h, LETTER, "60000");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    int taken = mailbox_take(house_app(), h, 1, &letter, &err), returned = mailbox_return(house_app(), h, &letter, &err);
    int again = mailbox_take(house_app(), h, 1, &letter, &err);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_int_equal(taken, 1);
    assert_int_equal(returned, 0);
    assert_int_equal(again, 1);
    assert_string_equal(letter.text.s, LETTER);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(letters_are_taken_once_in_the_order_they_came),
        T(a_look_into_the_mailbox_is_one_round_trip),
        T(the_visitors_code_is_such_a_letter_as_long_as_it_counts),
        T(what_is_left_stays_as_long_as_before),
        T(a_bot_whose_run_is_over_gets_nothing),
        T(a_request_that_waits_for_its_worker_has_no_run_yet),
        T(a_request_that_is_gone_or_never_was_is_not_found),
        T(a_cancellation_is_told_before_that_the_request_has_ended),
        T(however_a_request_ended_a_bot_need_not_wait_any_more),
        T(a_letter_is_put_back_before_the_others_with_its_time),
        T(one_that_came_meanwhile_loses_no_time_by_that),
        T(one_without_a_time_has_none_when_it_is_put_back),
        T(nothing_is_put_back_to_a_request_that_is_gone),
        T(a_code_is_not_put_back_to_a_request_that_has_ended_but_the_word_of_that_is),
        T(when_redis_is_full_letters_are_taken_and_put_back_all_the_same),
    };
    return cmocka_run_group_tests_name("mailbox", tests, house_setup, house_teardown);
}
