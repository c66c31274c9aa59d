/* cachehouse.h: what tests of the cache share: a house, two connections, short words for putting and looking. */
#ifndef PEYGIR_UNIT_CACHEHOUSE_H
#define PEYGIR_UNIT_CACHEHOUSE_H

#include "core/cache.h"
#include "tests/unit/jobhouse.h"

#define CLAIM_MS 20000

static struct app app, other;
static struct err err;

static inline int open_house(void **state)
{
    (void)state;
    house_start();
    return 0;
}

static inline int close_house(void **state)
{
    (void)state;
    house_stop();
    return 0;
}

static inline int enter(void **state)
{
    (void)state;
    server_start();
    server_flush();
    house_enter(0);
    app_open(&app, &house);
    app_open(&other, &house);
    err = (struct err)ERR_INIT;
    return 0;
}

static inline int leave(void **state)
{
    (void)state;
    app_close(&app);
    app_close(&other);
    house_leave();
    return 0;
}

/* Of database 1, where the cache is. */
#define CACHED(...) REDIS_CLI("-n", "1", __VA_ARGS__)
#define CACHE_RUN(...) free(CACHED(__VA_ARGS__))
#define assert_cached(expected, ...) assert_redis(expected, "-n", "1", __VA_ARGS__)
#define CACHE_NUMBER(...) REDIS_NUMBER("-n", "1", __VA_ARGS__)

static const struct cache_tags no_tags, one_tag = { { SPAN_INIT("prices") }, 1 }, two_tags = { { SPAN_INIT("prices"), SPAN_INIT("coins") }, 2 };

static inline int put(const char *key, const char *value, int64_t fresh_ms, int64_t stale_ms, const struct cache_tags *tags, const char *claim)
{
    const struct cache_new n = { .value = span_of(value), .fresh_ms = fresh_ms, .stale_ms = stale_ms, .tags = tags, .claim = claim };

    return cache_put(&app, span_of(key), &n, &err);
}

static inline void put_for_a_minute(const char *key, const char *value, const struct cache_tags *tags)
{
    assert_int_equal(put(key, value, 60000, 60000, tags, NULL), 1);
}

/* As time passes. */
static inline void make_stale(const char *key)
{
    char *beside = xasprintf("peygir:cache:fresh:%s", key);

    CACHE_RUN("HSET", beside, "fresh", "1");
    free(beside);
}

static inline struct cache_entry look(const char *key)
{
    struct cache_entry entry;
    int found = cache_look(&app, span_of(key), NULL, &entry, &err);

    assert_int_equal(found, entry.value.s != NULL);
    return entry;
}

static inline void value_is(const char *key, const char *value)
{
    struct cache_entry entry = look(key);

    if (value)
        assert_true(span_is(entry.value, value));
    else
        assert_null(entry.value.s);
}

static inline struct cache_entry claim_for(struct app *a, const char *key, enum cache_claim when, const struct cache_tags *tags)
{
    const struct cache_want want = { .claim = when, .claim_ms = CLAIM_MS, .tags = tags };
    struct cache_entry entry;

    assert_true(cache_look(a, span_of(key), &want, &entry, &err) >= 0);
    return entry;
}

static inline void counted(const char *field, const char *n)
{
    assert_cached(n, "HGET", "peygir:stats:cache", field);
}

#endif
