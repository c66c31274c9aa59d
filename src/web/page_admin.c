/* page_admin.c: how Peygir is, for administrators: health, queues, workers, today's counters. No personal data. */
#include "web/page.h"

#include "core/health.h"
#include "core/locale.h"
#include "web/admin.h"
#include "web/dispatch.h"
#include "web/route.h"

#define AUTO_REFRESH_S 10
#define MIB (INT64_C(1) << 20)
/* What stands between them keeps its own direction inside a sentence (Unicode: FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE). */
#define ISOLATED "\xe2\x81\xa8%.*s\xe2\x81\xa9"

/* --- words --- */

static void set_number(struct exchange *x, struct json_object *to, const char *name, int64_t n)
{
    page_text(to, name, page_number(x, n));
}

/* A length of time in seconds; nothing for none. */
static void set_seconds(struct exchange *x, struct json_object *to, const char *name, int64_t seconds)
{
    page_text(to, name, seconds > 0 ? page_duration(x, seconds) : NULL);
}

/* --- health --- */

/* How the figures of a check are put into its sentence. */
enum figures { FIGURES_PLAIN, FIGURES_MIB, FIGURES_QUEUE, FIGURES_VERSION /* the name is digits */ };

static const struct {
    const char *label, *good, *bad;
    enum figures figures;
} checks[HEALTH_CHECKS] = {
    [HEALTH_REDIS] = { "admin.check.redis", "admin.check.redis_ok", "admin.check.redis_ok", FIGURES_PLAIN },
    [HEALTH_ADVICE + ADVICE_VERSION] = { "admin.check.version", "admin.check.version_ok", "admin.check.version_bad", FIGURES_VERSION },
    [HEALTH_ADVICE + ADVICE_ROLE] = { "admin.check.role", "admin.check.role_ok", "admin.check.role_bad", FIGURES_PLAIN },
    [HEALTH_ADVICE + ADVICE_EVICTION] = { "admin.check.eviction", "admin.check.eviction_ok", "admin.check.eviction_bad", FIGURES_PLAIN },
    [HEALTH_ADVICE + ADVICE_MEMORY] = { "admin.check.memory", "admin.check.memory_ok", "admin.check.memory_bad", FIGURES_MIB },
    [HEALTH_ADVICE + ADVICE_PERSISTENCE] = { "admin.check.persistence", "admin.check.persistence_ok", "admin.check.persistence_bad", FIGURES_PLAIN },
    [HEALTH_ADVICE + ADVICE_ACCESS] = { "admin.check.access", "admin.check.access_ok", "admin.check.access_bad", FIGURES_PLAIN },
    [HEALTH_SESSIONS] = { "admin.check.sessions", "admin.check.beside_ok", "admin.check.beside_bad", FIGURES_PLAIN },
    [HEALTH_CACHE] = { "admin.check.cache", "admin.check.beside_ok", "admin.check.beside_bad", FIGURES_PLAIN },
    [HEALTH_WORKERS] = { "admin.check.workers", "admin.check.workers_ok", "admin.check.workers_bad", FIGURES_PLAIN },
    [HEALTH_BOT] = { "admin.check.bot", "admin.check.bot_bad", "admin.check.bot_bad", FIGURES_PLAIN },
    [HEALTH_QUEUE] = { "admin.check.queue", "admin.check.queue_bad", "admin.check.queue_bad", FIGURES_QUEUE },
    [HEALTH_SOURCE] = { "admin.check.source", "admin.check.source_ok", "admin.check.source_bad", FIGURES_PLAIN },
    [HEALTH_FAILED_JOBS] = { "admin.check.failed", "admin.check.failed_bad", "admin.check.failed_bad", FIGURES_PLAIN },
    [HEALTH_PAUSED] = { "admin.check.paused", "admin.check.paused_bad", "admin.check.paused_bad", FIGURES_PLAIN },
    [HEALTH_CLOSED] = { "admin.check.closed", "admin.check.closed_bad", "admin.check.closed_bad", FIGURES_PLAIN },
};

struct report {
    struct exchange *x;
    struct json_object *attention, *fine;
    enum grade worst;
};

/* What a finding is about, as a word of the sentence; the caller frees. */
static char *subject_of(struct exchange *x, const struct health_finding *f)
{
    struct span name = f->subject.s ? f->subject : SPAN("");

    if (checks[f->check].figures == FIGURES_VERSION) {
        str_reset(&x->words);
        locale_add_digits(x->locale, &x->words, name);
        name = (struct span){ x->words.s, x->words.len };
    }
    return xasprintf(ISOLATED, (int)name.len, name.s);
}

/* The sentence of a finding; the caller frees. */
static char *sentence(struct exchange *x, const struct health_finding *f)
{
    const int64_t unit = checks[f->check].figures == FIGURES_MIB ? MIB : 1;
    const char *key = f->grade == GRADE_OK ? checks[f->check].good : checks[f->check].bad;
    char *n = xstrdup(page_number(x, f->number[0] / unit)), *m = xstrdup(page_number(x, f->number[1] / unit));
    char *time = xstrdup(page_duration(x, f->number[3])), *words, *all;
    char *subject = subject_of(x, f);

    str_reset(&x->words);
    locale_add_message(x->locale, &x->words, f->words.s ? f->words : SPAN(""));
    words = xasprintf(ISOLATED, (int)x->words.len, x->words.s);
    if (f->check == HEALTH_ADVICE + ADVICE_MEMORY && f->number[1] == 0)
        key = "admin.check.memory_unlimited";
    all = xstrdup(page_words(x, key, LOCALE_PARAMS("n", n, "m", m, "time", time, "name", subject, "words", words)));
    free(n);
    free(m);
    free(time);
    free(words);
    free(subject);
    return all;
}

/* What is in order about a queue stands in the table of queues. */
static void add_finding(void *ctx, const struct health_finding *f)
{
    struct report *r = ctx;
    struct json_object *item;
    char *text, grade[32];

    if (f->grade > r->worst)
        r->worst = f->grade;
    if (f->check == HEALTH_QUEUE && f->grade == GRADE_OK)
        return;
    text = sentence(r->x, f);
    item = page_item(f->grade == GRADE_OK ? r->fine : r->attention);
    snprintf(grade, sizeof grade, "admin.grade.%s", grade_names[f->grade]);
    page_text(item, "label", locale_text(r->x->locale, checks[f->check].label));
    page_span(item, "text", span_of(text));
    page_text(item, "grade", locale_text(r->x->locale, grade));
    page_flag(item, "is_failed", f->grade == GRADE_FAILED);
    free(text);
}

static void add_state(struct exchange *x, struct json_object *data, enum grade worst)
{
    char key[32];

    snprintf(key, sizeof key, "admin.state.%s", grade_names[worst]);
    page_text(data, "state", locale_text(x->locale, key));
    page_flag(data, "is_ok", worst == GRADE_OK);
    page_flag(data, "is_warning", worst == GRADE_WARNING);
    page_flag(data, "is_failed", worst == GRADE_FAILED);
}

/* --- figures --- */

static void add_queues(struct exchange *x, struct json_object *data, const struct overview *o)
{
    struct json_object *list = page_list(data, "queues");

    for (size_t i = 0; i < o->queue_count; i++) {
        const struct overview_queue *q = &o->queue[i];
        struct json_object *item = page_item(list);

        page_text(item, "name", q->name);
        set_number(x, item, "waiting", q->counts.waiting);
        set_number(x, item, "delayed", q->counts.delayed);
        set_number(x, item, "active", q->counts.active);
        set_number(x, item, "failed", q->counts.failed);
        set_number(x, item, "workers", q->workers);
        set_seconds(x, item, "oldest", q->counts.oldest_waiting_ms / 1000);
        page_flag(item, "is_paused", q->counts.paused);
    }
}

static void add_workers(struct exchange *x, struct json_object *data, const struct overview *o)
{
    struct json_object *list = page_list(data, "workers");

    for (size_t i = 0; i < o->worker_count; i++) {
        const struct overview_worker *w = &o->worker[i];
        struct json_object *item = page_item(list);
        char pid[NUMBER_SIZE];

        page_span(item, "host", span_of(w->host));
        page_span(item, "queues", span_of(w->queues));
        page_span(item, "pid", span_number(pid, w->pid));
        set_number(x, item, "running", w->running);
        set_number(x, item, "concurrency", w->concurrency);
    }
}

static void add_today(struct exchange *x, struct json_object *data, const struct stats *s)
{
    struct json_object *today = page_object(data, "today");
    char *average;

    set_number(x, today, "total", s->today_total);
    set_number(x, today, "completed", s->today_completed);
    set_number(x, today, "failed", s->today_failed);
    average = xstrdup(page_number(x, s->today_average_ms));
    page_text(today, "average", page_words(x, "admin.milliseconds", LOCALE_PARAMS("n", average)));
    free(average);
}

enum problem page_admin(struct exchange *x)
{
    struct app *app = &x->seat->app;
    struct json_object *data = page_data();
    struct report report = { x, page_list(data, "attention"), page_list(data, "fine"), GRADE_OK };
    struct overview o;

    if (overview_take(app, NULL, 0, &o, &x->err) < 0 || health_redis(app, add_finding, &report, &x->err) < 0 ||
        health_work(app, &o, add_finding, &report, &x->err) < 0) {
        overview_clear(&o);
        json_object_put(data);
        return exchange_fail(x);
    }
    admin_data(x, data);
    add_state(x, data, report.worst);
    add_queues(x, data, &o);
    add_workers(x, data, &o);
    add_today(x, data, &o.stats);
    str_reset(&x->words);
    locale_add_date(x->locale, &x->words, o.at_ms, true);
    page_text(data, "at", x->words.s);
    page_refresh(x, data, AUTO_REFRESH_S);
    overview_clear(&o);
    page_answer(x, 200, "admin", locale_text(x->locale, "title.admin"), data);
    return PROBLEM_NONE;
}
