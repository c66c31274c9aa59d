/* rules_text.h: the grammars behind the rules (rules.h has those of Iranian codes), patterns, and the steps of rules_tidy.
 * For rules.c, and for whoever reads an address. */
#ifndef PEYGIR_RULES_TEXT_H
#define PEYGIR_RULES_TEXT_H

#include "base/jread.h"

#include <regex.h>

bool rules_is_digits(struct span s);  /* ASCII digits only, one at least */
bool rules_is_numeric(struct span s); /* sign, digits, fraction */
bool rules_is_integer(struct span s);
bool rules_is_email(struct span s);
bool rules_is_date(struct span s);    /* YYYY-MM-DD, a day of the Gregorian calendar */
bool rules_is_postal_code(struct span digits);

/* Compile a POSIX extended pattern. 0 and *out (regfree, then free), or -1 with the reason. */
int rules_compile(const struct jread *at, const char *text, regex_t **out, struct err *err);

/* Append value without blanks and hyphens, in capitals or as it is. */
void rules_compact(struct span value, bool capitals, struct str *out);
/* Append a compact number with 0 for +98 or 0098: "+98 912 345 6789" is how browsers fill one in. */
void rules_local_mobile(struct span digits, struct str *out);

#endif
