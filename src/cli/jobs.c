/* jobs.c: which queues, where a job is, and jobs as JSON */
#include "cli/jobs.h"

#include "base/json.h"
#include "core/mask.h"
#include "core/options.h"

/* --- queues --- */

static int check_name(const char *name, struct err *err)
{
    if (options_queue_name(span_of(name)))
        return 0;
    return err_set(err, ERR_INVALID, "\"%.40s\" cannot be a queue: its name is made of letters, digits, _ and -", name);
}

int jobs_queue(const struct cli *cli, const char **queue, struct err *err)
{
    *queue = cli->operand_count > 0 ? cli->operands[0] : JOB_QUEUE_DEFAULT;
    return check_name(*queue, err);
}

static const char *queue_flag(const struct cli *cli)
{
    for (size_t i = 0; cli->verb->flags && cli->verb->flags[i].name; i++)
        if (cli->verb->flags[i].kind == FLAG_QUEUE)
            return cli->value[i].text;
    return NULL;
}

static void add_queue(struct queues *queues, const char *name)
{
    queues->name = xreallocarray(queues->name, queues->count + 1, sizeof *queues->name);
    queues->name[queues->count++] = xstrdup(name);
}

static int all_queues(struct cli *cli, struct queues *out, struct err *err)
{
    int count = job_queues(&cli->app, &out->name, err);
    out->count = count > 0 ? (size_t)count : 0;
    return count < 0 ? -1 : 0;
}

int jobs_queues(struct cli *cli, struct queues *out, struct err *err)
{
    const char *flag = queue_flag(cli);
    bool operands = strstr(cli->verb->operands, "QUEUE") && cli->operand_count > 0;
    *out = (struct queues){ NULL, 0 };
    for (int i = 0; operands && i < cli->operand_count; i++) {
        if (check_name(cli->operands[i], err) < 0)
            return -1;
        add_queue(out, cli->operands[i]);
    }
    if (!operands && flag)
        add_queue(out, flag);
    return operands || flag ? 0 : all_queues(cli, out, err);
}

void jobs_queues_free(struct queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        free(queues->name[i]);
    free(queues->name);
    *queues = (struct queues){ NULL, 0 };
}

int jobs_warn_unknown_queue(struct cli *cli, const char *queue, struct err *err)
{
    struct queues queues = { NULL, 0 };
    bool known = strcmp(queue, JOB_QUEUE_DEFAULT) == 0;
    if (!known && all_queues(cli, &queues, err) < 0)
        return -1;
    for (size_t i = 0; i < queues.count; i++)
        known = known || strcmp(queues.name[i], queue) == 0;
    if (!known)
        fprintf(stderr,
                "peygir: note: no job and no job type has named the queue %s yet; peygir queue stats lists those in use\n",
                queue);
    jobs_queues_free(&queues);
    return 0;
}

void jobs_set_limit(struct json_object *object, const struct job_limit *limit)
{
    struct json_object *per = NULL;
    if (limit->per_count > 0) {
        per = json_object_new_object();
        output_set_number(per, "jobs", limit->per_count);
        output_set_number(per, "seconds", limit->per_ms / 1000);
    }
    json_object_object_add(object, "at_once", limit->at_once > 0 ? json_object_new_int64(limit->at_once) : NULL);
    json_object_object_add(object, "per", per);
}

/* --- one job --- */

enum { SCAN_COUNT = 1000 };

/* The queue in P:Q:data:ID. NULL: it is another key. The caller frees. */
static char *queue_of_key(const struct cli *cli, struct span key, const char *id)
{
    size_t head = strlen(cli->house.prefix) + 1, tail = sizeof ":data:" - 1 + strlen(id);
    char *queue = key.len > head + tail ? xmemdupz(key.s + head, key.len - head - tail) : NULL;
    if (queue && options_queue_name(span_of(queue)))
        return queue;
    free(queue);
    return NULL;
}

/* Of a queue that holds nothing any more only the data of jobs that have ended are left: the queue's name by a scan for them, or NULL. */
static int find_queue(struct cli *cli, const char *id, char **queue, struct err *err)
{
    struct str pattern = STR_INIT;
    char cursor[NUMBER_SIZE] = "0";
    const struct reply *page = NULL;
    str_reset(&pattern);
    for (const char *p = id; *p; p++)
        str_addf(&pattern, "%s%c", strchr("*?[]\\", *p) ? "\\" : "", *p);
    struct key key = key_job(&cli->house, SPAN("*"), (struct span){ pattern.s, pattern.len });
    redis_use_db(cli->app.redis, cli->app.main_db);
    do {
        page = redis_do(cli->app.redis, err, "SCAN %s MATCH %b COUNT %d TYPE hash", cursor, key.s, key.len, SCAN_COUNT);
        if (!page || page->count != 2)
            break;
        snprintf(cursor, sizeof cursor, "%.*s", (int)reply_text(&page->item[0]).len, reply_text(&page->item[0]).s);
        for (size_t i = 0; i < page->item[1].count && !*queue; i++)
            *queue = queue_of_key(cli, reply_text(&page->item[1].item[i]), id);
    } while (!*queue && strcmp(cursor, "0") != 0);
    str_free(&pattern);
    return page ? 0 : -1;
}

static int look_everywhere(struct cli *cli, const char *id, struct job_view *out, struct err *err)
{
    struct queues queues = { NULL, 0 };
    char *queue = NULL;
    int found = all_queues(cli, &queues, err);
    found = found < 0 ? -1 : job_find(&cli->app, queues.name, queues.count, id, out, err);
    if (found == 0)
        found = find_queue(cli, id, &queue, err);
    if (found == 0 && queue)
        found = job_look(&cli->app, queue, id, out, err);
    free(queue);
    jobs_queues_free(&queues);
    return found;
}

int jobs_find(struct cli *cli, const char *id, struct job_view *out, struct err *err)
{
    const char *flag = queue_flag(cli);
    int found = job_look(&cli->app, flag ? flag : JOB_QUEUE_DEFAULT, id, out, err);
    if (found == 0 && !flag) /* most are in the default queue; to know the others takes a scan */
        found = look_everywhere(cli, id, out, err);
    if (found == 0 && flag)
        return err_set(err, ERR_NOT_FOUND, "there is no job %.128s in the queue %s; without --queue all are looked through",
                       id, flag);
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no job %.128s: its data have expired or it never was", id);
    return found < 0 ? -1 : 0;
}

/* What the score means depends on where it stands. */
static void set_score(struct json_object *row, const struct job_view *view)
{
    static const char *const names[] = {
        [JOB_IN_DELAYED] = "due_at", [JOB_IN_ACTIVE] = "lease_until", [JOB_IN_FAILED] = "failed_at"
    };
    if ((size_t)view->place < ARRAY_LEN(names) && names[view->place])
        output_set_time(row, names[view->place], (int64_t)view->score);
}

struct json_object *jobs_row(const struct job_view *view)
{
    struct json_object *row = json_object_new_object();
    output_set_text(row, "id", view->id);
    output_set_text(row, "queue", view->queue);
    output_set_text(row, "type", view->type);
    output_set_text(row, "status", view->status);
    output_set_text(row, "place", job_places[view->place]);
    set_score(row, view);
    output_set_number(row, "attempts", view->attempts);
    output_set_number(row, "deaths", view->deaths);
    output_set_number(row, "run", view->run);
    output_set_number(row, "progress", view->progress);
    output_set_masked(row, "error", view->error);
    output_set_time(row, "created_at", view->created_ms);
    output_set_time(row, "started_at", view->started_ms);
    output_set_time(row, "completed_at", view->completed_ms);
    output_set_text(row, "worker_id", view->worker_id);
    output_set_text(row, "request_hash", view->request_hash);
    return row;
}

/* Newest first; times of this form compare as texts. */
static int by_failure(const void *a, const void *b)
{
    struct json_object *const *x = a, *const *y = b;
    const char *s = json_object_get_string(json_object_object_get(*x, "failed_at")),
               *t = json_object_get_string(json_object_object_get(*y, "failed_at"));
    return strcmp(t ? t : "", s ? s : "");
}

void jobs_newest_failures(struct json_object *rows, size_t most)
{
    size_t count = json_object_array_length(rows);
    json_object_array_sort(rows, by_failure);
    if (count > most)
        json_object_array_del_idx(rows, most, count - most);
}

static struct json_object *number_or_null(int64_t number, int64_t none)
{
    return number == none ? NULL : json_object_new_int64(number);
}

/* Of its attempts the errors; a worker's name is one of a host. */
static void mask_history(struct json_object *history)
{
    struct json_object *error;
    for (size_t i = 0; json_object_is_type(history, json_type_array) && i < json_object_array_length(history); i++)
        if (json_object_object_get_ex(json_object_array_get_idx(history, i), "error", &error))
            mask_texts(error);
}

struct json_object *jobs_object(const struct job_view *view)
{
    struct json_object *all = jobs_row(view), *history = NULL;
    json_object_object_add(all, "ahead", number_or_null(view->ahead, -1));
    json_object_object_add(all, "priority", number_or_null(view->priority, -1));
    json_object_object_add(all, "max_attempts", number_or_null(view->max_attempts, 0));
    json_object_object_add(all, "timeout", number_or_null(view->timeout_s, 0));
    output_set_masked(all, "message", view->message);
    output_set_masked(all, "user_id", view->user_id);
    output_set_text(all, "parent", view->parent);
    output_set_masked(all, "unique_key", view->unique_key);
    json_object_object_add(all, "ttl_seconds", view->ttl_ms < 0 ? NULL : json_object_new_int64(view->ttl_ms / 1000));
    json_object_object_add(all, "payload", mask_members(NULL, span_of(view->payload)));
    output_set_bool(all, "payload_masked", true);
    output_set_bool(all, "has_result", view->result != NULL);
    if (view->history)
        json_parse(view->history, strlen(view->history), &history, NULL);
    mask_history(history);
    json_object_object_add(all, "history", history ? history : json_object_new_array());
    return all;
}

/* Take the history out of the object, its times as text. */
static struct json_object *take_history(struct json_object *all)
{
    struct json_object *history = json_object_get(json_object_object_get(all, "history")), *at;
    json_object_object_del(all, "history");
    for (size_t i = 0; json_object_is_type(history, json_type_array) && i < json_object_array_length(history); i++)
        if (json_object_object_get_ex(json_object_array_get_idx(history, i), "at", &at) &&
            json_object_is_type(at, json_type_int))
            output_set_time(json_object_array_get_idx(history, i), "at", json_object_get_int64(at));
    return history;
}

void jobs_print(const struct cli *cli, const struct job_view *view)
{
    static const struct column columns[] = { COLUMN("run", "RUN"), COLUMN_WHEN("at", "ENDED"),
                                             COLUMN_CUT("error", "ERROR", 60), COLUMN("worker", "WORKER"), COLUMN_END };
    struct json_object *all = jobs_object(view), *history = take_history(all);
    if (cli->json) {
        json_object_object_add(all, "history", history);
        output_object(cli, all);
        return;
    }
    json_object_object_del(all, "payload_masked");
    output_object(cli, all);
    printf("\nThe values of its payload are masked: they may be personal.\n");
    if (json_object_is_type(history, json_type_array) && json_object_array_length(history) > 0) {
        printf("\n");
        output_list(cli, history, columns, "");
    } else {
        json_object_put(history);
    }
}
