/* tally.c: counting in the process, telling Redis now and then */
#include "core/tally.h"

#include "base/clock.h"
#include "core/keys.h"

#include <stdatomic.h>

#define TELL_MS 1000

const char *const tally_names[TALLIES] = { [TALLY_SESSIONS_MADE] = "made", [TALLY_SESSIONS_CHECKED] = "checked" };
static const bool rare[TALLIES] = { [TALLY_SESSIONS_MADE] = true }; /* told at once */

struct tallies {
    atomic_int_least64_t count[TALLIES]; /* not told yet */
    atomic_int_least64_t told_ms;
};

struct tallies *tallies_new(void)
{
    return xcalloc(1, sizeof(struct tallies));
}

void tallies_free(struct tallies *t)
{
    free(t);
}

static void tell(struct app *app, struct tallies *t)
{
    const struct key k = key_session_stats(app->house);

    for (int i = 0; i < TALLIES; i++) {
        int64_t n = atomic_exchange(&t->count[i], 0);
        redis_use_db(app->redis, app->main_db);
        if (n > 0)
            redis_postf(app->redis, "HINCRBY %b %s %lld", k.s, k.len, tally_names[i], (long long)n);
    }
}

void tally_count(struct app *app, enum tally which)
{
    struct tallies *t = app->house->tallies;
    int64_t now_ms = clock_mono_ms(), told_ms = atomic_load_explicit(&t->told_ms, memory_order_relaxed);

    atomic_fetch_add_explicit(&t->count[which], 1, memory_order_relaxed);
    if (rare[which] || (now_ms - told_ms >= TELL_MS && atomic_compare_exchange_strong(&t->told_ms, &told_ms, now_ms)))
        tell(app, t);
}

int tally_read(struct app *app, int64_t out[TALLIES], struct err *err)
{
    const struct key k = key_session_stats(app->house);
    const struct reply *reply;

    redis_use_db(app->redis, app->main_db);
    reply = redis_do(app->redis, err, "HMGET %b %s %s", k.s, k.len, tally_names[0], tally_names[1]);
    if (!reply)
        return -1;
    for (size_t i = 0; i < TALLIES; i++)
        out[i] = i < reply->count ? reply_int(&reply->item[i], 0) : 0;
    return 0;
}
