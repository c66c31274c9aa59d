/* session.h: who is asking (contract 4.3). Before the first submission a visitor's session is only a signed cookie that carries
 * the owner id; from then on the cookie is a token and the session lives in Redis under the token's digest. */
#ifndef PEYGIR_SESSION_H
#define PEYGIR_SESSION_H

#include "core/app.h"

#define SESSION_TOKEN_LEN 64
#define SESSION_OWNER_LEN 26
#define SESSION_COOKIE_MAX 160

struct session {
    bool known;       /* a session in Redis; false: only a signed cookie, or a new one */
    char owner[SESSION_OWNER_LEN + 1]; /* always set */
    char user_id[129]; /* "" : a visitor */
    char role[65];
    char token[SESSION_TOKEN_LEN + 1]; /* known: the token */
    int64_t created_ms;
    int64_t active_ms; /* known: last_activity, to a minute; created_at when it is not said */
};

/* The house must have been opened with HOUSE_SECRET. */

/* A cookie value seen from outside. 1: a token (look it up in Redis); 0: a good signed cookie, *s filled; -1: neither: session_fresh(). */
int session_cookie(const struct app *app, struct span cookie, struct session *s);
/* A new visitor: a random owner id and its signed cookie value (for Set-Cookie). */
void session_fresh(const struct app *app, struct session *s, char cookie[SESSION_COOKIE_MAX]);

/* Reading is one command of the caller's exchange on app->session_redis, in the session database: queue, exchange, take.
 * session_take: 1: *s filled (idle limit obeyed: a session idle too long is deleted and counts as none); 0: no such session; -1. */
#define SESSION_REPLIES 1
void session_queue(struct app *app, struct span token);
int session_take(struct app *app, struct span token, const struct reply replies[SESSION_REPLIES], struct session *s, struct err *err);
/* Count this as activity: posted, not awaited; does nothing when it was counted within the last 60 s (or half of SESSION_IDLE). */
void session_touch(struct app *app, const struct session *s);

/* Turn a signed-cookie session into a stored one with a new token, same owner: queued as one command of the caller's exchange on
 * app->session_redis (reply: status). s->token and s->known are set at once. */
struct session_about {
    const char *ip, *user_agent; /* NULL allowed; clipped to 200 bytes */
};
void session_store_queue(struct app *app, struct session *s, const struct session_about *about);

/* CSRF token of the owner id: 64 hex digits. */
void session_csrf(const struct app *app, const struct session *s, char out[65]);
bool session_csrf_ok(const struct app *app, const struct session *s, struct span token);

#endif
