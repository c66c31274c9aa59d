/* push.c: reading the jobs that a program wants to push: a table of members, each with what it accepts. */
#include "web/push.h"

#include "core/options.h"
#include "web/api.h"
#include "web/dispatch.h"
#include "web/members.h"

#define DAY_S (24 * 60 * 60)
#define YEAR_S (366 * DAY_S)
#define TRIES_MAX 1000

struct reading {
    struct exchange *x;
    struct push *push;
    const char *at;      /* where in the body: "" or "jobs[3]." */
    struct str words;    /* backs a sentence */
    struct str *errors;  /* JSON objects with commas between them */
};

static void add_error(struct reading *r, const char *field, const char *sentence)
{
    char *place = xasprintf("%s%s", r->at, field);

    api_add_error(r->errors, place, sentence);
    free(place);
}

static bool read_number(struct json_object *value, int64_t min, int64_t max, int64_t *out)
{
    *out = json_object_get_int64(value);
    return json_object_is_type(value, json_type_int) && *out >= min && *out <= max;
}

/* What the rows below read. */

static const char *unknown_type(struct reading *r)
{
    const struct job_types *types = r->x->seat->app.house->job_types;

    str_reset(&r->words);
    str_adds(&r->words, "There is no job type of this name. Known are:");
    for (size_t i = 0; i < job_types_count(types); i++)
        str_addf(&r->words, "%s %s", i ? "," : "", job_types_at(types, i)->name);
    str_addc(&r->words, '.');
    return r->words.s;
}

static const char *read_type(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    if (!json_object_is_type(value, json_type_string))
        return "It must be the name of a job type.";
    if (strcmp(json_object_get_string(value), "service") == 0)
        return "Jobs of this type belong to requests, which POST /api/local-requests makes.";
    r->push->type = job_types_find(r->x->seat->app.house->job_types, span_of(json_object_get_string(value)));
    if (!r->push->type)
        return unknown_type(r);
    if (r->x->program.role == TOKEN_BOT && job_type_tells(r->push->type))
        return "Jobs of this type tell people something: they are for tokens of the role site.";
    r->push->job.type = r->push->type->name;
    return NULL;
}

static const char *read_payload(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    if (!json_object_is_type(value, json_type_object))
        return "It must be an object.";
    json_add(&r->push->payload, value);
    r->push->job.payload = r->push->payload.s;
    return NULL;
}

static const char *read_queue(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    r->push->job.queue = members_text(value, MEMBERS_TEXT_MAX);
    if (!r->push->job.queue || !options_queue_name(span_of(r->push->job.queue)))
        return "It must be the name of a queue: letters, digits, _ and -, at most 64, and none of the names that Peygir keeps for itself.";
    return NULL;
}

static const char *read_priority(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    int64_t n;

    if (!read_number(value, 0, JOB_PRIORITY_MAX, &n))
        return "It must be a whole number from 0 to 10; 10 is the most urgent.";
    r->push->job.priority = (int)n + 1;
    return NULL;
}

static const char *read_delay(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    double seconds = json_object_get_double(value);
    bool is_number = json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);

    if (!is_number || !(seconds >= 0 && seconds <= YEAR_S))
        return "It must be a number of seconds from 0 to a year.";
    r->push->job.delay_ms = (int64_t)(seconds * 1000);
    return NULL;
}

static const char *read_unique_key(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    r->push->job.unique_key = members_text(value, MEMBERS_ID_MAX);
    return r->push->job.unique_key ? NULL : "It must be a text of 1 to 100 bytes without control characters.";
}

static const char *read_unique_for(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    int64_t n;

    if (!read_number(value, 1, YEAR_S, &n))
        return "It must be a whole number of seconds from 1 to a year.";
    r->push->job.unique_ms = n * 1000;
    return NULL;
}

static const char *read_id(void *ctx, struct json_object *value)
{
    return members_job_id(value, &((struct reading *)ctx)->push->job.id);
}

static const char *read_tries(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    return read_number(value, 1, TRIES_MAX, &r->push->job.max_attempts) ? NULL : "It must be a whole number from 1 to 1000.";
}

static const char *read_timeout(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    return read_number(value, 1, DAY_S, &r->push->job.timeout_s) ? NULL : "It must be a whole number of seconds from 1 to a day.";
}

/* Seconds, a list of them, or the text that both become. */
static const char *read_backoff(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    struct str *out = &r->push->backoff;
    struct backoff parsed;
    size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

    str_reset(out);
    for (size_t i = 0; i < count; i++) {
        struct json_object *seconds = json_object_array_get_idx(value, i);

        str_adds(out, i ? "," : "");
        str_adds(out, json_object_is_type(seconds, json_type_int) ? json_object_get_string(seconds) : "?");
    }
    if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_string))
        str_adds(out, json_object_get_string(value));
    if (backoff_parse(&parsed, (struct span){ out->s, out->len }) < 0)
        return "It must be a whole number of seconds, or a list of at most 16 of them.";
    r->push->job.backoff = out->s;
    return NULL;
}

static const char *read_user_id(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;

    r->push->job.user_id = members_user(value);
    return r->push->job.user_id ? NULL : "It must be a number, or a text of 1 to 128 bytes without control characters.";
}

static const char *read_parent(void *ctx, struct json_object *value)
{
    struct reading *r = ctx;
    r->push->job.parent = members_text(value, MEMBERS_TEXT_MAX);
    return r->push->job.parent ? NULL : "It must be the id of a job.";
}

static const struct member members[] = {
    { "type", true, read_type },          { "payload", false, read_payload },       { "queue", false, read_queue },
    { "priority", false, read_priority }, { "delay", false, read_delay },           { "unique_key", false, read_unique_key },
    { "unique_for", false, read_unique_for }, { "id", false, read_id },             { "tries", false, read_tries },
    { "timeout", false, read_timeout },   { "backoff", false, read_backoff },       { "user_id", false, read_user_id },
    { "parent", false, read_parent },
};

/* What the type says where the body says nothing. Tries, timeout and backoff are the worker's to look up. */
static void fill_in(struct push *p)
{
    if (p->type && !p->job.queue)
        p->job.queue = p->type->queue;
    if (p->type && !p->job.priority && p->type->priority >= 0)
        p->job.priority = p->type->priority + 1;
    if (p->type)
        job_type_set_unique(p->type, &p->job, p->unique);
    if (!p->job.id) {
        job_new_id(p->id);
        p->job.id = p->id;
        p->job.fresh = true;
    }
}

static void read_push(struct reading *r, struct json_object *body)
{
    if (!json_object_is_type(body, json_type_object)) {
        add_error(r, "type", "A job is an object that names its type.");
        return;
    }
    members_read(body, members, ARRAY_LEN(members), r, r->at, "No job has this member.", r->errors);
    if (r->push->job.unique_ms && !r->push->job.unique_key)
        add_error(r, "unique_for", "It needs a unique_key.");
    fill_in(r->push);
}

bool push_read(struct exchange *x, struct json_object *list, struct push pushes[], struct str *errors)
{
    struct reading r = { .x = x, .push = pushes, .at = "", .words = STR_INIT, .errors = errors };
    size_t count = list ? json_object_array_length(list) : 0;
    char at[32];

    str_reset(errors);
    if (!list)
        read_push(&r, x->json);
    for (size_t i = 0; i < count; i++) {
        snprintf(at, sizeof at, "jobs[%zu].", i);
        r.at = at;
        r.push = &pushes[i];
        read_push(&r, json_object_array_get_idx(list, i));
    }
    str_free(&r.words);
    return errors->len == 0;
}

void push_free(struct push pushes[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        str_free(&pushes[i].payload);
        str_free(&pushes[i].backoff);
        free(pushes[i].existing);
    }
    free(pushes);
}
