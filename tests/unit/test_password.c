/* test_password.c: passwords kept as Argon2id. Names of requirements are those of OWASP ASVS 4.0.3. */
#include "tests/unit/unit.h"

#include "base/password.h"

#include <sodium.h>

static void a_password_is_right_and_another_is_not_asvs_2_4_1_and_2_4_2(void **state)
{
    char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(password_hash(SPAN("correct horse battery"), hash, &err), 0);
    assert_int_equal(strncmp(hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31), 0);
    assert_int_equal(password_check(SPAN("correct horse battery"), hash, &err), 1);
    assert_int_equal(password_check(SPAN("correct horse batterz"), hash, &err), 0);
    assert_int_equal(password_hash(SPAN("correct horse battery"), again, &err), 0);
    assert_string_not_equal(hash, again); /* a salt of its own */
}

static void what_is_no_hash_is_nobodys_password(void **state)
{
    static const char hashes[][PASSWORD_HASH_SIZE] = { "", "x", "$argon2id$", "$argon2id$v=19$m=65536,t=2,p=1$AAAA$AAAA" };
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        assert_int_equal(password_check(SPAN(""), hashes[i], &err), 0);
}

static void a_hash_of_an_earlier_cost_is_outdated_and_still_good_asvs_2_4_4(void **state)
{
    char weak[crypto_pwhash_STRBYTES], hash[PASSWORD_HASH_SIZE];
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(crypto_pwhash_str(weak, "old password", 12, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN), 0);
    assert_int_equal(password_check(SPAN("old password"), weak, &err), 1);
    assert_true(password_is_outdated(weak));
    assert_int_equal(password_hash(SPAN("old password"), hash, &err), 0);
    assert_false(password_is_outdated(hash));
}

/* A longer or a shorter time would tell which names exist. The cost is in the text of the hash. */
static void nobodys_password_costs_what_a_real_one_does(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(password_check_nobody(SPAN("anything"), &err), 0);
    assert_false(password_is_outdated(password_nobody));
}

static void at_most_two_are_checked_at_once(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < PASSWORD_AT_ONCE; i++)
            assert_true(password_enter());
        assert_false(password_enter());
        assert_false(password_enter());
        for (int i = 0; i < PASSWORD_AT_ONCE; i++)
            password_leave();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_right_and_another_is_not_asvs_2_4_1_and_2_4_2),
        cmocka_unit_test(what_is_no_hash_is_nobodys_password),
        cmocka_unit_test(a_hash_of_an_earlier_cost_is_outdated_and_still_good_asvs_2_4_4),
        cmocka_unit_test(nobodys_password_costs_what_a_real_one_does),
        cmocka_unit_test(at_most_two_are_checked_at_once),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
