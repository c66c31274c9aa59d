/* test_utf8.c: UTF-8 and digits. */
#include "tests/unit/unit.h"

#include "base/utf8.h"

/* The code point read the slow way, to have a second opinion on the whole range. */
static bool round_trip(uint32_t c)
{
    char s[4];
    size_t n = utf8_put(s, c);

    return utf8_char(s, n) == n && utf8_valid(s, n) && utf8_length(s, n) == 1 && utf8_char(s, n - 1) == 0;
}

static void every_character_is_valid_and_its_beginning_is_not(void **state)
{
    uint32_t c;

    (void)state;
    for (c = 1; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff)
            assert_false(round_trip(c));
        else if (!round_trip(c))
            fail_msg("U+%04X", c);
    }
}

static void ill_formed_bytes_are_found_where_they_stand(void **state)
{
    static const char *const bad[] = {
        "\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe",
        "\xd9", "\xe2\x82", "\xf0\x9f\x98", "\xd9 ", "\xe2\x82 ", "\xf0\x9f\x98 ", "\xe2 \x82",
    };
    char text[64];
    size_t i, shift, n;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        for (shift = 0; shift < 20; shift++) {
            memset(text, 'a', sizeof(text));
            n = strlen(bad[i]);
            memcpy(text + shift, bad[i], n);
            assert_int_equal(utf8_bad(text, shift + n), shift);
            assert_false(utf8_valid(text, shift + n));
        }
    }
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\0b", 3));
}

static void length_counts_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_length("", 0), 0);
    assert_int_equal(utf8_length("a\xd9\xbe\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
}

static void clipping_never_cuts_a_character(void **state)
{
    static const char text[] = "a\xd9\xbe\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };
    size_t max;

    (void)state;
    for (max = 0; max < ARRAY_LEN(want); max++)
        assert_int_equal(utf8_clip(text, sizeof(text) - 1, max), want[max]);
    assert_int_equal(utf8_clip("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
}

static void digits_of_both_alphabets_become_ascii(void **state)
{
    static const char in[] = "\xdb\xb0\xdb\xb9\xd9\xa0\xd9\xa9" "7x\xd9\xaa\xdb\xba\xd9\xbe\xdb";
    struct str out = STR_INIT;

    (void)state;
    utf8_add_latin_digits(&out, in, sizeof(in) - 1);
    assert_string_equal(out.s, "09097x\xd9\xaa\xdb\xba\xd9\xbe\xdb");
    str_free(&out);
}

static void ascii_digits_become_persian(void **state)
{
    struct str out = STR_INIT;

    (void)state;
    utf8_add_persian_digits(&out, "a0 9%", 5);
    assert_string_equal(out.s, "a\xdb\xb0 \xdb\xb9%");
    str_reset(&out);
    utf8_add_persian_digits(&out, "", 0);
    assert_string_equal(out.s, "");
    str_free(&out);
}

static void mended_text_is_valid_and_keeps_the_good_characters(void **state)
{
    struct str out = STR_INIT;

    (void)state;
    utf8_add_mended(&out, "\xff" "a\xd9\xbe\xd9", 5);
    assert_string_equal(out.s, UTF8_REPLACEMENT "a\xd9\xbe" UTF8_REPLACEMENT);
    str_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_valid_and_its_beginning_is_not),
        cmocka_unit_test(ill_formed_bytes_are_found_where_they_stand),
        cmocka_unit_test(length_counts_characters),
        cmocka_unit_test(clipping_never_cuts_a_character),
        cmocka_unit_test(digits_of_both_alphabets_become_ascii),
        cmocka_unit_test(ascii_digits_become_persian),
        cmocka_unit_test(mended_text_is_valid_and_keeps_the_good_characters),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
