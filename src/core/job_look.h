/* job_look.h: what the files that look after jobs share. Inside core's job_*.c only. */
#ifndef PEYGIR_JOB_LOOK_H
#define PEYGIR_JOB_LOOK_H

#include "core/job_admin.h"
#include "core/job_part.h"

/* Send what is queued and see that every reply is a good one. All replies, borrowed; NULL with *err. */
const struct reply *job_look_exchange(struct app *app, size_t *count, struct err *err);

/* Copy the fields of a job's hash (names and values in turn) into a fresh view. */
void job_look_read(struct job_view *out, const char *queue, struct span id, const struct reply *fields);

/* Append a SCAN pattern: the prefix as it is, then `tail`, which may hold wildcards. */
void job_look_pattern(struct str *out, struct span prefix, const char *tail);

#endif
