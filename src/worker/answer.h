/* answer.h: what a bot answers (contract 6), read from its text. Knows no HTTP and no Redis. */
#ifndef PEYGIR_ANSWER_H
#define PEYGIR_ANSWER_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define ANSWER_CODE_MAX 64
#define ANSWER_MESSAGE_MAX 500

enum answer_kind {
    ANSWER_DONE,         /* success; `data` is absent when the bot sent none */
    ANSWER_CODE_NEEDED,  /* success, SMS_SENT: the visitor must enter a code */
    ANSWER_CODE_WRONG,   /* OTP_WRONG */
    ANSWER_CODE_EXPIRED, /* OTP_EXPIRED */
    ANSWER_ERROR
};

struct answer {
    enum answer_kind kind;
    struct span data;    /* the object `data` as it stands in the text; absent: .s == NULL */
    bool has_otp;        /* there was an `otp` object; the three below come from it */
    struct span handle;  /* its `hash`, as it stands in the text; absent or null: .s == NULL */
    int64_t expiry_s;    /* 0: not said */
    int64_t length;      /* 0: not said */
    char message[ANSWER_MESSAGE_MAX + 1]; /* of `otp`, else of the answer; "" when there is none. One line of UTF-8 */
    char code[ANSWER_CODE_MAX + 1];       /* letters, digits, _ and - only; "bot_error" when an error names none */
    bool retryable;      /* ANSWER_ERROR: running it again may help. Not said means no */
};

/* Read an answer; spans are borrowed from `text`. 0, or -1 (ERR_INVALID, *out undefined) when it is none: not JSON, not
 * an object, no known status, data or otp that are no objects. Sentences never quote the text. */
int answer_read(struct span text, struct answer *out, struct err *err);
/* Append an answer that says an error, for handlers that make their own. */
void answer_add_error(struct str *out, const char *code, const char *message, bool retryable);

#endif
