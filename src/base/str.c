/* str.c: the growing byte buffer and the escapings. */
#include "base/str.h"

#include "base/utf8.h"

#include <limits.h>

void str_free(struct str *b)
{
    free(b->s);
    *b = (struct str)STR_INIT;
}

void str_reset(struct str *b)
{
    str_grow(b, 0);
    b->len = 0;
    b->s[0] = '\0';
}

/* Doubling, so that appending byte by byte stays linear. A sum that overflows asks for more than there is. */
void str_grow(struct str *b, size_t extra)
{
    size_t need = extra >= SIZE_MAX - b->len ? SIZE_MAX : b->len + extra + 1;
    size_t cap = b->cap ? b->cap : 64;

    if (need <= b->cap)
        return;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    b->s = xrealloc(b->s, cap);
    b->cap = cap;
    b->s[b->len] = '\0';
}

char *str_take(struct str *b, size_t *len)
{
    char *s;

    str_grow(b, 0);
    s = b->s;
    if (len)
        *len = b->len;
    *b = (struct str)STR_INIT;
    return s;
}

void str_addf(struct str *b, const char *fmt, ...)
{
    va_list ap, again;
    size_t room;
    int n;

    str_grow(b, 0);
    room = b->cap - b->len;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(b->s + b->len, room, fmt, ap);
    if (n > 0 && (size_t)n >= room) {
        str_grow(b, (size_t)n);
        n = vsnprintf(b->s + b->len, b->cap - b->len, fmt, again);
    }
    va_end(again);
    va_end(ap);
    if (n > 0)
        b->len += (size_t)n;
    b->s[b->len] = '\0';
}

int span_has_control(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.s[i] < 0x20 || s.s[i] == 0x7f)
            return 1;
    return 0;
}

struct span span_number(char digits[NUMBER_SIZE], long long n)
{
    char *p = digits + NUMBER_SIZE;
    unsigned long long rest = n < 0 ? 0ULL - (unsigned long long)n : (unsigned long long)n;

    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (n < 0)
        *--p = '-';
    return (struct span){ p, (size_t)(digits + NUMBER_SIZE - p) };
}

void str_add_int(struct str *b, long long n)
{
    char digits[NUMBER_SIZE];

    str_add_span(b, span_number(digits, n));
}

void str_add_html(struct str *b, const char *s, size_t len)
{
    static const char *const escape[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;",
    };
    size_t i, run = 0;

    s = len ? s : "";
    for (i = 0; i < len; i++) {
        if (!escape[(unsigned char)s[i]])
            continue;
        str_add(b, s + run, i - run);
        str_adds(b, escape[(unsigned char)s[i]]);
        run = i + 1;
    }
    str_add(b, s + run, len - run);
}

/* One byte that a JSON string does not hold as it is. NUL is legal JSON as an escape, but json_check and most readers
 * written in C do not take it. */
static void add_json_escape(struct str *b, unsigned char c)
{
    static const char letters[256] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };

    if (c >= 0x80 || c == 0) {
        str_adds(b, UTF8_REPLACEMENT);
    } else if (letters[c]) {
        str_addc(b, '\\');
        str_addc(b, letters[c]);
    } else {
        str_addf(b, "\\u%04x", c);
    }
}

void str_add_json(struct str *b, const char *s, size_t len)
{
    size_t i, n, run = 0;
    unsigned char c;

    s = len ? s : "";
    str_grow(b, len + 2);
    str_addc(b, '"');
    for (i = 0; i < len; i += n) {
        c = (unsigned char)s[i];
        n = c < 0x80 ? 1 : utf8_char(s + i, len - i);
        if (n && c >= 0x20 && c != '"' && c != '\\')
            continue;
        str_add(b, s + run, i - run);
        add_json_escape(b, c);
        n = 1;
        run = i + 1;
    }
    str_add(b, s + run, len - run);
    str_addc(b, '"');
}

static int unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

static void add_hex(struct str *b, const char *before, const char *alphabet, unsigned char c)
{
    str_adds(b, before);
    str_addc(b, alphabet[c >> 4]);
    str_addc(b, alphabet[c & 15]);
}

void str_add_url(struct str *b, const char *s, size_t len)
{
    size_t i, run = 0;

    s = len ? s : "";
    for (i = 0; i < len; i++) {
        if (unreserved((unsigned char)s[i]))
            continue;
        str_add(b, s + run, i - run);
        add_hex(b, "%", "0123456789ABCDEF", (unsigned char)s[i]);
        run = i + 1;
    }
    str_add(b, s + run, len - run);
}

/* C1 controls (U+0080..U+009F) steer terminals too; bytes that are no UTF-8 would spoil the whole line for its
 * reader. */
void str_add_log(struct str *b, const char *s, size_t len)
{
    size_t i, n, run = 0;
    unsigned char c;
    int c1;

    s = len ? s : "";
    for (i = 0; i < len; i += n) {
        c = (unsigned char)s[i];
        n = utf8_char(s + i, len - i);
        c1 = n == 2 && c == 0xc2 && (unsigned char)s[i + 1] < 0xa0;
        if (n && !c1 && c >= 0x20 && c != 0x7f && c != '"' && c != '\\')
            continue;
        str_add(b, s + run, i - run);
        add_hex(b, "\\x", "0123456789abcdef", c);
        n = 1;
        run = i + 1;
    }
    str_add(b, s + run, len - run);
}
