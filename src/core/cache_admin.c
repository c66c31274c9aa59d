/* cache_admin.c: the cache looked after: forgotten, invalidated, cleared, counted */
#include "core/cache.h"

#include "core/keys.h"
#include "scripts.h"

#define STEP 500 /* keys that SCAN looks at in one go */

static struct redis *cache_redis(struct app *app)
{
    redis_use_db(app->cache_redis, app->cache_db);
    return app->cache_redis;
}

/* The sum of the last `count` replies of the exchange; -1 with *err. */
static int64_t sum(struct app *app, size_t count, struct err *err)
{
    const struct reply *replies;
    int64_t total = 0;
    size_t got;

    if (count == 0)
        return 0;
    if (redis_exchange(app->cache_redis, &replies, &got, err) < 0)
        return -1;
    for (size_t i = got - count; i < got; i++) {
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
        total += replies[i].integer;
    }
    return total;
}

int64_t cache_forget(struct app *app, const struct span keys[], size_t count, struct err *err)
{
    const struct key base = key_cache(app->house, "", SPAN(""));
    const struct span arg = key_span(&base);

    for (size_t i = 0; i < count; i++) {
        const struct key key[] = { key_cache(app->house, "", keys[i]), key_cache(app->house, "fresh:", keys[i]),
                                   key_cache(app->house, "claim:", keys[i]) };
        const struct span names[] = { key_span(&key[0]), key_span(&key[1]), key_span(&key[2]) };
        redis_queue_script(cache_redis(app), &script_cache_forget, ARRAY_LEN(names), names, 1, &arg);
    }
    return sum(app, count, err);
}

int64_t cache_invalidate(struct app *app, const struct span tags[], size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct key key = key_cache(app->house, "tag:", tags[i]);
        const struct span name = key_span(&key);
        redis_queue_script(cache_redis(app), &script_cache_invalidate, 1, &name, 0, NULL);
    }
    return sum(app, count, err);
}

/* --- clearing --- */

struct clearing {
    size_t base_len; /* of P:cache: */
    bool all, only_count;
};

/* What a step of SCAN found: entries are forgotten, and with them what lies beside them; of the rest, when all is cleared, nothing stays.
 * How many entries, or -1. */
static int64_t clear_step(struct app *app, const struct clearing *c, const struct reply *found, struct err *err)
{
    struct span *entries = xcalloc(found->count + 1, sizeof *entries);
    int64_t gone;
    size_t count = 0;

    for (size_t i = 0; i < found->count; i++) {
        const struct span key = reply_text(&found->item[i]), name = { key.s + c->base_len, key.len - c->base_len };

        if (cache_check_key(name, NULL) == 0)
            entries[count++] = name;
        else if (c->all && !c->only_count)
            redis_post(cache_redis(app), 2, (const struct span[]){ SPAN("DEL"), key });
    }
    gone = c->only_count ? (int64_t)count : cache_forget(app, entries, count, err);
    redis_flush(app->cache_redis);
    free(entries);
    return gone;
}

int64_t cache_clear(struct app *app, struct span prefix, bool only_count, struct err *err)
{
    const struct key base = key_cache(app->house, "", SPAN("")), pattern = key_cache(app->house, "", prefix);
    const struct clearing c = { .base_len = base.len, .all = prefix.len == 0, .only_count = only_count };
    char cursor[NUMBER_SIZE] = "0";
    int64_t total = 0;

    do {
        const struct reply *reply;
        int64_t gone;

        redis_use_db(app->cache_redis, app->cache_db);
        reply = redis_do(app->cache_redis, err, "SCAN %s MATCH %s* COUNT %d", cursor, pattern.s, STEP);
        if (!reply)
            return -1;
        if (reply->count != 2)
            return err_set(err, ERR_FAILED, "Redis answered SCAN with %zu values instead of 2.", reply->count);
        snprintf(cursor, sizeof cursor, "%s", reply_text(&reply->item[0]).s);
        gone = clear_step(app, &c, &reply->item[1], err);
        if (gone < 0)
            return -1;
        total += gone;
    } while (strcmp(cursor, "0") != 0);
    return total;
}

/* --- counting --- */

static const struct {
    const char *name;
    size_t offset; /* in struct cache_counts */
} counters[] = {
    { "hits", offsetof(struct cache_counts, hits) },
    { "misses", offsetof(struct cache_counts, misses) },
    { "sets", offsetof(struct cache_counts, sets) },
    { "evictions", offsetof(struct cache_counts, evictions) },
};

static int by_prefix(const void *a, const void *b)
{
    const struct span left = ((const struct cache_counts *)a)->prefix, right = ((const struct cache_counts *)b)->prefix;
    int order = memcmp(left.s, right.s, left.len < right.len ? left.len : right.len);

    return order ? order : (left.len > right.len) - (left.len < right.len);
}

static struct cache_counts *of_prefix(struct cache_counts *list, size_t *count, struct span prefix)
{
    for (size_t i = 0; i < *count; i++)
        if (span_eq(list[i].prefix, prefix))
            return &list[i];
    list[*count] = (struct cache_counts){ .prefix = prefix };
    return &list[(*count)++];
}

/* prefix:counter and its number; what is none of ours is passed over. */
static void add(struct cache_counts *list, size_t *count, struct span field, const struct reply *number)
{
    const char *colon = memrchr(field.s, ':', field.len);
    const struct span prefix = { field.s, colon ? (size_t)(colon - field.s) : 0 };

    for (size_t i = 0; colon && i < ARRAY_LEN(counters); i++)
        if (strcmp(colon + 1, counters[i].name) == 0)
            *(int64_t *)((char *)of_prefix(list, count, prefix) + counters[i].offset) = reply_int(number, 0);
}

int cache_hit_percent(const struct cache_counts *counts)
{
    int64_t looks = counts->hits + counts->misses;

    return looks > 0 ? (int)(100 * counts->hits / looks) : -1;
}

int cache_stats(struct app *app, void (*tell)(void *ctx, const struct cache_counts *counts), void *ctx, struct err *err)
{
    const struct key key = key_cache_stats(app->house);
    const struct reply *reply = redis_do(cache_redis(app), err, "HGETALL %b", key.s, key.len);
    struct cache_counts *list;
    size_t count = 0;

    if (!reply)
        return -1;
    list = xcalloc(reply->count / 2 + 1, sizeof *list);
    for (size_t i = 0; i + 1 < reply->count; i += 2)
        add(list, &count, reply_text(&reply->item[i]), &reply->item[i + 1]);
    qsort(list, count, sizeof *list, by_prefix);
    for (size_t i = 0; i < count; i++)
        tell(ctx, &list[i]);
    free(list);
    return 0;
}
