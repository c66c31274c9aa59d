/* progress.h: what a job says of itself while it is called: written at most once a second, and the last of it before its end. */
#ifndef PEYGIR_PROGRESS_H
#define PEYGIR_PROGRESS_H

#include "worker/carry.h"

/* progress -1, message NULL: as it is. A request's job tells its request. */
void progress_say(struct carry *c, int progress, const char *message);
/* The call has ended: `then` follows as soon as nothing is left to be written, which may be at once. */
void progress_finish(struct carry *c, void (*then)(struct carry *c));
/* What is not written yet is not written any more. NULL is harmless, also to the next. */
void progress_stop(struct progress *p);
void progress_free(struct progress *p);

#endif
