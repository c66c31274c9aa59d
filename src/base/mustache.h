/* mustache.h: logic-less templates, as the Mustache specification's core modules define them (comments,
 * delimiters, interpolation, inverted, partials, sections). Data are json-c values. {{x}} escapes for HTML. */
#ifndef PEYGIR_MUSTACHE_H
#define PEYGIR_MUSTACHE_H

#include "base/err.h"
#include "base/str.h"

#include <json-c/json.h>

struct mustache; /* a parsed template; read-only after parsing, so threads may share it */

/* Finds a partial by name; NULL when there is none (it then renders as nothing). Borrowed. */
typedef const struct mustache *(*mustache_lookup)(void *ctx, const char *name);

/* Absent, null, false, "" and [] are false to a section; every other value is true, 0 too. A list runs the section
 * once an item. A list or an object as the value of {{x}} is printed as JSON. A key that is present with null hides
 * the same key further out. {{a.b}} looks for a outwards, then for b inside that a only. */

/* 0 and *out (mustache_free), or -1 with line and reason; `name` is for errors, copied.
 * Sections nest at most 64 deep. */
int mustache_parse(const char *name, const char *text, size_t len, struct mustache **out, struct err *err);
void mustache_free(struct mustache *m);
/* Append the rendered text. stack[0] is looked at last (the outermost context). Partials nest at most 32 deep,
 * and at most 100,000 are shown; further ones render as nothing.
 * Doubles and integers are printed as JSON prints them. Threads need data of their own (json-c is not shareable). */
void mustache_render(const struct mustache *m, struct json_object *const stack[], size_t depth,
                     mustache_lookup lookup, void *ctx, struct str *out);
/* Call fn for each partial's name in the template, for checking at start that all exist. */
void mustache_partials(const struct mustache *m, void (*fn)(void *ctx, const char *name), void *ctx);

#endif
