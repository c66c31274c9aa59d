/* listener.c: telling who listens to a request */
#include "core/listener.h"

#include "base/clock.h"

enum { LISTENERS_MAX = 4 };

void listener_add(struct str *lines, const char *queue, const char *type, struct span json)
{
    if (lines->len > 0)
        str_addc(lines, '\n');
    str_addf(lines, "%s %s ", queue, type);
    str_add_span(lines, json);
}

bool listener_hears(enum request_status status)
{
    return status == REQUEST_OTP_REQUIRED || request_is_final(status);
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
}

void listener_forget(struct listener_news *n)
{
    str_free(&n->lines);
    str_free(&n->slug);
}

/* One line in its parts; the names end with NUL. */
struct line {
    char *queue, *type, *json;
};

static bool split(char *text, struct line *out)
{
    char *rest = text;
    out->queue = strsep(&rest, " ");
    out->type = strsep(&rest, " ");
    out->json = rest;
    return rest != NULL;
}

static void add_member(struct str *out, const char *name, const char *value)
{
    str_adds(out, name);
    str_add_json(out, value, strlen(value));
}

static void add_payload(struct str *out, const struct listener_news *n, const struct line *line, enum request_status status, int64_t now_ms)
{
    char now[CLOCK_RFC3339_SIZE];
    clock_rfc3339(now_ms, now);
    str_addf(out, "{\"listener\":%s,\"event\":{\"type\":\"request.%s\",\"timestamp\":\"%s\"", line->json, request_status_name(status), now);
    add_member(out, ",\"data\":{\"hash\":", n->hash);
    add_member(out, ",\"service_slug\":", n->slug.s);
    add_member(out, ",\"status\":", request_status_name(status));
    str_adds(out, "}}}");
}

static void queue_job(struct app *app, const struct listener_news *n, const struct line *line, enum request_status status)
{
    struct str id = STR_INIT, payload = STR_INIT;
    int64_t number = request_is_final(status) ? n->run : n->code;
    str_addf(&id, "%s.%s.%s%lld", n->hash, line->type, request_status_name(status), (long long)number);
    add_payload(&payload, n, line, status, house_now_ms(app->house));
    job_push_queue(app, &(struct job_new){ .queue = line->queue, .id = id.s, .type = line->type, .payload = payload.s });
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

int listener_tell(struct app *app, const struct listener_news *n, enum request_status status, struct err *err)
{
    struct line line;
    size_t pushed = 0;
    if (n->lines.len == 0 || !listener_hears(status))
        return 0;
    char *text = xmemdupz(n->lines.s, n->lines.len), *rest = text;
    redis_use_db(app->redis, app->main_db);
    for (char *one; pushed < LISTENERS_MAX && (one = strsep(&rest, "\n"));)
        if (split(one, &line)) {
            queue_job(app, n, &line, status);
            pushed++;
        }
    free(text);
    return pushed > 0 ? take_pushes(app, pushed, err) : 0;
}

int listener_read(struct app *app, struct span hash, struct request *rq, struct err *err)
{
    struct listener_news news = { .lines = STR_INIT };
    int found = request_read(app, hash, rq, err);
    if (found <= 0 || rq->guard.listeners.len == 0 || !listener_hears(rq->status))
        return found;
    listener_note(&news, rq);
    found = listener_tell(app, &news, rq->status, err) < 0 ? -1 : request_read(app, hash, rq, err);
    listener_forget(&news);
    return found;
}
