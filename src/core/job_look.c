/* job_look.c: one job as it is stored, and where it is. */
#include "core/job_look.h"

#include "scripts.h"

#define LOOK_MAX SPAN("10000") /* jobs of the list that a look goes through, the oldest first */

const char *const job_places[] = { "queue", "priority", "delayed", "active", "failed", "done", "nowhere" };

const struct reply *job_look_exchange(struct app *app, size_t *count, struct err *err)
{
    const struct reply *replies;

    if (redis_exchange(app->redis, &replies, count, err) < 0)
        return NULL;
    for (size_t i = 0; i < *count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return NULL;
    return replies;
}

/* --- its hash --- */

enum field_kind { FIELD_TEXT, FIELD_INT };
static const struct field_row {
    const char *name;
    enum field_kind kind;
    size_t offset; /* in struct job_view */
} field_rows[] = {
    { "type", FIELD_TEXT, offsetof(struct job_view, type) },
    { "status", FIELD_TEXT, offsetof(struct job_view, status) },
    { "payload", FIELD_TEXT, offsetof(struct job_view, payload) },
    { "request_hash", FIELD_TEXT, offsetof(struct job_view, request_hash) },
    { "user_id", FIELD_TEXT, offsetof(struct job_view, user_id) },
    { "parent", FIELD_TEXT, offsetof(struct job_view, parent) },
    { "worker_id", FIELD_TEXT, offsetof(struct job_view, worker_id) },
    { "error", FIELD_TEXT, offsetof(struct job_view, error) },
    { "message", FIELD_TEXT, offsetof(struct job_view, message) },
    { "result", FIELD_TEXT, offsetof(struct job_view, result) },
    { "history", FIELD_TEXT, offsetof(struct job_view, history) },
    { "unique_key", FIELD_TEXT, offsetof(struct job_view, unique_key) },
    { "priority", FIELD_INT, offsetof(struct job_view, priority) },
    { "attempts", FIELD_INT, offsetof(struct job_view, attempts) },
    { "max_attempts", FIELD_INT, offsetof(struct job_view, max_attempts) },
    { "deaths", FIELD_INT, offsetof(struct job_view, deaths) },
    { "run", FIELD_INT, offsetof(struct job_view, run) },
    { "progress", FIELD_INT, offsetof(struct job_view, progress) },
    { "timeout", FIELD_INT, offsetof(struct job_view, timeout_s) },
    { "created_at", FIELD_INT, offsetof(struct job_view, created_ms) },
    { "started_at", FIELD_INT, offsetof(struct job_view, started_ms) },
    { "completed_at", FIELD_INT, offsetof(struct job_view, completed_ms) },
};

static void read_field(struct job_view *view, struct span name, const struct reply *value)
{
    for (size_t i = 0; i < ARRAY_LEN(field_rows); i++) {
        const struct field_row *row = &field_rows[i];
        char *at = (char *)view + row->offset;

        if (!span_is(name, row->name))
            continue;
        if (row->kind == FIELD_INT) {
            *(int64_t *)at = reply_int(value, 0);
        } else {
            struct span text = reply_text(value);
            free(*(char **)at);
            *(char **)at = xmemdupz(text.s ? text.s : "", text.len);
        }
        return;
    }
}

void job_look_read(struct job_view *out, const char *queue, struct span id, const struct reply *fields)
{
    struct span name = job_part_queue(queue);

    *out = (struct job_view){
        .queue = xmemdupz(name.s, name.len), .id = xmemdupz(id.s, id.len), .ahead = -1, .ttl_ms = -1
    };
    for (size_t i = 0; i + 1 < fields->count; i += 2)
        read_field(out, reply_text(&fields->item[i]), &fields->item[i + 1]);
}

void job_view_clear(struct job_view *view)
{
    free(view->queue);
    free(view->id);
    for (size_t i = 0; i < ARRAY_LEN(field_rows); i++)
        if (field_rows[i].kind == FIELD_TEXT)
            free(*(char **)((char *)view + field_rows[i].offset));
    *view = (struct job_view){ .queue = NULL };
}

/* --- its place --- */

enum {
    ANSWER_FIELDS,
    ANSWER_TTL,
    ANSWER_NOW,
    ANSWER_SCORES,
    ANSWER_INDEX = ANSWER_SCORES + 4,
    ANSWER_LENGTH,
    ANSWER_COUNT
};

static bool status_is(const struct job_view *view, const char *status)
{
    return view->status && strcmp(view->status, status) == 0;
}

static bool has_ended(const struct job_view *view)
{
    return status_is(view, "completed") || status_is(view, "cancelled") || status_is(view, "failed");
}

/* A job that stands in two places by a fault is where it will be found first. */
static enum job_place place_of(const struct job_view *view, const struct reply *answer, double *score)
{
    static const struct {
        enum job_place place;
        size_t score; /* of the four in the answer */
    } sets[] = { { JOB_IN_ACTIVE, 2 }, { JOB_IN_FAILED, 3 }, { JOB_IN_DELAYED, 1 }, { JOB_IN_PRIORITY, 0 } };
    const struct reply *scores = &answer->item[ANSWER_SCORES];

    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        struct span text = reply_text(&scores[sets[i].score]);
        if (!text.s)
            continue;
        *score = strtod(text.s, NULL);
        return sets[i].place;
    }
    if (answer->item[ANSWER_INDEX].type == REPLY_INT)
        return JOB_IN_LIST;
    if (has_ended(view))
        return JOB_IS_DONE;
    bool beyond = answer->item[ANSWER_LENGTH].integer > strtoll(LOOK_MAX.s, NULL, 10);
    return beyond && !status_is(view, "processing") ? JOB_IN_LIST : JOB_IS_NOWHERE;
}

static void queue_look(struct app *app, const char *queue, const char *id)
{
    static const char *const sets[] = { "queue", "priority", "delayed", "active", "failed" };
    struct key names[1 + ARRAY_LEN(sets)];
    struct span keys[ARRAY_LEN(names)];
    const struct span args[] = { span_of(id), LOOK_MAX };

    names[0] = job_part_data(app, queue, id);
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        names[1 + i] = job_part_key(app, queue, sets[i]);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        keys[i] = key_span(&names[i]);
    redis_queue_script(job_part_redis(app), &script_job_look, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
}

/* 1 or 0. */
static int take_look(const char *queue, const char *id, const struct reply *answer, struct job_view *out)
{
    if (answer->count != ANSWER_COUNT)
        return 0;
    job_look_read(out, queue, span_of(id), &answer->item[ANSWER_FIELDS]);
    out->ttl_ms = reply_int(&answer->item[ANSWER_TTL], -1);
    out->now_ms = reply_int(&answer->item[ANSWER_NOW], 0);
    out->place = place_of(out, answer, &out->score);
    if (out->place == JOB_IN_LIST && answer->item[ANSWER_INDEX].type == REPLY_INT)
        out->ahead = answer->item[ANSWER_LENGTH].integer - 1 - answer->item[ANSWER_INDEX].integer;
    if (out->ttl_ms < 0)
        out->ttl_ms = -1;
    if (answer->item[ANSWER_FIELDS].count > 0 ||
        (out->place <= JOB_IN_FAILED && (out->place != JOB_IN_LIST || out->ahead >= 0)))
        return 1;
    job_view_clear(out);
    return 0;
}

int job_look(struct app *app, const char *queue, const char *id, struct job_view *out, struct err *err)
{
    char *const queues[] = { (char *)(queue ? queue : JOB_QUEUE_DEFAULT) };

    return job_find(app, queues, 1, id, out, err);
}

int job_find(struct app *app, char *const queues[], size_t queue_count, const char *id, struct job_view *out,
             struct err *err)
{
    const struct reply *replies;
    size_t count;

    if (queue_count == 0)
        return 0;
    for (size_t i = 0; i < queue_count; i++)
        queue_look(app, queues[i], id);
    replies = job_look_exchange(app, &count, err);
    if (!replies)
        return -1;
    for (size_t i = 0; i < queue_count; i++)
        if (take_look(queues[i], id, &replies[i], out))
            return 1;
    return 0;
}

int job_find_owner(struct app *app, char *const queues[], size_t queue_count, const char *id, struct job_owner *out, struct err *err)
{
    const struct reply *replies;
    size_t count;

    *out = (struct job_owner){ .user_id = "" };
    for (size_t i = 0; i < queue_count; i++) {
        const struct key data = job_part_data(app, queues[i], id);
        redis_queuef(job_part_redis(app), "HMGET %b status user_id request_hash", data.s, data.len);
    }
    replies = job_look_exchange(app, &count, err);
    for (size_t i = 0; replies && i < queue_count; i++) {
        struct span user = reply_text(&replies[i].item[1]), hash = reply_text(&replies[i].item[2]);
        if (!reply_text(&replies[i].item[0]).s && !user.s && !hash.s)
            continue;
        snprintf(out->user_id, sizeof out->user_id, "%.*s", user.len < sizeof out->user_id ? (int)user.len : 0, user.s ? user.s : "");
        if (keys_is_hash(hash))
            memcpy(out->hash, hash.s, HASH_LEN);
        return 1;
    }
    return replies ? 0 : -1;
}
