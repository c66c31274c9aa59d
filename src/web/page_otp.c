/* page_otp.c: the code page: entering the code, asking for another. */
#include "web/page.h"

#include "core/locale.h"
#include "core/otp.h"
#include "web/dispatch.h"
#include "web/otp_words.h"
#include "web/route.h"

#define FIELD "#f-otp"
#define RESEND "#resend"

static void add_url(struct exchange *x, struct json_object *data, const char *name, const char *what)
{
    str_reset(&x->scratch);
    str_addf(&x->scratch, "/services/%s/%s/%s", x->service->slug, what, x->request.hash);
    page_text(data, name, x->scratch.s);
}

/* What the bot said when it asked for the code; its silence is the catalogue's sentence. */
static void add_message(struct exchange *x, struct json_object *data, const char *length)
{
    struct span message = document_otp(&x->request.doc, "message");

    if (message.s && message.s[0] == '"' && !raw_is(message, "messages.waiting_for_code"))
        page_message(x, data, message);
    else
        page_text(data, "message", page_words(x, "otp.message", LOCALE_PARAMS("length", length)));
}

/* Something went wrong with the code before: the document's message says what, unless it is still the first one.
 * False: nothing. */
static bool is_complaint(const struct request *rq)
{
    struct span now = document_value(&rq->doc, DOC_MESSAGE), first = document_otp(&rq->doc, "message");

    if (raw_is(now, "messages.code_resent") || span_eq(now, first))
        return false;
    return rq->guard.code > 0 || (now.len > 16 && strncmp(now.s, "\"messages.code_", 15) == 0);
}

/* A refusal to send another code says nothing about the one in the field. */
static void add_error(struct exchange *x, struct json_object *data, const char *error, const char *href)
{
    struct json_object *words = NULL, *item;

    if (!error && is_complaint(&x->request)) {
        page_message(x, data, document_value(&x->request.doc, DOC_MESSAGE)); /* overwritten by add_message */
        json_object_object_get_ex(data, "message", &words);
        error = json_object_get_string(words);
    }
    page_text(data, "error", strcmp(href, FIELD) == 0 ? error : NULL);
    if (!error) {
        page_null(data, "errors");
        return;
    }
    item = page_item(page_list(page_object(data, "errors"), "list"));
    page_text(item, "href", href);
    page_span(item, "text", span_of(error));
}

static void add_times(struct exchange *x, struct json_object *data, const struct otp_state *state)
{
    page_int(data, "expires_in", state->expires_in_s);
    page_text(data, "expires_text", page_duration(x, state->expires_in_s));
    page_flag(data, "is_expired", state->expires_in_s <= 0);
    page_flag(data, "can_resend", state->resend_in_s == 0);
    page_flag(data, "no_resend", state->resend_in_s < 0);
    page_null(data, "resend_in");
    page_null(data, "resend_text");
    if (state->resend_in_s <= 0)
        return;
    page_int(data, "resend_in", state->resend_in_s);
    page_text(data, "resend_text", page_duration(x, state->resend_in_s));
}

static void add_counts(struct exchange *x, struct json_object *data, const struct otp_state *state)
{
    char *length = xstrdup(page_number(x, state->length)), *left = xstrdup(page_number(x, state->attempts_left));

    page_int(data, "length", state->length);
    page_text(data, "length_text", length);
    page_int(data, "attempts_left", state->attempts_left);
    page_text(data, "attempts_text", page_words(x, "otp.attempts", LOCALE_PARAMS("count", left)));
    add_message(x, data, length);
    free(length);
    free(left);
}

/* The code is never shown again. `error`: a sentence about the part of the page at `href`, or NULL. */
static void show(struct exchange *x, int status, const char *error, const char *href)
{
    struct json_object *data = page_data();
    struct otp_state state;
    const char *service = text_in(x->service->title, x->locale);

    otp_look(&x->request, x->service, &state);
    page_request(x, data);
    add_url(x, data, "action", "otp");
    add_url(x, data, "resend_url", "resend-otp");
    add_error(x, data, error, href);
    add_times(x, data, &state);
    add_counts(x, data, &state);
    str_reset(&x->words);
    if (json_object_object_get(data, "errors"))
        str_addf(&x->words, "%s: ", locale_text(x->locale, "title.error"));
    locale_add(x->locale, &x->words, "title.otp", LOCALE_PARAMS("service", service));
    page_answer(x, status, "otp", x->words.s, data);
}

enum problem page_otp(struct exchange *x)
{
    if (!page_elsewhere(x))
        show(x, 200, NULL, FIELD);
    return PROBLEM_NONE;
}

/* Refused: the code page again, as long as a code is waited for; else the error page, which leads to where the
 * request is now. */
static enum problem refused(struct exchange *x, bool resend)
{
    struct str sentence = STR_INIT;
    enum problem problem = otp_words_problem(x, resend);

    if (!x->has_request || x->request.status != REQUEST_OTP_REQUIRED || !x->detail)
        return problem;
    x->problem = problem;
    exchange_add_sentence(x, &sentence);
    if (x->err.retry_after_s > 0)
        exchange_header_int(x, "Retry-After", x->err.retry_after_s);
    show(x, problems[problem].status, sentence.s, resend ? RESEND : FIELD);
    x->problem = PROBLEM_NONE;
    str_free(&sentence);
    return PROBLEM_NONE;
}

static enum problem go_on(struct exchange *x, const char *where)
{
    str_reset(&x->scratch);
    str_addf(&x->scratch, "/services/%s/%s/%s", x->service->slug, where, x->request.hash);
    page_redirect(x, (struct span){ x->scratch.s, x->scratch.len });
    return PROBLEM_NONE;
}

enum problem page_otp_submit(struct exchange *x)
{
    x->has_request = false; /* what it borrowed ends with the next exchange */
    if (otp_submit(&x->seat->app, x->service, x->hash, form_get(&x->form, "otp"), &x->err) < 0)
        return refused(x, false);
    return go_on(x, "progress");
}

enum problem page_otp_resend(struct exchange *x)
{
    x->has_request = false;
    if (otp_resend(&x->seat->app, x->service, x->hash, &x->err) < 0)
        return refused(x, true);
    return go_on(x, "otp");
}
