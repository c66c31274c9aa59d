/* fuzz_mail.c: what a mail server says, and text on its way into a mail. */
#include "tests/fuzz/fuzz.h"

#include "base/mime.h"
#include "base/utf8.h"
#include "net/smtp_reply.h"

/* Lines that end, of at most 76 bytes that every server takes. */
static void check_lines(const struct str *text)
{
    size_t length = 0;

    for (size_t i = 0; i < text->len; i++) {
        if (text->s[i] == '\r') {
            PROMISE(i + 1 < text->len && text->s[i + 1] == '\n');
            i++;
            length = 0;
            continue;
        }
        PROMISE((unsigned char)text->s[i] < 0x7f && (text->s[i] >= ' ' || text->s[i] == '\t'));
        PROMISE(++length <= 76);
    }
    PROMISE(length == 0);
}

static void check_header(const struct str *line)
{
    check_lines(line);
    for (size_t i = 0; i + 2 < line->len; i++)
        PROMISE(line->s[i] != '\n' || line->s[i + 1] == ' ');
}

FUZZ(input)
{
    struct str header = STR_INIT, body = STR_INIT, words = STR_INIT;
    ssize_t length = smtp_reply_length(input);

    PROMISE(length <= (ssize_t)input.len && (length <= 0 || (length >= 4 && input.s[length - 1] == '\n')));
    smtp_add_words(&words, input);
    PROMISE(words.len == 0 || (utf8_valid(words.s, words.len) && !memchr(words.s, '@', words.len) && !span_has_control((struct span){ words.s, words.len })));
    mime_add_text(&header, "Subject", input);
    check_header(&header);
    mime_add_quoted(&body, input);
    check_lines(&body);
    PROMISE(!body.s || !strstr(body.s, "=_"));
    str_free(&header);
    str_free(&body);
    str_free(&words);
}
