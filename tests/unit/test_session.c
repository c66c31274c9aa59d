/* test_session.c: who is asking (contract 4.3). */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/digest.h"
#include "core/keys.h"
#include "core/session.h"
#include "tests/unit/jobhouse.h"

#include <sys/stat.h>
#include <unistd.h>

#define SESSION_DB "2"
#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OWNER "0123456789ABCDEFGHJKMNPQRS"
#define HOUR_MS INT64_C(3600000)

static char secret_file[] = "/tmp/peygir-secret-XXXXXX";
static struct app app;

static int write_secret(void)
{
    static const char line[] = "0123456789abcdef0123456789abcdef\n";
    int fd = mkstemp(secret_file);
    bool written = fd >= 0 && write(fd, line, sizeof(line) - 1) == (ssize_t)sizeof(line) - 1;

    if (fd >= 0)
        close(fd);
    return written ? 0 : -1;
}

static int open_house(void **state)
{
    (void)state;
    if (write_secret() < 0)
        return -1;
    house_start();
    house_set("PEYGIR_SECRET_FILE", secret_file);
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_stop();
    unlink(secret_file);
    return 0;
}

static void enter(const char *session_keys)
{
    server_flush();
    clock_test_offset(0);
    house_set("SESSION_KEYS", session_keys);
    house_enter(HOUSE_SECRET);
    app_open(&app, &house);
}

static int hashed(void **state)
{
    (void)state;
    enter("hashed");
    return 0;
}

static int plain(void **state)
{
    (void)state;
    enter("plain");
    return 0;
}

static int leave(void **state)
{
    (void)state;
    app_close(&app);
    house_leave();
    return 0;
}

/* Look a token up as a page does. */
static int look(const char *token, struct session *s)
{
    const struct reply *replies;
    struct err err = ERR_INIT;
    size_t count;

    session_queue(&app, span_of(token));
    assert_int_equal(redis_exchange(app.session_redis, &replies, &count, &err), 0);
    assert_int_equal(count, SESSION_REPLIES);
    return session_take(&app, span_of(token), replies, s, &err);
}

/* Posted commands have arrived when a later one is answered. */
static void settle(void)
{
    struct err err = ERR_INIT;

    assert_non_null(redis_do(app.session_redis, &err, "PING"));
}

static struct session stored(void)
{
    char cookie[SESSION_COOKIE_MAX];
    struct session s;
    const struct reply *replies;
    struct err err = ERR_INIT;
    size_t count;

    session_fresh(&app, &s, cookie);
    session_store_queue(&app, &s, &(struct session_about){ .ip = "192.0.2.1", .user_agent = "A \"B\"" });
    assert_int_equal(redis_exchange(app.session_redis, &replies, &count, &err), 0);
    assert_int_equal(redis_reply_ok(&replies[0], &err), 0);
    return s;
}

/* --- the cookie before the first submission --- */

static void a_fresh_cookie_brings_its_owner_back(void **state)
{
    char cookie[SESSION_COOKIE_MAX];
    struct session made, seen;

    (void)state;
    session_fresh(&app, &made, cookie);
    assert_int_equal(strlen(made.owner), SESSION_OWNER_LEN);
    assert_int_equal(session_cookie(&app, span_of(cookie), &seen), 0);
    assert_false(seen.known);
    assert_string_equal(seen.owner, made.owner);
}

static void two_fresh_visitors_are_two_owners(void **state)
{
    char cookie[SESSION_COOKIE_MAX];
    struct session one, two;

    (void)state;
    session_fresh(&app, &one, cookie);
    session_fresh(&app, &two, cookie);
    assert_string_not_equal(one.owner, two.owner);
}

static void a_changed_cookie_is_refused_at_every_byte(void **state)
{
    char cookie[SESSION_COOKIE_MAX];
    struct session s;
    size_t len;

    (void)state;
    session_fresh(&app, &s, cookie);
    len = strlen(cookie);
    for (size_t i = 0; i < len; i++) {
        char kept = cookie[i];
        cookie[i] = kept == '7' ? '8' : '7';
        assert_int_equal(session_cookie(&app, span_of(cookie), &s), -1);
        cookie[i] = kept;
        assert_int_equal(session_cookie(&app, (struct span){ cookie, i }, &s), -1);
    }
    assert_int_equal(session_cookie(&app, (struct span){ cookie, len }, &s), 0);
}

static void a_signed_cookie_is_accepted_for_session_ttl(void **state)
{
    char cookie[SESSION_COOKIE_MAX];
    struct session s;

    (void)state;
    session_fresh(&app, &s, cookie);
    clock_test_offset(7 * 24 * HOUR_MS - 60000);
    assert_int_equal(session_cookie(&app, span_of(cookie), &s), 0);
    clock_test_offset(7 * 24 * HOUR_MS + 60000);
    assert_int_equal(session_cookie(&app, span_of(cookie), &s), -1);
}

static void a_token_is_known_by_its_form(void **state)
{
    struct session s;

    (void)state;
    assert_int_equal(session_cookie(&app, span_of(TOKEN), &s), 1);
    assert_int_equal(session_cookie(&app, (struct span){ TOKEN, 63 }, &s), -1);
    assert_int_equal(session_cookie(&app, span_of("g" TOKEN), &s), -1);
    assert_int_equal(session_cookie(&app, (struct span){ "\0" TOKEN, 64 }, &s), -1);
    assert_int_equal(session_cookie(&app, span_of(""), &s), -1);
    assert_int_equal(session_cookie(&app, (struct span){ NULL, 0 }, &s), -1);
}

/* --- stored sessions --- */

static void the_first_submission_keeps_the_owner_under_a_new_token(void **state)
{
    struct session made = stored(), seen;
    char hex[DIGEST_HEX_SIZE], key[128], want[512];

    (void)state;
    assert_int_equal(look(made.token, &seen), 1);
    assert_true(seen.known);
    assert_string_equal(seen.owner, made.owner);
    assert_string_equal(seen.token, made.token);
    assert_string_equal(seen.user_id, "");
    assert_int_equal(seen.created_ms, made.created_ms);
    digest_sha256_hex(made.token, SESSION_TOKEN_LEN, hex);
    snprintf(key, sizeof(key), "peygir:session:%s", hex);
    snprintf(want, sizeof(want),
             "{\"user_id\":null,\"email\":null,\"role\":null,\"owner\":\"%s\",\"created_at\":%lld,"
             "\"last_activity\":%lld,\"ip\":\"192.0.2.1\",\"user_agent\":\"A \\\"B\\\"\"}",
             made.owner, (long long)made.created_ms, (long long)made.created_ms);
    assert_redis(want, "-n", SESSION_DB, "GET", key);
    assert_in_range(REDIS_NUMBER("-n", SESSION_DB, "TTL", key), 1700, 1800);
}

static void an_unknown_token_is_no_session(void **state)
{
    struct session s;

    (void)state;
    assert_int_equal(look(TOKEN, &s), 0);
    assert_false(s.known);
}

static void a_visitors_activity_renews_the_ttl_once_a_minute(void **state)
{
    struct session s = stored();
    struct key k = key_session(&house, span_of(s.token));

    (void)state;
    REDIS_RUN("-n", SESSION_DB, "EXPIRE", k.s, "100");
    assert_int_equal(look(s.token, &s), 1);
    session_touch(&app, &s);
    settle();
    assert_in_range(REDIS_NUMBER("-n", SESSION_DB, "TTL", k.s), 1, 100);
    s.active_ms -= 61000;
    session_touch(&app, &s);
    settle();
    assert_in_range(REDIS_NUMBER("-n", SESSION_DB, "TTL", k.s), 1700, 1800);
}

static void a_visitors_session_is_kept_when_redis_is_full(void **state)
{
    struct session s = stored();
    struct key k = key_session(&house, span_of(s.token));

    (void)state;
    REDIS_RUN("-n", SESSION_DB, "EXPIRE", k.s, "100");
    assert_int_equal(look(s.token, &s), 1);
    s.active_ms -= 61000;
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    session_touch(&app, &s);
    settle();
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_in_range(REDIS_NUMBER("-n", SESSION_DB, "TTL", k.s), 1700, 1800);
}

static void signed_in(int64_t active_ms, const char *extra)
{
    char json[512];

    snprintf(json, sizeof(json),
             "{\"user_id\":42,\"email\":\"a@example.org\",\"role\":\"admin\",\"created_at\":%lld,"
             "\"last_activity\":%lld%s}",
             (long long)active_ms, (long long)active_ms, extra);
    REDIS_RUN("-n", SESSION_DB, "SET", key_session(&house, SPAN(TOKEN)).s, json, "EX", "600000");
}

static void a_signed_in_session_ends_when_idle_too_long(void **state)
{
    struct session s;

    (void)state;
    signed_in(clock_ms() - HOUR_MS / 2 + 60000, ",\"owner\":\"" OWNER "\"");
    assert_int_equal(look(TOKEN, &s), 1);
    assert_string_equal(s.user_id, "42");
    assert_string_equal(s.role, "admin");
    assert_string_equal(s.owner, OWNER);
    clock_test_offset(HOUR_MS);
    assert_int_equal(look(TOKEN, &s), 0);
    settle();
    assert_redis("0", "-n", SESSION_DB, "EXISTS", key_session(&house, SPAN(TOKEN)).s);
}

static void a_signed_in_touch_writes_last_activity_and_keeps_the_ttl(void **state)
{
    struct key k = key_session(&house, SPAN(TOKEN));
    int64_t before = clock_ms() - 120000;
    struct session s;

    (void)state;
    signed_in(before, ",\"owner\":\"" OWNER "\",\"user_agent\":\"x\\\"last_activity\\\":7\"");
    assert_int_equal(look(TOKEN, &s), 1);
    session_touch(&app, &s);
    settle();
    assert_int_equal(look(TOKEN, &s), 1);
    assert_true(s.active_ms > before);
    assert_int_equal(s.created_ms, before);
    assert_in_range(REDIS_NUMBER("-n", SESSION_DB, "TTL", k.s), 599000, 600000);
    char *text = REDIS_CLI("-n", SESSION_DB, "GET", k.s);
    assert_non_null(strstr(text, "\"user_agent\":\"x\\\"last_activity\\\":7\"}"));
    free(text);
}

static void touching_what_was_just_active_writes_nothing(void **state)
{
    struct session s;
    int64_t now = clock_ms();

    (void)state;
    signed_in(now, ",\"owner\":\"" OWNER "\"");
    assert_int_equal(look(TOKEN, &s), 1);
    session_touch(&app, &s);
    settle();
    assert_int_equal(look(TOKEN, &s), 1);
    assert_int_equal(s.active_ms, now);
}

static void a_touch_does_not_revive_a_session_that_is_gone(void **state)
{
    struct session s;

    (void)state;
    signed_in(clock_ms() - 120000, ",\"owner\":\"" OWNER "\"");
    assert_int_equal(look(TOKEN, &s), 1);
    server_flush();
    session_touch(&app, &s);
    settle();
    assert_int_equal(look(TOKEN, &s), 0);
}

static void what_is_no_session_is_not_used(void **state)
{
    const char *key;
    struct key k = key_session(&house, SPAN(TOKEN));
    static const char *const bad[] = { "", "null", "[]", "{\"user_id\":{\"a\":1}}", "{\"user_id\":true}", "oops" };
    struct session s;

    (void)state;
    key = k.s;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        REDIS_RUN("-n", SESSION_DB, "SET", key, bad[i]);
        assert_int_equal(look(TOKEN, &s), 0);
        assert_false(s.known);
    }
}

/* --- sessions that others write (SESSION_KEYS=plain) --- */

static void a_session_of_others_is_accepted_and_gets_an_owner(void **state)
{
    struct session one, two;

    (void)state;
    signed_in(clock_ms(), "");
    assert_redis("1", "-n", SESSION_DB, "EXISTS", "peygir:session:" TOKEN);
    assert_int_equal(look(TOKEN, &one), 1);
    assert_int_equal(look(TOKEN, &two), 1); /* before or after it was written: the same */
    settle();
    assert_int_equal(strlen(one.owner), SESSION_OWNER_LEN);
    assert_string_equal(one.owner, two.owner);
    char *text = REDIS_CLI("-n", SESSION_DB, "GET", "peygir:session:" TOKEN);
    assert_non_null(strstr(text, one.owner));
    assert_non_null(strstr(text, "\"email\":\"a@example.org\""));
    free(text);
    assert_in_range(REDIS_NUMBER("-n", SESSION_DB, "TTL", "peygir:session:" TOKEN), 599000, 600000);
}

static void giving_an_owner_does_not_undo_what_others_changed_meanwhile(void **state)
{
    struct session s;

    (void)state;
    signed_in(clock_ms(), "");
    assert_int_equal(look(TOKEN, &s), 1);
    signed_in(clock_ms(), ",\"theirs\":1");
    settle();
    char *text = REDIS_CLI("-n", SESSION_DB, "GET", "peygir:session:" TOKEN);
    assert_non_null(strstr(text, "\"theirs\":1}"));
    free(text);
}

/* --- forms --- */

static void a_csrf_token_is_bound_to_the_owner(void **state)
{
    char cookie[SESSION_COOKIE_MAX], token[65];
    struct session visitor, other;

    (void)state;
    session_fresh(&app, &visitor, cookie);
    session_fresh(&app, &other, cookie);
    session_csrf(&app, &visitor, token);
    assert_int_equal(strlen(token), 64);
    assert_true(session_csrf_ok(&app, &visitor, span_of(token)));
    assert_false(session_csrf_ok(&app, &other, span_of(token)));
    assert_false(session_csrf_ok(&app, &visitor, SPAN("")));
}

static void a_form_opened_before_the_first_submission_stays_valid(void **state)
{
    char cookie[SESSION_COOKIE_MAX], token[65];
    struct session s;

    (void)state;
    session_fresh(&app, &s, cookie);
    session_csrf(&app, &s, token);
    session_store_queue(&app, &s, NULL);
    assert_true(s.known);
    assert_true(session_csrf_ok(&app, &s, span_of(token)));
    settle();
    assert_int_equal(look(s.token, &s), 1);
    assert_true(session_csrf_ok(&app, &s, span_of(token)));
}

#define HASHED(name) cmocka_unit_test_setup_teardown(name, hashed, leave)
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, plain, leave)
int main(void)
{
    const struct CMUnitTest tests[] = {
        HASHED(a_fresh_cookie_brings_its_owner_back),
        HASHED(two_fresh_visitors_are_two_owners),
        HASHED(a_changed_cookie_is_refused_at_every_byte),
        HASHED(a_signed_cookie_is_accepted_for_session_ttl),
        HASHED(a_token_is_known_by_its_form),
        HASHED(the_first_submission_keeps_the_owner_under_a_new_token),
        HASHED(an_unknown_token_is_no_session),
        HASHED(a_visitors_activity_renews_the_ttl_once_a_minute),
        HASHED(a_visitors_session_is_kept_when_redis_is_full),
        HASHED(a_signed_in_session_ends_when_idle_too_long),
        HASHED(a_signed_in_touch_writes_last_activity_and_keeps_the_ttl),
        HASHED(touching_what_was_just_active_writes_nothing),
        HASHED(a_touch_does_not_revive_a_session_that_is_gone),
        HASHED(what_is_no_session_is_not_used),
        PLAIN(a_session_of_others_is_accepted_and_gets_an_owner),
        PLAIN(giving_an_owner_does_not_undo_what_others_changed_meanwhile),
        HASHED(a_csrf_token_is_bound_to_the_owner),
        HASHED(a_form_opened_before_the_first_submission_stays_valid),
    };

    return cmocka_run_group_tests_name("session", tests, open_house, close_house);
}
