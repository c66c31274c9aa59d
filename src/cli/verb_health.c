/* verb_health.c: peygir health, peygir stats */
#include "base/clock.h"
#include "cli/output.h"
#include "core/fleet.h"
#include "core/job.h"
#include "core/stats.h"

#include <json-c/json.h>

/* How a check went; the worst is the overall word. */
enum grade { GRADE_OK, GRADE_WARNING, GRADE_FAILED };
static const char *const grade_names[] = { "ok", "warning", "failed" };

struct health {
    struct json_object *list;
    enum grade worst;
};

static void __attribute__((format(printf, 4, 5))) report(struct health *h, const char *check, enum grade grade, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *detail = xvasprintf(fmt, ap);
    va_end(ap);
    struct json_object *row = json_object_new_object();
    json_object_object_add(row, "check", json_object_new_string(check));
    json_object_object_add(row, "status", json_object_new_string(grade_names[grade]));
    json_object_object_add(row, "detail", json_object_new_string(detail));
    json_object_array_add(h->list, row);
    free(detail);
    if (grade > h->worst)
        h->worst = grade;
}

/* The value of "name:" in the text that INFO gives. */
static struct span info_value(struct span info, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = info.s, *end = info.s + info.len; line && line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);
        if (size > len && memcmp(line, name, len) == 0 && line[len] == ':')
            return (struct span){ line + len + 1, size - len - 1 - (line[size - 1] == '\r') };
        line = stop ? stop + 1 : NULL;
    }
    return (struct span){ NULL, 0 };
}

static int64_t info_number(struct span info, const char *name)
{
    struct span value = info_value(info, name);
    int64_t n = 0;
    for (size_t i = 0; i < value.len && value.s[i] >= '0' && value.s[i] <= '9'; i++)
        n = n * 10 + (value.s[i] - '0');
    return n;
}

static void judge_settings(struct health *h, struct span info)
{
    struct span policy = info_value(info, "maxmemory_policy");
    int64_t limit = info_number(info, "maxmemory"), used = info_number(info, "used_memory");
    bool keeps = span_is(policy, "noeviction") || strncmp(policy.s ? policy.s : "", "volatile-", 9) == 0;
    if (limit > 0 && !keeps)
        report(h, "eviction", GRADE_WARNING, "maxmemory-policy is %.*s: Redis may silently drop queued work; set noeviction",
               (int)policy.len, policy.s ? policy.s : "");
    else
        report(h, "eviction", GRADE_OK, "%.*s", (int)policy.len, policy.s ? policy.s : "");
    if (limit > 0 && used > limit / 10 * 9)
        report(h, "memory", GRADE_WARNING, "%lld of %lld bytes are used: new work will be refused when it is full", (long long)used,
               (long long)limit);
    else
        report(h, "memory", GRADE_OK, "%lld bytes used, limit %lld", (long long)used, (long long)limit);
    if (info_number(info, "aof_enabled") == 0)
        report(h, "persistence", GRADE_WARNING, "appendonly is off: a restart of Redis forgets accepted work");
    else
        report(h, "persistence", GRADE_OK, "appendonly is on");
}

static int check_redis(struct cli *cli, struct health *h, struct err *err)
{
    int64_t start_ms = clock_mono_ms();
    if (!redis_do(cli->app.redis, err, "PING"))
        return -1;
    report(h, "redis", GRADE_OK, "answers within %lld ms", (long long)(clock_mono_ms() - start_ms + 1));
    const struct reply *info = redis_do(cli->app.redis, err, "INFO everything");
    if (!info)
        return -1;
    judge_settings(h, reply_text(info));
    return 0;
}

static int check_work(struct cli *cli, struct health *h, struct err *err)
{
    struct job_counts counts;
    int workers = fleet_count(&cli->app, err);
    if (workers < 0 || job_count(&cli->app, JOB_QUEUE_DEFAULT, &counts, err) < 0)
        return -1;
    if (workers == 0)
        report(h, "workers", GRADE_FAILED, "no worker has been heard of for 15 s: start peygir-worker");
    else
        report(h, "workers", GRADE_OK, "%d alive", workers);
    report(h, "queue", counts.oldest_waiting_ms > 60000 ? GRADE_WARNING : GRADE_OK,
           "%lld waiting, %lld delayed, %lld active, %lld failed; the oldest waits %lld s", (long long)counts.waiting,
           (long long)counts.delayed, (long long)counts.active, (long long)counts.failed, (long long)(counts.oldest_waiting_ms / 1000));
    return 0;
}

int verb_health(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { { "check", "CHECK" }, { "status", "STATUS" }, { "detail", "DETAIL" }, { NULL, NULL } };
    struct health h = { json_object_new_array(), GRADE_OK };
    if (check_redis(cli, &h, err) < 0 || check_work(cli, &h, err) < 0) {
        json_object_put(h.list);
        return -1;
    }
    if (!cli->json) {
        printf("%s\n\n", grade_names[h.worst]);
        output_list(cli, h.list, columns, "");
    } else {
        struct json_object *all = json_object_new_object();
        json_object_object_add(all, "status", json_object_new_string(grade_names[h.worst]));
        json_object_object_add(all, "checks", h.list);
        output_object(cli, all);
    }
    return h.worst == GRADE_FAILED ? 1 : 0;
}

int verb_stats(struct cli *cli, struct err *err)
{
    struct stats s;
    struct job_counts counts;
    int workers;
    if (stats_read(&cli->app, &s, err) < 0 || job_count(&cli->app, JOB_QUEUE_DEFAULT, &counts, err) < 0 ||
        (workers = fleet_count(&cli->app, err)) < 0)
        return -1;
    const struct {
        const char *name;
        int64_t value;
    } rows[] = { { "tasks_total", s.total },           { "tasks_completed", s.completed },       { "tasks_failed", s.failed },
                 { "tasks_retried", s.retried },       { "tasks_cancelled", s.cancelled },       { "today_total", s.today_total },
                 { "today_completed", s.today_completed }, { "today_failed", s.today_failed },   { "today_average_ms", s.today_average_ms },
                 { "waiting", counts.waiting },        { "delayed", counts.delayed },            { "active", counts.active },
                 { "failed", counts.failed },          { "oldest_waiting_ms", counts.oldest_waiting_ms }, { "workers", workers } };
    struct json_object *all = json_object_new_object();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        json_object_object_add(all, rows[i].name, json_object_new_int64(rows[i].value));
    output_object(cli, all);
    return 0;
}
