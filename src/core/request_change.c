/* request_change.c: progress and the three ends, and what somebody wrote past the guard */
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "core/change.h"
#include "core/otp.h"
#include "core/seal.h"

enum { CODE_MAX = 64, MAIL_CANCELLED_MS = 60000, REOPENED_WATCH_MS = 15000 };

/* --- progress --- */

struct progress {
    int percent; /* -1: as it is */
    const char *step, *message;
};

static void set_clipped(struct change *c, enum document_field field, const char *text, size_t max)
{
    char *clipped = xmemdupz(text, utf8_clip(text, strlen(text), max));
    change_text(c, field, clipped);
    free(clipped);
}

/* Would nothing change? Then nothing is written. */
static bool is_present(const struct request *rq, const struct progress *p)
{
    return (rq->status == REQUEST_PROCESSING || rq->status == REQUEST_OTP_REQUIRED) &&
           (p->percent < 0 || p->percent == raw_int(rq->doc.field[DOC_PROGRESS], -1)) &&
           (!p->step || raw_is(rq->doc.field[DOC_STEP], p->step)) && (!p->message || raw_is(rq->doc.field[DOC_MESSAGE], p->message));
}

static int decide_progress(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct progress *p = ctx;
    (void)app;
    if (request_is_final(rq->status))
        return err_set(err, ERR_STATE, "request %s has ended", rq->hash);
    if (is_present(rq, p))
        return 0;
    int64_t present = raw_int(rq->doc.field[DOC_PROGRESS], 0);
    if (rq->status == REQUEST_PENDING || rq->status == REQUEST_OTP_VERIFYING)
        change_status(c, REQUEST_PROCESSING);
    if (p->percent >= 0)
        change_int(c, DOC_PROGRESS, rq->status == REQUEST_PROCESSING && p->percent < present ? present : p->percent);
    if (p->step)
        set_clipped(c, DOC_STEP, p->step, CHANGE_TEXT_MAX);
    if (p->message)
        set_clipped(c, DOC_MESSAGE, p->message, CHANGE_TEXT_MAX);
    if (rq->status == REQUEST_PENDING)
        change_guard_int(c, "started", rq->now_ms);
    return 1;
}

int request_progress(struct app *app, struct span hash, int64_t run, int progress, const char *step, const char *message, struct err *err)
{
    if (progress > 100)
        return err_set(err, ERR_INVALID, "progress is %d; it goes from 0 to 100", progress);
    return change_make(app, hash, run, decide_progress, &(struct progress){ progress, step, message }, err);
}

/* --- the ends --- */

static int decide_complete(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct span *result = ctx;
    (void)err;
    change_status(c, REQUEST_COMPLETED);
    change_json(c, DOC_RESULT, *result);
    change_json(c, DOC_ERROR, SPAN("null"));
    change_int(c, DOC_PROGRESS, 100);
    change_text(c, DOC_MESSAGE, "messages.completed");
    change_guard_result(c, *result);
    const struct service *service = request_service(app, rq);
    if (service && service->step_count > 0)
        change_text(c, DOC_STEP, service->steps[service->step_count - 1].id);
    return 1;
}

int request_complete(struct app *app, struct span hash, int64_t run, struct span result, struct err *err)
{
    return change_make(app, hash, run, decide_complete, &result, err);
}

static int decide_fail(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    (void)app;
    (void)rq;
    (void)err;
    change_error(c, ctx);
    return 1;
}

int request_fail(struct app *app, struct span hash, int64_t run, const struct request_error *error, struct err *err)
{
    return change_make(app, hash, run, decide_fail, (void *)error, err);
}

static int decide_cancel(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    (void)ctx;
    (void)err;
    change_status(c, REQUEST_CANCELLED);
    change_text(c, DOC_MESSAGE, "messages.cancelled");
    change_mail(c, SPAN("{\"cancelled\":true}"), MAIL_CANCELLED_MS);
    const struct service *service = request_service(app, rq);
    if (service && service->calls_cancel && rq->status != REQUEST_PENDING)
        change_leg(c, rq, "cancel", 0, "cancel");
    return 1;
}

int request_cancel(struct app *app, struct span hash, struct err *err)
{
    return change_make(app, hash, 0, decide_cancel, NULL, err);
}

/* --- once more --- */

/* Numbers of codes go on counting, so that no leg of before is taken for one of the new run; that none of them was taken yet lets the first
 * leg begin. */
static void forget_codes(struct change *c)
{
    static const char *const numbers[] = { "tries", "code_tries", "resends", "taken", "code_until", "resend_at", "waited", "since" };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        change_guard_int(c, numbers[i], 0);
    change_text(c, DOC_OTP, NULL);
    c->mail_clear = true;
}

static int decide_reopen(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct service *service = request_service(app, rq);
    const int64_t *run = ctx;
    if (rq->status == REQUEST_PENDING)
        return 0;
    if (rq->status != REQUEST_FAILED)
        return err_set(err, ERR_STATE, "request %s is %s: it has not failed", rq->hash, request_status_name(rq->status));
    change_status(c, REQUEST_PENDING);
    change_text(c, DOC_STEP, service && service->step_count > 0 ? service->steps[0].id : NULL);
    change_int(c, DOC_PROGRESS, 0);
    change_text(c, DOC_MESSAGE, "messages.queued");
    change_text(c, DOC_ERROR, NULL);
    change_text(c, DOC_RESULT, NULL);
    change_text(c, DOC_COMPLETED, NULL);
    forget_codes(c);
    change_guard_int(c, "code", rq->guard.code + 1); /* so that the next code that is needed is another than the last one before */
    change_guard_int(c, "started", 0);
    change_guard_int(c, "run", *run);
    change_guard_text(c, "leg", span_of(rq->hash));
    c->watch_ms = rq->now_ms + REOPENED_WATCH_MS;
    return 1;
}

/* The one change that leads out of an end: it is written with the power of a repair, which is the only one that passes the guard. What was
 * written past the guard is recorded first. */
int request_reopen(struct app *app, struct span hash, int64_t run, struct err *err)
{
    struct request rq;
    int found = request_read(app, hash, &rq, err);
    if (found < 0)
        return -1;
    if (found == 1)
        request_touch(app, &rq);
    return change_adopt(app, hash, decide_reopen, &run, err);
}

/* --- adopting --- */

/* The newest recorded step, progress, message and error win over a document whose request has ended. */
static void restore_final(struct change *c, struct span entry, struct span result)
{
    static const struct {
        size_t index; /* in the entry */
        enum document_field field;
    } kept[] = { { 3, DOC_STEP }, { 4, DOC_PROGRESS }, { 5, DOC_MESSAGE }, { 7, DOC_ERROR } };
    struct json_object *list = NULL;
    struct str text = STR_INIT;
    if (entry.s && json_parse(entry.s, entry.len, &list, NULL) == 0 && json_object_is_type(list, json_type_array))
        for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
            str_reset(&text);
            json_add(&text, json_object_array_get_idx(list, kept[i].index));
            change_json(c, kept[i].field, (struct span){ text.s, text.len });
        }
    if (result.s)
        change_json(c, DOC_RESULT, result);
    json_object_put(list);
    str_free(&text);
}

/* The newest recorded progress. */
static int64_t recorded_progress(struct span entry)
{
    struct json_object *list = NULL;
    int64_t recorded = 0;
    if (entry.s && json_parse(entry.s, entry.len, &list, NULL) == 0 && json_object_is_type(list, json_type_array))
        recorded = json_object_get_int64(json_object_array_get_idx(list, 4));
    json_object_put(list);
    return recorded >= 0 && recorded <= 100 ? recorded : 0;
}

/* A whole number from 0 to 100; within one run (`forward`) it does not go back, whoever writes it. */
static void mend_progress(const struct request *rq, struct change *c, struct span entry, bool forward)
{
    struct span value = rq->doc.field[DOC_PROGRESS];
    int64_t written = raw_int(value, -1), recorded = recorded_progress(entry);
    bool whole = value.s && strspn(value.s, "0123456789") >= value.len;
    if (written < 0 || written > 100 || (forward && written < recorded))
        change_int(c, DOC_PROGRESS, recorded);
    else if (!whole)
        change_int(c, DOC_PROGRESS, written);
}

/* Read beforehand: a decide function makes no round trip. */
struct adoption {
    int64_t revision;         /* of which these are */
    struct str entry, result;
};

static int adopted_status(const struct request *rq)
{
    struct span name = rq->doc.field[DOC_STATUS];
    int wished = name.len > 2 ? request_status_parse((struct span){ name.s + 1, name.len - 2 }) : -1;
    if (!rq->guard.status.s)
        return wished >= 0 ? wished : REQUEST_PENDING;
    /* A bot that writes by itself goes from the first progress straight to the code. */
    if (wished == REQUEST_OTP_REQUIRED && rq->status == REQUEST_PENDING)
        return wished;
    return wished >= 0 && request_may(rq->status, (enum request_status)wished) ? wished : (int)rq->status;
}

static void adopt_ids(const struct request *rq, struct change *c)
{
    static const struct {
        enum document_field field;
        size_t offset;
    } ids[] = { { DOC_OWNER, offsetof(struct guard, owner) }, { DOC_USER, offsetof(struct guard, user_id) } };
    for (size_t i = 0; rq->guard.status.s && i < ARRAY_LEN(ids); i++) {
        const struct span *id = (const struct span *)(const void *)((const char *)&rq->guard + ids[i].offset);
        char *text = id->len > 0 ? xmemdupz(id->s, id->len) : NULL;
        change_text(c, ids[i].field, text);
        free(text);
    }
    change_text(c, DOC_HASH, rq->hash);
}

static void clip_text(const struct request *rq, struct change *c, enum document_field field)
{
    struct str text = STR_INIT;
    if (rq->doc.field[field].len > CHANGE_WRITTEN_MAX && raw_string(rq->doc.field[field], &text))
        set_clipped(c, field, text.s, CHANGE_WRITTEN_MAX);
    str_free(&text);
}

/* An object of those members that are there, each mended where it must be. */
static void add_known(struct str *out, const struct raw_member mended[], const struct span value[], size_t count)
{
    str_addc(out, '{');
    for (size_t i = 0; i < count; i++) {
        struct span kept = mended[i].value.s ? mended[i].value : value[i];
        if (!kept.s)
            continue;
        str_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", mended[i].key);
        str_add_span(out, kept);
    }
    str_addc(out, '}');
}

/* Words and a code that people can be shown. Whatever else the error holds stays as it is, unless that is more than is recorded: each
 * revision puts it into the history. */
static void mend_error(const struct request *rq, struct change *c, enum document_field field)
{
    enum { CODE, MESSAGE, RETRYABLE, MEMBERS };
    static const char *const names[MEMBERS] = { "code", "message", "retryable" };
    struct span value[MEMBERS], error = rq->doc.field[field];
    struct raw_member mended[MEMBERS] = { { names[CODE], { NULL, 0 } }, { names[MESSAGE], { NULL, 0 } }, { names[RETRYABLE], { NULL, 0 } } };
    struct str text = STR_INIT, message = STR_INIT, whole = STR_INIT;
    if (raw_get_many(error, names, value, MEMBERS) < 0)
        return;
    if (value[CODE].s && (value[CODE].s[0] != '"' || value[CODE].len > CODE_MAX + 2))
        mended[CODE].value = SPAN("\"bot_error\"");
    if (value[MESSAGE].s && value[MESSAGE].s[0] != '"')
        mended[MESSAGE].value = SPAN("\"errors.failed\"");
    else if (value[MESSAGE].len > CHANGE_WRITTEN_MAX && raw_string(value[MESSAGE], &text)) {
        str_add_json(&message, text.s, utf8_clip(text.s, text.len, CHANGE_WRITTEN_MAX));
        mended[MESSAGE].value = (struct span){ message.s, message.len };
    }
    if (value[RETRYABLE].s && !span_is(value[RETRYABLE], "true") && !span_is(value[RETRYABLE], "false"))
        mended[RETRYABLE].value = SPAN("false");
    bool ill = mended[CODE].value.s || mended[MESSAGE].value.s || mended[RETRYABLE].value.s;
    if (error.len > CHANGE_WRITTEN_MAX)
        add_known(&whole, mended, value, MEMBERS);
    else if (ill)
        raw_set(&whole, error, mended, MEMBERS);
    if (whole.len > 0)
        change_json(c, field, (struct span){ whole.s, whole.len });
    str_free(&text);
    str_free(&message);
    str_free(&whole);
}

/* What goes into the view as it stands must be the JSON that belongs there. */
static void mend(const struct request *rq, struct change *c)
{
    static const struct {
        enum document_field field;
        const char *first, *instead; /* how the value may begin */
        void (*more)(const struct request *rq, struct change *c, enum document_field field);
    } rows[] = { { DOC_SERVICE, "\"", "null", NULL },        { DOC_STEP, "\"n", "null", clip_text }, { DOC_DURATION, "0123456789n", "null", NULL },
                 { DOC_MESSAGE, "\"n", "null", clip_text }, { DOC_ERROR, "{n", "null", mend_error } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span value = rq->doc.field[rows[i].field];
        if (value.len > 0 && (!strchr(rows[i].first, value.s[0]) || json_check(value.s, value.len, NULL) < 0))
            change_json(c, rows[i].field, span_of(rows[i].instead));
        else if (value.len > 0 && rows[i].more)
            rows[i].more(rq, c, rows[i].field);
    }
}

/* A result that nobody could read is as bad as such an answer. */
static void refuse_unreadable(const struct request *rq, struct change *c)
{
    struct span result = rq->doc.field[DOC_RESULT];
    if (!result.s || span_is(result, "null") || (result.s[0] == '{' && json_check(result.s, result.len, NULL) == 0))
        return;
    log_event(LOG_WARN, LOG_FIELDS("request", rq->hash), "a result that is no JSON object was written into Redis and is refused");
    change_text(c, DOC_RESULT, NULL);
    if (c->to == REQUEST_COMPLETED)
        change_error(c, &(struct request_error){ "bot_invalid", "errors.bot_invalid", true });
}

static int decide_adopt(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct adoption *a = ctx;
    (void)err;
    bool recorded = !request_is_foreign(rq) && !request_lies_open(app, rq);
    if (recorded || rq->guard.revision != a->revision)
        return 0; /* somebody was faster: whoever asked reads again */
    adopt_ids(rq, c);
    mend(rq, c);
    if (rq->guard.status.s && request_is_final(rq->status)) {
        change_status(c, rq->status);
        restore_final(c, (struct span){ a->entry.s, a->entry.len }, (struct span){ a->result.s, a->result.len });
        return 1;
    }
    int to = adopted_status(rq);
    change_status(c, (enum request_status)to);
    refuse_unreadable(rq, c);
    change_refuse_plain(app, rq, c);
    mend_progress(rq, c, (struct span){ a->entry.s, a->entry.len }, rq->status == REQUEST_PROCESSING && to == REQUEST_PROCESSING);
    if (rq->status == REQUEST_PENDING && to != REQUEST_PENDING)
        change_guard_int(c, "started", rq->now_ms);
    if (to == REQUEST_OTP_REQUIRED && rq->status != REQUEST_OTP_REQUIRED)
        otp_adopt(c, rq, request_service(app, rq));
    if (c->to == REQUEST_COMPLETED && rq->doc.field[DOC_RESULT].s)
        change_guard_result(c, rq->doc.field[DOC_RESULT]);
    return 1;
}

int request_adopt(struct app *app, struct span hash, struct err *err)
{
    struct key guard = key_guard(hash), events = key_events(hash);
    struct adoption a = { 0, STR_INIT, STR_INIT };
    const struct reply *replies;
    size_t count;
    redis_use_db(app->redis, app->main_db);
    redis_queuef(app->redis, "HGET %b revision", guard.s, guard.len); /* first: what follows may be newer, never older */
    redis_queuef(app->redis, "HGET %b result", guard.s, guard.len);
    redis_queuef(app->redis, "LINDEX %b -1", events.s, events.len);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    struct span result = reply_text(&replies[count - 2]), entry = reply_text(&replies[count - 1]);
    a.revision = reply_int(&replies[count - 3], 0);
    if (entry.s)
        str_add_span(&a.entry, entry);
    if (result.s)
        seal_unpack(&a.result, result);
    int done = change_adopt(app, hash, decide_adopt, &a, err);
    str_free(&a.entry);
    str_free(&a.result);
    return done < 0 ? -1 : 0;
}
