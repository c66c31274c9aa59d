/* source_read.h: from a definition file's JSON to struct source. Inside core only. */
#ifndef PEYGIR_SOURCE_READ_H
#define PEYGIR_SOURCE_READ_H

#include "core/source.h"

/* Fill the zeroed *s from the whole file; `name` is the file's name without its ending. 0, or -1 (ERR_CONFIG) with file, place
 * and reason; *s may be half filled then: source_free(). */
int source_read(struct source *s, const struct jread *root, const char *name, struct err *err);

#endif
