/* view.c: the public view of a request */
#include "core/view.h"

#include "base/clock.h"
#include "core/estimate.h"

static void add_bool(struct str *out, const char *name, bool value)
{
    str_adds(out, name);
    str_adds(out, value ? "true" : "false");
}

static void add_time(struct str *out, int64_t ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(ms, text);
    str_addc(out, '"');
    str_add(out, text, sizeof text - 1);
    str_addc(out, '"');
}

/* A raw JSON string whose text is a catalogue key becomes the locale's words; anything else goes through as it is. */
static void add_message(struct str *out, struct span json, const struct locale *locale)
{
    bool key = json.len > 2 && (strncmp(json.s, "\"messages.", 10) == 0 || strncmp(json.s, "\"errors.", 8) == 0);
    const char *text = NULL;
    if (locale && key)
        text = locale_find(locale, (struct span){ json.s + 1, json.len - 2 });
    if (text) {
        str_add_json(out, text, strlen(text));
        return;
    }
    if (!locale || !key) {
        str_add_span(out, json);
        return;
    }
    struct str message = STR_INIT, words = STR_INIT; /* a key with parameters */
    raw_string(json, &message);
    locale_add_message(locale, &words, (struct span){ message.s, message.len });
    str_add_json(out, words.s ? words.s : "", words.len);
    str_free(&message);
    str_free(&words);
}

static bool is_paused(const struct request *rq)
{
    return rq->status == REQUEST_PENDING && rq->paused.s;
}

struct span view_message(const struct request *rq)
{
    if (is_paused(rq)) {
        struct span reason = raw_get(rq->paused, "reason");
        return reason.len > 2 && reason.s[0] == '"' ? reason : SPAN("\"messages.paused\"");
    }
    return rq->status == REQUEST_PENDING && rq->beyond ? SPAN("\"messages.beyond_thousand\"") : document_value(&rq->doc, DOC_MESSAGE);
}

int64_t view_left_s(const struct request *rq)
{
    return is_paused(rq) ? -1 : estimate_left_s(rq);
}

static void add_error(struct str *out, const struct document *doc, const struct locale *locale)
{
    static const char *const names[] = { "code", "message", "retryable" };
    struct span value[ARRAY_LEN(names)];
    if (!doc->field[DOC_ERROR].s || raw_get_many(doc->field[DOC_ERROR], names, value, ARRAY_LEN(names)) < 1) {
        str_adds(out, "null");
        return;
    }
    str_adds(out, "{\"code\":");
    str_add_span(out, value[0].s ? value[0] : SPAN("null"));
    str_adds(out, ",\"message\":");
    add_message(out, value[1].s ? value[1] : SPAN("null"), locale);
    str_adds(out, ",\"retryable\":");
    str_add_span(out, value[2].s ? value[2] : SPAN("false"));
    str_addc(out, '}');
}

/* `computed`: with what changes from second to second. */
static void add_otp(struct str *out, const struct request *rq, const struct service *service, bool computed)
{
    if (rq->status != REQUEST_OTP_REQUIRED && rq->status != REQUEST_OTP_VERIFYING) {
        str_adds(out, "null");
        return;
    }
    struct otp_state state;
    otp_look(rq, service, &state);
    str_adds(out, "{\"expires_at\":");
    add_time(out, rq->guard.code_until_ms);
    str_adds(out, ",\"resend_at\":");
    if (state.resend_in_s >= 0)
        add_time(out, rq->guard.resend_at_ms);
    else
        str_adds(out, "null");
    str_adds(out, ",\"attempts_left\":");
    str_add_int(out, state.attempts_left);
    str_adds(out, ",\"length\":");
    str_add_int(out, state.length);
    if (computed) {
        str_adds(out, ",\"expires_in\":");
        str_add_int(out, state.expires_in_s);
        str_adds(out, ",\"resend_in\":");
        if (state.resend_in_s >= 0)
            str_add_int(out, state.resend_in_s);
        else
            str_adds(out, "null");
    }
    str_addc(out, '}');
}

/* No history holds these, so that whoever writes past the guard can leave anything there unseen. */
void view_add_names(struct str *out, const struct request *rq)
{
    struct span slug = document_sound(&rq->doc, DOC_SERVICE);
    str_adds(out, "{\"hash\":\"");
    str_add(out, rq->hash, HASH_LEN);
    str_adds(out, "\",\"service_slug\":");
    str_add_span(out, slug.s[0] == '"' ? slug : SPAN("null"));
}

static void add_duration(struct str *out, const struct request *rq)
{
    int64_t seconds = raw_int(rq->doc.field[DOC_DURATION], -1);
    if (seconds >= 0)
        str_add_int(out, seconds);
    else
        str_adds(out, "null");
}

static void add_stored(struct str *out, const struct request *rq, const struct service *service, const struct locale *locale, bool computed)
{
    static const struct {
        const char *name;
        enum document_field field;
    } rows[] = { { ",\"status\":", DOC_STATUS },     { ",\"step\":", DOC_STEP },        { ",\"progress\":", DOC_PROGRESS },
                 { ",\"revision\":", DOC_REVISION }, { ",\"updated_at\":", DOC_UPDATED } };
    str_grow(out, 640);
    view_add_names(out, rq);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str_adds(out, rows[i].name);
        str_add_span(out, document_value(&rq->doc, rows[i].field));
    }
    str_adds(out, ",\"estimated_duration\":");
    add_duration(out, rq);
    str_adds(out, ",\"current_message\":");
    add_message(out, computed ? view_message(rq) : document_value(&rq->doc, DOC_MESSAGE), locale);
    add_bool(out, ",\"requires_otp\":", rq->status == REQUEST_OTP_REQUIRED);
    add_bool(out, ",\"is_completed\":", rq->status == REQUEST_COMPLETED);
    add_bool(out, ",\"is_failed\":", rq->status == REQUEST_FAILED);
    add_bool(out, ",\"is_cancelled\":", rq->status == REQUEST_CANCELLED);
    str_adds(out, ",\"error\":");
    add_error(out, &rq->doc, locale);
    str_adds(out, ",\"otp\":");
    add_otp(out, rq, service, computed);
}

void view_add_stored(struct str *out, const struct request *rq, const struct service *service)
{
    add_stored(out, rq, service, NULL, false);
    str_addc(out, '}');
}

void view_add(struct str *out, const struct request *rq, const struct service *service, const struct locale *locale)
{
    add_stored(out, rq, service, locale, true);
    str_adds(out, ",\"expires_at\":");
    add_time(out, rq->now_ms + (rq->ttl_ms > 0 ? rq->ttl_ms : 0));
    str_adds(out, ",\"estimated_remaining_time\":");
    if (view_left_s(rq) >= 0)
        str_add_int(out, view_left_s(rq));
    else
        str_adds(out, "null");
    str_adds(out, ",\"queue_position\":");
    if (rq->status == REQUEST_PENDING && rq->ahead >= 0)
        str_add_int(out, rq->ahead + 1);
    else
        str_adds(out, "null");
    str_adds(out, ",\"redirect_url\":\"");
    view_add_place(out, rq);
    str_adds(out, "\"}");
}

static const char *const places[REQUEST_STATUSES] = {
    [REQUEST_PENDING] = "progress",       [REQUEST_PROCESSING] = "progress", [REQUEST_OTP_REQUIRED] = "otp",
    [REQUEST_OTP_VERIFYING] = "progress", [REQUEST_COMPLETED] = "result",    [REQUEST_FAILED] = "result",
    [REQUEST_CANCELLED] = "result",
};

void view_add_place_of(struct str *out, struct span slug, enum request_status status, const char *hash)
{
    str_adds(out, "/services/");
    str_add_url(out, slug.s, slug.len);
    str_addc(out, '/');
    str_adds(out, places[status]);
    str_addc(out, '/');
    str_add(out, hash, HASH_LEN);
}

void view_add_place(struct str *out, const struct request *rq)
{
    view_add_place_of(out, request_slug(rq), rq->status, rq->hash);
}
