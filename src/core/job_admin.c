/* job_admin.c: queues: paused, limited, cleared, listed. */
#include "core/job_look.h"

#include "base/json.h"
#include "core/job_type.h"
#include "core/request.h"
#include "scripts.h"

#define CLEAR_MAX 1000 /* jobs in one script */
#define SCAN_COUNT 1000
#define NAME_MAX_BYTES 64 /* of a queue */

/* --- paused --- */

int job_pause(struct app *app, const char *queue, const char *reason, struct err *err)
{
    const struct key paused = job_part_key(app, queue, "paused");
    const struct span key = key_span(&paused);
    const char *text = reason ? reason : "messages.paused";
    struct str json = STR_INIT;
    const struct reply *reply;

    str_add_json(&json, text, strlen(text));
    redis_queue_script(job_part_redis(app), &script_job_pause, 1, &key, 1, &(struct span){ json.s, json.len });
    str_free(&json);
    reply = job_part_exchange(app, err);
    return reply ? reply_int(reply, 0) != 0 : -1;
}

int job_resume(struct app *app, const char *queue, struct err *err)
{
    const struct key paused = job_part_key(app, queue, "paused");
    const struct reply *gone = redis_do(job_part_redis(app), err, "DEL %b", paused.s, paused.len);

    return gone ? reply_int(gone, 0) != 0 : -1;
}

int job_is_paused(struct app *app, const char *queue, struct str *reason, struct err *err)
{
    const struct key paused = job_part_key(app, queue, "paused");
    const struct reply *text = redis_do(job_part_redis(app), err, "GET %b", paused.s, paused.len);

    if (!text || text->type == REPLY_NIL)
        return text ? 0 : -1;
    raw_string(raw_get(reply_text(text), "reason"), reason);
    return 1;
}

/* --- limited --- */

/* The head of the list is moved to where it is, so that whoever waits looks whether more may begin now. */
int job_limit_queue(struct app *app, const char *queue, const struct job_limit *limit, struct err *err)
{
    const struct key limits = job_part_key(app, queue, "limits"), list = job_part_key(app, queue, "queue");
    size_t count;

    if (limit->at_once < 0 || limit->per_count < 0 || (limit->per_count > 0 && limit->per_ms < 1))
        return err_set(err, ERR_INVALID,
                       "A queue's limit is a number of jobs at once, or a number of jobs in a time of at least 1 ms.");
    if (limit->at_once == 0 && limit->per_count == 0)
        redis_queuef(job_part_redis(app), "DEL %b", limits.s, limits.len);
    else
        redis_queuef(job_part_redis(app), "HSET %b at_once %lld per_count %lld per_ms %lld", limits.s, limits.len,
                     (long long)limit->at_once, (long long)limit->per_count, (long long)limit->per_ms);
    redis_queuef(app->redis, "LMOVE %b %b RIGHT RIGHT", list.s, list.len, list.s, list.len);
    return job_look_exchange(app, &count, err) ? 0 : -1;
}

int job_limit_read(struct app *app, const char *queue, struct job_limit *out, struct err *err)
{
    const struct key limits = job_part_key(app, queue, "limits");
    const struct reply *reply =
        redis_do(job_part_redis(app), err, "HMGET %b at_once per_count per_ms", limits.s, limits.len);

    if (!reply)
        return -1;
    if (reply->count != 3)
        return err_set(err, ERR_FAILED, "Redis answered HMGET with %zu values instead of 3.", reply->count);
    *out = (struct job_limit){ .at_once = reply_int(&reply->item[0], 0),
                               .per_count = reply_int(&reply->item[1], 0),
                               .per_ms = reply_int(&reply->item[2], 0) };
    return 0;
}

/* --- cleared --- */

static int64_t count_waiting(struct app *app, const char *queue, struct err *err)
{
    const struct key list = job_part_key(app, queue, "queue"), priority = job_part_key(app, queue, "priority"),
                     delayed = job_part_key(app, queue, "delayed");
    const struct reply *replies;
    size_t count;
    int64_t waiting = 0;

    redis_queuef(job_part_redis(app), "LLEN %b", list.s, list.len);
    redis_queuef(app->redis, "ZCARD %b", priority.s, priority.len);
    redis_queuef(app->redis, "ZCARD %b", delayed.s, delayed.len);
    replies = job_look_exchange(app, &count, err);
    for (size_t i = 0; replies && i < count; i++)
        waiting += reply_int(&replies[i], 0);
    return replies ? waiting : -1;
}

/* Their jobs are gone. A crash before this: the watch finds a request whose job has ended, and ends it. 0 or -1. */
static int fail_requests(struct app *app, char hashes[][HASH_SIZE], size_t count, struct err *err)
{
    const struct request_error error = { "cleared", "errors.cleared", true };

    for (size_t i = 0; i < count; i++) {
        struct err local = ERR_INIT;
        if (request_fail(app, span_of(hashes[i]), 0, &error, &local) >= 0 || local.kind == ERR_NOT_FOUND ||
            local.kind == ERR_FINAL)
            continue;
        if (err)
            *err = local;
        return -1;
    }
    return 0;
}

/* One script's worth. *off: how many were taken off the lists. Number thrown away, or -1. */
static int64_t clear_some(struct app *app, const char *queue, int64_t max, int64_t *off, struct err *err)
{
    struct span args[JOB_PART_ARGS + 1];
    char digits[NUMBER_SIZE];
    const struct reply *answer;
    size_t kept = 0;
    int64_t thrown;

    args[JOB_PART_ARGS] = span_number(digits, max < CLEAR_MAX ? max : CLEAR_MAX);
    job_part_script(app, queue, &script_job_clear, args, JOB_PART_ARGS + 1);
    answer = job_part_exchange(app, err);
    if (!answer)
        return -1;
    if (answer->count < 2)
        return err_set(err, ERR_FAILED, "job_clear.lua gave an answer that is not known here.");
    *off = reply_int(&answer->item[0], 0);
    thrown = reply_int(&answer->item[1], 0);
    char(*hashes)[HASH_SIZE] = xcalloc(answer->count, HASH_SIZE);
    for (size_t i = 2; i < answer->count; i++)
        if (keys_is_hash(reply_text(&answer->item[i])))
            memcpy(hashes[kept++], reply_text(&answer->item[i]).s, HASH_LEN);
    if (fail_requests(app, hashes, kept, err) < 0)
        thrown = -1;
    free(hashes);
    return thrown;
}

/* No more than there were at the beginning: a queue that is filled meanwhile would never be empty. */
int64_t job_clear_queue(struct app *app, const char *queue, bool dry_run, struct err *err)
{
    int64_t left = count_waiting(app, queue, err), total = 0, off = 1;

    if (left < 0 || dry_run)
        return left;
    for (; left > 0 && off > 0; left -= off) {
        int64_t thrown = clear_some(app, queue, left, &off, err);
        if (thrown < 0)
            return -1;
        total += thrown;
    }
    return total;
}

/* --- listed --- */

struct names {
    char **at;
    size_t count;
};

static void add_name(struct names *names, struct span name)
{
    for (size_t i = 0; i < names->count; i++)
        if (span_is(name, names->at[i]))
            return;
    names->at = xreallocarray(names->at, names->count + 1, sizeof(*names->at));
    names->at[names->count++] = xmemdupz(name.s, name.len);
}

static void drop_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->at);
    *names = (struct names){ NULL, 0 };
}

/* The queue whose key this is: P:{queue}:{part}. Absent: none. */
static struct span queue_of(const struct app *app, struct span key)
{
    static const char *const parts[] = { "queue", "priority", "delayed", "active", "failed" };
    size_t before = strlen(app->house->prefix) + 1;
    const char *colon;
    struct span name, part;

    if (key.len <= before || memcmp(key.s, app->house->prefix, before - 1) != 0 || key.s[before - 1] != ':')
        return (struct span){ NULL, 0 };
    name = (struct span){ key.s + before, key.len - before };
    colon = memchr(name.s, ':', name.len);
    part = colon ? (struct span){ colon + 1, name.len - (size_t)(colon + 1 - name.s) } : SPAN("");
    name.len = colon ? (size_t)(colon - name.s) : 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (span_is(part, parts[i]) && name.len > 0 && name.len <= NAME_MAX_BYTES)
            return name;
    return (struct span){ NULL, 0 };
}

void job_look_pattern(struct str *out, struct span prefix, const char *tail)
{
    for (size_t i = 0; i < prefix.len; i++) {
        if (strchr("*?[]\\", prefix.s[i]))
            str_addc(out, '\\');
        str_addc(out, prefix.s[i]);
    }
    str_adds(out, tail);
}

/* Scanning by type goes through lists and sorted sets alone, not through a million jobs' hashes. */
static int scan_names(struct app *app, const char *type, struct names *names, struct err *err)
{
    struct str pattern = STR_INIT;
    char cursor[NUMBER_SIZE] = "0";
    const struct reply *page;

    job_look_pattern(&pattern, span_of(app->house->prefix), ":*:*");
    do {
        page = redis_do(job_part_redis(app), err, "SCAN %s MATCH %b COUNT %d TYPE %s", cursor, pattern.s, pattern.len,
                        SCAN_COUNT, type);
        if (page && page->count != 2)
            err_set(err, ERR_FAILED, "Redis answered SCAN with %zu values instead of 2.", page->count);
        if (!page || page->count != 2)
            break;
        snprintf(cursor, sizeof(cursor), "%.*s", (int)reply_text(&page->item[0]).len, reply_text(&page->item[0]).s);
        for (size_t i = 0; i < page->item[1].count; i++) {
            struct span name = queue_of(app, reply_text(&page->item[1].item[i]));
            if (name.s)
                add_name(names, name);
        }
    } while (strcmp(cursor, "0") != 0);
    str_free(&pattern);
    return page && page->count == 2 ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int job_queues(struct app *app, char ***out, struct err *err)
{
    const struct job_types *types = app->house->job_types;
    struct names names = { NULL, 0 };

    add_name(&names, SPAN(JOB_QUEUE_DEFAULT));
    for (size_t i = 0; types && i < job_types_count(types); i++)
        add_name(&names, span_of(job_types_at(types, i)->queue));
    if (scan_names(app, "list", &names, err) < 0 || scan_names(app, "zset", &names, err) < 0) {
        drop_names(&names);
        return -1;
    }
    qsort(names.at + 1, names.count - 1, sizeof(*names.at), by_name);
    *out = names.at;
    return (int)names.count;
}
