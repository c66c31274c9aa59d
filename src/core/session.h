/* session.h: who is asking (contract 4.3). Before the first submission a visitor's session is only a signed cookie that carries
 * the owner id; from then on the cookie is a token and the session lives in Redis under the token's digest.
 *
 *                     first submission                     idle
 *   signed cookie ---------------------> visitor's session ----> (nothing)
 *         |                                  |
 *         | a link of the host site          | a link of the host site: the owner id goes over, the visitor's token ends
 *         v                                  v
 *   user's session (made by the host site under a token of its own) ---- idle, SESSION_TTL, revoked, too many ----> (nothing)
 *
 * Nobody keeps a session in memory: each request reads it, so that ending one takes effect with the next request, everywhere. */
#ifndef PEYGIR_SESSION_H
#define PEYGIR_SESSION_H

#include "core/app.h"

#define SESSION_TOKEN_LEN 64
#define SESSION_OWNER_LEN 26
#define SESSION_COOKIE_MAX 160
#define SESSION_ID_LEN 16

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

/* What the cookie is called. On HTTPS the prefix makes browsers refuse what another host or plain HTTP would set. */
static inline const char *session_cookie_name(bool https) { return https ? "__Host-peygir_session" : "peygir_session"; }
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

/* --- users, as the host site signs them in --- */

#define SESSION_USER_MAX 128     /* bytes */
#define SESSION_ROLE_MAX 64
#define SESSION_EMAIL_MAX 254
#define SESSION_METADATA_MAX 2048
#define SESSION_NEXT_MAX 1024
#define SESSION_TICKET_LEN 64
#define SESSION_TICKET_MS 60000  /* so long a link leads in */

struct session_new {
    struct span user_id;         /* UTF-8 without control characters */
    struct span role, email;     /* likewise; absent: none */
    struct span metadata;        /* a JSON object, which has passed json_check; absent: none */
    struct span next;            /* where a link leads; absent: no link is wanted */
};
/* May it be so? 0, or -1: ERR_INVALID names the member and what is accepted. */
int session_check(const struct session_new *n, struct err *err);
/* A session for the user; the oldest end when there are more than SESSION_MAX_PER_USER. With n->next also the ticket of a link. 0; -1
 * (ERR_INVALID, ERR_FULL, ERR_AWAY). One round trip. */
int session_create(struct app *app, const struct session_new *n, char token[SESSION_TOKEN_LEN + 1], char ticket[SESSION_TICKET_LEN + 1],
                   struct err *err);
/* A link is followed by the browser that was `before` (owner "": nobody). It takes over the session that the ticket leads to: its owner id
 * goes over, unless it was another user's, so that what it asked for before stays its own; its earlier session ends, and the ticket is
 * used up. 1: *s is who it is now, *next where the link leads; 0: no such ticket, or it was used, or its time or the session is over; -1:
 * the link may be followed again. Three round trips. */
int session_enter(struct app *app, struct span ticket, const struct session *before, const struct session_about *about, struct session *s,
                  struct str *next, struct err *err);

/* A session as it is stored. Texts are owned; NULL: not there. */
struct session_view {
    char id[SESSION_ID_LEN + 1]; /* the beginning of the token's digest: names it, opens nothing */
    char *name;                  /* the last part of its key */
    char *user_id, *role, *email, *metadata, *ip, *user_agent; /* metadata: JSON */
    int64_t created_ms, active_ms;
};
void session_view_clear(struct session_view *view);
/* The id of a token. */
void session_id(const struct app *app, struct span token, char out[SESSION_ID_LEN + 1]);
/* 1; 0: there is none, or it has come to its end; -1. Looking is no activity. */
int session_look(struct app *app, struct span token, struct session_view *out, struct err *err);
/* The user's sessions, the one used last first; free with session_list_free. 0 or -1. Two round trips. */
int session_list(struct app *app, struct span user_id, struct session_view **out, size_t *count, struct err *err);
void session_list_free(struct session_view *list, size_t count);

/* End one: 1; 0: there is none; -1. */
int session_revoke(struct app *app, struct span token, struct err *err);
int session_revoke_view(struct app *app, const struct session_view *view, struct err *err);
/* One of the user's, by its id. */
int session_revoke_id(struct app *app, struct span user_id, struct span id, struct err *err);
/* All of the user's but the one of `keep` (absent: all). How many, or -1. One round trip. */
int64_t session_revoke_user(struct app *app, struct span user_id, struct span keep, struct err *err);

/* Forget what ended sessions left in the sets of their users, and sessions that were idle for too long: of at most
 * SESSION_CLEANUP users a call. How many users were looked at (that many: there may be more), or -1; *forgotten grows. */
#define SESSION_CLEANUP 100
int session_cleanup(struct app *app, int64_t *forgotten, struct err *err);

/* --- forms --- */

/* CSRF token, 64 hex digits: of the owner id, so that a form opened before the first submission stays valid; of a user's session also of
 * its token, so that it is a new one at sign-in. */
void session_csrf(const struct app *app, const struct session *s, char out[65]);
bool session_csrf_ok(const struct app *app, const struct session *s, struct span token);

#endif
