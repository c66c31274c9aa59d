/* job_type_read.h: from a file's JSON to struct job_type. Inside core only. */
#ifndef PEYGIR_JOB_TYPE_READ_H
#define PEYGIR_JOB_TYPE_READ_H

#include "base/jread.h"
#include "core/job_type.h"

/* `name` is the file's name without its ending. *t was zeroed; release it with job_type_free whatever is returned. 0 or
 * -1 (ERR_CONFIG). */
int job_type_read(struct job_type *t, const struct jread *root, const char *name, struct err *err);
void job_type_free(struct job_type *t);

#endif
