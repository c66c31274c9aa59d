/* fleet.c: which workers are alive. */
#include "core/fleet.h"

#include "base/rnd.h"
#include "core/args.h"
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
    const struct key worker = key_worker(app->house, span_of(beat->id)), workers = key_workers(app->house);
    const struct span keys[] = { key_span(&worker), key_span(&workers) };
    char host[256], digits[5][NUMBER_SIZE];
    const struct reply *replies;
    size_t count;

    host_name(host);
    const struct span args[] = {
        span_of(beat->id), span_number(digits[0], FLEET_TTL_MS),
        SPAN("host"), span_of(host),
        SPAN("pid"), span_number(digits[1], getpid()),
        SPAN("started_at"), span_number(digits[2], beat->started_ms),
        SPAN("running"), span_number(digits[3], beat->running),
        SPAN("concurrency"), span_number(digits[4], beat->concurrency),
        SPAN("queues"), span_of(beat->queues ? beat->queues : ""),
    };
    redis_use_db(app->redis, app->main_db);
    redis_queue_script(app->redis, &script_fleet_beat, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    return redis_reply_ok(&replies[0], err);
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
    return count_fresh(&replies[0], args_time_ms(&replies[1]) - FLEET_TTL_MS);
}
