/* carry.c: one job's life in this process */
#include "worker/carry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rnd.h"
#include "worker/feed.h"

enum { WAIT_FIRST_MS = 250, WAIT_MAX_MS = 2000, PAUSE_FIRST_MS = 1000 };

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
    leg_clear(&c->leg);
    free(c);
}

static void timer_closed(uv_handle_t *handle)
{
    carry_let_go(handle->data);
}

static void leave(struct carry *c)
{
    struct worker *w = c->worker;
    if (c->state == CARRY_GONE)
        return;
    c->state = CARRY_GONE;
    feed_remove(w->feed, c);
    *c->back = c->next;
    if (c->next)
        c->next->back = c->back;
    w->running--;
    uv_close((uv_handle_t *)&c->timer, timer_closed);
    worker_job_ended(w);
}

bool carry_is_running(const struct carry *c)
{
    return c->state != CARRY_GONE;
}

/* --- asking core: states that are a question on the pool --- */

/* News came while core was asked: the call is not made. */
static bool diverted(struct carry *c)
{
    if (c->why == WHY_CANCELLED) {
        leg_decide(&c->leg, LEG_FINISH, JOB_CANCELLED, "cancelled");
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

static void pause_over(uv_timer_t *timer)
{
    enter(timer->data, CARRY_CALLING);
}

static void pause_told(struct carry *c, int result)
{
    int64_t pause_ms = PAUSE_FIRST_MS << (c->refused < 4 ? c->refused - 1 : 3);
    (void)result;
    if (!diverted(c))
        uv_timer_start(&c->timer, pause_over, (uint64_t)pause_ms, 0);
}

static void judged(struct carry *c, int result)
{
    (void)result;
    enter(c, CARRY_ENDING);
}

static void finished(struct carry *c, int result)
{
    static const char *const names[] = { [JOB_COMPLETED] = "completed",
                                         [JOB_FAILED] = "failed",
                                         [JOB_CANCELLED] = "cancelled" };
    const struct leg *leg = &c->leg;
    const char *what = leg->end == LEG_FINISH ? names[leg->outcome] : leg->end == LEG_AGAIN ? "put off" : "given back";
    bool bad = result > 0 && leg->end != LEG_GIVE_BACK && leg->outcome == JOB_FAILED;
    const char *const fields[] = { "job", leg->job.id, "error", leg->error[0] ? leg->error : NULL, NULL, NULL };
    log_event(bad ? LOG_WARN : LOG_DEBUG, fields, "job %s", result > 0 ? what : "is not ours any more");
    leave(c);
}

static const struct carry_question {
    int (*ask)(struct app *app, struct leg *leg, struct err *err);
    void (*next)(struct carry *c, int result);
} questions[] = {
    [CARRY_BEGINNING] = { leg_begin, begun },
    [CARRY_CALLING] = { NULL, NULL },
    [CARRY_PAUSING] = { leg_connecting, pause_told },
    [CARRY_JUDGING] = { leg_judge, judged },
    [CARRY_ENDING] = { leg_finish, finished },
};

static void ask(struct carry *c);

static void ask_again(uv_timer_t *timer)
{
    ask(timer->data);
}

static void work(struct app *app, void *ctx)
{
    struct carry *c = ctx;
    c->err = (struct err)ERR_INIT;
    c->result = c->question->ask(app, &c->leg, &c->err);
}

static void wait_for_redis(struct carry *c)
{
    worker_redis_failed(c->worker, &c->err);
    c->wait_ms = c->wait_ms == 0 ? WAIT_FIRST_MS : c->wait_ms < WAIT_MAX_MS ? c->wait_ms * 2 : WAIT_MAX_MS;
    uv_timer_start(&c->timer, ask_again, (uint64_t)(c->wait_ms / 2 + rnd_below((uint32_t)c->wait_ms / 2 + 1)), 0);
}

static void worked(void *ctx)
{
    struct carry *c = ctx;
    const struct carry_question *question = c->question;
    c->question = NULL;
    if (c->state != CARRY_GONE && c->result < 0) {
        wait_for_redis(c);
    } else if (c->state != CARRY_GONE) {
        worker_redis_answered(c->worker);
        c->wait_ms = 0;
        question->next(c, c->result);
    }
    carry_let_go(c);
}

static void ask(struct carry *c)
{
    carry_hold(c);
    c->question = &questions[c->state];
    pool_run(c->worker->pool, work, worked, c);
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
    uv_timer_stop(&c->timer);
}

static void end_call(struct carry *c, enum carry_why why)
{
    if (c->why == WHY_NOT)
        c->why = why;
    c->leg.handler->cancel(c->call);
}

static void time_is_up(uv_timer_t *timer)
{
    struct carry *c = timer->data;
    stop_clocks(c);
    end_call(c, WHY_TIME);
}

static void start_clocks(struct carry *c)
{
    int64_t left_ms = c->attempt_left_ms < c->call_left_ms ? c->attempt_left_ms : c->call_left_ms;
    c->ticking_since_ms = clock_mono_ms();
    uv_timer_start(&c->timer, time_is_up, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

/* --- calling --- */

static void keep_result(struct carry *c, const struct call_result *r)
{
    static const enum call_end ends[] = { [WHY_TIME] = CALL_TIMED_OUT, [WHY_STOPPED] = CALL_STOPPED };
    struct leg *leg = &c->leg;
    leg->call_end = r->end;
    leg->errors_only = r->errors_only;
    snprintf(leg->detail, sizeof leg->detail, "%s", r->detail ? r->detail : "");
    str_free(&leg->answer);
    if (r->end == CALL_ANSWERED)
        str_add_span(&leg->answer, r->answer);
    if (r->end == CALL_CANCELLED && (c->why == WHY_TIME || c->why == WHY_STOPPED)) {
        leg->call_end = ends[c->why];
        snprintf(leg->detail, sizeof leg->detail, "%s",
                 c->why == WHY_TIME ? "The bot did not answer in time." : "The worker was stopped.");
    }
}

static void called(void *ctx, const struct call_result *r)
{
    struct carry *c = ctx;
    c->call = NULL;
    stop_clocks(c);
    keep_result(c, r);
    if (c->why == WHY_LOST || c->state == CARRY_GONE) {
        leave(c);
    } else if (c->why == WHY_CANCELLED) {
        leg_decide(&c->leg, LEG_FINISH, JOB_CANCELLED, "cancelled");
        enter(c, CARRY_ENDING);
    } else if (r->end == CALL_REFUSED && c->refused < c->leg.policy->refused_repeats && c->why == WHY_NOT) {
        c->refused++;
        enter(c, CARRY_PAUSING);
    } else {
        enter(c, CARRY_JUDGING);
    }
    carry_let_go(c);
}

static void call(struct carry *c)
{
    const struct leg *leg = &c->leg;
    const struct order order = { leg->path.s, leg->job.id, leg->run, { leg->body.s, leg->body.len } };
    carry_hold(c);
    c->call_left_ms = leg_call_ms(leg);
    start_clocks(c);
    c->call = leg->handler->start(&c->worker->shop, &order, called, c);
    /* A call on the side of a request that was cancelled is to be made all the same. */
    if (leg->job.request_hash && !leg->job.call)
        feed_add(c->worker->feed, c);
}

static void enter(struct carry *c, enum carry_state state)
{
    if (c->state == CARRY_GONE)
        return;
    c->state = state;
    if (state == CARRY_CALLING)
        call(c);
    else
        ask(c);
}

void carry_start(struct worker *w, struct job *job)
{
    struct carry *c = xcalloc(1, sizeof *c);
    c->worker = w;
    leg_init(&c->leg, &w->policy, job);
    uv_timer_init(&w->loop, &c->timer);
    c->timer.data = c;
    carry_hold(c); /* the timer's */
    c->next = w->first;
    c->back = &w->first;
    if (c->next)
        c->next->back = &c->next;
    w->first = c;
    w->running++;
    enter(c, CARRY_BEGINNING);
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
    if (c->state == CARRY_PAUSING && !c->question && c->wait_ms == 0) {
        uv_timer_stop(&c->timer);
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
    else if (c->state == CARRY_PAUSING && !c->question)
        leave(c);
}

bool carry_stop(struct carry *c, bool hurry)
{
    if (!hurry && c->state == CARRY_CALLING && c->code_until_ms > clock_ms())
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
