/* password.h: passwords kept as Argon2id (RFC 9106; libsodium). Knows no account.
 *
 * The cost is libsodium's INTERACTIVE: 64 MiB, two passes, 50 to 100 ms of a core. OWASP asks for 19 MiB and two passes at least. MODERATE would
 * take 256 MiB and half a second of a thread that answers visitors, which gives whoever knocks more power than it takes from whoever
 * guesses: guesses are paced, see core/sign_in.h. */
#ifndef PEYGIR_PASSWORD_H
#define PEYGIR_PASSWORD_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define PASSWORD_HASH_SIZE 128 /* with its NUL */

/* 0, or -1: there is no memory for it. Blocks for the whole cost; so does checking. */
int password_hash(struct span password, char out[PASSWORD_HASH_SIZE], struct err *err);
/* 1: it is this one; 0: it is not, or `hash` is none; -1: there is no memory for it. */
int password_check(struct span password, const char hash[PASSWORD_HASH_SIZE], struct err *err);
/* A hash of today's cost whose password nobody has; and what a check costs, for an account that does not exist. 0 or -1. */
extern const char password_nobody[PASSWORD_HASH_SIZE];
int password_check_nobody(struct span password, struct err *err);
/* Was it made for less than a hash costs today? */
bool password_is_outdated(const char hash[PASSWORD_HASH_SIZE]);

/* At most so many of a process are checked at once; memory stays within 64 MiB times this, and other threads stay free. */
#define PASSWORD_AT_ONCE 2
/* False: so many are being checked; nothing to leave then. */
bool password_enter(void);
void password_leave(void);

#endif
