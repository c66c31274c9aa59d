/* bot_visit.c: requests of `peygir bot check`, made and followed as a visitor's are */
#include "base/clock.h"
#include "cli/bot_check.h"
#include "core/locale.h"

#include <unistd.h>

enum { LOOK_EVERY_US = 20000 };

int visit_make(struct bot_check *c, struct visit *v, struct err *err)
{
    char number[NUMBER_SIZE];
    const struct request_new n = { .service = c->service,
                                   .data = { c->data.s, c->data.len },
                                   .owner = span_of(c->owner),
                                   .key = span_number(number, ++c->visits), /* without one the same values are the same request */
                                   .locale = locale_code(locales_default(c->cli->house.locales)) };
    *v = (struct visit){ .made_ms = clock_mono_ms() };
    return request_create(&c->cli->app, &n, v->hash, err) < 0 ? -1 : 0;
}

int visit_end(struct bot_check *c, const struct visit *v, struct err *err)
{
    return v->hash[0] && request_forget(&c->cli->app, span_of(v->hash), err) < 0 ? -1 : 0;
}

/* --- looking --- */

/* The document as a bot left it, before Peygir puts right what it must not say. */
static void note_written(struct visit *v, const struct request *rq)
{
    int64_t written = raw_int(rq->doc.field[DOC_PROGRESS], -1);
    if (!raw_is(rq->doc.field[DOC_STATUS], request_status_name(REQUEST_PROCESSING)) || rq->status != REQUEST_PROCESSING)
        return;
    if (written < 0 || written > 100)
        v->beyond = written;
    else if (v->back_from == 0 && rq->guard.run == v->run && written < v->progress) {
        v->back_from = v->progress;
        v->back_to = written;
    }
}

/* Peygir's own words and a bar that has not moved say nothing about the bot. */
static bool is_report(const struct request *rq)
{
    static const char *const ours[] = { "messages.queued", "messages.started", "messages.retrying" };
    bool silent = raw_int(rq->doc.field[DOC_PROGRESS], 0) == 0;
    for (size_t i = 0; silent && i < ARRAY_LEN(ours); i++)
        if (raw_is(rq->doc.field[DOC_MESSAGE], ours[i]))
            return false;
    return rq->status == REQUEST_PROCESSING;
}

static void note_error(struct visit *v, struct span error)
{
    struct str code = STR_INIT;
    size_t len = 0;
    if (error.len > 0 && error.s[0] == '{' && raw_string(raw_get(error, "code"), &code))
        len = code.len < sizeof v->error ? code.len : sizeof v->error - 1;
    if (len > 0)
        memcpy(v->error, code.s, len);
    v->error[len] = '\0';
    str_free(&code);
}

static void note(struct visit *v, const struct request *rq)
{
    int64_t now_ms = clock_mono_ms();
    v->status = rq->status;
    v->run = rq->guard.run;
    v->revision = rq->guard.revision;
    v->tries = rq->guard.tries;
    v->progress = raw_int(rq->doc.field[DOC_PROGRESS], 0);
    v->retrying = v->retrying || raw_is(rq->doc.field[DOC_MESSAGE], "messages.retrying");
    v->lost = raw_is(rq->doc.field[DOC_MESSAGE], "messages.code_lost");
    note_error(v, rq->doc.field[DOC_ERROR]);
    if (v->heard_ms == 0 && is_report(rq))
        v->heard_ms = now_ms;
    if (v->stood_ms == 0 && visit_stands(v))
        v->stood_ms = now_ms;
}

int visit_look(struct bot_check *c, struct visit *v, struct err *err)
{
    struct app *app = &c->cli->app;
    struct span hash = span_of(v->hash);
    const struct reply *replies;
    size_t count;
    for (;;) {
        struct request rq;
        bool foreign = false;
        request_queue(app, hash);
        if (redis_exchange(app->redis, &replies, &count, err) < 0)
            return -1;
        int found = request_take(app, hash, replies + count - REQUEST_REPLIES, &rq, &foreign, err);
        if (found == 0)
            return err_set(err, ERR_NOT_FOUND, "request %s was deleted while it was looked at", v->hash);
        if (found < 0)
            return -1;
        if (!foreign && !request_lies_open(app, &rq)) {
            note(v, &rq);
            return 0;
        }
        note_written(v, &rq);
        if (request_adopt(app, hash, err) < 0)
            return -1;
    }
}

int visit_until(struct bot_check *c, struct visit *v, bool (*is_so)(const struct visit *v), int64_t ms, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + ms;
    for (;;) {
        if (visit_look(c, v, err) < 0)
            return -1;
        if (is_so && is_so(v))
            return 1;
        if (clock_mono_ms() >= until_ms)
            return 0;
        usleep(LOOK_EVERY_US);
    }
}

bool visit_stands(const struct visit *v)
{
    return v->status == REQUEST_OTP_REQUIRED || request_is_final(v->status) || v->retrying;
}

bool visit_is_heard(const struct visit *v)
{
    return v->heard_ms != 0 || visit_stands(v);
}

bool visit_is_judged(const struct visit *v)
{
    return v->revision > v->mark && visit_stands(v);
}

/* Errors of Peygir's own say that the call had no good answer. */
bool visit_is_in_trouble(const struct visit *v)
{
    static const char *const codes[] = { "bot_unavailable", "bot_invalid", "timeout" };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(v->error, codes[i]) == 0)
            return true;
    return v->retrying;
}
