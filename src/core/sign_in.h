/* sign_in.h: an administrator signs in: the one place where a password is compared, and where guessing is slowed down.
 *
 * Every attempt counts as a failure until it has succeeded, so that of many at once one is tried. After a failure the name waits 1, 2, 4, … up
 * to SIGN_IN_NAME_CAP_S seconds, so less than a hundred guesses an hour; an address that has failed SIGN_IN_ADDRESS_FREE times waits likewise. No delay is
 * longer than its cap, and what is refused as too soon counts for nothing: nobody is locked out for ever. A browser in which the name has signed in
 * before brings a signed cookie and has a counter of its own instead of those two, so others who guess do not delay it.
 *
 * The counters are P:limit:sign-in-name:{who} and P:limit:sign-in-address:{who} (limit_who), hashes {count, open_at} that expire by themselves. */
#ifndef PEYGIR_SIGN_IN_H
#define PEYGIR_SIGN_IN_H

#include "core/admin_session.h"

#define SIGN_IN_NAME_CAP_S 60
#define SIGN_IN_ADDRESS_CAP_S 60
#define SIGN_IN_ADDRESS_FREE 5
#define SIGN_IN_KNOWN_SIZE 100

struct sign_in {
    struct span name, password; /* as typed */
    struct span address;
    struct span known;          /* the cookie of a browser where somebody signed in before; may be absent */
};
/* 1: *s is a new session, and known_out the cookie for next time; 0: name or password are wrong, which of them nobody learns from words or time;
 * -1: ERR_TOO_MANY (retry_after_s: too soon, or PASSWORD_AT_ONCE others are being checked), ERR_AWAY, ... : nobody gets in without
 * Redis. Needs HOUSE_SECRET. Blocks for the cost of a password and two or three round trips. */
int sign_in(struct app *app, const struct sign_in *attempt, struct admin_session *s, char known_out[SIGN_IN_KNOWN_SIZE], struct err *err);

#endif
