/* test_smtp_reply.c: what mail servers say. */
#include "tests/unit/unit.h"

#include "net/smtp_reply.h"

static void a_reply_is_whole_with_its_last_line(void **state)
{
    static const struct {
        const char *heard;
        ssize_t length;
    } replies[] = {
        { "", 0 }, { "25", 0 }, { "250 ok", 0 }, { "250 ok\r\n", 8 }, { "250\n", 4 }, { "250-a\r\n", 0 }, { "250-a\r\n250 b\r\n", 14 },
        { "250 a\r\n421 b\r\n", 7 }, { "ok\r\n", -1 }, { "\n", -1 }, { "25x ok\r\n", -1 }, { "250-a\r\nwhat\r\n", -1 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(replies); i++)
        assert_int_equal(smtp_reply_length(span_of(replies[i].heard)), replies[i].length);
}

static void a_reply_without_end_is_none(void **state)
{
    struct str heard = STR_INIT;
    (void)state;
    while (heard.len <= SMTP_REPLY_BYTES_MAX) {
        assert_int_equal(smtp_reply_length((struct span){ heard.s, heard.len }), 0);
        for (int i = 0; i < 1000; i++)
            str_adds(&heard, "250-on and on\r\n");
    }
    assert_int_equal(smtp_reply_length((struct span){ heard.s, heard.len }), -1);
    str_free(&heard);
}

static void words_are_shown_on_one_line_without_addresses(void **state)
{
    static const struct {
        const char *said, *shown;
    } words[] = {
        { "550-5.1.1 a\r\n550 <ali@example.org>:\t no \x1b[1m\r\n", "550-5.1.1 a 550 *** no [1m" },
        { "\r\n", "" },
        { "550 RCPT=ali@x,b@y \xff", "550 *** \xef\xbf\xbd" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct str out = STR_INIT;
        str_reset(&out);
        smtp_add_words(&out, span_of(words[i].said));
        assert_string_equal(out.s, words[i].shown);
        str_free(&out);
    }
}

static void words_without_end_are_cut(void **state)
{
    struct str said = STR_INIT, out = STR_INIT;
    (void)state;
    for (int i = 0; i < 5000; i++)
        str_adds(&said, i % 200 ? "word" : "é ");
    smtp_add_words(&out, (struct span){ said.s, said.len });
    assert_true(out.len > 0 && out.len < 500);
    str_free(&said);
    str_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_whole_with_its_last_line),
        cmocka_unit_test(a_reply_without_end_is_none),
        cmocka_unit_test(words_are_shown_on_one_line_without_addresses),
        cmocka_unit_test(words_without_end_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
