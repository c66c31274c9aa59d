/* otp_words.c: refusals of a code, in words. */
#include "web/otp_words.h"

#include "core/locale.h"
#include "core/otp.h"
#include "web/dispatch.h"

int64_t otp_words_length(struct exchange *x)
{
    struct otp_state state;

    otp_look(&x->request, x->service, &state);
    return state.length;
}

/* The length is told as the request says it now; when it is gone, the problem speaks for itself. */
static enum problem wrong_form(struct exchange *x)
{
    char digits[16];

    if (!x->has_request)
        return PROBLEM_INVALID;
    str_reset(&x->words);
    snprintf(digits, sizeof digits, "%d", (int)otp_words_length(x));
    locale_add_digits(x->locale, &x->words, span_of(digits));
    return exchange_say_with(x, PROBLEM_INVALID, "otp.error_form", "length", x->words.s);
}

static enum problem too_many(struct exchange *x, bool resend)
{
    if (!resend)
        return exchange_say(x, PROBLEM_TOO_MANY, "otp.error_tries");
    if (x->err.retry_after_s <= 0)
        return exchange_say(x, PROBLEM_TOO_MANY, "otp.error_resends");
    str_reset(&x->words);
    locale_add_duration(x->locale, &x->words, x->err.retry_after_s);
    return exchange_say_with(x, PROBLEM_TOO_MANY, "otp.error_cooldown", "time", x->words.s);
}

enum problem otp_words_problem(struct exchange *x, bool resend)
{
    if (x->err.kind != ERR_AWAY)
        dispatch_reread(x);
    switch (exchange_fail(x)) {
    case PROBLEM_INVALID:
        return wrong_form(x);
    case PROBLEM_CONFLICT:
        return exchange_say(x, PROBLEM_CONFLICT, "otp.error_state");
    case PROBLEM_GONE:
        return exchange_say(x, PROBLEM_GONE, "otp.error_expired");
    case PROBLEM_TOO_MANY:
        return too_many(x, resend);
    default:
        return exchange_fail(x);
    }
}
