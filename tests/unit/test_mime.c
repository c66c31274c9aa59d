/* test_mime.c: e-mail as text. */
#include "tests/unit/unit.h"

#include "base/mime.h"

#include <sodium.h>

static char *text_line(const char *text)
{
    struct str out = STR_INIT;
    mime_add_text(&out, "Subject", span_of(text));
    return str_take(&out, NULL);
}

static char *quoted(const char *text)
{
    struct str out = STR_INIT;
    str_reset(&out);
    mime_add_quoted(&out, span_of(text));
    return str_take(&out, NULL);
}

static void assert_lines(const char *text, size_t longest)
{
    for (const char *end; *text; text = end + 2) {
        end = strstr(text, "\r\n");
        assert_non_null(end);
        assert_true((size_t)(end - text) <= longest);
        assert_true(strcspn(text, "\r\n") == (size_t)(end - text));
    }
}

static void plain_text_of_a_header_stands_as_it_is(void **state)
{
    (void)state;
    char *line = text_line("Your code is needed");
    assert_string_equal(line, "Subject: Your code is needed\r\n");
    free(line);
    line = text_line("");
    assert_string_equal(line, "Subject: \r\n");
    free(line);
}

/* What encoded words hold, put together again. */
static void decode(const char *line, struct str *out)
{
    for (const char *word = line; (word = strstr(word, "=?UTF-8?B?"));) {
        const char *end = strstr(word += 10, "?=");
        unsigned char bytes[64];
        size_t len;
        assert_int_equal(sodium_base642bin(bytes, sizeof bytes, word, (size_t)(end - word), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
        assert_int_equal(bytes[len - 1] & 0x80, 0x80); /* whole characters: each of these ends with a byte of its own kind */
        assert_int_not_equal(bytes[0] & 0xc0, 0x80);
        str_add(out, bytes, len);
    }
}

static void other_text_is_folded_into_encoded_words_of_whole_characters(void **state)
{
    (void)state;
    struct str text = STR_INIT, back = STR_INIT;
    for (int i = 0; i < 90; i++)
        str_adds(&text, i % 3 ? "ش" : "😀");
    char *line = text_line(text.s);
    assert_lines(line, 76);
    assert_non_null(strstr(line, "?=\r\n =?"));
    decode(line, &back);
    assert_string_equal(back.s, text.s);
    free(line);
    str_free(&text);
    str_free(&back);
}

static void text_that_only_looks_encoded_or_is_long_is_encoded(void **state)
{
    static const char *const texts[] = { "=?UTF-8?B?eA==?=", "a line that goes on and on, until there is no room left for it on a line of a header é" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char *line = text_line(texts[i]);
        assert_lines(line, 76);
        assert_int_equal(strncmp(line, "Subject: =?UTF-8?B?", 19), 0);
        assert_null(strstr(line, texts[i]));
        free(line);
    }
}

static void nothing_breaks_out_of_a_header(void **state)
{
    (void)state;
    char *line = text_line("hello\r\nBcc: a@b\r\n\r\nbody\x01\x7f");
    assert_string_equal(line, "Subject: hello  Bcc: a@b    body  \r\n");
    free(line);
    struct str out = STR_INIT;
    mime_add_text(&out, "Subject", (struct span){ "a\0\xff", 3 });
    assert_string_equal(out.s, "Subject: =?UTF-8?B?YSDvv70=?=\r\n"); /* "a ", U+FFFD */
    str_free(&out);
}

static void a_date_is_one_of_rfc_5322(void **state)
{
    struct str out = STR_INIT;
    (void)state;
    mime_add_date(&out, 1795894819000);
    assert_string_equal(out.s, "Date: Sat, 28 Nov 2026 19:40:19 +0000\r\n");
    str_free(&out);
}

static void a_body_keeps_its_lines_and_ends_its_last_one(void **state)
{
    static const struct {
        const char *text, *wanted;
    } bodies[] = {
        { "", "" },
        { "a", "a\r\n" },
        { "a\nb\r\n\nc\n", "a\r\nb\r\n\r\nc\r\n" },
        { "1=2", "1=3D2\r\n" },
        { "a \nb\t", "a=20\r\nb=09\r\n" },
        { "a b\rc", "a b=0Dc\r\n" },
        { "سلام", "=D8=B3=D9=84=D8=A7=D9=85\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        char *body = quoted(bodies[i].text);
        assert_string_equal(body, bodies[i].wanted);
        free(body);
    }
}

static void long_lines_of_a_body_are_parted_softly(void **state)
{
    struct str text = STR_INIT;
    (void)state;
    for (int i = 0; i < 300; i++)
        str_addc(&text, i % 7 ? 'x' : '=');
    char *body = quoted(text.s);
    assert_lines(body, 76);
    struct str back = STR_INIT;
    for (const char *at = body; *at; at++) {
        if (strncmp(at, "=\r\n", 3) == 0)
            at += 2;
        else if (strncmp(at, "=3D", 3) == 0) {
            str_addc(&back, '=');
            at += 2;
        } else
            str_addc(&back, *at);
    }
    str_adds(&text, "\r\n");
    assert_string_equal(back.s, text.s);
    free(body);
    str_free(&text);
    str_free(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_of_a_header_stands_as_it_is),
        cmocka_unit_test(other_text_is_folded_into_encoded_words_of_whole_characters),
        cmocka_unit_test(text_that_only_looks_encoded_or_is_long_is_encoded),
        cmocka_unit_test(nothing_breaks_out_of_a_header),
        cmocka_unit_test(a_date_is_one_of_rfc_5322),
        cmocka_unit_test(a_body_keeps_its_lines_and_ends_its_last_one),
        cmocka_unit_test(long_lines_of_a_body_are_parted_softly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
