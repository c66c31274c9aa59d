/* locale.h: texts, numbers and dates by language. www/locales/{fa,en}.json: nested objects of texts; a key is the dotted path
 * ("messages.queued"). Placeholders are {name}. Loading fails when a language lacks a key that another has. A language is data
 * only: "locale" holds its code (the file's name), name, direction (ltr, rtl), digits (latin, persian), calendar (gregorian,
 * jalali) and time_zone ("+03:30"); "number", "date" and "duration" hold the forms that the functions below fill. */
#ifndef PEYGIR_LOCALE_H
#define PEYGIR_LOCALE_H

#include "base/err.h"
#include "base/str.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#define LOCALE_COOKIE "peygir_lang" /* the language that a visitor chose, by its code */

struct locale;  /* one language; read-only, shared by threads */
struct locales; /* all of them */

/* Every *.json in dir. `fallback` is the code of the default. 0 and *out (locales_free), or -1 (ERR_CONFIG). */
int locales_load(const char *dir, const char *fallback, struct locales **out, struct err *err);
void locales_free(struct locales *l);
size_t locales_count(const struct locales *l); /* by code, ascending */
const struct locale *locales_at(const struct locales *l, size_t index);
const struct locale *locales_find(const struct locales *l, struct span code); /* NULL: not shipped */
const struct locale *locales_default(const struct locales *l);
/* Best match for an Accept-Language header (RFC 9110 12.5.4: q values, prefix match); the default when nothing fits. */
const struct locale *locales_accept(const struct locales *l, struct span header);

const char *locale_code(const struct locale *l);  /* "fa" */
const char *locale_name(const struct locale *l);  /* "فارسی": the language in its own words */
bool locale_is_rtl(const struct locale *l);
/* A fresh deep copy of the whole catalogue for templates is costly; this returns JSON text of it, parse per thread at start. */
const char *locale_catalogue(const struct locale *l, size_t *len);

/* Text of a key; NULL when there is none. O(1), no allocation. */
const char *locale_find(const struct locale *l, struct span key);
/* Text of a key, which must exist: the key itself is returned (and logged once) when it does not. */
const char *locale_text(const struct locale *l, const char *key);
/* Append the text with {name} replaced: params are name, value, name, value, NULL. Values are inserted as they are (escape
 * afterwards); a placeholder that params do not name stays. */
void locale_add(const struct locale *l, struct str *out, const char *key, const char *const params[]);
#define LOCALE_PARAMS(...) ((const char *const[]){ __VA_ARGS__, NULL })
/* A message as documents keep it: a catalogue key (optionally followed by " {json object of params}" — a key is letters, digits, dots and
 * underscores beginning with "messages." or "errors.") becomes its text; anything else is text already and is appended as it is. Numbers of the object are shown with the
 * language's digits. */
void locale_add_message(const struct locale *l, struct str *out, struct span message);
/* Append any text with {name} replaced by that member of a JSON object, numbers with the language's digits; one that the object has not, or
 * that is neither text nor number, leaves a gap. `object` has passed json_check. */
void locale_add_filled(const struct locale *l, struct str *out, const char *text, struct span object);

/* Numbers with the language's digits and grouping (fa: ۱۲٬۳۴۵). */
void locale_add_number(const struct locale *l, struct str *out, int64_t n);
/* The same for a number in JSON's notation, with the language's decimal sign; what is no plain number only gets its digits. */
void locale_add_decimal(const struct locale *l, struct str *out, struct span number);
void locale_add_digits(const struct locale *l, struct str *out, struct span text); /* only digits changed */
/* "about 2 minutes", "a few seconds"; from the catalogue, rounded. */
void locale_add_duration(const struct locale *l, struct str *out, int64_t seconds);
/* Date, and date with time, in the language's calendar and time zone: UTC+03:30 and Jalali for fa, UTC for en. */
void locale_add_date(const struct locale *l, struct str *out, int64_t ms, bool with_time);

#endif
