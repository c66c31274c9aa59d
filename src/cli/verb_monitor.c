/* verb_monitor.c: peygir queue stats|monitor */
#include "base/clock.h"
#include "base/json.h"
#include "cli/screen.h"
#include "cli/snapshot.h"

enum { LOOK_MS = 1000, FAILURES_SHOWN = 5 };

int verb_queue_stats(struct cli *cli, struct err *err)
{
    struct queues queues;
    struct json_object *all = NULL;
    if (jobs_queues(cli, &queues, err) == 0)
        all = snapshot_take(cli, &queues, err);
    jobs_queues_free(&queues);
    if (!all)
        return -1;
    if (cli->json) {
        output_object(cli, all);
        return 0;
    }
    snapshot_print(stdout, cli, all);
    json_object_put(all);
    return 0;
}

/* --- what the monitor shows beside --- */

static void add_failure(void *ctx, const struct job_view *view)
{
    json_object_array_add(ctx, jobs_row(view));
}

static int add_failures(struct cli *cli, const struct queues *queues, struct json_object *all, struct err *err)
{
    struct json_object *list = json_object_new_array();
    json_object_object_add(all, "failures", list);
    for (size_t i = 0; i < queues->count; i++)
        if (job_failed_each(&cli->app, queues->name[i], FAILURES_SHOWN, add_failure, list, err) < 0)
            return -1;
    jobs_newest_failures(list, FAILURES_SHOWN);
    return 0;
}

/* --- rates --- */

static const char *const rate_names[] = { "total", "completed", "failed", "retried" };
enum { RATES = ARRAY_LEN(rate_names) };

struct monitor {
    struct cli *cli;
    struct queues queues;
    struct screen *screen;        /* NULL: lines, one view after the other */
    int64_t counted[RATES], at_ms; /* of the last look; at_ms 0: none yet */
};

/* One decimal, also in JSON. */
static struct json_object *rate_of(int64_t count, int64_t ms)
{
    char digits[32];
    double rate = (double)count * 1000 / (double)ms;
    snprintf(digits, sizeof digits, "%.1f", rate);
    return json_object_new_double_s(rate, digits);
}

/* Jobs a second since the last look; null at the first. */
static void add_rates(struct monitor *m, struct json_object *all)
{
    struct json_object *rates = json_object_new_object(), *totals = json_object_object_get(all, "totals");
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < RATES; i++) {
        int64_t count = json_object_get_int64(json_object_object_get(totals, rate_names[i]));
        bool known = m->at_ms > 0 && now_ms > m->at_ms;
        json_object_object_add(rates, rate_names[i], known ? rate_of(count - m->counted[i], now_ms - m->at_ms) : NULL);
        m->counted[i] = count;
    }
    m->at_ms = now_ms;
    json_object_object_add(all, "per_second", rates);
}

/* --- one view --- */

static void print_rates(FILE *out, struct json_object *rates)
{
    static const char *const words[RATES] = { "pushed", "completed", "failed", "retried" };
    for (size_t i = 0; i < RATES; i++) {
        struct json_object *rate = json_object_object_get(rates, rate_names[i]);
        if (rate)
            fprintf(out, "%s%.1f %s", i > 0 ? ", " : "a second: ", json_object_get_double(rate), words[i]);
    }
    if (json_object_object_get(rates, rate_names[0]))
        putc('\n', out);
}

static void print_view(FILE *out, const struct cli *cli, struct json_object *all)
{
    static const struct column workers[] = { COLUMN_CUT("id", "WORKER", 40),
                                             COLUMN_CUT("queues", "QUEUES", 30),
                                             COLUMN("running", "RUNNING"),
                                             COLUMN("concurrency", "OF"),
                                             COLUMN_WHEN("started_at", "STARTED"),
                                             COLUMN_WHEN("beat_at", "HEARD OF"),
                                             COLUMN_END };
    static const struct column failures[] = { COLUMN("id", "FAILED JOB"), COLUMN_CUT("type", "TYPE", 20),
                                              COLUMN_WHEN("failed_at", "WHEN"), COLUMN_CUT("error", "ERROR", 50),
                                              COLUMN_END };
    fprintf(out, "peygir  %s\n\n", json_object_get_string(json_object_object_get(all, "at")));
    snapshot_print(out, cli, all);
    print_rates(out, json_object_object_get(all, "per_second"));
    if (json_object_array_length(json_object_object_get(all, "workers")) > 0) {
        putc('\n', out);
        output_table(out, cli, json_object_object_get(all, "workers"), workers);
    }
    if (json_object_array_length(json_object_object_get(all, "failures")) > 0) {
        putc('\n', out);
        output_table(out, cli, json_object_object_get(all, "failures"), failures);
    }
}

static struct json_object *look(struct monitor *m, struct err *err)
{
    struct json_object *all = snapshot_take(m->cli, &m->queues, err);
    if (all && add_failures(m->cli, &m->queues, all, err) < 0) {
        json_object_put(all);
        all = NULL;
    }
    if (all)
        add_rates(m, all);
    return all;
}

static void draw(const struct monitor *m, struct json_object *all, const struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return;
    if (all)
        print_view(out, m->cli, all);
    else
        fprintf(out, "peygir: %s\n", err->text);
    fprintf(out, "\nq ends this view\n");
    fclose(out);
    screen_draw(m->screen, text, len);
    free(text);
}

static void print_line(const struct monitor *m, struct json_object *all)
{
    if (m->cli->json)
        puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        print_view(stdout, m->cli, all);
    if (!m->cli->json)
        putchar('\n');
    fflush(stdout);
}

/* While the screen is drawn on, Redis may go and come back; for a script its going is the end. */
static int view(struct monitor *m, struct err *err)
{
    struct err why = ERR_INIT;
    struct json_object *all = look(m, &why);
    if (!all && (!m->screen || (why.kind != ERR_AWAY && why.kind != ERR_FULL))) {
        *err = why;
        return -1;
    }
    if (m->screen)
        draw(m, all, &why);
    else
        print_line(m, all);
    json_object_put(all);
    return 0;
}

int verb_queue_monitor(struct cli *cli, struct err *err)
{
    struct monitor m = { .cli = cli };
    int64_t left = cli_flag(cli, "limit")->number; /* 0: without end */
    int result = jobs_queues(cli, &m.queues, err);
    if (result == 0) {
        screen_catch_signals();
        m.screen = cli->json ? NULL : screen_open();
    }
    int64_t due_ms = clock_mono_ms();
    while (result == 0) {
        result = view(&m, err);
        due_ms = due_ms + LOOK_MS > clock_mono_ms() ? due_ms + LOOK_MS : clock_mono_ms();
        if (result < 0 || (left > 0 && --left == 0) || ferror(stdout))
            break;
        if (screen_wait(m.screen, (int)(due_ms - clock_mono_ms())))
            break;
        if (clock_mono_ms() < due_ms) /* a key or another size: draw at once, count from here */
            due_ms = clock_mono_ms();
    }
    screen_close(m.screen);
    jobs_queues_free(&m.queues);
    return result < 0 ? -1 : 0;
}
