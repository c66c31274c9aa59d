/* leg.h: what is decided about one job: whether and how it is called, what the call came to, and what that means for the job. Knows no
 * loop and makes no call.
 *
 * For a job of a request core is asked before the call and told after it: leg_begin, leg_connecting, leg_judge block and run on the
 * pool's threads, one at a time for one leg. Each can be asked again after ERR_AWAY or ERR_FULL (Redis is away, or takes no
 * writes): what it had written counts as written, and the job's run fences what came too late. Any other job (leg_is_plain) needs
 * nobody: its functions run on the loop and always decide. */
#ifndef PEYGIR_LEG_H
#define PEYGIR_LEG_H

#include "core/job.h"
#include "core/job_type.h"
#include "core/request.h"
#include "core/service.h"
#include "worker/handler.h"

/* What holds where neither the job, nor its type, nor its service says otherwise. */
struct policy {
    int64_t tries;           /* WORKER_TRIES */
    int64_t timeout_s;       /* WORKER_TIMEOUT: one attempt */
    int64_t backoff_s;       /* WORKER_BACKOFF */
    int64_t call_timeout_s;  /* LOCAL_API_TIMEOUT: one call */
    int refused_repeats;     /* LOCAL_API_RETRIES */
};

struct leg {
    const struct policy *policy;
    struct job job;

    /* from leg_begin */
    const struct handler *handler;
    const struct service *service; /* NULL: not a request's job */
    const struct job_type *type;   /* NULL: a request's job, or no type is known */
    const char *path;              /* what to call, with body; belongs to path_text or to type */
    struct str path_text, body;
    struct str locale;             /* the visitor's language; "": none is known */
    int64_t run;                   /* the run that the bot is told */

    bool barred;                   /* the bot is left alone for a while, and this waits; set by the carrier */

    /* what the call came to; set by the carrier before leg_judge */
    enum call_end call_end;
    struct str answer;
    bool errors_only;
    int64_t later_ms;
    char *detail;                  /* NULL: nothing to say */

    /* from leg_begin, leg_judge or leg_decide */
    enum job_outcome outcome;
    int64_t delay_ms;
    bool push_code;    /* a first leg has ended: a code that came meanwhile needs a leg of its own */
    char *error;       /* for the job; NULL: none */
    char *result;      /* JSON for the job; NULL: none */
};

/* The job's fields become the leg's; *job is empty then. */
void leg_init(struct leg *leg, const struct policy *policy, struct job *job);
void leg_clear(struct leg *leg);
/* Has it nothing to do with a request? */
bool leg_is_plain(const struct leg *leg);
void leg_set_detail(struct leg *leg, const char *detail); /* NULL or "": none */

/* How long one attempt, and one call within it, may take. After leg_begin. */
int64_t leg_attempt_ms(const struct leg *leg);
int64_t leg_call_ms(const struct leg *leg);

/* Take the job's request up. 1: call; 0: no call, the end is decided; -1: ask again later. */
int leg_begin(struct app *app, struct leg *leg, struct err *err);
/* Lease the job again. 1: it is ours; 0: it is not any more; -1: ask again later. Also for plain jobs. */
int leg_prove(struct app *app, struct leg *leg, struct err *err);
/* Tell the visitor that the bot is being connected to, or, `barred`, that it does not answer at the moment. 0; -1: ask again later. */
int leg_connecting(struct app *app, struct leg *leg, struct err *err);
/* Tell the request what the call came to, and decide. 0; -1: ask again later. */
int leg_judge(struct app *app, struct leg *leg, struct err *err);

/* The same two for a plain job. An unknown type is carried out as `default`. 1: call; 0: decided. */
int leg_begin_plain(const struct house *house, struct leg *leg);
void leg_judge_plain(struct leg *leg);

/* Decide without asking anybody. */
void leg_decide(struct leg *leg, enum job_outcome outcome, const char *error);
/* What is decided, as core is told it; borrows from the leg. */
struct job_end leg_end(const struct leg *leg);

/* The request's present status, and while it waits for a code until when (ms since 1970, else 0). 1; 0: gone; -1. */
int leg_look(struct app *app, struct span hash, enum request_status *status, int64_t *code_until_ms, struct err *err);

#endif
