/* admin.h: the administrators' area, as cookies tell it. Two cookies of their own, both SameSite=Strict: peygir_admin holds the token of a
 * session, peygir_admin_form a random text that the sign-in form is bound to before there is one. They are two, so that a visit from another site, which
 * brings neither, cannot sign anybody out. A third, peygir_admin_known, says that an administrator has signed in here before (core/sign_in.h). */
#ifndef PEYGIR_WEB_ADMIN_H
#define PEYGIR_WEB_ADMIN_H

#include "web/exchange.h"

#include <json-c/json.h>

/* Sets x->admin: who has signed in, if that is demanded; else what the sign-in form is bound to. PROBLEM_FORBIDDEN: nobody has. */
enum problem admin_look(struct exchange *x, bool demanded);
/* A form for whoever has not signed in: x->admin is what it is bound to, and has its cookie. */
void admin_welcome(struct exchange *x);
/* Signed in: x->admin is the session; hand its token over, and `known`. The session that this browser had before ends. */
void admin_remember(struct exchange *x, const struct admin_session *s, const char *known);
/* The value of peygir_admin_known; absent: .s NULL. */
struct span admin_known(const struct exchange *x);
/* Signed out: the browser forgets its token. */
void admin_forget(struct exchange *x);

/* The page's `csrf` and `in_admin`, and `admin` if one has signed in. */
void admin_data(struct exchange *x, struct json_object *data);

#endif
