/* misdeeds.c: inputs that make the bot misbehave, for people to see and tests to use. README.md lists them. */
#include "bot.h"

#include <stdlib.h>
#include <string.h>

typedef struct json_object *(*result_fn)(const struct call *c);

/* When a misdeed happens: on the first leg, on the second (a code came with the call), or on both. */
enum leg { FIRST = 1, SECOND = 2, BOTH = 3 };

/* The id of a step of the service that was called. */
static const char *step(const struct call *c, const char *credit, const char *ocr)
{
    return *call_field(c, "file_id") ? ocr : credit;
}

static bool refuse(struct call *c, result_fn result)
{
    (void)result;
    call_error(c, "NOT_FOUND",
               call_say(c, "اطلاعاتی با این مشخصات پیدا نشد.", "Nothing was found for these values."), false);
    return true;
}

static bool busy(struct call *c, result_fn result)
{
    (void)result;
    call_error(c, "PROVIDER_BUSY", call_say(c, "درگاه استعلام شلوغ است.", "The inquiry gateway is busy."), true);
    return true;
}

static bool busy_twice(struct call *c, result_fn result)
{
    return call_number(c) <= 2 && busy(c, result);
}

static bool say_500(struct call *c, result_fn result)
{
    static const char text[] = "Internal Server Error\n";
    (void)result;
    call_answer_text(c, 500, "Content-Type: text/plain\r\n", text, strlen(text));
    return true;
}

static bool garbage(struct call *c, result_fn result)
{
    static const char text[] = "<html>{\"status\":\"success\",";
    (void)result;
    call_answer_text(c, 200, "Content-Type: application/json\r\n", text, strlen(text));
    return true;
}

/* Ten minutes, whatever the speed; a cancellation ends it. */
static bool hang(struct call *c, result_fn result)
{
    bool second = *call_field(c, "otp") != '\0';
    const char *here = second ? "verifying_otp" : step(c, "authentication", "preprocessing");

    report_progress(c, second ? 80 : 30, here, "در انتظار پاسخ درگاه…", "Waiting for the gateway…");
    if (call_wait(c, 600 * bot_speed))
        call_success(c, result(c));
    else
        call_error(c, "CANCELLED", call_say(c, "درخواست لغو شد.", "The request was cancelled."), false);
    return true;
}

static bool too_big(struct call *c, result_fn result)
{
    static const size_t bytes = (1 << 20) + 4096;
    struct json_object *data = json_object_new_object();
    char *text = malloc(bytes);

    (void)result;
    if (text) {
        memset(text, 'x', bytes);
        json_object_object_add(data, "text", json_object_new_string_len(text, (int)bytes));
    }
    free(text);
    call_success(c, data);
    return true;
}

static bool redirect(struct call *c, result_fn result)
{
    (void)result;
    call_answer_text(c, 302, "Location: http://127.0.0.1:1/elsewhere\r\n", "", 0);
    return true;
}

/* nginx closes the connection when it is told 444. */
static bool hang_up(struct call *c, result_fn result)
{
    (void)result;
    call_answer_text(c, 444, "Content-Type: text/plain\r\n", "", 0);
    return true;
}

static bool break_off(struct call *c, result_fn result)
{
    static const char text[] = "{\"status\":\"success\",";
    (void)result;
    call_answer_text(c, 200, "Content-Type: application/json\r\nContent-Length: 4096\r\n", text, strlen(text));
    return true;
}

/* Reports the end in Redis, as many bots do, and answers something else later. */
static void report_end(struct call *c, const char *status, const char *field, struct json_object *value)
{
    struct json_object *changes = json_object_new_object();
    json_object_object_add(changes, "status", json_object_new_string(status));
    json_object_object_add(changes, field, value);
    report_fields(c, changes);
}

static bool complete_itself(struct call *c, result_fn result)
{
    report_progress(c, 60, step(c, "captcha_solving", "recognizing"), "تقریباً تمام…", "Nearly done…");
    report_end(c, "completed", "result_data", result(c));
    c->stubborn = true;
    call_wait(c, 2);
    return refuse(c, result);
}

static bool fail_itself(struct call *c, result_fn result)
{
    struct json_object *error = json_object_new_object();
    json_object_object_add(error, "code", json_object_new_string("NOT_FOUND"));
    json_object_object_add(error, "message", json_object_new_string(
        call_say(c, "اطلاعاتی با این مشخصات پیدا نشد.", "Nothing was found for these values.")));
    json_object_object_add(error, "retryable", json_object_new_boolean(false));
    report_end(c, "failed", "error_data", error);
    c->stubborn = true;
    call_wait(c, 2);
    call_success(c, result(c));
    return true;
}

static bool at_once(struct call *c, result_fn result)
{
    call_success(c, result(c));
    return true;
}

static bool backwards(struct call *c, result_fn result)
{
    (void)result;
    report_progress(c, 90, step(c, "sending_otp", "postprocessing"), "۹۰ درصد…", "90 percent…");
    call_wait(c, 1);
    report_progress(c, 20, step(c, "authentication", "preprocessing"), "برگشت به ۲۰ درصد…", "Back to 20 percent…");
    return !call_wait(c, 1);
}

static bool maybe(struct call *c, result_fn result)
{
    static const char text[] = "{\"status\":\"maybe\",\"data\":{}}";
    (void)result;
    call_answer_text(c, 200, "Content-Type: application/json\r\n", text, strlen(text));
    return true;
}

static bool no_data(struct call *c, result_fn result)
{
    (void)result;
    call_success(c, NULL);
    return true;
}

static bool nothing(struct call *c, result_fn result)
{
    (void)result;
    call_answer_text(c, 200, "Content-Type: application/json\r\n", "", 0);
    return true;
}

static bool bad_utf8(struct call *c, result_fn result)
{
    static const char text[] = "{\"status\":\"success\",\"data\":{\"text\":\"\xff\xc0\xaf\"}}";
    (void)result;
    call_answer_text(c, 200, "Content-Type: application/json\r\n", text, strlen(text));
    return true;
}

/* Writes fields that are not a bot's business: they must not count. */
static bool meddle(struct call *c, result_fn result)
{
    struct json_object *changes = json_object_new_object();
    (void)result;
    json_object_object_add(changes, "owner", json_object_new_string("somebody-else"));
    json_object_object_add(changes, "user_id", json_object_new_string("1"));
    json_object_object_add(changes, "revision", json_object_new_int(0));
    report_fields(c, changes);
    return false;
}

static bool ask_twice(struct call *c, result_fn result)
{
    (void)result;
    report_code_needed(c, NULL);
    call_sms_sent(c);
    return true;
}

/* Changes of the call's settings; the service then goes on. */
static bool with_html(struct call *c, result_fn result) { (void)result; c->html = true; return false; }
static bool slowly(struct call *c, result_fn result) { (void)result; c->pace = 6; return false; }
static bool late_code(struct call *c, result_fn result) { (void)result; c->late_code = true; return false; }
static bool hold(struct call *c, result_fn result) { (void)result; c->held = true; return false; }
static bool short_code_life(struct call *c, result_fn result) { (void)result; c->code_expiry_s = 3; return false; }
static bool six_digits(struct call *c, result_fn result) { (void)result; c->code_length = 6; return false; }
static bool stubbornly(struct call *c, result_fn result) { (void)result; c->stubborn = true; return false; }
static bool without_code(struct call *c, result_fn result) { (void)result; c->no_code = true; return false; }

static const struct {
    const char *national_code, *file_id; /* NULL: not offered by that service */
    enum leg leg;
    bool (*act)(struct call *c, result_fn result);
} misdeeds[] = {
    { "9990000018", "file-fail", FIRST, refuse },
    { "9990000026", "file-retry", FIRST, busy_twice },
    { "9990000034", "file-busy", FIRST, busy },
    { "9990000042", "file-500", FIRST, say_500 },
    { "9990000050", "file-garbage", FIRST, garbage },
    { "9990000069", "file-hang", FIRST, hang },
    { "9990000077", "file-big", FIRST, too_big },
    { "9990000085", "file-redirect", FIRST, redirect },
    { "9990000093", "file-close", FIRST, hang_up },
    { "9990000107", "file-half", FIRST, break_off },
    { "9990000115", "file-completed", FIRST, complete_itself },
    { "9990000123", "file-html", BOTH, with_html },
    { "9990000131", "file-slow", BOTH, slowly },
    { "9990000141", NULL, BOTH, late_code },
    { "9990000158", NULL, BOTH, hold },
    { "9990000166", "file-back", FIRST, backwards },
    { "9990000174", "file-failed", FIRST, fail_itself },
    { "9990000182", "file-now", FIRST, at_once },
    { "9990000190", NULL, SECOND, say_500 },
    { "9990000204", NULL, BOTH, short_code_life },
    { "9990000212", "file-maybe", FIRST, maybe },
    { "9990000220", "file-no-data", FIRST, no_data },
    { "9990000239", "file-nothing", FIRST, nothing },
    { "9990000247", NULL, BOTH, six_digits },
    { "9990000255", "file-utf8", FIRST, bad_utf8 },
    { "9990000263", NULL, SECOND, hang },
    { "9990000271", "file-stubborn", BOTH, stubbornly },
    { "9990000281", NULL, SECOND, refuse },
    { "9990000298", "file-meddle", FIRST, meddle },
    { "9990000301", NULL, FIRST, ask_twice },
    { "9990000311", NULL, BOTH, without_code },
};

bool misdeed(struct call *c, const char *input, struct json_object *(*result)(const struct call *c))
{
    enum leg leg = *call_field(c, "otp") ? SECOND : FIRST;

    for (size_t i = 0; i < sizeof misdeeds / sizeof misdeeds[0]; i++) {
        bool meant = (misdeeds[i].national_code && strcmp(input, misdeeds[i].national_code) == 0) ||
                     (misdeeds[i].file_id && strcmp(input, misdeeds[i].file_id) == 0);
        if (meant && (misdeeds[i].leg & leg))
            return misdeeds[i].act(c, result);
    }
    return false;
}
