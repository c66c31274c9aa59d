/* bot_call.c: calls that `peygir bot check` makes straight to the bot: for a request that has ended, for one that never was, and garbage */
#include "base/clock.h"
#include "base/json.h"
#include "base/rnd.h"
#include "cli/bot_check.h"
#include "core/locale.h"
#include "core/options.h"
#include "net/http.h"

enum { LONG_BYTES = 2 << 20, HASH_DIGITS = 26, HASH_BYTES = 17 };

/* --- one call --- */

struct answer {
    bool came;          /* a whole response within the time */
    int status;
    bool said_error;    /* {"status":"error", …} */
    int64_t took_ms;
    char error[200];    /* why none came */
};

static void note_answer(void *ctx, const struct http_result *r)
{
    struct answer *a = ctx;
    struct json_object *body = NULL, *status = NULL;
    a->came = r->outcome == HTTP_ANSWERED;
    a->status = r->status;
    if (!a->error[0])
        snprintf(a->error, sizeof a->error, "%.199s", r->error);
    if (a->came && json_parse(r->body.s, r->body.len, &body, NULL) == 0 && json_object_is_type(body, json_type_object))
        status = json_object_object_get(body, "status");
    a->said_error = status && strcmp(json_object_get_string(status), "error") == 0;
    json_object_put(body);
}

struct waiting {
    struct http_call *call;
    struct answer *answer;
};

static void give_up(uv_timer_t *timer)
{
    struct waiting *w = timer->data;
    snprintf(w->answer->error, sizeof w->answer->error, "no answer in time");
    http_cancel(w->call);
}

static void post(struct bot_check *c, const char *slug, struct span body, int64_t run, struct answer *a)
{
    uv_loop_t loop;
    uv_timer_t timer;
    char *url = xasprintf("%s/api/services/%s", settings_text(c->cli->settings, OPT_LOCAL_API_URL), slug);
    char *language = xasprintf("Accept-Language: %s", locale_code(locales_default(c->cli->house.locales)));
    char *run_header = xasprintf("Peygir-Run: %lld", (long long)run);
    const char *headers[] = { "Content-Type: application/json", "Accept: application/json", "Peygir-Job: check", run_header, language, NULL };
    int64_t began_ms = clock_mono_ms();
    *a = (struct answer){ .error = "" };
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    struct http *http = http_new(&loop, 0);
    struct waiting w = { http_post(http, &(struct http_request){ .url = url, .headers = headers, .body = body }, note_answer, a), a };
    timer.data = &w;
    uv_timer_start(&timer, give_up, (uint64_t)c->timeout_ms, 0);
    while (http_calls(http) > 0)
        uv_run(&loop, UV_RUN_ONCE);
    a->took_ms = clock_mono_ms() - began_ms;
    uv_close((uv_handle_t *)&timer, NULL);
    http_free(http);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    free(url);
    free(language);
    free(run_header);
}

/* The form as a worker posts it. */
static void add_body(const struct bot_check *c, struct str *out, const char *hash)
{
    str_add(out, c->data.s, c->data.len - 1);
    str_addf(out, "%s\"requestHash\":\"%s\"}", c->data.len > 2 ? "," : "", hash);
}

static void call_for(struct bot_check *c, const char *hash, int64_t run, struct answer *a)
{
    struct str body = STR_INIT;
    add_body(c, &body, hash);
    post(c, c->service->slug, (struct span){ body.s, body.len }, run, a);
    str_free(&body);
}

/* --- for a request that has ended --- */

int promise_late(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct visit *b = &c->cancelled;
    struct request rq;
    struct answer a;
    if (b->status != REQUEST_CANCELLED)
        return promise_skipped(v, "nothing was cancelled");
    call_for(c, b->hash, b->run, &a);
    if (visit_look(c, b, err) < 0)
        return -1;
    int found = request_read(&c->cli->app, span_of(b->hash), &rq, err);
    if (found < 0)
        return -1;
    if (found == 0 || rq.status != REQUEST_CANCELLED || !span_is(document_value(&rq.doc, DOC_RESULT), "null"))
        return promise_failed(v, "it changed a request that was cancelled: %s", found ? request_status_name(rq.status) : "it is gone");
    if (!a.came)
        return promise_failed(v, "called for a request that was cancelled: %s", a.error);
    return promise_ok(v, "called for a request that was cancelled, it answered %d after %.1f s and changed nothing", a.status, SECONDS(a.took_ms));
}

/* --- for one that never was --- */

static void new_hash(char hash[HASH_SIZE])
{
    uint8_t bytes[HASH_BYTES];
    rnd_bytes(bytes, sizeof bytes);
    memcpy(hash, "req_", 4);
    rnd_base32(bytes, HASH_DIGITS, hash + 4);
}

/* 1: it wrote a document where there was none, which goes; 0; -1. */
static int has_made(struct bot_check *c, const char *hash, struct err *err)
{
    struct redis *r = c->cli->app.redis;
    struct key document = key_document(span_of(hash));
    redis_use_db(r, c->cli->app.main_db);
    const struct reply *gone = redis_do(r, err, "DEL %b", document.s, document.len);
    return gone ? gone->integer > 0 : -1;
}

int promise_gone(struct bot_check *c, struct verdict *v, struct err *err)
{
    char hash[HASH_SIZE];
    struct answer a;
    new_hash(hash);
    call_for(c, hash, 1, &a);
    int made = has_made(c, hash, err);
    if (made != 0)
        return made < 0 ? -1 : promise_failed(v, "it wrote a document for a request that does not exist");
    if (!a.came)
        return promise_failed(v, "called for a request that does not exist: %s", a.error);
    return promise_ok(v, "called for a request that does not exist, it answered %d after %.1f s", a.status, SECONDS(a.took_ms));
}

/* --- garbage --- */

/* Every field, and the hash, of a type that Peygir never sends. */
static void add_wrong_types(const struct bot_check *c, struct str *out)
{
    str_adds(out, "{\"requestHash\":7");
    for (size_t i = 0; i < c->service->field_count; i++)
        str_addf(out, ",\"%s\":[[]]", c->service->fields[i].name);
    str_addc(out, '}');
}

static void add_long(const struct bot_check *c, struct str *out)
{
    (void)c;
    str_grow(out, LONG_BYTES);
    memset(out->s, 'x', LONG_BYTES);
    out->len = LONG_BYTES;
    out->s[LONG_BYTES] = '\0';
}

static void add_good(const struct bot_check *c, struct str *out)
{
    char hash[HASH_SIZE];
    new_hash(hash);
    add_body(c, out, hash);
}

static const struct garbage {
    const char *name, *slug;  /* slug NULL: that of the service */
    const char *body;         /* NULL: what `add` makes */
    void (*add)(const struct bot_check *c, struct str *out);
    bool may_break;           /* closing the connection is an answer as well */
} garbages[] = {
    { "no JSON", NULL, "<html>{\"requestHash\":", NULL, false },
    { "no body", NULL, "", NULL, false },
    { "no object", NULL, "[1,2]", NULL, false },
    { "wrong types", NULL, NULL, add_wrong_types, false },
    { "an unknown service", "no-such-service", NULL, add_good, false },
    { "a body of 2 MiB", NULL, NULL, add_long, true },
};

static bool is_refused(const struct garbage *g, const struct answer *a)
{
    return a->came ? (a->status >= 400 && a->status < 500) || (a->status < 300 && a->said_error) : g->may_break;
}

int promise_garbage(struct bot_check *c, struct verdict *v, struct err *err)
{
    struct str bad = STR_INIT, body = STR_INIT;
    (void)err;
    for (size_t i = 0; i < ARRAY_LEN(garbages); i++) {
        const struct garbage *g = &garbages[i];
        struct answer a;
        str_reset(&body);
        if (g->add)
            g->add(c, &body);
        else
            str_adds(&body, g->body);
        post(c, g->slug ? g->slug : c->service->slug, (struct span){ body.s, body.len }, 1, &a);
        if (!is_refused(g, &a))
            str_addf(&bad, "%s%s: %s", bad.len ? "; " : "", g->name, a.came ? a.said_error ? "an error, but its status is " : "status " : a.error);
        if (!is_refused(g, &a) && a.came)
            str_addf(&bad, "%d", a.status);
    }
    if (bad.len > 0)
        promise_failed(v, "not refused with 4xx or an error: %s", bad.s);
    else
        promise_ok(v, "%zu kinds refused", ARRAY_LEN(garbages));
    str_free(&bad);
    str_free(&body);
    return 0;
}
