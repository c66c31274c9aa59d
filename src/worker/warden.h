/* warden.h: programs do not outlive their worker. A worker that is killed outright can end nothing any more, and no way of being told
 * of a parent's death reaches a whole process group. So a worker that has programs to run keeps a small process beside it, which
 * knows their groups and waits for the end of a pipe that only the worker holds: then it ends those groups, SIGTERM first and SIGKILL
 * WARDEN_PATIENCE_MS later, well before the leases of their jobs run out. */
#ifndef PEYGIR_WARDEN_H
#define PEYGIR_WARDEN_H

#include "base/err.h"

#include <sys/types.h>

enum { WARDEN_PATIENCE_MS = 5000 };

struct warden;

/* Begin one; before any other thread, for it goes on as a copy of this process. NULL: *err. */
struct warden *warden_new(struct err *err);
/* Let it go, and wait for its end: groups that it still knows are ended. NULL is harmless, here and below. */
void warden_free(struct warden *w);
/* A group is there; it is gone. Never blocks. When the warden itself was killed that is said once. */
void warden_add(struct warden *w, pid_t group);
void warden_remove(struct warden *w, pid_t group);

#endif
