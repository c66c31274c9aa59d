/* api_bots.c: what bots report of the requests that they work on: /api/internal/local-requests. Its sentences are for programmers, in English. */
#include "web/api.h"

#include "core/otp.h"
#include "core/view.h"
#include "web/dispatch.h"
#include "web/route.h"

enum { EXPIRY_MAX_S = 86400, LENGTH_MAX = 32, CODE_MAX = 64, TEXT_MAX = 4000, HANDLE_MAX = 1000 };

/* --- members of the bodies, as they stand in the text, so that a result keeps its bytes --- */

static bool between(struct span value, int64_t least, int64_t most)
{
    int64_t n = raw_int(value, least - 1);

    return n >= least && n <= most && !memchr(value.s, '.', value.len);
}

static bool is_percent(struct span value)
{
    return between(value, 0, 100);
}

static bool is_expiry(struct span value)
{
    return between(value, 1, EXPIRY_MAX_S);
}

static bool is_length(struct span value)
{
    return between(value, 1, LENGTH_MAX);
}

static bool is_run(struct span value)
{
    return between(value, 1, INT64_MAX);
}

static bool is_text(struct span value)
{
    return value.s[0] == '"' && value.len <= TEXT_MAX;
}

static bool is_handle(struct span value)
{
    return value.len <= HANDLE_MAX;
}

static bool is_object(struct span value)
{
    return value.s[0] == '{';
}

static bool is_flag(struct span value)
{
    return span_is(value, "true") || span_is(value, "false");
}

static bool is_reason(struct span value)
{
    return raw_is(value, "wrong") || raw_is(value, "expired");
}

static bool is_code(struct span value)
{
    for (size_t i = 1; i + 1 < value.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", value.s[i]))
            return false;
    return value.s[0] == '"' && value.len > 2 && value.len <= CODE_MAX + 2;
}

enum member { PROGRESS, STEP, MESSAGE, HANDLE, EXPIRY, LENGTH, REASON, DATA, CODE, RETRYABLE, MEMBERS };
#define BIT(member) (1U << (member))

static const struct {
    const char *name;
    bool (*good)(struct span value);
    const char *must;
} members[MEMBERS] = {
    [PROGRESS] = { "progress", is_percent, "It must be a whole number from 0 to 100." },
    [STEP] = { "step", is_text, "It must be the id of a step, as text of at most 4000 bytes." },
    [MESSAGE] = { "message", is_text, "It must be a text of at most 4000 bytes." },
    [HANDLE] = { "hash", is_handle, "It must be a value of at most 1000 bytes, which is handed back as it is." },
    [EXPIRY] = { "expiry", is_expiry, "It must be a whole number of seconds from 1 to 86400." },
    [LENGTH] = { "length", is_length, "It must be a whole number from 1 to 32." },
    [REASON] = { "reason", is_reason, "It must be \"wrong\" or \"expired\"." },
    [DATA] = { "data", is_object, "It must be an object." },
    [CODE] = { "code", is_code, "It must be a text of 1 to 64 letters, digits, _ and -." },
    [RETRYABLE] = { "retryable", is_flag, "It must be true or false." },
};

struct report {
    int64_t run;                    /* 0: whichever it is */
    const struct service *service;  /* of the request; NULL: there is none (any more) */
    struct span value[MEMBERS];     /* absent, or null: .s NULL */
    struct str step, message, code; /* decoded */
};

/* What each report is made of, and what core does with it: its results (core/request.h). */
struct kind {
    unsigned allowed;           /* members */
    int (*tell)(struct app *app, struct span hash, const struct report *r, struct err *err);
};

static bool is_allowed(const struct kind *kind, const char *name)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if ((kind->allowed & BIT(i)) && strcmp(members[i].name, name) == 0)
            return true;
    return false;
}

static void check_members(const struct exchange *x, const struct kind *kind, const struct report *r, struct str *errors)
{
    if (x->json) {
        FORM_EACH_MEMBER(i, x->json)
            if (!is_allowed(kind, json_object_iter_peek_name(&i)))
                api_add_error(errors, json_object_iter_peek_name(&i), "There is no such member here.");
    }
    for (size_t i = 0; i < MEMBERS; i++)
        if ((kind->allowed & BIT(i)) && r->value[i].s && !members[i].good(r->value[i]))
            api_add_error(errors, members[i].name, members[i].must);
}

static void decode(struct span value, struct str *out)
{
    str_reset(out);
    if (value.s)
        raw_string(value, out);
}

static void free_report(struct report *r)
{
    str_free(&r->step);
    str_free(&r->message);
    str_free(&r->code);
}

/* False: the answer says what is wrong. */
static bool read_members(struct exchange *x, const struct kind *kind, struct report *r)
{
    const char *names[MEMBERS];
    struct str errors = STR_INIT;
    struct span run = x->param[PARAM_RUN];
    bool good;

    for (size_t i = 0; i < MEMBERS; i++)
        names[i] = members[i].name;
    raw_get_many((struct span){ x->body.s, x->body.len }, names, r->value, MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++)
        if (span_is(r->value[i], "null"))
            r->value[i].s = NULL;
    check_members(x, kind, r, &errors);
    if (run.len > 0 && !is_run(run))
        api_add_error(&errors, "Peygir-Run", "This header must be the run that the call named.");
    good = errors.len == 0;
    if (!good)
        api_refuse_members(x, &errors);
    str_free(&errors);
    r->run = raw_int(run, 0);
    decode(r->value[STEP], &r->step);
    decode(r->value[MESSAGE], &r->message);
    decode(r->value[CODE], &r->code);
    return good;
}

/* --- what they are --- */

/* NULL: nothing was said. */
static const char *said(const struct report *r, enum member member, const struct str *text)
{
    return r->value[member].s ? text->s : NULL;
}

static int tell_progress(struct app *app, struct span hash, const struct report *r, struct err *err)
{
    int progress = (int)raw_int(r->value[PROGRESS], -1);

    return request_progress(app, hash, r->run, progress, said(r, STEP, &r->step), said(r, MESSAGE, &r->message), err);
}

static int tell_code(struct app *app, struct span hash, const struct report *r, struct err *err)
{
    const char *message = said(r, MESSAGE, &r->message);
    const struct otp_ask ask = { .handle = r->value[HANDLE], .expiry_s = raw_int(r->value[EXPIRY], 0), .length = raw_int(r->value[LENGTH], 0),
                                 .message = message };

    if (raw_is(r->value[REASON], "wrong"))
        return otp_wrong(app, r->service, hash, r->run, message, err);
    if (raw_is(r->value[REASON], "expired"))
        return otp_expired(app, r->service, hash, r->run, message, err);
    return otp_require(app, r->service, hash, r->run, &ask, err);
}

static int tell_completed(struct app *app, struct span hash, const struct report *r, struct err *err)
{
    return request_complete(app, hash, r->run, r->value[DATA].s ? r->value[DATA] : SPAN("{}"), err);
}

static int tell_failed(struct app *app, struct span hash, const struct report *r, struct err *err)
{
    const struct request_error error = { .code = r->code.len ? r->code.s : "bot_error",
                                         .message = r->message.len ? r->message.s : "errors.failed",
                                         .retryable = span_is(r->value[RETRYABLE], "true") };

    return request_fail(app, hash, r->run, &error, err);
}

static const struct kind progress = { BIT(PROGRESS) | BIT(STEP) | BIT(MESSAGE), tell_progress };
static const struct kind code_needed = { BIT(HANDLE) | BIT(EXPIRY) | BIT(MESSAGE) | BIT(LENGTH) | BIT(REASON), tell_code };
static const struct kind completed = { BIT(DATA), tell_completed };
static const struct kind failed = { BIT(CODE) | BIT(MESSAGE) | BIT(DATA) | BIT(RETRYABLE), tell_failed };

/* --- the routes --- */

/* The request as it is now, if the token is one for its service. */
static enum problem read_request(struct exchange *x)
{
    int found = request_read(&x->seat->app, x->hash, &x->request, &x->err);

    if (found < 0)
        return exchange_fail(x);
    if (found == 0)
        return PROBLEM_NOT_FOUND;
    return token_covers(&x->program, request_slug(&x->request)) ? PROBLEM_NONE : exchange_say(x, PROBLEM_FORBIDDEN, "json.token_service");
}

static enum problem answer_state(struct exchange *x)
{
    enum problem problem = read_request(x);

    if (problem != PROBLEM_NONE)
        return problem;
    view_add(api_json(x, 200), &x->request, request_service(&x->seat->app, &x->request), x->locale);
    return PROBLEM_NONE;
}

/* Its service decides how long a code is and how often it may be entered. */
static enum problem tell(struct exchange *x, const struct kind *kind, struct report *r)
{
    struct app *app = &x->seat->app;
    enum problem problem = read_request(x);

    if (problem != PROBLEM_NONE)
        return problem;
    if (r->run > 0 && r->run != x->request.guard.run)
        return exchange_say(x, PROBLEM_CONFLICT, "json.run_over");
    r->service = request_service(app, &x->request);
    return kind->tell(app, x->hash, r, &x->err) < 0 ? exchange_fail(x) : answer_state(x);
}

static enum problem report(struct exchange *x, const struct kind *kind)
{
    struct report r = { .run = 0 };
    enum problem problem = PROBLEM_NONE;

    if (x->body.len > 0 && !json_object_is_type(x->json, json_type_object))
        return exchange_say(x, PROBLEM_INVALID, "json.not_object");
    if (read_members(x, kind, &r))
        problem = tell(x, kind, &r);
    free_report(&r);
    return problem;
}

enum problem api_bot_progress(struct exchange *x)
{
    return report(x, &progress);
}

enum problem api_bot_code(struct exchange *x)
{
    return report(x, &code_needed);
}

enum problem api_bot_completed(struct exchange *x)
{
    return report(x, &completed);
}

enum problem api_bot_failed(struct exchange *x)
{
    return report(x, &failed);
}

enum problem api_bot_state(struct exchange *x)
{
    return answer_state(x);
}
