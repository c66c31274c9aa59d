/* bot_check.h: what `peygir bot check` is made of: visits, which go the way of a visitor through Redis and a worker; calls made straight to
 * the bot; and the promises that are judged by what came of both. To add a promise: its function here, its row in verb_bot.c. */
#ifndef PEYGIR_CLI_BOT_CHECK_H
#define PEYGIR_CLI_BOT_CHECK_H

#include "cli/output.h"
#include "core/request.h"

#define SECONDS(ms) ((double)(ms) / 1000) /* for people */

/* --- visits --- */

/* A request and what was seen of it. Times are those of clock_mono_ms(); 0: not yet. */
struct visit {
    char hash[HASH_SIZE];        /* "": it was not made */
    enum request_status status;
    int64_t run, revision, tries, progress;
    int64_t made_ms, heard_ms;   /* heard: the first report */
    int64_t stood_ms;            /* a code was wanted, it had ended, or its call was to be tried again */
    int64_t mark;                /* what is newer than this revision counts */
    bool retrying, lost;         /* the call is to be tried again; the call with the code broke */
    int64_t back_from, back_to;  /* written past the guard: progress that went back (from 0: it did not) */
    int64_t beyond;              /* likewise: progress that was none of 0 to 100; 0: there was none */
    char error[65];              /* code of error_data */
};

/* What one run of the verb knows. */
struct bot_check {
    struct cli *cli;
    const struct service *service;
    char owner[48];              /* of all its requests */
    struct str data;             /* the form, checked */
    struct str code;             /* what the visitor got; empty: not known */
    bool ask_code, code_shown;   /* --code -; --code-in-message */
    int64_t timeout_ms;
    int visits;                  /* made so far */
    bool asks, held;             /* it has asked for a code, and its call waits for it */
    struct visit main, cancelled;
};

int visit_make(struct bot_check *c, struct visit *v, struct err *err);
/* One look: what a bot wrote past the guard is judged as it stands, then recorded. 0 or -1. */
int visit_look(struct bot_check *c, struct visit *v, struct err *err);
/* Look until it is so: 1; 0: not within `ms`; -1. */
int visit_until(struct bot_check *c, struct visit *v, bool (*is_so)(const struct visit *v), int64_t ms, struct err *err);
/* Delete the request with all that belongs to it. */
int visit_end(struct bot_check *c, const struct visit *v, struct err *err);
bool visit_is_heard(const struct visit *v); /* it was reported about, or stands */
bool visit_stands(const struct visit *v);
bool visit_is_in_trouble(const struct visit *v); /* its call broke, or is to be made again */
bool visit_is_judged(const struct visit *v); /* the code that was entered led somewhere */

/* --- verdicts --- */

enum promise_status { PROMISE_OK, PROMISE_FAILED, PROMISE_SKIPPED };
struct verdict {
    enum promise_status status;
    char detail[400];
};
/* Always 0, so that `return promise_ok(v, "...")` reads well. */
int promise_ok(struct verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int promise_failed(struct verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int promise_skipped(struct verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- promises, in the order in which they are tried --- 0 and *v, or -1: Redis does not answer, and the check ends. */

typedef int (*promise_fn)(struct bot_check *c, struct verdict *v, struct err *err);
/* bot_promise.c, bot_cancel.c: what a visitor sees. The first makes c->main, promise_cancel makes c->cancelled; others look at what came of them. */
int promise_answers(struct bot_check *c, struct verdict *v, struct err *err);
int promise_time_out(struct bot_check *c, struct verdict *v, struct err *err);
int promise_code(struct bot_check *c, struct verdict *v, struct err *err);
int promise_code_message(struct bot_check *c, struct verdict *v, struct err *err);
int promise_wrong_code(struct bot_check *c, struct verdict *v, struct err *err);
int promise_right_code(struct bot_check *c, struct verdict *v, struct err *err);
int promise_result(struct bot_check *c, struct verdict *v, struct err *err);
int promise_progress(struct bot_check *c, struct verdict *v, struct err *err);
int promise_steps(struct bot_check *c, struct verdict *v, struct err *err);
int promise_cancel(struct bot_check *c, struct verdict *v, struct err *err);
int promise_cancel_call(struct bot_check *c, struct verdict *v, struct err *err);
int promise_cancel_code(struct bot_check *c, struct verdict *v, struct err *err);
int promise_alive(struct bot_check *c, struct verdict *v, struct err *err);
/* bot_call.c: what only the other side of a call sees. */
int promise_late(struct bot_check *c, struct verdict *v, struct err *err);
int promise_gone(struct bot_check *c, struct verdict *v, struct err *err);
int promise_garbage(struct bot_check *c, struct verdict *v, struct err *err);

#endif
