/* test_decimal.c: decimal numbers, multiplied and rounded exactly. */
#include "tests/unit/unit.h"

#include "base/decimal.h"
#include "base/rnd.h"

static const char *product(const char *a, const char *b)
{
    static struct str out;

    str_reset(&out);
    decimal_add_product(&out, span_of(a), span_of(b));
    return out.s;
}

static const char *rounded(const char *text, size_t places)
{
    static struct str out;

    str_reset(&out);
    str_adds(&out, "9"); /* what stands before it stays */
    decimal_add_rounded(&out, span_of(text), places);
    assert_int_equal(out.s[0], '9');
    assert_int_equal(strlen(out.s), out.len);
    return out.s + 1;
}

static void only_digits_with_one_point_between_them_are_a_number(void **state)
{
    static const char *const good[] = { "0", "00", "7", "0.10", "199.90", "123456789012345678901234567890.5" };
    static const char *const bad[] = { "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "1.2.3", "0x1", "NaN", "۱۲", "1\n" };
    char longest[DECIMAL_DIGITS_MAX + 3];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(decimal_ok(span_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(decimal_ok(span_of(bad[i])));
    assert_false(decimal_ok((struct span){ NULL, 0 }));
    memset(longest, '9', sizeof longest);
    longest[1] = '.';
    assert_true(decimal_ok((struct span){ longest, DECIMAL_DIGITS_MAX + 1 }));
    assert_false(decimal_ok((struct span){ longest, DECIMAL_DIGITS_MAX + 2 }));
    longest[1] = '9';
    assert_true(decimal_ok((struct span){ longest, DECIMAL_DIGITS_MAX }));
    assert_false(decimal_ok((struct span){ longest, DECIMAL_DIGITS_MAX + 1 }));
}

static void a_product_is_exact_and_has_no_needless_zeros(void **state)
{
    (void)state;
    assert_string_equal(product("199.90", "0.10"), "19.99");
    assert_string_equal(product("0.1", "0.2"), "0.02");
    assert_string_equal(product("1.1", "1.1"), "1.21");
    assert_string_equal(product("100", "0.10"), "10");
    assert_string_equal(product("000100.00", "0"), "0");
    assert_string_equal(product("0.00", "0.00"), "0");
    assert_string_equal(product("20", "5"), "100");
    assert_string_equal(product("123456789012345678901234567890123456789.01", "0.10"), "12345678901234567890123456789012345678.901");
    assert_string_equal(product("99999999999999999999", "99999999999999999999"), "9999999999999999999800000000000000000001");
    assert_string_equal(product("0.000000000000000000001", "0.000000000000000000001"), "0.000000000000000000000000000000000000000001");
}

static void the_longest_numbers_have_a_product(void **state)
{
    char nines[DECIMAL_DIGITS_MAX + 1], expected[2 * DECIMAL_DIGITS_MAX + 1];

    (void)state;
    memset(nines, '9', DECIMAL_DIGITS_MAX);
    nines[DECIMAL_DIGITS_MAX] = '\0';
    memset(expected, '9', DECIMAL_DIGITS_MAX - 1); /* (10^n - 1)^2 = 99…98 00…01 */
    expected[DECIMAL_DIGITS_MAX - 1] = '8';
    memset(expected + DECIMAL_DIGITS_MAX, '0', DECIMAL_DIGITS_MAX - 1);
    expected[2 * DECIMAL_DIGITS_MAX - 1] = '1';
    expected[2 * DECIMAL_DIGITS_MAX] = '\0';
    assert_string_equal(product(nines, nines), expected);
}

/* A number below 10^9 with `places` digits after its point. */
static void write_number(char out[64], uint64_t n, unsigned places)
{
    uint64_t unit = 1;

    for (unsigned i = 0; i < places; i++)
        unit *= 10;
    if (places == 0)
        snprintf(out, 64, "%llu", (unsigned long long)n);
    else
        snprintf(out, 64, "%llu.%0*llu", (unsigned long long)(n / unit), (int)places, (unsigned long long)(n % unit));
}

static void whatever_the_numbers_products_are_those_of_whole_numbers(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2000; turn++) {
        uint32_t random[4];
        char a[64], b[64], expected[64];

        rnd_bytes(random, sizeof random);
        uint64_t x = random[0] % 1000000000, y = random[1] % 1000000000;
        unsigned px = random[2] % 7, py = random[3] % 7, places = px + py;
        write_number(a, x, px);
        write_number(b, y, py);
        uint64_t n = x * y;
        for (; places > 0 && n % 10 == 0; places--)
            n /= 10;
        write_number(expected, n, places);
        assert_string_equal(product(a, b), expected);
        assert_string_equal(product(b, a), expected);
    }
}

static void half_is_rounded_to_even(void **state)
{
    (void)state;
    assert_string_equal(rounded("0.125", 2), "0.12");
    assert_string_equal(rounded("0.375", 2), "0.38");
    assert_string_equal(rounded("0.1250000000000000000000000000000000000000001", 2), "0.13");
    assert_string_equal(rounded("0.5", 0), "0");
    assert_string_equal(rounded("1.5", 0), "2");
    assert_string_equal(rounded("2.5", 0), "2");
    assert_string_equal(rounded("2.49999", 0), "2");
    assert_string_equal(rounded("0.999", 2), "1.00");
    assert_string_equal(rounded("99.995", 2), "100.00");
    assert_string_equal(rounded("999999999999999999999999.5", 0), "1000000000000000000000000");
    assert_string_equal(rounded("19.99", 2), "19.99");
    assert_string_equal(rounded("19", 2), "19.00");
    assert_string_equal(rounded("19.9", 3), "19.900");
}

static void whatever_the_number_it_is_rounded_by_less_than_or_just_half(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2000; turn++) {
        uint32_t random[2];
        char text[64], expected[64];

        rnd_bytes(random, sizeof random);
        uint64_t n = random[0] % 1000000000, unit = 1;
        unsigned places = random[1] % 7, kept = random[1] / 7 % (places + 1);
        for (unsigned i = kept; i < places; i++)
            unit *= 10;
        uint64_t down = n / unit, rest = n % unit;
        uint64_t near = 2 * rest > unit || (2 * rest == unit && down % 2 == 1) ? down + 1 : down;
        write_number(text, n, places);
        write_number(expected, near, kept);
        assert_string_equal(rounded(text, kept), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_digits_with_one_point_between_them_are_a_number),
        cmocka_unit_test(a_product_is_exact_and_has_no_needless_zeros),
        cmocka_unit_test(the_longest_numbers_have_a_product),
        cmocka_unit_test(whatever_the_numbers_products_are_those_of_whole_numbers),
        cmocka_unit_test(half_is_rounded_to_even),
        cmocka_unit_test(whatever_the_number_it_is_rounded_by_less_than_or_just_half),
    };

    return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
