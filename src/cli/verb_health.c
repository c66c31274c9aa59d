/* verb_health.c: peygir health, peygir stats */
#include "base/clock.h"
#include "cli/output.h"
#include "cli/snapshot.h"
#include "core/advice.h"
#include "core/closure.h"
#include "core/fleet.h"
#include "core/job_type.h"
#include "core/options.h"
#include "core/stats.h"

#include <json-c/json.h>

static const char *const grade_names[] = { "ok", "warning", "failed" };

struct health {
    struct json_object *list;
    enum grade worst;
};

static void add_row(void *ctx, const char *check, enum grade grade, const char *detail)
{
    struct health *h = ctx;
    struct json_object *row = json_object_new_object();
    output_set_text(row, "check", check);
    output_set_text(row, "status", grade_names[grade]);
    output_set_text(row, "detail", detail);
    json_object_array_add(h->list, row);
    if (grade > h->worst)
        h->worst = grade;
}

static void __attribute__((format(printf, 4, 5)))
report(struct health *h, const char *check, enum grade grade, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *detail = xvasprintf(fmt, ap);
    va_end(ap);
    add_row(h, check, grade, detail);
    free(detail);
}

static int check_redis(struct cli *cli, struct health *h, struct err *err)
{
    int64_t start_ms = clock_mono_ms();
    if (!redis_do(cli->app.redis, err, "PING"))
        return -1;
    report(h, "redis", GRADE_OK, "answers within %lld ms", (long long)(clock_mono_ms() - start_ms + 1));
    return advice_ask(&cli->app, add_row, h, err);
}

static void check_job_types(struct cli *cli, struct health *h)
{
    struct err why = ERR_INIT;
    cli->house.job_types = job_types_open(options_dir(cli->settings, OPT_PEYGIR_JOBS_DIR), &why);
    if (cli->house.job_types)
        report(h, "job types", GRADE_OK, "%zu", job_types_count(cli->house.job_types));
    else
        report(h, "job types", GRADE_WARNING, "%s: with these files no worker starts", why.text);
}

static int check_queue(struct cli *cli, struct health *h, const char *queue, struct err *err)
{
    struct job_counts counts;
    struct str reason = STR_INIT;
    if (job_count(&cli->app, queue, &counts, err) < 0)
        return -1;
    bool is_default = strcmp(queue, JOB_QUEUE_DEFAULT) == 0;
    char *check = is_default ? xstrdup("queue") : xasprintf("queue %s", queue);
    report(h, check, counts.oldest_waiting_ms > 60000 && !counts.paused ? GRADE_WARNING : GRADE_OK,
           "%lld waiting, %lld delayed, %lld active; the oldest waits %lld s", (long long)counts.waiting,
           (long long)counts.delayed, (long long)counts.active, (long long)(counts.oldest_waiting_ms / 1000));
    free(check);
    if (counts.failed > 0)
        report(h, "failed", GRADE_WARNING, "%lld in the queue %s: peygir failed list tells why", (long long)counts.failed,
               queue);
    int paused = counts.paused ? job_is_paused(&cli->app, queue, &reason, err) : 0;
    const char *why = jobs_pause_reason(reason.s);
    if (paused > 0)
        report(h, "paused", GRADE_WARNING, "the queue %s is paused%s%s%s; peygir queue resume %s lets it go on", queue,
               *why ? " (" : "", why, *why ? ")" : "", queue);
    str_free(&reason);
    return paused < 0 ? -1 : 0;
}

static void note_closed(void *ctx, struct span slug, struct span message)
{
    report(ctx, "closed", GRADE_WARNING, "the service %.*s is closed: %.*s", (int)slug.len, slug.s, (int)message.len,
           message.s);
}

static int check_work(struct cli *cli, struct health *h, struct err *err)
{
    struct queues queues = { NULL, 0 };
    int workers = fleet_count(&cli->app, err), result = workers < 0 ? -1 : snapshot_queues(cli, &queues, err);
    if (workers == 0)
        report(h, "workers", GRADE_FAILED, "no worker has been heard of for 15 s: start peygir-worker");
    else if (workers > 0)
        report(h, "workers", GRADE_OK, "%d alive", workers);
    for (size_t i = 0; result == 0 && i < queues.count; i++)
        result = check_queue(cli, h, queues.name[i], err);
    jobs_queues_free(&queues);
    return result == 0 ? closure_each(&cli->app, note_closed, h, err) : -1;
}

int verb_health(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("check", "CHECK"), COLUMN("status", "STATUS"),
                                             COLUMN("detail", "DETAIL"), COLUMN_END };
    struct health h = { json_object_new_array(), GRADE_OK };
    int result = check_redis(cli, &h, err);
    if (result == 0) {
        check_job_types(cli, &h);
        result = check_work(cli, &h, err);
    }
    if (result < 0) {
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

/* Sums of all queues that are known without a scan. */
static int count_all(struct cli *cli, struct job_counts *sum, int64_t *paused, struct err *err)
{
    struct queues queues;
    int result = snapshot_queues(cli, &queues, err);
    for (size_t i = 0; result == 0 && i < queues.count; i++) {
        struct job_counts counts;
        result = job_count(&cli->app, queues.name[i], &counts, err);
        if (result < 0)
            break;
        sum->waiting += counts.waiting;
        sum->delayed += counts.delayed;
        sum->active += counts.active;
        sum->failed += counts.failed;
        *paused += counts.paused;
        if (counts.oldest_waiting_ms > sum->oldest_waiting_ms)
            sum->oldest_waiting_ms = counts.oldest_waiting_ms;
    }
    jobs_queues_free(&queues);
    return result;
}

static void count_closed(void *ctx, struct span slug, struct span message)
{
    (void)slug;
    (void)message;
    ++*(int64_t *)ctx;
}

int verb_stats(struct cli *cli, struct err *err)
{
    struct stats s;
    struct job_counts counts = { .waiting = 0 };
    int64_t paused = 0, closed = 0;
    int workers;
    if (stats_read(&cli->app, &s, err) < 0 || count_all(cli, &counts, &paused, err) < 0 ||
        closure_each(&cli->app, count_closed, &closed, err) < 0 || (workers = fleet_count(&cli->app, err)) < 0)
        return -1;
    const struct {
        const char *name;
        int64_t value;
    } rows[] = { { "tasks_total", s.total },
                 { "tasks_completed", s.completed },
                 { "tasks_failed", s.failed },
                 { "tasks_retried", s.retried },
                 { "tasks_cancelled", s.cancelled },
                 { "today_total", s.today_total },
                 { "today_completed", s.today_completed },
                 { "today_failed", s.today_failed },
                 { "today_average_ms", s.today_average_ms },
                 { "waiting", counts.waiting },
                 { "delayed", counts.delayed },
                 { "active", counts.active },
                 { "failed", counts.failed },
                 { "oldest_waiting_ms", counts.oldest_waiting_ms },
                 { "paused_queues", paused },
                 { "closed_services", closed },
                 { "workers", workers } };
    struct json_object *all = json_object_new_object();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        output_set_number(all, rows[i].name, rows[i].value);
    output_object(cli, all);
    return 0;
}
