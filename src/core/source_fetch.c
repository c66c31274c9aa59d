/* source_fetch.c: whether to fetch, what an answer means, and pushing the jobs that do it */
#include "core/source_fetch.h"

#include "core/job.h"
#include "core/job_type.h"
#include "core/keys.h"
#include "core/limit.h"

enum {
    S = 1000,
    HOLD_MS = 50 * S,          /* nobody tries again for visitors; a job tries again after that */
    NOT_FOUND_HOLD_MS = 300 * S,
    REST_MS = 60 * S,          /* when a source does not say how long */
    REST_MAX_S = 3600,         /* whatever a source asks for */
    SOON_MS = 1 * S,           /* the claim was over: once more */
    CACHE_AWAY_MS = 5 * S,
    PATIENCE_MS = 10 * S,      /* so long visitors wait for its turn to come without being told */
    VALIDATOR_MAX = 512
};

void source_fetch_clear(struct source_fetch *f)
{
    source_call_clear(&f->call);
    source_request_free(&f->request);
    str_free(&f->name);
    str_free(&f->etag);
    str_free(&f->modified);
}

static struct span name_of(const struct source_fetch *f)
{
    return (struct span){ f->name.s, f->name.len };
}

static const char *source_of(const struct source_fetch *f)
{
    return f->call.method->source->name;
}

struct cache_tags source_tags(const struct source_method *m)
{
    struct cache_tags tags = { .count = 0 };

    for (; m->tags && m->tags[tags.count]; tags.count++)
        tags.tag[tags.count] = span_of(m->tags[tags.count]);
    return tags;
}

/* --- verdicts --- */

static void later(struct source_fetch *f, int64_t wait_ms)
{
    f->verdict = SOURCE_LATER;
    f->wait_ms = wait_ms > 0 ? wait_ms : SOON_MS;
}

static void failed(struct source_fetch *f, const char *code, bool retryable)
{
    f->verdict = SOURCE_FAILED;
    f->code = code;
    f->retryable = retryable;
}

/* What is there stays; visitors are told `note` for so long. */
static void release(struct app *app, const struct source_fetch *f, const char *note, int64_t hold_ms)
{
    struct err err = ERR_INIT;

    if (f->claim[0])
        cache_release(app, name_of(f), f->claim, span_of(note), hold_ms, &err); /* when the cache is away, its claim runs out */
}

/* --- whether --- */

/* One round trip. 1: now; 0: LATER. */
static int ask_pace(struct app *app, struct source_fetch *f, struct err *err)
{
    const struct source *s = f->call.method->source;
    struct key rest = key_source(app->house, span_of(s->name), "rest");
    struct limit_thing thing = { .count = s->per_count > 0 };
    const struct limit_thing *things[] = { &thing };
    struct limit_verdict verdict;
    const struct reply *replies;
    size_t count;
    int rc = 1;

    thing.bucket[0] = (struct limit_bucket){ .key = key_source(app->house, span_of(s->name), "pace"), .count = (double)s->per_count,
                                             .period_s = s->per_s, .burst = s->per_count };
    redis_use_db(app->redis, app->main_db);
    redis_queuef(app->redis, "PTTL %b", rest.s, rest.len);
    if (thing.count)
        limit_queue(app, things, 1);
    if (redis_exchange(app->redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    if (replies[0].integer > 0) {
        err_set(&f->why, ERR_TOO_MANY, "The source %s wants to be left alone for a while.", s->name);
        later(f, replies[0].integer);
        release(app, f, SOURCE_NOTE_AWAY, f->wait_ms);
        return 0;
    }
    if (thing.count)
        rc = limit_take(things, 0, replies + 1, &verdict, err);
    if (rc == 0) {
        err_set(&f->why, ERR_TOO_MANY, "The source %s has been asked as often as its file allows.", s->name);
        later(f, verdict.wait_ms);
        if (f->wait_ms > PATIENCE_MS)
            release(app, f, SOURCE_NOTE_AWAY, f->wait_ms);
    }
    return rc;
}

static void keep_validator(struct str *out, struct span value)
{
    str_reset(out);
    if (value.len > 0 && value.len <= VALIDATOR_MAX && !span_has_control(value))
        str_add_span(out, value);
}

/* What is kept, and the claim on it. 1: it is to be fetched; 0: it has been, since the job was pushed. */
static int look(struct app *app, struct source_fetch *f, int64_t created_ms, struct err *err)
{
    const struct cache_tags tags = source_tags(f->call.method);
    const struct cache_want want = { CACHE_CLAIM_ALWAYS, SOURCE_CLAIM_MS, &tags, true };
    struct cache_entry entry;
    int found = cache_look(app, name_of(f), &want, &entry, err);

    if (found < 0)
        return -1;
    snprintf(f->claim, sizeof f->claim, "%s", entry.claim);
    if (entry.held.len > 0 && entry.held.len < sizeof f->claim)
        memcpy(f->claim, entry.held.s, entry.held.len + 1); /* a visitor's, for whom this job was pushed */
    if (found == 0)
        return 1;
    if (f->call.method->time_count == 0) { /* with moments in it the URL is another one each time, and validators are of one URL */
        keep_validator(&f->etag, entry.etag);
        keep_validator(&f->modified, entry.modified);
    }
    return !(created_ms > 0 && house_now_ms(app->house) - entry.age_ms >= created_ms);
}

/* What to send. 1; 0: its key cannot be read, which visitors are told as well. */
static int build(struct app *app, struct source_fetch *f)
{
    const struct house *h = app->house;

    if (source_request(&f->call, h->settings, house_now_ms(h) / S, &f->request, &f->why) == 0)
        return 1;
    failed(f, "key_missing", false);
    release(app, f, SOURCE_NOTE_AWAY, HOLD_MS);
    return 0;
}

/* 1, 0, or -1: neither cache nor main database has an answer. */
static int may_fetch(struct app *app, struct source_fetch *f, int64_t created_ms, struct err *err)
{
    int rc = look(app, f, created_ms, err);

    if (rc == 0) {
        f->verdict = SOURCE_THERE;
        release(app, f, "", 0);
    }
    rc = rc > 0 ? build(app, f) : rc;
    return rc > 0 ? ask_pace(app, f, err) : rc;
}

int source_fetch_begin(struct app *app, struct source_fetch *f, struct span payload, int64_t created_ms)
{
    const struct house *h = app->house;
    int rc;

    *f = (struct source_fetch){ .why = ERR_INIT };
    if (source_call_of_payload(&f->call, h->sources, payload, locales_default(h->locales), &f->why) < 0) {
        failed(f, "invalid_payload", false);
        return 0;
    }
    source_add_name(&f->call, &f->name);
    rc = may_fetch(app, f, created_ms, &f->why);
    if (rc < 0)
        later(f, CACHE_AWAY_MS);
    return rc > 0;
}

/* --- what an answer means --- */

/* 0, or -1 with the reason. */
static int check_body(const struct source_fetch *f, struct span body, struct err *err)
{
    struct err why = ERR_INIT;
    size_t blank = strspn(body.s, " \t\r\n");

    if (json_check(body.s, body.len, &why) < 0)
        return err_set(err, ERR_INVALID, "The source %s answered with something that is no JSON: %s", source_of(f), why.text);
    if (body.s[blank] != '{' && body.s[blank] != '[')
        return err_set(err, ERR_INVALID, "The source %s answered with JSON that is neither an object nor a list.", source_of(f));
    return 0;
}

static struct cache_new entry_of(const struct source_fetch *f, const struct source_answer *a, const struct cache_tags *tags)
{
    const struct source_method *m = f->call.method;

    return (struct cache_new){ .value = a->body, .fresh_ms = m->fresh_s * S, .stale_ms = m->stale_s * S, .tags = tags,
                               .claim = f->claim[0] ? f->claim : NULL, .source = true };
}

/* 1: done; 0: the claim is over, or the value gone: once more; -1: the cache cannot take it. */
static void take_written(struct source_fetch *f, int rc, enum source_verdict verdict)
{
    if (rc > 0)
        f->verdict = verdict;
    else
        later(f, rc == 0 || f->why.kind == ERR_STALE ? SOON_MS : CACHE_AWAY_MS);
}

/* Trying again may help. */
static void breaks(struct app *app, struct source_fetch *f)
{
    f->broken = true;
    failed(f, "unavailable", true);
    release(app, f, SOURCE_NOTE_AWAY, HOLD_MS);
}

static void keep_validators(struct source_fetch *f, const struct source_answer *a, struct cache_new *n)
{
    keep_validator(&f->etag, a->etag);
    keep_validator(&f->modified, a->modified);
    n->etag = (struct span){ f->etag.s, f->etag.len };
    n->modified = (struct span){ f->modified.s, f->modified.len };
}

static void take_data(struct app *app, struct source_fetch *f, const struct source_answer *a)
{
    const struct cache_tags tags = source_tags(f->call.method);
    struct cache_new n = entry_of(f, a, &tags);

    if (check_body(f, a->body, &f->why) < 0) {
        breaks(app, f);
        return;
    }
    keep_validators(f, a, &n);
    f->bytes = a->body.len;
    take_written(f, cache_put(app, name_of(f), &n, &f->why), SOURCE_STORED);
}

static void take_same(struct app *app, struct source_fetch *f, const struct source_answer *a)
{
    struct cache_new n = entry_of(f, a, NULL);

    keep_validators(f, a, &n);
    take_written(f, cache_renew(app, name_of(f), &n, &f->why), SOURCE_UNCHANGED);
}

static void take_nothing(struct app *app, struct source_fetch *f, const struct source_answer *a)
{
    int64_t fresh_ms = f->call.method->fresh_s * S;

    (void)a;
    f->verdict = SOURCE_NOT_FOUND;
    release(app, f, SOURCE_NOTE_NOT_FOUND, fresh_ms < NOT_FOUND_HOLD_MS ? fresh_ms : NOT_FOUND_HOLD_MS);
}

/* For all workers. When that cannot be written, the next call hears it again. */
static void take_wait(struct app *app, struct source_fetch *f, const struct source_answer *a)
{
    int64_t s = a->wait_s < REST_MAX_S ? a->wait_s : REST_MAX_S;
    struct key key = key_source(app->house, span_of(source_of(f)), "rest");
    struct err err = ERR_INIT;

    later(f, s > 0 ? s * S : REST_MS);
    release(app, f, SOURCE_NOTE_AWAY, f->wait_ms);
    redis_use_db(app->redis, app->main_db);
    redis_do(app->redis, &err, "SET %b 1 PX %lld", key.s, key.len, (long long)f->wait_ms);
}

static void take_no(struct app *app, struct source_fetch *f, const struct source_answer *a)
{
    (void)a;
    failed(f, "refused", false);
    release(app, f, SOURCE_NOTE_AWAY, HOLD_MS);
}

static void take_nonsense(struct app *app, struct source_fetch *f, const struct source_answer *a)
{
    (void)a;
    breaks(app, f);
}

static void take_barred(struct app *app, struct source_fetch *f, const struct source_answer *a)
{
    later(f, a->wait_s * S);
    release(app, f, SOURCE_NOTE_AWAY, f->wait_ms);
}

void source_fetch_end(struct app *app, struct source_fetch *f, const struct source_answer *a)
{
    static void (*const take[])(struct app *app, struct source_fetch *f, const struct source_answer *a) = {
        [SOURCE_SAYS_DATA] = take_data, [SOURCE_SAYS_SAME] = take_same, [SOURCE_SAYS_NOTHING] = take_nothing, [SOURCE_SAYS_WAIT] = take_wait,
        [SOURCE_SAYS_NO] = take_no,     [SOURCE_SAYS_NONSENSE] = take_nonsense, [SOURCE_BARRED] = take_barred,
    };

    f->why = (struct err)ERR_INIT;
    if (a->detail)
        err_set(&f->why, ERR_FAILED, "The source %s %s.", source_of(f), a->detail);
    take[a->word](app, f, a);
}

void source_fetch_drop(struct app *app, const struct source_fetch *f)
{
    release(app, f, "", 0);
}

/* --- pushing --- */

static void queue_push(struct app *app, const struct source_call *call, char id[JOB_ID_SIZE])
{
    const struct job_types *types = app->house->job_types;
    const struct job_type *type = types ? job_types_find(types, SPAN(SOURCE_JOB)) : NULL;
    struct str payload = STR_INIT;
    char unique[JOB_UNIQUE_SIZE];
    struct job_new job = { .id = id, .type = SOURCE_JOB, .queue = type ? type->queue : NULL,
                           .priority = type && type->priority >= 0 ? type->priority + 1 : 0 };

    job_new_id(id);
    source_add_payload(call, &payload);
    job.payload = payload.s;
    if (type)
        job_type_set_unique(type, &job, unique);
    job_push_queue(app, &job);
    str_free(&payload);
}

int source_push(struct app *app, const struct source_call *call, struct str *id, struct err *err)
{
    char own[JOB_ID_SIZE], *other = NULL;
    const struct reply *replies;
    size_t count;
    int rc;

    queue_push(app, call, own);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    rc = job_push_reply(&replies[count - 1], &other, err);
    if (id && rc >= 0) {
        str_reset(id);
        str_adds(id, other ? other : own);
    }
    free(other);
    return rc;
}

static bool is_fresh(struct app *app, const struct source_call *call)
{
    const struct cache_want want = { .claim = CACHE_CLAIM_NOT, .uncounted = true };
    struct cache_entry entry = { .fresh_ms = 0 };
    struct str name = STR_INIT;
    struct err err = ERR_INIT;
    bool fresh;

    source_add_name(call, &name);
    fresh = cache_look(app, (struct span){ name.s, name.len }, &want, &entry, &err) > 0 && entry.fresh_ms > 0;
    str_free(&name);
    return fresh;
}

static int refresh_method(struct app *app, const struct source_method *m, bool missing, int64_t *pushed, struct err *err)
{
    for (size_t i = 0; i < m->refresh_count; i++) {
        int rc = missing && is_fresh(app, &m->refresh[i]) ? JOB_NOT_UNIQUE : source_push(app, &m->refresh[i], NULL, err);

        if (rc < 0)
            return -1;
        *pushed += rc == JOB_PUSHED;
    }
    return 0;
}

int source_refresh(struct app *app, const char *name, bool missing, int64_t *pushed, struct err *err)
{
    const struct sources *all = app->house->sources;

    for (size_t i = 0; all && i < sources_count(all); i++) {
        const struct source *s = sources_at(all, i);

        if ((name && strcmp(s->name, name) != 0) || !source_is_set(s, app->house->settings))
            continue;
        for (size_t k = 0; k < s->method_count; k++)
            if (refresh_method(app, &s->methods[k], missing, pushed, err) < 0)
                return -1;
    }
    return 0;
}
