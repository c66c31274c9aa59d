/* job.c: jobs that wait, run or have ended: each step is one script of src/lua. */
#include "core/job.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "core/args.h"
#include "core/keys.h"
#include "scripts.h"

#include <errno.h>

#define ERROR_BYTES 200    /* of an error's text are kept */
#define RECOVER_MAX 100
#define RENEW_MAX 500      /* jobs in one script call */
#define FULL_PAUSE_MS 250  /* between looks while Redis is full and refuses to let us wait in it */

/* --- shared pieces --- */

static struct span queue_name(const char *queue)
{
    return span_of(queue ? queue : JOB_QUEUE_DEFAULT);
}

static struct key part(const struct app *app, const char *queue, const char *name)
{
    return key_queue(app->house, queue_name(queue), name);
}

/* Key of a job's hash without the id. */
static struct key data_prefix(const struct app *app, const char *queue)
{
    return key_job(app->house, queue_name(queue), SPAN(""));
}

static struct key data_key(const struct app *app, const char *queue, const char *id)
{
    return key_job(app->house, queue_name(queue), span_of(id));
}

static struct redis *main_redis(struct app *app)
{
    redis_use_db(app->redis, app->main_db);
    return app->redis;
}

/* Send what is queued; the last reply, or NULL. */
static const struct reply *exchange_one(struct app *app, struct err *err)
{
    const struct reply *replies;
    size_t count;

    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return NULL;
    return redis_reply_ok(&replies[count - 1], err) < 0 ? NULL : &replies[count - 1];
}

/* --- pushing --- */

/* Fields and values for the script; nothing that is at its default takes memory. */
struct fields {
    struct span at[32];
    int count;
    char digits[4][NUMBER_SIZE];
    int numbers;
};

static void field(struct fields *f, struct span name, const char *value)
{
    if (!value)
        return;
    f->at[f->count++] = name;
    f->at[f->count++] = span_of(value);
}

static void field_number(struct fields *f, struct span name, int64_t value)
{
    if (value == 0)
        return;
    f->at[f->count++] = name;
    f->at[f->count++] = span_number(f->digits[f->numbers++], value);
}

void job_push_queue(struct app *app, const struct job_new *job)
{
    const struct key queue = part(app, job->queue, "queue"), active = part(app, job->queue, "active"),
                     data = data_key(app, job->queue, job->id), total = key_stats(app->house, "total"),
                     daily = key_stats_daily(app->house, clock_ms());
    const struct span keys[] = { key_span(&queue), key_span(&active), key_span(&data), key_span(&total) };
    bool empty = !job->payload || strcmp(job->payload, "{}") == 0;
    struct fields f = { .count = 0 };

    f.at[f.count++] = span_of(job->id);
    f.at[f.count++] = key_span(&daily);
    field(&f, SPAN("type"), job->type ? job->type : "default");
    field(&f, SPAN("payload"), empty ? NULL : job->payload);
    field(&f, SPAN("request_hash"), job->request_hash);
    field(&f, SPAN("user_id"), job->user_id);
    field(&f, SPAN("call"), job->call);
    field_number(&f, SPAN("code"), job->code);
    field_number(&f, SPAN("run"), job->run);
    field_number(&f, SPAN("max_attempts"), job->max_attempts);
    field_number(&f, SPAN("timeout"), job->timeout_s);
    redis_queue_script(main_redis(app), &script_job_push, ARRAY_LEN(keys), keys, f.count, f.at);
}

static int job_push_reply(const struct reply *reply, struct err *err)
{
    if (redis_reply_ok(reply, err) < 0)
        return -1;
    return reply_int(reply, 0) != 0;
}

int job_push(struct app *app, const struct job_new *job, struct err *err)
{
    const struct reply *reply;

    job_push_queue(app, job);
    reply = exchange_one(app, err);
    return reply ? job_push_reply(reply, err) : -1;
}

/* --- taking --- */

void job_clear(struct job *job)
{
    free(job->queue);
    free(job->id);
    free(job->type);
    free(job->payload);
    free(job->request_hash);
    free(job->call);
    *job = (struct job){ .queue = NULL };
}

/* The fields that the contract names. Others, in a job without `payload`, are its payload. */
enum field_kind { FIELD_TEXT, FIELD_INT, FIELD_PAYLOAD, FIELD_UNUSED };
static const struct field_row {
    const char *name;
    enum field_kind kind;
    size_t offset; /* in struct job */
} field_rows[] = {
    { "type", FIELD_TEXT, offsetof(struct job, type) },
    { "payload", FIELD_PAYLOAD, 0 },
    { "status", FIELD_UNUSED, 0 },
    { "priority", FIELD_UNUSED, 0 },
    { "attempts", FIELD_INT, offsetof(struct job, attempts) },
    { "max_attempts", FIELD_INT, offsetof(struct job, max_attempts) },
    { "run", FIELD_INT, offsetof(struct job, run) },
    { "deaths", FIELD_INT, offsetof(struct job, deaths) },
    { "created_at", FIELD_INT, offsetof(struct job, created_ms) },
    { "started_at", FIELD_UNUSED, 0 },
    { "completed_at", FIELD_UNUSED, 0 },
    { "worker_id", FIELD_UNUSED, 0 },
    { "timeout", FIELD_INT, offsetof(struct job, timeout_s) },
    { "backoff", FIELD_UNUSED, 0 },
    { "error", FIELD_UNUSED, 0 },
    { "user_id", FIELD_UNUSED, 0 },
    { "request_hash", FIELD_TEXT, offsetof(struct job, request_hash) },
    { "unique_key", FIELD_UNUSED, 0 },
    { "call", FIELD_TEXT, offsetof(struct job, call) },
    { "code", FIELD_INT, offsetof(struct job, code) },
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

static void read_field(struct job *job, struct span name, const struct reply *value, struct str *rest)
{
    const struct field_row *row = find_field(name);
    struct span text = reply_text(value);
    char *at;

    if (!row) {
        str_addc(rest, rest->len ? ',' : '{');
        add_json_text(rest, name);
        str_addc(rest, ':');
        add_json_text(rest, text);
        return;
    }
    at = (char *)job + row->offset;
    if (row->kind == FIELD_TEXT && !*(char **)at)
        *(char **)at = xmemdupz(text.s, text.len);
    else if (row->kind == FIELD_INT)
        *(int64_t *)at = clamped(reply_int(value, 0));
    else if (row->kind == FIELD_PAYLOAD && !job->payload)
        job->payload = payload_text(text);
}

static void read_job(struct job *job, const char *queue, const struct reply *reply)
{
    const struct span id = reply_text(&reply->item[0]);
    const struct reply *hash = &reply->item[1];
    struct str rest = STR_INIT;

    *job = (struct job){ .queue = xstrdup(queue ? queue : JOB_QUEUE_DEFAULT), .id = xmemdupz(id.s, id.len) };
    for (size_t i = 0; i + 1 < hash->count; i += 2)
        read_field(job, reply_text(&hash->item[i]), &hash->item[i + 1], &rest);
    if (!job->type)
        job->type = xstrdup("default");
    if (!job->payload) {
        str_adds(&rest, rest.len ? "}" : "{}");
        job->payload = str_take(&rest, NULL);
    }
    str_free(&rest);
}

int job_take(struct app *app, const char *queue, const char *worker_id, struct job jobs[], size_t max, struct err *err)
{
    const struct key list = part(app, queue, "queue"), delayed = part(app, queue, "delayed"),
                     active = part(app, queue, "active"), prefix = data_prefix(app, queue);
    const struct span keys[] = { key_span(&list), key_span(&delayed), key_span(&active) };
    char digits[2][NUMBER_SIZE];
    const struct span args[] = { key_span(&prefix), span_number(digits[0], (int64_t)max),
                                 span_number(digits[1], JOB_LEASE_MS), span_of(worker_id) };
    const struct reply *reply;
    size_t taken = 0;

    redis_queue_script(main_redis(app), &script_job_take, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
    reply = exchange_one(app, err);
    if (!reply)
        return -1;
    for (; taken < reply->count && taken < max; taken++)
        read_job(&jobs[taken], queue, &reply->item[taken]);
    return (int)taken;
}

/* --- waiting --- */

/* Milliseconds until the first delayed job is due, at most wait_ms; -1. */
static int until_due(struct app *app, const char *queue, int wait_ms, struct err *err)
{
    const struct key delayed = part(app, queue, "delayed");
    const struct reply *replies;
    size_t count;
    double left;

    redis_queuef(main_redis(app), "ZRANGE %b 0 0 WITHSCORES", delayed.s, delayed.len);
    redis_queuef(app->redis, "TIME");
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    if (redis_reply_ok(&replies[0], err) < 0 || redis_reply_ok(&replies[1], err) < 0)
        return -1;
    if (replies[0].count < 2)
        return wait_ms;
    left = strtod(replies[0].item[1].text.s, NULL) - (double)args_time_ms(&replies[1]);
    if (left <= 0)
        return 0;
    return left < wait_ms ? (int)left + 1 : wait_ms;
}

static void pause_ms(int ms)
{
    struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

/* Moving the last element of a list to where it is changes nothing and waits for there to be one. */
int job_wait(struct app *app, const char *queue, int wait_ms, struct err *err)
{
    const struct key list = part(app, queue, "queue");
    int due_ms;
    const struct reply *replies;
    struct err local = ERR_INIT;
    char seconds[NUMBER_SIZE];
    size_t count;

    if (wait_ms < 1)
        wait_ms = 1; /* 0 would be for ever */
    due_ms = until_due(app, queue, wait_ms, err);
    if (due_ms <= 0)
        return due_ms < 0 ? -1 : 1;
    snprintf(seconds, sizeof(seconds), "%d.%03d", due_ms / 1000, due_ms % 1000);
    redis_queuef(main_redis(app), "BLMOVE %b %b RIGHT RIGHT %s", list.s, list.len, list.s, list.len, seconds);
    if (redis_exchange_blocking(app->redis, due_ms, &replies, &count, err) < 0)
        return -1;
    if (redis_reply_ok(&replies[0], &local) == 0)
        return replies[0].type != REPLY_NIL || due_ms < wait_ms;
    if (local.kind != ERR_FULL)
        return err_set(err, local.kind, "%s", local.text);
    pause_ms(due_ms < FULL_PAUSE_MS ? due_ms : FULL_PAUSE_MS);
    return 1;
}

/* --- while it runs --- */

static void post_request_ttl(struct app *app, const char *hash)
{
    const struct key keys[] = { key_document(span_of(hash)), key_guard(span_of(hash)), key_events(span_of(hash)) };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        redis_postf(main_redis(app), "EXPIRE %b %d", keys[i].s, keys[i].len, app->house->request_ttl_s);
}

/* How many of refs[] from the first on go into one script call. */
static size_t renew_group(const struct job_ref refs[], size_t count)
{
    size_t n = 1;

    while (n < count && n < RENEW_MAX && span_eq(queue_name(refs[n].queue), queue_name(refs[0].queue)))
        n++;
    return n;
}

static void renew_queue(struct app *app, const struct job_ref refs[], size_t count)
{
    const struct key active = part(app, refs[0].queue, "active"), prefix = data_prefix(app, refs[0].queue);
    const struct span keys[] = { key_span(&active) };
    struct span *args = xreallocarray(NULL, 2 + 2 * count, sizeof(*args));
    char(*digits)[NUMBER_SIZE] = xreallocarray(NULL, count + 1, NUMBER_SIZE);
    int n = 0;

    args[n++] = key_span(&prefix);
    args[n++] = span_number(digits[count], JOB_LEASE_MS);
    for (size_t i = 0; i < count; i++) {
        args[n++] = span_of(refs[i].id);
        args[n++] = span_number(digits[i], refs[i].run);
    }
    redis_queue_script(main_redis(app), &script_job_renew, ARRAY_LEN(keys), keys, n, args);
    free(args);
    free(digits);
}

int job_renew(struct app *app, struct job_ref refs[], const char *const request_hashes[], size_t count, struct err *err)
{
    const struct reply *replies;
    size_t reply_count, i, first, size;

    if (count == 0)
        return 0;
    for (i = 0; i < count; i++)
        if (request_hashes && request_hashes[i])
            post_request_ttl(app, request_hashes[i]);
    for (first = 0; first < count; first += renew_group(refs + first, count - first))
        renew_queue(app, refs + first, renew_group(refs + first, count - first));
    if (redis_exchange(app->redis, &replies, &reply_count, err) < 0)
        return -1;
    for (i = 0; i < reply_count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    for (first = 0; first < count; first += size, replies++) {
        size = renew_group(refs + first, count - first);
        for (i = 0; i < size && i < replies->count; i++)
            refs[first + i].lost = reply_int(&replies->item[i], 0) == 0;
    }
    return 0;
}

/* --- its end --- */

static struct span error_text(const char *error)
{
    struct span text = span_of(error ? error : "");

    text.len = utf8_clip(text.s, text.len, ERROR_BYTES);
    return text;
}

static int yes_or_no(struct app *app, struct err *err)
{
    const struct reply *reply = exchange_one(app, err);

    return reply ? reply_int(reply, 0) != 0 : -1;
}

int job_finish(struct app *app, const char *queue, const char *id, int64_t run, enum job_outcome outcome,
               const char *error, struct err *err)
{
    static const char *const names[] = { "completed", "failed", "cancelled" };
    const struct key active = part(app, queue, "active"), failed = part(app, queue, "failed"),
                     data = data_key(app, queue, id), counter = key_stats(app->house, names[outcome]),
                     daily = key_stats_daily(app->house, clock_ms());
    const struct span keys[] = { key_span(&active), key_span(&failed), key_span(&data), key_span(&counter) };
    char digits[NUMBER_SIZE];
    const struct span args[] = { span_of(id), span_number(digits, run), span_of(names[outcome]), error_text(error),
                                 key_span(&daily) };

    redis_queue_script(main_redis(app), &script_job_finish, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
    return yes_or_no(app, err);
}

static int back(struct app *app, const char *queue, const char *id, int64_t run, int64_t delay_ms, const char *error,
                struct err *err)
{
    const struct key list = part(app, queue, "queue"), delayed = part(app, queue, "delayed"),
                     active = part(app, queue, "active"), data = data_key(app, queue, id),
                     counter = key_stats(app->house, "retried");
    const struct span keys[] = { key_span(&list), key_span(&delayed), key_span(&active), key_span(&data),
                                 key_span(&counter) };
    char digits[2][NUMBER_SIZE];
    const struct span args[] = { span_of(id), span_number(digits[0], run), span_number(digits[1], delay_ms),
                                 error_text(error) };

    redis_queue_script(main_redis(app), &script_job_retry, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
    return yes_or_no(app, err);
}

int job_retry(struct app *app, const char *queue, const char *id, int64_t run, int64_t delay_ms, const char *error,
              struct err *err)
{
    return back(app, queue, id, run, delay_ms < 0 ? 0 : delay_ms, error, err);
}

int job_give_back(struct app *app, const char *queue, const char *id, int64_t run, struct err *err)
{
    return back(app, queue, id, run, -1, NULL, err);
}

int job_recover(struct app *app, const char *queue, struct err *err)
{
    const struct key list = part(app, queue, "queue"), active = part(app, queue, "active"),
                     prefix = data_prefix(app, queue);
    const struct span keys[] = { key_span(&list), key_span(&active) };
    char digits[NUMBER_SIZE];
    const struct span args[] = { key_span(&prefix), span_number(digits, RECOVER_MAX) };
    const struct reply *reply;

    redis_queue_script(main_redis(app), &script_job_recover, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
    reply = exchange_one(app, err);
    return reply ? (int)reply_int(reply, 0) : -1;
}

/* --- looking --- */

/* Age of a job: now less created_at of its hash. */
static int age_ms(struct app *app, const char *queue, const char *id, int64_t now_ms, int64_t *age, struct err *err)
{
    const struct key data = data_key(app, queue, id);
    const struct reply *reply = redis_do(main_redis(app), err, "HGET %b created_at", data.s, data.len);
    int64_t created_ms = reply ? reply_int(reply, now_ms) : now_ms;

    *age = created_ms < now_ms ? now_ms - created_ms : 0;
    return reply ? 0 : -1;
}

int job_count(struct app *app, const char *queue, struct job_counts *out, struct err *err)
{
    const struct key list = part(app, queue, "queue"), delayed = part(app, queue, "delayed"),
                     active = part(app, queue, "active"), failed = part(app, queue, "failed");
    const struct reply *replies;
    struct span head;
    size_t count;
    char *id;
    int rc;

    redis_queuef(main_redis(app), "LLEN %b", list.s, list.len);
    redis_queuef(app->redis, "ZCARD %b", delayed.s, delayed.len);
    redis_queuef(app->redis, "ZCARD %b", active.s, active.len);
    redis_queuef(app->redis, "ZCARD %b", failed.s, failed.len);
    redis_queuef(app->redis, "LINDEX %b -1", list.s, list.len);
    redis_queuef(app->redis, "TIME");
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    *out = (struct job_counts){ .waiting = reply_int(&replies[0], 0), .delayed = reply_int(&replies[1], 0),
                                .active = reply_int(&replies[2], 0), .failed = reply_int(&replies[3], 0) };
    head = reply_text(&replies[4]);
    if (!head.s)
        return 0;
    id = xmemdupz(head.s, head.len);
    rc = age_ms(app, queue, id, args_time_ms(&replies[5]), &out->oldest_waiting_ms, err);
    free(id);
    return rc;
}
