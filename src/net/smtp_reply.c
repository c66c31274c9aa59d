/* smtp_reply.c: what mail servers say. */
#include "net/smtp_reply.h"

#include "base/utf8.h"

#include <ctype.h>
#include <stdbool.h>

#define WORDS_BYTES_MAX 200
#define HIDDEN "***"

ssize_t smtp_reply_length(struct span heard)
{
    const char *line = heard.s, *end;
    if (heard.len == 0)
        return 0;
    while ((end = memchr(line, '\n', heard.len - (size_t)(line - heard.s)))) {
        if (end - line < 3 || !isdigit((unsigned char)line[0]) || !isdigit((unsigned char)line[1]) || !isdigit((unsigned char)line[2]))
            return -1;
        if (line[3] != '-')
            return end + 1 - heard.s;
        line = end + 1;
    }
    return heard.len > SMTP_REPLY_BYTES_MAX ? -1 : 0;
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == '\x7f';
}

/* Bytes from `at` on that are blanks, or are none, as the first one is. */
static size_t run_length(struct span text, size_t at)
{
    size_t len = 1;
    while (at + len < text.len && is_blank(text.s[at + len]) == is_blank(text.s[at]))
        len++;
    return len;
}

void smtp_add_words(struct str *out, struct span said)
{
    size_t from = out->len;
    for (size_t at = 0, len; at < said.len && out->len - from < WORDS_BYTES_MAX; at += len) {
        len = run_length(said, at);
        if (is_blank(said.s[at]))
            str_addc(out, ' ');
        else if (memchr(said.s + at, '@', len))
            str_adds(out, HIDDEN);
        else
            utf8_add_mended(out, said.s + at, len < WORDS_BYTES_MAX ? len : WORDS_BYTES_MAX);
    }
    while (out->len > from && out->s[out->len - 1] == ' ')
        out->s[--out->len] = '\0';
}
