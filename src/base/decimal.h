/* decimal.h: decimal numbers as they are written, multiplied and rounded digit by digit: money is not for binary floating point. */
#ifndef PEYGIR_DECIMAL_H
#define PEYGIR_DECIMAL_H

#include "base/str.h"

#include <stdbool.h>

#define DECIMAL_DIGITS_MAX 100

/* Digits, or digits, a point and digits; 1 to DECIMAL_DIGITS_MAX of them; no sign, no exponent, no blanks. The others expect this. */
bool decimal_ok(struct span text);
/* Append a times b, exactly: no needless zero before or after it. */
void decimal_add_product(struct str *out, struct span a, struct span b);
/* Append `text` (of any length) with so many digits after the point, half to even: 0.125 is 0.12, and 0.375 is 0.38. */
void decimal_add_rounded(struct str *out, struct span text, size_t places);

#endif
