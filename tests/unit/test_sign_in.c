/* test_sign_in.c: an administrator signs in. Names of requirements are those of OWASP ASVS 4.0.3. */
#include "tests/unit/unit.h"

#include "core/sign_in.h"
#include "tests/unit/keyhouse.h"

#include <time.h>

#define GOOD "orange lamp 7 river"
#define BAD "orange lamp 8 river"
#define PASSWORD_TOO_LONG 2000
#define HERE "192.0.2.1"
#define THERE "192.0.2.2"

static struct err err;
static struct admin_session s;
static char known[SIGN_IN_KNOWN_SIZE];

static int with_sara(void **state)
{
    enter(state);
    err = (struct err)ERR_INIT;
    return user_add(&app, "sara", SPAN(GOOD), &err);
}

static int try(const char *name, const char *password, const char *address, const char *cookie)
{
    const struct sign_in attempt = { span_of(name), span_of(password), span_of(address), span_of(cookie) };

    err = (struct err)ERR_INIT;
    return sign_in(&app, &attempt, &s, known, &err);
}

/* Every counter, as if so many attempts had failed and the last one long ago. */
static void set_counters(const char *kind, const char *count)
{
    static const char script[] = "for _, key in ipairs(redis.call('KEYS', 'peygir:limit:' .. ARGV[1] .. ':*')) do "
                                 "redis.call('HSET', key, 'count', ARGV[2], 'open_at', 0) end";

    REDIS_RUN("EVAL", script, "0", kind, count);
}

/* The only counter of that kind. */
static long long count_of(const char *kind)
{
    return REDIS_NUMBER("EVAL", "return redis.call('HGET', redis.call('KEYS', 'peygir:limit:' .. ARGV[1] .. ':*')[1], 'count')", "0", kind);
}

/* So many failures that the next attempts are too soon for half a minute, however slow this machine is. Others' delays are over. */
#define LONG_S 32
static void delay(const char *name, const char *address, const char *cookie)
{
    assert_int_equal(try(name, BAD, address, cookie), 0);
    set_counters("sign-in-name", "5");
    assert_int_equal(try(name, BAD, address, cookie), 0);
}

static void assert_too_soon(int result, int at_most_s)
{
    assert_int_equal(result, -1);
    assert_int_equal(err.kind, ERR_TOO_MANY);
    assert_in_range(err.retry_after_s, 1, at_most_s);
}

static void name_and_password_begin_a_session(void **state)
{
    struct admin_session back;

    (void)state;
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    assert_true(admin_session_cookie(span_of(s.token), &back));
    assert_int_equal(admin_session_read(&app, &back, &err), 1);
    assert_string_equal(back.name, "sara");
    assert_non_null(redis_do(app.redis, &err, "PING"));
    assert_true(REDIS_NUMBER("HGET", "peygir:users", "sara:seen") > 0);
}

static void a_wrong_password_and_an_unknown_name_look_the_same_asvs_2_2_1(void **state)
{
    (void)state;
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    assert_int_equal(try("zara", GOOD, HERE, NULL), 0);
    assert_int_equal(try("", "", HERE, NULL), 0);
    set_counters("sign-in-name", "5");
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    assert_int_equal(try("zara", GOOD, HERE, NULL), 0);
    assert_too_soon(try("sara", GOOD, HERE, NULL), LONG_S);
    assert_too_soon(try("zara", GOOD, HERE, NULL), LONG_S);
}

/* Processor time of this thread, which a busy machine does not change much. */
static double cost_of(const char *name, const char *password)
{
    struct timespec from, to;

    set_counters("sign-in-name", "0");
    set_counters("sign-in-address", "0");
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from), 0);
    assert_int_equal(try(name, password, HERE, NULL), 0);
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to), 0);
    return (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
}

static void an_unknown_name_costs_what_a_known_one_does_asvs_2_2_1(void **state)
{
    char longest[PASSWORD_TOO_LONG + 1] = "";
    double known_name;

    (void)state;
    memset(longest, 'x', PASSWORD_TOO_LONG);
    known_name = cost_of("sara", BAD);
    assert_true(cost_of("zara", BAD) > known_name / 3);
    assert_true(cost_of("not a name", BAD) > known_name / 3);
    assert_true(cost_of("sara", longest) > known_name / 3);
}

static void the_whole_password_counts_asvs_2_1_3(void **state)
{
    char text[USER_PASSWORD_MAX + 1] = "";

    (void)state;
    for (size_t i = 0; i < USER_PASSWORD_MAX; i++)
        text[i] = "abcdefghijk"[i % 11];
    assert_int_equal(user_add(&app, "ali", span_of(text), &err), 0);
    text[USER_PASSWORD_MAX - 1] = '!';
    assert_int_equal(try("ali", text, HERE, NULL), 0);
}

static void of_many_attempts_at_once_one_is_tried_asvs_2_2_1(void **state)
{
    (void)state;
    delay("sara", HERE, NULL);
    for (int i = 0; i < 20; i++)
        assert_too_soon(try("sara", i % 2 ? GOOD : BAD, THERE, NULL), LONG_S);
    assert_int_equal(count_of("sign-in-name"), 6);
    set_counters("sign-in-name", "6");
    assert_int_equal(try("Sara", GOOD, HERE, NULL), 1); /* what was too soon counted for nothing */
}

static void each_failure_doubles_the_delay_up_to_its_cap_asvs_2_2_1(void **state)
{
    (void)state;
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    set_counters("sign-in-name", "3");
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    assert_too_soon(try("sara", GOOD, HERE, NULL), 8);
    assert_true(err.retry_after_s > 4);
    set_counters("sign-in-name", "1000");
    assert_int_equal(try("sara", BAD, THERE, NULL), 0);
    assert_too_soon(try("sara", GOOD, THERE, NULL), SIGN_IN_NAME_CAP_S);
    assert_true(err.retry_after_s > SIGN_IN_NAME_CAP_S / 2);
}

static void success_forgets_the_failures_of_a_name(void **state)
{
    (void)state;
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    set_counters("sign-in-name", "6");
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    assert_int_equal(count_of("sign-in-name"), 1);
}

static void an_address_that_tries_name_after_name_waits_too_asvs_2_2_1(void **state)
{
    static const char *const names[] = { "a", "b", "c", "d", "e" };

    (void)state;
    assert_int_equal(ARRAY_LEN(names), SIGN_IN_ADDRESS_FREE);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(try(names[i], BAD, HERE, NULL), 0);
    set_counters("sign-in-address", "10");
    assert_int_equal(try("f", BAD, HERE, NULL), 0);
    assert_too_soon(try("sara", GOOD, HERE, NULL), LONG_S);
    assert_int_equal(try("sara", GOOD, THERE, NULL), 1);
}

static void success_takes_one_attempt_of_the_address_back(void **state)
{
    (void)state;
    assert_int_equal(try("a", BAD, HERE, NULL), 0);
    set_counters("sign-in-address", "3");
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    assert_non_null(redis_do(app.redis, &err, "PING"));
    assert_int_equal(count_of("sign-in-address"), 3);
}

static void others_who_guess_do_not_delay_a_browser_that_is_known(void **state)
{
    char cookie[SIGN_IN_KNOWN_SIZE];

    (void)state;
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    memcpy(cookie, known, sizeof cookie);
    delay("sara", THERE, NULL);
    assert_too_soon(try("sara", GOOD, HERE, NULL), LONG_S);
    set_counters("sign-in-address", "1000");
    assert_int_equal(try("zara", BAD, THERE, NULL), 0);
    assert_too_soon(try("yara", BAD, THERE, NULL), SIGN_IN_ADDRESS_CAP_S);
    assert_int_equal(try("sara", GOOD, THERE, cookie), 1);
    assert_int_equal(try("sara", GOOD, HERE, cookie), 1);
    assert_string_equal(known, cookie);
}

static void the_cookie_of_a_known_browser_is_good_for_its_name_only_and_delayed_itself(void **state)
{
    char cookie[SIGN_IN_KNOWN_SIZE], forged[SIGN_IN_KNOWN_SIZE];

    (void)state;
    assert_int_equal(user_add(&app, "ali", SPAN(GOOD), &err), 0);
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    memcpy(cookie, known, sizeof cookie);
    memcpy(forged, known, sizeof forged);
    forged[0] = forged[0] == 'a' ? 'b' : 'a';
    delay("ali", THERE, NULL);
    assert_too_soon(try("ali", GOOD, HERE, cookie), LONG_S);
    delay("sara", THERE, NULL);
    assert_too_soon(try("sara", GOOD, HERE, forged), LONG_S);
    delay("sara", HERE, cookie);
    assert_too_soon(try("sara", GOOD, HERE, cookie), LONG_S);
}

static void counters_tell_no_name_and_no_address_and_expire(void **state)
{
    char *keys;

    (void)state;
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    keys = REDIS_CLI("KEYS", "peygir:limit:*");
    assert_non_null(strstr(keys, "sign-in-name:"));
    assert_non_null(strstr(keys, "sign-in-address:"));
    assert_null(strstr(keys, "sara"));
    assert_null(strstr(keys, HERE));
    free(keys);
    assert_redis("2", "EVAL", "local n = 0 for _, k in ipairs(redis.call('KEYS', 'peygir:limit:*')) do "
                 "local left = redis.call('PTTL', k) if left > 0 and left <= 3600000 then n = n + 1 end end return n", "0");
}

static void a_clock_that_was_set_back_delays_nobody_longer_than_the_cap(void **state)
{
    (void)state;
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    REDIS_RUN("EVAL", "for _, k in ipairs(redis.call('KEYS', 'peygir:limit:sign-in-name:*')) do "
              "redis.call('HSET', k, 'open_at', '99999999999999') end", "0");
    assert_too_soon(try("sara", GOOD, HERE, NULL), SIGN_IN_NAME_CAP_S);
}

static void a_password_of_an_earlier_cost_is_hashed_anew_asvs_2_4_4(void **state)
{
    char weak[crypto_pwhash_STRBYTES], *now;
    struct admin_session before;

    (void)state;
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    before = s;
    assert_int_equal(crypto_pwhash_str(weak, GOOD, strlen(GOOD), crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN), 0);
    REDIS_RUN("HSET", "peygir:users", "sara", weak);
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    now = REDIS_CLI("HGET", "peygir:users", "sara");
    now[strcspn(now, "\n")] = '\0';
    assert_string_not_equal(now, weak);
    assert_false(password_is_outdated(now));
    free(now);
    assert_int_equal(admin_session_read(&app, &before, &err), 1);
}

static void when_two_are_being_checked_others_come_back_uncounted(void **state)
{
    (void)state;
    assert_true(password_enter());
    assert_true(password_enter());
    assert_too_soon(try("sara", GOOD, HERE, NULL), 1);
    password_leave();
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    password_leave();
}

static void nobody_gets_in_while_redis_is_away(void **state)
{
    (void)state;
    server_freeze();
    assert_int_equal(try("sara", GOOD, HERE, NULL), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    server_thaw();
    for (int i = 0; i < PASSWORD_AT_ONCE; i++) /* nobody stays inside */
        assert_true(password_enter());
    for (int i = 0; i < PASSWORD_AT_ONCE; i++)
        password_leave();
}

static void an_administrator_gets_in_when_redis_is_full(void **state)
{
    (void)state;
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    assert_int_equal(try("sara", GOOD, HERE, NULL), 1);
    assert_int_equal(try("sara", BAD, HERE, NULL), 0);
    assert_int_equal(count_of("sign-in-name"), 1);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, with_sara, leave)
    const struct CMUnitTest tests[] = {
        TEST(name_and_password_begin_a_session),
        TEST(a_wrong_password_and_an_unknown_name_look_the_same_asvs_2_2_1),
        TEST(an_unknown_name_costs_what_a_known_one_does_asvs_2_2_1),
        TEST(the_whole_password_counts_asvs_2_1_3),
        TEST(of_many_attempts_at_once_one_is_tried_asvs_2_2_1),
        TEST(each_failure_doubles_the_delay_up_to_its_cap_asvs_2_2_1),
        TEST(success_forgets_the_failures_of_a_name),
        TEST(an_address_that_tries_name_after_name_waits_too_asvs_2_2_1),
        TEST(success_takes_one_attempt_of_the_address_back),
        TEST(others_who_guess_do_not_delay_a_browser_that_is_known),
        TEST(the_cookie_of_a_known_browser_is_good_for_its_name_only_and_delayed_itself),
        TEST(counters_tell_no_name_and_no_address_and_expire),
        TEST(a_clock_that_was_set_back_delays_nobody_longer_than_the_cap),
        TEST(a_password_of_an_earlier_cost_is_hashed_anew_asvs_2_4_4),
        TEST(when_two_are_being_checked_others_come_back_uncounted),
        TEST(nobody_gets_in_while_redis_is_away),
        TEST(an_administrator_gets_in_when_redis_is_full),
    };
    return cmocka_run_group_tests_name("sign_in", tests, open_house, close_house);
}
