/* refusal.c: an answer that says no */
#include "push/refusal.h"

#include "base/utf8.h"
#include "push/sse.h"

static const struct {
    int status;
    const char *reason, *text; /* a catalogue key */
    int retry_after_s;         /* 0: none is said */
} refusals[REFUSALS] = {
    [REFUSE_NOT_FOUND] = { 404, "Not Found", "http.not_found.text", 0 },
    [REFUSE_METHOD] = { 405, "Method Not Allowed", "http.method.text", 0 },
    [REFUSE_TOO_MANY] = { 429, "Too Many Requests", "limit.wait", 0 },
    [REFUSE_AWAY] = { 503, "Service Unavailable", "http.away.text", 5 },
    [REFUSE_FULL] = { 503, "Service Unavailable", "http.full.text", 30 },
    [REFUSE_INTERNAL] = { 500, "Internal Server Error", "http.internal.text", 0 },
};

enum refusal refusal_of(const struct err *err)
{
    return err->kind == ERR_AWAY ? REFUSE_AWAY : err->kind == ERR_FULL ? REFUSE_FULL : REFUSE_INTERNAL;
}

/* As web says it of its own limits (draft-ietf-httpapi-ratelimit-headers). */
static void add_limit(struct str *out, const struct limit_verdict *v)
{
    const char *name = limits[LIMIT_STREAM].name;
    double fills_s = (double)v->bucket.burst * (double)v->bucket.period_s / v->bucket.count;
    str_addf(out, "RateLimit-Policy: \"%s\";q=%lld;w=%.0f\r\n", name, (long long)v->bucket.burst, fills_s < 1 ? 1 : fills_s);
    str_addf(out, "RateLimit: \"%s\";r=%lld;t=%d\r\n", name, (long long)v->left, limit_wait_s(v));
}

static void add_detail(struct str *out, enum refusal why, const struct locale *locale, int retry_s)
{
    struct str words = STR_INIT, time = STR_INIT;
    str_reset(&time);
    locale_add_duration(locale, &time, retry_s);
    locale_add(locale, &words, refusals[why].text, LOCALE_PARAMS("time", time.s));
    str_add_json(out, words.s, words.len);
    str_free(&words);
    str_free(&time);
}

static void add_body(struct str *out, enum refusal why, const struct locale *locale, struct span path, int retry_s)
{
    struct str mended = STR_INIT;
    str_reset(&mended);
    utf8_add_mended(&mended, path.s, path.len);
    str_addf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", refusals[why].reason, refusals[why].status);
    add_detail(out, why, locale, retry_s);
    str_adds(out, ",\"instance\":");
    str_add_json(out, mended.s, mended.len);
    str_addc(out, '}');
    str_free(&mended);
}

void refusal_add(struct str *out, enum refusal why, const struct locale *locale, struct span path, const struct limit_verdict *verdict)
{
    int retry_s = verdict ? limit_wait_s(verdict) : refusals[why].retry_after_s;
    struct str body = STR_INIT;
    add_body(&body, why, locale, path, retry_s);
    str_addf(out, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Language: %s\r\n", refusals[why].status,
             refusals[why].reason, locale_code(locale));
    str_adds(out, SSE_DATA_HEADERS);
    if (why == REFUSE_METHOD)
        str_adds(out, "Allow: GET\r\n");
    if (retry_s > 0)
        str_addf(out, "Retry-After: %d\r\n", retry_s);
    if (verdict)
        add_limit(out, verdict);
    str_addf(out, "Content-Length: %zu\r\n\r\n", body.len);
    str_add(out, body.s, body.len);
    str_free(&body);
}
