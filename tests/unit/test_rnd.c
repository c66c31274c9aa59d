/* test_rnd.c: random bytes and their texts. */
#include "tests/unit/unit.h"

#include "base/rnd.h"
#include "base/xmalloc.h"

static void two_draws_differ(void **state)
{
    uint8_t a[16] = { 0 }, b[16] = { 0 };

    (void)state;
    rnd_bytes(a, sizeof(a));
    rnd_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void numbers_below_a_limit_reach_all_of_it_and_nothing_else(void **state)
{
    unsigned seen[5] = { 0 };
    uint32_t n;
    size_t i;

    (void)state;
    for (i = 0; i < 2000; i++) {
        n = rnd_below(ARRAY_LEN(seen));
        assert_true(n < ARRAY_LEN(seen));
        seen[n]++;
    }
    for (i = 0; i < ARRAY_LEN(seen); i++)
        assert_true(seen[i] > 0);
    assert_int_equal(rnd_below(1), 0);
}

static void base32_takes_five_bits_a_digit_from_the_left(void **state)
{
    static const uint8_t count[5] = { 0x00, 0x44, 0x32, 0x14, 0xc7 }; /* 00000 00001 00010 ... 00111 */
    static const uint8_t ones[17] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0 };
    char out[27];

    (void)state;
    rnd_base32(count, 8, out);
    assert_string_equal(out, "01234567");
    rnd_base32(ones, 26, out);
    assert_string_equal(out, "ZZZZZZZZZZZZZZZZZZZZZZZZZZ");
    rnd_base32(count, 0, out);
    assert_string_equal(out, "");
}

static void base32_uses_every_crockford_digit(void **state)
{
    uint8_t data;
    char out[2], all[33];
    unsigned i;

    (void)state;
    for (i = 0; i < 32; i++) {
        data = (uint8_t)(i << 3);
        rnd_base32(&data, 1, out);
        all[i] = out[0];
    }
    all[32] = '\0';
    assert_string_equal(all, "0123456789ABCDEFGHJKMNPQRSTVWXYZ");
}

static void hex_is_two_small_digits_a_byte(void **state)
{
    static const uint8_t data[] = { 0x00, 0x9f, 0xa0, 0xff };
    char out[9];

    (void)state;
    rnd_hex(data, sizeof(data), out);
    assert_string_equal(out, "009fa0ff");
}

static void characters_are_known_for_what_they_are(void **state)
{
    (void)state;
    assert_true(rnd_is_hex("0123456789abcdef", 16));
    assert_false(rnd_is_hex("0A", 2));
    assert_false(rnd_is_hex("a\0", 2));
    assert_true(rnd_is_base32("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 32));
    for (const char *bad = "ILOUabz-/:@[`"; *bad; bad++)
        assert_false(rnd_is_base32(bad, 1));
    assert_false(rnd_is_base32("", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_draws_differ),
        cmocka_unit_test(numbers_below_a_limit_reach_all_of_it_and_nothing_else),
        cmocka_unit_test(base32_takes_five_bits_a_digit_from_the_left),
        cmocka_unit_test(base32_uses_every_crockford_digit),
        cmocka_unit_test(hex_is_two_small_digits_a_byte),
        cmocka_unit_test(characters_are_known_for_what_they_are),
    };

    return cmocka_run_group_tests_name("rnd", tests, NULL, NULL);
}
