/* utf8.h: UTF-8 and digits. */
#ifndef PEYGIR_UTF8_H
#define PEYGIR_UTF8_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Bytes of the well-formed character at s; 0 when there is none. */
size_t utf8_char(const char *s, size_t len);
/* Place of the first byte that is not part of a well-formed character; len when all are. */
size_t utf8_bad(const char *s, size_t len);
/* Encode code point c (at most U+10FFFF, no surrogate); the number of bytes. */
size_t utf8_put(char out[4], uint32_t c);
/* Append s with U+FFFD for every byte that is not part of a well-formed character. */
void utf8_add_mended(struct str *out, const char *s, size_t len);

/* Well-formed UTF-8 (Unicode 15 table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(const char *s, size_t len);
/* Characters (code points) in valid UTF-8. */
size_t utf8_length(const char *s, size_t len);
/* Longest prefix of at most `max` bytes that does not cut a character. */
size_t utf8_clip(const char *s, size_t len, size_t max);
/* Append s with Persian (U+06F0..) and Arabic-Indic (U+0660..) digits as ASCII. */
void utf8_add_latin_digits(struct str *out, const char *s, size_t len);
/* Append s with ASCII digits as Persian ones. */
void utf8_add_persian_digits(struct str *out, const char *s, size_t len);

#endif
