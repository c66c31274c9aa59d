/* rules.h: the validation rules of section 6, by the names Laravel users know. A rule is a row of a table. */
#ifndef PEYGIR_RULES_H
#define PEYGIR_RULES_H

#include "base/jread.h"
#include "core/locale.h"

struct rules; /* the parsed rules of one field; read-only */

/* From a list like ["required", "digits:10", "in:fa,en", "regex:^[a-z]+$"] or the same joined by |. -1 with file, path and reason. An
 * absent list is no rule at all. Patterns are POSIX extended regular expressions over bytes, anchored where they say so. */
int rules_parse(const struct jread *at, struct rules **out, struct err *err);
void rules_free(struct rules *r);
bool rules_required(const struct rules *r);
bool rules_confirmed(const struct rules *r); /* the form has a second field, {field}_confirmation */
bool rules_email(const struct rules *r);  /* it is an e-mail address */
bool rules_mobile(const struct rules *r); /* it is a mobile number: codes are sent there */
bool rules_bounded(const struct rules *r); /* one of in, regex, max, between, digits, digits_between: not just anything suits it */
bool rules_numeric(const struct rules *r); /* a number keypad suits it */
/* For maxlength; 0: none. Only what max and between say: identifiers may be pasted with separators, which rules_tidy drops. */
int64_t rules_max_length(const struct rules *r);

/* Other fields' values by name, for `confirmed` ({field}_confirmation). Absent: .s NULL. */
typedef struct span (*rules_lookup)(void *ctx, const char *field);
/* Append value without white space and direction marks around it, with ASCII digits for Persian and Arabic ones, and one newline
 * for each CR LF. */
void rules_normalise(struct span value, struct str *out);
/* rules_normalise, and where the rules ask for digits or an IBAN: without spaces, hyphens and direction marks inside;
 * +98 and 0098 before a mobile number become 0; an IBAN is in capitals. This is what is checked, stored and sent to the bot. */
void rules_tidy(const struct rules *r, struct span value, struct str *out);
/* 1: good; 0: broken: the sentence in the visitor's language is appended to message (from key "validation.{rule}", or
 * "validation.{rule}_number" where a number is compared, with {field} the label and the rule's own parameters). `value` is tidied;
 * absent counts as empty. message NULL: nothing is said, and locale is not looked at. Only `required` and `accepted` look at an empty value. Stops at the first broken rule, in their order. */
int rules_check(const struct rules *r, const char *field, const char *label, struct span value, rules_lookup lookup, void *ctx,
                const struct locale *locale, struct str *message);
/* The rules' names in the table's order, NULL after the last; for documents and tests. */
const char *rules_name(size_t index);

/* Each by itself, on normalised digits. */
bool rules_is_national_code(struct span digits);
bool rules_is_mobile(struct span digits); /* 09xxxxxxxxx */
bool rules_is_iban(struct span text);     /* IR + 24 digits, ISO 7064 mod 97-10 */
bool rules_is_bank_card(struct span digits); /* 16 digits, Luhn */

#endif
