/* wire.h: commands as Redis reads them (RESP2 arrays of bulk strings), written without allocating. */
#ifndef PEYGIR_WIRE_H
#define PEYGIR_WIRE_H

#include "base/str.h"

/* Append the command. Arguments are counted bytes. */
void wire_add(struct str *out, int argc, const struct span argv[]);
/* The same in two parts: how many words come, then words. */
void wire_begin(struct str *out, int words);
void wire_add_words(struct str *out, int count, const struct span words[]);
/* Append the command that fmt spells: words split at the spaces of fmt, values never split. Conversions: %s
 * (NUL-terminated), %b (const char *, size_t), %c, %d %i %u with l, ll or z, %g and %f with a precision, %%.
 * `scratch` is overwritten. Any other conversion and more than 64 words end the program: they are mistakes in the
 * source. */
void wire_addv(struct str *out, struct str *scratch, const char *fmt, va_list ap);
void wire_addf(struct str *out, struct str *scratch, const char *fmt, ...);

#endif
