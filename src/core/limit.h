/* limit.h: how often anybody may do something (contract 5.3). Counted in Redis by limit_take.lua, by its clock, with GCRA: a bucket
 * holds `burst` things and lets one go every period/count (generic cell rate algorithm, ITU-T I.371; one number a bucket, which
 * expires by itself). PEYGIR_LIMIT_FACTOR multiplies count and burst; 0 switches all of them off.
 *
 * Who is counted is never readable in a key: sessions by the digest of their cookie, API clients by that of their token, all else as an HMAC under the first key of
 * PEYGIR_SECRET_FILE. The house must have been opened with HOUSE_SECRET. */
#ifndef PEYGIR_LIMIT_H
#define PEYGIR_LIMIT_H

#include "core/app.h"
#include "core/keys.h"

enum limit_id {
    LIMIT_NONE, LIMIT_READ, LIMIT_SUBMIT, LIMIT_CANCEL, LIMIT_CODE, LIMIT_RESEND, LIMIT_SIGN_IN, LIMIT_STREAM, LIMIT_MOBILE, LIMIT_MAIL, LIMIT_DATA,
    LIMITS
};

struct limit {
    const char *name; /* in keys, and in the headers RateLimit and RateLimit-Policy */
    int64_t count, period_s, burst;
    bool open;        /* what does not need Redis goes on while that is away */
};
extern const struct limit limits[LIMITS];

/* The row of a name; LIMIT_NONE: there is none. */
enum limit_id limit_find(struct span name);
bool limit_is_on(const struct house *house);

#define LIMIT_WHO_LEN 32
enum limit_by { LIMIT_BY_SESSION, LIMIT_BY_ADDRESS, LIMIT_BY_USER, LIMIT_BY_MOBILE, LIMIT_BY_MAIL, LIMIT_BY_SITE, LIMIT_BY_ADMIN };
/* What stands for `who` in a key: LIMIT_WHO_LEN hex digits. All addresses of one line (address_line) are one. */
void limit_who(const struct house *house, enum limit_by by, struct span who, char out[LIMIT_WHO_LEN + 1]);

struct limit_bucket {
    struct key key;
    double count;       /* things that may go on for ever in period_s */
    int64_t period_s;
    int64_t burst;
    struct span once;   /* what is counted, once however often it comes while it is remembered; absent: each time */
};
/* The bucket of a row for somebody (limit_who). An address, behind which many may sit, has ten times as much as the others. */
struct limit_bucket limit_bucket(const struct house *house, enum limit_id id, enum limit_by by, const char who[LIMIT_WHO_LEN + 1]);

/* What counts in several buckets: in all of them or in none. */
#define LIMIT_BUCKETS 2
struct limit_thing {
    struct limit_bucket bucket[LIMIT_BUCKETS];
    size_t count; /* 0: it is not limited */
};
/* Up to LIMIT_THINGS, one after the other, by one command of the caller's exchange on app->redis, in the main database. */
#define LIMIT_THINGS 8
#define LIMIT_REPLIES 1
void limit_queue(struct app *app, const struct limit_thing *const things[], size_t count);

struct limit_verdict {
    struct limit_bucket bucket; /* the one that is full; else the first */
    int64_t left;               /* room in it */
    int64_t wait_ms;            /* full: until there is room for one */
};
/* 1: counted; 0: full, with ERR_TOO_MANY and its retry_after_s; -1 (*verdict untouched). */
int limit_take(const struct limit_thing *const things[], size_t which, const struct reply replies[LIMIT_REPLIES],
               struct limit_verdict *verdict, struct err *err);
/* Queue, exchange and take. */
int limit_ask(struct app *app, const struct limit_thing *thing, struct limit_verdict *verdict, struct err *err);
/* wait_ms in whole seconds, at least 1. */
int limit_wait_s(const struct limit_verdict *verdict);

#endif
