/* admin_session.h: that an administrator has signed in. Nothing of a visitor's session (session.h) is in it, and nobody gets from one to the
 * other.
 *
 * P:admin_session:{SHA-256 of token} in the session database: hash {name, era, created_at, last_activity}. It lives ADMIN_IDLE from the last look
 * that a person asked for, and ADMIN_TTL in all; Redis forgets it by itself. */
#ifndef PEYGIR_ADMIN_SESSION_H
#define PEYGIR_ADMIN_SESSION_H

#include "core/user.h"

#define ADMIN_TOKEN_LEN 64 /* hex digits: 256 random bits */

struct admin_session {
    bool known;
    char name[USER_NAME_MAX + 1];
    char token[ADMIN_TOKEN_LEN + 1]; /* "" when none was brought; else well-formed, known or not */
};

/* A token that nobody has, for a form before signing in. */
void admin_session_fresh(struct admin_session *s);
/* Sets s->token if the cookie is well-formed. False: it is not. */
bool admin_session_cookie(struct span cookie, struct admin_session *s);
/* Whose session s->token is: 1: s->known, s->name; 0: none; it is over when the account was removed or has a new password; -1.
 * Two round trips, one when there is none. */
int admin_session_read(struct app *app, struct admin_session *s, struct err *err);
/* Begin one with a new token. 0 or -1. One round trip. */
int admin_session_start(struct app *app, const struct user *user, struct admin_session *s, struct err *err);
/* A person asked for something: posted, not awaited. */
void admin_session_touch(struct app *app, const struct admin_session *s);
/* Nobody gets in with s->token any more. 0 or -1. One round trip. */
int admin_session_end(struct app *app, const struct admin_session *s, struct err *err);

/* Forms: 64 hex digits bound to the token. The house must have been opened with HOUSE_SECRET. */
void admin_session_csrf(const struct app *app, const struct admin_session *s, char out[65]);
bool admin_session_csrf_ok(const struct app *app, const struct admin_session *s, struct span csrf);

#endif
