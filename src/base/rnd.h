/* rnd.h: unpredictable bytes (libsodium), and their texts. */
#ifndef PEYGIR_RND_H
#define PEYGIR_RND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void rnd_bytes(void *out, size_t len);
uint32_t rnd_below(uint32_t limit); /* uniform in 0..limit-1 */
/* `digits` characters of Crockford base32, upper case, of the first digits*5 bits of data, and a NUL. */
void rnd_base32(const uint8_t *data, size_t digits, char *out);
/* 2*len lower-case hex digits and a NUL. */
void rnd_hex(const uint8_t *data, size_t len, char *out);
/* Is it made of such characters only? */
bool rnd_is_base32(const char *s, size_t len);
bool rnd_is_hex(const char *s, size_t len);

#endif
