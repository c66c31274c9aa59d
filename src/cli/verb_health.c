/* verb_health.c: peygir health, peygir stats */
#include "cli/jobs.h"
#include "core/closure.h"
#include "core/health.h"
#include "core/job_type.h"
#include "core/options.h"

#include <json-c/json.h>

struct health {
    struct json_object *list;
    enum grade worst;
};

static void __attribute__((format(printf, 4, 5)))
report(struct health *h, const char *check, enum grade grade, const char *fmt, ...)
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

/* --- the words of each finding --- */

#define NUMBER(i) ((long long)f->number[i])
#define SUBJECT (int)f->subject.len, f->subject.s ? f->subject.s : ""

static void say_redis(struct health *h, const struct health_finding *f)
{
    report(h, "redis", f->grade, "answers within %lld ms", NUMBER(0));
}

static void say_workers(struct health *h, const struct health_finding *f)
{
    if (f->grade == GRADE_OK)
        report(h, "workers", f->grade, "%lld alive", NUMBER(0));
    else
        report(h, "workers", f->grade, "no worker has been heard of for 15 s: start peygir-worker");
}

static void say_bot(struct health *h, const struct health_finding *f)
{
    report(h, "bot", f->grade, "%.*s fails again and again: jobs wait, and it is tried again every minute at the latest", SUBJECT);
}

static void say_queue(struct health *h, const struct health_finding *f)
{
    char *check = span_is(f->subject, JOB_QUEUE_DEFAULT) ? xstrdup("queue") : xasprintf("queue %.*s", SUBJECT);
    report(h, check, f->grade, "%lld waiting, %lld delayed, %lld active; the oldest waits %lld s", NUMBER(0), NUMBER(1), NUMBER(2), NUMBER(3));
    free(check);
}

static void say_failed(struct health *h, const struct health_finding *f)
{
    report(h, "failed", f->grade, "%lld in the queue %.*s: peygir failed list tells why", NUMBER(0), SUBJECT);
}

static void say_paused(struct health *h, const struct health_finding *f)
{
    const char *why = jobs_pause_reason(f->words.s);
    report(h, "paused", f->grade, "the queue %.*s is paused%s%s%s; peygir queue resume %.*s lets it go on", SUBJECT, *why ? " (" : "", why,
           *why ? ")" : "", SUBJECT);
}

static void say_closed(struct health *h, const struct health_finding *f)
{
    report(h, "closed", f->grade, "the service %.*s is closed: %.*s", SUBJECT, (int)f->words.len, f->words.s);
}

static void say(void *ctx, const struct health_finding *finding)
{
    static void (*const sayings[HEALTH_CHECKS])(struct health *, const struct health_finding *) = {
        [HEALTH_REDIS] = say_redis,          [HEALTH_WORKERS] = say_workers, [HEALTH_BOT] = say_bot, [HEALTH_QUEUE] = say_queue,
        [HEALTH_FAILED_JOBS] = say_failed, [HEALTH_PAUSED] = say_paused,   [HEALTH_CLOSED] = say_closed,
    };
    if (finding->detail)
        report(ctx, finding->name, finding->grade, "%s", finding->detail);
    else
        sayings[finding->check](ctx, finding);
}

/* --- the verbs --- */

static void check_job_types(struct cli *cli, struct health *h)
{
    struct err why = ERR_INIT;
    cli->house.job_types = job_types_open(options_dir(cli->settings, OPT_PEYGIR_JOBS_DIR), &why);
    if (cli->house.job_types)
        report(h, "job types", GRADE_OK, "%zu", job_types_count(cli->house.job_types));
    else
        report(h, "job types", GRADE_WARNING, "%s: with these files no worker starts", why.text);
}

static int check_all(struct cli *cli, struct health *h, struct err *err)
{
    struct overview overview;
    if (health_redis(&cli->app, say, h, err) < 0)
        return -1;
    check_job_types(cli, h);
    int result = overview_take(&cli->app, NULL, 0, &overview, err);
    if (result == 0)
        result = health_work(&cli->app, &overview, say, h, err);
    overview_clear(&overview);
    return result;
}

int verb_health(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("check", "CHECK"), COLUMN("status", "STATUS"),
                                             COLUMN("detail", "DETAIL"), COLUMN_END };
    struct health h = { json_object_new_array(), GRADE_OK };
    if (check_all(cli, &h, err) < 0) {
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

/* Sums of all queues. */
static struct job_counts sum_of(const struct overview *o, int64_t *paused)
{
    struct job_counts sum = { .waiting = 0 };
    for (size_t i = 0; i < o->queue_count; i++) {
        const struct job_counts *n = &o->queue[i].counts;
        sum.waiting += n->waiting;
        sum.delayed += n->delayed;
        sum.active += n->active;
        sum.failed += n->failed;
        *paused += n->paused;
        if (n->oldest_waiting_ms > sum.oldest_waiting_ms)
            sum.oldest_waiting_ms = n->oldest_waiting_ms;
    }
    return sum;
}

static void count_closed(void *ctx, struct span slug, struct span message)
{
    (void)slug;
    (void)message;
    ++*(int64_t *)ctx;
}

int verb_stats(struct cli *cli, struct err *err)
{
    struct overview overview;
    int64_t paused = 0, closed = 0;
    if (overview_take(&cli->app, NULL, 0, &overview, err) < 0 || closure_each(&cli->app, count_closed, &closed, err) < 0) {
        overview_clear(&overview);
        return -1;
    }
    const struct stats s = overview.stats;
    const struct job_counts counts = sum_of(&overview, &paused);
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
                 { "workers", (int64_t)overview.worker_count } };
    overview_clear(&overview);
    struct json_object *all = json_object_new_object();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        output_set_number(all, rows[i].name, rows[i].value);
    output_object(cli, all);
    return 0;
}
