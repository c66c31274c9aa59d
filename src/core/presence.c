/* presence.c: who is online, and who was when. */
#include "core/presence.h"

#include "base/clock.h"
#include "base/digest.h"
#include "core/keys.h"
#include "scripts.h"

#include <stdatomic.h>

#define PLACES 4096           /* by the last bits of a user's digest: a power of two */
#define PERIOD_BITS 0xffffff  /* of a place: in which period of PRESENCE_QUIET_MS; the others are the first of the digest */

struct presence_memo {
    atomic_uint_least64_t place[PLACES];
};

struct presence_memo *presence_memo_new(void)
{
    return xcalloc(1, sizeof(struct presence_memo));
}

void presence_memo_free(struct presence_memo *memo)
{
    free(memo);
}

/* The first to ask in this period? Of several threads one is. */
static bool is_first(struct presence_memo *memo, struct span user_id)
{
    uint64_t digest = digest_short(user_id.s, user_id.len);
    uint64_t period = (uint64_t)(clock_mono_ms() / PRESENCE_QUIET_MS);
    uint64_t now = (digest & ~(uint64_t)PERIOD_BITS) | (period & PERIOD_BITS);
    atomic_uint_least64_t *place = &memo->place[digest % PLACES];

    return atomic_load_explicit(place, memory_order_relaxed) != now && atomic_exchange(place, now) != now;
}

static struct redis *main_redis(struct app *app)
{
    redis_use_db(app->redis, app->main_db);
    return app->redis;
}

void presence_touch(struct app *app, struct span user_id)
{
    if (user_id.len == 0 || !is_first(app->house->presence, user_id))
        return;
    const struct key user = key_presence(app->house, user_id), seen = key_presence_seen(app->house);
    char online[NUMBER_SIZE], kept[NUMBER_SIZE];
    const struct span keys[] = { key_span(&user), key_span(&seen) };
    const struct span args[] = { user_id, span_number(online, PRESENCE_ONLINE_MS), span_number(kept, PRESENCE_KEPT_MS) };
    redis_post_script(main_redis(app), &script_presence_touch, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
}

/* --- reading --- */

static void queue_read(struct app *app, const struct span users[], size_t count)
{
    const struct key seen = key_presence_seen(app->house);
    struct span words[2 + PRESENCE_USERS] = { SPAN("ZMSCORE"), key_span(&seen) };
    struct redis *r = main_redis(app);

    for (size_t i = 0; i < count; i++) {
        const struct key user = key_presence(app->house, users[i]);
        redis_queue(r, 2, (const struct span[]){ SPAN("EXISTS"), key_span(&user) });
        words[2 + i] = users[i];
    }
    redis_queue(r, (int)(2 + count), words);
}

int presence_read(struct app *app, const struct span users[], size_t count, struct presence out[], struct err *err)
{
    const int64_t forgotten_ms = house_now_ms(app->house) - PRESENCE_KEPT_MS; /* where nobody has trimmed yet */
    const struct reply *replies, *seen;
    size_t got;

    if (count == 0)
        return 0;
    queue_read(app, users, count);
    if (redis_exchange(app->redis, &replies, &got, err) < 0)
        return -1;
    for (size_t i = 0; i < got; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    seen = &replies[got - 1];
    for (size_t i = 0; i < count; i++) {
        int64_t seen_ms = i < seen->count ? reply_int(&seen->item[i], 0) : 0;
        out[i] = (struct presence){ .online = reply_int(&replies[i], 0) > 0, .seen_ms = seen_ms > forgotten_ms ? seen_ms : 0 };
    }
    return 0;
}
