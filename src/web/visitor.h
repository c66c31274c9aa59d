/* visitor.h: who asks and in which language, as cookies tell it. */
#ifndef PEYGIR_WEB_VISITOR_H
#define PEYGIR_WEB_VISITOR_H

#include "web/exchange.h"

/* Set x->locale: ?lang=, the cookie peygir_lang, Accept-Language, PEYGIR_LOCALE. ?lang= is remembered by a cookie. Who brought a
 * token neither has cookies nor gets any. */
void visitor_locale(struct exchange *x);
/* The same for programs: English where it is shipped, whatever was sent; no cookie. */
void visitor_locale_of_programs(struct exchange *x);
/* The value of the session cookie; absent: .s NULL. */
struct span visitor_cookie(const struct exchange *x);
/* A new visitor: a fresh session and its signed cookie. */
void visitor_welcome(struct exchange *x);
/* The session has become a stored one: hand its token over. */
void visitor_remember(struct exchange *x);
/* An API client, whose token holds: an owner id that is always the same, and no session. */
void visitor_client(struct exchange *x);
/* The session has ended: the browser forgets its cookie. */
void visitor_forget(struct exchange *x);
/* Is it a user whom the host site has signed in? */
bool visitor_is_user(const struct exchange *x);
/* The token that forms and scripts send back, as 64 hex digits; NULL when the visitor is not known. When only Redis
 * is missing to know the visitor, it is the one that the form just brought, so that the form can be sent again.
 * Valid until the next call. */
const char *visitor_csrf(struct exchange *x, char buffer[65]);

#endif
