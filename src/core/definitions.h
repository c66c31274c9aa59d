/* definitions.h: directories of definition files, one JSON file a thing, named after it. */
#ifndef PEYGIR_DEFINITIONS_H
#define PEYGIR_DEFINITIONS_H

#include "base/err.h"

/* Call fn for every *.json in dir, by name, ascending; hidden files are left out. `file` is dir/name.json, `name` is without
 * the ending; both are borrowed for the call. Stops at the first -1 of fn. 0, or -1 (ERR_CONFIG) when dir cannot be read. */
typedef int (*definitions_fn)(void *ctx, const char *file, const char *name, struct err *err);
int definitions_each(const char *dir, definitions_fn fn, void *ctx, struct err *err);
/* What is defined in "dir/name.json": "name". The caller frees. */
char *definitions_name(const char *file);

#endif
