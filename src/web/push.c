/* push.c: reading the jobs that a program wants to push: a table of members, each with what it accepts. */
#include "web/push.h"

#include "core/options.h"
#include "web/api.h"
#include "web/dispatch.h"

#define ID_BYTES 100  /* so that a key fits that has prefix, queue and id in it */
#define OTHER_BYTES 128
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
    struct str place = STR_INIT;

    str_adds(&place, r->at);
    str_adds(&place, field);
    api_add_error(r->errors, place.s, sentence);
    str_free(&place);
}

/* A text of 1 to max bytes without control characters; NULL: it is none. */
static const char *text_of(struct json_object *value, int max)
{
    const char *text = json_object_get_string(value);
    int len = json_object_get_string_len(value);

    if (!json_object_is_type(value, json_type_string) || len < 1 || len > max)
        return NULL;
    return span_has_control((struct span){ text, (size_t)len }) ? NULL : text;
}

static bool read_number(struct json_object *value, int64_t min, int64_t max, int64_t *out)
{
    *out = json_object_get_int64(value);
    return json_object_is_type(value, json_type_int) && *out >= min && *out <= max;
}

/* Each of these is NULL when the value is good, else the sentence that says what would be. */
typedef const char *(*member_reader)(struct reading *r, struct json_object *value);

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

static const char *read_type(struct reading *r, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return "It must be the name of a job type.";
    if (strcmp(json_object_get_string(value), "service") == 0)
        return "Jobs of this type belong to requests, which POST /api/local-requests makes.";
    r->push->type = job_types_find(r->x->seat->app.house->job_types, span_of(json_object_get_string(value)));
    if (!r->push->type)
        return unknown_type(r);
    r->push->job.type = r->push->type->name;
    return NULL;
}

static const char *read_payload(struct reading *r, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_object))
        return "It must be an object.";
    json_add(&r->push->payload, value);
    r->push->job.payload = r->push->payload.s;
    return NULL;
}

static const char *read_queue(struct reading *r, struct json_object *value)
{
    r->push->job.queue = text_of(value, OTHER_BYTES);
    if (!r->push->job.queue || !options_queue_name(span_of(r->push->job.queue)))
        return "It must be the name of a queue: letters, digits, _ and -, at most 64, and none of the names that Peygir keeps for itself.";
    return NULL;
}

static const char *read_priority(struct reading *r, struct json_object *value)
{
    int64_t n;

    if (!read_number(value, 0, JOB_PRIORITY_MAX, &n))
        return "It must be a whole number from 0 to 10; 10 is the most urgent.";
    r->push->job.priority = (int)n + 1;
    return NULL;
}

static const char *read_delay(struct reading *r, struct json_object *value)
{
    double seconds = json_object_get_double(value);
    bool is_number = json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);

    if (!is_number || !(seconds >= 0 && seconds <= YEAR_S))
        return "It must be a number of seconds from 0 to a year.";
    r->push->job.delay_ms = (int64_t)(seconds * 1000);
    return NULL;
}

static const char *read_unique_key(struct reading *r, struct json_object *value)
{
    r->push->job.unique_key = text_of(value, ID_BYTES);
    return r->push->job.unique_key ? NULL : "It must be a text of 1 to 100 bytes without control characters.";
}

static const char *read_unique_for(struct reading *r, struct json_object *value)
{
    int64_t n;

    if (!read_number(value, 1, YEAR_S, &n))
        return "It must be a whole number of seconds from 1 to a year.";
    r->push->job.unique_ms = n * 1000;
    return NULL;
}

static const char *read_id(struct reading *r, struct json_object *value)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
    const char *id = text_of(value, ID_BYTES);

    if (!id || id[strspn(id, good)] != '\0')
        return "It must be 1 to 100 letters, digits, _ . : and -.";
    if (strncmp(id, "req_", 4) == 0)
        return "Ids that begin with req_ belong to requests.";
    r->push->job.id = id;
    return NULL;
}

static const char *read_tries(struct reading *r, struct json_object *value)
{
    return read_number(value, 1, TRIES_MAX, &r->push->job.max_attempts) ? NULL : "It must be a whole number from 1 to 1000.";
}

static const char *read_timeout(struct reading *r, struct json_object *value)
{
    return read_number(value, 1, DAY_S, &r->push->job.timeout_s) ? NULL : "It must be a whole number of seconds from 1 to a day.";
}

/* Seconds, a list of them, or the text that both become. */
static const char *read_backoff(struct reading *r, struct json_object *value)
{
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

static const char *read_user_id(struct reading *r, struct json_object *value)
{
    bool is_number = json_object_is_type(value, json_type_int);

    r->push->job.user_id = is_number ? json_object_get_string(value) : text_of(value, OTHER_BYTES);
    return r->push->job.user_id ? NULL : "It must be a number, or a text of 1 to 128 bytes without control characters.";
}

static const char *read_parent(struct reading *r, struct json_object *value)
{
    r->push->job.parent = text_of(value, OTHER_BYTES);
    return r->push->job.parent ? NULL : "It must be the id of a job.";
}

static const struct {
    const char *name;
    member_reader read;
} members[] = {
    { "type", read_type },         { "payload", read_payload },       { "queue", read_queue },           { "priority", read_priority },
    { "delay", read_delay },       { "unique_key", read_unique_key }, { "unique_for", read_unique_for }, { "id", read_id },
    { "tries", read_tries },       { "timeout", read_timeout },       { "backoff", read_backoff },       { "user_id", read_user_id },
    { "parent", read_parent },
};

static void read_member(struct reading *r, const char *name, struct json_object *value)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *sentence;

        if (strcmp(members[i].name, name) != 0)
            continue;
        sentence = value ? members[i].read(r, value) : NULL; /* null is as absent */
        if (sentence)
            add_error(r, name, sentence);
        return;
    }
    add_error(r, name, "No job has this member.");
}

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
    }
}

static void read_push(struct reading *r, struct json_object *body)
{
    struct json_object *type = NULL;

    if (!json_object_is_type(body, json_type_object)) {
        add_error(r, "type", "A job is an object that names its type.");
        return;
    }
    if (!json_object_object_get_ex(body, "type", &type) || !type)
        add_error(r, "type", "It is required.");
    FORM_EACH_MEMBER(i, body)
        read_member(r, json_object_iter_peek_name(&i), json_object_iter_peek_value(&i));
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
