/* service_read.h: from a definition file's JSON to struct service. For service.c. */
#ifndef PEYGIR_SERVICE_READ_H
#define PEYGIR_SERVICE_READ_H

#include "core/service.h"

#define SERVICE_FIELDS_MAX 64

/* Fill the zeroed *s from the whole file; `name` is the file's name without its ending. 0, or -1 (ERR_CONFIG) with file, place
 * and reason; *s may be half filled then: service_free(). */
int service_read(struct service *s, const struct jread *root, const char *name, struct err *err);

#endif
