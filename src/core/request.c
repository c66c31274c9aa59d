/* request.c: the states, reading, making, listing */
#include "core/request.h"

#include "base/clock.h"
#include "base/rnd.h"
#include "core/change.h"
#include "core/estimate.h"
#include "core/limit.h"
#include "core/news.h"
#include "core/otp.h"
#include "core/seal.h"
#include "core/secret.h"
#include "core/view.h"
#include "scripts.h"

enum { RENEW_AFTER_MS = 10000, LISTED_REQUESTS = 10000, QUEUE_LOOK = 1000, NEW_WATCH_MS = 15000, READ_AGAIN_MS = 700 };
#define USUAL_TERMS "5 120 3 5 60 3 0 completed"

/* --- the states --- */

static const struct {
    const char *name;
    bool final;
    unsigned next; /* bits of the states it may become, besides itself and the final ones */
} states[REQUEST_STATUSES] = {
    [REQUEST_PENDING] = { "pending", false, 1u << REQUEST_PROCESSING },
    [REQUEST_PROCESSING] = { "processing", false, 1u << REQUEST_OTP_REQUIRED },
    [REQUEST_OTP_REQUIRED] = { "otp_required", false, 1u << REQUEST_OTP_VERIFYING },
    [REQUEST_OTP_VERIFYING] = { "otp_verifying", false, 1u << REQUEST_OTP_REQUIRED | 1u << REQUEST_PROCESSING },
    [REQUEST_COMPLETED] = { "completed", true, 0 },
    [REQUEST_FAILED] = { "failed", true, 0 },
    [REQUEST_CANCELLED] = { "cancelled", true, 0 },
};

const char *request_status_name(enum request_status status)
{
    return states[status].name;
}

int request_status_parse(struct span name)
{
    for (int i = 0; i < REQUEST_STATUSES; i++)
        if (span_is(name, states[i].name))
            return i;
    return -1;
}

bool request_is_final(enum request_status status)
{
    return states[status].final;
}

bool request_may(enum request_status from, enum request_status to)
{
    if (states[from].final)
        return from == to;
    return from == to || states[to].final || (states[from].next >> to & 1);
}

/* --- reading --- */

void request_queue(struct app *app, struct span hash)
{
    struct key document = key_document(hash), guard = key_guard(hash);
    struct redis *r = app->redis;
    struct span get_guard[2 + GUARD_FIELDS] = { SPAN("HMGET"), key_span(&guard) };
    for (size_t i = 0; i < GUARD_FIELDS; i++)
        get_guard[2 + i] = span_of(guard_names[i]);
    redis_use_db(r, app->main_db);
    redis_queue(r, 2, (const struct span[]){ SPAN("GET"), key_span(&document) });
    redis_queue(r, ARRAY_LEN(get_guard), get_guard);
    redis_queue(r, 2, (const struct span[]){ SPAN("PTTL"), key_span(&document) });
}

void request_queue_place(struct app *app, struct span hash)
{
    struct key queue = key_queue(app->house, SPAN(JOB_QUEUE_DEFAULT), "queue"), paused = key_queue(app->house, SPAN(JOB_QUEUE_DEFAULT), "paused"),
               priority = key_queue(app->house, SPAN(JOB_QUEUE_DEFAULT), "priority");
    redis_use_db(app->redis, app->main_db);
    redis_queue(app->redis, 7, (const struct span[]){ SPAN("LPOS"), key_span(&queue), hash, SPAN("RANK"), SPAN("-1"), SPAN("MAXLEN"), SPAN("1000") });
    redis_queue(app->redis, 2, (const struct span[]){ SPAN("LLEN"), key_span(&queue) });
    redis_queue(app->redis, 2, (const struct span[]){ SPAN("GET"), key_span(&paused) });
    redis_queue(app->redis, 4, (const struct span[]){ SPAN("ZCOUNT"), key_span(&priority), SPAN("6"), SPAN("+inf") }); /* before the list */
}

static struct span unquoted(struct span json)
{
    return json.len >= 2 && json.s[0] == '"' ? (struct span){ json.s + 1, json.len - 2 } : (struct span){ NULL, 0 };
}

struct span request_slug(const struct request *rq)
{
    return unquoted(rq->doc.field[DOC_SERVICE]);
}

const struct service *request_service(const struct app *app, const struct request *rq)
{
    return app->house->services ? services_find(app->house->services, request_slug(rq)) : NULL;
}

static void take_guard(const struct reply *reply, struct guard *guard)
{
    *guard = (struct guard){ .revision = 0 };
    for (size_t i = 0; i < reply->count && i < GUARD_FIELDS; i++)
        guard_set(guard, i, reply_text(&reply->item[i]));
}

void request_take_place(const struct reply replies[PLACE_REPLIES], struct request *rq)
{
    const struct reply *index = &replies[0];
    int64_t waiting = reply_int(&replies[1], 0);
    rq->ahead = index->type == REPLY_INT ? waiting - 1 - index->integer : -1;
    if (index->type == REPLY_INT && rq->ahead < 0)
        rq->ahead = 0; /* the list moved between the two commands */
    rq->beyond = index->type == REPLY_NIL && waiting > QUEUE_LOOK;
    rq->paused = reply_text(&replies[2]);
    if (rq->ahead >= 0)
        rq->ahead += reply_int(&replies[3], 0);
    if (rq->ahead < QUEUE_LOOK)
        return;
    rq->ahead = -1;
    rq->beyond = true;
}

static int status_of(struct span name)
{
    return name.s ? request_status_parse(name) : -1;
}

bool request_is_foreign(const struct request *rq)
{
    return document_check(&rq->doc) != rq->guard.check || status_of(rq->guard.status) != status_of(unquoted(rq->doc.field[DOC_STATUS]));
}

int request_take(struct app *app, struct span hash, const struct reply replies[REQUEST_REPLIES], struct request *rq, bool *foreign,
                 struct err *err)
{
    for (int i = 0; i < REQUEST_REPLIES; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    if (replies[0].type == REPLY_NIL || hash.len != HASH_LEN)
        return 0;
    *rq = (struct request){ .ttl_ms = reply_int(&replies[2], 0), .ahead = -1, .now_ms = house_now_ms(app->house) };
    memcpy(rq->hash, hash.s, HASH_LEN);
    if (document_read(reply_text(&replies[0]), &rq->doc, err) < 0) {
        if (err)
            err->kind = ERR_FAILED; /* whoever asked cannot help it */
        return err_prefix(err, "request %s", rq->hash);
    }
    take_guard(&replies[1], &rq->guard);
    *foreign = request_is_foreign(rq) || request_lies_open(app, rq);
    int written = status_of(unquoted(rq->doc.field[DOC_STATUS])), guarded = status_of(rq->guard.status);
    /* Until it is adopted, the guard's word counts. */
    rq->status = (enum request_status)(guarded >= 0 ? guarded : written >= 0 ? written : REQUEST_PENDING);
    return 1;
}

int request_read(struct app *app, struct span hash, struct request *rq, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + READ_AGAIN_MS;
    do {
        const struct reply *replies;
        size_t count;
        bool foreign = false;
        request_queue(app, hash);
        if (redis_exchange(app->redis, &replies, &count, err) < 0)
            return -1;
        int found = request_take(app, hash, replies + count - REQUEST_REPLIES, rq, &foreign, err);
        if (found <= 0 || !foreign)
            return found;
        if (request_adopt(app, hash, err) < 0)
            return err && err->kind == ERR_NOT_FOUND ? 0 : -1;
    } while (clock_mono_ms() < until_ms);
    return err_set(err, ERR_FULL, "request %.*s is being rewritten faster than it can be read; try again", (int)hash.len, hash.s);
}

/* What a user asked for is the user's alone: an owner id goes over at sign-in, and somebody may have kept the cookie it came from. */
bool request_belongs(const struct request *rq, struct span owner, struct span user_id)
{
    const struct guard *guard = &rq->guard;
    if (guard->user_id.len > 0)
        return user_id.len > 0 && span_eq(guard->user_id, user_id);
    return owner.len > 0 && guard->owner.len > 0 && span_eq(guard->owner, owner);
}

void request_touch(struct app *app, const struct request *rq)
{
    int64_t ttl_ms = app->house->request_ttl_s * INT64_C(1000);
    if (rq->ttl_ms < 0 || rq->ttl_ms > ttl_ms - RENEW_AFTER_MS)
        return;
    struct span hash = span_of(rq->hash);
    const struct key keys[] = { key_document(hash), key_guard(hash), key_events(hash), key_owner(app->house, rq->guard.owner),
                                key_user_requests(app->house, rq->guard.user_id) };
    size_t count = ARRAY_LEN(keys) - (rq->guard.user_id.len > 0 ? 0 : 1);
    redis_use_db(app->redis, app->main_db);
    for (size_t i = 0; i < count; i++)
        redis_postf(app->redis, "PEXPIRE %b %lld", keys[i].s, keys[i].len, (long long)ttl_ms);
}

/* --- making --- */

/* The hash is a signature of who asks and of the submission key: the same submission makes the same request, and nobody can guess it. */
static void make_hash(struct app *app, const struct request_new *n, char hash[HASH_SIZE], char values[17])
{
    uint8_t mac[DIGEST_BYTES], values_mac[DIGEST_BYTES];
    const struct digest_part data[] = { { n->service->slug, strlen(n->service->slug) }, { n->data.s, n->data.len },
                                        { n->listeners.s, n->listeners.len }, { n->news_to.s, n->news_to.len } };
    secret_sign(app->house->secret, "values", data, n->news_to.len > 0 ? 4 : n->listeners.len > 0 ? 3 : 2, values_mac);
    rnd_hex(values_mac, 8, values);
    const struct digest_part parts[] = { { n->owner.s, n->owner.len },
                                         { n->key.s, n->key.len },
                                         { values, n->key_is_exclusive ? 0 : 16 } };
    secret_sign(app->house->secret, "submit", parts, ARRAY_LEN(parts), mac);
    memcpy(hash, "req_", 4);
    rnd_base32(mac, HASH_LEN - 4, hash + 4);
}

static void add_member(struct str *b, enum document_field field, struct span json)
{
    str_addc(b, b->len == 0 ? '{' : ',');
    str_add_json(b, document_names[field], strlen(document_names[field]));
    str_addc(b, ':');
    str_add_span(b, json);
}

static void add_text_member(struct str *b, enum document_field field, struct span text)
{
    struct str json = STR_INIT;
    if (text.s)
        str_add_json(&json, text.s, text.len);
    else
        str_adds(&json, "null");
    add_member(b, field, (struct span){ json.s, json.len });
    str_free(&json);
}

/* The form's values, sealed before they are written for the first time. */
static void add_data(struct app *app, const struct request_new *n, const char *hash, struct str *out)
{
    struct str sealed = STR_INIT;
    if (n->service->seal != SERVICE_SEAL_OFF)
        seal_add(&sealed, app->house->secret, span_of(hash), document_names[DOC_DATA], n->data);
    add_member(out, DOC_DATA, sealed.s ? (struct span){ sealed.s, sealed.len } : n->data);
    str_free(&sealed);
}

static void make_document(struct app *app, const struct request_new *n, const char *hash, int64_t now_ms, struct str *out)
{
    char now[CLOCK_RFC3339_SIZE], expires[CLOCK_RFC3339_SIZE], duration[24];
    clock_rfc3339(now_ms, now);
    clock_rfc3339(now_ms + app->house->request_ttl_s * INT64_C(1000), expires);
    snprintf(duration, sizeof duration, "%d", n->service->estimated_duration_s);
    add_text_member(out, DOC_HASH, span_of(hash));
    add_text_member(out, DOC_SERVICE, span_of(n->service->slug));
    add_text_member(out, DOC_STATUS, span_of(request_status_name(REQUEST_PENDING)));
    add_text_member(out, DOC_STEP, n->service->step_count > 0 ? span_of(n->service->steps[0].id) : (struct span){ NULL, 0 });
    add_member(out, DOC_PROGRESS, SPAN("0"));
    add_text_member(out, DOC_MESSAGE, SPAN("messages.queued"));
    add_member(out, DOC_DURATION, span_of(duration));
    add_data(app, n, hash, out);
    add_member(out, DOC_OTP, SPAN("null"));
    add_member(out, DOC_RESULT, SPAN("null"));
    add_member(out, DOC_ERROR, SPAN("null"));
    add_text_member(out, DOC_USER, n->user_id);
    add_text_member(out, DOC_OWNER, n->owner);
    add_text_member(out, DOC_LOCALE, span_of(n->locale));
    add_member(out, DOC_REVISION, SPAN("1"));
    add_text_member(out, DOC_STARTED, span_of(now));
    add_text_member(out, DOC_UPDATED, span_of(now));
    add_text_member(out, DOC_EXPIRES, span_of(expires));
    add_member(out, DOC_COMPLETED, SPAN("null"));
    str_addc(out, '}');
}

/* Everything that one new request is, for the commands that make it. */
struct birth {
    const struct request_new *n;
    const char *hash, *values;
    char mobile[LIMIT_WHO_LEN + 1]; /* where its codes go; "": nowhere that is counted */
    int64_t now_ms, estimate_s, check;
    struct str document, entry, view, listeners;
};

static void add_listeners(struct app *app, struct birth *b)
{
    str_add_span(&b->listeners, b->n->listeners);
    if (b->n->news_to.len > 0)
        news_add_listener(app->house, &b->listeners, b->hash, b->n->service, b->n->news_to, b->n->locale);
}

static int describe(struct app *app, struct birth *b, struct err *err)
{
    struct request rq = { .status = REQUEST_PENDING, .now_ms = b->now_ms, .guard = { .revision = 1, .estimate_s = b->estimate_s } };
    memcpy(rq.hash, b->hash, HASH_SIZE);
    make_document(app, b->n, b->hash, b->now_ms, &b->document);
    add_listeners(app, b);
    if (document_read((struct span){ b->document.s, b->document.len }, &rq.doc, err) < 0)
        return -1;
    document_add_entry(&b->entry, &rq.doc);
    b->check = document_check(&rq.doc);
    view_add_stored(&b->view, &rq, b->n->service);
    return 0;
}

/* Lists that lead to it, in the write that makes it: a request that nobody finds again would be lost as well. */
static void queue_lists(struct app *app, const struct birth *b)
{
    struct key all = { .s = KEY_REQUEST_LIST, .len = sizeof KEY_REQUEST_LIST - 1 }, own = key_owner(app->house, b->n->owner),
               user = key_user_requests(app->house, b->n->user_id);
    const struct {
        struct key *key;
        int most;
    } lists[] = { { &all, LISTED_REQUESTS }, { &own, REQUEST_LISTED }, { &user, REQUEST_LISTED } };
    size_t count = ARRAY_LEN(lists) - (b->n->user_id.s ? 0 : 1);
    char most[NUMBER_SIZE], ttl[NUMBER_SIZE];
    for (size_t i = 0; i < count; i++) {
        const struct span key = key_span(lists[i].key),
                          args[] = { span_of(b->hash), span_number(most, lists[i].most), span_number(ttl, app->house->request_ttl_s * 1000LL) };
        redis_queue_script(app->redis, &script_request_list, 1, &key, ARRAY_LEN(args), args);
    }
}

/* With its text: were it unknown to a Redis that has just been started, it would run after the push that follows it, and a worker could take
 * the job before there is a document. */
static void queue_create(struct app *app, size_t nkeys, const struct span keys[], size_t nargs, const struct span args[])
{
    char digits[NUMBER_SIZE];
    struct span words[40] = { SPAN("EVAL"), { script_request_create.body, script_request_create.body_len }, span_number(digits, (int)nkeys) };
    memcpy(words + 3, keys, nkeys * sizeof *keys);
    memcpy(words + 3 + nkeys, args, nargs * sizeof *args);
    redis_queue(app->redis, (int)(3 + nkeys + nargs), words);
}

static void add_field(struct span args[], size_t *count, const char *name, struct span value)
{
    if (value.len == 0)
        return;
    args[(*count)++] = span_of(name);
    args[(*count)++] = value;
}

/* What a writer that has no definitions, such as the Node module, must know of the service: `terms` of the guard (change.h). Nothing is
 * stored where it is what most services say, for each byte is kept by every request. */
static void add_terms(struct str *out, const struct service *service)
{
    const struct service_code *code = otp_policy(service);
    const char *last = service->step_count > 0 ? service->steps[service->step_count - 1].id : "";
    const int numbers[] = { code->length, code->seconds, code->tries_code, code->tries_request, code->cooldown_s, code->resends,
                            service->seal == SERVICE_SEAL_STRICT };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        str_addf(out, "%d ", numbers[i]);
    str_adds(out, last);
    if (strcmp(out->s, USUAL_TERMS) == 0)
        str_free(out);
}

static void queue_birth(struct app *app, const struct birth *b)
{
    struct span hash = span_of(b->hash);
    const struct key document = key_document(hash), guard = key_guard(hash), events = key_events(hash), updates = key_updates(hash),
                     watch = key_watch(app->house);
    const struct span keys[] = { key_span(&document), key_span(&guard), key_span(&events) };
    char ttl[24];
    snprintf(ttl, sizeof ttl, "%lld", app->house->request_ttl_s * 1000LL);
    struct str clock = STR_INIT, terms = STR_INIT;
    guard_add_clock(&clock, &(struct guard){ .estimate_s = b->estimate_s, .check = b->check });
    add_terms(&terms, b->n->service);
    struct span args[23] = {
        { b->document.s, b->document.len }, span_of(ttl), { b->entry.s, b->entry.len }, key_span(&updates), { b->view.s, b->view.len },
        SPAN("status"), SPAN("pending"), SPAN("revision"), SPAN("1"), SPAN("owner"), b->n->owner, SPAN("values"), span_of(b->values),
        SPAN("clock"), { clock.s, clock.len },
    };
    size_t nargs = 15;
    add_field(args, &nargs, "terms", (struct span){ terms.s, terms.len });
    add_field(args, &nargs, "user_id", b->n->user_id);
    add_field(args, &nargs, "mobile", span_of(b->mobile));
    add_field(args, &nargs, "listeners", (struct span){ b->listeners.s, b->listeners.len });
    redis_use_db(app->redis, app->main_db);
    redis_queuef(app->redis, "ZADD %b %lld %b", watch.s, watch.len, (long long)(b->now_ms + NEW_WATCH_MS), hash.s, hash.len);
    queue_lists(app, b);
    queue_create(app, ARRAY_LEN(keys), keys, nargs, args);
    job_push_queue(app, &(struct job_new){ .id = b->hash, .type = "service", .request_hash = b->hash, .user_id = b->n->user_id.s });
    str_free(&clock);
    str_free(&terms);
}

/* The same submission was made before, its request has expired, and its job is still remembered: it goes, and is pushed anew. Its runs are
 * counted on, so that an old one stays an old one. */
static int push_anew(struct app *app, const struct birth *b, struct err *err)
{
    struct key data = key_job(app->house, SPAN(JOB_QUEUE_DEFAULT), span_of(b->hash));
    redis_use_db(app->redis, app->main_db);
    const struct reply *run = redis_do(app->redis, err, "HGET %b run", data.s, data.len);
    if (!run)
        return -1;
    struct job_new job = { .id = b->hash,
                           .type = "service",
                           .request_hash = b->hash,
                           .user_id = b->n->user_id.s,
                           .run = reply_int(run, 0) };
    redis_postf(app->redis, "DEL %b", data.s, data.len);
    return job_push(app, &job, NULL, err) < 0 ? -1 : 0;
}

static int take_birth(struct app *app, const struct birth *b, struct err *err)
{
    const struct reply *replies;
    size_t count;
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    const struct reply *made = &replies[count - 2];
    bool is_made = made->count == 2 && made->item[0].integer == 1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    if (made->count != 2)
        return err_set(err, ERR_FAILED, "request_create.lua gave an answer that is not known here");
    if (is_made) {
        bool pushed = replies[count - 1].integer == 1;
        return pushed || push_anew(app, b, err) == 0 ? 1 : -1;
    }
    if (b->n->key_is_exclusive && !span_is(reply_text(&made->item[1]), b->values))
        return err_set(err, ERR_STATE, "this Idempotency-Key was used for other values");
    return 0;
}

/* How long it will take, and whether a code may be sent there. 0 or -1. */
static int prepare(struct app *app, struct birth *b, struct err *err)
{
    bool counted = otp_mobile(app, b->n->service, b->n->data, b->mobile);
    size_t own = ESTIMATE_REPLIES + (counted ? LIMIT_REPLIES : 0), count;
    struct limit_thing thing = { .count = 1 };
    const struct limit_thing *const things = &thing;
    struct limit_verdict verdict;
    const struct reply *replies;
    if (counted) {
        thing.bucket[0] = limit_bucket(app->house, LIMIT_MOBILE, LIMIT_BY_MOBILE, b->mobile);
        thing.bucket[0].once = span_of(b->hash);
        limit_queue(app, &things, 1);
    }
    estimate_queue(app, b->n->service);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count - own; i++) /* what the caller had queued before */
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    if (counted && limit_take(&things, 0, replies + count - own, &verdict, err) <= 0)
        return -1;
    b->now_ms = house_now_ms(app->house); /* known by now, also to the first request of a process */
    b->estimate_s = estimate_take(b->n->service, replies + count - ESTIMATE_REPLIES, err);
    return b->estimate_s < 0 ? -1 : 0;
}

int request_create(struct app *app, const struct request_new *n, char hash[HASH_SIZE], struct err *err)
{
    char values[17];
    struct birth b = { .n = n, .hash = hash, .values = values, .document = STR_INIT, .entry = STR_INIT, .view = STR_INIT, .listeners = STR_INIT };
    make_hash(app, n, hash, values);
    int result = -1;
    if (prepare(app, &b, err) == 0 && describe(app, &b, err) == 0) {
        queue_birth(app, &b);
        result = take_birth(app, &b, err);
    }
    str_free(&b.document);
    str_free(&b.entry);
    str_free(&b.view);
    str_free(&b.listeners);
    return result;
}

/* --- listing --- */

/* Hashes of a list that are not among those found already; room for two lists. */
static size_t keep_hashes(const struct reply *list, char hashes[][HASH_SIZE], size_t found)
{
    size_t before = found;
    for (size_t i = 0; i < list->count && found < before + REQUEST_LISTED; i++) {
        struct span hash = reply_text(&list->item[i]);
        size_t same = 0;
        while (same < before && keys_is_hash(hash) && memcmp(hashes[same], hash.s, HASH_LEN) != 0)
            same++;
        if (keys_is_hash(hash) && same == before)
            memcpy(hashes[found++], hash.s, HASH_LEN);
    }
    return found;
}

/* Number of hashes that lead to the owner's requests and to the user's, or -1. */
static int read_lists(struct app *app, struct span owner, struct span user_id, char hashes[][HASH_SIZE], struct err *err)
{
    struct key lists[] = { key_owner(app->house, owner), key_user_requests(app->house, user_id) };
    size_t wanted = user_id.len > 0 ? 2 : 1, found = 0, count;
    const struct reply *replies;
    redis_use_db(app->redis, app->main_db);
    for (size_t i = 0; i < wanted; i++)
        redis_queuef(app->redis, "LRANGE %b 0 %d", lists[i].s, lists[i].len, REQUEST_LISTED - 1);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < wanted; i++) {
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
        found = keep_hashes(&replies[i], hashes, found);
    }
    return (int)found;
}

/* Times of documents are all written alike. */
static bool is_newer(const struct request *a, const struct request *b)
{
    struct span one = a->doc.field[DOC_STARTED], two = b->doc.field[DOC_STARTED];
    size_t len = one.len < two.len ? one.len : two.len;
    return len > 0 && memcmp(one.s, two.s, len) > 0;
}

/* Newest first; those of one moment stay as they stood. */
static void sort(const struct request *list[], size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && is_newer(list[k], list[k - 1]); k--) {
            const struct request *moved = list[k];
            list[k] = list[k - 1];
            list[k - 1] = moved;
        }
}

int request_each_of(struct app *app, struct span owner, struct span user_id, void (*fn)(void *ctx, const struct request *rq), void *ctx,
                    struct err *err)
{
    char hashes[2 * REQUEST_LISTED][HASH_SIZE] = { "" };
    const struct reply *replies;
    size_t count = 0, kept = 0;
    int found = read_lists(app, owner, user_id, hashes, err);
    if (found <= 0)
        return found;
    for (int i = 0; i < found; i++)
        request_queue(app, span_of(hashes[i]));
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    struct request *list = xcalloc((size_t)found, sizeof *list);
    const struct request *order[2 * REQUEST_LISTED];
    for (size_t i = 0; i < (size_t)found; i++) {
        bool foreign;
        if (request_take(app, span_of(hashes[i]), replies + i * REQUEST_REPLIES, &list[kept], &foreign, NULL) == 1 &&
            request_belongs(&list[kept], owner, user_id)) {
            order[kept] = &list[kept];
            kept++;
        }
    }
    sort(order, kept);
    for (size_t i = 0; i < kept && i < REQUEST_LISTED; i++)
        fn(ctx, order[i]);
    free(list);
    return 0;
}
