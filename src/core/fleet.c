/* fleet.c: which workers are alive. */
#include "core/fleet.h"

#include "base/rnd.h"
#include "core/keys.h"
#include "scripts.h"

#include <unistd.h>

#define HOST_CHARACTERS 40 /* of the host's name in an id */

static void host_name(char out[256])
{
    if (gethostname(out, 256) < 0 || !out[0])
        snprintf(out, 256, "host");
    out[255] = '\0';
}

void fleet_new_id(char out[64])
{
    char host[256], tail[7];
    uint8_t random[3];

    host_name(host);
    rnd_bytes(random, sizeof(random));
    rnd_hex(random, sizeof(random), tail);
    snprintf(out, 64, "%.*s-%ld-%s", HOST_CHARACTERS, host, (long)getpid(), tail);
}

int fleet_beat(struct app *app, const struct fleet_beat *beat, struct err *err)
{
    const struct key worker = key_worker(app->house, span_of(beat->id)), workers = key_workers(app->house),
                     restart = key_restart(app->house);
    const struct span keys[] = { key_span(&worker), key_span(&workers), key_span(&restart) };
    char host[256], digits[5][NUMBER_SIZE];
    const struct reply *replies;
    size_t count;

    host_name(host);
    const struct span args[] = {
        span_of(beat->id), span_number(digits[0], FLEET_TTL_MS), span_number(digits[1], beat->age_ms),
        SPAN("host"), span_of(host),
        SPAN("pid"), span_number(digits[2], getpid()),
        SPAN("running"), span_number(digits[3], beat->running),
        SPAN("concurrency"), span_number(digits[4], beat->concurrency),
        SPAN("queues"), span_of(beat->queues ? beat->queues : ""),
        SPAN("jobs"), span_of(beat->jobs ? beat->jobs : "[]"),
        SPAN("bots_away"), span_of(beat->bots_away ? beat->bots_away : ""),
    };
    redis_use_db(app->redis, app->main_db);
    redis_queue_script(app->redis, &script_fleet_beat, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
    if (redis_exchange(app->redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    return reply_int(&replies[0], 0) == 1;
}

int fleet_leave(struct app *app, const char *id, struct err *err)
{
    const struct key worker = key_worker(app->house, span_of(id)), workers = key_workers(app->house);
    const struct reply *replies;
    size_t count;

    redis_use_db(app->redis, app->main_db);
    redis_queuef(app->redis, "ZREM %b %s", workers.s, workers.len, id);
    redis_queuef(app->redis, "DEL %b", worker.s, worker.len);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    return redis_reply_ok(&replies[0], err) < 0 ? -1 : redis_reply_ok(&replies[1], err);
}

static int count_fresh(const struct reply *list, int64_t since_ms)
{
    int fresh = 0;

    for (size_t i = 1; i < list->count; i += 2)
        fresh += strtod(list->item[i].text.s, NULL) > (double)since_ms;
    return fresh;
}

int fleet_count(struct app *app, struct err *err)
{
    const struct key workers = key_workers(app->house);
    const struct reply *replies;
    size_t count;

    redis_use_db(app->redis, app->main_db);
    redis_queuef(app->redis, "ZRANGE %b 0 -1 WITHSCORES", workers.s, workers.len);
    redis_queuef(app->redis, "TIME");
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    if (redis_reply_ok(&replies[0], err) < 0 || redis_reply_ok(&replies[1], err) < 0)
        return -1;
    return count_fresh(&replies[0], reply_time_ms(&replies[1]) - FLEET_TTL_MS);
}

/* --- looking at each --- */

enum { HOST, PID, STARTED_AT, BEAT_AT, RUNNING, CONCURRENCY, QUEUES, JOBS, BOTS_AWAY, FIELD_COUNT };
static const char *const fields[FIELD_COUNT] = { "host",    "pid",         "started_at", "beat_at",
                                                 "running", "concurrency", "queues",     "jobs", "bots_away" };

static const char *text_of(const struct reply *reply, const char *fallback)
{
    struct span text = reply_text(reply);

    return text.s ? text.s : fallback;
}

/* Gone while it was asked for: it has no fields any more. */
static int show(const char *id, const struct reply *row, int64_t now_ms, void (*fn)(void *ctx, const struct fleet_view *view),
                void *ctx)
{
    if (row->type != REPLY_ARRAY || row->count != FIELD_COUNT || !reply_text(&row->item[BEAT_AT]).s)
        return 0;
    const struct fleet_view view = {
        .id = id,
        .host = text_of(&row->item[HOST], ""),
        .queues = text_of(&row->item[QUEUES], ""),
        .jobs = text_of(&row->item[JOBS], "[]"),
        .bots_away = text_of(&row->item[BOTS_AWAY], ""),
        .pid = reply_int(&row->item[PID], 0),
        .running = reply_int(&row->item[RUNNING], 0),
        .concurrency = reply_int(&row->item[CONCURRENCY], 0),
        .started_ms = reply_int(&row->item[STARTED_AT], 0),
        .beat_ms = reply_int(&row->item[BEAT_AT], 0),
        .now_ms = now_ms,
    };
    fn(ctx, &view);
    return 1;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The living ones' ids, sorted; the caller frees each and the list. Number, or -1. */
static int read_ids(struct app *app, char ***ids, int64_t *now_ms, struct err *err)
{
    const struct key workers = key_workers(app->house);
    const struct reply *replies;
    size_t count, found = 0;

    redis_use_db(app->redis, app->main_db);
    redis_queuef(app->redis, "ZRANGE %b 0 -1 WITHSCORES", workers.s, workers.len);
    redis_queuef(app->redis, "TIME");
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    if (redis_reply_ok(&replies[0], err) < 0 || redis_reply_ok(&replies[1], err) < 0)
        return -1;
    *now_ms = reply_time_ms(&replies[1]);
    *ids = xcalloc(replies[0].count / 2 + 1, sizeof(**ids));
    for (size_t i = 0; i + 1 < replies[0].count; i += 2)
        if (strtod(replies[0].item[i + 1].text.s, NULL) > (double)(*now_ms - FLEET_TTL_MS))
            (*ids)[found++] = xstrdup(replies[0].item[i].text.s);
    qsort(*ids, found, sizeof(**ids), compare_ids);
    return (int)found;
}

static int show_all(struct app *app, char *const ids[], int id_count, int64_t now_ms,
                    void (*fn)(void *ctx, const struct fleet_view *view), void *ctx, struct err *err)
{
    const struct reply *replies;
    struct span words[FIELD_COUNT + 2] = { SPAN("HMGET") };
    size_t count;
    int shown = 0;

    for (size_t i = 0; i < FIELD_COUNT; i++)
        words[i + 2] = span_of(fields[i]);
    for (int i = 0; i < id_count; i++) {
        const struct key worker = key_worker(app->house, span_of(ids[i]));
        words[1] = key_span(&worker);
        redis_queue(app->redis, ARRAY_LEN(words), words);
    }
    if (id_count > 0 && redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (int i = 0; i < id_count; i++)
        shown += show(ids[i], &replies[i], now_ms, fn, ctx);
    return shown;
}

int fleet_each(struct app *app, void (*fn)(void *ctx, const struct fleet_view *view), void *ctx, struct err *err)
{
    char **ids = NULL;
    int64_t now_ms;
    int found = read_ids(app, &ids, &now_ms, err);
    int shown = found < 0 ? -1 : show_all(app, ids, found, now_ms, fn, ctx, err);

    for (int i = 0; i < found; i++)
        free(ids[i]);
    free(ids);
    return shown;
}

/* --- starting anew --- */

int fleet_restart(struct app *app, struct err *err)
{
    const struct key restart = key_restart(app->house);
    const struct reply *replies;
    size_t count;

    redis_use_db(app->redis, app->main_db);
    const struct reply *time = redis_do(app->redis, err, "TIME");
    if (!time)
        return -1;
    long long now_ms = reply_time_ms(time);
    redis_queuef(app->redis, "SET %b %lld", restart.s, restart.len, now_ms);
    redis_queuef(app->redis, "PUBLISH %b %lld", restart.s, restart.len, now_ms);
    if (redis_exchange(app->redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    return redis_reply_ok(&replies[1], err);
}
