/* cache_peek.c: the cheap look into the cache */
#include "core/cache_peek.h"

#include "base/clock.h"
#include "core/keys.h"

enum { BESIDE, ENDS, VALUE, STAMPS };
enum { TELL_EVERY_MS = 1000 };

/* --- counting --- */

static void post(struct app *app, struct cache_tally *t, int64_t now_ms)
{
    const struct key stats = key_cache_stats(app->house);

    if (t->hits > 0) {
        redis_use_db(app->cache_redis, app->cache_db);
        redis_postf(app->cache_redis, "HINCRBY %b %s:hits %lld", stats.s, stats.len, t->prefix, (long long)t->hits);
    }
    t->hits = 0;
    t->told_ms = now_ms;
}

void cache_tally_rest(struct app *app, struct cache_tally *t, bool leaving)
{
    int64_t now_ms = t->hits > 0 ? clock_mono_ms() : 0;

    if (t->hits > 0 && (leaving || now_ms - t->told_ms >= TELL_EVERY_MS))
        post(app, t, now_ms);
}

static void hit(struct app *app, struct cache_tally *t, struct span key)
{
    size_t len = 0;

    while (len < key.len && len + 1 < sizeof t->prefix && key.s[len] != '_' && key.s[len] != ':')
        len++;
    if (!span_is((struct span){ key.s, len }, t->prefix)) {
        post(app, t, t->told_ms);
        memcpy(t->prefix, key.s, len);
        t->prefix[len] = '\0';
    }
    t->hits++;
}

/* --- looking --- */

/* The value last: what is put between the first and it is newer, and no worse. What is invalidated in between shows in the stamps, which come
 * behind all. */
size_t cache_peek_queue(struct app *app, struct span key, const struct cache_tags *tags)
{
    const struct house *h = app->house;
    const struct key beside = key_cache(h, "fresh:", key), value = key_cache(h, "", key);

    redis_use_db(app->cache_redis, app->cache_db);
    redis_queue(app->cache_redis, 2, (const struct span[]){ SPAN("HGETALL"), key_span(&beside) });
    redis_queue(app->cache_redis, 2, (const struct span[]){ SPAN("PTTL"), key_span(&value) });
    redis_queue(app->cache_redis, 2, (const struct span[]){ SPAN("GET"), key_span(&value) });
    for (size_t i = 0; i < tags->count; i++) {
        const struct key tag = key_cache(h, "tag:", tags->tag[i]);
        redis_queue(app->cache_redis, 2, (const struct span[]){ SPAN("GET"), key_span(&tag) });
    }
    return STAMPS + tags->count;
}

/* Is "tag:NAME" one of the tags whose stamps were read, with this very stamp? */
static bool bears(const struct cache_tags *tags, const struct reply stamps[], struct span field, struct span stamp)
{
    const size_t skip = sizeof "tag:" - 1;

    for (size_t i = 0; i < tags->count; i++)
        if (span_eq(tags->tag[i], (struct span){ field.s + skip, field.len - skip }))
            return reply_text(&stamps[i]).s && span_eq(reply_text(&stamps[i]), stamp);
    return false;
}

/* Of an entry that is whole and valid: when it was put and until when it is fresh, in ms since 1970. */
static bool read_beside(const struct cache_tags *tags, const struct reply replies[], int64_t *at, int64_t *fresh)
{
    const struct reply *list = &replies[BESIDE];

    *at = *fresh = 0;
    for (size_t i = 0; i + 1 < list->count; i += 2) {
        struct span field = reply_text(&list->item[i]);

        if (span_is(field, "at"))
            *at = reply_int(&list->item[i + 1], 0);
        else if (span_is(field, "fresh"))
            *fresh = reply_int(&list->item[i + 1], 0);
        else if (field.len > 4 && memcmp(field.s, "tag:", 4) == 0 && !bears(tags, replies + STAMPS, field, reply_text(&list->item[i + 1])))
            return false;
    }
    return *at > 0 && *fresh > 0;
}

bool cache_peek_take(struct app *app, struct span key, const struct cache_tags *tags, const struct reply replies[],
                     struct cache_tally *tally, struct cache_entry *out)
{
    int64_t now_ms = redis_server_now_ms(app->house->cache_server), at, fresh;

    *out = (struct cache_entry){ .value = reply_text(&replies[VALUE]) };
    if (!out->value.s || !read_beside(tags, replies, &at, &fresh) || fresh <= now_ms)
        return false;
    out->age_ms = now_ms > at ? now_ms - at : 0;
    out->fresh_ms = fresh - now_ms;
    out->ends_ms = reply_int(&replies[ENDS], 0);
    hit(app, tally, key);
    return true;
}
