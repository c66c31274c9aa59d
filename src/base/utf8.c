/* utf8.c: UTF-8 and digits. */
#include "base/utf8.h"

static inline bool tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* The second byte's range depends on the first one (Unicode table 3-7): that is what keeps out overlong
 * forms, surrogates and what lies above U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return tail(second);
    }
}

size_t utf8_char(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t need;

    if (len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    need = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len < need || !second_fits(p[0], p[1]))
        return 0;
    if (need > 2 && !tail(p[2]))
        return 0;
    return need > 3 && !tail(p[3]) ? 0 : need;
}

size_t utf8_bad(const char *s, size_t len)
{
    size_t i = 0, n;
    uint64_t eight;

    while (i < len) {
        if (len - i >= 8) {
            memcpy(&eight, s + i, 8);
            if ((eight & 0x8080808080808080u) == 0) {
                i += 8;
                continue;
            }
        }
        n = utf8_char(s + i, len - i);
        if (n == 0)
            return i;
        i += n;
    }
    return len;
}

bool utf8_valid(const char *s, size_t len)
{
    return utf8_bad(s, len) == len;
}

size_t utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t utf8_length(const char *s, size_t len)
{
    size_t count = 0, i;

    for (i = 0; i < len; i++)
        count += !tail((unsigned char)s[i]);
    return count;
}

size_t utf8_clip(const char *s, size_t len, size_t max)
{
    size_t n = max, back;

    if (len <= max)
        return len;
    for (back = 0; back < 3 && n > 0 && tail((unsigned char)s[n]); back++)
        n--;
    return n > 0 && tail((unsigned char)s[n]) ? max : n;
}

void utf8_add_mended(struct str *out, const char *s, size_t len)
{
    size_t n;

    while ((n = utf8_bad(s, len)) < len) {
        str_add(out, s, n);
        str_adds(out, UTF8_REPLACEMENT);
        s += n + 1;
        len -= n + 1;
    }
    str_add(out, s, len);
}

/* The digit whose two bytes start at s, or -1: U+0660 is D9 A0, U+06F0 is DB B0. */
static int eastern_digit(const char *s, size_t len)
{
    unsigned char a, b;

    if (len < 2)
        return -1;
    a = (unsigned char)s[0];
    b = (unsigned char)s[1];
    if (a == 0xd9 && b >= 0xa0 && b <= 0xa9)
        return b - 0xa0;
    if (a == 0xdb && b >= 0xb0 && b <= 0xb9)
        return b - 0xb0;
    return -1;
}

void utf8_add_latin_digits(struct str *out, const char *s, size_t len)
{
    size_t i, run = 0;
    int digit;

    s = len ? s : "";
    for (i = 0; i < len; i++) {
        digit = eastern_digit(s + i, len - i);
        if (digit < 0)
            continue;
        str_add(out, s + run, i - run);
        str_addc(out, (char)('0' + digit));
        run = ++i + 1;
    }
    str_add(out, s + run, len - run);
}

void utf8_add_persian_digits(struct str *out, const char *s, size_t len)
{
    size_t i, run = 0;
    char two[2] = { (char)0xdb, 0 };

    s = len ? s : "";
    for (i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            continue;
        str_add(out, s + run, i - run);
        two[1] = (char)(0xb0 + (s[i] - '0'));
        str_add(out, two, 2);
        run = i + 1;
    }
    str_add(out, s + run, len - run);
}
