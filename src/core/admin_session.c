/* admin_session.c: that an administrator has signed in. */
#include "core/admin_session.h"

#include "base/rnd.h"
#include "core/keys.h"
#include "core/options.h"
#include "core/secret.h"
#include "scripts.h"

static struct redis *session_redis(struct app *app)
{
    redis_use_db(app->session_redis, app->session_db);
    return app->session_redis;
}

static struct key key_of(const struct app *app, const struct admin_session *s)
{
    return key_admin_session(app->house, span_of(s->token));
}

void admin_session_fresh(struct admin_session *s)
{
    uint8_t random[ADMIN_TOKEN_LEN / 2];

    *s = (struct admin_session){ .known = false };
    rnd_bytes(random, sizeof random);
    rnd_hex(random, sizeof random, s->token);
}

bool admin_session_cookie(struct span cookie, struct admin_session *s)
{
    *s = (struct admin_session){ .known = false };
    if (cookie.len != ADMIN_TOKEN_LEN || !rnd_is_hex(cookie.s, cookie.len))
        return false;
    memcpy(s->token, cookie.s, ADMIN_TOKEN_LEN);
    return true;
}

static bool copy(struct span text, char *out, size_t size)
{
    if (!text.s || text.len == 0 || text.len >= size)
        return false;
    snprintf(out, size, "%.*s", (int)text.len, text.s);
    return true;
}

int admin_session_read(struct app *app, struct admin_session *s, struct err *err)
{
    const struct key k = key_of(app, s);
    const struct reply *reply = redis_do(session_redis(app), err, "HMGET %b name era", k.s, k.len);
    char era[USER_ERA_LEN + 1];
    int good;

    if (!reply)
        return -1;
    if (reply->count != 2 || !copy(reply_text(&reply->item[0]), s->name, sizeof s->name) ||
        !copy(reply_text(&reply->item[1]), era, sizeof era))
        return 0;
    good = user_is_era(app, s->name, era, err);
    if (good == 0)
        redis_postf(session_redis(app), "DEL %b", k.s, k.len);
    s->known = good > 0;
    return good;
}

/* Idle time and whole life. */
static void add_times(const struct app *app, char digits[2][NUMBER_SIZE], struct span out[2])
{
    static const enum option_id ids[] = { OPT_ADMIN_IDLE, OPT_ADMIN_TTL };

    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        out[i] = span_number(digits[i], settings_int(app->house->settings, ids[i]) * 1000);
}

int admin_session_start(struct app *app, const struct user *user, struct admin_session *s, struct err *err)
{
    char digits[2][NUMBER_SIZE];
    struct span args[4] = { { NULL, 0 }, { NULL, 0 }, span_of(user->name), span_of(user->era) }, key;
    const struct reply *replies;
    struct key k;
    size_t count;

    admin_session_fresh(s);
    k = key_of(app, s);
    key = key_span(&k);
    add_times(app, digits, args);
    redis_queue_script(session_redis(app), &script_admin_session_save, 1, &key, ARRAY_LEN(args), args);
    if (redis_exchange(app->session_redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    snprintf(s->name, sizeof s->name, "%s", user->name);
    s->known = true;
    return 0;
}

void admin_session_touch(struct app *app, const struct admin_session *s)
{
    const struct key k = key_of(app, s);
    char digits[2][NUMBER_SIZE];
    const struct span key = key_span(&k);
    struct span args[2];

    add_times(app, digits, args);
    redis_post_script(session_redis(app), &script_admin_session_save, 1, &key, ARRAY_LEN(args), args);
}

int admin_session_end(struct app *app, const struct admin_session *s, struct err *err)
{
    const struct key k = key_of(app, s);

    return redis_do(session_redis(app), err, "DEL %b", k.s, k.len) ? 0 : -1;
}

/* --- forms --- */

void admin_session_csrf(const struct app *app, const struct admin_session *s, char out[65])
{
    secret_sign_hex(app->house->secret, "admin-csrf", span_of(s->token), out);
}

bool admin_session_csrf_ok(const struct app *app, const struct admin_session *s, struct span csrf)
{
    return s->token[0] && secret_verify_hex(app->house->secret, "admin-csrf", span_of(s->token), csrf);
}
