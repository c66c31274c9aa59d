/* refusal.c: an answer that says no */
#include "push/refusal.h"

#include "base/utf8.h"
#include "push/sse.h"

static const struct {
    int status, retry_after_s; /* retry_after_s 0: none is said */
    const char *reason, *text; /* text: a catalogue key */
    const char *header;        /* a further line of the head */
} refusals[REFUSALS] = {
    [REFUSE_UNAUTHORIZED] = { 401, 0, "Unauthorized", "http.unauthorized.text", "WWW-Authenticate: Bearer\r\n" },
    [REFUSE_FORBIDDEN] = { 403, 0, "Forbidden", "json.token_role", "" },
    [REFUSE_SERVICE] = { 403, 0, "Forbidden", "json.token_service", "" },
    [REFUSE_SIGN_IN] = { 403, 0, "Forbidden", "account.needed", "" },
    [REFUSE_ORIGIN] = { 403, 0, "Forbidden", "live.origin", "" },
    [REFUSE_NOT_FOUND] = { 404, 0, "Not Found", "http.not_found.text", "" },
    [REFUSE_METHOD] = { 405, 0, "Method Not Allowed", "http.method.text", "Allow: GET\r\n" },
    [REFUSE_CONFLICT] = { 409, 0, "Conflict", "http.conflict.text", "" },
    [REFUSE_WAIT] = { 422, 0, "Unprocessable Content", "live.wait", "" },
    [REFUSE_TOPICS] = { 429, 0, "Too Many Requests", "live.topics", "" },
    [REFUSE_UPGRADE] = { 426, 0, "Upgrade Required", "live.upgrade", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" },
    [REFUSE_TOO_MANY] = { 429, 0, "Too Many Requests", "limit.wait", "" },
    [REFUSE_AWAY] = { 503, 5, "Service Unavailable", "http.away.text", "" },
    [REFUSE_FULL] = { 503, 30, "Service Unavailable", "http.full.text", "" },
    [REFUSE_INTERNAL] = { 500, 0, "Internal Server Error", "http.internal.text", "" },
};

enum refusal refusal_of(const struct err *err)
{
    switch (err->kind) {
    case ERR_AWAY:
        return REFUSE_AWAY;
    case ERR_FULL:
        return REFUSE_FULL;
    case ERR_NOT_FOUND:
        return REFUSE_NOT_FOUND;
    case ERR_FINAL:
    case ERR_STALE:
        return REFUSE_CONFLICT;
    default:
        return REFUSE_INTERNAL;
    }
}

enum refusal refusal_of_answer(const struct admit *a)
{
    static const enum refusal of[] = {
        [ADMIT_YES] = REFUSE_INTERNAL,         [ADMIT_NOT_FOUND] = REFUSE_NOT_FOUND, [ADMIT_TOO_OFTEN] = REFUSE_TOO_MANY,
        [ADMIT_SIGN_IN] = REFUSE_SIGN_IN,      [ADMIT_NO_TOKEN] = REFUSE_UNAUTHORIZED,
        [ADMIT_WRONG_ROLE] = REFUSE_FORBIDDEN,
    };
    return a->answer == ADMIT_NOBODY_KNOWS ? refusal_of(&a->views.err) : of[a->answer];
}

int refusal_status(enum refusal why)
{
    return refusals[why].status;
}

static int retry_after_s(enum refusal why, const struct limit_verdict *verdict)
{
    return verdict ? limit_wait_s(verdict) : refusals[why].retry_after_s;
}

/* As web says it of its own limits (draft-ietf-httpapi-ratelimit-headers). */
static void add_limit(struct str *out, const struct limit_verdict *v)
{
    const char *name = limits[LIMIT_STREAM].name;
    double fills_s = (double)v->bucket.burst * (double)v->bucket.period_s / v->bucket.count;
    str_addf(out, "RateLimit-Policy: \"%s\";q=%lld;w=%.0f\r\n", name, (long long)v->bucket.burst, fills_s < 1 ? 1 : fills_s);
    str_addf(out, "RateLimit: \"%s\";r=%lld;t=%d\r\n", name, (long long)v->left, limit_wait_s(v));
}

void refusal_add_detail(struct str *out, enum refusal why, const struct locale *locale, const struct limit_verdict *verdict)
{
    struct str time = STR_INIT;
    str_reset(&time);
    locale_add_duration(locale, &time, retry_after_s(why, verdict));
    locale_add(locale, out, refusals[why].text, LOCALE_PARAMS("time", time.s));
    str_free(&time);
}

static void add_body(struct str *out, enum refusal why, const struct locale *locale, struct span path, const struct limit_verdict *verdict)
{
    struct str mended = STR_INIT, words = STR_INIT;
    str_reset(&mended);
    utf8_add_mended(&mended, path.s, path.len);
    str_addf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", refusals[why].reason, refusals[why].status);
    refusal_add_detail(&words, why, locale, verdict);
    str_add_json(out, words.s, words.len);
    str_adds(out, ",\"instance\":");
    str_add_json(out, mended.s, mended.len);
    str_addc(out, '}');
    str_free(&mended);
    str_free(&words);
}

void refusal_add(struct str *out, enum refusal why, const struct locale *locale, struct span path, const struct limit_verdict *verdict)
{
    int retry_s = retry_after_s(why, verdict);
    struct str body = STR_INIT;
    add_body(&body, why, locale, path, verdict);
    str_addf(out, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Language: %s\r\n", refusals[why].status,
             refusals[why].reason, locale_code(locale));
    str_adds(out, SSE_DATA_HEADERS);
    str_adds(out, refusals[why].header);
    if (retry_s > 0)
        str_addf(out, "Retry-After: %d\r\n", retry_s);
    if (verdict)
        add_limit(out, verdict);
    str_addf(out, "Content-Length: %zu\r\n\r\n", body.len);
    str_add(out, body.s, body.len);
    str_free(&body);
}
