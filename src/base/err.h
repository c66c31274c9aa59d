/* err.h: what went wrong, as one complete sentence that names the thing. Functions return -1 and fill the
 * struct err that is their last argument; 0 and 1 are success. A NULL err is allowed everywhere. */
#ifndef PEYGIR_ERR_H
#define PEYGIR_ERR_H

#include "base/xmalloc.h"

/* What a caller may want to decide by; the sentence is for people. */
enum err_kind {
    ERR_NONE = 0,
    ERR_FAILED,    /* anything without a kind of its own */
    ERR_INVALID,   /* input that breaks a rule */
    ERR_NOT_FOUND, /* the thing does not exist (any more) */
    ERR_FOREIGN,   /* it exists and belongs to somebody else */
    ERR_FINAL,     /* the request has ended; nothing changes it */
    ERR_STALE,     /* written under a run that is over */
    ERR_STATE,     /* not possible in the present state */
    ERR_EXPIRED,   /* too late (a code) */
    ERR_TOO_MANY,  /* a limit; retry_after_s says when */
    ERR_AWAY,      /* Redis does not answer, or is loading */
    ERR_FULL,      /* Redis takes no writes: out of memory, disk full, read-only */
    ERR_CONFIG     /* a setting or definition is wrong: exit status 78 */
};

struct err {
    enum err_kind kind;
    int retry_after_s; /* with ERR_TOO_MANY and ERR_AWAY; 0 elsewhere */
    char text[512];    /* UTF-8, no newline, cut at a character's end when too long */
};
#define ERR_INIT { ERR_NONE, 0, "" }

/* Always -1, so that `return err_set(err, ERR_INVALID, "...")` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Put "prefix: " before the present text. Always -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
