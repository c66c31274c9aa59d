/* otp.c: the one-time code of a request */
#include "core/otp.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "core/change.h"

enum { GIVE_UP_MS = 60000, LEG_LOOK_MS = 2000, CODE_MAX = 32 };
enum { CLOCKS_PART_MS = 50 }; /* who shows a code may think that it is a little earlier than who made it: no second more for that */

/* For a request whose service is not there (any more): what section 6 of the contract gives. */
static const struct service_code default_code = { true, 5, 120, 3, 5, 60, 3 };

const struct service_code *otp_policy(const struct service *service)
{
    return service && service->code.used ? &service->code : &default_code;
}

/* --- otp_data as text --- */

struct otp_text {
    struct span handle; /* JSON; absent: null */
    int64_t until_ms, length, attempts, resends, resent_ms; /* resent_ms 0: never */
    struct span message; /* JSON string; absent: null */
};

static void add_time(struct str *b, int64_t ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(ms, text);
    str_add_json(b, text, strlen(text));
}

static void set_otp_data(struct change *c, const struct otp_text *t)
{
    struct str b = STR_INIT;
    str_adds(&b, "{\"hash\":");
    str_add_span(&b, t->handle.s ? t->handle : SPAN("null"));
    str_adds(&b, ",\"expires_at\":");
    add_time(&b, t->until_ms);
    str_adds(&b, ",\"message\":");
    str_add_span(&b, t->message.s ? t->message : SPAN("null"));
    str_addf(&b, ",\"length\":%lld,\"attempts\":%lld,\"resends\":%lld,\"resent_at\":", (long long)t->length, (long long)t->attempts,
             (long long)t->resends);
    if (t->resent_ms > 0)
        add_time(&b, t->resent_ms);
    else
        str_adds(&b, "null");
    str_addc(&b, '}');
    change_json(c, DOC_OTP, (struct span){ b.s, b.len });
    str_free(&b);
}

/* The present otp_data, to be edited and set again. */
static struct otp_text get_otp_data(const struct request *rq, const struct service *service)
{
    struct span resent = document_otp(&rq->doc, "resent_at");
    int64_t resent_ms = resent.len > 2 ? clock_parse_rfc3339((struct span){ resent.s + 1, resent.len - 2 }) : 0;
    return (struct otp_text){ .handle = document_otp(&rq->doc, "hash"),
                              .message = document_otp(&rq->doc, "message"),
                              .until_ms = rq->guard.code_until_ms,
                              .length = raw_int(document_otp(&rq->doc, "length"), otp_policy(service)->length),
                              .attempts = rq->guard.tries,
                              .resends = rq->guard.resends,
                              .resent_ms = resent_ms > 0 ? resent_ms : 0 };
}

/* From now on code `until_ms`; the watch gives up a minute later. */
static void set_until(struct change *c, const struct request *rq, int64_t until_ms)
{
    change_guard_int(c, "code_until", until_ms);
    c->watch_ms = (until_ms > rq->now_ms ? until_ms : rq->now_ms) + GIVE_UP_MS;
}

/* --- the bot's word --- */

struct require {
    const struct service *service;
    const struct otp_ask *ask;
};

static void start_code(struct change *c, const struct request *rq, const struct service *service, const struct otp_ask *ask)
{
    const struct service_code *code = otp_policy(service);
    struct otp_text t = { .handle = ask->handle, .attempts = rq->guard.tries, .resends = rq->guard.resends };
    t.until_ms = rq->now_ms + (ask->expiry_s > 0 ? ask->expiry_s : code->seconds) * 1000;
    t.length = ask->length > 0 && ask->length <= CODE_MAX ? ask->length : code->length;
    struct str message = STR_INIT;
    const char *text = ask->message ? ask->message : "messages.waiting_for_code";
    str_add_json(&message, text, strlen(text));
    t.message = (struct span){ message.s, message.len };
    set_otp_data(c, &t);
    str_free(&message);
    c->mail_clear = true; /* what was entered before is no code of this one */
    change_text(c, DOC_MESSAGE, text);
    change_status(c, REQUEST_OTP_REQUIRED);
    change_guard_int(c, "code_tries", 0);
    change_guard_int(c, "resend_at", rq->now_ms + code->cooldown_s * INT64_C(1000));
    set_until(c, rq, t.until_ms);
}

/* Asked for already: what the first word left open is filled in, nothing is changed. */
static int fill_gaps(const struct request *rq, struct change *c, const struct require *r)
{
    struct otp_text t = get_otp_data(rq, r->service);
    bool open = (!t.handle.s || span_is(t.handle, "null")) && r->ask->handle.s && !span_is(r->ask->handle, "null");
    if (!open)
        return 0;
    t.handle = r->ask->handle;
    set_otp_data(c, &t);
    return 1;
}

static int decide_require(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct require *r = ctx;
    (void)app;
    /* A visitor may be faster than the bot's second word: a code that no leg has taken is for what was asked before. */
    bool entered = rq->status == REQUEST_OTP_VERIFYING && rq->guard.taken < rq->guard.code;
    if (rq->status == REQUEST_OTP_REQUIRED || entered)
        return fill_gaps(rq, c, r);
    if (rq->status != REQUEST_PROCESSING && rq->status != REQUEST_OTP_VERIFYING)
        return err_set(err, ERR_STATE, "request %s is %s: it cannot ask for a code", rq->hash, request_status_name(rq->status));
    start_code(c, rq, r->service, r->ask);
    return 1;
}

int otp_require(struct app *app, const struct service *service, struct span hash, int64_t run, const struct otp_ask *ask, struct err *err)
{
    return change_make(app, hash, run, decide_require, &(struct require){ service, ask }, err);
}

/* Another code is on its way: what the bot tells about it stands in the place of what it told about the one before. */
static int decide_resent(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct require *r = ctx;
    (void)app;
    (void)err;
    if (rq->status != REQUEST_OTP_REQUIRED)
        return 0;
    struct otp_text t = get_otp_data(rq, r->service);
    if (r->ask->handle.s && !span_is(r->ask->handle, "null"))
        t.handle = r->ask->handle;
    if (r->ask->length > 0 && r->ask->length <= CODE_MAX)
        t.length = r->ask->length;
    if (r->ask->expiry_s > 0) {
        t.until_ms = rq->now_ms + r->ask->expiry_s * 1000;
        set_until(c, rq, t.until_ms);
    }
    set_otp_data(c, &t);
    if (r->ask->message)
        change_text(c, DOC_MESSAGE, r->ask->message);
    return 1;
}

int otp_resent(struct app *app, const struct service *service, struct span hash, const struct otp_ask *ask, struct err *err)
{
    return change_make(app, hash, 0, decide_resent, &(struct require){ service, ask }, err);
}

/* What one of the bot's "no"s means. */
struct refusal {
    const struct service *service;
    const char *message;              /* of the bot; NULL: the catalogue's */
    const char *again, *spent, *over; /* code is still good; another must be asked for; error code when none is left */
    bool counts;                      /* uses a try */
};

static void end_without_code(struct change *c, const char *code)
{
    char message[64];
    snprintf(message, sizeof message, "errors.%s", code);
    change_error(c, &(struct request_error){ code, message, true });
}

static int decide_refuse(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct refusal *r = ctx;
    const struct service_code *code = otp_policy(r->service);
    (void)app;
    if (rq->status == REQUEST_OTP_REQUIRED)
        return 0;
    if (rq->status != REQUEST_OTP_VERIFYING && rq->status != REQUEST_PROCESSING)
        return err_set(err, ERR_STATE, "request %s is %s: no code is being judged", rq->hash, request_status_name(rq->status));
    int64_t tries = rq->guard.tries + r->counts, code_tries = rq->guard.code_tries + r->counts;
    bool code_left = r->counts && code_tries < code->tries_code && rq->guard.code_until_ms > rq->now_ms;
    bool resend_left = rq->guard.resends < code->resends;
    change_guard_int(c, "tries", tries);
    change_guard_int(c, "code_tries", code_tries);
    if (tries >= code->tries_request || (!code_left && !resend_left)) {
        end_without_code(c, r->counts ? "otp_tries" : r->over);
        return 1;
    }
    struct otp_text t = get_otp_data(rq, r->service);
    t.attempts = tries;
    if (!code_left)
        t.until_ms = rq->now_ms;
    set_otp_data(c, &t);
    set_until(c, rq, t.until_ms);
    c->mail_clear = true; /* of a code that nobody took */
    change_text(c, DOC_MESSAGE, r->message && code_left ? r->message : code_left ? r->again : r->spent);
    change_status(c, REQUEST_OTP_REQUIRED);
    return 1;
}

/* The bot's word is about a code that a leg took. A newer one that lies in the mailbox is not judged by it: then the word is a
 * repetition, its first answer got lost. */
static int decide_judged(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    bool newer = rq->status == REQUEST_OTP_VERIFYING && rq->guard.taken > 0 && rq->guard.taken < rq->guard.code;
    if (rq->guard.code == 0 && !request_is_final(rq->status))
        return err_set(err, ERR_STATE, "no code was entered for request %s that could be judged", rq->hash);
    return newer ? 0 : decide_refuse(app, rq, c, ctx, err);
}

int otp_wrong(struct app *app, const struct service *service, struct span hash, int64_t run, const char *message, struct err *err)
{
    struct refusal r = { service, message, "messages.code_wrong", "messages.code_ask_new", "otp_tries", true };
    return change_make(app, hash, run, decide_judged, &r, err);
}

int otp_expired(struct app *app, const struct service *service, struct span hash, int64_t run, const char *message, struct err *err)
{
    struct refusal r = { service, message, NULL, "messages.code_expired", "otp_expired", false };
    return change_make(app, hash, run, decide_judged, &r, err);
}

static int decide_lost(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    return rq->status == REQUEST_OTP_VERIFYING ? decide_refuse(app, rq, c, ctx, err) : 0;
}

int otp_lost(struct app *app, const struct service *service, struct span hash, int64_t run, struct err *err)
{
    struct refusal r = { service, NULL, NULL, "messages.code_lost", "otp_lost", false };
    return change_make(app, hash, run, decide_lost, &r, err);
}

static int decide_give_up(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    (void)app;
    (void)ctx;
    (void)err;
    if (rq->status != REQUEST_OTP_REQUIRED || rq->guard.code_until_ms + GIVE_UP_MS > rq->now_ms)
        return 0;
    end_without_code(c, "otp_expired");
    return 1;
}

int otp_give_up(struct app *app, struct span hash, struct err *err)
{
    return change_make(app, hash, 0, decide_give_up, NULL, err);
}

/* --- the visitor --- */

struct entered {
    const struct service *service;
    char digits[CODE_MAX + 1];
};

static int decide_submit(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct entered *e = ctx;
    int64_t length = raw_int(document_otp(&rq->doc, "length"), otp_policy(e->service)->length);
    (void)app;
    if (rq->status != REQUEST_OTP_REQUIRED)
        return err_set(err, ERR_STATE, "request %s is %s: it waits for no code", rq->hash, request_status_name(rq->status));
    if ((int64_t)strlen(e->digits) != length)
        return err_set(err, ERR_INVALID, "the code has %lld digits", (long long)length);
    if (rq->guard.tries >= otp_policy(e->service)->tries_request || rq->guard.code_tries >= otp_policy(e->service)->tries_code)
        return err_set(err, ERR_TOO_MANY, "too many wrong codes for request %s", rq->hash);
    if (rq->guard.code_until_ms <= rq->now_ms)
        return err_set(err, ERR_EXPIRED, "the code has expired; ask for another");
    int64_t number = rq->guard.code + 1;
    char mail[CODE_MAX + 16];
    int len = snprintf(mail, sizeof mail, "{\"otp\":\"%s\"}", e->digits);
    change_mail(c, (struct span){ mail, (size_t)len }, rq->guard.code_until_ms - rq->now_ms);
    change_leg(c, rq, "", number, NULL);
    c->unless_active = rq->guard.leg.s ? rq->guard.leg : span_of(rq->hash);
    change_guard_int(c, "code", number);
    change_status(c, REQUEST_OTP_VERIFYING);
    change_text(c, DOC_MESSAGE, "messages.verifying");
    c->watch_ms = rq->now_ms + LEG_LOOK_MS;
    return 1;
}

/* Digits of any script become ASCII; spaces and dashes that people put between them go. */
static int read_code(struct span code, struct entered *e)
{
    struct str digits = STR_INIT;
    size_t count = 0;
    bool good = true;
    utf8_add_latin_digits(&digits, code.s, code.len);
    for (size_t i = 0; i < digits.len && good; i++) {
        char ch = digits.s[i];
        if (ch == ' ' || ch == '-')
            continue;
        good = ch >= '0' && ch <= '9' && count < CODE_MAX;
        if (good)
            e->digits[count++] = ch;
    }
    e->digits[count] = '\0';
    str_free(&digits);
    return good && count > 0 ? 0 : -1;
}

int otp_submit(struct app *app, const struct service *service, struct span hash, struct span code, struct err *err)
{
    struct entered e = { .service = service };
    if (!utf8_valid(code.s, code.len) || read_code(code, &e) < 0)
        e.digits[0] = '\0'; /* the state is looked at first: a request that waits for no code says so */
    return change_make(app, hash, 0, decide_submit, &e, err);
}

/* May another code be asked for now? 0 or -1. */
static int check_resend(const struct request *rq, const struct service *service, struct err *err)
{
    if (rq->status != REQUEST_OTP_REQUIRED)
        return err_set(err, ERR_STATE, "request %s is %s: it waits for no code", rq->hash, request_status_name(rq->status));
    if (rq->guard.resends >= otp_policy(service)->resends)
        return err_set(err, ERR_TOO_MANY, "no further code can be sent for request %s", rq->hash);
    if (rq->guard.resend_at_ms > rq->now_ms) {
        err_set(err, ERR_TOO_MANY, "another code can be sent in a moment");
        if (err)
            err->retry_after_s = (int)((rq->guard.resend_at_ms - rq->now_ms + 999) / 1000);
        return -1;
    }
    return 0;
}

static int decide_resend(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    const struct service *service = ctx;
    const struct service_code *code = otp_policy(service);
    (void)app;
    if (check_resend(rq, service, err) < 0)
        return -1;
    struct otp_text t = get_otp_data(rq, service);
    t.until_ms = rq->now_ms + code->seconds * INT64_C(1000);
    t.resends = rq->guard.resends + 1;
    t.resent_ms = rq->now_ms;
    set_otp_data(c, &t);
    set_until(c, rq, t.until_ms);
    change_guard_int(c, "resends", t.resends);
    change_guard_int(c, "code_tries", 0);
    change_guard_int(c, "resend_at", rq->now_ms + code->cooldown_s * INT64_C(1000));
    change_text(c, DOC_MESSAGE, "messages.code_resent");
    change_mail(c, SPAN("{\"resend\":true}"), code->seconds * INT64_C(1000));
    if (service && service->calls_resend)
        change_leg(c, rq, "resend.", t.resends, "resend-otp");
    return 1;
}

bool otp_mobile(const struct app *app, const struct service *service, struct span data, char who[LIMIT_WHO_LEN + 1])
{
    who[0] = '\0';
    if (!otp_policy(service)->used || !limit_is_on(app->house))
        return false;
    for (size_t i = 0; i < service->field_count && !who[0]; i++) {
        struct span number = rules_mobile(service->fields[i].rules) ? raw_get(data, service->fields[i].name) : SPAN("");
        if (number.len > 2)
            limit_who(app->house, LIMIT_BY_MOBILE, (struct span){ number.s + 1, number.len - 2 }, who);
    }
    return who[0] != '\0';
}

/* May the number that the request's codes go to get one more? Asked only when nothing else refuses it; the same resend counts once. 0 or -1. */
static int count_resend(struct app *app, const struct service *service, struct span hash, struct err *err)
{
    struct key guard = key_guard(hash);
    struct request rq;
    char who[LIMIT_WHO_LEN + 1], name[HASH_SIZE + NUMBER_SIZE];
    if (!limit_is_on(app->house) || request_read(app, hash, &rq, NULL) <= 0 || check_resend(&rq, service, NULL) < 0)
        return 0; /* the change says why */
    snprintf(name, sizeof name, "%s.%lld", rq.hash, (long long)rq.guard.resends + 1);
    const struct reply *mobile = redis_do(app->redis, err, "HGET %b mobile", guard.s, guard.len);
    if (!mobile)
        return -1;
    struct span stored = reply_text(mobile);
    if (stored.len != LIMIT_WHO_LEN)
        return 0;
    memcpy(who, stored.s, LIMIT_WHO_LEN + 1);
    struct limit_thing thing = { { limit_bucket(app->house, LIMIT_MOBILE, LIMIT_BY_MOBILE, who) }, 1 };
    thing.bucket[0].once = span_of(name);
    struct limit_verdict verdict;
    return limit_ask(app, &thing, &verdict, err) > 0 ? 0 : -1;
}

int otp_resend(struct app *app, const struct service *service, struct span hash, struct err *err)
{
    if (count_resend(app, service, hash, err) < 0)
        return -1;
    return change_make(app, hash, 0, decide_resend, (void *)service, err);
}

int otp_push_leg(struct app *app, struct span hash, struct err *err)
{
    struct request rq;
    int found = request_read(app, hash, &rq, err);
    if (found <= 0 || rq.status != REQUEST_OTP_VERIFYING || rq.guard.taken >= rq.guard.code)
        return found < 0 ? -1 : 0;
    struct key mailbox = key_mailbox(hash);
    int64_t number = rq.guard.code, run = rq.guard.run;
    char id[HASH_SIZE + 24], user[128];
    snprintf(user, sizeof user, "%.*s", (int)rq.guard.user_id.len, rq.guard.user_id.s ? rq.guard.user_id.s : "");
    snprintf(id, sizeof id, "%s.%lld", rq.hash, (long long)number);
    const struct reply *length = redis_do(app->redis, err, "LLEN %b", mailbox.s, mailbox.len);
    if (!length)
        return -1;
    if (reply_int(length, 0) == 0)
        return 0;
    return job_push(app, &(struct job_new){ .id = id, .type = "service", .request_hash = rq.hash, .user_id = user, .code = number, .run = run }, NULL, err);
}

/* --- what somebody wrote past the guard --- */

/* The words of a bot that wrote past the guard. False: it said nothing. */
static bool read_words(struct span raw, struct str *out)
{
    if (!raw_string(raw, out) || out->len == 0)
        return false;
    out->len = utf8_clip(out->s, out->len, CHANGE_WRITTEN_MAX);
    out->s[out->len] = '\0';
    return true;
}

/* A bot that holds out for the code judged it: that is no new code, and it counts. */
static bool adopt_verdict(struct change *c, const struct request *rq, const struct service *service)
{
    bool judged = rq->status == REQUEST_OTP_VERIFYING || (rq->status == REQUEST_PROCESSING && rq->guard.code > 0);
    if (!judged || !raw_is(document_otp(&rq->doc, "reason"), "wrong"))
        return false;
    struct str said = STR_INIT;
    bool told = read_words(rq->doc.field[DOC_MESSAGE], &said);
    struct refusal r = { service, told ? said.s : NULL, "messages.code_wrong", "messages.code_ask_new", "otp_tries", true };
    decide_refuse(NULL, rq, c, &r, NULL);
    str_free(&said);
    return true;
}

void otp_adopt(struct change *c, const struct request *rq, const struct service *service)
{
    if (adopt_verdict(c, rq, service))
        return;
    struct span expires = document_otp(&rq->doc, "expires_at");
    int64_t until_ms = expires.len > 2 ? clock_parse_rfc3339((struct span){ expires.s + 1, expires.len - 2 }) : -1;
    int64_t expiry_s = raw_int(document_otp(&rq->doc, "expiry"), 0);
    if (until_ms > rq->now_ms)
        expiry_s = (until_ms - rq->now_ms + 999) / 1000;
    struct str message = STR_INIT;
    bool told = read_words(document_otp(&rq->doc, "message"), &message);
    struct otp_ask ask = { .handle = document_otp(&rq->doc, "hash"),
                           .expiry_s = expiry_s > 0 && expiry_s <= 86400 ? expiry_s : 0,
                           .length = raw_int(document_otp(&rq->doc, "length"), 0),
                           .message = told ? message.s : NULL };
    start_code(c, rq, service, &ask);
    str_free(&message);
}

/* --- looking --- */

void otp_look(const struct request *rq, const struct service *service, struct otp_state *out)
{
    const struct service_code *code = otp_policy(service);
    int64_t of_code = code->tries_code - rq->guard.code_tries, of_request = code->tries_request - rq->guard.tries;
    int64_t left_ms = rq->guard.code_until_ms - rq->now_ms, resend_ms = rq->guard.resend_at_ms - rq->now_ms;
    out->expires_in_s = left_ms > CLOCKS_PART_MS ? (left_ms - CLOCKS_PART_MS + 999) / 1000 : left_ms > 0;
    out->resend_in_s = resend_ms > 0 ? (resend_ms + 999) / 1000 : 0;
    if (out->resend_in_s > code->cooldown_s)
        out->resend_in_s = code->cooldown_s;
    if (rq->guard.resends >= code->resends)
        out->resend_in_s = -1;
    out->attempts_left = of_code < of_request ? of_code : of_request;
    if (out->attempts_left < 0)
        out->attempts_left = 0;
    out->length = raw_int(document_otp(&rq->doc, "length"), code->length);
}
