/* cache_compute.c: what many ask for at once is computed once */
#include "core/cache.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/keys.h"

#define SLICE_MS 1000 /* an eviction may take the word away that the claim is over */

/* Until the claim is over, or for a while. */
static int await(struct app *app, const struct cache_entry *entry, int64_t left_ms, struct err *err)
{
    const struct key done = key_cache(app->house, "done:", entry->held);
    int64_t wait_ms = entry->wait_ms < left_ms ? entry->wait_ms : left_ms;
    const struct reply *replies;
    char digits[NUMBER_SIZE];
    size_t count;

    wait_ms = wait_ms < 1 ? 1 : wait_ms > SLICE_MS ? SLICE_MS : wait_ms;
    const struct span words[] = { SPAN("XREAD"), SPAN("BLOCK"), span_number(digits, wait_ms), SPAN("STREAMS"), key_span(&done), SPAN("0") };
    redis_use_db(app->cache_redis, app->cache_db);
    redis_queue(app->cache_redis, ARRAY_LEN(words), words);
    if (redis_exchange_blocking(app->cache_redis, (int)wait_ms, &replies, &count, err) < 0)
        return -1;
    return redis_reply_ok(&replies[count - 1], err);
}

enum find {
    FIND_VALUE,   /* it is in *out, fresh, or stale while somebody makes it anew */
    FIND_STALE,   /* a stale one is in *out, and the caller has the claim to make it anew */
    FIND_NONE,    /* there is none, and the caller has the claim */
    FIND_REFUSED, /* nor will there be: who made it has failed, or takes too long */
    FIND_AWAY     /* the cache does not answer, or does not take the value: go on without it */
};

/* Who waits looks again whenever a claim is over. */
static enum find find(struct app *app, struct span key, const struct cache_policy *p, struct str *out, char claim[CACHE_CLAIM_SIZE], struct err *err)
{
    struct cache_want want = { .claim = CACHE_CLAIM_STALE, .claim_ms = p->claim_ms, .tags = p->tags };
    const int64_t until_ms = clock_mono_ms() + p->claim_ms;
    struct cache_entry entry;

    for (;;) {
        int64_t left_ms = until_ms - clock_mono_ms();

        if (cache_look(app, key, &want, &entry, err) < 0)
            return FIND_AWAY;
        str_add_span(out, entry.value);
        memcpy(claim, entry.claim, CACHE_CLAIM_SIZE);
        if (*claim)
            return entry.value.s ? FIND_STALE : FIND_NONE;
        if (entry.value.s)
            return FIND_VALUE;
        if (entry.failed.len > 0)
            err_set(err, ERR_STATE, "%.*s could not be had a moment ago: %.*s", (int)key.len, key.s, (int)entry.failed.len, entry.failed.s);
        else if (left_ms <= 0)
            err_set(err, ERR_STATE, "%.*s is being made by somebody else, and is not ready after %lld ms", (int)key.len, key.s,
                    (long long)p->claim_ms);
        if (entry.failed.len > 0 || left_ms <= 0)
            return FIND_REFUSED;
        if (entry.held.len == 0)
            return FIND_AWAY;
        if (await(app, &entry, left_ms, err) < 0)
            return FIND_AWAY;
        want.uncounted = true;
    }
}

/* That the cache does not take the value concerns nobody else; but whoever waits is not to wait for one after the other. */
static void keep(struct app *app, struct span key, const struct cache_policy *p, const char *claim, const struct str *value)
{
    const struct cache_new n = { .value = { value->s, value->len }, .fresh_ms = p->fresh_ms, .stale_ms = p->stale_ms,
                                 .tags = p->tags, .claim = claim };
    struct err err = ERR_INIT;
    int stored = cache_put(app, key, &n, &err);

    if (stored < 0)
        cache_release(app, key, claim, SPAN(""), CACHE_FAILED_MS, NULL);
    if (stored <= 0)
        log_debug("cache: %.*s was computed and not kept: %s", (int)key.len, key.s, stored < 0 ? err.text : "it was invalidated, or took too long");
}

int cache_get_or_set(struct app *app, struct span key, const struct cache_policy *p, cache_compute *compute, void *arg, struct str *out, struct err *err)
{
    char claim[CACHE_CLAIM_SIZE] = "";
    struct str value = STR_INIT;
    struct err why = ERR_INIT;
    enum find found;

    str_reset(out);
    found = find(app, key, p, out, claim, &why);
    if (found == FIND_VALUE)
        return 1;
    str_reset(&value);
    if (found != FIND_REFUSED && compute(arg, &value, &why) == 0) {
        if (*claim)
            keep(app, key, p, claim, &value);
        str_free(out);
        *out = value;
        return 0;
    }
    str_free(&value);
    if (*claim)
        cache_release(app, key, claim, span_of(why.text), CACHE_FAILED_MS, NULL);
    if (found == FIND_STALE)
        return 1;
    if (err)
        *err = why;
    return -1;
}
