/* closure.c: services that take no new requests for a while: one hash, the message by slug. */
#include "core/closure.h"

#include "base/clock.h"
#include "base/raw.h"
#include "base/utf8.h"
#include "core/keys.h"
#include "core/service.h"

#define READ_AGAIN_MS 1000
#define SLUG_MAX 64

static bool is_slug(struct span slug)
{
    for (size_t i = 0; i < slug.len; i++)
        if (!slug.s[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789-", slug.s[i]))
            return false;
    return slug.len > 0 && slug.len <= SLUG_MAX;
}

static bool is_message(struct span text)
{
    bool words = false;

    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.s[i] < 0x20 || text.s[i] == 0x7f)
            return false;
        words = words || text.s[i] != ' ';
    }
    return words && text.len <= CLOSURE_MESSAGE_BYTES && utf8_valid(text.s, text.len);
}

static struct redis *main_redis(struct app *app)
{
    redis_use_db(app->redis, app->main_db);
    return app->redis;
}

int closure_set(struct app *app, const char *slug, const char *message, struct err *err)
{
    const struct key k = key_closed(app->house);
    const struct services *services = app->house->services;

    if (!is_slug(span_of(slug)) || (services && !services_find(services, span_of(slug))))
        return err_set(err, ERR_INVALID, "There is no service \"%.*s\"; peygir service list names them.", SLUG_MAX, slug);
    if (!is_message(span_of(message)))
        return err_set(err, ERR_INVALID, "The message must be one line of 1 to %d bytes of UTF-8 text.", CLOSURE_MESSAGE_BYTES);
    return redis_do(main_redis(app), err, "HSET %b %s %s", k.s, k.len, slug, message) ? 0 : -1;
}

int closure_clear(struct app *app, const char *slug, struct err *err)
{
    const struct key k = key_closed(app->house);
    const struct reply *reply = redis_do(main_redis(app), err, "HDEL %b %s", k.s, k.len, slug);

    return reply ? (int)reply_int(reply, 0) : -1;
}

static const struct reply *read_all(struct app *app, struct err *err)
{
    const struct key k = key_closed(app->house);

    return redis_do(main_redis(app), err, "HGETALL %b", k.s, k.len);
}

int closure_each(struct app *app, void (*fn)(void *ctx, struct span slug, struct span message), void *ctx, struct err *err)
{
    const struct reply *all = read_all(app, err);

    if (!all)
        return -1;
    for (size_t i = 0; i + 1 < all->count; i += 2)
        fn(ctx, reply_text(&all->item[i]), reply_text(&all->item[i + 1]));
    return 0;
}

/* --- for programs that ask often --- */

static void remember(void *ctx, struct span slug, struct span message)
{
    struct str *closed = ctx;

    if (!is_slug(slug))
        return;
    str_addc(closed, closed->len ? ',' : '{');
    str_add_json(closed, slug.s, slug.len);
    str_addc(closed, ':');
    str_add_json(closed, message.s, message.len);
}

/* What was known stays when Redis does not answer, which is not asked more often then either. */
static int refresh(struct app *app, struct closure_memo *memo, struct err *err)
{
    struct str fresh = STR_INIT;
    int64_t now_ms = clock_mono_ms();
    int rc;

    if (memo->read_ms && now_ms - memo->read_ms < READ_AGAIN_MS)
        return 0;
    memo->read_ms = now_ms;
    rc = closure_each(app, remember, &fresh, err);
    if (rc == 0) {
        str_adds(&fresh, fresh.len ? "}" : "{}");
        str_free(&memo->closed);
        memo->closed = fresh;
        return 0;
    }
    str_free(&fresh);
    return memo->closed.s ? 0 : -1;
}

int closure_read(struct app *app, struct closure_memo *memo, struct span slug, struct str *message, struct err *err)
{
    char name[SLUG_MAX + 1];
    struct span found;

    if (!is_slug(slug))
        return 0;
    if (refresh(app, memo, err) < 0)
        return -1;
    memcpy(name, slug.s, slug.len);
    name[slug.len] = '\0';
    found = raw_get((struct span){ memo->closed.s, memo->closed.len }, name);
    if (!found.s)
        return 0;
    str_reset(message);
    raw_string(found, message);
    return 1;
}

void closure_memo_clear(struct closure_memo *memo)
{
    str_free(&memo->closed);
    memo->read_ms = 0;
}
