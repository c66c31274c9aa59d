/* session_part.h: what the files session*.c share: how a session lies in Redis. Inside core only.
 *
 *   P:session:{name}          JSON; name: SHA-256 of the token, or the token itself (SESSION_KEYS=plain)
 *   P:user_sessions:{user_id} set of names; it lives as long as the longest of them
 *   P:user_sessions           sorted set: users by the time (ms) when a session of theirs may be gone: what session_cleanup looks at
 *   P:ticket:{digest}         a link's one-time ticket: the token, masked, and where to go next
 *
 * The members of a session: user_id, email, role, owner, created_at, last_activity, ip, user_agent, metadata. Scripts read the two
 * times where they stand first, so metadata, which may hold anything, stand last. */
#ifndef PEYGIR_SESSION_PART_H
#define PEYGIR_SESSION_PART_H

#include "base/digest.h"
#include "core/keys.h"
#include "core/options.h"
#include "core/session.h"

/* The connection, in the database of sessions. */
struct redis *session_part_redis(struct app *app);
int64_t session_part_ms(const struct app *app, enum option_id id);
bool session_part_is_token(struct span s);
/* The last part of a token's key. */
void session_part_name(const struct house *h, struct span token, char out[DIGEST_HEX_SIZE]);
/* Has a user's session that was used last then, made then, come to its end? */
bool session_part_over(const struct app *app, int64_t created_ms, int64_t active_ms);
/* A random owner id. */
void session_part_owner(char out[SESSION_OWNER_LEN + 1]);
/* *s begins now, under a new token. */
void session_part_begin(struct app *app, struct session *s);
/* The text of a session that begins now. `n` NULL: a visitor's. */
void session_part_text(struct str *out, const struct session *s, const struct session_new *n, const struct session_about *about);
/* A JSON string of at most 200 bytes, or null. */
void session_part_add_about(struct str *out, const char *text);
/* A stored text as a view. False: it is none, or a user's that has come to its end; *out is empty. */
bool session_part_view(const struct app *app, struct span name, struct span text, struct session_view *out);

#endif
