/* token.c: bearer tokens of programs: made, listed, revoked, checked. */
#include "core/token.h"

#include "base/rnd.h"
#include "core/keys.h"
#include "core/webhook.h"
#include "scripts.h"

#define TOKEN_BYTES 32
#define USED_MS 60000 /* so exact is the time of use */

const char *const token_roles[TOKEN_ROLES] = { [TOKEN_BOT] = "bot", [TOKEN_API] = "api", [TOKEN_SITE] = "site" };

int token_role_parse(struct span name)
{
    for (int i = 0; i < TOKEN_ROLES; i++)
        if (span_is(name, token_roles[i]))
            return i;
    return -1;
}

static bool is_name(struct span name)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    for (size_t i = 0; i < name.len; i++)
        if (!name.s[i] || !strchr(good, name.s[i]))
            return false;
    return name.len > 0 && name.len <= TOKEN_NAME_MAX;
}

static struct redis *main_redis(struct app *app)
{
    redis_use_db(app->redis, app->main_db);
    return app->redis;
}

/* One script call and its number. */
static int run_script(struct app *app, const struct script *script, const struct key keys[], int nkeys, int nargs,
                      const struct span args[], struct err *err)
{
    const struct span names[] = { key_span(&keys[0]), key_span(&keys[nkeys - 1]) };
    const struct reply *replies;
    size_t count;

    redis_queue_script(main_redis(app), script, nkeys, names, nargs, args);
    if (redis_exchange(app->redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    return (int)reply_int(&replies[0], 0);
}

static void copy_text(char *out, size_t size, struct span text)
{
    size_t len = text.len < size ? text.len : 0;

    memcpy(out, text.s ? text.s : "", len);
    out[len] = '\0';
}

/* --- making --- */

/* base64url without padding (RFC 4648 5). */
static void add_base64url(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, count = 0;

    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | data[i]) & 0xffff;
        for (count += 8; count >= 6; count -= 6)
            *out++ = digits[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *out++ = digits[bits << (6 - count) & 63];
    *out = '\0';
}

/* Slugs with commas between them, none of them empty. */
static bool is_list(struct span services)
{
    for (size_t i = 0; i < services.len; i++) {
        bool between = i > 0 && i + 1 < services.len && services.s[i - 1] != ',';
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-,", services.s[i]) || (services.s[i] == ',' && !between))
            return false;
    }
    return services.len <= TOKEN_SERVICES_MAX;
}

static int store(struct app *app, const struct token_new *n, const char *digest, struct span callbacks, struct err *err)
{
    const struct key keys[] = { key_tokens(app->house), key_token(app->house, span_of(digest)) };
    const struct span args[] = { span_of(n->name), span_of(digest), span_of(token_roles[n->role]), n->services ? span_of(n->services) : SPAN(""),
                                 callbacks.s ? callbacks : SPAN("") };
    int made = run_script(app, &script_token_create, keys, 2, ARRAY_LEN(args), args, err);
    if (made == 0)
        return err_set(err, ERR_STATE, "There is a token named %s already; revoke it first, or take another name.", n->name);
    return made < 0 ? -1 : 0;
}

int token_create(struct app *app, const struct token_new *n, char out[TOKEN_LEN + 1], struct err *err)
{
    uint8_t random[TOKEN_BYTES];
    char digest[DIGEST_HEX_SIZE];
    struct str callbacks = STR_INIT;
    int rc;

    if (!is_name(span_of(n->name)))
        return err_set(err, ERR_INVALID, "A token's name is 1 to %d letters, digits, _ . and -.", TOKEN_NAME_MAX);
    if (!is_list(span_of(n->services)))
        return err_set(err, ERR_INVALID, "The services of a token are their slugs with commas between them, at most %d bytes.", TOKEN_SERVICES_MAX);
    rc = n->callbacks && *n->callbacks ? webhook_addresses(&callbacks, span_of(n->callbacks), err) : 0;
    rnd_bytes(random, sizeof random);
    memcpy(out, TOKEN_START, sizeof TOKEN_START - 1);
    add_base64url(random, sizeof random, out + sizeof TOKEN_START - 1);
    digest_sha256_hex(out, TOKEN_LEN, digest);
    if (rc == 0)
        rc = store(app, n, digest, (struct span){ callbacks.s, callbacks.len }, err);
    str_free(&callbacks);
    return rc;
}

/* --- listing --- */

struct named {
    char *name, *digest;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Names and digests, copied: the next exchange takes the reply away. */
static int read_names(struct app *app, struct named **out, size_t *count, struct err *err)
{
    const struct key names = key_tokens(app->house);
    const struct reply *reply = redis_do(main_redis(app), err, "HGETALL %b", names.s, names.len);

    if (!reply)
        return -1;
    *count = reply->count / 2;
    *out = xcalloc(*count + 1, sizeof **out);
    for (size_t i = 0; i < *count; i++) {
        struct span name = reply_text(&reply->item[2 * i]), digest = reply_text(&reply->item[2 * i + 1]);
        (*out)[i] = (struct named){ xmemdupz(name.s, name.len), xmemdupz(digest.s, digest.len) };
    }
    qsort(*out, *count, sizeof **out, by_name);
    return 0;
}

static void free_names(struct named *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].name);
        free(list[i].digest);
    }
    free(list);
}

enum { FIELD_ROLE, FIELD_SERVICES, FIELD_CALLBACKS, FIELD_CREATED, FIELD_USED, FIELDS };

static int read_tokens(struct app *app, const struct named *list, size_t count, const struct reply **replies,
                       struct err *err)
{
    size_t got;

    main_redis(app);
    for (size_t i = 0; i < count; i++) {
        const struct key k = key_token(app->house, span_of(list[i].digest));
        redis_queuef(app->redis, "HMGET %b role services callbacks created_at last_used", k.s, k.len);
    }
    return count == 0 ? 0 : redis_exchange(app->redis, replies, &got, err);
}

int token_each(struct app *app, void (*fn)(void *ctx, const struct token_view *token), void *ctx, struct err *err)
{
    const struct reply *replies = NULL;
    struct named *list;
    size_t count;
    int rc;

    if (read_names(app, &list, &count, err) < 0)
        return -1;
    rc = read_tokens(app, list, count, &replies, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct reply *r = &replies[i];
        int role = r->count == FIELDS ? token_role_parse(reply_text(&r->item[FIELD_ROLE])) : -1;
        char services[TOKEN_SERVICES_MAX + 1];
        if (role < 0)
            continue; /* revoked meanwhile */
        copy_text(services, sizeof services, reply_text(&r->item[FIELD_SERVICES]));
        fn(ctx, &(struct token_view){ .name = list[i].name, .services = services, .role = (enum token_role)role,
                                      .callbacks = reply_text(&r->item[FIELD_CALLBACKS]),
                                      .created_ms = reply_int(&r->item[FIELD_CREATED], 0),
                                      .used_ms = reply_int(&r->item[FIELD_USED], 0) });
    }
    free_names(list, count);
    return rc;
}

int token_digest_of(struct app *app, const char *name, char out[DIGEST_HEX_SIZE], struct err *err)
{
    const struct key names = key_tokens(app->house);
    const struct reply *reply = redis_do(main_redis(app), err, "HGET %b %s", names.s, names.len, name);
    struct span digest;

    if (!reply)
        return -1;
    digest = reply_text(reply);
    if (!digest.s || digest.len >= DIGEST_HEX_SIZE)
        return 0;
    memcpy(out, digest.s, digest.len);
    out[digest.len] = '\0';
    return 1;
}

int token_revoke(struct app *app, const char *name, struct err *err)
{
    char digest[DIGEST_HEX_SIZE];
    int found = token_digest_of(app, name, digest, err);

    if (found <= 0)
        return found;
    const struct key keys[] = { key_tokens(app->house), key_token(app->house, span_of(digest)) };
    const struct span args[] = { span_of(name), span_of(digest) };
    return run_script(app, &script_token_revoke, keys, 2, ARRAY_LEN(args), args, err);
}

/* --- checking --- */

/* Goes out with the next exchange or flush; it tells people something and decides nothing. */
static void post_use(struct app *app, const struct key *token, int64_t now_ms)
{
    char digits[NUMBER_SIZE];
    const struct span key = key_span(token), now = span_number(digits, now_ms);

    redis_post_script(main_redis(app), &script_token_use, 1, &key, 1, &now);
}

/* Zeros stand in for a text of another length: it costs the same, and nobody can make them a token. */
static struct key key_of(const struct app *app, struct span token)
{
    static const char none[TOKEN_LEN + 1];
    char hex[DIGEST_HEX_SIZE];

    digest_sha256_hex(token.len == TOKEN_LEN ? token.s : none, TOKEN_LEN, hex);
    return key_token(app->house, span_of(hex));
}

/* The digest is what is looked for, so that no comparison takes longer the more of a token is right. */
void token_queue(struct app *app, struct span token)
{
    const struct key k = key_of(app, token);

    redis_queuef(main_redis(app), "HMGET %b name role services last_used", k.s, k.len);
}

int token_take(struct app *app, struct span token, const struct reply replies[TOKEN_REPLIES], struct token *out, struct err *err)
{
    const int64_t now_ms = house_now_ms(app->house);
    const struct reply *found = &replies[0];
    struct span name, services;
    struct key k;
    int role;

    if (redis_reply_ok(found, err) < 0)
        return -1;
    name = found->count == 4 ? reply_text(&found->item[0]) : (struct span){ NULL, 0 };
    role = name.s ? token_role_parse(reply_text(&found->item[1])) : -1;
    services = name.s ? reply_text(&found->item[2]) : name;
    if (role < 0 || token.len != TOKEN_LEN || name.len > TOKEN_NAME_MAX || services.len > TOKEN_SERVICES_MAX)
        return 0;
    out->role = (enum token_role)role;
    copy_text(out->name, sizeof out->name, name);
    copy_text(out->services, sizeof out->services, services);
    if (now_ms - reply_int(&found->item[3], 0) >= USED_MS) {
        k = key_of(app, token);
        post_use(app, &k, now_ms);
    }
    return 1;
}

int token_check(struct app *app, struct span token, struct token *out, struct err *err)
{
    const struct reply *replies;
    size_t count;

    token_queue(app, token);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    return token_take(app, token, replies + count - TOKEN_REPLIES, out, err);
}

void token_digest(struct span token, char out[DIGEST_HEX_SIZE])
{
    digest_sha256_hex(token.s, token.len, out);
}

int token_callbacks(struct app *app, const char *digest, struct str *out, struct err *err)
{
    const struct key k = key_token(app->house, span_of(digest));
    const struct reply *reply = redis_do(main_redis(app), err, "HMGET %b role callbacks", k.s, k.len);
    struct span callbacks;

    if (!reply)
        return -1;
    if (reply->count != 2 || reply->item[0].type == REPLY_NIL)
        return 0;
    callbacks = reply_text(&reply->item[1]);
    str_add_span(out, callbacks.s ? callbacks : SPAN(""));
    return 1;
}

bool token_covers(const struct token *token, struct span slug)
{
    const char *at = token->services;

    if (!*at)
        return true;
    for (size_t len; *at; at += len + (at[len] == ',')) {
        len = strcspn(at, ",");
        if (span_eq(slug, (struct span){ at, len }))
            return true;
    }
    return false;
}

void token_owner(struct span token, char out[TOKEN_OWNER_LEN + 1])
{
    uint8_t digest[DIGEST_BYTES];

    digest_sha256(token.s, token.len, digest);
    rnd_base32(digest, TOKEN_OWNER_LEN, out);
}
