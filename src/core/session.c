/* session.c: who is asking (contract 4.3): the cookie, reading, a visitor's session. Users are session_user.c.
 *
 * Signed cookie: v1.OWNER.ISSUED.MAC; OWNER 26 Crockford digits, ISSUED seconds since 1970, MAC over what is before it.
 * Stored: JSON under the token's key. A visitor's idle time is the key's TTL; a user's is told by last_activity. */
#include "core/session.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rnd.h"
#include "base/utf8.h"
#include "core/secret.h"
#include "core/session_part.h"
#include "core/tally.h"
#include "scripts.h"

#define COOKIE_VERSION "v1."
#define ISSUED_DIGITS_MAX 12
#define ABOUT_BYTES 200
#define TOUCH_MS 60000

int64_t session_part_ms(const struct app *app, enum option_id id)
{
    return settings_int(app->house->settings, id) * 1000;
}

struct redis *session_part_redis(struct app *app)
{
    redis_use_db(app->session_redis, app->session_db);
    return app->session_redis;
}

void session_part_name(const struct house *h, struct span token, char out[DIGEST_HEX_SIZE])
{
    if (h->plain_session_keys && session_part_is_token(token))
        snprintf(out, DIGEST_HEX_SIZE, "%.*s", (int)token.len, token.s);
    else
        digest_sha256_hex(token.s, token.len, out);
}

bool session_part_over(const struct app *app, int64_t created_ms, int64_t active_ms)
{
    int64_t now_ms = house_now_ms(app->house);

    return (active_ms > 0 && now_ms - active_ms > session_part_ms(app, OPT_SESSION_IDLE)) ||
           (created_ms > 0 && now_ms - created_ms > session_part_ms(app, OPT_SESSION_TTL));
}

/* --- the cookie --- */

bool session_part_is_token(struct span s)
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
    if (session_part_is_token(cookie))
        return 1;
    if (cookie.len >= SESSION_COOKIE_MAX || !split(cookie, &body, &owner, &issued_s, &mac) ||
        clock_ms() - issued_s * 1000 > session_part_ms(app, OPT_SESSION_TTL) ||
        !secret_verify_hex(app->house->secret, "cookie", body, mac))
        return -1;
    set_owner(s, owner);
    return 0;
}

void session_part_owner(char out[SESSION_OWNER_LEN + 1])
{
    uint8_t random[(SESSION_OWNER_LEN * 5 + 7) / 8];

    rnd_bytes(random, sizeof(random));
    rnd_base32(random, SESSION_OWNER_LEN, out);
}

void session_fresh(const struct app *app, struct session *s, char cookie[SESSION_COOKIE_MAX])
{
    char body[64], mac[DIGEST_HEX_SIZE];
    int len;

    *s = (struct session){ .known = false };
    session_part_owner(s->owner);
    len = snprintf(body, sizeof(body), COOKIE_VERSION "%s.%lld", s->owner, (long long)(clock_ms() / 1000));
    secret_sign_hex(app->house->secret, "cookie", (struct span){ body, (size_t)len }, mac);
    snprintf(cookie, SESSION_COOKIE_MAX, "%s.%s", body, mac);
}

/* --- reading --- */

void session_queue(struct app *app, struct span token)
{
    const struct key k = key_session(app->house, token);

    redis_queue(session_part_redis(app), 2, (const struct span[]){ SPAN("GET"), key_span(&k) });
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

/* A user's is counted among theirs, as if it had been made here. */
static void post_adopt(struct app *app, const struct session *s, struct span text, struct span changed)
{
    const struct house *h = app->house;
    const struct key session = key_session(h, span_of(s->token)), set = key_user_sessions(h, span_of(s->user_id)),
                     users = key_session_users(h), prefix = key_session_name(h, SPAN(""));
    char name[DIGEST_HEX_SIZE], ttl[NUMBER_SIZE], idle[NUMBER_SIZE], most[NUMBER_SIZE];
    bool user = s->user_id[0] != '\0';

    session_part_name(h, span_of(s->token), name);
    const struct span keys[] = { key_span(&session), key_span(&set), key_span(&users) };
    const struct span args[] = { text, changed, span_of(name), span_of(s->user_id), key_span(&prefix),
                                 span_number(ttl, session_part_ms(app, OPT_SESSION_TTL)),
                                 span_number(idle, session_part_ms(app, OPT_SESSION_IDLE)),
                                 span_number(most, settings_int(h->settings, OPT_SESSION_MAX_PER_USER)) };
    redis_post_script(session_part_redis(app), &script_session_adopt, user ? 3 : 1, keys, user ? (int)ARRAY_LEN(args) : 2, args);
}

static void adopt(struct app *app, struct session *s, struct span text)
{
    struct str changed = STR_INIT;
    char owner[SESSION_OWNER_LEN + 3];

    derive_owner(app, s);
    snprintf(owner, sizeof(owner), "\"%s\"", s->owner);
    if (raw_set(&changed, text, &(struct raw_member){ "owner", span_of(owner) }, 1) == 0)
        post_adopt(app, s, text, (struct span){ changed.s, changed.len });
    str_free(&changed);
}

static void post_revoke(struct app *app, const struct session *s)
{
    const struct key session = key_session(app->house, span_of(s->token)),
                     set = key_user_sessions(app->house, span_of(s->user_id));
    const struct span keys[] = { key_span(&session), key_span(&set) };
    char name[DIGEST_HEX_SIZE];

    session_part_name(app->house, span_of(s->token), name);
    redis_post_script(session_part_redis(app), &script_session_revoke, ARRAY_LEN(keys), keys, 1, &(struct span){ name, strlen(name) });
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
    if (s->user_id[0] && session_part_over(app, s->created_ms, s->active_ms)) {
        post_revoke(app, s);
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
    tally_count(app, TALLY_SESSIONS_CHECKED);
    return rc;
}

void session_touch(struct app *app, const struct session *s)
{
    const int64_t idle_ms = session_part_ms(app, OPT_SESSION_IDLE);
    const int64_t quiet_ms = idle_ms / 2 < TOUCH_MS ? idle_ms / 2 : TOUCH_MS;
    char digits[NUMBER_SIZE];
    struct key session;
    struct span key, ttl = SPAN("");

    if (!s->known || house_now_ms(app->house) - s->active_ms < quiet_ms)
        return;
    if (!s->user_id[0]) /* a visitor's session lives as long as it is used */
        ttl = span_number(digits, idle_ms);
    session = key_session(app->house, span_of(s->token));
    key = key_span(&session);
    redis_post_script(session_part_redis(app), &script_session_touch, 1, &key, 1, &ttl);
}

/* --- storing --- */

void session_part_add_about(struct str *out, const char *text)
{
    struct str mended = STR_INIT;

    if (!text) {
        str_adds(out, "null");
        return;
    }
    utf8_add_mended(&mended, text, strlen(text));
    str_add_json(out, mended.s ? mended.s : "", utf8_clip(mended.s, mended.len, ABOUT_BYTES));
    str_free(&mended);
}

static void add_text(struct str *out, const char *name, struct span text)
{
    str_adds(out, name);
    if (text.s)
        str_add_json(out, text.s, text.len);
    else
        str_adds(out, "null");
}

void session_part_text(struct str *out, const struct session *s, const struct session_new *n, const struct session_about *about)
{
    static const struct session_new nobody;

    if (!n)
        n = &nobody;
    add_text(out, "{\"user_id\":", n->user_id);
    add_text(out, ",\"email\":", n->email);
    add_text(out, ",\"role\":", n->role);
    str_addf(out, ",\"owner\":\"%s\",", s->owner);
    str_addf(out, "\"created_at\":%lld,\"last_activity\":%lld", (long long)s->created_ms, (long long)s->active_ms);
    str_adds(out, ",\"ip\":");
    session_part_add_about(out, about ? about->ip : NULL);
    str_adds(out, ",\"user_agent\":");
    session_part_add_about(out, about ? about->user_agent : NULL);
    if (n->metadata.s) {
        str_adds(out, ",\"metadata\":");
        str_add_span(out, n->metadata);
    }
    str_addc(out, '}');
}

void session_part_begin(struct app *app, struct session *s)
{
    uint8_t random[SESSION_TOKEN_LEN / 2];

    tally_count(app, TALLY_SESSIONS_MADE);
    rnd_bytes(random, sizeof(random));
    rnd_hex(random, sizeof(random), s->token);
    s->known = true;
    s->created_ms = s->active_ms = house_now_ms(app->house);
}

void session_store_queue(struct app *app, struct session *s, const struct session_about *about)
{
    struct str json = STR_INIT;
    struct key k;

    session_part_begin(app, s);
    session_part_text(&json, s, NULL, about);
    k = key_session(app->house, span_of(s->token));
    redis_queuef(session_part_redis(app), "SET %b %b PX %lld", k.s, k.len, json.s, json.len,
                 (long long)session_part_ms(app, OPT_SESSION_IDLE));
    str_free(&json);
}

/* --- forms --- */

#define CSRF_TEXT_SIZE (SESSION_OWNER_LEN + 1 + SESSION_TOKEN_LEN + 1)

static struct span csrf_text(const struct session *s, char out[CSRF_TEXT_SIZE])
{
    bool user = s->user_id[0] != '\0';
    int len = snprintf(out, CSRF_TEXT_SIZE, "%s%s%s", s->owner, user ? "." : "", user ? s->token : "");

    return (struct span){ out, (size_t)len };
}

void session_csrf(const struct app *app, const struct session *s, char out[65])
{
    char text[CSRF_TEXT_SIZE];

    secret_sign_hex(app->house->secret, "csrf", csrf_text(s, text), out);
}

bool session_csrf_ok(const struct app *app, const struct session *s, struct span token)
{
    char text[CSRF_TEXT_SIZE];

    return secret_verify_hex(app->house->secret, "csrf", csrf_text(s, text), token);
}
