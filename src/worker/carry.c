/* carry.c: one job's life in this process */
#include "worker/carry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rnd.h"
#include "core/mask.h"
#include "worker/breaker.h"
#include "worker/feed.h"
#include "worker/finisher.h"
#include "worker/progress.h"

enum { WAIT_FIRST_MS = 250, WAIT_MAX_MS = 2000, PAUSE_FIRST_MS = 1000, BARRED_JITTER_MS = 250, BARRED_SHARE = 4 };

static void enter(struct carry *c, enum carry_state state);

/* --- memory --- */

void carry_hold(struct carry *c)
{
    c->holds++;
}

void carry_let_go(struct carry *c)
{
    if (--c->holds > 0)
        return;
    progress_free(c->progress);
    leg_clear(&c->leg);
    free(c);
}

static void set_waits(struct carry *c, bool waits)
{
    if (c->waits != waits)
        c->worker->barred += waits ? 1 : (size_t)-1;
    c->waits = waits;
}

static void leave(struct carry *c)
{
    struct worker *w = c->worker;
    if (c->state == CARRY_GONE)
        return;
    set_waits(c, false);
    c->state = CARRY_GONE;
    alarm_stop(w->alarms, &c->alarm);
    progress_stop(c->progress);
    feed_remove(w->feed, c);
    *c->back = c->next;
    if (c->next)
        c->next->back = c->back;
    w->running--;
    worker_job_ended(w);
    carry_let_go(c);
}

static struct carry *of_alarm(struct alarm *alarm)
{
    return (struct carry *)(void *)((char *)alarm - offsetof(struct carry, alarm));
}

bool carry_is_running(const struct carry *c)
{
    return c->state != CARRY_GONE;
}

/* --- what follows from an answer --- */

/* News came while core was asked: the call is not made. */
static bool diverted(struct carry *c)
{
    if (c->why == WHY_CANCELLED) {
        leg_decide(&c->leg, JOB_CANCELLED, "cancelled");
        enter(c, CARRY_ENDING);
    } else if (c->why == WHY_STOPPED) {
        c->leg.call_end = CALL_STOPPED;
        enter(c, CARRY_JUDGING);
    }
    return c->why != WHY_NOT;
}

static void begun(struct carry *c, int result)
{
    if (result == 0) {
        enter(c, CARRY_ENDING);
    } else if (!diverted(c)) {
        c->attempt_left_ms = leg_attempt_ms(&c->leg);
        enter(c, CARRY_CALLING);
    }
}

static void proved(struct carry *c, int result)
{
    if (result == 0)
        leave(c);
    else if (!diverted(c))
        enter(c, CARRY_CALLING);
}

static void pause_over(struct alarm *alarm)
{
    enter(of_alarm(alarm), CARRY_CALLING);
}

/* A quarter of a worker's places are for jobs whose bots are left alone: the others are for bots that are well. The leg of a code has
 * taken it and stays. */
static bool has_no_place(const struct carry *c)
{
    return c->leg.barred && !c->waits && c->leg.job.code == 0 && !c->leg.job.call && c->worker->barred * BARRED_SHARE >= c->worker->concurrency;
}

static void pause_told(struct carry *c, int result)
{
    int64_t pause_ms = c->leg.barred ? c->barred_ms : PAUSE_FIRST_MS << (c->refused < 4 ? c->refused - 1 : 3);
    (void)result;
    if (diverted(c))
        return;
    if (has_no_place(c)) {
        leg_decide(&c->leg, JOB_GIVE_BACK, NULL);
        c->leg.delay_ms = pause_ms;
        enter(c, CARRY_ENDING);
        return;
    }
    set_waits(c, c->leg.barred);
    alarm_set(c->worker->alarms, &c->alarm, pause_ms, pause_over);
}

static void judged(struct carry *c, int result)
{
    (void)result;
    enter(c, CARRY_ENDING);
}

void carry_ended(struct carry *c, bool over)
{
    static const char *const names[] = { [JOB_COMPLETED] = "completed", [JOB_FAILED] = "failed",
                                         [JOB_CANCELLED] = "cancelled", [JOB_AGAIN] = "put off",
                                         [JOB_GIVE_BACK] = "given back" };
    const struct leg *leg = &c->leg;
    enum log_level level = !over && leg->outcome == JOB_FAILED ? LOG_WARN : LOG_DEBUG;
    if (log_wants(level)) {
        char *error = mask_numbers(leg->error);
        log_event(level, LOG_FIELDS("job", leg->job.id, "error", error), "job %s",
                  over ? "is not ours any more" : names[leg->outcome]);
        free(error);
    }
    leave(c);
}

/* --- asking core: states that are a question on the pool --- */

static const struct question {
    int (*ask)(struct app *app, struct leg *leg, struct err *err);
    void (*next)(struct carry *c, int result);
} questions[] = {
    [CARRY_BEGINNING] = { leg_begin, begun },
    [CARRY_PROVING] = { leg_prove, proved },
    [CARRY_PAUSING] = { leg_connecting, pause_told },
    [CARRY_JUDGING] = { leg_judge, judged },
};

/* One question on its way. */
struct asking {
    struct carry *carry;
    const struct question *question;
    int result;
    struct err err;
};

static void ask(struct carry *c);

static void ask_again(struct alarm *alarm)
{
    ask(of_alarm(alarm));
}

static void work(struct app *app, void *ctx)
{
    struct asking *a = ctx;
    a->result = a->question->ask(app, &a->carry->leg, &a->err);
}

static void wait_for_redis(struct carry *c, const struct err *err)
{
    worker_redis_failed(c->worker, err);
    c->wait_ms = c->wait_ms == 0 ? WAIT_FIRST_MS : c->wait_ms < WAIT_MAX_MS ? c->wait_ms * 2 : WAIT_MAX_MS;
    alarm_set(c->worker->alarms, &c->alarm, c->wait_ms / 2 + rnd_below((uint32_t)c->wait_ms / 2 + 1), ask_again);
}

static void worked(void *ctx)
{
    struct asking *a = ctx;
    struct carry *c = a->carry;
    c->asking = false;
    if (c->state != CARRY_GONE && a->result < 0) {
        wait_for_redis(c, &a->err);
    } else if (c->state != CARRY_GONE) {
        worker_redis_answered(c->worker);
        c->wait_ms = 0;
        a->question->next(c, a->result);
    }
    carry_let_go(c);
    free(a);
}

static void ask(struct carry *c)
{
    struct asking *a = xcalloc(1, sizeof *a);
    a->carry = c;
    a->question = &questions[c->state];
    c->asking = true;
    carry_hold(c);
    pool_run(c->worker->pool, work, worked, a);
}

/* --- the clocks of a call --- */

static void stop_clocks(struct carry *c)
{
    if (c->ticking_since_ms > 0) {
        int64_t spent_ms = clock_mono_ms() - c->ticking_since_ms;
        c->attempt_left_ms -= spent_ms;
        c->call_left_ms -= spent_ms;
        c->ticking_since_ms = 0;
    }
    alarm_stop(c->worker->alarms, &c->alarm);
}

static void end_call(struct carry *c, enum carry_why why)
{
    if (c->why == WHY_NOT)
        c->why = why;
    c->leg.handler->cancel(c->call);
}

static void time_is_up(struct alarm *alarm)
{
    struct carry *c = of_alarm(alarm);
    stop_clocks(c);
    end_call(c, WHY_TIME);
}

static void start_clocks(struct carry *c)
{
    int64_t left_ms = c->attempt_left_ms < c->call_left_ms ? c->attempt_left_ms : c->call_left_ms;
    c->ticking_since_ms = clock_mono_ms();
    alarm_set(c->worker->alarms, &c->alarm, left_ms, time_is_up);
}

/* --- bots that are left alone --- */

static bool has_breaker(const struct carry *c)
{
    return c->leg.handler == &handler_http;
}

/* How long it is to wait before it may call; 0: now. */
static int64_t ask_breaker(const struct carry *c)
{
    int64_t rest_ms = has_breaker(c) ? breakers_ask(c->worker->breakers, c->leg.path, clock_mono_ms()) : 0;
    return rest_ms > 0 ? rest_ms + rnd_below(BARRED_JITTER_MS) : 0;
}

static void tell_breaker(const struct carry *c)
{
    static const enum breaker_word words[] = {
        [CALL_ANSWERED] = BREAKER_GOOD, [CALL_REFUSED] = BREAKER_BAD,   [CALL_BROKEN] = BREAKER_BAD,  [CALL_INVALID] = BREAKER_BAD,
        [CALL_LATER] = BREAKER_OFF,    [CALL_CANCELLED] = BREAKER_OFF, [CALL_TIMED_OUT] = BREAKER_BAD, [CALL_STOPPED] = BREAKER_OFF,
    };
    if (has_breaker(c))
        breakers_tell(c->worker->breakers, c->leg.path, words[c->leg.call_end], clock_mono_ms());
}

/* It waits, and keeps its lease; the visitor is told once. */
static void bar(struct carry *c, int64_t rest_ms)
{
    bool told = c->leg.barred;
    c->barred_ms = rest_ms;
    c->leg.barred = true;
    if (told) {
        c->state = CARRY_PAUSING;
        alarm_set(c->worker->alarms, &c->alarm, rest_ms, pause_over);
    } else {
        enter(c, CARRY_PAUSING);
    }
}

/* --- calling --- */

static void keep_result(struct carry *c, const struct call_result *r)
{
    static const enum call_end ends[] = { [WHY_TIME] = CALL_TIMED_OUT, [WHY_STOPPED] = CALL_STOPPED };
    struct leg *leg = &c->leg;
    leg->call_end = r->end;
    leg->errors_only = r->errors_only;
    leg->later_ms = r->later_ms;
    str_free(&leg->answer);
    if (r->end == CALL_ANSWERED)
        str_add_span(&leg->answer, r->answer);
    if (r->end == CALL_CANCELLED && (c->why == WHY_TIME || c->why == WHY_STOPPED)) {
        leg->call_end = ends[c->why];
        leg_set_detail(leg, c->why == WHY_TIME ? "There was no answer in time." : "The worker was stopped.");
    } else {
        leg_set_detail(leg, r->detail);
    }
}

/* All that the call said is written. */
static void told(struct carry *c)
{
    if (c->why == WHY_LOST || c->state == CARRY_GONE) {
        leave(c);
    } else if (c->why == WHY_CANCELLED) {
        leg_decide(&c->leg, JOB_CANCELLED, "cancelled");
        enter(c, CARRY_ENDING);
    } else if (c->leg.call_end == CALL_REFUSED && c->refused < c->leg.policy->refused_repeats && c->why == WHY_NOT) {
        c->refused++;
        enter(c, CARRY_PAUSING);
    } else {
        str_free(&c->leg.body);
        enter(c, CARRY_JUDGING);
    }
}

static void called(void *ctx, const struct call_result *r)
{
    struct carry *c = ctx;
    c->call = NULL;
    stop_clocks(c);
    keep_result(c, r);
    tell_breaker(c);
    if (c->state == CARRY_CALLING) {
        c->state = CARRY_TELLING;
        progress_finish(c, told);
    }
    carry_let_go(c);
}

static void said(void *ctx, int progress, const char *message)
{
    struct carry *c = ctx;
    if (c->state == CARRY_CALLING)
        progress_say(c, progress, message);
}

static void call(struct carry *c)
{
    const struct leg *leg = &c->leg;
    const struct order order = { .path = leg->path,
                                 .job_id = leg->job.id,
                                 .run = leg->run,
                                 .body = { leg->body.s, leg->body.len },
                                 .locale = { leg->locale.s, leg->locale.len },
                                 .job = &leg->job,
                                 .type = leg->type,
                                 .progress = said };
    carry_hold(c);
    c->call_left_ms = leg_call_ms(leg);
    start_clocks(c);
    c->call = leg->handler->start(&c->worker->shop, &order, called, c);
    /* A call on the side of a request that was cancelled is to be made all the same. */
    if (!leg_is_plain(leg) && !leg->job.call)
        feed_add(c->worker->feed, c);
    if (leg->barred && !leg_is_plain(leg) && !leg->job.call)
        progress_say(c, -1, "messages.connecting");
    c->leg.barred = false;
    set_waits(c, false);
}

static void call_or_wait(struct carry *c)
{
    int64_t rest_ms = ask_breaker(c);
    if (rest_ms > 0)
        bar(c, rest_ms);
    else
        call(c);
}

/* What a plain job does where another asks core. */
static void go_on(struct carry *c)
{
    if (c->state == CARRY_BEGINNING) {
        begun(c, leg_begin_plain(c->worker->house, &c->leg));
    } else if (c->state == CARRY_PAUSING) {
        pause_told(c, 0);
    } else {
        leg_judge_plain(&c->leg);
        judged(c, 0);
    }
}

/* Is it sure that nobody else has the job? */
static bool is_leased(const struct carry *c)
{
    return clock_mono_ms() - c->leased_ms < JOB_LEASE_MS;
}

static void enter(struct carry *c, enum carry_state state)
{
    if (c->state == CARRY_GONE)
        return;
    c->state = state == CARRY_CALLING && !is_leased(c) ? CARRY_PROVING : state;
    if (c->state == CARRY_PROVING)
        c->leased_ms = clock_mono_ms();
    if (c->state == CARRY_CALLING)
        call_or_wait(c);
    else if (c->state == CARRY_ENDING)
        finisher_add(c->worker->finisher, c);
    else if (c->state != CARRY_PROVING && leg_is_plain(&c->leg))
        go_on(c);
    else
        ask(c);
}

void carry_start(struct worker *w, struct job *job, int64_t leased_ms)
{
    struct carry *c = xcalloc(1, sizeof *c);
    c->worker = w;
    c->leased_ms = leased_ms;
    leg_init(&c->leg, &w->policy, job);
    carry_hold(c); /* the list's */
    c->next = w->first;
    c->back = &w->first;
    if (c->next)
        c->next->back = &c->next;
    w->first = c;
    w->running++;
    enter(c, CARRY_BEGINNING);
}

void carry_leased(struct carry *c, int64_t leased_ms)
{
    if (leased_ms > c->leased_ms && c->state != CARRY_PROVING)
        c->leased_ms = leased_ms;
}

/* --- news from outside --- */

/* End the call, or the pause before it. A question goes on; what comes after it looks at `why`. */
static void interrupt(struct carry *c, enum carry_why why)
{
    if (c->state == CARRY_CALLING && c->call) {
        end_call(c, why);
        return;
    }
    if (c->why == WHY_NOT)
        c->why = why;
    if (c->state == CARRY_PAUSING && !c->asking && c->wait_ms == 0) {
        alarm_stop(c->worker->alarms, &c->alarm);
        diverted(c);
    }
}

void carry_hear(struct carry *c, enum request_status status, int64_t code_until_ms)
{
    bool held = status == REQUEST_OTP_REQUIRED;
    if (status == REQUEST_CANCELLED) {
        interrupt(c, WHY_CANCELLED);
        return;
    }
    c->code_until_ms = held ? code_until_ms : 0;
    if (c->state != CARRY_CALLING || c->why != WHY_NOT)
        return;
    if (held)
        stop_clocks(c);
    else if (c->ticking_since_ms == 0)
        start_clocks(c);
}

void carry_lose(struct carry *c)
{
    if (c->state == CARRY_CALLING && c->call)
        end_call(c, WHY_LOST);
    else if (c->state == CARRY_PAUSING && !c->asking)
        leave(c);
}

bool carry_stop(struct carry *c, bool hurry)
{
    if (!hurry && c->state == CARRY_CALLING && c->code_until_ms > house_now_ms(c->worker->house))
        return true;
    interrupt(c, WHY_STOPPED);
    return false;
}

void carry_abandon(struct carry *c)
{
    log_event(LOG_WARN, LOG_FIELDS("job", c->leg.job.id), "job is left to the next worker, for Redis does not answer");
    if (c->call)
        end_call(c, WHY_LOST);
    leave(c);
}
