/* verb_schedule.c: peygir schedule list|next|run */
#include "base/clock.h"
#include "cli/output.h"
#include "core/schedule.h"

/* A time as the clocks of the schedule's zone show it: "2026-03-21 09:00 +03:30". */
static void set_local(struct json_object *row, const char *name, const struct zone *zone, int64_t unix_s)
{
    char text[CLOCK_RFC3339_SIZE];
    int32_t offset_s = zone_offset_s(zone, unix_s);
    clock_rfc3339((unix_s + offset_s) * 1000, text);
    char *local = xasprintf("%.10s %.5s %c%02d:%02d", text, text + 11, offset_s < 0 ? '-' : '+', abs(offset_s) / 3600,
                            abs(offset_s) / 60 % 60);
    output_set_text(row, name, local);
    free(local);
}

/* --- list --- */

static void add_state(void *ctx, const struct schedule_state *state)
{
    const struct schedule *schedule = state->type->schedule;
    struct json_object *row = json_object_new_object();
    output_set_text(row, "type", state->type->name);
    output_set_text(row, "cron", schedule->line);
    output_set_text(row, "time_zone", schedule->zone_name);
    output_set_text(row, "missed", schedule->run_missed ? "run" : "skip");
    output_set_text(row, "queue", state->type->queue);
    output_set_time(row, "last_at", state->last_ms);
    output_set_time(row, "next_at", state->next_ms);
    json_object_array_add(ctx, row);
}

int verb_schedule_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN_CUT("type", "TYPE", 40),
                                             COLUMN("cron", "CRON"),
                                             COLUMN("time_zone", "TIME ZONE"),
                                             COLUMN("missed", "MISSED"),
                                             COLUMN_WHEN("last_at", "LAST"),
                                             COLUMN_WHEN("next_at", "NEXT"),
                                             COLUMN_END };
    struct json_object *list = json_object_new_array();
    if (schedule_each(&cli->app, cli->house.job_types, add_state, list, err) < 0) {
        json_object_put(list);
        return -1;
    }
    output_list(cli, list, columns, "No job type runs by the clock.");
    return 0;
}

/* --- next --- */

struct tick {
    const struct job_type *type;
    int64_t at_s; /* -1: none any more */
};

static int find_ticks(const struct cli *cli, struct tick *ticks, int64_t now_s, struct err *err)
{
    int count = 0;
    const char *name = cli->operand_count > 0 ? cli->operands[0] : NULL;
    const struct job_type *wanted = name ? job_types_find(cli->house.job_types, span_of(name)) : NULL;
    if (name && (!wanted || !wanted->schedule))
        return err_set(err, ERR_NOT_FOUND, "%s \"%.60s\"%s; peygir schedule list names those that run by the clock",
                       wanted ? "the job type" : "there is no job type", name, wanted ? " has no schedule" : "");
    for (size_t i = 0; i < job_types_count(cli->house.job_types); i++) {
        const struct job_type *type = job_types_at(cli->house.job_types, i);
        if (type->schedule && (!wanted || type == wanted))
            ticks[count++] = (struct tick){ type, cron_next(&type->schedule->cron, type->schedule->zone, now_s) };
    }
    return count;
}

static struct tick *earliest(struct tick *ticks, int count)
{
    struct tick *best = NULL;
    for (int i = 0; i < count; i++)
        if (ticks[i].at_s >= 0 && (!best || ticks[i].at_s < best->at_s))
            best = &ticks[i];
    return best;
}

static void add_tick(struct json_object *list, const struct tick *tick)
{
    const struct schedule *schedule = tick->type->schedule;
    struct json_object *row = json_object_new_object();
    output_set_text(row, "type", tick->type->name);
    output_set_time(row, "at", tick->at_s * 1000);
    set_local(row, "local", schedule->zone, tick->at_s);
    output_set_text(row, "time_zone", schedule->zone_name);
    json_object_array_add(list, row);
}

int verb_schedule_next(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN_CUT("type", "TYPE", 40), COLUMN_WHEN("at", "RUNS"),
                                             COLUMN("local", "LOCAL TIME"), COLUMN("time_zone", "TIME ZONE"), COLUMN_END };
    int64_t now_s = clock_ms() / 1000, wanted = cli_flag(cli, "count")->number;
    struct tick *ticks = xcalloc(job_types_count(cli->house.job_types) + 1, sizeof *ticks), *next;
    int count = find_ticks(cli, ticks, now_s, err);
    struct json_object *list = json_object_new_array();
    for (; count > 0 && wanted > 0 && (next = earliest(ticks, count)); wanted--) {
        add_tick(list, next);
        next->at_s = cron_next(&next->type->schedule->cron, next->type->schedule->zone, next->at_s);
    }
    free(ticks);
    if (count < 0) {
        json_object_put(list);
        return -1;
    }
    output_list(cli, list, columns, count == 0 ? "No job type runs by the clock." : "It does not run within five years.");
    return 0;
}

/* --- run --- */

int verb_schedule_run(struct cli *cli, struct err *err)
{
    char *id = NULL;
    int pushed = schedule_run(&cli->app, cli->house.job_types, cli->operands[0], &id, err);
    if (pushed < 0)
        return -1;
    if (cli->json) {
        struct json_object *all = json_object_new_object();
        output_set_text(all, "id", id);
        output_object(cli, all);
    } else {
        puts(id);
    }
    free(id);
    return 0;
}
