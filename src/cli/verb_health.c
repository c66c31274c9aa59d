/* verb_health.c: peygir health, peygir stats */
#include "cli/jobs.h"
#include "core/job_type.h"
#include "core/options.h"
#include "core/report.h"
#include "core/source.h"

#include <json-c/json.h>

/* A member that is a list, taken out to be shown as a table of its own. */
static struct json_object *take_list(struct json_object *all, const char *name)
{
    struct json_object *list = json_object_get(json_object_object_get(all, name));
    json_object_object_del(all, name);
    return list;
}

static void add_broken(struct json_object *health, const char *check, const struct err *why)
{
    char *detail = xasprintf("%s: with these files no worker starts", why->text);
    report_add_check(health, check, GRADE_WARNING, detail);
    free(detail);
}

static void check_job_types(struct cli *cli, struct json_object *health)
{
    struct err why = ERR_INIT;
    char count[NUMBER_SIZE];
    cli->house.job_types = job_types_open(options_dir(cli->settings, OPT_PEYGIR_JOBS_DIR), &why);
    if (!cli->house.job_types) {
        add_broken(health, "job types", &why);
        return;
    }
    snprintf(count, sizeof count, "%zu", job_types_count(cli->house.job_types));
    report_add_check(health, "job types", GRADE_OK, count);
}

int verb_health(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("check", "CHECK"), COLUMN("status", "STATUS"),
                                             COLUMN("detail", "DETAIL"), COLUMN_END };
    struct err why = ERR_INIT;
    sources_load(options_dir(cli->settings, OPT_PEYGIR_SOURCES_DIR), &cli->house.sources, &why);
    struct json_object *health = report_health(&cli->app, err);
    if (!health)
        return -1;
    check_job_types(cli, health);
    if (!cli->house.sources)
        add_broken(health, "sources", &why);
    bool failed = report_has_failed(health);
    if (cli->json) {
        output_object(cli, health);
    } else {
        printf("%s\n\n", json_object_get_string(json_object_object_get(health, "status")));
        output_list(cli, take_list(health, "checks"), columns, "");
        json_object_put(health);
    }
    return failed ? 1 : 0;
}

/* --- statistics --- */

static const struct column queue_columns[] = { COLUMN("queue", "QUEUE"),
                                               COLUMN("waiting", "WAITING"),
                                               COLUMN("delayed", "DELAYED"),
                                               COLUMN("active", "ACTIVE"),
                                               COLUMN("failed", "FAILED"),
                                               COLUMN("oldest_waiting_ms", "OLDEST MS"),
                                               COLUMN("workers", "WORKERS"),
                                               COLUMN_END };
static const struct column cache_columns[] = { COLUMN("prefix", "CACHE"),
                                               COLUMN("hits", "HITS"),
                                               COLUMN("misses", "MISSES"),
                                               COLUMN("hit_percent", "HIT %"),
                                               COLUMN("sets", "SETS"),
                                               COLUMN("evictions", "EVICTIONS"),
                                               COLUMN_END };
static const struct column key_columns[] = { COLUMN("family", "KEYS"), COLUMN("about", "ABOUT"), COLUMN_END };
static const struct section {
    const char *name;
    const struct column *columns;
} sections[] = { { "queues", queue_columns }, { "cache", cache_columns }, { "keys", key_columns } };

int verb_stats(struct cli *cli, struct err *err)
{
    struct json_object *all = report_stats(&cli->app, err), *list[ARRAY_LEN(sections)];
    if (!all)
        return -1;
    if (cli->json) {
        output_object(cli, all);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        list[i] = take_list(all, sections[i].name);
    output_object(cli, all);
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        putchar('\n');
        output_list(cli, list[i], sections[i].columns, "");
    }
    return 0;
}
