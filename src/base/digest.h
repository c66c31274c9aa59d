/* digest.h: SHA-256, HMAC-SHA-256 and SipHash-2-4 (FIPS 180-4, RFC 2104, Aumasson & Bernstein 2012; libsodium). */
#ifndef PEYGIR_DIGEST_H
#define PEYGIR_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX_SIZE 65

void digest_sha256(const void *data, size_t len, uint8_t out[DIGEST_BYTES]);
void digest_sha256_hex(const void *data, size_t len, char out[DIGEST_HEX_SIZE]);
/* HMAC of the parts in order, each preceded by its length (8 bytes, little endian), so that
 * ("ab","c") and ("a","bc") differ. */
struct digest_part {
    const void *data;
    size_t len;
};
void digest_hmac(const uint8_t key[DIGEST_BYTES], const struct digest_part *parts, size_t count,
                 uint8_t out[DIGEST_BYTES]);
/* HMAC of the bytes as they are, as others compute it. */
void digest_hmac_text(const uint8_t key[DIGEST_BYTES], const void *data, size_t len, uint8_t out[DIGEST_BYTES]);
/* 64 bits that tell texts apart, the same on every machine; no secret in it. */
uint64_t digest_short(const void *data, size_t len);
bool digest_equal(const void *a, const void *b, size_t len); /* constant time */

#endif
