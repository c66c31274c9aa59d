/* test_cache_peek.c: the cheap look finds what is fresh and nothing else, and its hits are told to Redis by and by. */
#include "tests/unit/unit.h"

#include "core/cache_peek.h"
#include "tests/unit/cachehouse.h"

static struct cache_tally tally;

static bool peek(const char *key, struct cache_entry *out)
{
    const struct reply *replies;
    size_t count, own = cache_peek_queue(&app, span_of(key), &one_tag);

    assert_int_equal(redis_exchange(app.cache_redis, &replies, &count, &err), 0);
    assert_int_equal(count, own);
    return cache_peek_take(&app, span_of(key), &one_tag, replies, &tally, out);
}

static void a_fresh_value_is_found_with_its_times(void **state)
{
    struct cache_entry e;

    (void)state;
    put_for_a_minute("crypto_list", "{\"a\":1}", &one_tag);
    assert_true(peek("crypto_list", &e));
    assert_true(span_is(e.value, "{\"a\":1}"));
    assert_true(e.age_ms >= 0 && e.fresh_ms > 50000 && e.fresh_ms <= 60000 && e.ends_ms > 110000);
    assert_int_equal(e.claim[0], '\0');
}

static void what_is_not_whole_fresh_and_valid_is_left_to_a_proper_look(void **state)
{
    static const struct cache_tags elsewhere = { .tag = { { "others", 6 } }, .count = 1 };
    const struct span prices = SPAN("prices");
    struct cache_entry e;

    (void)state;
    assert_false(peek("crypto_list", &e));
    put_for_a_minute("crypto_list", "{\"a\":1}", &one_tag);
    assert_int_equal(cache_invalidate(&app, &prices, 1, &err), 1);
    assert_false(peek("crypto_list", &e));
    put_for_a_minute("crypto_list", "{\"a\":1}", &one_tag);
    CACHE_RUN("DEL", "peygir:cache:tag:prices");
    assert_false(peek("crypto_list", &e));
    put_for_a_minute("crypto_list", "{\"a\":1}", &one_tag);
    CACHE_RUN("DEL", "peygir:cache:fresh:crypto_list");
    assert_false(peek("crypto_list", &e));
    put_for_a_minute("crypto_list", "{\"a\":1}", &one_tag);
    CACHE_RUN("DEL", "peygir:cache:crypto_list");
    assert_false(peek("crypto_list", &e));
    put_for_a_minute("crypto_list", "{\"a\":1}", &one_tag);
    make_stale("crypto_list");
    assert_false(peek("crypto_list", &e));
    put_for_a_minute("crypto_list", "{\"a\":1}", &elsewhere); /* whose stamp nobody looks at here */
    assert_false(peek("crypto_list", &e));
    put_for_a_minute("crypto_list", "{\"a\":1}", NULL);
    assert_true(peek("crypto_list", &e));
}

static int64_t hits(const char *field)
{
    const struct reply *reply;

    redis_use_db(app.cache_redis, app.cache_db);
    assert_non_null(reply = redis_do(app.cache_redis, &err, "HGET peygir:stats:cache %s", field));
    return reply_int(reply, 0);
}

static void hits_are_told_at_rest_and_at_the_end(void **state)
{
    struct cache_entry e;

    (void)state;
    tally = (struct cache_tally){ .hits = 0 };
    put_for_a_minute("crypto_list", "{\"a\":1}", &one_tag);
    put_for_a_minute("stock_list", "[]", &one_tag);
    assert_true(peek("crypto_list", &e));
    assert_int_equal(hits("crypto:hits"), 0);
    cache_tally_rest(&app, &tally, false);
    assert_int_equal(hits("crypto:hits"), 1);
    assert_true(peek("crypto_list", &e) && peek("crypto_list", &e));
    assert_true(peek("stock_list", &e)); /* of another prefix: those before are told */
    cache_tally_rest(&app, &tally, true);
    assert_int_equal(hits("crypto:hits"), 3);
    assert_int_equal(hits("stock:hits"), 1);
    cache_tally_rest(&app, &tally, true);
    assert_int_equal(hits("stock:hits"), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_value_is_found_with_its_times),
        TEST(what_is_not_whole_fresh_and_valid_is_left_to_a_proper_look),
        TEST(hits_are_told_at_rest_and_at_the_end),
    };

    return cmocka_run_group_tests_name("cache_peek", tests, open_house, close_house);
}
