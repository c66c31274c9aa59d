/* presence.h: which users of the host site are here, and when they were last (contract 4.3). Pages, polls and streams of users who are signed
 * in say so; programs with a token do not. It is a hint, never a right: nothing is decided by it.
 *
 *   P:presence:{user_id}  the time (ms by Redis's clock), for PRESENCE_ONLINE_MS: while it exists the user is online
 *   P:presence            sorted set: users by when they were last seen (ms)
 *
 * Both in the main database. The set would grow with everybody who ever came, and it is a diary of people. So whoever was not seen for
 * PRESENCE_KEPT_MS is taken out of it at the next touch of anybody, and it expires as a whole when there is none: it is as large as the number
 * of users who came in that time, about a hundred bytes each. A user whose sessions end goes on being online for as long as the key lives. */
#ifndef PEYGIR_PRESENCE_H
#define PEYGIR_PRESENCE_H

#include "core/app.h"

#define PRESENCE_ONLINE_MS 60000
#define PRESENCE_QUIET_MS 20000                     /* well below the former: who goes on asking does not go offline */
#define PRESENCE_KEPT_MS (INT64_C(90) * 86400000)   /* as long as the statistics of a day */

/* The user (absent or empty: nobody) is here: posted on app->redis, not awaited, once in each PRESENCE_QUIET_MS of this process's clock
 * however often it is called. So a time may be that much too early. */
void presence_touch(struct app *app, struct span user_id);

struct presence {
    bool online;
    int64_t seen_ms; /* 0: not known */
};
/* Of up to PRESENCE_USERS users, in their order. 0 or -1. One round trip. */
#define PRESENCE_USERS 100
int presence_read(struct app *app, const struct span users[], size_t count, struct presence out[], struct err *err);

/* Who was touched lately: a house has one, which its threads share. Its size is fixed; two users who meet in a place of it forget each other,
 * which costs a touch too many and nothing else. */
struct presence_memo;
struct presence_memo *presence_memo_new(void);
void presence_memo_free(struct presence_memo *memo);

#endif
