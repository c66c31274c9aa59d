/* leg_judge.c: what a call came to, told to the request, and what that means for the job */
#include "core/estimate.h"
#include "core/otp.h"
#include "worker/leg_part.h"

/* What went wrong with a call, for the visitor. Running it again may help with each of them. */
static const struct request_error troubles[] = {
    [CALL_ANSWERED] = { "bot_invalid", "errors.bot_invalid", true }, /* an answer that cannot be believed */
    [CALL_REFUSED] = { "bot_unavailable", "errors.bot_unavailable", true },
    [CALL_BROKEN] = { "bot_unavailable", "errors.bot_unavailable", true },
    [CALL_INVALID] = { "bot_invalid", "errors.bot_invalid", true },
    [CALL_LATER] = { "bot_unavailable", "errors.bot_unavailable", true },
    [CALL_CANCELLED] = { "bot_unavailable", "errors.bot_unavailable", true },
    [CALL_TIMED_OUT] = { "timeout", "errors.timeout", true },
    [CALL_STOPPED] = { "interrupted", "errors.interrupted", true },
};

int leg_read_answer(struct leg *leg, struct answer *answer)
{
    struct span text = { leg->answer.s, leg->answer.len };
    struct err err = ERR_INIT;
    *answer = (struct answer){ .kind = ANSWER_DONE };
    if (leg->call_end != CALL_ANSWERED)
        return -1;
    if (leg->job.call && text.len == 0 && !leg->errors_only)
        return 0; /* a call on the side needs no words */
    if (answer_read(text, answer, &err) == 0 && (!leg->errors_only || answer->kind >= ANSWER_CODE_WRONG))
        return 0;
    if (!leg->errors_only)
        leg_set_detail(leg, err.text);
    return -1;
}

/* --- a leg of a request: what cannot be done now --- */

/* A leg with a code is never called twice, for the bot has used the code. */
static int lose_code(struct app *app, struct leg *leg, const struct request_error *error, enum request_status status,
                     struct err *err)
{
    struct span hash = leg_hash(leg);
    int done = 0;
    if (status == REQUEST_OTP_VERIFYING)
        done = otp_lost(app, leg->service, hash, leg->job.run, err);
    else if (status == REQUEST_PROCESSING)
        done = otp_expired(app, leg->service, hash, leg->job.run, NULL, err);
    if (done < 0 && err->kind == ERR_STATE)
        return leg_fails(app, leg, leg->job.run, error, err);
    return done < 0 ? leg_refused(app, leg, err) : leg_ends(leg, JOB_COMPLETED, leg->detail);
}

static int try_again(struct app *app, struct leg *leg, const struct request_error *error, struct err *err)
{
    if (leg->call_end == CALL_STOPPED)
        return leg_ends(leg, JOB_GIVE_BACK, NULL);
    if (leg->job.attempts + 1 >= leg_tries(leg))
        return leg_fails(app, leg, leg->job.run, error, err);
    if (request_progress(app, leg_hash(leg), leg->job.run, -1, NULL, "messages.retrying", err) < 0)
        return leg_refused(app, leg, err);
    return leg_tries_again(leg, leg->detail ? leg->detail : error->code);
}

/* The call failed, or the bot says that trying again may help (`asked`). */
static int retryable(struct app *app, struct leg *leg, const struct request_error *error, bool asked, struct err *err)
{
    struct request rq;
    int found = request_read(app, leg_hash(leg), &rq, err);
    if (found < 0)
        return leg_refused(app, leg, err);
    if (found == 0)
        return leg_ends(leg, JOB_CANCELLED, "expired");
    if (request_is_final(rq.status))
        return leg_ends_like(leg, rq.status);
    bool waits = rq.status == REQUEST_OTP_REQUIRED || rq.status == REQUEST_OTP_VERIFYING;
    if (!waits && leg_past_repeat(leg, &rq))
        return leg_is_interrupted(app, leg, leg->job.run, err);
    if (leg->job.code > 0)
        return lose_code(app, leg, error, rq.status, err);
    /* The visitor has got a code: another call would send a second one. The leg of that code goes on from here. */
    if (waits && !asked)
        return leg_ends(leg, JOB_COMPLETED, leg->detail);
    return try_again(app, leg, error, err);
}

static int trouble(struct app *app, struct leg *leg, struct err *err)
{
    return retryable(app, leg, &troubles[leg->call_end], false, err);
}

/* --- a leg of a request: the bot's word --- */

/* What core said to it. */
static int told(struct app *app, struct leg *leg, int done, struct err *err)
{
    if (done >= 0)
        return leg_ends(leg, JOB_COMPLETED, NULL);
    if (err->kind != ERR_STATE && err->kind != ERR_INVALID)
        return leg_refused(app, leg, err);
    leg_set_detail(leg, "The answer does not fit the state of the request.");
    return trouble(app, leg, err);
}

static int tell_done(struct app *app, struct leg *leg, const struct answer *answer, struct err *err)
{
    struct request rq;
    if (!answer->data.s) {
        leg_set_detail(leg, "The answer has neither data nor a code.");
        return trouble(app, leg, err);
    }
    int done = request_complete(app, leg_hash(leg), leg->job.run, answer->data, err);
    if (done == 1 && request_read(app, leg_hash(leg), &rq, NULL) == 1)
        estimate_record(app, &rq);
    if (done >= 0)
        leg->push_code = false;
    return told(app, leg, done, err);
}

static const char *said(const struct answer *answer)
{
    return answer->message[0] ? answer->message : NULL;
}

static int tell_code_needed(struct app *app, struct leg *leg, const struct answer *answer, struct err *err)
{
    const struct otp_ask ask = { answer->handle, answer->expiry_s, answer->length, said(answer) };
    return told(app, leg, otp_require(app, leg->service, leg_hash(leg), leg->job.run, &ask, err), err);
}

static int tell_code_wrong(struct app *app, struct leg *leg, const struct answer *answer, struct err *err)
{
    return told(app, leg, otp_wrong(app, leg->service, leg_hash(leg), leg->job.run, said(answer), err), err);
}

static int tell_code_expired(struct app *app, struct leg *leg, const struct answer *answer, struct err *err)
{
    return told(app, leg, otp_expired(app, leg->service, leg_hash(leg), leg->job.run, said(answer), err), err);
}

static void name_error(struct leg *leg, const struct answer *answer)
{
    struct str text = STR_INIT;
    str_addf(&text, "The bot answered with the error %s.", answer->code);
    leg_set_detail(leg, text.s);
    str_free(&text);
}

static int tell_error(struct app *app, struct leg *leg, const struct answer *answer, struct err *err)
{
    const struct request_error error = { answer->code, answer->message[0] ? answer->message : "errors.failed",
                                         answer->retryable };
    name_error(leg, answer);
    if (answer->retryable)
        return retryable(app, leg, &error, true, err);
    return leg_fails(app, leg, leg->job.run, &error, err);
}

static int judge_request(struct app *app, struct leg *leg, struct err *err)
{
    static int (*const tell[])(struct app *app, struct leg *leg, const struct answer *answer, struct err *err) = {
        [ANSWER_DONE] = tell_done,
        [ANSWER_CODE_NEEDED] = tell_code_needed,
        [ANSWER_CODE_WRONG] = tell_code_wrong,
        [ANSWER_CODE_EXPIRED] = tell_code_expired,
        [ANSWER_ERROR] = tell_error,
    };
    struct answer answer;
    if (leg_read_answer(leg, &answer) < 0)
        return trouble(app, leg, err);
    return tell[answer.kind](app, leg, &answer, err);
}

/* --- calls that decide about nothing but their job --- */

int leg_again_or_failed(struct leg *leg, bool may_repeat)
{
    const char *error = leg->detail ? leg->detail : troubles[leg->call_end].code;
    if (leg->call_end == CALL_STOPPED)
        return leg_ends(leg, JOB_GIVE_BACK, NULL);
    if (may_repeat && leg->job.attempts + 1 < leg_tries(leg))
        return leg_tries_again(leg, error);
    return leg_ends(leg, JOB_FAILED, error);
}

/* A call on the side asked for another code, and the bot told about it. */
static int take_resent(struct app *app, struct leg *leg, const struct answer *answer, struct err *err)
{
    const struct otp_ask ask = { answer->handle, answer->expiry_s, answer->length, said(answer) };
    struct request rq;
    int found = request_read(app, leg_hash(leg), &rq, err);
    if (found <= 0)
        return found < 0 ? leg_refused(app, leg, err) : leg_ends(leg, JOB_COMPLETED, NULL);
    const struct service *service = services_find(app->house->services, request_slug(&rq));
    int done = otp_resent(app, service, leg_hash(leg), &ask, err);
    if (done < 0 && err->kind != ERR_FINAL && err->kind != ERR_NOT_FOUND)
        return leg_refused(app, leg, err);
    return leg_ends(leg, JOB_COMPLETED, NULL);
}

static int judge_side(struct app *app, struct leg *leg, struct err *err)
{
    struct answer answer;
    if (leg_read_answer(leg, &answer) < 0)
        return leg_again_or_failed(leg, true);
    if (answer.kind >= ANSWER_CODE_WRONG) {
        name_error(leg, &answer);
        return leg_again_or_failed(leg, answer.retryable);
    }
    if (answer.has_otp)
        return take_resent(app, leg, &answer, err);
    return leg_ends(leg, JOB_COMPLETED, NULL);
}

int leg_judge(struct app *app, struct leg *leg, struct err *err)
{
    if (!leg->job.call)
        return judge_request(app, leg, err);
    return judge_side(app, leg, err);
}
