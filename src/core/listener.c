/* listener.c: telling who listens to a request */
#include "core/listener.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "core/job_type.h"

enum { CODE_PRIORITY = 9 }; /* codes live for minutes: what tells of one goes past whatever waits */

const char *const listener_types[LISTENER_KINDS] = { [LISTENER_WEBHOOK] = "webhook", [LISTENER_MAIL] = "mail" };

void listener_add(struct str *lines, enum listener_kind kind, struct span json)
{
    if (lines->len > 0)
        str_addc(lines, '\n');
    str_addf(lines, "%s ", listener_types[kind]);
    str_add_span(lines, json);
}

bool listener_hears(enum request_status status)
{
    return status == REQUEST_OTP_REQUIRED || request_is_final(status);
}

bool listener_is_first_code(const char *job_id)
{
    static const char word[] = ".otp_required0";
    size_t len = strlen(job_id), end = sizeof word - 1;
    return len > end && strcmp(job_id + len - end, word) == 0;
}

/* As the document says it; now, where it says nothing that could be so. */
static int64_t updated_ms(const struct request *rq)
{
    struct span text = document_value(&rq->doc, DOC_UPDATED);
    int64_t ms = text.len > 2 ? clock_parse_rfc3339((struct span){ text.s + 1, text.len - 2 }) : -1;
    return ms > 0 && ms < rq->now_ms ? ms : rq->now_ms;
}

void listener_note(struct listener_news *n, const struct request *rq)
{
    struct span slug = request_slug(rq);
    if (rq->guard.listeners.len == 0)
        return;
    memcpy(n->hash, rq->hash, HASH_SIZE);
    str_reset(&n->lines);
    str_reset(&n->slug);
    str_add_span(&n->lines, rq->guard.listeners);
    str_add_span(&n->slug, slug.s ? slug : SPAN(""));
    n->code = rq->guard.code;
    n->run = rq->guard.run;
    n->updated_ms = updated_ms(rq);
}

void listener_forget(struct listener_news *n)
{
    str_free(&n->lines);
    str_free(&n->slug);
}

/* One line in its parts. */
struct line {
    const struct job_type *type;
    struct span json;
};

/* Somebody may have written past us: what is no line of ours is nobody's. */
static bool read_line(const struct house *house, struct span text, struct line *out)
{
    for (int kind = 0; kind < LISTENER_KINDS; kind++) {
        size_t len = strlen(listener_types[kind]);
        if (text.len <= len || text.s[len] != ' ' || memcmp(text.s, listener_types[kind], len) != 0)
            continue;
        out->type = job_types_find(house->job_types, span_of(listener_types[kind]));
        out->json = (struct span){ text.s + len + 1, text.len - len - 1 };
        return out->type && json_check(out->json.s, out->json.len, NULL) == 0;
    }
    return false;
}

static void add_member(struct str *out, const char *name, const char *value)
{
    str_adds(out, name);
    str_add_json(out, value, strlen(value));
}

static void add_payload(struct str *out, const struct listener_news *n, const struct line *line, enum request_status status, int64_t at_ms)
{
    char at[CLOCK_RFC3339_SIZE];
    clock_rfc3339(at_ms, at);
    str_adds(out, "{\"listener\":");
    str_add_span(out, line->json);
    str_addf(out, ",\"event\":{\"type\":\"request.%s\",\"timestamp\":\"%s\"", request_status_name(status), at);
    add_member(out, ",\"data\":{\"hash\":", n->hash);
    add_member(out, ",\"service_slug\":", n->slug.s);
    add_member(out, ",\"status\":", request_status_name(status));
    str_adds(out, "}}}");
}

static void queue_job(struct app *app, const struct listener_news *n, const struct line *line, enum request_status status, int64_t at_ms)
{
    struct str id = STR_INIT, payload = STR_INIT;
    int64_t number = request_is_final(status) ? n->run : n->code;
    str_addf(&id, "%s.%s.%s%lld", n->hash, line->type->name, request_status_name(status), (long long)number);
    add_payload(&payload, n, line, status, at_ms);
    job_push_queue(app, &(struct job_new){ .queue = line->type->queue, .id = id.s, .type = line->type->name, .payload = payload.s,
                                           .priority = status == REQUEST_OTP_REQUIRED ? 1 + CODE_PRIORITY : 0 });
    str_free(&id);
    str_free(&payload);
}

static int take_pushes(struct app *app, size_t pushed, struct err *err)
{
    const struct reply *replies;
    size_t count;
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = count - pushed; i < count; i++)
        if (job_push_reply(&replies[i], NULL, err) < 0)
            return -1;
    return 0;
}

int listener_tell(struct app *app, const struct listener_news *n, enum request_status status, int64_t at_ms, struct err *err)
{
    size_t pushed = 0;
    if (n->lines.len == 0 || !listener_hears(status))
        return 0;
    if (!app->house->job_types)
        return err_set(err, ERR_STATE, "this program knows no job types");
    redis_use_db(app->redis, app->main_db);
    for (size_t at = 0, len; at < n->lines.len && pushed < LISTENER_KINDS; at += len + 1) {
        struct line line;
        const char *end = memchr(n->lines.s + at, '\n', n->lines.len - at);
        len = (end ? (size_t)(end - n->lines.s) : n->lines.len) - at;
        if (read_line(app->house, (struct span){ n->lines.s + at, len }, &line)) {
            queue_job(app, n, &line, status, at_ms);
            pushed++;
        }
    }
    return pushed > 0 ? take_pushes(app, pushed, err) : 0;
}

bool listener_tell_read(struct app *app, const struct request *rq)
{
    struct listener_news news = { .lines = STR_INIT };
    enum request_status status = rq->status;
    struct err err = ERR_INIT;
    if (rq->guard.listeners.len == 0 || !listener_hears(status))
        return true;
    listener_note(&news, rq);
    int told = listener_tell(app, &news, status, news.updated_ms, &err);
    if (told < 0)
        log_event(LOG_DEBUG, LOG_FIELDS("request", news.hash), "who listens is told later: %s", err.text);
    listener_forget(&news);
    return told == 0;
}
