/* session_admin.h: all sessions, for the command line. These scan; not for programs that answer visitors. */
#ifndef PEYGIR_SESSION_ADMIN_H
#define PEYGIR_SESSION_ADMIN_H

#include "core/session.h"

/* Each session that lives, visitors' too, in no order; fn's view is borrowed, and fn must not use the connection. 0 or -1. */
int session_each(struct app *app, void (*fn)(void *ctx, const struct session_view *view), void *ctx, struct err *err);
/* By its token or its id. 1: *out is filled; 0: there is none; -1. */
int session_find(struct app *app, struct span word, struct session_view *out, struct err *err);

#endif
