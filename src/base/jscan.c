/* jscan.c: the smallest pieces of JSON text. */
#include "base/jscan.h"

#include "base/utf8.h"

const unsigned char jscan_class[256] = {
    [' '] = JSCAN_SPACE, ['\t'] = JSCAN_SPACE, ['\n'] = JSCAN_SPACE, ['\r'] = JSCAN_SPACE,
    ['{'] = JSCAN_OPEN, ['['] = JSCAN_OPEN, ['}'] = JSCAN_CLOSE, [']'] = JSCAN_CLOSE, ['"'] = JSCAN_QUOTE,
    ['0'] = JSCAN_SCALAR, ['1'] = JSCAN_SCALAR, ['2'] = JSCAN_SCALAR, ['3'] = JSCAN_SCALAR,
    ['4'] = JSCAN_SCALAR, ['5'] = JSCAN_SCALAR, ['6'] = JSCAN_SCALAR, ['7'] = JSCAN_SCALAR,
    ['8'] = JSCAN_SCALAR, ['9'] = JSCAN_SCALAR, ['-'] = JSCAN_SCALAR, ['+'] = JSCAN_SCALAR,
    ['.'] = JSCAN_SCALAR, ['E'] = JSCAN_SCALAR, ['a'] = JSCAN_SCALAR, ['e'] = JSCAN_SCALAR,
    ['f'] = JSCAN_SCALAR, ['l'] = JSCAN_SCALAR, ['n'] = JSCAN_SCALAR, ['r'] = JSCAN_SCALAR,
    ['s'] = JSCAN_SCALAR, ['t'] = JSCAN_SCALAR, ['u'] = JSCAN_SCALAR,
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t n = 0;
    int i, digit;

    if (end - p < 4)
        return -1;
    for (i = 0; i < 4; i++) {
        digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        n = n << 4 | digit;
    }
    return n;
}

const char *jscan_unescape(const char *p, const char *end, uint32_t *c)
{
    static const char plain[256] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
    };
    int32_t high, low;

    if (end - p < 2)
        return NULL;
    *c = (unsigned char)plain[(unsigned char)p[1]];
    if (*c)
        return p + 2;
    high = p[1] == 'u' ? hex4(p + 2, end) : -1;
    if (high < 0)
        return NULL;
    *c = (uint32_t)high;
    p += 6;
    if (high < 0xd800 || high > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return p;
    low = hex4(p + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return p;
    *c = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    return p + 6;
}

bool jscan_decode(const char *p, const char *end, struct str *out)
{
    const char *run = p;
    char utf8[4];
    uint32_t c;

    str_grow(out, (size_t)(end - p));
    while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        str_add(out, run, (size_t)(p - run));
        p = jscan_unescape(p, end, &c);
        if (!p)
            return false;
        if (c == 0 || jscan_is_surrogate(c))
            c = 0xfffd;
        str_add(out, utf8, utf8_put(utf8, c));
        run = p;
    }
    str_add(out, run, (size_t)(end - run));
    return true;
}

/* The end of the digits at p; NULL when there is none. */
static const char *digits(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p > start ? p : NULL;
}

const char *jscan_number(const char *p, const char *end, bool *whole)
{
    *whole = true;
    if (p < end && *p == '-')
        p++;
    p = p < end && *p == '0' ? p + 1 : digits(p, end);
    if (p && p < end && *p == '.') {
        *whole = false;
        p = digits(p + 1, end);
    }
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        *whole = false;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = digits(p, end);
    }
    return p;
}
