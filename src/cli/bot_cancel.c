/* bot_cancel.c: whether a bot notices that the visitor gave up, and that it works after all of it */
#include "base/clock.h"
#include "cli/bot_check.h"
#include "core/job_admin.h"

#include <unistd.h>

enum { UNDER_WAY_MS = 2000, LISTEN_MORE_MS = 1000, LOOK_EVERY_US = 50000 };

/* --- listening after a cancellation --- */

struct aftermath {
    int64_t reports, last_ms; /* after the cancellation */
};

/* As long as the bot was at work the first time, and a little longer. Only a bot that writes past the guard is heard: reports in the other
 * ways are refused, and change nothing. */
static int listen_after(struct bot_check *c, struct visit *v, struct aftermath *a, struct err *err)
{
    int64_t began_ms = clock_mono_ms(), span_ms = c->main.stood_ms - c->main.made_ms + LISTEN_MORE_MS, seen;
    *a = (struct aftermath){ 0, 0 };
    span_ms = c->main.stood_ms && span_ms < c->timeout_ms ? span_ms : c->timeout_ms;
    if (visit_look(c, v, err) < 0)
        return -1;
    for (seen = v->revision; clock_mono_ms() - began_ms < span_ms; seen = v->revision) {
        if (visit_until(c, v, NULL, 0, err) < 0)
            return -1;
        if (v->revision > seen) {
            a->reports += v->revision - seen;
            a->last_ms = clock_mono_ms() - began_ms;
        }
        usleep(LOOK_EVERY_US / 2);
    }
    return 0;
}

/* One report may have been under way; more, or a late one, and the bot has not noticed. */
static int judge_aftermath(struct bot_check *c, const struct visit *v, const struct aftermath *a, struct verdict *out)
{
    if (v->status != REQUEST_CANCELLED)
        return promise_failed(out, "the request is %s after it", request_status_name(v->status));
    if (a->reports > 1 || a->last_ms > UNDER_WAY_MS)
        return promise_failed(out, "it went on: %lld reports after it, the last after %.1f s", (long long)a->reports, SECONDS(a->last_ms));
    if (c->main.heard_ms == 0 && !c->service->calls_cancel)
        return promise_skipped(out, "it reports nothing, so whether it worked on cannot be seen");
    return promise_ok(out, "%s", a->reports ? "one report that was under way" : "no report after it");
}

/* 1: cancelled; 0: it had ended; -1. */
static int cancel(struct bot_check *c, struct visit *v, struct err *err)
{
    struct err why = ERR_INIT;
    if (request_cancel(&c->cli->app, span_of(v->hash), &why) >= 0)
        return 1;
    return why.kind == ERR_FINAL ? 0 : err_set(err, why.kind, "%s", why.text);
}

static bool is_at_work(const struct visit *v)
{
    return v->status == REQUEST_PROCESSING || visit_stands(v);
}

/* --- while it works --- */

/* A bot that reports is cancelled at its first report, any other as soon as it is called. What the first visit left undone goes first. */
int promise_cancel(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct visit *b = &c->cancelled;
    struct aftermath a;
    if (visit_end(c, &c->main, err) < 0 || visit_make(c, b, err) < 0)
        return -1;
    int begun = visit_until(c, b, c->main.heard_ms ? visit_is_heard : is_at_work, c->timeout_ms, err);
    if (begun <= 0)
        return begun < 0 ? -1 : promise_failed(v, "it did not begin within %.0f s", SECONDS(c->timeout_ms));
    if (visit_is_in_trouble(b))
        return promise_skipped(v, "its call broke");
    int done = visit_stands(b) ? 0 : cancel(c, b, err);
    if (done <= 0)
        return done < 0 ? -1 : promise_skipped(v, "it is so quick that it could not be cancelled in the middle");
    return listen_after(c, b, &a, err) < 0 ? -1 : judge_aftermath(c, b, &a, v);
}

/* 1: the call on the side has ended or is to be made again, *job filled; 0: not within the time; -1. */
static int farewell(struct bot_check *c, struct job_view *job, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + c->timeout_ms;
    char id[HASH_SIZE + sizeof ".cancel"];
    snprintf(id, sizeof id, "%s.cancel", c->cancelled.hash);
    for (;;) {
        int found = job_look(&c->cli->app, NULL, id, job, err);
        if (found < 0)
            return -1;
        if (found == 1 && (job->place == JOB_IS_DONE || job->place == JOB_IN_FAILED || job->attempts > 0))
            return 1;
        if (found == 1)
            job_view_clear(job);
        if (clock_mono_ms() >= until_ms)
            return 0;
        usleep(LOOK_EVERY_US);
    }
}

int promise_cancel_call(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct job_view job;
    if (!c->service->calls_cancel)
        return promise_skipped(v, "the service does not name it in \"calls\"");
    if (c->cancelled.status != REQUEST_CANCELLED)
        return promise_skipped(v, "nothing was cancelled");
    int ended = farewell(c, &job, err);
    if (ended <= 0)
        return ended < 0 ? -1 : promise_failed(v, "no answer within %.0f s", SECONDS(c->timeout_ms));
    if (job.place == JOB_IS_DONE && job.attempts == 0)
        promise_ok(v, "answered");
    else
        promise_failed(v, "not answered as it should be: %s", job.error ? job.error : "nothing more is known");
    job_view_clear(&job);
    return 0;
}

/* --- while it waits for a code --- */

static int cancel_code(struct bot_check *c, struct visit *b, struct verdict *v, struct err *err)
{
    struct aftermath a;
    if (visit_make(c, b, err) < 0)
        return -1;
    int stands = visit_until(c, b, visit_stands, c->timeout_ms, err);
    if (stands < 0)
        return -1;
    if (b->status != REQUEST_OTP_REQUIRED)
        return promise_failed(v, "it did not ask for a code this time");
    int done = cancel(c, b, err);
    if (done <= 0)
        return done < 0 ? -1 : promise_failed(v, "it ended by itself while the code was waited for");
    return listen_after(c, b, &a, err) < 0 ? -1 : judge_aftermath(c, b, &a, v);
}

int promise_cancel_code(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct visit b = { .hash = "" };
    if (!c->asks)
        return promise_skipped(v, "no code was asked for");
    int result = cancel_code(c, &b, v, err);
    return visit_end(c, &b, err) < 0 ? -1 : result;
}

/* --- after all of it --- */

int promise_alive(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct visit last;
    if (visit_make(c, &last, err) < 0)
        return -1;
    int heard = visit_until(c, &last, visit_is_heard, c->timeout_ms, err);
    if (heard < 0 || visit_end(c, &last, err) < 0)
        return -1;
    if (!heard || visit_is_in_trouble(&last))
        return promise_failed(v, "nothing came of another request");
    return promise_ok(v, "another request was taken up after %.1f s", SECONDS(clock_mono_ms() - last.made_ms));
}
