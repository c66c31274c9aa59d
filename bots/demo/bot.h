/* bot.h: the demonstration bot, an example of a local API for Peygir in C. It knows only the public contract: it is
 * called over HTTP (nginx hands the calls on by FastCGI) and reports progress in Redis. */
#ifndef DEMO_BOT_H
#define DEMO_BOT_H

#include <fcgiapp.h>
#include <hiredis/hiredis.h>
#include <json-c/json.h>
#include <stdbool.h>

/* One call, carried by one thread from the first line to the last. */
struct call {
    FCGX_Request *fcgi;
    struct json_object *body; /* what was posted: the form's values, requestHash, and otp on the second leg */
    const char *hash;         /* requestHash; "" when the call has none */
    redisContext *redis;      /* NULL: progress is not reported */
    bool known;               /* the request was there when the call began */
    bool english;             /* the visitor's language (the header Accept-Language), else Persian */
    double pace;              /* 1; a slow one takes longer */
    int code_length;          /* digits of the code: 5 */
    int code_expiry_s;        /* the code lives that long: 120 */
    bool html;                /* messages and results contain markup */
    bool stubborn;            /* goes on after a cancellation */
    bool no_code;             /* needs no code */
    bool held;                /* waits for the code during the call */
    bool late_code;           /* says OTP_EXPIRED until a new code was asked for */
};

/* --- main.c --- */

extern double bot_speed; /* PEYGIR_DEMO_SPEED */

/* A field of the body as text, "" when it is missing. Borrowed. */
const char *call_field(const struct call *c, const char *name);
/* The text in the visitor's language. */
const char *call_say(const struct call *c, const char *fa, const char *en);
/* Send the answer and release it. `status` is an HTTP status. */
void call_answer(struct call *c, int status, struct json_object *answer);
void call_answer_text(struct call *c, int status, const char *headers, const char *text, size_t len);
/* {"status":"error",...}; `message` in the visitor's language. */
void call_error(struct call *c, const char *code, const char *message, bool retryable);
/* Let time pass, as work would (divided by bot_speed, multiplied by the call's pace). False when the visitor cancelled
 * meanwhile: then answer and return. */
bool call_wait(struct call *c, double seconds);
/* How often a call with this request came so far, this one included; only this process is counted. */
int call_number(const struct call *c);

/* --- report.c: how a bot reports in Redis: GET, change fields, SET with 1800 s, PUBLISH --- */

/* Connect to REDIS_URL. Without Redis the call goes on unreported. */
void report_open(struct call *c);
void report_close(struct call *c);
/* Change these fields of the request's document; takes `changes` over. Nothing happens when it is gone. */
void report_fields(struct call *c, struct json_object *changes);
void report_progress(struct call *c, int percent, const char *step, const char *fa, const char *en);
/* True when nobody waits for the result any more. */
bool report_is_over(struct call *c);
/* The otp object of SMS_SENT: handle, seconds, message, length. The caller owns it. */
struct json_object *code_object(const struct call *c);
/* Ask for the code by report; `reason` is NULL or "wrong". */
void report_code_needed(struct call *c, const char *reason);
/* Wait for a code in the mailbox until it expires: 1 and *code (free), 0 expired, -1 cancelled. */
int report_wait_for_code(struct call *c, char **code);
/* A number of the document's otp_data, 0 when there is none. */
int report_code_count(struct call *c, const char *name);

/* --- services.c --- */

struct service {
    const char *slug;
    void (*run)(struct call *c);
};
extern const struct service services[]; /* ends with slug NULL */

/* The results that the services end with. The caller owns them. */
struct json_object *credit_result(const struct call *c);
struct json_object *ocr_result(const struct call *c);
/* {"status":"success","data":...} of the service that was called. */
void call_success(struct call *c, struct json_object *data);
/* {"status":"success","code":"SMS_SENT","otp":...} */
void call_sms_sent(struct call *c);

/* --- market.c --- */

/* GET /market/{path}: prices of coins and stocks. */
void market(struct call *c, const char *path);

/* --- misdeeds.c --- */

/* When the input asks for a misdeed, do it. True: the call was answered; false: go on (perhaps with the call's
 * settings changed). */
bool misdeed(struct call *c, const char *input, struct json_object *(*result)(const struct call *c));

#endif
