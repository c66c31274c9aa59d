/* advice.h: what the version and settings of a server of Redis mean for Peygir. `peygir health`, `peygir redis check` and /readyz say
 * the same. This layer decides what is dangerous, not how it is told. */
#ifndef PEYGIR_ADVICE_H
#define PEYGIR_ADVICE_H

#include "core/app.h"

enum grade { GRADE_OK, GRADE_WARNING, GRADE_FAILED, GRADES };
extern const char *const grade_names[GRADES]; /* "ok", "warning", "failed" */

enum advice_kind {
    ADVICE_VERSION,     /* subject: version */
    ADVICE_ROLE,        /* failed: a replica */
    ADVICE_EVICTION,    /* subject: maxmemory-policy */
    ADVICE_MEMORY,      /* number: bytes used, limit (0: none) */
    ADVICE_PERSISTENCE,
    ADVICE_ACCESS,      /* who may reach the server */
    ADVICE_KINDS,
    ADVICE_CACHE = ADVICE_KINDS /* of the cache's server alone */
};
/* One check, borrowed for the call. */
struct advice {
    enum advice_kind kind;
    enum grade grade;
    const char *check;  /* a word such as "eviction" */
    const char *detail; /* for operators: what is so and, unless it is ok, what to do */
    struct span subject; /* absent when the check has none */
    int64_t number[2];
};
typedef void advice_fn(void *ctx, const struct advice *advice);

/* Judge the text that INFO gives of the server at `url`. Each check is told once, in the same order every time. */
void advice_judge(struct span info, const struct redisurl *url, advice_fn *tell, void *ctx);
/* Ask the main server and judge it. 0, or -1: nothing was told. One round trip. */
int advice_ask(struct app *app, advice_fn *tell, void *ctx, struct err *err);

/* The same of the server of sessions. */
int advice_ask_sessions(struct app *app, advice_fn *tell, void *ctx, struct err *err);

/* The same of a server that has nothing but the cache: it may evict, and forget. One thing is told, the worst, as "cache". */
void advice_judge_cache(struct span info, const struct redisurl *url, advice_fn *tell, void *ctx);
int advice_ask_cache(struct app *app, advice_fn *tell, void *ctx, struct err *err);

#endif
