/* verb_failed.c: peygir failed list|show|retry|forget|flush */
#include "cli/jobs.h"

/* --- list --- */

static void add_row(void *list, const struct job_view *view)
{
    json_object_array_add(list, jobs_row(view));
}

int verb_failed_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("id", "ID"),
                                             COLUMN_CUT("queue", "QUEUE", 16),
                                             COLUMN_CUT("type", "TYPE", 20),
                                             COLUMN_WHEN("failed_at", "FAILED"),
                                             COLUMN("run", "RUNS"),
                                             COLUMN_CUT("error", "ERROR", 40),
                                             COLUMN_END };
    struct json_object *list = json_object_new_array();
    struct queues queues;
    size_t limit = (size_t)cli_flag(cli, "limit")->number;
    int result = jobs_queues(cli, &queues, err);
    for (size_t i = 0; result == 0 && i < queues.count; i++)
        result = job_failed_each(&cli->app, queues.name[i], (int64_t)limit, add_row, list, err);
    jobs_queues_free(&queues);
    if (result < 0) {
        json_object_put(list);
        return -1;
    }
    jobs_newest_failures(list, limit);
    output_list(cli, list, columns, "There are no failed jobs.");
    return 0;
}

/* --- show --- */

/* A failed job of that id, or -1. */
static int find_failed(struct cli *cli, const char *id, struct job_view *view, struct err *err)
{
    if (jobs_find(cli, id, view, err) < 0)
        return -1;
    if (view->place == JOB_IN_FAILED)
        return 0;
    err_set(err, ERR_STATE, "job %.128s is not among the failed ones (%s); peygir queue show tells about it", id,
            job_places[view->place]);
    job_view_clear(view);
    return -1;
}

int verb_failed_show(struct cli *cli, struct err *err)
{
    struct job_view view;
    if (find_failed(cli, cli->operands[0], &view, err) < 0)
        return -1;
    jobs_print(cli, &view);
    job_view_clear(&view);
    return 0;
}

/* --- some of them --- */

typedef int (*failed_fn)(struct app *app, const char *queue, const char *id, struct err *err);

/* One does not hide the others: what cannot be done is said, and the rest is done. Redis being away ends it. */
static int each_operand(struct cli *cli, failed_fn fn, const char *done_name, struct err *err)
{
    static const struct column columns[] = { COLUMN("id", "ID"), COLUMN("done", "DONE"), COLUMN_CUT("error", "WHY NOT", 160),
                                             COLUMN_END };
    struct json_object *list = json_object_new_array();
    bool all = true;
    for (int i = 0; i < cli->operand_count; i++) {
        struct err why = ERR_INIT;
        struct job_view view;
        int result = find_failed(cli, cli->operands[i], &view, &why);
        if (result == 0) {
            result = fn(&cli->app, view.queue, view.id, &why);
            job_view_clear(&view);
            if (result == 0)
                result = err_set(&why, ERR_STATE, "it is not among the failed ones any more");
        }
        if (result < 0 && (why.kind == ERR_AWAY || why.kind == ERR_FULL)) {
            json_object_put(list);
            *err = why;
            return -1;
        }
        struct json_object *row = json_object_new_object();
        output_set_text(row, "id", cli->operands[i]);
        output_set_bool(row, cli->json ? done_name : "done", result > 0);
        output_set_text(row, "error", result > 0 ? NULL : why.text);
        json_object_array_add(list, row);
        all = all && result > 0;
    }
    output_list(cli, list, columns, "");
    return all ? 0 : 1;
}

/* --- all of them --- */

static int print_counts(const struct cli *cli, const char *done_name, bool dry_run, int64_t count, int64_t left)
{
    struct json_object *all = json_object_new_object();
    output_set_bool(all, "dry_run", dry_run);
    output_set_number(all, done_name, count);
    if (left >= 0)
        output_set_number(all, "left", left);
    output_object(cli, all);
    if (left > 0)
        fprintf(stderr, "peygir: note: %lld were left: their requests have expired; peygir failed forget removes them\n",
                (long long)left);
    return 0;
}

static int retry_all(struct cli *cli, struct err *err)
{
    struct queues queues;
    bool dry_run = cli_flag(cli, "dry-run")->given;
    int64_t total = 0, total_left = 0;
    int result = jobs_queues(cli, &queues, err);
    for (size_t i = 0; result == 0 && i < queues.count; i++) {
        int64_t left = 0,
                count = job_failed_retry_all(&cli->app, queues.name[i], cli_flag(cli, "rate")->number, dry_run, &left, err);
        total += count;
        total_left += left;
        result = count < 0 ? -1 : 0;
    }
    jobs_queues_free(&queues);
    return result < 0 ? -1 : print_counts(cli, "retried", dry_run, total, total_left);
}

int verb_failed_retry(struct cli *cli, struct err *err)
{
    bool all = cli->operand_count == 1 && strcmp(cli->operands[0], "all") == 0;
    if (!all && (cli_flag(cli, "rate")->given || cli_flag(cli, "dry-run")->given))
        return err_set(err, ERR_INVALID, "--rate and --dry-run belong to peygir failed retry all");
    return all ? retry_all(cli, err) : each_operand(cli, job_failed_retry, "retried", err);
}

int verb_failed_forget(struct cli *cli, struct err *err)
{
    return each_operand(cli, job_failed_forget, "forgotten", err);
}

int verb_failed_flush(struct cli *cli, struct err *err)
{
    struct queues queues;
    bool dry_run = cli_flag(cli, "dry-run")->given;
    int64_t total = 0;
    int result = jobs_queues(cli, &queues, err);
    for (size_t i = 0; result == 0 && i < queues.count; i++) {
        int64_t count = job_failed_flush(&cli->app, queues.name[i], dry_run, err);
        total += count;
        result = count < 0 ? -1 : 0;
    }
    jobs_queues_free(&queues);
    return result < 0 ? -1 : print_counts(cli, "forgotten", dry_run, total, -1);
}
