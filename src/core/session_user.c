/* session_user.c: users whom the host site signs in: their sessions made, entered by a link, listed, ended. */
#include "core/session.h"

#include "base/json.h"
#include "base/rnd.h"
#include "base/utf8.h"
#include "core/session_part.h"
#include "scripts.h"

#define ENTER_TRIES 5 /* a touch may come between reading and writing, hardly so many */

/* --- what a session may be --- */

static bool is_text(struct span s, size_t most)
{
    return s.len > 0 && s.len <= most && !span_has_control(s) && utf8_valid(s.s, s.len);
}

/* A path of this site and nothing else: browsers read //host and \host as another host, and drop control bytes. */
static bool is_path(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.s[i] <= 0x20 || s.s[i] >= 0x7f || s.s[i] == '\\')
            return false;
    return s.len > 0 && s.len <= SESSION_NEXT_MAX && s.s[0] == '/' && (s.len == 1 || s.s[1] != '/');
}

static bool is_object(struct span s)
{
    return s.len > 0 && s.len <= SESSION_METADATA_MAX && s.s[0] == '{' && json_check(s.s, s.len, NULL) == 0;
}

int session_check(const struct session_new *n, struct err *err)
{
    if (!is_text(n->user_id, SESSION_USER_MAX))
        return err_set(err, ERR_INVALID, "user_id must be 1 to %d bytes of text without control characters.", SESSION_USER_MAX);
    if (n->role.s && !is_text(n->role, SESSION_ROLE_MAX))
        return err_set(err, ERR_INVALID, "role must be 1 to %d bytes of text without control characters.", SESSION_ROLE_MAX);
    if (n->email.s && (!is_text(n->email, SESSION_EMAIL_MAX) || !memchr(n->email.s, '@', n->email.len)))
        return err_set(err, ERR_INVALID, "email must be an address like name@example.com, of at most %d bytes.", SESSION_EMAIL_MAX);
    if (n->metadata.s && !is_object(n->metadata))
        return err_set(err, ERR_INVALID, "metadata must be a JSON object of at most %d bytes.", SESSION_METADATA_MAX);
    if (n->next.s && !is_path(n->next))
        return err_set(err, ERR_INVALID,
                       "next must be a path of this site: it begins with a single / and holds visible ASCII characters but \\, at most %d.",
                       SESSION_NEXT_MAX);
    return 0;
}

/* --- making --- */

static void queue_create(struct app *app, const struct session *s, struct span text)
{
    const struct house *h = app->house;
    const struct key session = key_session(h, span_of(s->token)), set = key_user_sessions(h, span_of(s->user_id)),
                     users = key_session_users(h), prefix = key_session_name(h, SPAN(""));
    char name[DIGEST_HEX_SIZE], ttl[NUMBER_SIZE], idle[NUMBER_SIZE], most[NUMBER_SIZE];

    session_part_name(h, span_of(s->token), name);
    const struct span keys[] = { key_span(&session), key_span(&set), key_span(&users) };
    const struct span args[] = { text, span_of(name), span_of(s->user_id), key_span(&prefix),
                                 span_number(ttl, session_part_ms(app, OPT_SESSION_TTL)),
                                 span_number(idle, session_part_ms(app, OPT_SESSION_IDLE)),
                                 span_number(most, settings_int(h->settings, OPT_SESSION_MAX_PER_USER)) };
    redis_queue_script(session_part_redis(app), &script_session_create, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
}

/* What stands in Redis beside a ticket opens nothing: the token under a one-time pad that only the ticket tells. */
static void mask(const char *ticket, uint8_t token[SESSION_TOKEN_LEN / 2])
{
    static const uint8_t key[DIGEST_BYTES] = "peygir ticket";
    const struct digest_part part = { ticket, SESSION_TICKET_LEN };
    uint8_t pad[DIGEST_BYTES];

    digest_hmac(key, &part, 1, pad);
    for (size_t i = 0; i < SESSION_TOKEN_LEN / 2; i++)
        token[i] ^= pad[i];
}

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void from_hex(const char *hex, uint8_t out[SESSION_TOKEN_LEN / 2])
{
    for (size_t i = 0; i < SESSION_TOKEN_LEN / 2; i++)
        out[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

static struct key ticket_key(const struct app *app, const char *ticket)
{
    char hex[DIGEST_HEX_SIZE];

    digest_sha256_hex(ticket, SESSION_TICKET_LEN, hex);
    return key_ticket(app->house, span_of(hex));
}

static void queue_ticket(struct app *app, const char *token, struct span next, char ticket[SESSION_TICKET_LEN + 1])
{
    uint8_t random[SESSION_TICKET_LEN / 2], masked[SESSION_TOKEN_LEN / 2];
    char hex[SESSION_TOKEN_LEN + 1];
    struct key k;

    rnd_bytes(random, sizeof random);
    rnd_hex(random, sizeof random, ticket);
    from_hex(token, masked);
    mask(ticket, masked);
    rnd_hex(masked, sizeof masked, hex);
    k = ticket_key(app, ticket);
    redis_queuef(session_part_redis(app), "SET %b %s%b PX %d", k.s, k.len, hex, next.s, next.len, SESSION_TICKET_MS);
}

/* Every reply must be good. */
static int all_ok(struct app *app, struct err *err)
{
    const struct reply *replies;
    size_t count;

    if (redis_exchange(app->session_redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    return 0;
}

int session_create(struct app *app, const struct session_new *n, char token[SESSION_TOKEN_LEN + 1], char ticket[SESSION_TICKET_LEN + 1],
                   struct err *err)
{
    struct session s = { .known = false };
    struct str text = STR_INIT;
    int rc;

    if (session_check(n, err) < 0)
        return -1;
    memcpy(s.user_id, n->user_id.s, n->user_id.len);
    session_part_owner(s.owner);
    session_part_begin(app, &s);
    session_part_text(&text, &s, n, NULL);
    queue_create(app, &s, (struct span){ text.s, text.len });
    if (n->next.s)
        queue_ticket(app, s.token, n->next, ticket);
    rc = all_ok(app, err);
    memcpy(token, s.token, sizeof s.token);
    str_free(&text);
    return rc;
}

/* --- entering --- */

/* What a ticket leads to. 1; 0: there is none; -1. */
static int read_ticket(struct app *app, struct span ticket, char token[SESSION_TOKEN_LEN + 1], struct str *next, struct err *err)
{
    uint8_t masked[SESSION_TOKEN_LEN / 2];
    const struct reply *reply;
    struct span text;
    struct key k;

    if (ticket.len != SESSION_TICKET_LEN || !rnd_is_hex(ticket.s, ticket.len))
        return 0;
    k = ticket_key(app, ticket.s);
    reply = redis_do(session_part_redis(app), err, "GET %b", k.s, k.len);
    if (!reply)
        return -1;
    text = reply_text(reply);
    if (text.len <= SESSION_TOKEN_LEN || !rnd_is_hex(text.s, SESSION_TOKEN_LEN))
        return 0;
    from_hex(text.s, masked);
    mask(ticket.s, masked);
    rnd_hex(masked, sizeof masked, token);
    str_reset(next);
    str_add(next, text.s + SESSION_TOKEN_LEN, text.len - SESSION_TOKEN_LEN);
    return 1;
}

/* The session's text with what the browser brings along. */
static int entered_text(const struct session *s, struct span text, const struct session_about *about, struct str *out)
{
    struct str ip = STR_INIT, agent = STR_INIT, owner = STR_INIT;
    char now[NUMBER_SIZE];
    int rc;

    str_addf(&owner, "\"%s\"", s->owner);
    session_part_add_about(&ip, about->ip);
    session_part_add_about(&agent, about->user_agent);
    const struct raw_member members[] = { { "owner", { owner.s, owner.len } },
                                          { "ip", { ip.s, ip.len } },
                                          { "user_agent", { agent.s, agent.len } },
                                          { "last_activity", span_number(now, s->active_ms) } };
    rc = raw_set(out, text, members, ARRAY_LEN(members));
    str_free(&ip);
    str_free(&agent);
    str_free(&owner);
    return rc;
}

/* What there is on both sides when a browser comes in. */
struct entry {
    struct span ticket;
    const struct session *before;
    const struct session_about *about;
    struct str read, text; /* the session as it was read, and to be written */
};

enum entered { ENTERED_FAILED = -2, ENTERED_USED = -1, ENTERED_AGAIN = 0, ENTERED = 1 };

static enum entered write_entered(struct app *app, const struct session *s, const struct entry *e, struct err *err)
{
    const struct house *h = app->house;
    const struct session *before = e->before;
    const struct key session = key_session(h, span_of(s->token)), old = key_session(h, span_of(before->token)),
                     set = key_user_sessions(h, span_of(before->user_id)), ticket = ticket_key(app, e->ticket.s);
    const struct span keys[] = { key_span(&session), key_span(&ticket), key_span(&old),
                                 before->user_id[0] ? key_span(&set) : key_span(&old) };
    char name[DIGEST_HEX_SIZE];
    const struct reply *replies;
    size_t count;

    session_part_name(h, span_of(before->token), name);
    const struct span args[] = { { e->read.s, e->read.len }, { e->text.s, e->text.len }, span_of(name) };
    redis_queue_script(session_part_redis(app), &script_session_enter, before->known ? 4 : 2, keys, ARRAY_LEN(args), args);
    if (redis_exchange(app->session_redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return ENTERED_FAILED;
    return (enum entered)reply_int(&replies[0], ENTERED_USED);
}

/* The session of the token, and its text. 1, 0, -1. */
static int read_session(struct app *app, struct span token, struct session *s, struct str *text, struct err *err)
{
    const struct reply *replies;
    struct span stored;
    size_t count;

    session_queue(app, token);
    if (redis_exchange(app->session_redis, &replies, &count, err) < 0)
        return -1;
    stored = reply_text(&replies[0]);
    str_reset(text);
    str_add(text, stored.s, stored.len);
    return session_take(app, token, replies, s, err);
}

/* Two people may use one browser one after the other: what the first asked for is not the second's. */
static bool same_person(const struct session *before, const struct session *s)
{
    return before->owner[0] && (!before->user_id[0] || strcmp(before->user_id, s->user_id) == 0);
}

/* Once: read, decide, write. */
static enum entered try_enter(struct app *app, struct span token, struct entry *e, struct session *s, struct err *err)
{
    int found = read_session(app, token, s, &e->read, err);

    if (found <= 0)
        return found < 0 ? ENTERED_FAILED : ENTERED_USED;
    if (same_person(e->before, s))
        memcpy(s->owner, e->before->owner, sizeof s->owner);
    s->active_ms = house_now_ms(app->house);
    str_reset(&e->text);
    if (entered_text(s, (struct span){ e->read.s, e->read.len }, e->about, &e->text) == 0)
        return write_entered(app, s, e, err);
    err_set(err, ERR_FAILED, "A stored session is no JSON object.");
    return ENTERED_FAILED;
}

int session_enter(struct app *app, struct span ticket, const struct session *before, const struct session_about *about, struct session *s,
                  struct str *next, struct err *err)
{
    struct entry e = { ticket, before, about, STR_INIT, STR_INIT };
    char token[SESSION_TOKEN_LEN + 1];
    int found = read_ticket(app, ticket, token, next, err);
    enum entered done = ENTERED_AGAIN;

    if (found <= 0)
        return found;
    for (int i = 0; done == ENTERED_AGAIN && i < ENTER_TRIES; i++)
        done = try_enter(app, span_of(token), &e, s, err);
    str_free(&e.read);
    str_free(&e.text);
    return done == ENTERED_FAILED ? -1 : done == ENTERED;
}
