/* exchange.c: reading CGI variables, and putting an answer together. */
#include "web/exchange.h"

#include "core/locale.h"

static const struct span param_names[PARAMS] = {
    [PARAM_METHOD] = SPAN_INIT("REQUEST_METHOD"),
    [PARAM_URI] = SPAN_INIT("REQUEST_URI"),
    [PARAM_CONTENT_TYPE] = SPAN_INIT("CONTENT_TYPE"),
    [PARAM_CONTENT_LENGTH] = SPAN_INIT("CONTENT_LENGTH"),
    [PARAM_REMOTE_ADDR] = SPAN_INIT("REMOTE_ADDR"),
    [PARAM_HTTPS] = SPAN_INIT("HTTPS"),
    [PARAM_COOKIE] = SPAN_INIT("HTTP_COOKIE"),
    [PARAM_LANGUAGE] = SPAN_INIT("HTTP_ACCEPT_LANGUAGE"),
    [PARAM_AGENT] = SPAN_INIT("HTTP_USER_AGENT"),
    [PARAM_CSRF] = SPAN_INIT("HTTP_X_CSRF_TOKEN"),
    [PARAM_IDEMPOTENCY] = SPAN_INIT("HTTP_IDEMPOTENCY_KEY"),
    [PARAM_ORIGIN] = SPAN_INIT("HTTP_ORIGIN"),
    [PARAM_HOST] = SPAN_INIT("HTTP_HOST"),
    [PARAM_RUN] = SPAN_INIT("HTTP_PEYGIR_RUN"),
    [PARAM_FETCH_SITE] = SPAN_INIT("HTTP_SEC_FETCH_SITE"),
    [PARAM_AUTHORIZATION] = SPAN_INIT("HTTP_AUTHORIZATION"),
    [PARAM_SESSION] = SPAN_INIT("HTTP_PEYGIR_SESSION"),
};

static const char *const methods[METHOD_OTHER] = {
    [METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD", [METHOD_POST] = "POST", [METHOD_PUT] = "PUT", [METHOD_DELETE] = "DELETE",
};

const char *exchange_method(enum method method)
{
    return method < METHOD_OTHER ? methods[method] : "";
}

void exchange_free(struct exchange *x)
{
    struct str *buffers[] = { &x->body, &x->headers, &x->answer, &x->said, &x->out, &x->decoded, &x->words, &x->scratch };

    for (size_t i = 0; i < ARRAY_LEN(buffers); i++)
        str_free(buffers[i]);
    source_call_clear(&x->call);
    form_free(&x->query);
    form_free(&x->form);
    json_object_put(x->json);
    x->json = NULL;
}

/* Memory is kept, but for that of a value of the cache. */
static void reset_buffer(struct str *buffer)
{
    if (buffer->cap > 4 * EXCHANGE_BODY_MAX)
        str_free(buffer);
    str_reset(buffer);
}

/* --- the request --- */

static void reset_request(struct exchange *x)
{
    memset(x->param, 0, sizeof x->param);
    json_object_put(x->json);
    x->json = NULL;
    x->path = x->raw_query = x->slug = x->hash = x->id = x->key = x->source = x->source_method = (struct span){ NULL, 0 };
    x->limit = LIMIT_NONE;
    source_call_clear(&x->call);
    x->peeked = x->has_entry = false;
    x->segment_count = 0;
    form_reset(&x->query);
    form_reset(&x->form);
    reset_buffer(&x->body);
    str_reset(&x->decoded);
    x->route = NULL;
    x->service = NULL;
    x->cookie = x->token = x->bearer = (struct span){ NULL, 0 };
    x->bearer_holds = x->session.known = x->admin.known = x->has_owner = x->has_request = x->counted = x->refused = false;
    x->admin.token[0] = '\0';
}

static void reset_answer(struct exchange *x)
{
    x->status = 200;
    x->content = CONTENT_PAGE;
    str_reset(&x->headers);
    reset_buffer(&x->answer);
    reset_buffer(&x->out);
    x->no_store = true;
    x->own_life = false;
    x->problem = PROBLEM_NONE;
    x->detail = NULL;
    x->detail_param[0] = NULL;
    str_reset(&x->said);
    x->err.kind = ERR_NONE;
    x->err.retry_after_s = 0;
    x->err.text[0] = '\0';
    x->dropped = false;
}

static void take_param(struct exchange *x, const char *entry)
{
    const char *equals = strchr(entry, '=');
    size_t len = equals ? (size_t)(equals - entry) : 0;

    for (size_t i = 0; len && i < PARAMS; i++)
        if (param_names[i].len == len && memcmp(entry, param_names[i].s, len) == 0 && !x->param[i].s)
            x->param[i] = span_of(equals + 1);
}

/* Path segments, each decoded by itself, so that an encoded slash stays inside its segment. */
static int split_path(struct exchange *x, struct err *err)
{
    const char *p = x->path.s + 1, *end = x->path.s + x->path.len;

    str_grow(&x->decoded, x->path.len);
    while (p < end || (p == end && p[-1] == '/' && x->path.len > 1)) {
        const char *stop = p < end ? memchr(p, '/', (size_t)(end - p)) : NULL;
        size_t start = x->decoded.len;

        if (!stop)
            stop = end;
        if (!form_decode(&x->decoded, (struct span){ p, (size_t)(stop - p) }, false))
            return err_set(err, ERR_INVALID, "The path is not percent-encoded UTF-8 text.");
        if (x->segment_count < EXCHANGE_SEGMENTS) /* more than any route has: any number beyond is unknown likewise */
            x->segment[x->segment_count++] = (struct span){ x->decoded.s + start, x->decoded.len - start };
        p = stop + 1;
    }
    return 0;
}

static int take_uri(struct exchange *x, struct err *err)
{
    struct span uri = x->param[PARAM_URI];
    const char *mark = uri.s ? memchr(uri.s, '?', uri.len) : NULL;

    x->path = (struct span){ uri.s, mark ? (size_t)(mark - uri.s) : uri.len };
    if (mark)
        x->raw_query = (struct span){ mark + 1, uri.len - x->path.len - 1 };
    if (!uri.s || x->path.len == 0 || x->path.s[0] != '/')
        return err_set(err, ERR_INVALID, "The request has no path.");
    if (split_path(x, err) < 0)
        return -1;
    return form_parse(&x->query, x->raw_query, err);
}

int exchange_begin(struct exchange *x, const char *const environ_vars[], struct err *err)
{
    reset_request(x);
    reset_answer(x);
    for (; *environ_vars; environ_vars++)
        take_param(x, *environ_vars);
    x->https = span_is(x->param[PARAM_HTTPS], "on");
    x->method = METHOD_GET;
    while (x->method < METHOD_OTHER && !span_is(x->param[PARAM_METHOD], methods[x->method]))
        x->method++;
    return take_uri(x, err);
}

int64_t exchange_declared(const struct exchange *x)
{
    struct span text = x->param[PARAM_CONTENT_LENGTH];
    int64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.s[i] < '0' || text.s[i] > '9' || n > INT64_MAX / 20)
            return -1;
        n = n * 10 + (text.s[i] - '0');
    }
    return n;
}

/* --- the answer --- */

void exchange_header(struct exchange *x, const char *name, struct span value)
{
    str_adds(&x->headers, name);
    str_adds(&x->headers, ": ");
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.s[i] >= 0x20 && value.s[i] != 0x7f)
            str_addc(&x->headers, value.s[i]);
    str_adds(&x->headers, "\r\n");
}

void exchange_header_int(struct exchange *x, const char *name, int64_t value)
{
    str_adds(&x->headers, name);
    str_adds(&x->headers, ": ");
    str_add_int(&x->headers, value);
    str_adds(&x->headers, "\r\n");
}

#define FOR_ALL "X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n"

/* A browser obeys these for documents; what it fetches as data needs no more than to stay data. A status poll is asked for
 * more often than all the rest, and every line costs nginx a microsecond. */
static const char page_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'\r\n"
    FOR_ALL
    "Referrer-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n";
static const char data_headers[] =
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    FOR_ALL
    "Referrer-Policy: no-referrer\r\n";

static const struct {
    const char *type, *headers;
    bool in_language;
} contents[] = {
    [CONTENT_PAGE] = { "text/html; charset=utf-8", page_headers, true },
    [CONTENT_JSON] = { "application/json", data_headers, false },
    [CONTENT_PROBLEM] = { "application/problem+json", data_headers, true },
    [CONTENT_BYTES] = { NULL, data_headers, false },
    [CONTENT_METRICS] = { "text/plain; version=0.0.4; charset=utf-8", data_headers, false },
};

static void add_fixed_headers(const struct exchange *x, struct str *out)
{
    str_adds(out, "\r\nContent-Type: ");
    str_adds(out, contents[x->content].type ? contents[x->content].type : x->bytes_type);
    if (contents[x->content].in_language) {
        str_adds(out, "\r\nContent-Language: ");
        str_adds(out, locale_code(x->locale));
    }
    str_adds(out, x->own_life   ? "\r\n"
                  : x->no_store ? "\r\nCache-Control: no-store\r\n"
                                : "\r\nCache-Control: private, no-cache\r\nVary: Cookie, Accept-Language\r\n");
    str_adds(out, contents[x->content].headers);
}

void exchange_finish(struct exchange *x)
{
    struct str *out = &x->out;

    str_reset(out);
    str_adds(out, "Status: ");
    str_add_int(out, x->status);
    str_addc(out, ' ');
    str_adds(out, problem_reason(x->status));
    str_adds(out, "\r\nContent-Length: ");
    str_add_int(out, (long long)x->answer.len);
    add_fixed_headers(x, out);
    str_add(out, x->headers.s, x->headers.len);
    str_adds(out, "\r\n");
    if (x->method != METHOD_HEAD)
        str_add(out, x->answer.s, x->answer.len);
}

enum problem exchange_fail(const struct exchange *x)
{
    return problem_of(x->err.kind);
}

enum problem exchange_say(struct exchange *x, enum problem problem, const char *detail)
{
    x->detail = detail;
    return problem;
}

enum problem exchange_say_with(struct exchange *x, enum problem problem, const char *detail, const char *name,
                               const char *value)
{
    snprintf(x->detail_value, sizeof x->detail_value, "%s", value);
    x->detail_param[0] = name;
    x->detail_param[1] = x->detail_value;
    x->detail_param[2] = NULL;
    return exchange_say(x, problem, detail);
}

void exchange_add_sentence(struct exchange *x, struct str *out)
{
    static const char *const none[] = { NULL };

    if (x->said.len)
        str_add(out, x->said.s, x->said.len);
    else if (x->detail)
        locale_add(x->locale, out, x->detail, x->detail_param[0] ? x->detail_param : none);
    else
        str_adds(out, locale_text(x->locale, problems[x->problem].text));
}
