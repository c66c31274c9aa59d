/* handler_mail.c: the mail handler: an e-mail, from a template, to one address (contract 6) */
#include "base/clock.h"
#include "base/json.h"
#include "core/job.h"
#include "core/news.h"
#include "core/rules_text.h"
#include "worker/answer.h"
#include "worker/breaker.h"
#include "worker/handler.h"
#include "worker/mailer.h"

struct call {
    uv_idle_t turn;         /* first, so that a handle is its call; never started: closing it brings what start knew already */
    const struct workshop *shop;
    struct smtp_call *smtp; /* NULL: nothing is sent */
    call_done done;
    void *ctx;
    bool cancelled;
    int64_t later_ms; /* > 0: the mail server is left alone for so long */
    struct str answer;
};

#define SERVER "mail" /* by which name it is left alone when it fails again and again */

static const char success[] = "{\"status\":\"success\"}";

/* --- what comes of it --- */

static void end(struct call *call, const struct call_result *result)
{
    call->done(call->ctx, result);
    str_free(&call->answer);
    free(call);
}

static void answer(struct call *call)
{
    end(call, &(struct call_result){ .end = CALL_ANSWERED, .answer = { call->answer.s, call->answer.len }, .detail = "" });
}

/* A server that says no is well. */
static enum breaker_word word_of(enum smtp_outcome outcome)
{
    static const enum breaker_word words[] = { [SMTP_SENT] = BREAKER_GOOD,    [SMTP_REFUSED] = BREAKER_BAD,   [SMTP_BROKEN] = BREAKER_BAD,
                                               [SMTP_UNSURE] = BREAKER_BAD,   [SMTP_PUT_OFF] = BREAKER_GOOD,  [SMTP_REJECTED] = BREAKER_GOOD,
                                               [SMTP_CANCELLED] = BREAKER_BAD /* by the job's time, usually */ };
    return words[outcome];
}

static void sent(void *ctx, const struct smtp_result *r)
{
    static const enum call_end ends[] = { [SMTP_REFUSED] = CALL_REFUSED, [SMTP_BROKEN] = CALL_BROKEN, [SMTP_UNSURE] = CALL_BROKEN,
                                          [SMTP_CANCELLED] = CALL_CANCELLED };
    struct call *call = ctx;
    breakers_tell(call->shop->breakers, SERVER, word_of(r->outcome), clock_mono_ms());
    if (r->outcome == SMTP_SENT) {
        str_adds(&call->answer, success);
        answer(call);
    } else if (r->outcome == SMTP_PUT_OFF || r->outcome == SMTP_REJECTED) {
        bool later = r->outcome == SMTP_PUT_OFF;
        answer_add_error(&call->answer, later ? "mail_put_off" : "mail_rejected", r->error, later);
        answer(call);
    } else {
        end(call, &(struct call_result){ .end = ends[r->outcome], .detail = r->error });
    }
}

static void on_turn(uv_handle_t *handle)
{
    struct call *call = (struct call *)handle;
    if (call->cancelled)
        end(call, &(struct call_result){ .end = CALL_CANCELLED, .detail = "The call was cancelled." });
    else if (call->later_ms > 0)
        end(call, &(struct call_result){ .end = CALL_LATER, .later_ms = call->later_ms,
                                         .detail = "The mail server fails again and again and is left alone for a while." });
    else
        answer(call);
}

/* --- the payload --- */

/* Members of the payload, decoded. */
struct wish {
    struct str to, template, locale;
    struct span data;
    struct str own_data; /* what data lies in, where that is not the payload */
};

static void wish_free(struct wish *w)
{
    str_free(&w->to);
    str_free(&w->template);
    str_free(&w->locale);
    str_free(&w->own_data);
}

static bool is_there(struct span value)
{
    return value.s && !span_is(value, "null");
}

/* NULL, or what is wrong with it. It quotes nothing. */
static const char *read_payload(struct span payload, struct wish *w)
{
    enum { TO, TEMPLATE, LOCALE, DATA, MEMBERS };
    static const char *const names[MEMBERS] = { "to", "template", "locale", "data" };
    struct span value[MEMBERS];
    if (json_check(payload.s, payload.len, NULL) < 0 || raw_get_many(payload, names, value, MEMBERS) < 0)
        return "The payload must be a JSON object with to and template, and locale and data as needed.";
    if (!is_there(value[TO]) || !raw_string(value[TO], &w->to) || !rules_is_email((struct span){ w->to.s, w->to.len }))
        return "The payload's to must be one e-mail address, such as user@example.org.";
    if (!is_there(value[TEMPLATE]) || !raw_string(value[TEMPLATE], &w->template))
        return "The payload must have template, the name of one.";
    if (is_there(value[LOCALE]) && !raw_string(value[LOCALE], &w->locale))
        return "The payload's locale must be the name of a language, such as fa or en.";
    if (is_there(value[DATA]))
        w->data = value[DATA];
    return NULL;
}

/* What the job of a request tells (core/news.h). 1; 0: nothing; -1. */
static int read_news(const struct mailer *m, const struct job *job, struct span payload, struct wish *w, struct err *err)
{
    struct news news = { .template = NULL };
    int rc = news_read(m->house, payload, job->id, &news, err);
    if (rc > 0) {
        w->to = news.to;
        w->locale = news.locale;
        w->own_data = news.data;
        w->data = (struct span){ news.data.s, news.data.len };
        str_adds(&w->template, news.template);
    } else {
        news_free(&news);
    }
    return rc;
}

/* 1; 0: nothing is to be sent; -1: *err says why it cannot. */
static int read_wish(const struct mailer *m, const struct job *job, struct wish *w, struct err *err)
{
    struct span payload = span_of(job->payload ? job->payload : "");
    const char *wrong;
    if (!m->from)
        return err_set(err, ERR_CONFIG, "MAIL_FROM is not set: it must be the address that mail is sent from.");
    if (json_check(payload.s, payload.len, NULL) == 0 && raw_get(payload, "listener").s)
        return read_news(m, job, payload, w, err);
    wrong = read_payload(payload, w);
    return wrong ? err_set(err, ERR_INVALID, "%s", wrong) : 1;
}

/* 1: *mail is what is to be sent to w->to; 0; -1. */
static int write_mail(const struct mailer *m, const struct job *job, struct wish *w, struct str *mail, struct err *err)
{
    int rc = read_wish(m, job, w, err);
    if (rc <= 0)
        return rc;
    const struct letter letter = { .from = m->from, .to = w->to.s, .template = w->template.s, .locale = w->locale.s,
                                   .data = w->data, .job_id = job->id, .now_ms = house_now_ms(m->house) };
    return letters_write(m->letters, &letter, mail, err) < 0 ? -1 : 1;
}

static void add_refusal(struct str *answer, const struct err *err)
{
    static const char *const codes[] = { [ERR_CONFIG] = "mail_not_set_up", [ERR_EXPIRED] = "too_late", [ERR_FAILED] = "unreadable" };
    const char *code = err->kind < ARRAY_LEN(codes) ? codes[err->kind] : NULL;
    answer_add_error(answer, code ? code : "invalid_payload", err->text, false);
}

static void *start(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    struct call *call = xcalloc(1, sizeof *call);
    struct wish wish = { .data = { NULL, 0 } };
    struct str mail = STR_INIT;
    struct err err = ERR_INIT;
    *call = (struct call){ .shop = shop, .done = done, .ctx = ctx };
    int rc = write_mail(shop->mailer, order->job, &wish, &mail, &err);
    if (rc > 0)
        call->later_ms = breakers_ask(shop->breakers, SERVER, clock_mono_ms());
    if (rc > 0 && call->later_ms == 0) {
        call->smtp = smtp_send(shop->mailer->smtp, shop->mailer->from, wish.to.s, (struct span){ mail.s, mail.len }, sent, call);
    } else {
        if (rc == 0)
            str_adds(&call->answer, success);
        else if (rc < 0)
            add_refusal(&call->answer, &err);
        uv_idle_init(shop->loop, &call->turn);
        uv_close((uv_handle_t *)&call->turn, on_turn);
    }
    wish_free(&wish);
    str_free(&mail);
    return call;
}

static void cancel(void *handle)
{
    struct call *call = handle;
    call->cancelled = true;
    if (call->smtp)
        smtp_cancel(call->smtp);
}

const struct handler handler_mail = {
    .name = "mail",
    .needs = "A payload {\"to\", \"template\", \"locale\", \"data\"}, or one that a request pushed (core/news.h); MAIL_URL and MAIL_FROM.",
    .promises = "One mail to one address; 4xx is tried again, 5xx is not; each try has the same Message-ID.",
    .start = start,
    .cancel = cancel,
};
