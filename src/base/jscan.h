/* jscan.h: the smallest pieces of JSON text, for json.c and raw.c only. All take a place and an end and read nothing
 * at or behind the end. */
#ifndef PEYGIR_JSCAN_H
#define PEYGIR_JSCAN_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* What a byte is to the scanners. */
enum { JSCAN_SPACE = 1, JSCAN_SCALAR = 2, JSCAN_OPEN = 4, JSCAN_CLOSE = 8, JSCAN_QUOTE = 16 };
extern const unsigned char jscan_class[256];

static inline bool jscan_is(char c, int what)
{
    return (jscan_class[(unsigned char)c] & what) != 0;
}

static inline const char *jscan_skip_space(const char *p, const char *end)
{
    while (p < end && jscan_is(*p, JSCAN_SPACE))
        p++;
    return p;
}

static inline bool jscan_is_surrogate(uint32_t c)
{
    return c >= 0xd800 && c <= 0xdfff;
}

/* The escape whose backslash is at p; what follows it, or NULL when it is none. A pair of surrogates becomes one
 * character, a lone one is handed over as it is. */
const char *jscan_unescape(const char *p, const char *end, uint32_t *c);
/* Append the inside of a raw string, decoded. What json_check refuses becomes U+FFFD; false for what is no escape. */
bool jscan_decode(const char *p, const char *end, struct str *out);
/* The number at p as RFC 8259 has it; its end, or NULL. */
const char *jscan_number(const char *p, const char *end, bool *whole);

#endif
