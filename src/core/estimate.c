/* estimate.c: how long a service takes, learned from what it took lately */
#include "core/estimate.h"

#include "base/clock.h"

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void estimate_queue(struct app *app, const struct service *service)
{
    struct key runs = key_runs(app->house, span_of(service->slug));
    redis_use_db(app->redis, app->main_db);
    redis_queuef(app->redis, "LRANGE %b 0 %d", runs.s, runs.len, ESTIMATE_RUNS - 1);
}

int64_t estimate_take(const struct service *service, const struct reply replies[ESTIMATE_REPLIES], struct err *err)
{
    int64_t seconds[ESTIMATE_RUNS];
    size_t found = 0;
    if (redis_reply_ok(&replies[0], err) < 0)
        return -1;
    for (size_t i = 0; i < replies[0].count && found < ESTIMATE_RUNS; i++)
        seconds[found++] = reply_int(&replies[0].item[i], 0);
    if (found < ESTIMATE_ENOUGH)
        return service->estimated_duration_s;
    qsort(seconds, found, sizeof *seconds, compare);
    return seconds[found / 2] > 0 ? seconds[found / 2] : 1;
}

void estimate_record(struct app *app, const struct request *rq)
{
    struct key runs = key_runs(app->house, request_slug(rq));
    long long seconds = (estimate_spent_ms(rq) + 500) / 1000;
    redis_use_db(app->redis, app->main_db);
    redis_postf(app->redis, "LPUSH %b %lld", runs.s, runs.len, seconds);
    redis_postf(app->redis, "LTRIM %b 0 %d", runs.s, runs.len, ESTIMATE_RUNS - 1);
    redis_flush(app->redis);
}

int64_t estimate_spent_ms(const struct request *rq)
{
    const struct guard *g = &rq->guard;
    if (g->started_ms <= 0)
        return 0;
    int64_t end_ms = rq->now_ms;
    if (rq->status == REQUEST_OTP_REQUIRED && g->waiting_since_ms > 0)
        end_ms = g->waiting_since_ms;
    if (request_is_final(rq->status)) {
        struct span at = rq->doc.field[DOC_COMPLETED];
        int64_t completed_ms = at.len > 2 ? clock_parse_rfc3339((struct span){ at.s + 1, at.len - 2 }) : -1;
        end_ms = completed_ms > 0 ? completed_ms : end_ms;
    }
    int64_t spent_ms = end_ms - g->started_ms - g->waited_ms;
    return spent_ms > 0 ? spent_ms : 0;
}

int64_t estimate_left_s(const struct request *rq)
{
    if (request_is_final(rq->status))
        return 0;
    int64_t all_s = rq->guard.estimate_s > 0 ? rq->guard.estimate_s : raw_int(rq->doc.field[DOC_DURATION], 0);
    int64_t left_ms = all_s * 1000 - estimate_spent_ms(rq);
    return left_ms > 0 ? (left_ms + 999) / 1000 : 0;
}
