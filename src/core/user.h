/* user.h: the accounts of administrators. Visitors have none.
 *
 * P:users is a hash. Per administrator: {name}: the password as Argon2id; {name}:created, {name}:changed (the password), {name}:seen (signed in
 * last), ms since 1970; {name}:era: a random word that every change of the password makes anew. A session holds its account's era, so a new
 * password, like a removed account, ends every session at its next look. */
#ifndef PEYGIR_USER_H
#define PEYGIR_USER_H

#include "base/password.h"
#include "core/app.h"

#define USER_NAME_MAX 64       /* a-z, digits, _ . - */
#define USER_ERA_LEN 16
#define USER_PASSWORD_MIN 12   /* characters, not bytes; any of Unicode but control characters, as they are typed: no normalisation, no cutting */
#define USER_PASSWORD_MAX 128

/* 0, or -1 (ERR_INVALID) with what is wanted. */
int user_check_name(const char *name, struct err *err);
/* The same for a new password; a few that everybody tries first are refused. The sentence never repeats it. */
int user_check_password(const char *name, struct span password, struct err *err);

/* ERR_STATE: the name is taken. ERR_INVALID: name or password are no good. Costs a hash, as passwd does. */
int user_add(struct app *app, const char *name, struct span password, struct err *err);
/* 1; 0: there is no such administrator; -1. Ends the administrator's sessions; so does remove. */
int user_passwd(struct app *app, const char *name, struct span password, struct err *err);
int user_remove(struct app *app, const char *name, struct err *err);
/* 1; 0; -1. */
int user_exists(struct app *app, const char *name, struct err *err);

struct user_view {
    const char *name;
    int64_t created_ms, changed_ms, seen_ms; /* seen_ms 0: has not signed in yet */
};
/* In order of name. 0 or -1. One round trip. */
int user_each(struct app *app, void (*fn)(void *ctx, const struct user_view *user), void *ctx, struct err *err);

/* --- for whoever signs in --- */

struct user {
    char name[USER_NAME_MAX + 1];
    char hash[PASSWORD_HASH_SIZE];
    char era[USER_ERA_LEN + 1];
};
/* One command of the caller's exchange on app->redis, in the main database; its reply: 1: *user filled; 0: there is none. `name` is
 * what was typed: capital letters count as small ones. */
void user_queue(struct app *app, struct span name);
int user_take(struct span name, const struct reply *reply, struct user *user);
/* Keep the same password at today's cost, unless it was changed meanwhile. Sessions go on. 0 or -1. */
int user_rehash(struct app *app, const struct user *user, struct span password, struct err *err);
/* Is `era` still the account's? 1, 0, -1. One round trip. */
int user_is_era(struct app *app, const char *name, const char *era, struct err *err);

#endif
