/* services.c: the two demonstration services. Each is a function that works, reports and answers. */
#include "bot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A step of the work: report it, then let its time pass. */
struct step {
    const char *id;
    int percent;
    double seconds;
    const char *fa, *en;
};

static const struct step credit_first[] = {
    { "initializing", 0, 0.7, "آماده‌سازی درخواست…", "Preparing the request…" },
    { "authentication", 30, 2.0, "ورود به درگاه استعلام…", "Signing in to the inquiry gateway…" },
    { "captcha_solving", 50, 2.3, "حل کد امنیتی…", "Solving the captcha…" },
    { "sending_otp", 70, 1.5, "درخواست ارسال پیامک کد…", "Asking for the text message with the code…" },
    { NULL, 0, 0, NULL, NULL },
};
static const struct step credit_second[] = {
    { "verifying_otp", 80, 3.0, "بررسی کد و دریافت گزارش…", "Checking the code and fetching the report…" },
    { NULL, 0, 0, NULL, NULL },
};
static const struct step ocr_steps[] = {
    { "initializing", 0, 0.5, "دریافت فایل…", "Fetching the file…" },
    { "preprocessing", 20, 1.2, "صاف‌کردن تصویر…", "Straightening the picture…" },
    { "recognizing", 50, 2.5, "خواندن متن…", "Reading the text…" },
    { "postprocessing", 85, 1.0, "مرتب‌کردن نتیجه…", "Putting the result in order…" },
    { NULL, 0, 0, NULL, NULL },
};

/* False when the visitor cancelled; the call is then answered. */
static bool take_steps(struct call *c, const struct step *steps)
{
    for (; steps->id; steps++) {
        report_progress(c, steps->percent, steps->id, steps->fa, steps->en);
        if (!call_wait(c, steps->seconds)) {
            call_error(c, "CANCELLED", call_say(c, "درخواست لغو شد.", "The request was cancelled."), false);
            return false;
        }
    }
    return true;
}

/* --- answers --- */

void call_success(struct call *c, struct json_object *data)
{
    struct json_object *answer = json_object_new_object();
    json_object_object_add(answer, "status", json_object_new_string("success"));
    if (data)
        json_object_object_add(answer, "data", data);
    call_answer(c, 200, answer);
}

void call_sms_sent(struct call *c)
{
    struct json_object *answer = json_object_new_object();
    json_object_object_add(answer, "status", json_object_new_string("success"));
    json_object_object_add(answer, "code", json_object_new_string("SMS_SENT"));
    json_object_object_add(answer, "otp", code_object(c));
    call_answer(c, 200, answer);
}

/* --- credit-score-rating --- */

struct json_object *credit_result(const struct call *c)
{
    static const char *const record[][2] = {
        { "هیچ چک برگشتی ثبت نشده است", "No returned cheque on record" },
        { "دو وام بانکی جاری، هر دو بدون تأخیر", "Two current bank loans, both on time" },
        { "یک ضمانت فعال", "One active guarantee" },
    };
    const char *grade = c->html ? "<i>B+</i><script>alert(2)</script>" : "B+";
    struct json_object *data = json_object_new_object(), *items = json_object_new_array();
    time_t now = time(NULL);
    struct tm tm;
    char date[16];

    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &tm));
    for (size_t i = 0; i < 3; i++)
        json_object_array_add(items, json_object_new_string(call_say(c, record[i][0], record[i][1])));
    json_object_object_add(data, "score", json_object_new_int(742));
    json_object_object_add(data, "grade", json_object_new_string(grade));
    json_object_object_add(data, "report_date", json_object_new_string(date));
    json_object_object_add(data, "amount", json_object_new_int64(1250000000));
    json_object_object_add(data, "items", items);
    return data;
}

static bool code_is_right(const struct call *c, const char *code)
{
    return strcmp(code, c->code_length == 6 ? "123456" : "12345") == 0;
}

static void finish_credit(struct call *c)
{
    if (take_steps(c, credit_second))
        call_success(c, credit_result(c));
}

/* The second leg: the visitor's code came with the call. */
static void credit_with_code(struct call *c, const char *code)
{
    if (c->late_code && report_code_count(c, "resends") == 0)
        call_error(c, "OTP_EXPIRED", call_say(c, "مهلت این کد گذشته است.", "This code has expired."), false);
    else if (!code_is_right(c, code))
        call_error(c, "OTP_WRONG",
                   call_say(c, "کد درست نبود. دوباره وارد کنید.", "That code was wrong. Enter it again."), false);
    else
        finish_credit(c);
}

/* A held code: the call goes on, and the code comes through the mailbox. */
static void credit_held(struct call *c)
{
    char *code = NULL;
    int got;

    report_code_needed(c, NULL);
    while ((got = report_wait_for_code(c, &code)) == 1 && !code_is_right(c, code)) {
        free(code);
        report_code_needed(c, "wrong");
    }
    if (got == 1)
        finish_credit(c);
    else
        call_error(c, got < 0 ? "CANCELLED" : "OTP_EXPIRED",
                   got < 0 ? call_say(c, "درخواست لغو شد.", "The request was cancelled.")
                           : call_say(c, "مهلت کد گذشت.", "The code has expired."), false);
    free(got == 1 ? code : NULL);
}

static void credit_score_rating(struct call *c)
{
    const char *code = call_field(c, "otp");

    if (misdeed(c, call_field(c, "national_code"), credit_result))
        return;
    if (*code)
        credit_with_code(c, code);
    else if (!take_steps(c, credit_first))
        return;
    else if (c->no_code)
        call_success(c, credit_result(c));
    else if (c->held)
        credit_held(c);
    else
        call_sms_sent(c);
}

/* --- document-ocr --- */

struct json_object *ocr_result(const struct call *c)
{
    bool english = strcmp(call_field(c, "language"), "en") == 0;
    struct json_object *data = json_object_new_object();

    json_object_object_add(data, "text", json_object_new_string(
        c->html ? "<h1>Scanned</h1><script>alert(3)</script>"
                : english ? "Invoice 1042. Two boxes of saffron, paid in full. Thank you for your order."
                          : "فاکتور ۱۰۴۲. دو جعبه زعفران، تسویه‌شده. از سفارش شما سپاسگزاریم."));
    json_object_object_add(data, "pages", json_object_new_int(2));
    json_object_object_add(data, "confidence", json_object_new_double_s(0.97, "0.97"));
    json_object_object_add(data, "language", json_object_new_string(english ? "en" : "fa"));
    return data;
}

static void document_ocr(struct call *c)
{
    if (!misdeed(c, call_field(c, "file_id"), ocr_result) && take_steps(c, ocr_steps))
        call_success(c, ocr_result(c));
}

const struct service services[] = {
    { "credit-score-rating", credit_score_rating },
    { "document-ocr", document_ocr },
    { NULL, NULL },
};
