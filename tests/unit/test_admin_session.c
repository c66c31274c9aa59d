/* test_admin_session.c: that an administrator has signed in. Names of requirements are those of OWASP ASVS 4.0.3. */
#include "tests/unit/unit.h"

#include "base/digest.h"
#include "core/admin_session.h"
#include "tests/unit/keyhouse.h"

#define GOOD "orange lamp 7 river"
#define DB "2"

static struct err err;
static struct user sara;

/* An administrator, and a session of hers. */
static struct admin_session signed_in(void)
{
    const struct reply *replies;
    struct admin_session s;
    size_t count;

    if (user_exists(&app, "sara", &err) == 0)
        assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    user_queue(&app, SPAN("sara"));
    assert_int_equal(redis_exchange(app.redis, &replies, &count, &err), 0);
    assert_int_equal(user_take(SPAN("sara"), &replies[0], &sara), 1);
    assert_int_equal(admin_session_start(&app, &sara, &s, &err), 0);
    return s;
}

static int read_again(const char *token)
{
    struct admin_session s;

    assert_true(admin_session_cookie(span_of(token), &s));
    return admin_session_read(&app, &s, &err);
}

static void key_of(const struct admin_session *s, char out[128])
{
    char hex[DIGEST_HEX_SIZE];

    digest_sha256_hex(s->token, strlen(s->token), hex);
    snprintf(out, 128, "peygir:admin_session:%s", hex);
}

/* Posted commands have arrived when a later one is answered. */
static void settle(void)
{
    assert_non_null(redis_do(app.session_redis, &err, "PING"));
}

static void a_token_brings_its_administrator_back(void **state)
{
    struct admin_session s = signed_in(), back;

    (void)state;
    assert_true(s.known);
    assert_true(admin_session_cookie(span_of(s.token), &back));
    assert_false(back.known);
    assert_int_equal(admin_session_read(&app, &back, &err), 1);
    assert_true(back.known);
    assert_string_equal(back.name, "sara");
}

static void each_sign_in_gives_a_new_token_of_256_bits_asvs_3_2_1_and_3_2_2(void **state)
{
    struct admin_session first = signed_in(), second = signed_in();

    (void)state;
    assert_int_equal(strlen(first.token), 64);
    assert_string_not_equal(first.token, second.token);
}

static void only_the_digest_of_a_token_is_stored_and_not_among_visitors_asvs_3_2_3(void **state)
{
    struct admin_session s = signed_in();
    char key[128], *keys;

    (void)state;
    key_of(&s, key);
    assert_redis("1", "-n", DB, "EXISTS", key);
    keys = REDIS_CLI("-n", DB, "KEYS", "*");
    assert_null(strstr(keys, s.token));
    assert_null(strstr(keys, "peygir:session:"));
    free(keys);
}

static void what_is_no_token_is_not_looked_for(void **state)
{
    static const char *const bad[] = { "", "x", "v1.AAAA", "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff" };
    struct admin_session s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(admin_session_cookie(span_of(bad[i]), &s));
        assert_string_equal(s.token, "");
    }
    admin_session_fresh(&s);
    assert_int_equal(admin_session_read(&app, &s, &err), 0);
}

static void a_session_ends_in_redis_when_it_is_signed_out_asvs_3_3_1(void **state)
{
    struct admin_session s = signed_in(), other = signed_in();

    (void)state;
    assert_int_equal(admin_session_end(&app, &s, &err), 0);
    assert_int_equal(read_again(s.token), 0);
    assert_int_equal(read_again(other.token), 1);
}

static void a_new_password_ends_every_session_asvs_3_3_3(void **state)
{
    struct admin_session first = signed_in(), second = signed_in();
    char key[128];

    (void)state;
    assert_int_equal(user_passwd(&app, "sara", SPAN("purple chair 9 lake"), &err), 1);
    assert_int_equal(read_again(first.token), 0);
    assert_int_equal(read_again(second.token), 0);
    settle();
    key_of(&first, key);
    assert_redis("0", "-n", DB, "EXISTS", key);
}

static void removing_the_account_ends_its_sessions_also_when_it_is_made_again(void **state)
{
    struct admin_session s = signed_in();

    (void)state;
    assert_int_equal(user_remove(&app, "sara", &err), 1);
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(read_again(s.token), 0);
}

static void a_password_at_a_new_cost_ends_no_session(void **state)
{
    struct admin_session s = signed_in();

    (void)state;
    assert_int_equal(user_rehash(&app, &sara, SPAN(GOOD), &err), 0);
    assert_int_equal(read_again(s.token), 1);
}

static void only_a_touch_prolongs_a_session_asvs_3_3_2(void **state)
{
    struct admin_session s = signed_in();
    char key[128];
    long long left;

    (void)state;
    key_of(&s, key);
    left = REDIS_NUMBER("-n", DB, "PTTL", key);
    assert_in_range(left, 890000, 900000);
    REDIS_RUN("-n", DB, "PEXPIRE", key, "20000");
    assert_int_equal(read_again(s.token), 1);
    settle();
    assert_in_range(REDIS_NUMBER("-n", DB, "PTTL", key), 1, 20000);
    admin_session_touch(&app, &s);
    settle();
    assert_in_range(REDIS_NUMBER("-n", DB, "PTTL", key), 890000, 900000);
}

static void set_created(const char *key, long long ago_ms)
{
    char text[NUMBER_SIZE];
    long long created = REDIS_NUMBER("-n", DB, "HGET", key, "created_at");

    snprintf(text, sizeof text, "%lld", created - ago_ms);
    REDIS_RUN("-n", DB, "HSET", key, "created_at", text);
}

static void no_touch_prolongs_a_session_beyond_its_whole_life_asvs_3_3_2(void **state)
{
    struct admin_session s = signed_in();
    char key[128];

    (void)state;
    key_of(&s, key);
    set_created(key, 28800000 - 60000);
    admin_session_touch(&app, &s);
    settle();
    assert_in_range(REDIS_NUMBER("-n", DB, "PTTL", key), 1, 60000);
    set_created(key, 60000);
    admin_session_touch(&app, &s);
    settle();
    assert_redis("0", "-n", DB, "EXISTS", key);
}

static void a_touch_revives_nothing(void **state)
{
    struct admin_session s = signed_in();
    char key[128];

    (void)state;
    key_of(&s, key);
    assert_int_equal(admin_session_end(&app, &s, &err), 0);
    admin_session_touch(&app, &s);
    settle();
    assert_redis("0", "-n", DB, "EXISTS", key);
}

static void a_form_belongs_to_one_session_asvs_4_2_2(void **state)
{
    struct admin_session one, other, none = { .known = false };
    char csrf[65];

    (void)state;
    admin_session_fresh(&one);
    admin_session_fresh(&other);
    admin_session_csrf(&app, &one, csrf);
    assert_true(admin_session_csrf_ok(&app, &one, span_of(csrf)));
    assert_false(admin_session_csrf_ok(&app, &other, span_of(csrf)));
    assert_false(admin_session_csrf_ok(&app, &one, SPAN("")));
    admin_session_csrf(&app, &none, csrf);
    assert_false(admin_session_csrf_ok(&app, &none, span_of(csrf)));
}

/* The same server under another name counts as another one. */
static void sessions_may_live_on_another_server_than_accounts(void **state)
{
    const char *path = server_url() + strlen("unix://");
    char *name = xmemdupz(path, strcspn(path, "?")), *other = xasprintf("%s.other", name), *url = xasprintf("unix://%s?db=5", other);
    struct admin_session s;
    char key[128];

    (void)state;
    assert_int_equal(symlink(name, other), 0);
    leave(state);
    house_set("REDIS_SESSION_URL", url);
    enter(state);
    assert_ptr_not_equal(app.redis, app.session_redis);
    s = signed_in();
    key_of(&s, key);
    assert_redis("1", "-n", "5", "EXISTS", key);
    assert_int_equal(read_again(s.token), 1);
    assert_int_equal(user_remove(&app, "sara", &err), 1);
    assert_int_equal(read_again(s.token), 0);
    house_set("REDIS_SESSION_URL", "");
    unlink(other);
    free(name);
    free(other);
    free(url);
}

static void nobody_is_known_while_redis_is_away(void **state)
{
    struct admin_session s = signed_in(), back;

    (void)state;
    assert_true(admin_session_cookie(span_of(s.token), &back));
    server_freeze();
    assert_int_equal(admin_session_read(&app, &back, &err), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_false(back.known);
    server_thaw();
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(a_token_brings_its_administrator_back),
        TEST(each_sign_in_gives_a_new_token_of_256_bits_asvs_3_2_1_and_3_2_2),
        TEST(only_the_digest_of_a_token_is_stored_and_not_among_visitors_asvs_3_2_3),
        TEST(what_is_no_token_is_not_looked_for),
        TEST(a_session_ends_in_redis_when_it_is_signed_out_asvs_3_3_1),
        TEST(a_new_password_ends_every_session_asvs_3_3_3),
        TEST(removing_the_account_ends_its_sessions_also_when_it_is_made_again),
        TEST(a_password_at_a_new_cost_ends_no_session),
        TEST(only_a_touch_prolongs_a_session_asvs_3_3_2),
        TEST(no_touch_prolongs_a_session_beyond_its_whole_life_asvs_3_3_2),
        TEST(a_touch_revives_nothing),
        TEST(a_form_belongs_to_one_session_asvs_4_2_2),
        TEST(sessions_may_live_on_another_server_than_accounts),
        TEST(nobody_is_known_while_redis_is_away),
    };
    return cmocka_run_group_tests_name("admin_session", tests, open_house, close_house);
}
