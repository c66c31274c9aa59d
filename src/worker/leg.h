/* leg.h: the blocking half of one job's life: what core is asked before the call and told after it, and what that
 * means for the job. Runs on the pool's threads, one function at a time for one leg; knows no loop and makes no call.
 *
 * Each function can be asked again after ERR_AWAY or ERR_FULL (Redis is away, or takes no writes): what it had written
 * counts as written, and the job's run fences what came too late. */
#ifndef PEYGIR_LEG_H
#define PEYGIR_LEG_H

#include "core/job.h"
#include "core/request.h"
#include "core/service.h"
#include "worker/handler.h"

/* What holds where neither the job nor its service says otherwise. */
struct policy {
    int64_t tries;           /* WORKER_TRIES */
    int64_t timeout_s;       /* WORKER_TIMEOUT: one attempt */
    int64_t backoff_s;       /* WORKER_BACKOFF */
    int64_t call_timeout_s;  /* LOCAL_API_TIMEOUT: one call */
    int refused_repeats;     /* LOCAL_API_RETRIES */
};

/* What is to become of the job. */
enum leg_end {
    LEG_FINISH,   /* it ends as `outcome` says */
    LEG_AGAIN,    /* an attempt is counted, the next one after delay_ms */
    LEG_GIVE_BACK /* nothing is counted, another worker may take it at once */
};

struct leg {
    const struct policy *policy;
    struct job job;

    /* from leg_begin */
    const struct handler *handler;
    const struct service *service; /* NULL: not a request's job */
    struct str path, body;         /* what to call */
    int64_t run;                   /* the run that the bot is told */

    /* what the call came to; set by the carrier before leg_judge */
    enum call_end call_end;
    struct str answer;
    bool errors_only;
    char detail[256];

    /* from leg_begin, leg_judge or leg_decide; carried out by leg_end */
    enum leg_end end;
    enum job_outcome outcome;
    int64_t delay_ms;
    bool push_code;    /* a first leg has ended: a code that came meanwhile needs a leg of its own */
    char error[384];   /* for the job; "" for none */
};

/* The job's fields become the leg's; *job is empty then. */
void leg_init(struct leg *leg, const struct policy *policy, struct job *job);
void leg_clear(struct leg *leg);

/* How long one attempt, and one call within it, may take. After leg_begin. */
int64_t leg_attempt_ms(const struct leg *leg);
int64_t leg_call_ms(const struct leg *leg);

/* Take the job's request up. 1: call; 0: no call, the end is decided; -1: ask again later. */
int leg_begin(struct app *app, struct leg *leg, struct err *err);
/* Tell the visitor that the bot is being connected to. 0; -1: ask again later. */
int leg_connecting(struct app *app, struct leg *leg, struct err *err);
/* Tell the request what the call came to, and decide. 0; -1: ask again later. */
int leg_judge(struct app *app, struct leg *leg, struct err *err);
/* End the job as decided. 1: done; 0: it was not ours any more; -1: ask again later. */
int leg_finish(struct app *app, struct leg *leg, struct err *err);

/* Decide without asking anybody. */
void leg_decide(struct leg *leg, enum leg_end end, enum job_outcome outcome, const char *error);

/* The request's present status, and while it waits for a code until when (ms since 1970, else 0). 1; 0: gone; -1. */
int leg_look(struct app *app, struct span hash, enum request_status *status, int64_t *code_until_ms, struct err *err);

#endif
