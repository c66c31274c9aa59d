/* verb_push.c: peygir queue push */
#include "base/json.h"
#include "cli/jobs.h"
#include "core/job_type.h"

#include <errno.h>

enum { PAYLOAD_BYTES_MAX = 65536 };
#define SERVICE_TYPE "service"

/* The names of all job types, for a sentence. */
static char *known_types(const struct job_types *types)
{
    struct str names = STR_INIT;
    str_reset(&names);
    for (size_t i = 0; i < job_types_count(types); i++)
        if (strcmp(job_types_at(types, i)->name, SERVICE_TYPE) != 0)
            str_addf(&names, "%s%s", names.len > 0 ? ", " : "", job_types_at(types, i)->name);
    return str_take(&names, NULL);
}

static const struct job_type *find_type(const struct cli *cli, struct err *err)
{
    const char *name = cli->operands[0];
    const struct job_type *type = job_types_find(cli->house.job_types, span_of(name));
    if (strcmp(name, SERVICE_TYPE) == 0) {
        err_set(err, ERR_INVALID,
                "jobs of type service belong to requests; a request is made by its form or by POST /api/local-requests");
        return NULL;
    }
    if (!type) {
        char *known = known_types(cli->house.job_types);
        err_set(err, ERR_NOT_FOUND, "there is no job type \"%.60s\"; those there are: %s", name, known);
        free(known);
    }
    return type;
}

static int check_payload(struct span payload, struct err *err)
{
    size_t skip = payload.s ? strspn(payload.s, " \t\r\n") : 0;
    if (payload.len > PAYLOAD_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the payload has more than %d bytes", PAYLOAD_BYTES_MAX);
    if (json_check(payload.s, payload.len, err) < 0)
        return err_prefix(err, "the payload is not JSON");
    return payload.s[skip] == '{'
               ? 0
               : err_set(err, ERR_INVALID, "the payload must be a JSON object, as in {\"name\": \"value\"}");
}

/* --- one --- */

static struct json_object *id_object(const char *id)
{
    struct json_object *object = json_object_new_object();
    output_set_text(object, "id", id);
    return object;
}

static const struct job_type *type_of(const struct cli *cli, const struct job_new *job)
{
    return job_types_find(cli->house.job_types, span_of(job->type));
}

/* The answer to a push that another job with the same unique key stood in for is that job. */
static int push(struct cli *cli, const struct job_new *like, const char *payload, struct json_object *ids, struct err *err)
{
    char id[JOB_ID_SIZE], key[JOB_UNIQUE_SIZE], *other = NULL;
    struct job_new job = *like;
    job_new_id(id);
    job.id = id;
    job.payload = payload;
    job_type_set_unique(type_of(cli, like), &job, key);
    int pushed = job_push(&cli->app, &job, &other, err);
    if (pushed == JOB_NOT_UNIQUE)
        fprintf(stderr, "peygir: note: nothing was pushed: job %s has this unique key\n", other ? other : "?");
    if (pushed >= 0)
        json_object_array_add(ids, id_object(pushed == JOB_NOT_UNIQUE ? other : id));
    free(other);
    return pushed < 0 ? -1 : 0;
}

/* --- a line each --- */

struct batch {
    struct job_new jobs[JOB_PUSH_BATCH];
    char ids[JOB_PUSH_BATCH][JOB_ID_SIZE];
    char *payloads[JOB_PUSH_BATCH];
    size_t count;
};

static int push_batch(struct cli *cli, struct batch *b, struct json_object *ids, struct err *err)
{
    int64_t pushed = b->count > 0 ? job_push_many(&cli->app, b->jobs, b->count, err) : 0;
    for (size_t i = 0; i < b->count; i++) {
        if (pushed >= 0)
            json_object_array_add(ids, id_object(b->ids[i]));
        free(b->payloads[i]);
    }
    b->count = 0;
    return pushed < 0 ? -1 : 0;
}

static int add_to_batch(struct cli *cli, struct batch *b, const struct job_new *like, const char *payload,
                        struct json_object *ids, struct err *err)
{
    size_t i = b->count++;
    job_new_id(b->ids[i]);
    b->payloads[i] = xstrdup(payload);
    b->jobs[i] = *like;
    b->jobs[i].id = b->ids[i];
    b->jobs[i].payload = b->payloads[i];
    return b->count == JOB_PUSH_BATCH ? push_batch(cli, b, ids, err) : 0;
}

/* What job_push_many cannot do is pushed one by one. */
static int push_line(struct cli *cli, struct batch *b, const struct job_new *like, const char *line, struct json_object *ids,
                     struct err *err)
{
    if (like->delay_ms == 0 && like->priority == 0 && !like->unique_key && !type_of(cli, like)->unique)
        return add_to_batch(cli, b, like, line, ids, err);
    return push(cli, like, line, ids, err);
}

static int push_lines(struct cli *cli, const struct job_new *like, struct json_object *ids, struct err *err)
{
    struct batch *b = xcalloc(1, sizeof *b);
    char *line = NULL;
    size_t room = 0;
    int result = 0;
    long long number = 0;
    ssize_t len;
    while (result == 0 && (len = getline(&line, &room, stdin)) >= 0) {
        number++;
        if (len > 0 && line[len - 1] == '\n')
            line[--len] = '\0';
        if (line[strspn(line, " \t\r")] == '\0' && strlen(line) == (size_t)len)
            continue;
        result = check_payload((struct span){ line, (size_t)len }, err);
        if (result < 0)
            err_prefix(err, "line %lld of standard input", number);
        else
            result = push_line(cli, b, like, line, ids, err);
    }
    if (result == 0 && ferror(stdin))
        result = err_set(err, ERR_FAILED, "standard input cannot be read: %s", strerror(errno));
    struct err late = ERR_INIT; /* what stands before a wrong line is pushed: its ids are told */
    int rest = push_batch(cli, b, ids, result == 0 ? err : &late);
    free(line);
    free(b);
    return result < 0 ? -1 : rest;
}

/* --- the verb --- */

static void print_ids(const struct cli *cli, struct json_object *ids, bool many)
{
    if (cli->json && many) {
        output_list(cli, json_object_get(ids), NULL, "");
    } else if (cli->json) {
        output_object(cli, json_object_get(json_object_array_get_idx(ids, 0)));
    } else {
        for (size_t i = 0; i < json_object_array_length(ids); i++)
            puts(json_object_get_string(json_object_object_get(json_object_array_get_idx(ids, i), "id")));
    }
}

static struct job_new job_of_flags(const struct cli *cli, const struct job_type *type)
{
    const struct flag_value *priority = cli_flag(cli, "priority");
    int64_t p = priority->given ? priority->number : type->priority;
    return (struct job_new){
        .queue = cli_flag(cli, "queue")->given ? cli_flag(cli, "queue")->text : type->queue,
        .type = type->name,
        .priority = p == JOB_PRIORITY_LIST ? 0 : (int)(p + 1),
        .delay_ms = cli_flag(cli, "delay")->number * 1000,
        .unique_key = cli_flag(cli, "unique")->text,
        .unique_ms = cli_flag(cli, "unique-for")->number * 1000,
        .max_attempts = cli_flag(cli, "tries")->number,
        .timeout_s = cli_flag(cli, "timeout")->number,
    };
}

int verb_queue_push(struct cli *cli, struct err *err)
{
    const struct job_type *type = find_type(cli, err);
    const char *payload = cli_flag(cli, "payload")->text;
    bool many = payload && strcmp(payload, "-") == 0;
    if (!type || (payload && !many && check_payload(span_of(payload), err) < 0))
        return -1;
    if (cli_flag(cli, "unique-for")->given && !cli_flag(cli, "unique")->given)
        return err_set(err, ERR_INVALID, "--unique-for says how long a key counts; --unique=KEY must name the key");
    const struct job_new job = job_of_flags(cli, type);
    struct json_object *ids = json_object_new_array();
    int result = many ? push_lines(cli, &job, ids, err) : push(cli, &job, payload, ids, err);
    if (many || result == 0)
        print_ids(cli, ids, many);
    json_object_put(ids);
    return result;
}
