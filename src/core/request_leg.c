/* request_leg.c: a job takes its request up */
#include "core/change.h"
#include "core/otp.h"

enum { LOCALE_MAX = 35 }; /* RFC 5646 4.4.1 */

struct begin {
    const struct job *job;
    enum request_begin what;
    enum request_status status;
    struct str *slug, *body, *locale;
    struct str code; /* the mail that the leg took: {"otp":"..."} */
    bool lost;       /* its code was handed out before, to a leg that died */
};

/* The first leg of a run: pending goes on to processing; a run that starts again starts at the beginning. */
static void begin_first(struct app *app, const struct request *rq, struct change *c, const struct begin *b)
{
    const struct service *service = request_service(app, rq);
    bool again = rq->status == REQUEST_PROCESSING;
    change_status(c, REQUEST_PROCESSING);
    change_text(c, DOC_MESSAGE, again ? "messages.retrying" : "messages.started");
    change_int(c, DOC_PROGRESS, 0);
    if (service && service->step_count > 0)
        change_text(c, DOC_STEP, service->steps[0].id);
    change_guard_int(c, "started", rq->now_ms);
    change_guard_int(c, "waited", 0);
    change_guard_text(c, "leg", span_of(b->job->id));
}

/* 0; -1: the form's values cannot be opened any more. */
static int add_body(const struct app *app, const struct request *rq, struct begin *b)
{
    struct str hash = STR_INIT, data = STR_INIT;
    if (!b->job->call && rq->doc.field[DOC_DATA].s && request_open(app, rq, DOC_DATA, &data, NULL) < 0)
        return -1;
    str_add_json(&hash, rq->hash, HASH_LEN);
    struct raw_member members[3] = { { "requestHash", { hash.s, hash.len } } };
    size_t count = 1;
    if (b->job->code > 0) /* the code itself is put in when the mailbox has given it */
        members[count++] = (struct raw_member){ "otp", SPAN("\"\"") };
    if (b->job->code > 0 || b->job->call)
        members[count++] = (struct raw_member){ "otpData", document_value(&rq->doc, DOC_OTP) };
    str_reset(b->body);
    if (b->job->call || raw_set(b->body, (struct span){ data.s, data.len }, members, count) < 0) {
        str_reset(b->body);
        raw_set(b->body, SPAN("{}"), members, count);
    }
    str_free(&hash);
    str_free(&data);
    return 0;
}

/* Nobody can carry it out. */
static void end_unreadable(struct change *c, struct begin *b)
{
    change_error(c, &(struct request_error){ "unreadable", "errors.unreadable", false });
    c->code = NULL;
    b->what = BEGIN_ENDED;
    b->status = REQUEST_FAILED;
}

/* A raw string that a header can hold: whoever writes into Redis may leave anything there. */
static void set_locale(struct begin *b, struct span json)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    if (!b->locale)
        return;
    str_reset(b->locale);
    if (json.len > 2 && json.len <= LOCALE_MAX + 2 && json.s[0] == '"' && strspn(json.s + 1, plain) == json.len - 2)
        str_add(b->locale, json.s + 1, json.len - 2);
}

static int take_up(struct app *app, const struct request *rq, struct change *c, struct begin *b, struct err *err)
{
    const struct job *job = b->job;
    struct span slug = request_slug(rq);
    b->status = rq->status;
    str_reset(b->slug);
    str_add_span(b->slug, slug.s ? slug : SPAN(""));
    set_locale(b, rq->doc.field[DOC_LOCALE]);
    str_reset(&b->code);
    b->lost = false;
    if (rq->guard.run > job->run && !job->call)
        return err_set(err, ERR_STALE, "run %lld of request %s is over", (long long)job->run, rq->hash);
    b->what = BEGIN_ENDED;
    bool cancelling = job->call && strcmp(job->call, "cancel") == 0;
    if (request_is_final(rq->status) && !cancelling)
        return 0;
    b->what = BEGIN_CALL;
    if (job->call)
        return 0;
    change_guard_int(c, "run", job->run);
    if (job->code == 0) {
        bool later = rq->guard.taken > 0; /* a leg with a code has gone on from here */
        if (!later && (rq->status == REQUEST_PENDING || rq->status == REQUEST_PROCESSING)) {
            begin_first(app, rq, c, b);
            return 1;
        }
        /* It died after the code was sent: another call would send a second one. The next leg goes on from here. */
        b->what = BEGIN_NOTHING;
        return 0;
    }
    b->what = BEGIN_NOTHING;
    if (rq->status != REQUEST_OTP_VERIFYING || rq->guard.code != job->code)
        return 0;
    b->lost = rq->guard.taken >= job->code;
    if (b->lost)
        return 0;
    b->what = BEGIN_CALL;
    c->code = &b->code;
    change_guard_int(c, "taken", job->code);
    change_guard_text(c, "leg", span_of(job->id));
    return 1;
}

static int decide_begin(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    struct begin *b = ctx;
    int result = take_up(app, rq, c, b, err);
    if (result < 0 || b->what != BEGIN_CALL || add_body(app, rq, b) == 0)
        return result;
    end_unreadable(c, b);
    return 1;
}

/* The mail {"otp":"12345"} carries the digits exactly as the body needs them. */
static int put_code(struct begin *b)
{
    struct str whole = STR_INIT;
    struct span otp = raw_get((struct span){ b->code.s ? b->code.s : "", b->code.len }, "otp");
    int result = otp.s ? raw_set(&whole, (struct span){ b->body->s, b->body->len }, &(struct raw_member){ "otp", otp }, 1) : -1;
    if (result == 0) {
        str_free(b->body);
        *b->body = whole;
    } else {
        str_free(&whole);
    }
    return result;
}

static int report_lost(struct app *app, struct span hash, struct begin *b, struct err *err)
{
    const struct service *service = app->house->services ? services_find(app->house->services, (struct span){ b->slug->s, b->slug->len }) : NULL;
    b->what = BEGIN_NOTHING;
    return otp_lost(app, service, hash, 0, err) < 0 ? -1 : 0;
}

/* A bot is told of a cancellation also when the request was deleted right afterwards. */
static bool begin_farewell(struct begin *b)
{
    const struct job *job = b->job;
    if (!job->call || strcmp(job->call, "cancel") != 0 || !job->payload)
        return false;
    str_reset(b->slug);
    if (!raw_string(raw_get(span_of(job->payload), "service"), b->slug))
        return false;
    set_locale(b, raw_get(span_of(job->payload), "locale"));
    str_reset(b->body);
    str_adds(b->body, "{\"requestHash\":");
    str_add_json(b->body, job->request_hash, strlen(job->request_hash));
    str_adds(b->body, ",\"otpData\":null}");
    return true;
}

int request_begin(struct app *app, const struct job *job, enum request_begin *what, enum request_status *status, struct str *slug, struct str *body,
                  struct str *locale, struct err *err)
{
    struct span hash = span_of(job->request_hash);
    struct begin b = { .job = job, .what = BEGIN_NOTHING, .slug = slug, .body = body, .locale = locale, .code = STR_INIT };
    struct err local = ERR_INIT;
    int result = change_make(app, hash, 0, decide_begin, &b, &local);
    if (result < 0 && local.kind == ERR_NOT_FOUND) {
        b.what = begin_farewell(&b) ? BEGIN_CALL : BEGIN_GONE;
        result = 0;
    } else if (result >= 0 && job->code > 0 && !job->call) {
        if (b.lost || (b.what == BEGIN_CALL && put_code(&b) < 0))
            result = report_lost(app, hash, &b, &local);
    }
    if (result < 0 && err)
        *err = local;
    if (b.code.s)
        memset(b.code.s, 0, b.code.len);
    str_free(&b.code);
    *what = b.what;
    *status = b.status;
    return result < 0 ? -1 : 0;
}
