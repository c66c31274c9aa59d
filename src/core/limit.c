/* limit.c: how often anybody may do something (contract 5.3). */
#include "core/limit.h"

#include "base/address.h"
#include "base/rnd.h"
#include "core/secret.h"
#include "scripts.h"

#include <inttypes.h>

#define ADDRESS_SHARE 10 /* an address has so much more than a session */
#define MICROSECONDS 1e6
#define DIGITS_SIZE 32

const struct limit limits[LIMITS] = {
    [LIMIT_NONE] = { "", 0, 1, 0, true },
    [LIMIT_READ] = { "read", 10, 1, 100, true },
    [LIMIT_SUBMIT] = { "submit", 30, 60, 30, false },
    [LIMIT_CANCEL] = { "cancel", 20, 60, 20, false },
    [LIMIT_CODE] = { "code", 20, 60, 20, false },
    [LIMIT_RESEND] = { "resend", 6, 60, 6, false },
    [LIMIT_SIGN_IN] = { "sign-in", 10, 60, 10, false },
    [LIMIT_STREAM] = { "stream", 60, 60, 60, false },
    [LIMIT_MOBILE] = { "mobile", 10, 3600, 10, false },
    [LIMIT_MAIL] = { "mail", 10, 3600, 10, false },
    [LIMIT_DATA] = { "data", 10, 60, 10, false },
};

/* Keeps the same text apart when it is counted as two things. */
static const char *const purposes[] = {
    [LIMIT_BY_ADDRESS] = "limit.address",
    [LIMIT_BY_USER] = "limit.user",
    [LIMIT_BY_MOBILE] = "limit.mobile",
    [LIMIT_BY_MAIL] = "limit.mail",
    [LIMIT_BY_SITE] = "limit.site",
    [LIMIT_BY_ADMIN] = "limit.admin",
};

enum limit_id limit_find(struct span name)
{
    for (enum limit_id id = LIMIT_NONE + 1; id < LIMITS; id++)
        if (span_is(name, limits[id].name))
            return id;
    return LIMIT_NONE;
}

bool limit_is_on(const struct house *house)
{
    return house->limit_factor > 0;
}

void limit_who(const struct house *house, enum limit_by by, struct span who, char out[LIMIT_WHO_LEN + 1])
{
    uint8_t digest[DIGEST_BYTES], room[ADDRESS_BYTES];

    if (by == LIMIT_BY_ADDRESS)
        who = address_line(who, room);
    const struct digest_part part = { who.s, who.len };
    if (by == LIMIT_BY_SESSION)
        digest_sha256(who.s, who.len, digest);
    else
        secret_sign(house->secret, purposes[by], &part, 1, digest);
    rnd_hex(digest, LIMIT_WHO_LEN / 2, out);
}

struct limit_bucket limit_bucket(const struct house *house, enum limit_id id, enum limit_by by, const char who[LIMIT_WHO_LEN + 1])
{
    const struct limit *l = &limits[id];
    double times = house->limit_factor * (by == LIMIT_BY_ADDRESS ? ADDRESS_SHARE : 1);
    int64_t burst = (int64_t)((double)l->burst * times);

    return (struct limit_bucket){ .key = key_limit(house, span_of(l->name), span_of(who)), .count = (double)l->count * times,
                                  .period_s = l->period_s, .burst = burst > 0 ? burst : 1 };
}

/* A bucket outlives what was counted in it, and keeps nothing that leads there. */
static struct span name_of(struct span once, char name[DIGITS_SIZE])
{
    int len = once.len > 0 ? snprintf(name, DIGITS_SIZE, "%016" PRIx64, digest_short(once.s, once.len)) : 0;

    return (struct span){ name, (size_t)len };
}

/* Everything that is queued, and the texts that it borrows. */
struct call {
    struct span key[LIMIT_THINGS * LIMIT_BUCKETS], arg[1 + LIMIT_THINGS + 3 * LIMIT_THINGS * LIMIT_BUCKETS];
    char text[LIMIT_THINGS * LIMIT_BUCKETS][3][DIGITS_SIZE], number[1 + LIMIT_THINGS][NUMBER_SIZE];
    size_t keys, args;
};

static void add_bucket(struct call *c, const struct limit_bucket *b)
{
    char(*text)[DIGITS_SIZE] = c->text[c->keys];
    int len = snprintf(text[0], DIGITS_SIZE, "%.3f", (double)b->period_s * MICROSECONDS / b->count);

    c->key[c->keys++] = key_span(&b->key);
    c->arg[c->args++] = (struct span){ text[0], (size_t)len };
    c->arg[c->args++] = span_number(text[1], b->burst);
    c->arg[c->args++] = name_of(b->once, text[2]);
}

void limit_queue(struct app *app, const struct limit_thing *const things[], size_t count)
{
    struct call c = { .keys = 0 };

    c.arg[c.args++] = span_number(c.number[count], (int64_t)count);
    for (size_t i = 0; i < count; i++)
        c.arg[c.args++] = span_number(c.number[i], (int64_t)things[i]->count);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < things[i]->count; k++)
            add_bucket(&c, &things[i]->bucket[k]);
    redis_use_db(app->redis, app->main_db);
    redis_queue_script(app->redis, &script_limit_take, (int)c.keys, c.key, (int)c.args, c.arg);
}

int limit_wait_s(const struct limit_verdict *verdict)
{
    int64_t s = (verdict->wait_ms + 999) / 1000;

    return s < 1 ? 1 : (int)s;
}

int limit_take(const struct limit_thing *const things[], size_t which, const struct reply replies[LIMIT_REPLIES],
               struct limit_verdict *verdict, struct err *err)
{
    const struct reply *answer = which < replies[0].count ? &replies[0].item[which] : NULL;
    int64_t full;

    if (redis_reply_ok(&replies[0], err) < 0)
        return -1;
    if (!answer || answer->count != 3)
        return err_set(err, ERR_FAILED, "limit_take.lua gave an answer that is not known here");
    full = answer->item[0].integer;
    *verdict = (struct limit_verdict){ .bucket = things[which]->bucket[full > 0 ? full - 1 : 0], .left = answer->item[2].integer,
                                       .wait_ms = (answer->item[1].integer + 999) / 1000 };
    if (full == 0)
        return 1;
    err_set(err, ERR_TOO_MANY, "too often; wait %d s", limit_wait_s(verdict));
    if (err)
        err->retry_after_s = limit_wait_s(verdict);
    return 0;
}

int limit_ask(struct app *app, const struct limit_thing *thing, struct limit_verdict *verdict, struct err *err)
{
    const struct reply *replies;
    size_t n;

    limit_queue(app, &thing, 1);
    if (redis_exchange(app->redis, &replies, &n, err) < 0)
        return -1;
    return limit_take(&thing, 0, replies + n - LIMIT_REPLIES, verdict, err);
}
