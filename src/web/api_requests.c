/* api_requests.c: requests as JSON: made, looked at, cancelled, their codes entered. */
#include "web/api.h"

#include "core/job_type.h"
#include "core/listener.h"
#include "core/locale.h"
#include "core/otp.h"
#include "core/token.h"
#include "core/view.h"
#include "core/webhook.h"
#include "web/dispatch.h"
#include "web/otp_words.h"
#include "web/route.h"
#include "web/submit.h"

#define KEY_MAX 128
#define POLL_S 2

/* --- making one --- */

/* {service, data, callback_url}: the service is found and the data are in x->form. */
static enum problem read_submission(struct exchange *x)
{
    struct json_object *service = NULL, *data = NULL;

    if (!json_object_is_type(x->json, json_type_object))
        return exchange_say(x, PROBLEM_INVALID, "json.not_object");
    if (!json_object_object_get_ex(x->json, "service", &service) || !json_object_is_type(service, json_type_string))
        return exchange_say(x, PROBLEM_INVALID, "json.service_missing");
    if (!json_object_object_get_ex(x->json, "data", &data) || !json_object_is_type(data, json_type_object))
        return exchange_say(x, PROBLEM_INVALID, "json.data_missing");
    x->service = services_find(x->seat->app.house->services, span_of(json_object_get_string(service)));
    if (!x->service)
        return exchange_say(x, PROBLEM_INVALID, "json.unknown_service");
    if (json_object_object_length(data) > FORM_FIELDS)
        return PROBLEM_BAD_REQUEST;
    return form_from_json(&x->form, data, &x->err) < 0 ? PROBLEM_INVALID : PROBLEM_NONE;
}

/* Absent, or 1 to 128 visible ASCII characters. */
static bool is_good_key(struct span key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.s[i] <= ' ' || key.s[i] > '~')
            return false;
    return !key.s || (key.len > 0 && key.len <= KEY_MAX);
}

/* A 422 that says of each field what is wrong with it. */
static void answer_broken(struct exchange *x, struct json_object *wrong)
{
    bool first = true;

    x->problem = PROBLEM_INVALID;
    api_problem_open(x, NULL);
    x->problem = PROBLEM_NONE;
    str_adds(&x->answer, ",\"errors\":[");
    FORM_EACH_MEMBER(i, wrong) {
        const char *name = json_object_iter_peek_name(&i);
        struct json_object *sentence = json_object_iter_peek_value(&i);

        str_adds(&x->answer, first ? "{\"field\":" : ",{\"field\":");
        str_add_json(&x->answer, name, strlen(name));
        str_adds(&x->answer, ",\"detail\":");
        str_add_json(&x->answer, json_object_get_string(sentence), (size_t)json_object_get_string_len(sentence));
        str_addc(&x->answer, '}');
        first = false;
    }
    str_adds(&x->answer, "]}");
}

static void answer_made(struct exchange *x, const char *hash)
{
    struct str *out = api_json(x, 202);

    str_addf(&x->headers, "Location: /api/local-requests/%s/status\r\n", hash);
    exchange_header_int(x, "Retry-After", POLL_S);
    str_addf(out, "{\"hash\":\"%s\",\"status_url\":\"/api/local-requests/%s/status\"", hash, hash);
    str_addf(out, ",\"redirect_url\":\"/services/%s/progress/%s\"}", x->service->slug, hash);
}

/* May the holder of this token be called there? Then the request remembers it. */
static enum problem allow_callback(struct exchange *x, struct span url, struct str *listeners)
{
    char digest[DIGEST_HEX_SIZE];
    struct str addresses = STR_INIT, json = STR_INIT;
    bool allowed;
    int found;

    token_digest(x->bearer, digest);
    found = token_callbacks(&x->seat->app, digest, &addresses, &x->err);
    allowed = found > 0 && webhook_allows((struct span){ addresses.s, addresses.len }, url);
    if (allowed) {
        webhook_add_listener(&json, url, digest);
        listener_add(listeners, LISTENER_WEBHOOK, (struct span){ json.s, json.len });
    }
    str_free(&addresses);
    str_free(&json);
    if (found < 0)
        return exchange_fail(x);
    return allowed ? PROBLEM_NONE : exchange_say(x, PROBLEM_INVALID, "json.callback_not_allowed");
}

/* `callback_url` of the body: absent, or where a client is called. */
static enum problem read_callback(struct exchange *x, struct str *listeners)
{
    struct json_object *value = NULL;
    struct span url;

    if (!json_object_object_get_ex(x->json, "callback_url", &value) || json_object_is_type(value, json_type_null))
        return PROBLEM_NONE;
    if (!x->bearer.s)
        return exchange_say(x, PROBLEM_INVALID, "json.callback_not_client");
    url = (struct span){ json_object_get_string(value), (size_t)json_object_get_string_len(value) };
    if (!json_object_is_type(value, json_type_string) || webhook_url_wrong(url))
        return exchange_say(x, PROBLEM_INVALID, "json.callback_form");
    if (!job_types_find(x->seat->app.house->job_types, span_of(listener_types[LISTENER_WEBHOOK])))
        return exchange_say(x, PROBLEM_INVALID, "json.callback_off");
    return allow_callback(x, url, listeners);
}

/* The same key with other values is refused here, where on a form it makes another request: 422. */
static enum problem store(struct exchange *x, struct span data, struct span listeners)
{
    struct submission s = { .data = data, .key = x->param[PARAM_IDEMPOTENCY], .exclusive = true, .listeners = listeners };
    char hash[HASH_SIZE];

    if (submit_request(x, &s, hash) == 0) {
        answer_made(x, hash);
        return PROBLEM_NONE;
    }
    if (x->err.kind == ERR_TOO_MANY) {
        str_reset(&x->words);
        locale_add_duration(x->locale, &x->words, x->err.retry_after_s);
        return exchange_say_with(x, PROBLEM_TOO_MANY, s.too_many, "time", x->words.s);
    }
    return x->err.kind == ERR_STATE ? exchange_say(x, PROBLEM_INVALID, "json.key_reused") : exchange_fail(x);
}

/* The mail would lead to a page that only whoever made the request may open, and a client has no browser. */
static bool has_news_field(struct exchange *x)
{
    const struct service_field *f = service_news_field(x->service);

    return f && form_lookup(&x->form, f->name).len > 0;
}

enum problem api_request_create(struct exchange *x)
{
    struct str data = STR_INIT, listeners = STR_INIT;
    struct json_object *wrong = NULL;
    enum problem problem = read_submission(x);

    if (problem != PROBLEM_NONE)
        return problem;
    if (dispatch_closed(x, x->service, &x->said))
        return PROBLEM_CLOSED;
    if (!is_good_key(x->param[PARAM_IDEMPOTENCY]))
        return exchange_say(x, PROBLEM_BAD_REQUEST, "json.key_form");
    if (submit_check(x, &data, &wrong) == 0)
        answer_broken(x, wrong);
    else if (x->bearer.s && has_news_field(x))
        problem = exchange_say(x, PROBLEM_INVALID, "json.news_not_client");
    else if ((problem = read_callback(x, &listeners)) == PROBLEM_NONE)
        problem = store(x, (struct span){ data.s, data.len }, (struct span){ listeners.s, listeners.len });
    json_object_put(wrong);
    str_free(&listeners);
    str_free(&data);
    return problem;
}

/* --- looking --- */

enum problem api_request_status(struct exchange *x)
{
    view_add(api_json(x, 200), &x->request, x->service, x->locale);
    return PROBLEM_NONE;
}

static void add_member(struct str *out, const char *name, struct span value)
{
    str_adds(out, name);
    str_add_span(out, value);
}

/* `error` as the view says it, in the visitor's words. */
static struct span error_in_words(struct exchange *x)
{
    str_reset(&x->scratch);
    view_add(&x->scratch, &x->request, x->service, x->locale);
    return raw_get((struct span){ x->scratch.s, x->scratch.len }, "error");
}

/* A result is the bytes the bot gave. One that cannot be opened any more is gone. */
enum problem api_request_result(struct exchange *x)
{
    const struct document *doc = &x->request.doc;
    bool completed = x->request.status == REQUEST_COMPLETED;
    struct str *out, result = STR_INIT;

    if (!completed && x->request.status != REQUEST_FAILED)
        return exchange_say(x, PROBLEM_CONFLICT, "json.not_finished");
    if (completed && request_open(&x->seat->app, &x->request, DOC_RESULT, &result, NULL) < 0)
        return exchange_say(x, PROBLEM_GONE, "json.result_unreadable");
    out = api_json(x, 200);
    view_add_names(out, &x->request);
    if (completed)
        add_member(out, ",\"result\":", (struct span){ result.s, result.len });
    else
        add_member(out, ",\"error\":", error_in_words(x));
    add_member(out, ",\"completed_at\":", document_sound(doc, DOC_COMPLETED));
    str_addc(out, '}');
    str_free(&result);
    return PROBLEM_NONE;
}

/* --- acting --- */

/* The view of what it is now. */
static enum problem answer_view(struct exchange *x, int status)
{
    int found = request_read(&x->seat->app, x->hash, &x->request, &x->err);

    if (found < 0)
        return exchange_fail(x);
    if (found == 0)
        return PROBLEM_NOT_FOUND;
    view_add(api_json(x, status), &x->request, x->service, x->locale);
    return PROBLEM_NONE;
}

enum problem api_request_cancel(struct exchange *x)
{
    if (request_cancel(&x->seat->app, x->hash, &x->err) < 0)
        return exchange_fail(x);
    return answer_view(x, 200);
}

enum problem api_otp_submit(struct exchange *x)
{
    struct json_object *otp = NULL;
    struct span code;

    if (!json_object_is_type(x->json, json_type_object))
        return exchange_say(x, PROBLEM_INVALID, "json.not_object");
    if (!json_object_object_get_ex(x->json, "otp", &otp) || !json_object_is_type(otp, json_type_string))
        return exchange_say(x, PROBLEM_INVALID, "json.otp_missing");
    code = (struct span){ json_object_get_string(otp), (size_t)json_object_get_string_len(otp) };
    if (otp_submit(&x->seat->app, x->service, x->hash, code, &x->err) < 0)
        return otp_words_problem(x, false);
    return answer_view(x, 202);
}

enum problem api_otp_resend(struct exchange *x)
{
    if (otp_resend(&x->seat->app, x->service, x->hash, &x->err) < 0)
        return otp_words_problem(x, true);
    return answer_view(x, 202);
}
