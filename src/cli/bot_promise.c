/* bot_promise.c: the promises of a bot that a visitor sees kept: it answers, reports, asks for a code and judges it, and has a result */
#include "base/clock.h"
#include "base/json.h"
#include "cli/bot_check.h"
#include "core/job_admin.h"
#include "core/otp.h"

enum { HELD_MS = 1000 };

/* --- verdicts --- */

static __attribute__((format(printf, 3, 0))) int set_verdict(struct verdict *v, enum promise_status status, const char *fmt, va_list ap)
{
    v->status = status;
    vsnprintf(v->detail, sizeof v->detail, fmt, ap);
    return 0;
}

#define VERDICT(name, status)                        \
    int name(struct verdict *v, const char *fmt, ...) \
    {                                                \
        va_list ap;                                  \
        va_start(ap, fmt);                           \
        set_verdict(v, status, fmt, ap);             \
        va_end(ap);                                  \
        return 0;                                    \
    }
VERDICT(promise_ok, PROMISE_OK)
VERDICT(promise_failed, PROMISE_FAILED)
VERDICT(promise_skipped, PROMISE_SKIPPED)

/* What a visit came to, as words that follow "it led to". */
static const char *outcome(const struct visit *v)
{
    static const char *const words[REQUEST_STATUSES] = {
        [REQUEST_PENDING] = "nothing",          [REQUEST_PROCESSING] = "no end",      [REQUEST_OTP_REQUIRED] = "the code page",
        [REQUEST_OTP_VERIFYING] = "no verdict", [REQUEST_COMPLETED] = "a result", [REQUEST_FAILED] = "an error",
        [REQUEST_CANCELLED] = "a cancellation",
    };
    return words[v->status];
}

/* --- it answers, in time --- */

/* What was wrong with the last call, as its job remembers it. */
static int tell_trouble(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct job_view job;
    int found = job_look(&c->cli->app, NULL, c->main.hash, &job, err);
    if (found < 0)
        return -1;
    promise_failed(v, "%s: %s", c->main.retrying ? "its call is to be made again" : c->main.error,
                   found == 1 && job.error ? job.error : "nothing more is known");
    if (found == 1)
        job_view_clear(&job);
    return 0;
}

int promise_answers(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct visit *m = &c->main;
    if (visit_make(c, m, err) < 0)
        return -1;
    int stands = visit_until(c, m, visit_stands, c->timeout_ms, err);
    if (stands < 0)
        return -1;
    if (visit_is_in_trouble(m))
        return tell_trouble(c, v, err);
    if (m->status == REQUEST_PENDING)
        return promise_failed(v, "no worker took the request within %.0f s: is the queue paused, or busy? (peygir queue stats)", SECONDS(c->timeout_ms));
    if (!visit_is_heard(m))
        return promise_failed(v, "neither report nor answer within %.0f s", SECONDS(c->timeout_ms));
    char report[48] = "no report";
    if (m->heard_ms)
        snprintf(report, sizeof report, "first report after %.1f s", SECONDS(m->heard_ms - m->made_ms));
    return stands ? promise_ok(v, "%s, %s after %.1f s", report, outcome(m), SECONDS(m->stood_ms - m->made_ms)) : promise_ok(v, "%s", report);
}

int promise_time_out(struct bot_check *c, struct verdict *v, struct err *err)
{
    const struct visit *m = &c->main;
    (void)err;
    if (m->stood_ms && strcmp(m->error, "timeout") != 0)
        return visit_is_in_trouble(m) ? promise_skipped(v, "its call broke")
                                                   : promise_ok(v, "%.1f s of %.0f s", SECONDS(m->stood_ms - m->made_ms), SECONDS(c->timeout_ms));
    return promise_failed(v, "neither a code nor an answer within %.0f s", SECONDS(c->timeout_ms));
}

/* --- the code --- */

/* The line that a person, or the test that plays one, enters. */
static void ask_code(struct bot_check *c)
{
    char *line = NULL;
    size_t room = 0;
    fprintf(stderr, "peygir: the code that was sent for %s: ", c->main.hash);
    fflush(stderr);
    str_reset(&c->code);
    if (getline(&line, &room, stdin) > 0)
        rules_normalise(span_of(line), &c->code);
    free(line);
}

static bool is_active(struct bot_check *c, const struct visit *v, struct err *err)
{
    struct job_view job;
    if (job_look(&c->cli->app, NULL, v->hash, &job, err) != 1)
        return false;
    bool active = job.place == JOB_IN_ACTIVE;
    job_view_clear(&job);
    return active;
}

/* A bot with two legs has answered by now, or does at once; one that holds its call does not. */
static int look_held(struct bot_check *c, struct err *err)
{
    struct err local = ERR_INIT;
    int64_t until_ms = clock_mono_ms() + HELD_MS;
    while ((c->held = is_active(c, &c->main, &local)) && clock_mono_ms() < until_ms)
        if (visit_until(c, &c->main, NULL, 100, err) < 0)
            return -1;
    return local.kind == ERR_NONE ? 0 : err_set(err, local.kind, "%s", local.text);
}

int promise_code(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct visit *m = &c->main;
    if (!c->service->code.used)
        return promise_skipped(v, "the service has none");
    if (m->status == REQUEST_COMPLETED)
        return promise_failed(v, "it gave a result without asking for a code");
    if (m->status != REQUEST_OTP_REQUIRED)
        return promise_skipped(v, "the call did not come so far%s%s", m->error[0] ? ": " : "", m->error);
    c->asks = true;
    if (look_held(c, err) < 0)
        return -1;
    if (c->ask_code)
        ask_code(c);
    return promise_ok(v, "asked for%s", c->held ? ", held: the call waits for it" : " in two legs: another call gets it");
}

/* With digits as they are typed, whatever script the message has them in. */
static bool is_told(const struct bot_check *c, struct span message)
{
    struct str text = STR_INIT, tidy = STR_INIT;
    if (raw_string(message, &text))
        rules_normalise((struct span){ text.s, text.len }, &tidy);
    bool told = tidy.len > 0 && strstr(tidy.s, c->code.s) != NULL;
    str_free(&text);
    str_free(&tidy);
    return told;
}

int promise_code_message(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct request rq;
    if (c->main.status != REQUEST_OTP_REQUIRED)
        return promise_skipped(v, "no code was asked for");
    if (c->code.len == 0)
        return promise_skipped(v, "the code is not known: --code");
    int found = request_read(&c->cli->app, span_of(c->main.hash), &rq, err);
    if (found <= 0)
        return found < 0 ? -1 : promise_failed(v, "the request is gone");
    if (!is_told(c, rq.doc.field[DOC_MESSAGE]) && !is_told(c, document_otp(&rq.doc, "message")))
        return promise_ok(v, "the code is not in it");
    return c->code_shown ? promise_skipped(v, "the code is in it, as --code-in-message allows") : promise_failed(v, "the code is in it");
}

/* 1: judged; 0: not, and *v says why; -1. */
static int enter(struct bot_check *c, const char *code, struct verdict *v, struct err *err)
{
    struct visit *m = &c->main;
    struct err why = ERR_INIT;
    m->mark = m->revision;
    if (otp_submit(&c->cli->app, c->service, span_of(m->hash), span_of(code), &why) < 0)
        return why.kind == ERR_AWAY ? err_set(err, why.kind, "%s", why.text) : promise_failed(v, "it could not be entered: %s", why.text);
    int judged = visit_until(c, m, visit_is_judged, c->timeout_ms, err);
    return judged == 0 ? promise_failed(v, "no verdict on it within %.0f s", SECONDS(c->timeout_ms)) : judged;
}

static bool may_enter(const struct bot_check *c, struct verdict *v)
{
    if (c->main.status != REQUEST_OTP_REQUIRED)
        promise_skipped(v, "no code is waited for");
    else if (c->code.len == 0)
        promise_skipped(v, "the code is not known: --code");
    return c->main.status == REQUEST_OTP_REQUIRED && c->code.len > 0;
}

int promise_wrong_code(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct visit *m = &c->main;
    if (!may_enter(c, v))
        return 0;
    int64_t tries = m->tries;
    char *wrong = xstrdup(c->code.s), *last = wrong + c->code.len - 1;
    *last = *last == '9' ? '0' : (char)(*last + 1);
    int judged = enter(c, wrong, v, err);
    free(wrong);
    if (judged <= 0)
        return judged;
    if (m->status == REQUEST_OTP_REQUIRED && m->lost)
        return promise_failed(v, "the call with it broke");
    if (m->status == REQUEST_OTP_REQUIRED)
        return promise_ok(v, "back to the code page%s", m->tries > tries ? ", one try less" : ", as one that has expired");
    return promise_failed(v, "it led to %s%s%s", outcome(m), m->error[0] ? ": " : "", m->error);
}

int promise_right_code(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct visit *m = &c->main;
    if (!may_enter(c, v))
        return 0;
    int judged = enter(c, c->code.s, v, err);
    if (judged <= 0)
        return judged;
    if (m->status == REQUEST_COMPLETED)
        return promise_ok(v, "it led to a result");
    return promise_failed(v, "it led to %s%s%s", m->lost ? "nothing: the call with it broke" : outcome(m), m->error[0] ? ": " : "", m->error);
}

/* --- the result --- */

/* Dotted paths that the result page shows and the result does not have. */
static void add_missing(struct str *out, const struct service *s, struct json_object *result)
{
    for (size_t i = 0; i < s->result_count; i++) {
        struct json_object *at = result;
        char part[128];
        for (const char *p = s->results[i].path; at && *p; p += p[0] == '.') {
            size_t len = strcspn(p, ".");
            snprintf(part, sizeof part, "%.*s", (int)len, p);
            at = json_object_is_type(at, json_type_object) ? json_object_object_get(at, part) : NULL;
            p += len;
        }
        if (!at)
            str_addf(out, "%s%s", out->len ? ", " : "", s->results[i].path);
    }
}

static int judge_result(struct bot_check *c, struct span text, struct verdict *v)
{
    struct json_object *result = NULL;
    struct str missing = STR_INIT;
    if (json_parse(text.s, text.len, &result, NULL) < 0 || !json_object_is_type(result, json_type_object))
        promise_failed(v, "it is no object");
    else {
        add_missing(&missing, c->service, result);
        promise_ok(v, "an object of %d members%s%s", json_object_object_length(result), missing.len ? "; without what the page shows: " : "",
                   missing.len ? missing.s : "");
    }
    str_free(&missing);
    json_object_put(result);
    return 0;
}

int promise_result(struct bot_check *c, struct verdict *v, struct err *err)
{
    const struct visit *m = &c->main;
    struct request rq;
    struct str text = STR_INIT;
    struct err why = ERR_INIT;
    if (m->status == REQUEST_OTP_REQUIRED)
        return promise_skipped(v, "the right code was not entered");
    if (m->status != REQUEST_COMPLETED)
        return promise_failed(v, "there is none%s%s", m->error[0] ? ": " : "", m->error);
    int found = request_read(&c->cli->app, span_of(m->hash), &rq, err);
    if (found <= 0)
        return found < 0 ? -1 : promise_failed(v, "the request is gone");
    if (request_open(&c->cli->app, &rq, DOC_RESULT, &text, &why) < 0)
        promise_failed(v, "%s", why.text);
    else
        judge_result(c, (struct span){ text.s, text.len }, v);
    str_free(&text);
    return 0;
}

/* --- what it reported on the way --- */

/* As document_add_entry() writes them. */
enum { ENTRY_STATUS = 2, ENTRY_STEP, ENTRY_PROGRESS, ENTRY_MESSAGE, ENTRY_ITEMS };

struct way {
    int64_t progress, moves;           /* the highest so far; how often it moved */
    int64_t back_from, back_to;        /* from 0: it did not go back */
    int64_t steps, step;               /* steps reported; index of the last */
    char stray[64], step_back[64];     /* a step that is none of the service's; one behind which an earlier one came */
};

static void note_step(struct way *w, const struct service *s, struct span step)
{
    struct str id = STR_INIT;
    if (raw_string(step, &id)) {
        int index = service_step_index(s, (struct span){ id.s, id.len });
        w->steps += index != w->step;
        if (index < 0)
            snprintf(w->stray, sizeof w->stray, "%s", id.s);
        else if (index < w->step)
            snprintf(w->step_back, sizeof w->step_back, "%s", s->steps[w->step].id);
        w->step = index < 0 ? w->step : index;
    }
    str_free(&id);
}

/* A call that is made again begins again. */
static void note_entry(struct way *w, const struct service *s, struct span entry)
{
    struct span item[ENTRY_ITEMS];
    if (raw_items(entry, item, ENTRY_ITEMS) < ENTRY_ITEMS || !raw_is(item[ENTRY_STATUS], request_status_name(REQUEST_PROCESSING)))
        return;
    if (raw_is(item[ENTRY_MESSAGE], "messages.retrying")) {
        w->progress = 0;
        w->step = 0;
        return;
    }
    int64_t progress = raw_int(item[ENTRY_PROGRESS], 0);
    if (w->back_from == 0 && progress < w->progress) {
        w->back_from = w->progress;
        w->back_to = progress;
    }
    w->moves += progress != w->progress;
    w->progress = progress;
    note_step(w, s, item[ENTRY_STEP]);
}

static int look_back(struct bot_check *c, struct way *w, struct err *err)
{
    struct key events = key_events(span_of(c->main.hash));
    *w = (struct way){ .back_from = c->main.back_from, .back_to = c->main.back_to };
    redis_use_db(c->cli->app.redis, c->cli->app.main_db);
    const struct reply *entries = redis_do(c->cli->app.redis, err, "LRANGE %b 0 -1", events.s, events.len);
    if (!entries)
        return -1;
    for (size_t i = 0; i < entries->count; i++)
        note_entry(w, c->service, reply_text(&entries->item[i]));
    return 0;
}

int promise_progress(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct way w;
    if (look_back(c, &w, err) < 0)
        return -1;
    if (c->main.beyond)
        return promise_failed(v, "it is none of 0 to 100");
    if (w.back_from)
        return promise_failed(v, "it went back from %lld to %lld", (long long)w.back_from, (long long)w.back_to);
    return w.moves > 0 ? promise_ok(v, "%lld moves, up to %lld, never back", (long long)w.moves, (long long)w.progress)
                       : promise_skipped(v, "it reports none, which it need not");
}

int promise_steps(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct way w;
    if (c->service->step_count == 0)
        return promise_skipped(v, "the service has none");
    if (look_back(c, &w, err) < 0)
        return -1;
    if (w.stray[0])
        return promise_failed(v, "\"%s\" is none of the service's", w.stray);
    if (w.step_back[0])
        return promise_failed(v, "an earlier one came after \"%s\"", w.step_back);
    return w.steps > 0 ? promise_ok(v, "moved through %lld of %zu, in their order", (long long)w.steps, c->service->step_count)
                       : promise_skipped(v, "it reports none, which it need not");
}
