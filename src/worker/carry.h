/* carry.h: one job's life in this process.
 *
 *     BEGINNING ----- no call -------------------------------------------+
 *        | call                                                          |
 *        v          refused, repeats left                                |
 *     CALLING <----------------------------> PAUSING ------+             |
 *        |                                                 |             |
 *        | answered, failed, time ran out, stopped         | stopped     |
 *        v                                                 v             v
 *     TELLING --------------------------------------> JUDGING ------> ENDING --> GONE
 *
 *     BEGINNING  core is asked what is to be done (leg_begin)
 *     PROVING    on the way into CALLING, where no lease is sure to hold, for the process stood still or Redis was away:
 *                Redis is asked whether the job is ours still (leg_prove). If not it is GONE
 *     CALLING    the handler's call is out; the clocks of the call and of the attempt run, but stand still while the
 *                request waits for a code that the call holds out for
 *     TELLING    the last that it said of its progress is written (progress.h)
 *     PAUSING    nobody listened, or the bot is left alone for a while (breaker.h); the visitor is told (leg_connecting), then the
 *                call is made
 *     JUDGING    the request is told what the call came to (leg_judge)
 *     ENDING     the job is completed, failed, put off or given back, together with others (finisher.h)
 *     GONE       nothing of it is left but what still runs in the pool
 *
 * A job of no request (leg_is_plain) needs nobody to begin and to judge: it goes through these states at once.
 *
 * Where core answers that Redis is away, the same is asked again after 250 ms to 2 s, for as long as it takes: the
 * job's run fences it, so a bot's answer is kept rather than thrown away with the lease. A cancelled request ends the
 * call from CALLING and PAUSING; a lost lease, which is also how a cancelled job shows, leads from there to GONE without a
 * word to core; the other states find out by themselves, for core refuses them. */
#ifndef PEYGIR_CARRY_H
#define PEYGIR_CARRY_H

#include "core/request.h"
#include "worker/alarm.h"
#include "worker/worker.h"

enum carry_state { CARRY_BEGINNING, CARRY_PROVING, CARRY_CALLING, CARRY_TELLING, CARRY_PAUSING, CARRY_JUDGING, CARRY_ENDING, CARRY_GONE };

/* Why its call is ended early. */
enum carry_why { WHY_NOT, WHY_CANCELLED, WHY_TIME, WHY_STOPPED, WHY_LOST };

struct carry {
    struct worker *worker;
    struct leg leg;
    enum carry_state state;
    enum carry_why why;
    struct carry *next, **back;         /* worker->first */
    struct carry *heard_next, **heard_back; /* feed.h, while it listens */
    struct carry *end_next;             /* finisher.h, while it waits there */
    bool listening, looking, look_again;
    bool asking;     /* core is asked, on the pool: the leg is the pool's */

    void *call;      /* the handler's; NULL: none is out */
    struct progress *progress; /* NULL: it has said nothing */
    int64_t barred_ms; /* PAUSING, leg.barred: how long */
    bool waits;        /* it is one of worker->barred */
    int refused;     /* calls of this attempt that nobody listened to */
    struct alarm alarm; /* CALLING: the nearer clock; PAUSING: the pause; elsewhere: asking Redis again */
    int64_t attempt_left_ms, call_left_ms;
    int64_t ticking_since_ms; /* 0: the clocks stand still */
    int64_t code_until_ms;    /* > 0: a held code; ms since 1970 */
    int64_t wait_ms;          /* before Redis is asked again */
    int64_t leased_ms;        /* monotonic; then it was surely ours: when the take or the last renewal that said so began */

    unsigned holds;  /* the worker's list, work in the pool, the call: memory stays until all let go */
};

/* Carry out a job that was taken, by a take that began at leased_ms; *job's fields are taken over. */
void carry_start(struct worker *w, struct job *job, int64_t leased_ms);
/* A renewal that began at leased_ms has leased it again. */
void carry_leased(struct carry *c, int64_t leased_ms);
/* What the feed heard or read about its request. */
void carry_hear(struct carry *c, enum request_status status, int64_t code_until_ms);
/* The lease is lost: somebody else has the job, it was cancelled, or it is gone. */
void carry_lose(struct carry *c);
/* The worker stops: give the job back. True when it goes on instead, for it holds out for a code that has not expired
 * and there is no hurry. */
bool carry_stop(struct carry *c, bool hurry);
/* Redis does not come back: leave everything as it is. */
void carry_abandon(struct carry *c);
/* Its end is written (`over`: this run was over before), and only now is it out of the worker's hands. */
void carry_ended(struct carry *c, bool over);
/* Is it still to be leased? */
bool carry_is_running(const struct carry *c);

void carry_hold(struct carry *c);
void carry_let_go(struct carry *c);

#endif
