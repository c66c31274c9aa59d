/* verb_queue.c: peygir queue pause|resume|clear|restart|check|limit */
#include "cli/jobs.h"
#include "core/fleet.h"

/* --- pause, resume --- */

static int print_paused(const struct cli *cli, const char *queue, bool paused, bool changed)
{
    struct json_object *all = json_object_new_object();
    output_set_text(all, "queue", queue);
    output_set_bool(all, "paused", paused);
    output_set_bool(all, "changed", changed);
    output_object(cli, all);
    return 0;
}

int verb_queue_pause(struct cli *cli, struct err *err)
{
    const char *queue;
    if (jobs_queue(cli, &queue, err) < 0 || jobs_warn_unknown_queue(cli, queue, err) < 0)
        return -1;
    int changed = job_pause(&cli->app, queue, cli_flag(cli, "message")->text, err);
    return changed < 0 ? -1 : print_paused(cli, queue, true, changed == 1);
}

int verb_queue_resume(struct cli *cli, struct err *err)
{
    const char *queue;
    if (jobs_queue(cli, &queue, err) < 0 || jobs_warn_unknown_queue(cli, queue, err) < 0)
        return -1;
    int changed = job_resume(&cli->app, queue, err);
    return changed < 0 ? -1 : print_paused(cli, queue, false, changed == 1);
}

/* --- clear --- */

int verb_queue_clear(struct cli *cli, struct err *err)
{
    const char *queue;
    bool dry_run = cli_flag(cli, "dry-run")->given;
    if (jobs_queue(cli, &queue, err) < 0)
        return -1;
    int64_t cleared = job_clear_queue(&cli->app, queue, dry_run, err);
    if (cleared < 0)
        return -1;
    struct json_object *all = json_object_new_object();
    output_set_text(all, "queue", queue);
    output_set_bool(all, "dry_run", dry_run);
    output_set_number(all, "cleared", cleared);
    output_object(cli, all);
    return 0;
}

/* --- restart --- */

int verb_queue_restart(struct cli *cli, struct err *err)
{
    int workers = fleet_count(&cli->app, err);
    if (workers < 0 || fleet_restart(&cli->app, err) < 0)
        return -1;
    struct json_object *all = json_object_new_object();
    output_set_number(all, "workers", workers);
    output_object(cli, all);
    return 0;
}

/* --- check --- */

/* Names of the faults for scripts; people read the sentences of job_admin.h. */
static const char *const fault_names[JOB_FAULTS] = {
    [JOB_FAULT_ACTIVE_WITHOUT_LEASE] = "active_without_lease", [JOB_FAULT_LEASE_WITHOUT_JOB] = "lease_without_job",
    [JOB_FAULT_LISTED_WITHOUT_DATA] = "listed_without_data",   [JOB_FAULT_LISTED_TWICE] = "listed_twice",
    [JOB_FAULT_IN_NO_SET] = "in_no_set",
};
enum { FAULTS_SHOWN = 1000 };

struct check {
    const char *queue;
    struct json_object *list;
    int64_t looked_at, found, repaired;
};

static void note_fault(void *ctx, enum job_fault fault, const char *id)
{
    struct check *c = ctx;
    if (json_object_array_length(c->list) >= FAULTS_SHOWN)
        return;
    struct json_object *row = json_object_new_object();
    output_set_text(row, "queue", c->queue);
    output_set_text(row, "id", id);
    output_set_text(row, "fault", fault_names[fault]);
    output_set_text(row, "sentence", job_faults[fault]);
    json_object_array_add(c->list, row);
}

static int check_queue(struct cli *cli, struct check *c, bool repair, struct err *err)
{
    struct job_faults_found found = { .looked_at = 0 };
    if (job_check(&cli->app, c->queue, repair, note_fault, c, &found, err) < 0)
        return -1;
    c->looked_at += found.looked_at;
    for (size_t i = 0; i < JOB_FAULTS; i++) {
        c->found += found.found[i];
        c->repaired += found.repaired[i];
    }
    return 0;
}

static void print_check(struct cli *cli, const struct check *c, bool repair)
{
    static const struct column columns[] = { COLUMN("queue", "QUEUE"), COLUMN("id", "ID"),
                                             COLUMN("sentence", "WHAT IS WRONG"), COLUMN_END };
    if (cli->json) {
        struct json_object *all = json_object_new_object();
        output_set_number(all, "looked_at", c->looked_at);
        output_set_number(all, "found", c->found);
        output_set_number(all, "repaired", c->repaired);
        json_object_object_add(all, "faults", c->list);
        output_object(cli, all);
        return;
    }
    if (json_object_array_length(c->list) > 0) {
        output_table(stdout, cli, c->list, columns);
        putchar('\n');
    }
    printf("%lld jobs looked at, %lld faults found, %lld repaired.%s\n", (long long)c->looked_at, (long long)c->found,
           (long long)c->repaired, c->found > 0 && !repair ? " With --repair they are put right." : "");
    json_object_put(c->list);
}

int verb_queue_check(struct cli *cli, struct err *err)
{
    struct queues queues;
    struct check c = { .list = json_object_new_array() };
    bool repair = cli_flag(cli, "repair")->given;
    int result = jobs_queues(cli, &queues, err);
    for (size_t i = 0; result == 0 && i < queues.count; i++) {
        c.queue = queues.name[i];
        result = check_queue(cli, &c, repair, err);
    }
    if (result == 0)
        print_check(cli, &c, repair);
    else
        json_object_put(c.list);
    jobs_queues_free(&queues);
    return result < 0 ? -1 : c.found > c.repaired;
}

/* --- limit --- */

static int print_limit(struct cli *cli, const char *queue, struct err *err)
{
    struct job_limit limit = { .type = NULL };
    if (job_limit_read(&cli->app, queue, &limit, err) < 0)
        return -1;
    struct json_object *all = json_object_new_object();
    output_set_text(all, "queue", queue);
    jobs_set_limit(all, &limit);
    output_object(cli, all);
    return 0;
}

/* What a flag does not name stays as it is. */
int verb_queue_limit(struct cli *cli, struct err *err)
{
    const struct flag_value *at_once = cli_flag(cli, "at-once"), *per = cli_flag(cli, "per");
    bool none = cli_flag(cli, "none")->given;
    struct job_limit limit = { .type = NULL };
    const char *queue;
    if (jobs_queue(cli, &queue, err) < 0)
        return -1;
    if (none && (at_once->given || per->given))
        return err_set(err, ERR_INVALID, "--none takes all limits away and cannot stand beside --at-once or --per");
    if (!none && !at_once->given && !per->given)
        return print_limit(cli, queue, err);
    if (jobs_warn_unknown_queue(cli, queue, err) < 0 || (!none && job_limit_read(&cli->app, queue, &limit, err) < 0))
        return -1;
    limit.type = NULL;
    if (at_once->given)
        limit.at_once = at_once->number;
    if (per->given) {
        limit.per_count = per->number;
        limit.per_ms = per->per * 1000;
    }
    return job_limit_queue(&cli->app, queue, &limit, err) < 0 ? -1 : print_limit(cli, queue, err);
}
