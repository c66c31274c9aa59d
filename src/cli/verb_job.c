/* verb_job.c: peygir queue show|explain|cancel|list, peygir job list|check */
#include "cli/checked.h"
#include "cli/jobs.h"
#include "core/job_type.h"
#include "core/options.h"
#include "core/request.h"

/* --- one job --- */

int verb_queue_show(struct cli *cli, struct err *err)
{
    struct job_view view;
    if (jobs_find(cli, cli->operands[0], &view, err) < 0)
        return -1;
    jobs_print(cli, &view);
    job_view_clear(&view);
    return 0;
}

static struct json_object *lines_of(const char *text)
{
    struct json_object *list = json_object_new_array();
    for (const char *stop; *text; text = *stop ? stop + 1 : stop) {
        stop = text + strcspn(text, "\n");
        if (stop > text)
            json_object_array_add(list, json_object_new_string_len(text, (int)(stop - text)));
    }
    return list;
}

int verb_queue_explain(struct cli *cli, struct err *err)
{
    struct job_view view;
    struct str text = STR_INIT;
    str_reset(&text);
    if (jobs_find(cli, cli->operands[0], &view, err) < 0) {
        str_free(&text);
        return -1;
    }
    int result = job_explain(&cli->app, &view, &text, err);
    if (result >= 0 && cli->json) {
        struct json_object *all = jobs_row(&view);
        json_object_object_add(all, "sentences", lines_of(text.s));
        output_object(cli, all);
    } else if (result >= 0) {
        printf("%s%s", text.s, text.len > 0 && text.s[text.len - 1] == '\n' ? "" : "\n");
    }
    job_view_clear(&view);
    str_free(&text);
    return result < 0 ? -1 : 0;
}

/* A request's leg ends with its request. A call on the side, and what a request that has gone left behind, ends alone. */
static int cancel(struct cli *cli, const struct job_view *view, struct err *err)
{
    struct span hash = span_of(view->request_hash), id = span_of(view->id);
    bool leg = hash.s && (span_eq(id, hash) || (id.len > hash.len && id.s[hash.len] == '.' &&
                                                strspn(id.s + hash.len + 1, "0123456789") == id.len - hash.len - 1));
    int done = leg ? request_cancel(&cli->app, hash, err) : 0;
    if (!leg || (done < 0 && err->kind == ERR_NOT_FOUND))
        done = job_cancel(&cli->app, view->queue, view->id, err);
    return done;
}

int verb_queue_cancel(struct cli *cli, struct err *err)
{
    struct job_view view;
    if (jobs_find(cli, cli->operands[0], &view, err) < 0)
        return -1;
    int done = cancel(cli, &view, err);
    if (done >= 0) {
        struct json_object *all = json_object_new_object();
        output_set_text(all, "id", view.id);
        output_set_text(all, "queue", view.queue);
        output_set_bool(all, "cancelled", done == 1);
        if (done == 0 && !cli->json)
            fprintf(stderr, "peygir: note: it had ended already: %s\n", view.status ? view.status : job_places[view.place]);
        output_object(cli, all);
    }
    job_view_clear(&view);
    return done < 0 ? -1 : 0;
}

/* --- the jobs of a queue --- */

struct ids {
    char **id;
    size_t count;
};

static void add_ids(struct ids *ids, const struct reply *reply)
{
    ids->id = xreallocarray(ids->id, ids->count + reply->count + 1, sizeof *ids->id);
    for (size_t i = 0; i < reply->count; i++) {
        struct span id = reply_text(&reply->item[i]);
        if (id.s)
            ids->id[ids->count++] = xmemdupz(id.s, id.len);
    }
}

/* Those that come next first; of `waiting` the priority set stands before the list. */
static int read_ids(struct cli *cli, const char *queue, const char *state, int64_t limit, struct ids *ids, struct err *err)
{
    static const char *const parts[][3] = { { "waiting", "priority", "ZREVRANGE" },
                                            { "waiting", "queue", NULL },
                                            { "delayed", "delayed", "ZRANGE" },
                                            { "active", "active", "ZRANGE" },
                                            { "failed", "failed", "ZREVRANGE" } };
    redis_use_db(cli->app.redis, cli->app.main_db);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct key key = key_queue(cli->app.house, span_of(queue), parts[i][1]);
        int64_t room = limit - (int64_t)ids->count;
        if (strcmp(parts[i][0], state) != 0 || room <= 0)
            continue;
        const struct reply *reply =
            parts[i][2] ? redis_do(cli->app.redis, err, "%s %b 0 %lld", parts[i][2], key.s, key.len, (long long)room - 1)
                        : redis_do(cli->app.redis, err, "LRANGE %b %lld -1", key.s, key.len, (long long)-room);
        if (!reply)
            return -1;
        size_t before = ids->count;
        add_ids(ids, reply);
        for (size_t a = before, b = ids->count; !parts[i][2] && a + 1 < b; a++, b--) { /* taken from the right */
            char *swap = ids->id[a];
            ids->id[a] = ids->id[b - 1];
            ids->id[b - 1] = swap;
        }
    }
    return 0;
}

static int look_at(struct cli *cli, const char *queue, const struct ids *ids, struct json_object *list, struct err *err)
{
    int found = 0;
    for (size_t i = 0; i < ids->count && found >= 0; i++) {
        struct job_view view;
        found = job_look(&cli->app, queue, ids->id[i], &view, err);
        if (found == 1) {
            json_object_array_add(list, jobs_row(&view));
            job_view_clear(&view);
        }
    }
    return found < 0 ? -1 : 0;
}

int verb_queue_list(struct cli *cli, struct err *err)
{
    static const struct column waiting[] = { COLUMN("id", "ID"),
                                             COLUMN_CUT("type", "TYPE", 24),
                                             COLUMN("place", "IN"),
                                             COLUMN_WHEN("created_at", "CREATED"),
                                             COLUMN("attempts", "ATTEMPTS"),
                                             COLUMN_END };
    static const struct column others[] = { COLUMN("id", "ID"),
                                            COLUMN_CUT("type", "TYPE", 24),
                                            COLUMN_WHEN("created_at", "CREATED"),
                                            COLUMN_WHEN("due_at", "DUE"),
                                            COLUMN_WHEN("started_at", "STARTED"),
                                            COLUMN("attempts", "ATTEMPTS"),
                                            COLUMN_CUT("error", "ERROR", 30),
                                            COLUMN_END };
    const char *queue, *state = cli_flag(cli, "state")->text ? cli_flag(cli, "state")->text : "waiting";
    struct ids ids = { NULL, 0 };
    struct json_object *list = json_object_new_array();
    int result = jobs_queue(cli, &queue, err);
    if (result == 0)
        result = read_ids(cli, queue, state, cli_flag(cli, "limit")->number, &ids, err);
    if (result == 0)
        result = look_at(cli, queue, &ids, list, err);
    for (size_t i = 0; i < ids.count; i++)
        free(ids.id[i]);
    free(ids.id);
    if (result < 0) {
        json_object_put(list);
        return -1;
    }
    output_list(cli, list, strcmp(state, "waiting") == 0 ? waiting : others, "There are no such jobs in this queue.");
    return 0;
}

/* --- job types --- */

int verb_job_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN_CUT("type", "TYPE", 40), COLUMN("handler", "HANDLER"),
                                             COLUMN("queue", "QUEUE"),       COLUMN("priority", "PRIORITY"),
                                             COLUMN("tries", "TRIES"),       COLUMN("timeout", "TIMEOUT"),
                                             COLUMN("cron", "CRON"),         COLUMN_END };
    struct json_object *list = json_object_new_array();
    (void)err;
    for (size_t i = 0; i < job_types_count(cli->house.job_types); i++) {
        const struct job_type *type = job_types_at(cli->house.job_types, i);
        struct json_object *row = json_object_new_object();
        output_set_text(row, "type", type->name);
        output_set_text(row, "handler", type->handler);
        output_set_text(row, "queue", type->queue);
        json_object_object_add(row, "priority", type->priority < 0 ? NULL : json_object_new_int(type->priority));
        json_object_object_add(row, "tries", type->tries > 0 ? json_object_new_int64(type->tries) : NULL);
        json_object_object_add(row, "timeout", type->timeout_s > 0 ? json_object_new_int64(type->timeout_s) : NULL);
        jobs_set_limit(row, &type->limit);
        output_set_text(row, "cron", type->schedule ? type->schedule->line : NULL);
        output_set_text(row, "time_zone", type->schedule ? type->schedule->zone_name : NULL);
        output_set_text(row, "file", type->file);
        json_object_array_add(list, row);
    }
    output_list(cli, list, columns, "There are no job types.");
    return 0;
}

int verb_job_check(struct cli *cli, struct err *err)
{
    return checked_files(cli, options_dir(cli->settings, OPT_PEYGIR_JOBS_DIR), job_type_check, "There are no job types.",
                         err);
}
