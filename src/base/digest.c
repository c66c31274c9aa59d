/* digest.c: SHA-256, HMAC-SHA-256, SipHash-2-4. */
#include "base/xmalloc.h"

#include "base/digest.h"
#include "base/rnd.h"

#include <endian.h>
#include <sodium.h>

_Static_assert(DIGEST_BYTES == crypto_hash_sha256_BYTES, "a SHA-256 digest has 32 bytes");
_Static_assert(DIGEST_BYTES == crypto_auth_hmacsha256_KEYBYTES, "keys are as long as digests");

void digest_sha256(const void *data, size_t len, uint8_t out[DIGEST_BYTES])
{
    crypto_hash_sha256(out, data, len);
}

void digest_sha256_hex(const void *data, size_t len, char out[DIGEST_HEX_SIZE])
{
    uint8_t digest[DIGEST_BYTES];

    digest_sha256(data, len, digest);
    rnd_hex(digest, sizeof(digest), out);
}

void digest_hmac(const uint8_t key[DIGEST_BYTES], const struct digest_part *parts, size_t count,
                 uint8_t out[DIGEST_BYTES])
{
    crypto_auth_hmacsha256_state state;
    uint8_t length[8];
    size_t i, j;

    crypto_auth_hmacsha256_init(&state, key, DIGEST_BYTES);
    for (i = 0; i < count; i++) {
        for (j = 0; j < sizeof(length); j++)
            length[j] = (uint8_t)((uint64_t)parts[i].len >> (8 * j));
        crypto_auth_hmacsha256_update(&state, length, sizeof(length));
        crypto_auth_hmacsha256_update(&state, parts[i].data, parts[i].len);
    }
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof(state));
}

void digest_hmac_text(const uint8_t key[DIGEST_BYTES], const void *data, size_t len, uint8_t out[DIGEST_BYTES])
{
    crypto_auth_hmacsha256(out, data, len, key);
}

uint64_t digest_short(const void *data, size_t len)
{
    static const uint8_t key[crypto_shorthash_KEYBYTES];
    uint8_t out[sizeof(uint64_t)];
    uint64_t n;

    _Static_assert(crypto_shorthash_BYTES == sizeof out, "a short hash has 64 bits");
    crypto_shorthash(out, data, len, key);
    memcpy(&n, out, sizeof n);
    return le64toh(n);
}

bool digest_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}
