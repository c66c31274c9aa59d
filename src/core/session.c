/* session.c: who is asking (contract 4.3).
 *
 * Signed cookie: v1.OWNER.ISSUED.MAC; OWNER 26 Crockford digits, ISSUED seconds since 1970, MAC over what is before it.
 * Stored: JSON under the token's key. A visitor's idle time is the key's TTL; a user's is told by last_activity. */
#include "core/session.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rnd.h"
#include "base/utf8.h"
#include "core/keys.h"
#include "core/options.h"
#include "core/secret.h"
#include "scripts.h"

#define COOKIE_VERSION "v1."
#define ISSUED_DIGITS_MAX 12
#define ABOUT_BYTES 200
#define TOUCH_MS 60000

static int64_t setting_ms(const struct app *app, enum option_id id)
{
    return settings_int(app->house->settings, id) * 1000;
}

static struct redis *session_redis(struct app *app)
{
    redis_use_db(app->session_redis, app->session_db);
    return app->session_redis;
}

/* --- the cookie --- */

static bool is_token(struct span s)
{
    return s.len == SESSION_TOKEN_LEN && rnd_is_hex(s.s, s.len);
}

static bool is_owner(struct span s)
{
    return s.len == SESSION_OWNER_LEN && rnd_is_base32(s.s, s.len);
}

/* Seconds in decimal up to the end; -1 when it is anything else. */
static int64_t read_seconds(struct span s)
{
    int64_t n = 0;

    if (s.len == 0 || s.len > ISSUED_DIGITS_MAX)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        if (s.s[i] < '0' || s.s[i] > '9')
            return -1;
        n = n * 10 + (s.s[i] - '0');
    }
    return n;
}

/* Cut a cookie into its parts. */
static bool split(struct span cookie, struct span *body, struct span *owner, int64_t *issued_s, struct span *mac)
{
    const size_t version = sizeof(COOKIE_VERSION) - 1, issued = version + SESSION_OWNER_LEN + 1;
    const char *dot = cookie.len > issued ? memchr(cookie.s + issued, '.', cookie.len - issued) : NULL;

    if (!dot || memcmp(cookie.s, COOKIE_VERSION, version) != 0 || cookie.s[issued - 1] != '.')
        return false;
    *body = (struct span){ cookie.s, (size_t)(dot - cookie.s) };
    *owner = (struct span){ cookie.s + version, SESSION_OWNER_LEN };
    *issued_s = read_seconds((struct span){ cookie.s + issued, body->len - issued });
    *mac = (struct span){ dot + 1, cookie.len - body->len - 1 };
    return *issued_s >= 0 && is_owner(*owner);
}

static void set_owner(struct session *s, struct span owner)
{
    memcpy(s->owner, owner.s, SESSION_OWNER_LEN);
    s->owner[SESSION_OWNER_LEN] = '\0';
}

int session_cookie(const struct app *app, struct span cookie, struct session *s)
{
    struct span body, owner, mac;
    int64_t issued_s;

    *s = (struct session){ .known = false };
    if (is_token(cookie))
        return 1;
    if (cookie.len >= SESSION_COOKIE_MAX || !split(cookie, &body, &owner, &issued_s, &mac) ||
        clock_ms() - issued_s * 1000 > setting_ms(app, OPT_SESSION_TTL) ||
        !secret_verify_hex(app->house->secret, "cookie", body, mac))
        return -1;
    set_owner(s, owner);
    return 0;
}

void session_fresh(const struct app *app, struct session *s, char cookie[SESSION_COOKIE_MAX])
{
    uint8_t random[(SESSION_OWNER_LEN * 5 + 7) / 8];
    char body[64], mac[DIGEST_HEX_SIZE];
    int len;

    *s = (struct session){ .known = false };
    rnd_bytes(random, sizeof(random));
    rnd_base32(random, SESSION_OWNER_LEN, s->owner);
    len = snprintf(body, sizeof(body), COOKIE_VERSION "%s.%lld", s->owner, (long long)(clock_ms() / 1000));
    secret_sign_hex(app->house->secret, "cookie", (struct span){ body, (size_t)len }, mac);
    snprintf(cookie, SESSION_COOKIE_MAX, "%s.%s", body, mac);
}

/* --- reading --- */

void session_queue(struct app *app, struct span token)
{
    const struct key k = key_session(app->house, token);

    redis_queue(session_redis(app), 2, (const struct span[]){ SPAN("GET"), key_span(&k) });
}

enum member { MEMBER_USER, MEMBER_ROLE, MEMBER_OWNER, MEMBER_CREATED, MEMBER_ACTIVE, MEMBERS };
static const char *const member_names[MEMBERS] = { "user_id", "role", "owner", "created_at", "last_activity" };

/* A text, or a number as others may write it, into out of `size` bytes; absent and null are "". False: it is none, or
 * does not fit. */
static bool copy_text(struct span value, char *out, size_t size)
{
    struct str text = STR_INIT;
    bool fits, is_number;

    out[0] = '\0';
    if (!value.s || span_is(value, "null"))
        return true;
    if (value.len >= 2 && value.len - 2 < size && value.s[0] == '"' && !memchr(value.s, '\\', value.len)) {
        memcpy(out, value.s + 1, value.len - 2);
        out[value.len - 2] = '\0';
        return !memchr(out, '\0', value.len - 2);
    }
    str_reset(&text);
    is_number = value.s[0] == '-' || (value.s[0] >= '0' && value.s[0] <= '9');
    if (is_number)
        str_add_span(&text, value);
    fits = (is_number || raw_string(value, &text)) && text.len < size && !memchr(text.s, '\0', text.len);
    if (fits)
        memcpy(out, text.s, text.len + 1);
    str_free(&text);
    return fits;
}

/* The owner of a session that others wrote without one follows from its token, so that everybody who sees it first
 * gives it the same. */
static void derive_owner(const struct app *app, struct session *s)
{
    const struct digest_part part = { s->token, SESSION_TOKEN_LEN };
    uint8_t mac[DIGEST_BYTES];

    secret_sign(app->house->secret, "owner", &part, 1, mac);
    rnd_base32(mac, SESSION_OWNER_LEN, s->owner);
}

static void post_script(struct app *app, const struct script *script, struct key k, const struct span *more, int count)
{
    struct span argv[8] = { SPAN("EVAL"), { script->body, script->body_len }, SPAN("1"), key_span(&k) };
    int argc = 4;

    for (int i = 0; i < count; i++)
        argv[argc++] = more[i];
    redis_post(session_redis(app), argc, argv);
}

static void adopt(struct app *app, struct session *s, struct span text)
{
    struct str changed = STR_INIT;
    char owner[SESSION_OWNER_LEN + 3];

    derive_owner(app, s);
    snprintf(owner, sizeof(owner), "\"%s\"", s->owner);
    if (raw_set(&changed, text, &(struct raw_member){ "owner", span_of(owner) }, 1) == 0) {
        const struct span args[] = { text, { changed.s, changed.len } };
        post_script(app, &script_session_adopt, key_session(app->house, span_of(s->token)), args, ARRAY_LEN(args));
    }
    str_free(&changed);
}

static void post_delete(struct app *app, const struct session *s)
{
    const struct key k = key_session(app->house, span_of(s->token));

    redis_postf(session_redis(app), "DEL %b", k.s, k.len);
}

/* 1: used; 0: none, or of no use. */
static int fill(struct app *app, struct session *s, struct span text)
{
    struct span found[MEMBERS], owner;

    if (raw_get_many(text, member_names, found, MEMBERS) < 0 ||
        !copy_text(found[MEMBER_USER], s->user_id, sizeof(s->user_id)) ||
        !copy_text(found[MEMBER_ROLE], s->role, sizeof(s->role))) {
        log_warn("a stored session is not as it should be and is not used");
        return 0;
    }
    s->created_ms = raw_int(found[MEMBER_CREATED], 0);
    s->active_ms = raw_int(found[MEMBER_ACTIVE], s->created_ms);
    if (s->user_id[0] && s->active_ms > 0 && clock_ms() - s->active_ms > setting_ms(app, OPT_SESSION_IDLE)) {
        post_delete(app, s);
        return 0;
    }
    s->known = true;
    owner = found[MEMBER_OWNER];
    if (owner.len == SESSION_OWNER_LEN + 2 && is_owner((struct span){ owner.s + 1, SESSION_OWNER_LEN }))
        set_owner(s, (struct span){ owner.s + 1, SESSION_OWNER_LEN });
    else
        adopt(app, s, text);
    return 1;
}

int session_take(struct app *app, struct span token, const struct reply replies[SESSION_REPLIES], struct session *s,
                 struct err *err)
{
    struct session found = { .known = false };
    struct span text;
    int rc;

    if (token.len == SESSION_TOKEN_LEN)
        memcpy(found.token, token.s, SESSION_TOKEN_LEN); /* before *s goes, which it may lie in */
    *s = (struct session){ .known = false };
    if (redis_reply_ok(&replies[0], err) < 0)
        return -1;
    text = reply_text(&replies[0]);
    if (!text.s || token.len != SESSION_TOKEN_LEN)
        return 0;
    rc = fill(app, &found, text);
    if (rc > 0)
        *s = found;
    return rc;
}

void session_touch(struct app *app, const struct session *s)
{
    const int64_t idle_ms = setting_ms(app, OPT_SESSION_IDLE);
    const int64_t quiet_ms = idle_ms / 2 < TOUCH_MS ? idle_ms / 2 : TOUCH_MS;
    char digits[NUMBER_SIZE];
    struct span ttl = SPAN("");

    if (!s->known || clock_ms() - s->active_ms < quiet_ms)
        return;
    if (!s->user_id[0]) /* a visitor's session lives as long as it is used */
        ttl = span_number(digits, idle_ms);
    post_script(app, &script_session_touch, key_session(app->house, span_of(s->token)), &ttl, 1);
}

/* --- storing --- */

static void add_about(struct str *out, const char *name, const char *text)
{
    struct str mended = STR_INIT;

    str_addf(out, ",\"%s\":", name);
    if (!text) {
        str_adds(out, "null");
        return;
    }
    utf8_add_mended(&mended, text, strlen(text));
    str_add_json(out, mended.s ? mended.s : "", utf8_clip(mended.s, mended.len, ABOUT_BYTES));
    str_free(&mended);
}

void session_store_queue(struct app *app, struct session *s, const struct session_about *about)
{
    struct str json = STR_INIT;
    uint8_t random[SESSION_TOKEN_LEN / 2];
    struct key k;

    rnd_bytes(random, sizeof(random));
    rnd_hex(random, sizeof(random), s->token);
    s->known = true;
    s->created_ms = s->active_ms = clock_ms();
    str_addf(&json, "{\"user_id\":null,\"email\":null,\"role\":null,\"owner\":\"%s\",", s->owner);
    str_addf(&json, "\"created_at\":%lld,\"last_activity\":%lld", (long long)s->created_ms, (long long)s->active_ms);
    add_about(&json, "ip", about ? about->ip : NULL);
    add_about(&json, "user_agent", about ? about->user_agent : NULL);
    str_addc(&json, '}');
    k = key_session(app->house, span_of(s->token));
    redis_queuef(session_redis(app), "SET %b %b PX %lld", k.s, k.len, json.s, json.len,
                 (long long)setting_ms(app, OPT_SESSION_IDLE));
    str_free(&json);
}

/* --- forms --- */

void session_csrf(const struct app *app, const struct session *s, char out[65])
{
    secret_sign_hex(app->house->secret, "csrf", span_of(s->owner), out);
}

bool session_csrf_ok(const struct app *app, const struct session *s, struct span token)
{
    return secret_verify_hex(app->house->secret, "csrf", span_of(s->owner), token);
}
