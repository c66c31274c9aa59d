/* token.h: bearer tokens of programs (contract 6, 8): made once, shown once, stored as SHA-256.
 *
 * P:token:{SHA-256 hex} is a hash {name, role, services, callbacks, created_at, last_used}; P:tokens a hash name -> SHA-256 hex. */
#ifndef PEYGIR_TOKEN_H
#define PEYGIR_TOKEN_H

#include "base/digest.h"
#include "core/app.h"

enum token_role { TOKEN_BOT, TOKEN_API, TOKEN_SITE, TOKEN_ROLES };
extern const char *const token_roles[TOKEN_ROLES]; /* "bot", "api", "site" */
int token_role_parse(struct span name); /* -1: none */

#define TOKEN_START "pgt_"
#define TOKEN_LEN 47                    /* "pgt_" and 43 characters of base64url: 256 random bits */
#define TOKEN_OWNER_LEN 26              /* as long as a session's owner id */
#define TOKEN_NAME_MAX 64               /* letters, digits, _ . - */

#define TOKEN_SERVICES_MAX 512          /* bytes of slugs with commas between them */

struct token_new {
    enum token_role role;
    const char *name;
    const char *services;  /* the only ones whose requests a bot may report of and wait for, as slugs with commas between them; NULL or "": all */
    const char *callbacks; /* where an API client may be called, with commas between (webhook.h); NULL or "": nowhere */
};
/* ERR_STATE: the name is taken. ERR_INVALID: it is none, or a list is. */
int token_create(struct app *app, const struct token_new *n, char out[TOKEN_LEN + 1], struct err *err);
struct token_view {
    const char *name, *services; /* services "": all */
    struct span callbacks;       /* with blanks between; empty: none */
    enum token_role role;
    int64_t created_ms, used_ms; /* used_ms 0: never; to the minute */
};
/* In order of name. */
int token_each(struct app *app, void (*fn)(void *ctx, const struct token_view *token), void *ctx, struct err *err);
/* 1; 0: there is none of that name; -1. */
int token_revoke(struct app *app, const char *name, struct err *err);

/* What is known of a token that holds. */
struct token {
    enum token_role role;
    char name[TOKEN_NAME_MAX + 1];
    char services[TOKEN_SERVICES_MAX + 1]; /* "": all */
};
/* Whose token this is; constant work for any text. One command of the caller's exchange on app->redis, in the main database: queue,
 * exchange, take. token_take: 1: *out is filled; 0: none; -1. The time of use is written at most once a minute. */
#define TOKEN_REPLIES 1
void token_queue(struct app *app, struct span token);
int token_take(struct app *app, struct span token, const struct reply replies[TOKEN_REPLIES], struct token *out, struct err *err);
/* Queue, exchange and take. */
int token_check(struct app *app, struct span token, struct token *out, struct err *err);
/* The digest of the token of that name. 1; 0: there is none; -1. */
int token_digest_of(struct app *app, const char *name, char out[DIGEST_HEX_SIZE], struct err *err);
/* What a token is stored as. */
void token_digest(struct span token, char out[DIGEST_HEX_SIZE]);
/* Where the holder of the token with this digest may be called, appended. 1; 0: it was revoked; -1. One round trip. */
int token_callbacks(struct app *app, const char *digest, struct str *out, struct err *err);
bool token_covers(const struct token *token, struct span slug);
/* The owner id of the requests that its holder makes: Crockford base32, always the same for a token; opens nothing. */
void token_owner(struct span token, char out[TOKEN_OWNER_LEN + 1]);

#endif
