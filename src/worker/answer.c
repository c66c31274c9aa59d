/* answer.c: what a bot answers, read from its text */
#include "worker/answer.h"

#include "base/json.h"
#include "base/utf8.h"

#include <ctype.h>

enum { EXPIRY_MAX_S = 86400, LENGTH_MAX = 32 };

/* The bot's code may come from anywhere: what is no plain word character is dropped. */
static void clean_code(struct span raw, const char *fallback, char out[ANSWER_CODE_MAX + 1])
{
    struct str text = STR_INIT;
    size_t n = 0;
    if (raw.s && raw_string(raw, &text))
        for (size_t i = 0; i < text.len && n < ANSWER_CODE_MAX; i++)
            if (isalnum((unsigned char)text.s[i]) || text.s[i] == '_' || text.s[i] == '-')
                out[n++] = text.s[i];
    out[n] = '\0';
    str_free(&text);
    if (n == 0)
        snprintf(out, ANSWER_CODE_MAX + 1, "%s", fallback);
}

/* One line: control characters become spaces. Anything but a string counts as no message. */
static void clean_message(struct span raw, char out[ANSWER_MESSAGE_MAX + 1])
{
    struct str text = STR_INIT;
    size_t n = 0;
    if (raw.s && raw_string(raw, &text)) {
        n = utf8_clip(text.s, text.len, ANSWER_MESSAGE_MAX);
        for (size_t i = 0; i < n; i++)
            out[i] = (unsigned char)text.s[i] < ' ' || text.s[i] == 0x7f ? ' ' : text.s[i];
    }
    out[n] = '\0';
    str_free(&text);
}

static bool absent(struct span raw)
{
    return !raw.s || span_is(raw, "null");
}

static int64_t between(struct span raw, int64_t max)
{
    int64_t n = raw_int(raw, 0);
    return n < 0 || n > max ? 0 : n;
}

static int read_otp(struct span otp, struct answer *out, struct err *err)
{
    static const char *const names[] = { "hash", "expiry", "length", "message" };
    struct span value[ARRAY_LEN(names)];
    if (absent(otp))
        return 0;
    if (raw_get_many(otp, names, value, ARRAY_LEN(names)) < 0)
        return err_set(err, ERR_INVALID, "The answer's \"otp\" is not an object.");
    out->has_otp = true;
    if (!absent(value[0]))
        out->handle = value[0];
    out->expiry_s = between(value[1], EXPIRY_MAX_S);
    out->length = between(value[2], LENGTH_MAX);
    if (!absent(value[3]))
        clean_message(value[3], out->message);
    return 0;
}

static int read_success(struct span code, struct span data, struct span otp, struct answer *out, struct err *err)
{
    out->kind = raw_is(code, "SMS_SENT") ? ANSWER_CODE_NEEDED : ANSWER_DONE;
    if (!absent(data) && data.s[0] != '{')
        return err_set(err, ERR_INVALID, "The answer's \"data\" is not an object.");
    if (!absent(data))
        out->data = data;
    return read_otp(otp, out, err);
}

static void read_error(struct span code, struct span retryable, struct answer *out)
{
    out->kind = raw_is(code, "OTP_WRONG")     ? ANSWER_CODE_WRONG
                : raw_is(code, "OTP_EXPIRED") ? ANSWER_CODE_EXPIRED
                                              : ANSWER_ERROR;
    out->retryable = span_is(retryable, "true");
    if (out->code[0] == '\0')
        snprintf(out->code, sizeof(out->code), "bot_error");
}

int answer_read(struct span text, struct answer *out, struct err *err)
{
    enum { STATUS, CODE, DATA, OTP, MESSAGE, RETRYABLE, MEMBERS };
    static const char *const names[MEMBERS] = { "status", "code", "data", "otp", "message", "retryable" };
    struct span value[MEMBERS];
    struct err detail = ERR_INIT;
    *out = (struct answer){ .kind = ANSWER_ERROR };
    if (!text.s || text.len == 0)
        return err_set(err, ERR_INVALID, "The answer is empty.");
    if (json_check(text.s, text.len, &detail) < 0)
        return err_set(err, ERR_INVALID, "The answer is not JSON: %s", detail.text);
    if (raw_get_many(text, names, value, MEMBERS) < 0)
        return err_set(err, ERR_INVALID, "The answer is not a JSON object.");
    clean_code(value[CODE], "", out->code);
    clean_message(value[MESSAGE], out->message);
    if (raw_is(value[STATUS], "success"))
        return read_success(value[CODE], value[DATA], value[OTP], out, err);
    if (!raw_is(value[STATUS], "error"))
        return err_set(err, ERR_INVALID, "The answer's \"status\" is neither \"success\" nor \"error\".");
    read_error(value[CODE], value[RETRYABLE], out);
    return 0;
}

void answer_add_error(struct str *out, const char *code, const char *message, bool retryable)
{
    str_adds(out, "{\"status\":\"error\",\"code\":");
    str_add_json(out, code, strlen(code));
    str_adds(out, ",\"message\":");
    str_add_json(out, message, strlen(message));
    str_addf(out, ",\"retryable\":%s}", retryable ? "true" : "false");
}
