/* job_check.c: does every job stand in exactly one place? First everything is gone through in pieces, while the queue
 * lives on: what looks wrong is only suspected, for a job may have moved between two pieces. A moment later the list is
 * gone through again, and what is still suspected is judged, and repaired, by a script that sees all places at once. */
#include "core/job_look.h"

#include "scripts.h"

#include <errno.h>
#include <time.h>

#define SLICE 500         /* jobs judged in one script, ids listed in one exchange */
#define MOMENT_MS 100     /* a producer that writes data and list one after the other has done both by then */
#define LIST_STEPS 500000 /* entries of the list that one script goes through at most, looking for several ids */

const char *const job_faults[JOB_FAULTS] = {
    [JOB_FAULT_ACTIVE_WITHOUT_LEASE] = "Its data says that it is being carried out, but nobody has leased it.",
    [JOB_FAULT_LEASE_WITHOUT_JOB] = "It is leased, but it is gone or has ended.",
    [JOB_FAULT_LISTED_WITHOUT_DATA] = "It waits, but has no data: it will run as type default.",
    [JOB_FAULT_LISTED_TWICE] = "It is on more than one of the lists.",
    [JOB_FAULT_IN_NO_SET] = "Its data says that it waits, but it is on none of the lists.",
};

/* --- which ids the list has, and whether twice: by a hash of 64 bits, whose two lowest are the count --- */

struct listed {
    uint64_t *at;
    size_t size, count; /* size is a power of two */
};

static uint64_t hash_of(struct span id)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < id.len; i++)
        h = (h ^ (unsigned char)id.s[i]) * UINT64_C(1099511628211);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    h ^= h >> 32;
    return h << 2;
}

static uint64_t *place_for(const struct listed *l, uint64_t hash)
{
    size_t i = (size_t)(hash >> 2) & (l->size - 1);

    while (l->at[i] && l->at[i] >> 2 != hash >> 2)
        i = (i + 1) & (l->size - 1);
    return &l->at[i];
}

static void grow(struct listed *l)
{
    struct listed larger = { NULL, l->size ? 2 * l->size : 1024, l->count };

    larger.at = xcalloc(larger.size, sizeof(*larger.at));
    for (size_t i = 0; i < l->size; i++)
        if (l->at[i])
            *place_for(&larger, l->at[i]) = l->at[i];
    free(l->at);
    *l = larger;
}

/* How often it was seen, this time included; 2: twice or more. */
static int note(struct listed *l, struct span id)
{
    uint64_t hash = hash_of(id), *place;

    if (2 * (l->count + 1) > l->size)
        grow(l);
    place = place_for(l, hash);
    l->count += *place == 0;
    *place = hash | (*place == 0 ? 1 : 2);
    return (int)(*place & 3);
}

static int times_listed(const struct listed *l, struct span id)
{
    return l->size ? (int)(*place_for(l, hash_of(id)) & 3) : 0;
}

static void forget_listed(struct listed *l)
{
    free(l->at);
    *l = (struct listed){ NULL, 0, 0 };
}

/* --- judging --- */

struct ids {
    char **at;
    size_t count, room;
};

static void add_id(struct ids *ids, struct span id)
{
    if (ids->count == ids->room) {
        ids->room = ids->room ? 2 * ids->room : 64;
        ids->at = xreallocarray(ids->at, ids->room, sizeof(*ids->at));
    }
    ids->at[ids->count++] = xmemdupz(id.s ? id.s : "", id.len);
}

static void drop_ids(struct ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        free(ids->at[i]);
    free(ids->at);
    *ids = (struct ids){ NULL, 0, 0 };
}

struct check {
    struct app *app;
    const char *queue;
    struct listed listed;
    struct ids suspects;
    int64_t looked_at;
};

enum judging { BY_NOTES /* the list as it was gone through */, BY_LOOKING, REPAIRING };

/* The faults of up to SLICE jobs, borrowed; NULL. */
static const struct reply *judge(struct check *c, char *const ids[], size_t count, enum judging how, struct err *err)
{
    static const char *const times[] = { "0", "1", "2", "2" };
    struct span *args = xreallocarray(NULL, JOB_PART_ARGS + 2 + 2 * count, sizeof(*args)), *own = args + JOB_PART_ARGS;
    char digits[NUMBER_SIZE];
    const struct reply *faults;

    own[0] = span_number(digits, JOB_LEASE_MS);
    own[1] = how == REPAIRING ? SPAN("repair") : SPAN("");
    for (size_t i = 0; i < count; i++) {
        own[2 + 2 * i] = span_of(ids[i]);
        own[3 + 2 * i] = how == BY_NOTES ? span_of(times[times_listed(&c->listed, span_of(ids[i]))]) : SPAN("?");
    }
    job_part_script(c->app, c->queue, &script_job_check, args, (int)(JOB_PART_ARGS + 2 + 2 * count));
    free(args);
    faults = job_part_exchange(c->app, err);
    if (faults && faults->count != count) {
        err_set(err, ERR_FAILED, "job_check.lua gave an answer that is not known here.");
        return NULL;
    }
    return faults;
}

/* Suspect those that look wrong. 0 or -1. */
static int suspect(struct check *c, const struct ids *ids, struct ids *suspects, struct err *err)
{
    for (size_t first = 0; first < ids->count; first += SLICE) {
        size_t count = ids->count - first < SLICE ? ids->count - first : SLICE;
        const struct reply *faults = judge(c, ids->at + first, count, BY_NOTES, err);
        if (!faults)
            return -1;
        for (size_t i = 0; i < count; i++)
            if (reply_int(&faults->item[i], 0) > 0)
                add_id(suspects, span_of(ids->at[first + i]));
    }
    return 0;
}

/* --- going through everything --- */

/* One page of a SCAN or ZSCAN: every `step`th entry without its first `skip` bytes. 0: the last one; 1; -1. */
static int take_page(const struct reply *page, size_t step, size_t skip, char cursor[NUMBER_SIZE], struct ids *ids)
{
    if (!page || page->count != 2)
        return -1;
    snprintf(cursor, NUMBER_SIZE, "%.*s", (int)reply_text(&page->item[0]).len, reply_text(&page->item[0]).s);
    for (size_t i = 0; i < page->item[1].count; i += step) {
        struct span id = reply_text(&page->item[1].item[i]);
        if (id.len >= skip)
            add_id(ids, (struct span){ id.s + skip, id.len - skip });
    }
    return strcmp(cursor, "0") != 0;
}

/* Of these listed ids those that are listed twice or have no data. 0 or -1. */
static int suspect_listed(struct check *c, const struct ids *ids, struct err *err)
{
    const struct reply *replies;
    size_t count;

    for (size_t i = 0; i < ids->count; i++) {
        const struct key data = job_part_data(c->app, c->queue, ids->at[i]);
        redis_queuef(job_part_redis(c->app), "EXISTS %b", data.s, data.len);
    }
    replies = ids->count > 0 ? job_look_exchange(c->app, &count, err) : NULL;
    for (size_t i = 0; replies && i < ids->count; i++)
        if (reply_int(&replies[i], 0) == 0 || times_listed(&c->listed, span_of(ids->at[i])) > 1)
            add_id(&c->suspects, span_of(ids->at[i]));
    return replies || ids->count == 0 ? 0 : -1;
}

/* From the newest to the oldest: pushes only make ids be seen twice. */
static int walk_list(struct check *c, bool judging, struct err *err)
{
    const struct key list = job_part_key(c->app, c->queue, "queue");
    size_t got = 0;
    int rc = 0;

    forget_listed(&c->listed);
    for (long long first = 0; rc == 0; first += (long long)got) {
        const struct reply *slice =
            redis_do(job_part_redis(c->app), err, "LRANGE %b %lld %lld", list.s, list.len, first, first + SLICE - 1);
        struct ids ids = { NULL, 0, 0 };
        if (!slice)
            return -1;
        got = slice->count;
        for (size_t i = 0; i < got; i++) {
            note(&c->listed, reply_text(&slice->item[i]));
            if (judging)
                add_id(&ids, reply_text(&slice->item[i]));
        }
        rc = suspect_listed(c, &ids, err);
        drop_ids(&ids);
        if (got == 0)
            break;
    }
    return rc;
}

static int walk_set(struct check *c, const char *part, struct err *err)
{
    const struct key set = job_part_key(c->app, c->queue, part);
    char cursor[NUMBER_SIZE] = "0";
    int more, rc;

    do {
        struct ids ids = { NULL, 0, 0 };
        more = take_page(redis_do(job_part_redis(c->app), err, "ZSCAN %b %s COUNT %d", set.s, set.len, cursor, SLICE),
                         2, 0, cursor, &ids);
        rc = more < 0 ? -1 : suspect(c, &ids, &c->suspects, err);
        drop_ids(&ids);
    } while (rc == 0 && more);
    return rc;
}

static int walk_data(struct check *c, struct err *err)
{
    const struct key prefix = job_part_data(c->app, c->queue, "");
    struct str pattern = STR_INIT;
    char cursor[NUMBER_SIZE] = "0";
    int more, rc;

    job_look_pattern(&pattern, key_span(&prefix), "*");
    do {
        struct ids ids = { NULL, 0, 0 };
        more = take_page(redis_do(job_part_redis(c->app), err, "SCAN %s MATCH %b COUNT %d", cursor, pattern.s,
                                  pattern.len, SLICE),
                         1, prefix.len, cursor, &ids);
        c->looked_at += (int64_t)ids.count;
        rc = more < 0 ? -1 : suspect(c, &ids, &c->suspects, err);
        drop_ids(&ids);
    } while (rc == 0 && more);
    str_free(&pattern);
    return rc;
}

static int walk_all(struct check *c, struct err *err)
{
    static const char *const sets[] = { "priority", "delayed", "active", "failed" };

    if (walk_list(c, true, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (walk_set(c, sets[i], err) < 0)
            return -1;
    return walk_data(c, err);
}

/* --- the suspects --- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void drop_repeated(struct ids *ids)
{
    size_t kept = 0;

    if (ids->count > 1)
        qsort(ids->at, ids->count, sizeof(*ids->at), by_text);
    for (size_t i = 0; i < ids->count; i++)
        if (kept > 0 && strcmp(ids->at[kept - 1], ids->at[i]) == 0)
            free(ids->at[i]);
        else
            ids->at[kept++] = ids->at[i];
    ids->count = kept;
}

static void wait_a_moment(void)
{
    struct timespec left = { 0, MOMENT_MS * 1000000L };

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

/* Those that look wrong once more. 0 or -1. */
static int suspect_again(struct check *c, struct err *err)
{
    struct ids still = { NULL, 0, 0 };
    int rc;

    wait_a_moment();
    rc = walk_list(c, false, err) < 0 || suspect(c, &c->suspects, &still, err) < 0 ? -1 : 0;
    drop_ids(&c->suspects);
    c->suspects = still;
    return rc;
}

/* How many are judged at once, so that no script holds Redis up. */
static size_t judged_at_once(const struct check *c)
{
    size_t count = LIST_STEPS / (c->listed.count + 1);

    return count < 1 ? 1 : count > SLICE ? SLICE : count;
}

static int convict(struct check *c, bool repair, void (*fn)(void *ctx, enum job_fault fault, const char *id), void *ctx,
                   struct job_faults_found *out, struct err *err)
{
    size_t at_once = judged_at_once(c);

    for (size_t first = 0; first < c->suspects.count; first += at_once) {
        size_t count = c->suspects.count - first < at_once ? c->suspects.count - first : at_once;
        const struct reply *faults = judge(c, c->suspects.at + first, count, repair ? REPAIRING : BY_LOOKING, err);
        int64_t fault[SLICE];
        if (!faults)
            return -1;
        for (size_t i = 0; i < count; i++) /* kept: fn may use the connection */
            fault[i] = reply_int(&faults->item[i], 0) - 1;
        for (size_t i = 0; i < count; i++) {
            if (fault[i] < 0 || fault[i] >= JOB_FAULTS)
                continue;
            out->found[fault[i]]++;
            out->repaired[fault[i]] += repair;
            if (fn)
                fn(ctx, (enum job_fault)fault[i], c->suspects.at[first + i]);
        }
    }
    return 0;
}

int job_check(struct app *app, const char *queue, bool repair,
              void (*fn)(void *ctx, enum job_fault fault, const char *id), void *ctx, struct job_faults_found *out,
              struct err *err)
{
    struct check c = { .app = app, .queue = queue };
    int rc = walk_all(&c, err);

    *out = (struct job_faults_found){ .looked_at = c.looked_at };
    drop_repeated(&c.suspects);
    if (rc == 0 && c.suspects.count > 0)
        rc = suspect_again(&c, err);
    if (rc == 0)
        rc = convict(&c, repair, fn, ctx, out, err);
    forget_listed(&c.listed);
    drop_ids(&c.suspects);
    return rc;
}
