/* job_take.c: taking jobs, leasing them again, telling how far they are, and putting back those whose worker died. */
#include "core/job_part.h"

#include "base/json.h"
#include "base/utf8.h"
#include "scripts.h"

#define TAKE_MAX 256
#define RECOVER_MAX 100  /* leases in one script call */
#define RECOVER_TURNS 50 /* calls, so that a worker that carried thousands is recovered at once */
#define RENEW_MAX 500 /* jobs in one script call */

/* --- a job as it is stored --- */

void job_clear(struct job *job)
{
    free(job->queue);
    free(job->id);
    free(job->type);
    free(job->payload);
    free(job->request_hash);
    free(job->user_id);
    free(job->call);
    free(job->backoff);
    *job = (struct job){ .queue = NULL };
}

/* Fields of the hash. An outsider's job has neither `payload` nor `request_hash`: all its fields that the contract does not name are
 * its payload, also those that jobs of ours use (FIELD_*_OURS). */
enum field_kind { FIELD_TEXT, FIELD_INT, FIELD_PAYLOAD, FIELD_UNUSED, FIELD_TEXT_OURS, FIELD_INT_OURS, FIELD_UNUSED_OURS };
static const struct field_row {
    const char *name;
    enum field_kind kind;
    size_t offset; /* in struct job */
} field_rows[] = {
    { "type", FIELD_TEXT, offsetof(struct job, type) },
    { "payload", FIELD_PAYLOAD, 0 },
    { "status", FIELD_UNUSED, 0 },
    { "created_at", FIELD_INT, offsetof(struct job, created_ms) },
    { "run", FIELD_UNUSED, 0 },
    { "request_hash", FIELD_TEXT, offsetof(struct job, request_hash) },
    { "user_id", FIELD_TEXT, offsetof(struct job, user_id) },
    { "priority", FIELD_UNUSED, 0 },
    { "attempts", FIELD_INT, offsetof(struct job, attempts) },
    { "max_attempts", FIELD_INT, offsetof(struct job, max_attempts) },
    { "deaths", FIELD_INT, offsetof(struct job, deaths) },
    { "started_at", FIELD_UNUSED, 0 },
    { "completed_at", FIELD_UNUSED, 0 },
    { "worker_id", FIELD_UNUSED, 0 },
    { "timeout", FIELD_INT, offsetof(struct job, timeout_s) },
    { "backoff", FIELD_TEXT, offsetof(struct job, backoff) },
    { "error", FIELD_UNUSED, 0 },
    { "unique_key", FIELD_UNUSED, 0 },
    { "history", FIELD_UNUSED, 0 },
    { "from_score", FIELD_UNUSED, 0 },
    { "held_score", FIELD_UNUSED, 0 },
    { "call", FIELD_TEXT_OURS, offsetof(struct job, call) },
    { "code", FIELD_INT_OURS, offsetof(struct job, code) },
    { "parent", FIELD_UNUSED_OURS, 0 },
    { "progress", FIELD_UNUSED_OURS, 0 },
    { "message", FIELD_UNUSED_OURS, 0 },
    { "result", FIELD_UNUSED_OURS, 0 },
};

static const struct field_row *find_field(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(field_rows); i++)
        if (span_is(name, field_rows[i].name))
            return &field_rows[i];
    return NULL;
}

static void add_json_text(struct str *out, struct span text)
{
    struct str mended = STR_INIT;

    if (utf8_valid(text.s, text.len)) {
        str_add_json(out, text.s, text.len);
        return;
    }
    utf8_add_mended(&mended, text.s, text.len);
    str_add_json(out, mended.s, mended.len);
    str_free(&mended);
}

/* Somebody else's payload that is not JSON is handed on as a string. */
static char *payload_text(struct span raw)
{
    struct str out = STR_INIT;

    if (json_check(raw.s, raw.len, NULL) == 0)
        return xmemdupz(raw.s, raw.len);
    add_json_text(&out, raw);
    return str_take(&out, NULL);
}

/* Anybody may write a job's hash: no number of it may overflow what is computed with it (times in ms are the largest). */
static int64_t clamped(int64_t n)
{
    const int64_t most = INT64_C(1) << 48;

    return n < 0 ? 0 : n > most ? most : n;
}

static void read_field(struct job *job, const struct field_row *row, const struct reply *value)
{
    struct span text = reply_text(value);
    char *at = (char *)job + row->offset;
    bool is_text = row->kind == FIELD_TEXT || row->kind == FIELD_TEXT_OURS;

    if (is_text && !*(char **)at)
        *(char **)at = xmemdupz(text.s, text.len);
    else if (row->kind == FIELD_INT || row->kind == FIELD_INT_OURS)
        *(int64_t *)at = clamped(reply_int(value, 0));
    else if (row->kind == FIELD_PAYLOAD && !job->payload)
        job->payload = payload_text(text);
}

static bool is_outsiders(const struct reply *hash)
{
    for (size_t i = 0; i + 1 < hash->count; i += 2)
        if (span_is(reply_text(&hash->item[i]), "payload") || span_is(reply_text(&hash->item[i]), "request_hash"))
            return false;
    return true;
}

/* The fields that are an outsider's payload, as an object. */
static char *outsiders_payload(const struct reply *hash)
{
    struct str out = STR_INIT;

    for (size_t i = 0; i + 1 < hash->count; i += 2) {
        const struct field_row *row = find_field(reply_text(&hash->item[i]));
        if (row && row->kind < FIELD_TEXT_OURS)
            continue;
        str_addc(&out, out.len ? ',' : '{');
        add_json_text(&out, reply_text(&hash->item[i]));
        str_addc(&out, ':');
        add_json_text(&out, reply_text(&hash->item[i + 1]));
    }
    str_adds(&out, out.len ? "}" : "{}");
    return str_take(&out, NULL);
}

static void read_job(struct job *job, const char *queue, struct span id, int64_t run, const struct reply *hash)
{
    bool outsiders = is_outsiders(hash);

    *job = (struct job){ .queue = xstrdup(queue ? queue : JOB_QUEUE_DEFAULT),
                         .id = xmemdupz(id.s, id.len),
                         .run = run };
    for (size_t i = 0; i + 1 < hash->count; i += 2) {
        const struct field_row *row = find_field(reply_text(&hash->item[i]));
        if (row && (!outsiders || row->kind < FIELD_TEXT_OURS))
            read_field(job, row, &hash->item[i + 1]);
    }
    if (!job->type)
        job->type = xstrdup("default");
    if (!job->payload)
        job->payload = outsiders ? outsiders_payload(hash) : xstrdup("{}");
}

/* --- taking --- */

#define TAKE_ARGS (JOB_PART_ARGS + 3)

static void queue_take(struct app *app, const struct job_take *t)
{
    size_t limits = t->limits ? t->limit_count : 0;
    struct span *args = xreallocarray(NULL, TAKE_ARGS + 4 * limits, sizeof(*args));
    char(*digits)[NUMBER_SIZE] = xreallocarray(NULL, 2 + 3 * limits, NUMBER_SIZE);
    int n = JOB_PART_ARGS, numbers = 0;

    args[n++] = span_of(t->worker_id);
    args[n++] = span_number(digits[numbers++], (int64_t)(t->max < TAKE_MAX ? t->max : TAKE_MAX));
    args[n++] = span_number(digits[numbers++], JOB_LEASE_MS);
    for (size_t i = 0; i < limits; i++) {
        if (!t->limits[i].type)
            continue;
        args[n++] = span_of(t->limits[i].type);
        args[n++] = span_number(digits[numbers++], t->limits[i].at_once);
        args[n++] = span_number(digits[numbers++], t->limits[i].per_count);
        args[n++] = span_number(digits[numbers++], t->limits[i].per_ms);
    }
    job_part_script(app, t->queue, &script_job_take, args, n);
    free(args);
    free(digits);
}

int job_take(struct app *app, struct job_take *t, struct err *err)
{
    const struct reply *reply;
    size_t taken = 0;

    t->next_ms = -1;
    t->paused = false;
    queue_take(app, t);
    reply = job_part_exchange(app, err);
    if (!reply)
        return -1;
    if (reply->count < 2)
        return err_set(err, ERR_FAILED, "job_take.lua gave an answer that is not known here");
    t->paused = reply_int(&reply->item[0], 0) != 0;
    t->next_ms = reply_int(&reply->item[1], -1);
    for (size_t i = 2; i + 2 < reply->count && taken < t->max; i += 3, taken++) {
        const struct reply *job = &reply->item[i];

        read_job(&t->jobs[taken], t->queue, reply_text(&job[0]), reply_int(&job[1], 0), &job[2]);
    }
    return (int)taken;
}

static bool begins_with(const struct key *key, const struct key *prefix)
{
    return key->len >= prefix->len && memcmp(key->s, prefix->s, prefix->len) == 0;
}

/* Redis refuses prefixes of which one begins with another. The list's key is a setting, so that it may be the beginning of all. */
size_t job_wake_keys(const struct house *house, const char *queue, struct key out[JOB_WAKE_KEYS])
{
    static const char *const parts[JOB_WAKE_KEYS] = { "queue", "priority", "delayed", "paused" };
    size_t n = 0;

    for (size_t i = 0; i < JOB_WAKE_KEYS; i++) {
        const struct key key = key_queue(house, job_part_queue(queue), parts[i]);
        bool covered = false;
        for (size_t k = 0; k < n && !covered; k++)
            covered = begins_with(&key, &out[k]);
        if (!covered)
            out[n++] = key;
    }
    if (n > 1 && begins_with(&out[0], &out[1]))
        out[0] = out[--n];
    return n;
}

/* --- while it runs --- */

static void post_request_ttl(struct app *app, const char *hash)
{
    const struct key keys[] = { key_document(span_of(hash)), key_guard(span_of(hash)), key_events(span_of(hash)) };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        redis_postf(job_part_redis(app), "EXPIRE %b %d", keys[i].s, keys[i].len, app->house->request_ttl_s);
}

/* How many of refs[] from the first on go into one script call. */
static size_t renew_group(const struct job_ref refs[], size_t count)
{
    size_t n = 1;

    while (n < count && n < RENEW_MAX && span_eq(job_part_queue(refs[n].queue), job_part_queue(refs[0].queue)))
        n++;
    return n;
}

static void renew_queue(struct app *app, const struct job_ref refs[], size_t count)
{
    struct span *args = xreallocarray(NULL, JOB_PART_ARGS + 1 + 2 * count, sizeof(*args));
    char(*digits)[NUMBER_SIZE] = xreallocarray(NULL, count + 1, NUMBER_SIZE);
    int n = JOB_PART_ARGS;

    args[n++] = span_number(digits[count], JOB_LEASE_MS);
    for (size_t i = 0; i < count; i++) {
        args[n++] = span_of(refs[i].id);
        args[n++] = span_number(digits[i], refs[i].run);
    }
    job_part_script(app, refs[0].queue, &script_job_renew, args, n);
    free(args);
    free(digits);
}

int job_renew(struct app *app, struct job_ref refs[], const char *const request_hashes[], size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (request_hashes && request_hashes[i])
            post_request_ttl(app, request_hashes[i]);
    for (size_t first = 0, size; first < count; first += size) {
        size = renew_group(refs + first, count - first);
        renew_queue(app, refs + first, size);
    }
    return count == 0 ? 0 : job_part_verdicts(app, &refs->lost, sizeof(*refs), count, err);
}

int job_progress(struct app *app, const char *queue, const char *id, int64_t run, int progress, const char *message,
                 struct err *err)
{
    char digits[2][NUMBER_SIZE];
    struct str json = STR_INIT;
    struct span args[JOB_PART_ARGS + 5];
    const struct reply *reply;

    if (message)
        str_add_json(&json, message, strlen(message));
    args[JOB_PART_ARGS] = span_of(id);
    args[JOB_PART_ARGS + 1] = span_number(digits[0], run);
    args[JOB_PART_ARGS + 2] = progress < 0 ? SPAN("") : span_number(digits[1], progress < 100 ? progress : 100);
    args[JOB_PART_ARGS + 3] = span_of(message ? message : "");
    args[JOB_PART_ARGS + 4] = message ? (struct span){ json.s, json.len } : SPAN("");
    job_part_script(app, queue, &script_job_progress, args, ARRAY_LEN(args));
    str_free(&json);
    reply = job_part_exchange(app, err);
    return reply ? reply_int(reply, 0) != 0 : -1;
}

int job_recover(struct app *app, const char *queue, struct err *err)
{
    char digits[NUMBER_SIZE];
    struct span args[JOB_PART_ARGS + 1];
    int back = 0;

    args[JOB_PART_ARGS] = span_number(digits, RECOVER_MAX);
    for (int turn = 0; turn < RECOVER_TURNS; turn++) {
        job_part_script(app, queue, &script_job_recover, args, ARRAY_LEN(args));
        const struct reply *reply = job_part_exchange(app, err);
        if (!reply)
            return -1;
        back += reply->count == 2 ? (int)reply_int(&reply->item[0], 0) : 0;
        if (reply->count != 2 || reply_int(&reply->item[1], 0) < RECOVER_MAX)
            break;
    }
    return back;
}
