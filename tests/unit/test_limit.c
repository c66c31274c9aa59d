/* test_limit.c: how often anybody may do something. */
#include "tests/unit/unit.h"

#include "core/limit.h"
#include "tests/unit/files.h"
#include "tests/unit/jobhouse.h"

#include <sys/stat.h>

#define BURST 5
#define PERIOD_S 50

static struct app app;
static struct err err;

static int open_house(void **state)
{
    files_setup(state);
    house_start();
    umask(077); /* a secret that others may read is refused */
    house_set("PEYGIR_SECRET_FILE", files_put("secret", "0123456789abcdef0123456789abcdef\n"));
    house_enter(HOUSE_SECRET);
    app_open(&app, &house);
    return 0;
}

static int close_house(void **state)
{
    app_close(&app);
    house_leave();
    house_stop();
    return files_teardown(state);
}

static int fresh(void **state)
{
    (void)state;
    server_flush();
    house.limit_factor = 1;
    err = (struct err)ERR_INIT;
    return 0;
}

/* Holds BURST, and gets room for one in PERIOD_S / BURST. */
static struct limit_bucket bucket(const char *who)
{
    return (struct limit_bucket){ .key = key_limit(&house, SPAN("test"), span_of(who)), .count = BURST, .period_s = PERIOD_S,
                                  .burst = BURST };
}

static int ask(struct limit_bucket b, struct limit_verdict *v)
{
    return limit_ask(&app, &(struct limit_thing){ { b }, 1 }, v, &err);
}

static int take(struct limit_bucket b)
{
    struct limit_verdict v;

    return ask(b, &v);
}

static void fill(struct limit_bucket b)
{
    while (take(b) == 1)
        ;
}

/* As if it had been filled so much earlier. */
static void age(struct limit_bucket b, double seconds)
{
    char *value = REDIS_CLI("GET", b.key.s), older[64];

    snprintf(older, sizeof older, "%.0f", strtod(value, NULL) - seconds * 1e6);
    REDIS_RUN("SET", b.key.s, older, "KEEPTTL");
    free(value);
}

static void a_bucket_takes_its_burst_and_then_says_how_long_to_wait(void **state)
{
    struct limit_bucket b = bucket("a");
    struct limit_verdict v;

    (void)state;
    for (int left = BURST - 1; left >= 0; left--) {
        assert_int_equal(ask(b, &v), 1);
        assert_int_equal(v.left, left);
    }
    assert_int_equal(ask(b, &v), 0);
    assert_int_equal(err.kind, ERR_TOO_MANY);
    assert_in_range(err.retry_after_s, PERIOD_S / BURST - 1, PERIOD_S / BURST);
    assert_in_range(v.wait_ms, (PERIOD_S / BURST - 1) * 1000, PERIOD_S / BURST * 1000);
    assert_int_equal(take(bucket("b")), 1);
}

static void room_comes_back_evenly_and_a_refusal_costs_nothing(void **state)
{
    struct limit_bucket b = bucket("a");

    (void)state;
    fill(b);
    assert_int_equal(take(b), 0);
    age(b, PERIOD_S / BURST);
    assert_int_equal(take(b), 1);
    assert_int_equal(take(b), 0);
    age(b, 2 * PERIOD_S / BURST);
    assert_int_equal(take(b), 1);
    assert_int_equal(take(b), 1);
    assert_int_equal(take(b), 0);
}

static void a_bucket_is_forgotten_when_it_is_empty(void **state)
{
    struct limit_bucket b = bucket("a");

    (void)state;
    take(b);
    assert_in_range(REDIS_NUMBER("PTTL", b.key.s), 1, PERIOD_S / BURST * 1000);
    fill(b);
    assert_in_range(REDIS_NUMBER("PTTL", b.key.s), PERIOD_S * 1000 - PERIOD_S / BURST * 1000, PERIOD_S * 1000);
}

static void several_buckets_are_counted_together_or_not_at_all(void **state)
{
    const struct limit_thing thing = { { bucket("roomy"), bucket("full") }, 2 };
    struct limit_verdict v;

    (void)state;
    fill(thing.bucket[1]);
    assert_int_equal(limit_ask(&app, &thing, &v, &err), 0);
    assert_string_equal(v.bucket.key.s, thing.bucket[1].key.s);
    assert_redis("0", "EXISTS", thing.bucket[0].key.s);
}

static void things_of_one_command_are_counted_one_after_the_other(void **state)
{
    const struct limit_thing a = { { bucket("a"), bucket("both") }, 2 }, b = { { bucket("b"), bucket("both") }, 2 },
                             full = { { bucket("c"), bucket("full") }, 2 };
    const struct limit_thing *const things[] = { &a, &b, &full, &a, &a, &b, &b };
    static const int wanted[] = { 1, 1, 0, 1, 1, 1, 0 };
    const struct reply *replies;
    struct limit_verdict v;
    size_t count;

    (void)state;
    fill(full.bucket[1]);
    limit_queue(&app, things, ARRAY_LEN(things));
    assert_int_equal(redis_exchange(app.redis, &replies, &count, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(things); i++)
        assert_int_equal(limit_take(things, i, replies, &v, &err), wanted[i]); /* five fit into "both" */
    assert_int_equal(limit_take(things, 5, replies, &v, &err), 1);
    assert_int_equal(v.left, BURST - 2);
    assert_int_equal(limit_take(things, 6, replies, &v, &err), 0);
    assert_string_equal(v.bucket.key.s, b.bucket[1].key.s);
    assert_redis("0", "EXISTS", full.bucket[0].key.s);
    assert_int_equal(limit_ask(&app, &(struct limit_thing){ { bucket("b") }, 1 }, &v, &err), 1);
    assert_int_equal(v.left, BURST - 3); /* a refused thing counts nowhere */
}

static void a_thing_with_a_name_is_counted_once(void **state)
{
    struct limit_bucket b = bucket("a");
    char names[BURST][16];

    (void)state;
    for (int i = 0; i < BURST; i++) {
        snprintf(names[i], sizeof names[i], "req_%d", i);
        b.once = span_of(names[i]);
        for (int turn = 0; turn < 3; turn++)
            assert_int_equal(take(b), 1);
    }
    b.once = SPAN("req_0");
    assert_int_equal(take(b), 1);
    b.once = SPAN("req_"); /* a part of a name is another name */
    assert_int_equal(take(b), 0);
    char *value = REDIS_CLI("GET", b.key.s);
    assert_null(strstr(value, "req_"));
    free(value);
}

/* More than a bucket remembers: the oldest names are forgotten, whole, and what is counted stays what it is. */
static void many_names_leave_the_number_before_them_as_it_is(void **state)
{
    struct limit_bucket b = bucket("a");
    struct limit_verdict v;
    char name[16];

    (void)state;
    b.count = b.burst = 1000;
    b.period_s = 30 * 86400;
    for (int i = 1; i <= 200; i++) {
        snprintf(name, sizeof name, "req_%d", i);
        b.once = span_of(name);
        assert_int_equal(ask(b, &v), 1);
        assert_int_equal(v.left, b.burst - i);
        assert_int_equal(take(b), 1);
    }
    assert_in_range(REDIS_NUMBER("STRLEN", b.key.s), 500, 700);
}

static void a_clock_that_was_set_back_locks_nobody_out(void **state)
{
    struct limit_bucket b = bucket("a");

    (void)state;
    fill(b);
    age(b, -86400);
    assert_int_equal(take(b), 0);
    assert_in_range(err.retry_after_s, 1, PERIOD_S / BURST);
}

static void what_somebody_else_wrote_into_a_bucket_counts_as_empty(void **state)
{
    struct limit_bucket b = bucket("a");

    (void)state;
    REDIS_RUN("SET", b.key.s, "rubbish");
    assert_int_equal(take(b), 1);
}

static void an_address_has_ten_times_as_much_and_the_factor_multiplies_all(void **state)
{
    char who[LIMIT_WHO_LEN + 1];
    struct limit_bucket b;

    (void)state;
    limit_who(&house, LIMIT_BY_SESSION, SPAN("cookie"), who);
    b = limit_bucket(&house, LIMIT_READ, LIMIT_BY_SESSION, who);
    assert_int_equal(b.burst, 100);
    b = limit_bucket(&house, LIMIT_READ, LIMIT_BY_ADDRESS, who);
    assert_int_equal(b.burst, 1000);
    assert_true(b.count == 100);
    house.limit_factor = 0.5;
    b = limit_bucket(&house, LIMIT_RESEND, LIMIT_BY_SESSION, who);
    assert_int_equal(b.burst, 3);
    assert_true(b.count == 3);
    house.limit_factor = 0.01;
    b = limit_bucket(&house, LIMIT_RESEND, LIMIT_BY_SESSION, who);
    assert_int_equal(b.burst, 1);
    assert_true(limit_is_on(&house));
    house.limit_factor = 0;
    assert_false(limit_is_on(&house));
}

static void keys_tell_nobody_who_is_counted(void **state)
{
    char address[LIMIT_WHO_LEN + 1], mobile[LIMIT_WHO_LEN + 1], site[LIMIT_WHO_LEN + 1];
    struct limit_bucket b;

    (void)state;
    limit_who(&house, LIMIT_BY_ADDRESS, SPAN("09121234567"), address);
    limit_who(&house, LIMIT_BY_MOBILE, SPAN("09121234567"), mobile);
    limit_who(&house, LIMIT_BY_SITE, SPAN("09121234567"), site);
    assert_int_equal(strlen(mobile), LIMIT_WHO_LEN);
    assert_string_not_equal(mobile, address);
    assert_string_not_equal(mobile, site);
    b = limit_bucket(&house, LIMIT_MOBILE, LIMIT_BY_MOBILE, mobile);
    assert_int_equal(take(b), 1);
    assert_null(strstr(b.key.s, "0912"));
    assert_memory_equal(b.key.s, "peygir:limit:mobile:", 20);
}

static void whoever_has_one_address_of_ipv6_has_all_of_its_64_bits(void **state)
{
    static const char *const addresses[] = { "2001:db8:0:1::1",  "2001:db8:0:1:ffff::2", "2001:DB8::1:0:0:0:3", "2001:db8:0:2::1",
                                             "::ffff:192.0.2.1", "::ffff:192.0.2.2" };
    char who[ARRAY_LEN(addresses)][LIMIT_WHO_LEN + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        limit_who(&house, LIMIT_BY_ADDRESS, span_of(addresses[i]), who[i]);
    assert_string_equal(who[0], who[1]);
    assert_string_equal(who[0], who[2]);
    assert_string_not_equal(who[0], who[3]);
    assert_string_not_equal(who[4], who[5]);
}

static void limits_are_counted_when_redis_is_full(void **state)
{
    struct limit_bucket b = bucket("a");

    (void)state;
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    fill(b);
    assert_int_equal(err.kind, ERR_TOO_MANY);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
}

static void a_bucket_of_millions_a_second_lets_all_in(void **state)
{
    struct limit_bucket b = bucket("a");

    (void)state;
    b.count = b.burst = 1000000000;
    b.period_s = 1;
    for (int i = 0; i < 20; i++)
        assert_int_equal(take(b), 1);
}

static void a_row_is_found_by_its_name(void **state)
{
    (void)state;
    for (enum limit_id id = LIMIT_NONE + 1; id < LIMITS; id++)
        assert_int_equal(limit_find(span_of(limits[id].name)), id);
    assert_int_equal(limit_find(SPAN("")), LIMIT_NONE);
    assert_int_equal(limit_find(SPAN("reads")), LIMIT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_bucket_takes_its_burst_and_then_says_how_long_to_wait, fresh),
        cmocka_unit_test_setup(room_comes_back_evenly_and_a_refusal_costs_nothing, fresh),
        cmocka_unit_test_setup(a_bucket_is_forgotten_when_it_is_empty, fresh),
        cmocka_unit_test_setup(several_buckets_are_counted_together_or_not_at_all, fresh),
        cmocka_unit_test_setup(things_of_one_command_are_counted_one_after_the_other, fresh),
        cmocka_unit_test_setup(a_thing_with_a_name_is_counted_once, fresh),
        cmocka_unit_test_setup(many_names_leave_the_number_before_them_as_it_is, fresh),
        cmocka_unit_test_setup(a_clock_that_was_set_back_locks_nobody_out, fresh),
        cmocka_unit_test_setup(what_somebody_else_wrote_into_a_bucket_counts_as_empty, fresh),
        cmocka_unit_test_setup(an_address_has_ten_times_as_much_and_the_factor_multiplies_all, fresh),
        cmocka_unit_test_setup(keys_tell_nobody_who_is_counted, fresh),
        cmocka_unit_test_setup(whoever_has_one_address_of_ipv6_has_all_of_its_64_bits, fresh),
        cmocka_unit_test_setup(limits_are_counted_when_redis_is_full, fresh),
        cmocka_unit_test_setup(a_bucket_of_millions_a_second_lets_all_in, fresh),
        cmocka_unit_test_setup(a_row_is_found_by_its_name, fresh),
    };

    return cmocka_run_group_tests(tests, open_house, close_house);
}
