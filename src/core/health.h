/* health.h: whether Peygir is able to work, as findings: what was looked at, how it is, in words for operators and in figures for who has
 * words of its own (the administrators' pages). `peygir health` and /api/internal/health say the same. */
#ifndef PEYGIR_HEALTH_H
#define PEYGIR_HEALTH_H

#include "core/advice.h"
#include "core/overview.h"

enum health_check {
    HEALTH_REDIS,       /* number[0]: answered within so many ms */
    HEALTH_ADVICE,      /* and the following: what advice.h knows, in its order, with its figures */
    HEALTH_SESSIONS = HEALTH_ADVICE + ADVICE_KINDS, /* the server of sessions, where it is another; failed: it is away or unfit */
    HEALTH_CACHE,       /* the cache's likewise; a warning, for all else goes on without it */
    HEALTH_WORKERS, /* number[0]: alive. Failed: none */
    HEALTH_BOT,         /* subject: the address of a bot that fails, or what else breakers of workers name, so that jobs wait for it. A warning */
    HEALTH_QUEUE,       /* subject: queue; number: waiting, delayed, active, oldest in s. Warning: that one waits long */
    HEALTH_SOURCE,      /* subject: source of external data; number[0]: seconds for which it wishes to be left alone (429, 503); 0: none */
    HEALTH_FAILED_JOBS, /* subject: queue; number[0]. A warning, when there are any; so are the two below */
    HEALTH_PAUSED,      /* subject: queue; words: why, may be "" */
    HEALTH_CLOSED,      /* subject: service; words: its message */
    HEALTH_CHECKS
};
struct health_finding {
    enum health_check check;
    enum grade grade;
    const char *name, *detail; /* for operators: "queue mail"; what is so and, unless it is ok, what to do */
    struct span subject, words; /* borrowed for the call; absent when the check has none */
    int64_t number[4];
};
typedef void (*health_fn)(void *ctx, const struct health_finding *finding);

/* The servers: 0, or -1: the main one does not answer. Two round trips; two more for each of the others that is one of its own. */
int health_redis(struct app *app, health_fn fn, void *ctx, struct err *err);
/* Workers, queues, sources, services. 0 or -1. Two round trips at most. */
int health_work(struct app *app, const struct overview *o, health_fn fn, void *ctx, struct err *err);

#endif
