/* test_user.c: the accounts of administrators. Names of requirements are those of OWASP ASVS 4.0.3. */
#include "tests/unit/unit.h"

#include "core/user.h"
#include "tests/unit/jobhouse.h"

#include <sodium.h>

#define GOOD "orange lamp 7 river"
#define OTHER "purple chair 9 lake"

static struct app app;
static struct err err;

static int open_house(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    house_start();
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_stop();
    return 0;
}

static int enter(void **state)
{
    (void)state;
    server_flush();
    house_enter(0);
    app_open(&app, &house);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    app_close(&app);
    house_leave();
    return 0;
}

static int take(const char *typed, struct user *user)
{
    const struct reply *replies;
    size_t count;

    user_queue(&app, span_of(typed));
    assert_int_equal(redis_exchange(app.redis, &replies, &count, &err), 0);
    return user_take(span_of(typed), &replies[0], user);
}

/* --- what is accepted --- */

static int accepts(const char *password)
{
    err.text[0] = '\0';
    return user_check_password("sara", span_of(password), &err) == 0;
}

static void a_password_has_twelve_characters_at_least_asvs_2_1_1(void **state)
{
    (void)state;
    assert_false(accepts("elevenchars"));
    assert_non_null(strstr(err.text, "12 to 128 characters"));
    assert_null(strstr(err.text, "elevenchars"));
    assert_true(accepts("twelve chars"));
    assert_false(accepts(""));
}

static void a_password_may_have_64_characters_and_no_more_than_128_asvs_2_1_2(void **state)
{
    char text[130];

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "abcdefghijk"[i % 11];
    assert_int_equal(user_check_password("sara", (struct span){ text, 64 }, &err), 0);
    assert_int_equal(user_check_password("sara", (struct span){ text, 128 }, &err), 0);
    assert_int_equal(user_check_password("sara", (struct span){ text, 129 }, &err), -1);
}

static void any_character_of_unicode_is_allowed_and_counts_once_asvs_2_1_4(void **state)
{
    (void)state;
    assert_true(accepts("گذرواژهٔ بلند من 🐦"));
    assert_false(accepts("گذرواژه ۱۲")); /* ten characters, more bytes */
    assert_true(accepts("  many   spaces  "));
    assert_false(accepts("with a \ttab in it"));
    assert_false(accepts("not UTF-8 \xff\xfe at all"));
}

static void what_everybody_tries_first_is_refused_asvs_2_1_7(void **state)
{
    static const char *const easy[] = { "Password1234", "administrator", "aaaaaaaaaaaa", "abcabcabcabcabc", "sarasarasara", "SaraSaraSara",
                                        "peygirpeygir", "passwordPASSWORD", "121212121212", "123456789012" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(easy); i++) {
        assert_false(accepts(easy[i]));
        assert_non_null(strstr(err.text, "anybody would try"));
    }
}

static void a_name_is_plain(void **state)
{
    static const char *const bad[] = { "", "Sara", "sara ahmadi", "sara:era", "s\xc3\xa1ra", "sara\n" };
    char longest[USER_NAME_MAX + 2] = "";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(user_check_name(bad[i], &err), -1);
    memset(longest, 'a', USER_NAME_MAX);
    assert_int_equal(user_check_name(longest, &err), 0);
    longest[USER_NAME_MAX] = 'a';
    assert_int_equal(user_check_name(longest, &err), -1);
    assert_int_equal(user_check_name("sara.ahmadi-2_x", &err), 0);
}

/* --- accounts --- */

static void an_account_keeps_a_hash_and_never_the_password_asvs_2_4_1(void **state)
{
    struct user user;
    char *all;

    (void)state;
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    all = REDIS_CLI("HGETALL", "peygir:users");
    assert_non_null(strstr(all, "$argon2id$"));
    assert_null(strstr(all, GOOD));
    free(all);
    assert_int_equal(take("sara", &user), 1);
    assert_int_equal(password_check(SPAN(GOOD), user.hash, &err), 1);
    assert_int_equal(strlen(user.era), USER_ERA_LEN);
}

static void a_name_is_taken_once(void **state)
{
    struct user first, second;

    (void)state;
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(take("sara", &first), 1);
    assert_int_equal(user_add(&app, "sara", SPAN(OTHER), &err), -1);
    assert_int_equal(err.kind, ERR_STATE);
    assert_int_equal(take("sara", &second), 1);
    assert_string_equal(first.hash, second.hash);
}

static void capital_letters_find_the_same_account(void **state)
{
    struct user user;

    (void)state;
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(take("Sara", &user), 1);
    assert_string_equal(user.name, "sara");
}

static void only_an_account_is_found(void **state)
{
    static const char *const typed[] = { "", "nobody", "sara:era", "sara:created", "sara ", "sara\r\n" };
    struct user user;

    (void)state;
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(typed); i++)
        assert_int_equal(take(typed[i], &user), 0);
}

static void a_new_password_begins_a_new_era_asvs_3_3_3(void **state)
{
    struct user before, after;

    (void)state;
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(take("sara", &before), 1);
    assert_int_equal(user_is_era(&app, "sara", before.era, &err), 1);
    assert_int_equal(user_passwd(&app, "sara", SPAN(OTHER), &err), 1);
    assert_int_equal(take("sara", &after), 1);
    assert_int_equal(user_is_era(&app, "sara", before.era, &err), 0);
    assert_int_equal(password_check(SPAN(OTHER), after.hash, &err), 1);
    assert_int_equal(password_check(SPAN(GOOD), after.hash, &err), 0);
}

static void nobody_gets_a_new_password_who_is_no_administrator(void **state)
{
    struct user user;

    (void)state;
    assert_int_equal(user_passwd(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(take("sara", &user), 0);
    assert_int_equal(user_passwd(&app, "sara:era", SPAN(GOOD), &err), 0);
}

static void who_is_removed_leaves_nothing_behind_not_even_an_era(void **state)
{
    struct user first, second;

    (void)state;
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(take("sara", &first), 1);
    assert_int_equal(user_remove(&app, "sara", &err), 1);
    assert_redis("0", "EXISTS", "peygir:users");
    assert_int_equal(user_remove(&app, "sara", &err), 0);
    assert_int_equal(user_is_era(&app, "sara", first.era, &err), 0);
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(take("sara", &second), 1);
    assert_string_not_equal(first.era, second.era);
}

static void the_same_password_at_a_new_cost_ends_no_session(void **state)
{
    struct user before, after;

    (void)state;
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(take("sara", &before), 1);
    assert_int_equal(user_rehash(&app, &before, SPAN(GOOD), &err), 0);
    assert_int_equal(take("sara", &after), 1);
    assert_string_not_equal(before.hash, after.hash);
    assert_string_equal(before.era, after.era);
    assert_int_equal(user_rehash(&app, &before, SPAN(OTHER), &err), 0); /* it was changed meanwhile */
    assert_int_equal(take("sara", &before), 1);
    assert_string_equal(before.hash, after.hash);
}

struct seen {
    char names[64];
    int64_t created_ms, seen_ms;
};

static void see(void *ctx, const struct user_view *user)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->names);

    snprintf(seen->names + len, sizeof seen->names - len, "%s ", user->name);
    seen->created_ms = user->created_ms;
    seen->seen_ms = user->seen_ms;
}

static void administrators_are_listed_by_name(void **state)
{
    struct seen seen = { .seen_ms = -1 };

    (void)state;
    assert_int_equal(user_each(&app, see, &seen, &err), 0);
    assert_string_equal(seen.names, "");
    assert_int_equal(user_add(&app, "sara", SPAN(GOOD), &err), 0);
    assert_int_equal(user_add(&app, "ali", SPAN(GOOD), &err), 0);
    assert_int_equal(user_each(&app, see, &seen, &err), 0);
    assert_string_equal(seen.names, "ali sara ");
    assert_true(seen.created_ms > 0);
    assert_int_equal(seen.seen_ms, 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_has_twelve_characters_at_least_asvs_2_1_1),
        cmocka_unit_test(a_password_may_have_64_characters_and_no_more_than_128_asvs_2_1_2),
        cmocka_unit_test(any_character_of_unicode_is_allowed_and_counts_once_asvs_2_1_4),
        cmocka_unit_test(what_everybody_tries_first_is_refused_asvs_2_1_7),
        cmocka_unit_test(a_name_is_plain),
        TEST(an_account_keeps_a_hash_and_never_the_password_asvs_2_4_1),
        TEST(a_name_is_taken_once),
        TEST(capital_letters_find_the_same_account),
        TEST(only_an_account_is_found),
        TEST(a_new_password_begins_a_new_era_asvs_3_3_3),
        TEST(nobody_gets_a_new_password_who_is_no_administrator),
        TEST(who_is_removed_leaves_nothing_behind_not_even_an_era),
        TEST(the_same_password_at_a_new_cost_ends_no_session),
        TEST(administrators_are_listed_by_name),
    };
    return cmocka_run_group_tests_name("user", tests, open_house, close_house);
}
