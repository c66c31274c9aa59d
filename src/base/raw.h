/* raw.h: members of a top-level object, found and replaced in its text. Keys are plain ASCII literals without
 * escapes. A key that stands twice in a text (json_check refuses it) counts as json-c takes it: the last one. */
#ifndef PEYGIR_RAW_H
#define PEYGIR_RAW_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Value text of the top-level member `key`, white space around it not included; absent: .s == NULL.
 * `doc` must have passed json_check or come from raw_set; on other bytes the answer is absent, never a crash. */
struct span raw_get(struct span doc, const char *key);
/* One pass for many keys: out[i] answers keys[i]. Returns how many were found, -1 when doc is not an object. */
int raw_get_many(struct span doc, const char *const keys[], struct span out[], size_t count);
/* The first `count` items of an array as raw text; absent ones have .s == NULL. How many it has, or -1: it is none. */
int raw_items(struct span array, struct span out[], size_t count);
/* A member to set: value is JSON text; absent (.s == NULL): the member stays as it is. */
struct raw_member {
    const char *key;
    struct span value;
};
/* Append doc to out with the members set: replaced where they stand, new ones at the end. 0; -1 not an object. */
int raw_set(struct str *out, struct span doc, const struct raw_member members[], size_t count);
/* Decode a raw JSON string (with quotes) into out. true; false when value is not a string. */
bool raw_string(struct span value, struct str *out);
/* Integer value; fallback when absent, not a number, or out of range. 1.0 and 1e2 count as numbers (truncated). */
int64_t raw_int(struct span value, int64_t fallback);
/* A raw string equal to the plain text `text` (which needs no escaping). */
bool raw_is(struct span value, const char *text);

#endif
