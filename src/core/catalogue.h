/* catalogue.h: the texts of one language: a JSON file of nested objects, flattened to dotted keys and hashed at load.
 * Read-only afterwards, so threads may share it. Above: locale. */
#ifndef PEYGIR_CATALOGUE_H
#define PEYGIR_CATALOGUE_H

#include "base/err.h"
#include "base/str.h"

struct catalogue;

#define CATALOGUE_KEY_MAX 120

/* 0 and *out (catalogue_free), or -1 (ERR_CONFIG) with file, place and reason: member names are lower-case letters, digits and
 * underscores; values are texts or objects of the same kind. */
int catalogue_load(const char *file, struct catalogue **out, struct err *err);
void catalogue_free(struct catalogue *c);

/* Text of a key, or NULL. O(1), no allocation. */
const char *catalogue_find(const struct catalogue *c, struct span key);
size_t catalogue_count(const struct catalogue *c);
const char *catalogue_key(const struct catalogue *c, size_t index); /* in the order of the file */
/* The file's content as compact JSON. */
const char *catalogue_json(const struct catalogue *c, size_t *len);
/* The number by which keys are spread; also good for other small tables of keys. */
unsigned catalogue_spread(struct span key);

#endif
