/* job.c: pushing jobs, counting them, and what the files job_*.c share. Each step of a job is one script of src/lua, but for the push of
 * one whose id is new: that is a transaction. */
#include "core/job_part.h"

#include "base/rnd.h"
#include "base/utf8.h"
#include "scripts.h"

#define ERROR_BYTES 200 /* of an error's text are kept */
#define WINDOW 4        /* scripts of job_push_many in one round trip */
#define MINUTE_MS 60000

/* --- shared pieces --- */

struct span job_part_queue(const char *queue)
{
    return span_of(queue ? queue : JOB_QUEUE_DEFAULT);
}

struct key job_part_key(const struct app *app, const char *queue, const char *part)
{
    return key_queue(app->house, job_part_queue(queue), part);
}

struct key job_part_data(const struct app *app, const char *queue, const char *id)
{
    return key_job(app->house, job_part_queue(queue), span_of(id));
}

struct redis *job_part_redis(struct app *app)
{
    redis_use_db(app->redis, app->main_db);
    return app->redis;
}

const struct reply *job_part_exchange(struct app *app, struct err *err)
{
    const struct reply *replies;
    size_t count;

    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return NULL;
    return redis_reply_ok(&replies[count - 1], err) < 0 ? NULL : &replies[count - 1];
}

void job_part_script(struct app *app, const char *queue, const struct script *script, struct span args[], int count)
{
    static const char *const parts[] = { "queue", "priority", "delayed", "active", "failed" };
    struct key own[ARRAY_LEN(parts)];
    struct span keys[ARRAY_LEN(parts)];
    const struct key base = job_part_key(app, queue, ""), data = job_part_data(app, queue, ""),
                     channel = key_notifications(app->house), stats = key_stats(app->house, ""),
                     daily = key_stats_daily(app->house, house_now_ms(app->house));

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        own[i] = job_part_key(app, queue, parts[i]);
        keys[i] = key_span(&own[i]);
    }
    args[0] = key_span(&base);
    args[1] = key_span(&data);
    args[2] = key_span(&channel);
    args[3] = key_span(&stats);
    args[4] = key_span(&daily);
    redis_queue_script(job_part_redis(app), script, ARRAY_LEN(keys), keys, count, args);
}

int job_part_verdicts(struct app *app, bool *over, size_t stride, size_t count, struct err *err)
{
    const struct reply *replies;
    size_t reply_count, n = 0;

    if (redis_exchange(app->redis, &replies, &reply_count, err) < 0)
        return -1;
    for (size_t r = 0; r < reply_count; r++) {
        if (redis_reply_ok(&replies[r], err) < 0)
            return -1;
        for (size_t i = 0; i < replies[r].count && n < count; i++, n++)
            *(bool *)((char *)over + n * stride) = reply_int(&replies[r].item[i], 0) == 0;
    }
    return n == count ? 0 : err_set(err, ERR_FAILED, "Redis answered for %zu of %zu jobs.", n, count);
}

struct span job_part_error(const char *error, struct str *mended)
{
    struct span text = span_of(error ? error : "");

    if (!utf8_valid(text.s, text.len)) {
        utf8_add_mended(mended, text.s, text.len);
        text = (struct span){ mended->s, mended->len };
    }
    text.len = utf8_clip(text.s, text.len, ERROR_BYTES);
    return text;
}

void job_new_id(char out[JOB_ID_SIZE])
{
    uint8_t random[17]; /* 26 digits of 5 bits */

    rnd_bytes(random, sizeof(random));
    memcpy(out, "job_", 4);
    rnd_base32(random, JOB_ID_SIZE - 5, out + 4);
    out[JOB_ID_SIZE - 1] = '\0';
}

/* --- the hash of a new job --- */

/* Fields and values; nothing that is at its default takes memory. */
struct fields {
    struct span *at;
    int count;
    char (*digits)[NUMBER_SIZE];
    int numbers;
};
#define FIELDS_MAX 30 /* spans: fields and values of one job */
#define NUMBERS_MAX 6

static void field(struct fields *f, struct span name, const char *value)
{
    if (!value)
        return;
    f->at[f->count++] = name;
    f->at[f->count++] = span_of(value);
}

static void field_number(struct fields *f, struct span name, int64_t value)
{
    f->at[f->count++] = name;
    f->at[f->count++] = span_number(f->digits[f->numbers++], value);
}

static void field_set_number(struct fields *f, struct span name, int64_t value)
{
    if (value != 0)
        field_number(f, name, value);
}

static bool has_user(const struct job_new *job)
{
    return job->user_id && *job->user_id;
}

/* A job of ours always has `payload` or `request_hash`: one without both is an outsider's (see job_take.c). */
static void add_fields(struct fields *f, const struct job_new *job)
{
    const char *payload = job->payload ? job->payload : "{}";

    field(f, SPAN("type"), job->type ? job->type : "default");
    field(f, SPAN("payload"), job->request_hash && strcmp(payload, "{}") == 0 ? NULL : payload);
    field(f, SPAN("request_hash"), job->request_hash);
    field(f, SPAN("user_id"), has_user(job) ? job->user_id : NULL);
    field(f, SPAN("parent"), job->parent);
    field(f, SPAN("call"), job->call);
    field(f, SPAN("backoff"), job->backoff);
    field_set_number(f, SPAN("code"), job->code);
    field_set_number(f, SPAN("run"), job->run);
    field_set_number(f, SPAN("max_attempts"), job->max_attempts);
    field_set_number(f, SPAN("timeout"), job->timeout_s);
}

/* --- pushing one --- */

#define PUSH_ARGS_MAX (8 + FIELDS_MAX)
#define PUSH_KEYS_MAX 9

/* The notification but for its timestamp, so that no script has to escape anything. */
static void add_pending_message(struct str *out, const struct job_new *job)
{
    str_adds(out, "{\"type\":\"task_pending\",\"task_id\":");
    str_add_json(out, job->id, strlen(job->id));
    str_adds(out, ",\"user_id\":");
    if (has_user(job))
        str_add_json(out, job->user_id, strlen(job->user_id));
    else
        str_adds(out, "null");
    str_adds(out, ",\"status\":\"pending\",\"timestamp\":");
}

static bool is_plain(const struct job_new *job)
{
    bool ranked = job->priority > 0 && job->priority != 1 + JOB_PRIORITY_LIST;

    return !ranked && job->delay_ms <= 0 && !job->unique_key;
}

/* What only a push with a delay, priority or unique key needs: three args and a field or two. */
static void add_place(struct fields *f, const struct job_new *job)
{
    int priority = job->priority > 0 ? job->priority - 1 : -1;

    if (priority > JOB_PRIORITY_MAX)
        priority = JOB_PRIORITY_MAX;
    f->at[f->count++] = span_number(f->digits[f->numbers++], priority == JOB_PRIORITY_LIST ? -1 : priority);
    f->at[f->count++] = span_number(f->digits[f->numbers++], job->delay_ms > 0 ? job->delay_ms : 0);
    f->at[f->count++] = span_number(f->digits[f->numbers++], job->unique_ms > 0 ? job->unique_ms : 0);
    if (priority >= 0)
        field_number(f, SPAN("priority"), priority);
    field(f, SPAN("unique_key"), job->unique_key);
}

/* Of any length: the end of a job finds it by the field of that name. */
static void add_unique_key(struct str *out, const struct app *app, const struct job_new *job)
{
    const struct key base = job_part_key(app, job->queue, "unique:");

    str_add_span(out, key_span(&base));
    str_adds(out, job->unique_key);
}

static void push_by_script(struct app *app, const struct job_new *job, const struct job_part_guard *guard)
{
    bool plain = is_plain(job);
    const struct key list = job_part_key(app, job->queue, "queue"), active = job_part_key(app, job->queue, "active"),
                     data = job_part_data(app, job->queue, job->id), total = key_stats(app->house, "total"),
                     daily = key_stats_daily(app->house, house_now_ms(app->house)), general = key_notifications(app->house),
                     own = key_notifications_task(app->house, span_of(job->id)),
                     user = key_notifications_user(app->house, has_user(job) ? span_of(job->user_id) : SPAN(""));
    struct key priority = { .len = 0 }, delayed = { .len = 0 }, sequence = { .len = 0 };
    struct span keys[1 + PUSH_KEYS_MAX], args[JOB_PART_GUARD_ARGS + PUSH_ARGS_MAX];
    char digits[NUMBERS_MAX + 3][NUMBER_SIZE];
    struct fields f = { .at = args, .digits = digits };
    struct str message = STR_INIT, unique = STR_INIT;

    if (!plain) {
        priority = job_part_key(app, job->queue, "priority");
        delayed = job_part_key(app, job->queue, "delayed");
        sequence = job_part_key(app, job->queue, "sequence");
        if (job->unique_key)
            add_unique_key(&unique, app, job);
    }
    const struct span of_push[PUSH_KEYS_MAX] = { key_span(&list), key_span(&active), key_span(&data), key_span(&total),
                                                 key_span(&daily), key_span(&delayed), key_span(&priority),
                                                 key_span(&sequence), { unique.s, unique.len } };
    int nkeys = plain ? 5 : job->unique_key ? 9 : 8;
    memcpy(keys + (guard != NULL), of_push, sizeof(of_push));
    if (guard) {
        keys[0] = guard->key;
        memcpy(args, guard->args, sizeof(guard->args));
        f.count = JOB_PART_GUARD_ARGS;
    }
    add_pending_message(&message, job);
    f.at[f.count++] = span_of(job->id);
    f.at[f.count++] = (struct span){ message.s, message.len };
    f.at[f.count++] = key_span(&general);
    f.at[f.count++] = key_span(&own);
    f.at[f.count++] = has_user(job) ? key_span(&user) : SPAN("");
    if (!plain)
        add_place(&f, job);
    add_fields(&f, job);
    redis_queue_script(job_part_redis(app), guard ? guard->script : &script_job_push, nkeys + (guard != NULL), keys, f.count, f.at);
    str_free(&message);
    str_free(&unique);
}

/* The day's statistics expire, whoever made them, and if they were deleted meanwhile: seen to by one push a minute, for in each it would
 * be a twelfth of what the push costs Redis. */
static void keep_daily(struct app *app, const struct key *daily, int64_t now_ms)
{
    if (app->daily_kept_min == now_ms / MINUTE_MS)
        return;
    app->daily_kept_min = now_ms / MINUTE_MS;
    redis_queue(app->redis, 4, (const struct span[]){ SPAN("EXPIRE"), key_span(daily), SPAN("7776000"), SPAN("NX") });
}

/* What part_push.lua does with a plain job, without its look whether there is one of that id: six commands cost Redis less than a script
 * that calls them. As in all transactions a command that fails (the list is a key of another kind) does not hold up the rest. */
static void push_by_transaction(struct app *app, const struct job_new *job)
{
    int64_t now_ms = house_now_ms(app->house);
    const struct key list = job_part_key(app, job->queue, "queue"), data = job_part_data(app, job->queue, job->id),
                     total = key_stats(app->house, "total"), daily = key_stats_daily(app->house, now_ms),
                     general = key_notifications(app->house), own = key_notifications_task(app->house, span_of(job->id));
    char now[NUMBER_SIZE], digits[NUMBERS_MAX][NUMBER_SIZE];
    struct span hash[6 + FIELDS_MAX] = { SPAN("HSET"), key_span(&data), SPAN("status"), SPAN("pending"), SPAN("created_at"), span_number(now, now_ms) };
    struct fields f = { .at = hash, .count = 6, .digits = digits };
    struct redis *r = job_part_redis(app);
    struct str text = STR_INIT;
    struct span message;

    add_pending_message(&text, job);
    str_add_span(&text, hash[5]);
    str_addc(&text, '}');
    message = (struct span){ text.s, text.len };
    add_fields(&f, job);
    redis_queue_multi(r);
    redis_queue(r, 3, (const struct span[]){ SPAN("LPUSH"), key_span(&list), span_of(job->id) });
    redis_queue(r, f.count, hash);
    redis_queue(r, 2, (const struct span[]){ SPAN("INCR"), key_span(&total) });
    redis_queue(r, 4, (const struct span[]){ SPAN("HINCRBY"), key_span(&daily), SPAN("tasks_total"), SPAN("1") });
    keep_daily(app, &daily, now_ms);
    redis_queue(r, 3, (const struct span[]){ SPAN("PUBLISH"), key_span(&general), message });
    redis_queue(r, 3, (const struct span[]){ SPAN("PUBLISH"), key_span(&own), message });
    if (has_user(job)) {
        const struct key user = key_notifications_user(app->house, span_of(job->user_id));
        redis_queue(r, 3, (const struct span[]){ SPAN("PUBLISH"), key_span(&user), message });
    }
    redis_queue_exec(r);
    str_free(&text);
}

void job_part_push(struct app *app, const struct job_new *job, const struct job_part_guard *guard)
{
    if (job->fresh && !guard && is_plain(job) && redis_may_transact(job_part_redis(app)))
        push_by_transaction(app, job);
    else
        push_by_script(app, job, guard);
}

void job_push_queue(struct app *app, const struct job_new *job)
{
    job_part_push(app, job, NULL);
}

static int transaction_ok(const struct reply *reply, struct err *err)
{
    for (size_t i = 0; i < reply->count; i++)
        if (redis_reply_ok(&reply->item[i], err) < 0)
            return -1;
    return 0;
}

int job_push_reply(const struct reply *reply, char **other, struct err *err)
{
    struct span id = reply_text(reply);

    if (other)
        *other = NULL;
    if (redis_reply_ok(reply, err) < 0)
        return -1;
    if (reply->type == REPLY_ARRAY)
        return transaction_ok(reply, err) < 0 ? -1 : JOB_PUSHED;
    if (reply->type != REPLY_STRING)
        return reply_int(reply, 0) != 0 ? JOB_PUSHED : JOB_EXISTS;
    if (other)
        *other = xmemdupz(id.s, id.len);
    return JOB_NOT_UNIQUE;
}

int job_push(struct app *app, const struct job_new *job, char **other, struct err *err)
{
    const struct reply *reply;

    if (other)
        *other = NULL;
    job_push_queue(app, job);
    reply = job_part_exchange(app, err);
    return reply ? job_push_reply(reply, other, err) : -1;
}

/* --- pushing many --- */

/* Jobs of one shape have the same fields, so that the names go to Redis once. */
static int shape_of(const struct job_new *job, struct span names[], struct span values[], char (*digits)[NUMBER_SIZE], int *numbers)
{
    struct span both[FIELDS_MAX];
    struct fields f = { .at = both, .digits = digits };

    add_fields(&f, job);
    for (int i = 0; i < f.count / 2; i++) {
        names[i] = both[2 * i];
        values[i] = both[2 * i + 1];
    }
    *numbers += f.numbers;
    return f.count / 2;
}

static bool same_names(const struct span a[], const struct span b[], int count)
{
    for (int i = 0; i < count; i++)
        if (a[i].s != b[i].s && !span_eq(a[i], b[i]))
            return false;
    return true;
}

/* Without anything that JSON escapes. */
static bool is_clean(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\' || *text == 0x7f)
            return false;
    return true;
}

struct many {
    struct span *args;
    char (*digits)[NUMBER_SIZE];
};
#define MANY_HEAD 5 /* args before the names of the fields */
#define MANY_ARGS_MAX (MANY_HEAD + FIELDS_MAX / 2 + JOB_PUSH_BATCH * (1 + FIELDS_MAX / 2))
#define MANY_DIGITS_MAX (2 + (JOB_PUSH_BATCH + 1) * NUMBERS_MAX)

/* Queue one script with the first jobs, as many as have one shape, at most JOB_PUSH_BATCH. How many. */
static size_t queue_many(struct app *app, const struct job_new jobs[], size_t count, struct many *m)
{
    const char *queue = jobs[0].queue;
    const struct key list = job_part_key(app, queue, "queue"), total = key_stats(app->house, "total"),
                     daily = key_stats_daily(app->house, house_now_ms(app->house)), data = job_part_data(app, queue, ""),
                     channel = key_notifications(app->house);
    const struct span keys[] = { key_span(&list), key_span(&total), key_span(&daily) };
    struct span *names = m->args + MANY_HEAD, others[FIELDS_MAX / 2], values[FIELDS_MAX / 2];
    int numbers = 2, fields = shape_of(&jobs[0], names, values, m->digits + numbers, &numbers), n = MANY_HEAD + fields, user = 0;
    bool clean = true;
    size_t done = 0;

    for (numbers = 2; done < count && done < JOB_PUSH_BATCH; done++, n += 1 + fields) {
        const struct job_new *job = &jobs[done];
        int more = shape_of(job, others, values, m->digits + numbers, &numbers);
        if (more != fields || !same_names(names, others, fields))
            break;
        m->args[n] = span_of(job->id);
        memcpy(m->args + n + 1, values, (size_t)fields * sizeof(*values));
        clean = clean && is_clean(job->id) && (!job->user_id || is_clean(job->user_id));
    }
    for (int i = 0; i < fields; i++)
        if (span_is(names[i], "user_id"))
            user = i + 1;
    m->args[0] = key_span(&data);
    m->args[1] = key_span(&channel);
    m->args[2] = span_number(m->digits[0], fields);
    m->args[3] = span_number(m->digits[1], user);
    m->args[4] = clean ? SPAN("1") : SPAN("");
    redis_queue_script(job_part_redis(app), &script_job_push_many, ARRAY_LEN(keys), keys, n, m->args);
    return done;
}

/* What a window of scripts answered; -1. */
static int64_t sum_replies(struct app *app, struct err *err)
{
    const struct reply *replies;
    size_t count;
    int64_t sum = 0;

    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
        sum += reply_int(&replies[i], 0);
    }
    return sum;
}

int64_t job_push_many(struct app *app, const struct job_new jobs[], size_t count, struct err *err)
{
    struct many m = { .args = xreallocarray(NULL, MANY_ARGS_MAX, sizeof(*m.args)),
                      .digits = xreallocarray(NULL, MANY_DIGITS_MAX, NUMBER_SIZE) };
    int64_t pushed = 0;
    size_t done = 0;

    while (done < count && pushed >= 0) {
        int64_t sum;
        for (int window = 0; window < WINDOW && done < count; window++)
            done += queue_many(app, jobs + done, count - done, &m);
        sum = sum_replies(app, err);
        pushed = sum < 0 ? -1 : pushed + sum;
    }
    free(m.args);
    free(m.digits);
    return pushed;
}

/* --- counting --- */

/* Age of a job: now less created_at of its hash. */
static int age_ms(struct app *app, const char *queue, const char *id, int64_t now_ms, int64_t *age, struct err *err)
{
    const struct key data = job_part_data(app, queue, id);
    struct err local = ERR_INIT;
    const struct reply *reply = redis_do(job_part_redis(app), &local, "HGET %b created_at", data.s, data.len);
    int64_t created_ms = reply ? reply_int(reply, now_ms) : now_ms;

    *age = created_ms < now_ms && created_ms > 0 ? now_ms - created_ms : 0;
    if (reply || local.kind == ERR_FAILED) /* the latter: a key of another kind */
        return 0;
    return err_set(err, local.kind, "%s", local.text);
}

int job_count(struct app *app, const char *queue, struct job_counts *out, struct err *err)
{
    static const char *const sets[] = { "priority", "delayed", "active", "failed" };
    const struct key list = job_part_key(app, queue, "queue"), paused = job_part_key(app, queue, "paused");
    const struct reply *replies;
    struct span head;
    size_t count;
    char *id;
    int rc;

    redis_queuef(job_part_redis(app), "LLEN %b", list.s, list.len);
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        const struct key set = job_part_key(app, queue, sets[i]);
        redis_queuef(app->redis, "ZCARD %b", set.s, set.len);
    }
    redis_queuef(app->redis, "EXISTS %b", paused.s, paused.len);
    redis_queuef(app->redis, "LINDEX %b -1", list.s, list.len);
    redis_queuef(app->redis, "TIME");
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    *out = (struct job_counts){ .waiting = reply_int(&replies[0], 0) + reply_int(&replies[1], 0),
                                .delayed = reply_int(&replies[2], 0),
                                .active = reply_int(&replies[3], 0),
                                .failed = reply_int(&replies[4], 0),
                                .paused = reply_int(&replies[5], 0) != 0 };
    head = reply_text(&replies[6]);
    if (!head.s)
        return 0;
    id = xmemdupz(head.s, head.len);
    rc = age_ms(app, queue, id, reply_time_ms(&replies[7]), &out->oldest_waiting_ms, err);
    free(id);
    return rc;
}
