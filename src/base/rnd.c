/* rnd.c: unpredictable bytes and their texts. */
#include "base/xmalloc.h"

#include "base/rnd.h"

#include <sodium.h>

void rnd_bytes(void *out, size_t len)
{
    randombytes_buf(out, len);
}

uint32_t rnd_below(uint32_t limit)
{
    return randombytes_uniform(limit);
}

void rnd_base32(const uint8_t *data, size_t digits, char *out)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    unsigned pool = 0, bits = 0;

    while (digits--) {
        if (bits < 5) {
            pool = pool << 8 | *data++;
            bits += 8;
        }
        bits -= 5;
        *out++ = alphabet[pool >> bits & 31];
    }
    *out = '\0';
}

void rnd_hex(const uint8_t *data, size_t len, char *out)
{
    static const char alphabet[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < len; i++) {
        *out++ = alphabet[data[i] >> 4];
        *out++ = alphabet[data[i] & 15];
    }
    *out = '\0';
}

bool rnd_is_base32(const char *s, size_t len)
{
    bool good = true;

    for (size_t i = 0; i < len; i++)
        good &= (s[i] >= '0' && s[i] <= '9') ||
                (s[i] >= 'A' && s[i] <= 'Z' && s[i] != 'I' && s[i] != 'L' && s[i] != 'O' && s[i] != 'U');
    return good;
}

bool rnd_is_hex(const char *s, size_t len)
{
    bool good = true;

    for (size_t i = 0; i < len; i++)
        good &= (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
    return good;
}
