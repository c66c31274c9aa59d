/* mime.c: e-mail as text. */
#include "base/mime.h"

#include "base/utf8.h"

#include <sodium.h>
#include <time.h>

#define LINE_MAX_CHARS 76
#define WORD_START "=?UTF-8?B?"
#define WORD_END "?="
#define WORD_FRAME (sizeof WORD_START WORD_END - 1)

/* --- headers --- */

static void add_base64(struct str *out, const char *data, size_t len)
{
    size_t size = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL); /* with its NUL */
    str_grow(out, size);
    sodium_bin2base64(out->s + out->len, size, (const unsigned char *)data, len, sodium_base64_VARIANT_ORIGINAL);
    out->len += size - 1;
}

/* One line, in characters that are whole. */
static void add_clean(struct str *out, struct span text)
{
    size_t from = out->len;
    utf8_add_mended(out, text.s, text.len);
    for (size_t i = from; i < out->len; i++)
        if ((unsigned char)out->s[i] < ' ' || out->s[i] == '\x7f')
            out->s[i] = ' ';
}

/* "=?" would be read as the beginning of an encoded word. */
static bool is_plain(const struct str *text, size_t room)
{
    for (size_t i = 0; i < text->len; i++)
        if ((unsigned char)text->s[i] > '~')
            return false;
    return text->len <= room && !strstr(text->s, "=?");
}

/* Encoded words of whole characters (RFC 2047, section 5), a line each; the first has `room` characters left on its line. */
static void add_words(struct str *out, const struct str *text, size_t room)
{
    for (size_t at = 0, len; at < text->len; at += len) {
        size_t bytes = (room - WORD_FRAME) / 4 * 3;
        len = utf8_clip(text->s + at, text->len - at, bytes);
        if (at > 0)
            str_adds(out, "\r\n ");
        str_adds(out, WORD_START);
        add_base64(out, text->s + at, len);
        str_adds(out, WORD_END);
        room = LINE_MAX_CHARS - 1;
    }
}

void mime_add_text(struct str *out, const char *name, struct span text)
{
    struct str clean = STR_INIT;
    size_t room = LINE_MAX_CHARS - strlen(name) - 2;
    add_clean(&clean, text);
    str_addf(out, "%s: ", name);
    if (clean.len > 0 && is_plain(&clean, room))
        str_adds(out, clean.s);
    else
        add_words(out, &clean, room);
    str_adds(out, "\r\n");
    str_free(&clean);
}

void mime_add_date(struct str *out, int64_t ms)
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)(ms / 1000);
    struct tm t = { .tm_mday = 1 };
    gmtime_r(&seconds, &t);
    str_addf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[t.tm_wday], t.tm_mday, months[t.tm_mon], t.tm_year + 1900,
             t.tm_hour, t.tm_min, t.tm_sec);
}

/* --- bodies --- */

/* How many bytes of a line break stand here; 0: none. */
static size_t line_break(struct span text, size_t at)
{
    if (text.s[at] == '\n')
        return 1;
    return text.s[at] == '\r' && at + 1 < text.len && text.s[at + 1] == '\n' ? 2 : 0;
}

/* A blank stands for itself but at the end of a line, where servers take it away. */
static bool stands_for_itself(struct span text, size_t at)
{
    unsigned char c = (unsigned char)text.s[at];
    if (c == ' ' || c == '\t')
        return at + 1 < text.len && line_break(text, at + 1) == 0;
    return c > ' ' && c <= '~' && c != '=';
}

void mime_add_quoted(struct str *out, struct span text)
{
    size_t column = 0, skip;
    for (size_t at = 0; at < text.len; at++) {
        if ((skip = line_break(text, at)) > 0) {
            str_adds(out, "\r\n");
            at += skip - 1;
            column = 0;
            continue;
        }
        size_t width = stands_for_itself(text, at) ? 1 : 3;
        if (column + width > LINE_MAX_CHARS - 1) { /* and a "=", for the line goes on */
            str_adds(out, "=\r\n");
            column = 0;
        }
        if (width == 1)
            str_addc(out, text.s[at]);
        else
            str_addf(out, "=%02X", (unsigned char)text.s[at]);
        column += width;
    }
    if (column > 0)
        str_adds(out, "\r\n");
}
