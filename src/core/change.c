/* change.c: decide on what was read, write it in one step, decide again when somebody was faster */
#include "core/change.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rnd.h"
#include "core/listener.h"
#include "core/seal.h"
#include "core/view.h"
#include "scripts.h"

#include <stddef.h>
#include <unistd.h>

enum { LEG_FIELDS_MAX = 20, SAVE_ARGS_MAX = 17 + LEG_FIELDS_MAX + 2 * CHANGE_FIELDS + 2 };

/* --- the guard --- */

const char *const guard_names[GUARD_FIELDS] = { "status", "revision", "owner", "user_id", "leg", "run", "tries", "resends", "listeners", "clock" };
enum { GUARD_CLOCK = GUARD_FIELDS - 1 };

enum guard_kind { GUARD_TEXT, GUARD_NUMBER, GUARD_PACKED /* inside `clock`, in this order */ };
static const struct guard_row {
    const char *name;
    size_t offset;
    enum guard_kind kind;
} guard_rows[] = {
    { "status", offsetof(struct guard, status), GUARD_TEXT },
    { "revision", offsetof(struct guard, revision), GUARD_NUMBER },
    { "owner", offsetof(struct guard, owner), GUARD_TEXT },
    { "user_id", offsetof(struct guard, user_id), GUARD_TEXT },
    { "leg", offsetof(struct guard, leg), GUARD_TEXT },
    { "run", offsetof(struct guard, run), GUARD_NUMBER },
    { "tries", offsetof(struct guard, tries), GUARD_NUMBER },
    { "resends", offsetof(struct guard, resends), GUARD_NUMBER },
    { "listeners", offsetof(struct guard, listeners), GUARD_TEXT },
    { "code_tries", offsetof(struct guard, code_tries), GUARD_PACKED },
    { "code", offsetof(struct guard, code), GUARD_PACKED },
    { "taken", offsetof(struct guard, taken), GUARD_PACKED },
    { "code_until", offsetof(struct guard, code_until_ms), GUARD_PACKED },
    { "resend_at", offsetof(struct guard, resend_at_ms), GUARD_PACKED },
    { "estimate", offsetof(struct guard, estimate_s), GUARD_PACKED },
    { "started", offsetof(struct guard, started_ms), GUARD_PACKED },
    { "waited", offsetof(struct guard, waited_ms), GUARD_PACKED },
    { "since", offsetof(struct guard, waiting_since_ms), GUARD_PACKED },
    { "check", offsetof(struct guard, check), GUARD_PACKED },
};

static void row_set(struct guard *g, const struct guard_row *row, struct span value)
{
    char *place = (char *)g + row->offset;
    if (row->kind == GUARD_TEXT)
        memcpy(place, &value, sizeof value);
    else
        memcpy(place, &(int64_t){ raw_int(value, 0) }, sizeof(int64_t));
}

static void set_clock(struct guard *g, struct span value)
{
    const char *p = value.s, *end = value.s + value.len;
    for (size_t i = GUARD_CLOCK; i < ARRAY_LEN(guard_rows) && p && p < end; i++) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        row_set(g, &guard_rows[i], (struct span){ p, (size_t)((space ? space : end) - p) });
        p = space ? space + 1 : end;
    }
}

void guard_set(struct guard *g, size_t field, struct span value)
{
    if (field == GUARD_CLOCK)
        set_clock(g, value);
    else
        row_set(g, &guard_rows[field], value);
}

void guard_add_clock(struct str *out, const struct guard *g)
{
    for (size_t i = GUARD_CLOCK; i < ARRAY_LEN(guard_rows); i++) {
        int64_t n;
        memcpy(&n, (const char *)g + guard_rows[i].offset, sizeof n);
        if (i > GUARD_CLOCK)
            str_addc(out, ' ');
        str_add_int(out, n);
    }
}

/* The row of a name; NULL for one that is only stored (result). */
static const struct guard_row *guard_row(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(guard_rows); i++)
        if (strcmp(guard_rows[i].name, name) == 0)
            return &guard_rows[i];
    return NULL;
}

/* --- builders --- */

static struct span keep(struct change *c, char *memory, size_t len)
{
    if (c->memory_count >= ARRAY_LEN(c->memory))
        abort(); /* a decide function sets more than there are fields */
    c->memory[c->memory_count++] = memory;
    return (struct span){ memory, len };
}

static struct span keep_str(struct change *c, struct str *b)
{
    size_t len;
    char *memory = str_take(b, &len);
    return keep(c, memory, len);
}

static void set_document(struct change *c, enum document_field field, struct span json)
{
    for (size_t i = 0; i < c->doc_count; i++)
        if (c->doc[i].key == document_names[field]) {
            c->doc[i].value = json;
            return;
        }
    if (c->doc_count >= CHANGE_FIELDS)
        abort();
    c->doc[c->doc_count++] = (struct raw_member){ document_names[field], json };
}

void change_status(struct change *c, enum request_status to)
{
    c->to = (int)to;
}

void change_json(struct change *c, enum document_field field, struct span json)
{
    set_document(c, field, keep(c, xmemdupz(json.s, json.len), json.len));
}

void change_text(struct change *c, enum document_field field, const char *text)
{
    struct str b = STR_INIT;
    if (text)
        str_add_json(&b, text, strlen(text));
    else
        str_adds(&b, "null");
    set_document(c, field, keep_str(c, &b));
}

void change_int(struct change *c, enum document_field field, int64_t n)
{
    struct str b = STR_INIT;
    str_add_int(&b, n);
    set_document(c, field, keep_str(c, &b));
}

static void change_time(struct change *c, enum document_field field, int64_t ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(ms, text);
    change_text(c, field, text);
}

void change_guard_text(struct change *c, const char *name, struct span text)
{
    struct span kept = keep(c, xmemdupz(text.s, text.len), text.len);
    for (size_t i = 0; i < c->guard_count; i++)
        if (strcmp(c->guard[i].name, name) == 0) {
            c->guard[i].value = kept;
            return;
        }
    if (c->guard_count >= CHANGE_FIELDS)
        abort();
    c->guard[c->guard_count++] = (struct change_guard){ name, kept };
}

void change_guard_result(struct change *c, struct span json)
{
    struct str packed = STR_INIT;
    seal_pack(&packed, json);
    change_guard_text(c, "result", (struct span){ packed.s, packed.len });
    str_free(&packed);
}

void change_guard_int(struct change *c, const char *name, int64_t n)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)n);
    change_guard_text(c, name, (struct span){ text, (size_t)len });
}

void change_mail(struct change *c, struct span json, int64_t ttl_ms)
{
    c->mail = keep(c, xmemdupz(json.s, json.len), json.len);
    c->mail_ttl_ms = ttl_ms;
}

void change_error(struct change *c, const struct request_error *error)
{
    struct str b = STR_INIT;
    str_adds(&b, "{\"code\":");
    str_add_json(&b, error->code, strlen(error->code));
    str_adds(&b, ",\"message\":");
    str_add_json(&b, error->message, strlen(error->message));
    str_addf(&b, ",\"retryable\":%s}", error->retryable ? "true" : "false");
    set_document(c, DOC_ERROR, keep_str(c, &b));
    change_text(c, DOC_MESSAGE, error->message);
    change_status(c, REQUEST_FAILED);
}

void change_leg(struct change *c, const struct request *rq, const char *suffix, int64_t n, const char *call)
{
    struct str id = STR_INIT;
    str_addf(&id, "%s.%s", rq->hash, suffix);
    if (n > 0)
        str_add_int(&id, n);
    struct span kept = keep_str(c, &id), service = { NULL, 0 };
    if (call) { /* a call on the side may outlive its request (request_begin) */
        struct str payload = STR_INIT;
        str_adds(&payload, "{\"service\":");
        str_add_span(&payload, document_sound(&rq->doc, DOC_SERVICE));
        str_adds(&payload, ",\"locale\":");
        str_add_span(&payload, document_sound(&rq->doc, DOC_LOCALE));
        str_addc(&payload, '}');
        service = keep_str(c, &payload);
    }
    c->leg = (struct job_new){ .id = kept.s,
                               .type = "service",
                               .request_hash = rq->hash,
                               .payload = service.s,
                               .call = call,
                               .code = call ? 0 : n,
                               .run = rq->guard.run };
}

static void change_reset(struct change *c)
{
    for (size_t i = 0; i < c->memory_count; i++)
        free(c->memory[i]);
    *c = (struct change){ .to = -1 };
}

/* --- writing --- */

/* Nobody enters one any more, and ended requests are most of what lies in Redis. */
static void forget_code(struct change *c)
{
    change_guard_int(c, "code_until", 0);
    change_guard_int(c, "resend_at", 0);
    change_guard_text(c, "leg", SPAN(""));
}

/* What every change brings along: revision, times, and the clock of the estimate. */
static void stamp(struct app *app, const struct request *rq, struct change *c)
{
    int64_t now = rq->now_ms;
    bool waited = rq->status == REQUEST_OTP_REQUIRED, waits = c->to == REQUEST_OTP_REQUIRED;
    if (waits && !waited)
        change_guard_int(c, "since", now);
    if (waited && !waits && rq->guard.waiting_since_ms > 0)
        change_guard_int(c, "waited", rq->guard.waited_ms + now - rq->guard.waiting_since_ms);
    change_text(c, DOC_STATUS, request_status_name((enum request_status)c->to));
    change_int(c, DOC_REVISION, rq->guard.revision + 1);
    change_time(c, DOC_UPDATED, now);
    change_time(c, DOC_EXPIRES, now + app->house->request_ttl_s * INT64_C(1000));
    if (!request_is_final((enum request_status)c->to))
        return;
    change_time(c, DOC_COMPLETED, now);
    forget_code(c);
}

/* The request as it will be, for its history entry and its view. `text` is the new document. */
static int foresee(const struct request *rq, const struct change *c, bool silent, struct span text, struct request *next, struct err *err)
{
    *next = *rq;
    if (document_read(text, &next->doc, err) < 0)
        return -1;
    for (size_t i = 0; i < c->guard_count; i++) {
        const struct guard_row *row = guard_row(c->guard[i].name);
        if (row)
            row_set(&next->guard, row, c->guard[i].value);
    }
    next->status = (enum request_status)c->to;
    next->guard.revision += !silent;
    next->guard.check = document_check(&next->doc);
    return 0;
}

struct save {
    struct app *app;
    const struct request *rq, *next; /* as it was read; as it will be */
    const struct change *c;
    int64_t run;
    bool repairs;
    bool silent; /* guard and mailbox alone: no reader sees anything of it, so it makes no revision */
};

/* What the args about a leg borrow from. */
struct leg_args {
    struct str message; /* its notification up to the timestamp */
    struct key general, own, user;
    char code[NUMBER_SIZE], run[NUMBER_SIZE];
};

static void add_leg_message(struct str *out, const struct job_new *leg, struct span user)
{
    str_adds(out, "{\"type\":\"task_pending\",\"task_id\":");
    str_add_json(out, leg->id, strlen(leg->id));
    str_adds(out, ",\"user_id\":");
    if (user.len > 0)
        str_add_json(out, user.s, user.len);
    else
        str_adds(out, "null");
    str_adds(out, ",\"status\":\"pending\",\"timestamp\":");
}

static size_t add_leg(const struct save *s, struct span args[], struct leg_args *l)
{
    const struct job_new *leg = &s->c->leg;
    struct span user = s->rq->guard.user_id, none = SPAN("");
    size_t n = 0;
    if (!leg->id)
        return 0;
    add_leg_message(&l->message, leg, user);
    l->general = key_notifications(s->app->house);
    l->own = key_notifications_task(s->app->house, span_of(leg->id));
    l->user = key_notifications_user(s->app->house, user);
    const struct span fixed[] = {
        { l->message.s, l->message.len }, key_span(&l->general), key_span(&l->own), user.len > 0 ? key_span(&l->user) : none,
        SPAN("type"), span_of(leg->type), SPAN("status"), SPAN("pending"), SPAN("run"), span_number(l->run, leg->run),
        SPAN("request_hash"), span_of(leg->request_hash), SPAN("code"), span_number(l->code, leg->code),
    };
    for (; n < ARRAY_LEN(fixed); n++)
        args[n] = fixed[n];
    if (leg->call) {
        args[n++] = SPAN("call");
        args[n++] = span_of(leg->call);
    }
    if (leg->payload) {
        args[n++] = SPAN("payload");
        args[n++] = span_of(leg->payload);
    }
    if (user.len > 0) {
        args[n++] = SPAN("user_id");
        args[n++] = user;
    }
    return n;
}

/* Fields and values of the guard that change; `clock` always does. */
static size_t add_guard(const struct save *s, struct span args[], struct str *clock)
{
    size_t count = 0;
    for (size_t i = 0; i < s->c->guard_count; i++) {
        const struct guard_row *row = guard_row(s->c->guard[i].name);
        if (row && row->kind == GUARD_PACKED)
            continue;
        args[count++] = span_of(s->c->guard[i].name);
        args[count++] = s->c->guard[i].value;
    }
    guard_add_clock(clock, &s->next->guard);
    args[count++] = SPAN("clock");
    args[count++] = (struct span){ clock->s, clock->len };
    return count;
}

static void queue_save(const struct save *s, struct span text, struct span entry, struct span view)
{
    const struct house *house = s->app->house;
    const struct change *c = s->c;
    struct span hash = span_of(s->rq->hash);
    struct key document = key_document(hash), guard = key_guard(hash), events = key_events(hash), mailbox = key_mailbox(hash);
    struct key updates = key_updates(hash), watch = key_watch(house);
    struct span queue_name = SPAN(JOB_QUEUE_DEFAULT), leg_id = span_of(c->leg.id);
    struct key queue = key_queue(house, queue_name, "queue"), active = key_queue(house, queue_name, "active");
    struct key leg = key_job(house, queue_name, c->leg.id ? leg_id : SPAN("-")), total = key_stats(house, "total");
    struct key daily = key_stats_daily(house, s->rq->now_ms);
    const struct span keys[] = { key_span(&document), key_span(&guard),  key_span(&events), key_span(&mailbox), key_span(&queue),
                                 key_span(&active),   key_span(&leg),    key_span(&total),  key_span(&daily) };
    char number[5][24];
    snprintf(number[0], sizeof number[0], "%lld", (long long)s->next->guard.revision);
    snprintf(number[1], sizeof number[1], "%lld", (long long)house->request_ttl_s * 1000);
    snprintf(number[2], sizeof number[2], "%lld", (long long)s->run);
    snprintf(number[3], sizeof number[3], "%lld", (long long)(c->mail_ttl_ms > 0 ? c->mail_ttl_ms : 1));
    const struct span none = SPAN(""), yes = SPAN("1");
    struct leg_args leg_args = { .message = STR_INIT };
    struct str clock = STR_INIT;
    struct span args[SAVE_ARGS_MAX] = {
        s->rq->doc.text, text, span_of(request_status_name((enum request_status)c->to)), span_of(number[0]), span_of(number[1]), entry,
        key_span(&updates), view, s->run ? span_of(number[2]) : none, c->mail_clear ? yes : none, c->mail.s ? c->mail : none,
        span_of(number[3]), c->code ? yes : none, s->repairs ? yes : none, c->leg.id ? leg_id : none,
        c->unless_active.s ? c->unless_active : none,
    };
    size_t leg_fields = add_leg(s, args + 17, &leg_args), count = 17 + leg_fields;
    snprintf(number[4], sizeof number[4], "%zu", leg_fields);
    args[16] = span_of(number[4]);
    count += add_guard(s, args + count, &clock);
    redis_use_db(s->app->redis, s->app->main_db);
    if (c->watch_ms > 0) {
        char due[24];
        snprintf(due, sizeof due, "%lld", (long long)c->watch_ms);
        const struct span watch_key = key_span(&watch), watch_args[] = { span_of(due), hash };
        redis_queue_script(s->app->redis, &script_request_watch, 1, &watch_key, ARRAY_LEN(watch_args), watch_args);
    }
    redis_queue_script(s->app->redis, &script_request_save, c->leg.id ? 9 : 4, keys, (int)count, args);
    str_free(&leg_args.message);
    str_free(&clock);
}

static const struct save_answer {
    const char *word;
    int result; /* 1: written; 2: decide again; -1: refused */
    enum err_kind kind;
    const char *reason;
} save_answers[] = {
    { "saved", 1, ERR_NONE, NULL },
    { "again", 2, ERR_NONE, NULL },
    { "final", 2, ERR_NONE, NULL }, /* it ended meanwhile: the next reading says how */
    { "gone", -1, ERR_NOT_FOUND, "does not exist any more" },
    { "stale", -1, ERR_STALE, "is being carried out by another run" },
};

/* An ended request of which everybody knows needs no look any more. Nobody waits for it: a look finds out as well. */
static void post_unwatch(struct app *app, const char *hash, enum request_status status)
{
    struct key watch = key_watch(app->house);
    if (!request_is_final(status))
        return;
    redis_use_db(app->redis, app->main_db);
    redis_postf(app->redis, "ZREM %b %s", watch.s, watch.len, hash);
}

static int take_save(const struct save *s, struct err *err)
{
    const struct reply *replies, *last;
    size_t count;
    if (redis_exchange(s->app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    last = &replies[count - 1];
    struct span word = last->count > 0 ? reply_text(&last->item[0]) : (struct span){ NULL, 0 };
    for (size_t i = 0; i < ARRAY_LEN(save_answers); i++)
        if (span_is(word, save_answers[i].word)) {
            if (save_answers[i].result < 0)
                err_set(err, save_answers[i].kind, "request %s %s", s->rq->hash, save_answers[i].reason);
            if (save_answers[i].result == 1 && s->c->code && last->count > 1)
                str_add_span(s->c->code, reply_text(&last->item[1]));
            if (save_answers[i].result == 1 && s->rq->guard.listeners.len == 0)
                post_unwatch(s->app, s->rq->hash, (enum request_status)s->c->to);
            return save_answers[i].result;
        }
    return err_set(err, ERR_FAILED, "request_save.lua gave an answer that is not known here");
}

static int write_change(struct save *s, struct err *err)
{
    struct str text = STR_INIT, entry = STR_INIT, view = STR_INIT;
    struct request next;
    int result = -1;
    if (raw_set(&text, s->rq->doc.text, s->c->doc, s->c->doc_count) < 0)
        err_set(err, ERR_FAILED, "the document of request %s is not a JSON object", s->rq->hash);
    else if (foresee(s->rq, s->c, s->silent, (struct span){ text.s, text.len }, &next, err) == 0) {
        if (!s->silent) {
            document_add_entry(&entry, &next.doc);
            view_add_stored(&view, &next, request_service(s->app, &next));
        }
        s->next = &next;
        queue_save(s, (struct span){ text.s, text.len }, (struct span){ entry.s, entry.len }, (struct span){ view.s, view.len });
        result = take_save(s, err);
        s->next = NULL;
    }
    str_free(&text);
    str_free(&entry);
    str_free(&view);
    return result;
}

/* --- the loop --- */

/* One reading into *rq; a foreign document is recorded first unless `repairs`. 1, 0 gone, 2 read again, -1. */
static int read_for_change(struct app *app, struct span hash, bool repairs, struct request *rq, struct err *err)
{
    const struct reply *replies;
    size_t count;
    bool foreign = false;
    request_queue(app, hash);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    int found = request_take(app, hash, replies + count - REQUEST_REPLIES, rq, &foreign, err);
    if (found == 1 && !repairs && foreign)
        return request_adopt(app, hash, err) < 0 ? -1 : 2;
    return found;
}

static int decide_and_write(struct app *app, const struct request *rq, int64_t run, bool repairs, change_decide decide, void *ctx,
                            struct change *c, struct err *err)
{
    bool final = request_is_final(rq->status);
    int result = decide(app, rq, c, ctx, err);
    if (result < 0 && final && err && err->kind == ERR_STATE)
        err_set(err, ERR_FINAL, "request %s has ended: it is %s", rq->hash, request_status_name(rq->status));
    if (result <= 0)
        return result;
    if (c->to < 0)
        c->to = (int)rq->status;
    if (final && !repairs)
        return c->to == (int)rq->status ? 0
                                        : err_set(err, ERR_FINAL, "request %s has ended: it is %s", rq->hash,
                                                  request_status_name(rq->status));
    if (run != 0 && rq->guard.run != 0 && rq->guard.run != run)
        return err_set(err, ERR_STALE, "run %lld of request %s is over", (long long)run, rq->hash);
    if (!repairs && !request_may(rq->status, (enum request_status)c->to))
        return err_set(err, ERR_STATE, "request %s is %s and cannot become %s", rq->hash, request_status_name(rq->status),
                       request_status_name((enum request_status)c->to));
    change_seal(app, rq, c);
    bool silent = !repairs && c->doc_count == 0 && c->to == (int)rq->status;
    if (!silent)
        stamp(app, rq, c);
    return write_change(&(struct save){ .app = app, .rq = rq, .c = c, .run = run, .repairs = repairs, .silent = silent }, err);
}

/* It has just come to this, or had before somebody tried to change it: then that may be a bot, which cannot tell. What cannot be told now is
 * told by whoever looks that nothing is forgotten. */
static void tell_listeners(struct app *app, const struct listener_news *news, enum request_status before, enum request_status now)
{
    struct err err = ERR_INIT;
    if (news->lines.len == 0 || !listener_hears(now) || (now == before && !request_is_final(now)))
        return;
    if (listener_tell(app, news, now, now == before ? news->updated_ms : house_now_ms(app->house), &err) == 0)
        post_unwatch(app, news->hash, now);
    else
        log_event(LOG_DEBUG, LOG_FIELDS("request", news->hash), "who listens is told later: %s", err.text);
}

/* Decide, write, tell. Results as those of decide_and_write. */
static int change_once(struct app *app, const struct request *rq, int64_t run, bool repairs, change_decide decide, void *ctx, struct err *err)
{
    struct change c = { .to = -1 };
    struct listener_news news = { .lines = STR_INIT };
    enum request_status before = rq->status;
    listener_note(&news, rq);
    int result = decide_and_write(app, rq, run, repairs, decide, ctx, &c, err);
    if (result == 1)
        tell_listeners(app, &news, before, (enum request_status)c.to);
    else if (result <= 0 && request_is_final(before))
        tell_listeners(app, &news, before, before);
    listener_forget(&news);
    change_reset(&c);
    return result;
}

static int change_loop(struct app *app, struct span hash, int64_t run, bool repairs, change_decide decide, void *ctx, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + CHANGE_NEXT_TRY_MS;
    for (unsigned spread_us = 500;; spread_us = spread_us < 50000 ? spread_us * 2 : spread_us) {
        struct request rq;
        int result = read_for_change(app, hash, repairs, &rq, err);
        if (result == 0)
            return err_set(err, ERR_NOT_FOUND, "request %.*s does not exist any more", (int)hash.len, hash.s);
        if (result == 1)
            result = change_once(app, &rq, run, repairs, decide, ctx, err);
        if (result != 2)
            return result;
        if (clock_mono_ms() >= until_ms)
            return err_set(err, ERR_FULL, "request %.*s is being written by too many at once; try again", (int)hash.len, hash.s);
        usleep(rnd_below(spread_us));
    }
}

int change_make(struct app *app, struct span hash, int64_t run, change_decide decide, void *ctx, struct err *err)
{
    return change_loop(app, hash, run, false, decide, ctx, err);
}

int change_adopt(struct app *app, struct span hash, change_decide decide, void *ctx, struct err *err)
{
    return change_loop(app, hash, 0, true, decide, ctx, err);
}
