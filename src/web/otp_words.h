/* otp_words.h: what core says about a code, in the visitor's words; shared by the code page and the API. */
#ifndef PEYGIR_WEB_OTP_WORDS_H
#define PEYGIR_WEB_OTP_WORDS_H

#include "web/exchange.h"

/* x->err of otp_submit or otp_resend as a problem, with x->detail set. Reads the request again. */
enum problem otp_words_problem(struct exchange *x, bool resend);
/* The digits the present code has. */
int64_t otp_words_length(struct exchange *x);

#endif
