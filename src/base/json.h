/* json.h: reading JSON. Two ways: json_parse() builds json-c objects; raw_*() (raw.h) finds and replaces the
 * top-level members of an object in its text, so that everything not replaced stays byte for byte. */
#ifndef PEYGIR_JSON_H
#define PEYGIR_JSON_H

#include "base/err.h"
#include "base/raw.h"
#include "base/str.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* Check that text is one JSON value as RFC 8259 has it, stricter than json-c: valid UTF-8, no control bytes in
 * strings, no \u0000, no lone surrogate, no duplicate key in one object, no NaN or Infinity, at most 32 levels,
 * at most 256 members in one object. Whole numbers may have any size.
 * 0, or -1 with *err naming the byte. Allocates nothing that stays. */
int json_check(const char *text, size_t len, struct err *err);
/* json_check, whole numbers within int64 or uint64, then json-c. 0 and *out (release with json_object_put; NULL for
 * the value null), or -1. */
int json_parse(const char *text, size_t len, struct json_object **out, struct err *err);
/* The same for what is only shown: a whole number outside that range becomes a string of its digits. */
int json_parse_wide(const char *text, size_t len, struct json_object **out, struct err *err);
/* Compact text of obj (no spaces, / not escaped) appended to out. */
void json_add(struct str *out, struct json_object *obj);

#endif
