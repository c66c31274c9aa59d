/* job_failed.c: failed jobs: listed, tried once more, forgotten. */
#include "core/job_look.h"

#include "base/clock.h"
#include "core/request.h"
#include "scripts.h"

#include <errno.h>
#include <time.h>

#define PAGE 100        /* jobs listed in one exchange */
#define FORGET_MAX 1000 /* forgotten in one script */
#define LEGS_MAX 50     /* codes of a request whose legs are looked after */
#define LEG_ID_SIZE (HASH_SIZE + 32)

/* --- listing --- */

/* One page of ids, borrowed until the next exchange; NULL on error. `newest`: from the newest on. */
static const struct reply *page_of(struct app *app, const char *queue, int64_t first, int64_t count, struct err *err)
{
    const struct key failed = job_part_key(app, queue, "failed");

    return redis_do(job_part_redis(app), err, "ZRANGE %b %lld %lld REV WITHSCORES", failed.s, failed.len,
                    (long long)first, (long long)(first + count - 1));
}

struct entry {
    char *id;
    double score;
};

static size_t keep_entries(const struct reply *list, struct entry out[PAGE])
{
    size_t count = 0;

    for (size_t i = 0; i + 1 < list->count && count < PAGE; i += 2) {
        struct span id = reply_text(&list->item[i]), score = reply_text(&list->item[i + 1]);
        out[count++] = (struct entry){ xmemdupz(id.s ? id.s : "", id.len), score.s ? strtod(score.s, NULL) : 0 };
    }
    return count;
}

static void drop_entries(struct entry entries[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(entries[i].id);
}

/* A listed job's data may have gone: then it is shown by its id and time alone. */
static int show_entries(struct app *app, const char *queue, const struct entry entries[], size_t count,
                        void (*fn)(void *ctx, const struct job_view *view), void *ctx, struct err *err)
{
    struct job_view *views = xcalloc(count + 1, sizeof(*views));
    const struct reply *replies;
    size_t got;

    for (size_t i = 0; i < count; i++) {
        const struct key data = job_part_data(app, queue, entries[i].id);
        redis_queuef(job_part_redis(app), "HGETALL %b", data.s, data.len);
        redis_queuef(app->redis, "PTTL %b", data.s, data.len);
    }
    redis_queuef(app->redis, "TIME");
    replies = job_look_exchange(app, &got, err);
    for (size_t i = 0; replies && i < count; i++) {
        job_look_read(&views[i], queue, span_of(entries[i].id), &replies[2 * i]);
        views[i].place = JOB_IN_FAILED;
        views[i].score = entries[i].score;
        views[i].ttl_ms = reply_int(&replies[2 * i + 1], -1) < 0 ? -1 : reply_int(&replies[2 * i + 1], -1);
        views[i].now_ms = reply_time_ms(&replies[got - 1]);
    }
    for (size_t i = 0; replies && i < count; i++) { /* after reading: fn may use the connection */
        fn(ctx, &views[i]);
        job_view_clear(&views[i]);
    }
    free(views);
    return replies ? 0 : -1;
}

int job_failed_each(struct app *app, const char *queue, int64_t limit,
                    void (*fn)(void *ctx, const struct job_view *view), void *ctx, struct err *err)
{
    struct entry entries[PAGE];
    int rc = 0;

    for (int64_t first = 0; rc == 0 && (limit <= 0 || first < limit); first += PAGE) {
        int64_t wanted = limit > 0 && limit - first < PAGE ? limit - first : PAGE;
        const struct reply *list = page_of(app, queue, first, wanted, err);
        size_t count;
        if (!list)
            return -1;
        count = keep_entries(list, entries);
        rc = count > 0 ? show_entries(app, queue, entries, count, fn, ctx, err) : 0;
        drop_entries(entries, count);
        if (count < (size_t)wanted)
            break;
    }
    return rc;
}

/* --- once more --- */

struct retry {
    const char *queue, *id;
    char request[HASH_SIZE]; /* "": not a request's job */
    bool call;               /* a call on the side of its request */
    int64_t run;             /* the run before the next one; -1: as it is */
    int64_t codes, resends;  /* of the request */
};

/* What it is. 1; 0: it is not among the failed; -1. */
static int read_failed(struct app *app, struct retry *r, struct err *err)
{
    const struct key failed = job_part_key(app, r->queue, "failed"), data = job_part_data(app, r->queue, r->id);
    const struct reply *replies;
    struct span hash;
    size_t count;

    redis_queuef(job_part_redis(app), "ZSCORE %b %s", failed.s, failed.len, r->id);
    redis_queuef(app->redis, "HMGET %b request_hash call", data.s, data.len);
    replies = job_look_exchange(app, &count, err);
    if (!replies)
        return -1;
    if (replies[0].type == REPLY_NIL)
        return 0;
    hash = replies[1].count > 0 ? reply_text(&replies[1].item[0]) : SPAN("");
    if (hash.s && keys_is_hash(hash))
        memcpy(r->request, hash.s, HASH_LEN);
    r->call = replies[1].count > 1 && reply_text(&replies[1].item[1]).len > 0;
    return 1;
}

/* Its request waits again, fenced against all runs so far. 0 or -1. */
static int reopen(struct app *app, struct retry *r, struct err *err)
{
    const struct key data = job_part_data(app, r->queue, r->request);
    struct request rq;
    const struct reply *reply;
    int64_t run;
    int found = request_read(app, span_of(r->request), &rq, err);

    if (found < 0)
        return -1;
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "request %s has expired, so job %s stays among the failed", r->request,
                       r->id);
    if (r->call)
        return 0;
    run = rq.status == REQUEST_PENDING ? rq.guard.run - 1 : rq.guard.run; /* pending: nobody has begun that run */
    r->codes = rq.guard.code < LEGS_MAX ? rq.guard.code : LEGS_MAX;
    r->resends = rq.guard.resends < LEGS_MAX ? rq.guard.resends : LEGS_MAX;
    reply = redis_do(job_part_redis(app), err, "HGET %b run", data.s, data.len);
    if (!reply)
        return -1;
    r->run = reply_int(reply, 0) > run ? reply_int(reply, 0) : run > 0 ? run : 0;
    return request_reopen(app, span_of(r->request), r->run + 1, err) < 0 ? -1 : 0;
}

/* The legs that a new beginning makes needless; their ids are kept in ids[]. */
static size_t add_legs(const struct retry *r, char ids[][LEG_ID_SIZE], struct span args[])
{
    size_t count = 0;

    for (int64_t n = 1; n <= r->codes; n++, count++)
        snprintf(ids[count], LEG_ID_SIZE, "%s.%lld", r->request, (long long)n);
    for (int64_t n = 1; n <= r->resends; n++, count++)
        snprintf(ids[count], LEG_ID_SIZE, "%s.resend.%lld", r->request, (long long)n);
    for (size_t i = 0; i < count; i++)
        args[i] = span_of(ids[i]);
    return count;
}

static int put_back(struct app *app, const struct retry *r, struct err *err)
{
    bool first_leg = r->request[0] && !r->call;
    char digits[NUMBER_SIZE], legs[2 * LEGS_MAX][LEG_ID_SIZE];
    struct span args[JOB_PART_ARGS + 3 + 2 * LEGS_MAX];
    struct span *own = args + JOB_PART_ARGS;
    size_t count = 3;
    const struct reply *reply;

    own[0] = span_of(r->id);
    own[1] = first_leg ? span_of(r->request) : span_of(r->id);
    own[2] = r->run >= 0 ? span_number(digits, r->run) : SPAN("");
    if (first_leg)
        count += add_legs(r, legs, own + count);
    job_part_script(app, r->queue, &script_job_failed_retry, args, JOB_PART_ARGS + (int)count);
    reply = job_part_exchange(app, err);
    return reply ? reply_int(reply, 0) != 0 : -1;
}

/* A crash in between leaves a request that waits and a job that has failed: doing it again goes on from there, and so
 * does request_watch, which ends the request after a while. */
int job_failed_retry(struct app *app, const char *queue, const char *id, struct err *err)
{
    struct retry r = { .queue = queue, .id = id, .run = -1 };
    int found = read_failed(app, &r, err);

    if (found <= 0)
        return found;
    if (r.request[0] && reopen(app, &r, err) < 0)
        return -1;
    return put_back(app, &r, err);
}

/* --- all --- */

struct bulk {
    const char *queue;
    int64_t until_ms; /* those that failed later are not meant */
    int64_t skip;     /* of the oldest */
    char *ids[FORGET_MAX];
    size_t count;
};

static int begin_bulk(struct app *app, const char *queue, struct bulk *b, struct err *err)
{
    const struct reply *time = redis_do(job_part_redis(app), err, "TIME");

    b->queue = queue;
    b->skip = 0;
    b->count = 0;
    b->until_ms = time ? reply_time_ms(time) : 0;
    return time ? 0 : -1;
}

static void drop_ids(struct bulk *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->ids[i]);
    b->count = 0;
}

/* The next ones, the oldest first. Number, or -1. */
static int next_ids(struct app *app, struct bulk *b, size_t max, struct err *err)
{
    const struct key failed = job_part_key(app, b->queue, "failed");
    const struct reply *list = redis_do(job_part_redis(app), err, "ZRANGEBYSCORE %b -inf %lld LIMIT %lld %zu", failed.s,
                                        failed.len, (long long)b->until_ms, (long long)b->skip, max);

    drop_ids(b);
    if (!list)
        return -1;
    for (size_t i = 0; i < list->count && b->count < ARRAY_LEN(b->ids); i++) {
        struct span id = reply_text(&list->item[i]);
        b->ids[b->count++] = xmemdupz(id.s ? id.s : "", id.len);
    }
    return (int)b->count;
}

static void wait_until(int64_t mono_ms)
{
    int64_t left_ms = mono_ms - clock_mono_ms();
    struct timespec left = { left_ms / 1000, (long)(left_ms % 1000) * 1000000 };

    while (left_ms > 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static bool is_beyond_retry(const struct err *err)
{
    return err->kind == ERR_NOT_FOUND || err->kind == ERR_FINAL || err->kind == ERR_STATE;
}

/* How many of these ids have no request any more that they need. Number, or -1. */
static int count_expired(struct app *app, const struct bulk *b, struct err *err)
{
    const struct reply *replies;
    size_t count;
    int expired = 0;

    for (size_t i = 0; i < b->count; i++) {
        const struct key data = job_part_data(app, b->queue, b->ids[i]);
        redis_queuef(job_part_redis(app), "HGET %b request_hash", data.s, data.len);
    }
    replies = job_look_exchange(app, &count, err);
    if (!replies)
        return -1;
    char(*hashes)[HASH_SIZE] = xcalloc(count + 1, HASH_SIZE);
    size_t asked = 0;
    for (size_t i = 0; i < count; i++)
        if (keys_is_hash(reply_text(&replies[i])))
            memcpy(hashes[asked++], reply_text(&replies[i]).s, HASH_LEN);
    for (size_t i = 0; i < asked; i++) {
        const struct key document = key_document(span_of(hashes[i]));
        redis_queuef(job_part_redis(app), "EXISTS %b", document.s, document.len);
    }
    free(hashes);
    replies = asked > 0 ? job_look_exchange(app, &count, err) : replies;
    for (size_t i = 0; replies && i < asked; i++)
        expired += reply_int(&replies[i], 0) == 0;
    return replies ? expired : -1;
}

static int64_t foresee_retries(struct app *app, struct bulk *b, int64_t *left, struct err *err)
{
    int64_t would = 0;
    int got;

    while ((got = next_ids(app, b, PAGE, err)) > 0) {
        int expired = count_expired(app, b, err);
        if (expired < 0)
            return -1;
        *left += expired;
        would += got - expired;
        b->skip += got;
    }
    return got < 0 ? -1 : would;
}

/* One of many. 1; 0: it has gone meanwhile; 2: it must be left; -1. */
static int retry_one_of(struct app *app, const struct bulk *b, const char *id, struct err *err)
{
    struct err local = ERR_INIT;
    int done = job_failed_retry(app, b->queue, id, &local);

    if (done >= 0)
        return done;
    if (is_beyond_retry(&local))
        return 2;
    if (err)
        *err = local;
    return -1;
}

static int64_t retry_bulk(struct app *app, struct bulk *b, int64_t per_s, int64_t *left, struct err *err)
{
    int64_t begun_ms = clock_mono_ms(), tried = 0, retried = 0;
    int got;

    while ((got = next_ids(app, b, PAGE, err)) > 0)
        for (size_t i = 0; i < b->count; i++, tried++) {
            if (per_s > 0)
                wait_until(begun_ms + tried * 1000 / per_s);
            int done = retry_one_of(app, b, b->ids[i], err);
            if (done < 0)
                return -1;
            retried += done == 1;
            *left += done == 2;
            b->skip += done == 2;
        }
    return got < 0 ? -1 : retried;
}

int64_t job_failed_retry_all(struct app *app, const char *queue, int64_t per_s, bool dry_run, int64_t *left,
                             struct err *err)
{
    struct bulk *b = xcalloc(1, sizeof(*b));
    int64_t unwanted = 0, result = -1;

    left = left ? left : &unwanted;
    *left = 0;
    if (begin_bulk(app, queue, b, err) == 0)
        result = dry_run ? foresee_retries(app, b, left, err) : retry_bulk(app, b, per_s, left, err);
    drop_ids(b);
    free(b);
    return result;
}

/* --- forgetting --- */

static int64_t forget(struct app *app, const char *queue, char *const ids[], size_t id_count, struct err *err)
{
    struct span *args = xreallocarray(NULL, JOB_PART_ARGS + id_count, sizeof(*args));
    const struct reply *reply;

    for (size_t i = 0; i < id_count; i++)
        args[JOB_PART_ARGS + i] = span_of(ids[i]);
    job_part_script(app, queue, &script_job_forget, args, (int)(JOB_PART_ARGS + id_count));
    free(args);
    reply = job_part_exchange(app, err);
    return reply ? reply_int(reply, 0) : -1;
}

int job_failed_forget(struct app *app, const char *queue, const char *id, struct err *err)
{
    return (int)forget(app, queue, (char *const[]){ (char *)id }, 1, err);
}

int64_t job_failed_flush(struct app *app, const char *queue, bool dry_run, struct err *err)
{
    const struct key failed = job_part_key(app, queue, "failed");
    const struct reply *all = dry_run ? redis_do(job_part_redis(app), err, "ZCARD %b", failed.s, failed.len) : NULL;
    struct bulk *b;
    int64_t total = 0, gone = 0;
    int got;

    if (dry_run)
        return all ? reply_int(all, 0) : -1;
    b = xcalloc(1, sizeof(*b));
    got = begin_bulk(app, queue, b, err);
    while (got == 0 && (got = next_ids(app, b, FORGET_MAX, err)) > 0) {
        gone = forget(app, queue, b->ids, b->count, err);
        got = gone < 0 ? -1 : 0;
        total += gone;
    }
    drop_ids(b);
    free(b);
    return got < 0 ? -1 : total;
}
