/* test_estimate.c: the time left */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/estimate.h"
#include "core/otp.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

static struct err err;
static const char runs_key[] = "peygir:stats:service:credit-score-rating:runs";

static int64_t read_estimate(const struct service *service)
{
    const struct reply *replies;
    size_t count;
    estimate_queue(house_app(), service);
    assert_int_equal(redis_exchange(house_app()->redis, &replies, &count, &err), 0);
    return estimate_take(service, replies, &err);
}

static void until_enough_is_known_the_definition_counts(void **state)
{
    (void)state;
    const struct service *service = house_service("credit-score-rating");
    free(house_cli("LPUSH", runs_key, "1", "2", "3", "4", NULL));
    assert_int_equal(read_estimate(service), service->estimated_duration_s);
}

static void then_the_median_of_the_recent_runs(void **state)
{
    (void)state;
    free(house_cli("LPUSH", runs_key, "90", "7", "8", "300", "9", NULL));
    assert_int_equal(read_estimate(house_service("credit-score-rating")), 9);
}

static void the_time_left_shrinks_and_stops_at_nothing(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    struct request rq = house_read(h);
    int64_t all = estimate_left_s(&rq);
    assert_int_equal(all, house_service("credit-score-rating")->estimated_duration_s);
    clock_test_offset(5000);
    rq = house_read(h);
    assert_in_range(estimate_left_s(&rq), all - 6, all - 4);
    clock_test_offset(1000000);
    rq = house_read(h);
    assert_int_equal(estimate_left_s(&rq), 0);
}

static void time_in_which_the_visitor_looks_for_the_code_does_not_count(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    const struct service *service = house_service("credit-score-rating");
    assert_int_equal(otp_require(house_app(), service, h, 1, &(struct otp_ask){ .message = "m" }, &err), 1);
    struct request rq = house_read(h);
    int64_t before = estimate_left_s(&rq);
    clock_test_offset(60000);
    rq = house_read(h);
    assert_int_equal(estimate_left_s(&rq), before);
    assert_int_equal(otp_submit(house_app(), service, h, SPAN("12345"), &err), 1);
    rq = house_read(h);
    assert_in_range(estimate_left_s(&rq), before - 1, before);
}

static void an_estimate_that_was_given_stands_whatever_later_runs_take(void **state)
{
    (void)state;
    char first[HASH_SIZE], second[HASH_SIZE];
    free(house_cli("LPUSH", runs_key, "20", "20", "20", "20", "20", NULL));
    struct span h = house_processing("k1", first);
    struct request rq = house_read(h);
    assert_in_range(estimate_left_s(&rq), 19, 20);
    free(house_cli("LPUSH", runs_key, "90", "90", "90", "90", "90", "90", NULL));
    assert_int_equal(read_estimate(house_service("credit-score-rating")), 90);
    rq = house_read(h);
    assert_in_range(estimate_left_s(&rq), 19, 20);
    rq = house_read(house_request("k2", second)); /* it counts for those that come afterwards */
    assert_int_equal(estimate_left_s(&rq), 90);
}

static void a_run_that_starts_again_has_all_of_its_time_again_and_says_so(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    const struct service *service = house_service("credit-score-rating");
    struct job job = { .id = hash, .request_hash = hash, .run = 2 };
    enum request_begin what;
    enum request_status status;
    struct str slug = STR_INIT, body = STR_INIT;
    assert_int_equal(request_progress(house_app(), h, 1, 50, NULL, NULL, &err), 1);
    clock_test_offset(service->estimated_duration_s * 1000LL - 2000);
    struct request rq = house_read(h);
    assert_in_range(estimate_left_s(&rq), 1, 2);
    assert_int_equal(request_begin(house_app(), &job, &what, &status, &slug, &body, NULL, &err), 0);
    assert_int_equal(what, BEGIN_CALL);
    rq = house_read(h);
    assert_in_range(estimate_left_s(&rq), service->estimated_duration_s - 1, service->estimated_duration_s);
    assert_true(span_is(rq.doc.field[DOC_MESSAGE], "\"messages.retrying\""));
    assert_true(span_is(rq.doc.field[DOC_PROGRESS], "0"));
    str_free(&slug);
    str_free(&body);
}

static void what_a_completed_request_took_is_remembered(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    clock_test_offset(14000);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    struct request rq = house_read(h);
    estimate_record(house_app(), &rq);
    house_read(h);
    char *seconds = house_cli("LINDEX", runs_key, "0", NULL);
    assert_int_equal(strtol(seconds, NULL, 10), 14);
    free(seconds);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, house_fresh)
    const struct CMUnitTest tests[] = {
        TEST(until_enough_is_known_the_definition_counts),
        TEST(then_the_median_of_the_recent_runs),
        TEST(the_time_left_shrinks_and_stops_at_nothing),
        TEST(time_in_which_the_visitor_looks_for_the_code_does_not_count),
        TEST(an_estimate_that_was_given_stands_whatever_later_runs_take),
        TEST(a_run_that_starts_again_has_all_of_its_time_again_and_says_so),
        TEST(what_a_completed_request_took_is_remembered),
    };
    return cmocka_run_group_tests_name("estimate", tests, house_setup, house_teardown);
}
