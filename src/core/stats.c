/* stats.c: reads the counters of jobs. */
#include "core/stats.h"

#include "core/keys.h"

static const struct {
    const char *name;
    size_t offset; /* in struct stats */
} counters[] = {
    { "total", offsetof(struct stats, total) },
    { "completed", offsetof(struct stats, completed) },
    { "failed", offsetof(struct stats, failed) },
    { "retried", offsetof(struct stats, retried) },
    { "cancelled", offsetof(struct stats, cancelled) },
};

int stats_read(struct app *app, struct stats *out, struct err *err)
{
    const struct key daily = key_stats_daily(app->house, house_now_ms(app->house));
    const struct reply *replies, *today;
    size_t count;

    redis_use_db(app->redis, app->main_db);
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
        struct key k = key_stats(app->house, counters[i].name);
        redis_queuef(app->redis, "GET %b", k.s, k.len);
    }
    redis_queuef(app->redis, "HMGET %b tasks_total tasks_completed tasks_failed avg_processing_time", daily.s,
                 daily.len);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(counters); i++)
        *(int64_t *)((char *)out + counters[i].offset) = reply_int(&replies[i], 0);
    today = &replies[ARRAY_LEN(counters)];
    if (today->count != 4)
        return err_set(err, ERR_FAILED, "Redis answered HMGET with %zu values instead of 4.", today->count);
    out->today_total = reply_int(&today->item[0], 0);
    out->today_completed = reply_int(&today->item[1], 0);
    out->today_failed = reply_int(&today->item[2], 0);
    out->today_average_ms = reply_int(&today->item[3], 0);
    return 0;
}
