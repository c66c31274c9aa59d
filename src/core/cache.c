/* cache.c: entries of the cache, read and written */
#include "core/cache.h"

#include "base/rnd.h"
#include "core/keys.h"
#include "scripts.h"

/* --- names --- */

/* Letters, digits and those of `more`. */
static bool is_name(struct span s, const char *more, size_t max)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    for (size_t i = 0; i < s.len; i++)
        if (s.s[i] == '\0' || (!strchr(allowed, s.s[i]) && !strchr(more, s.s[i])))
            return false;
    return s.len >= 1 && s.len <= max;
}

static bool is_ours(struct span key)
{
    static const char *const parts[] = { "fresh:", "claim:", "done:", "tag:" };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (key.len >= strlen(parts[i]) && memcmp(key.s, parts[i], strlen(parts[i])) == 0)
            return true;
    return false;
}

int cache_check_key(struct span key, struct err *err)
{
    if (!is_name(key, "_-.:=,+@~%", CACHE_KEY_MAX))
        return err_set(err, ERR_INVALID, "A key of the cache is 1 to %d characters: letters, digits and _ - . : = , + @ ~ %%.", CACHE_KEY_MAX);
    if (is_ours(key))
        return err_set(err, ERR_INVALID, "A key of the cache does not begin with fresh: claim: done: or tag:, under which Peygir keeps its own.");
    return 0;
}

int cache_check_tag(struct span tag, struct err *err)
{
    if (!is_name(tag, "_-.:=+@~%", CACHE_TAG_MAX))
        return err_set(err, ERR_INVALID, "A tag of the cache is 1 to %d characters: letters, digits and _ - . : = + @ ~ %%.", CACHE_TAG_MAX);
    return 0;
}

/* --- calls --- */

enum { VALUE, BESIDE, CLAIM, COUNTERS, KEYS };
enum { LOOK_REPLIES = 2 };
/* A script on an entry: its keys, and arguments of which the first is P:cache: and the numbers lie in `digits`. */
struct call {
    struct key key[KEYS], base;
    struct span keys[KEYS], args[9 + CACHE_TAGS_MAX];
    char digits[2][NUMBER_SIZE];
    size_t arg_count;
};

static void call_begin(struct call *c, struct app *app, struct span key)
{
    const struct house *h = app->house;

    c->key[VALUE] = key_cache(h, "", key);
    c->key[BESIDE] = key_cache(h, "fresh:", key);
    c->key[CLAIM] = key_cache(h, "claim:", key);
    c->key[COUNTERS] = key_cache_stats(h);
    c->base = key_cache(h, "", SPAN(""));
    for (size_t i = 0; i < KEYS; i++)
        c->keys[i] = key_span(&c->key[i]);
    c->arg_count = 0;
    c->args[c->arg_count++] = key_span(&c->base);
    redis_use_db(app->cache_redis, app->cache_db);
}

static void call_add(struct call *c, struct span arg)
{
    c->args[c->arg_count++] = arg;
}

static void call_add_tags(struct call *c, const struct cache_tags *tags)
{
    for (size_t i = 0; tags && i < tags->count; i++)
        call_add(c, tags->tag[i]);
}

static void call_queue(struct call *c, struct app *app, const struct script *script, size_t keys)
{
    redis_queue_script(app->cache_redis, script, (int)keys, c->keys, (int)c->arg_count, c->args);
}

/* The last reply of the exchange; NULL with *err. */
static const struct reply *answer(struct app *app, struct err *err)
{
    const struct reply *replies;
    size_t count;

    if (redis_exchange(app->cache_redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[count - 1], err) < 0)
        return NULL;
    return &replies[count - 1];
}

/* Under what it is counted: what stands before the first _ or : of the key; nothing there: with the others. */
static struct span prefix_of(struct span key)
{
    size_t len = 0;

    while (len < key.len && key.s[len] != '_' && key.s[len] != ':')
        len++;
    return len > 0 ? (struct span){ key.s, len } : SPAN("*");
}

static struct span text_of(const char *s)
{
    return s ? span_of(s) : SPAN("");
}

/* --- reading --- */

static void queue_value(struct app *app, struct span key)
{
    const struct key value = key_cache(app->house, "", key);
    const struct span words[] = { SPAN("GET"), key_span(&value) };

    redis_use_db(app->cache_redis, app->cache_db);
    redis_queue(app->cache_redis, ARRAY_LEN(words), words);
}

static void look_queue(struct app *app, struct span key, const struct cache_want *want)
{
    static const char *const words[] = { [CACHE_CLAIM_NOT] = "", [CACHE_CLAIM_STALE] = "stale", [CACHE_CLAIM_ALWAYS] = "always" };
    static const struct cache_want nothing = { .claim = CACHE_CLAIM_NOT };
    uint8_t random[8] = { 0 };
    char name[2 * sizeof random + 1];
    struct call c;

    want = want ? want : &nothing;
    if (want->claim != CACHE_CLAIM_NOT)
        rnd_bytes(random, sizeof random);
    rnd_hex(random, sizeof random, name);
    call_begin(&c, app, key);
    call_add(&c, want->uncounted ? SPAN("") : prefix_of(key));
    call_add(&c, span_of(words[want->claim]));
    call_add(&c, span_of(name));
    call_add(&c, span_number(c.digits[0], want->claim_ms));
    call_add_tags(&c, want->tags);
    call_queue(&c, app, &script_cache_look, KEYS);
    queue_value(app, key);
}

/* The value is read behind the script: what is put between the two is newer than what the script saw, and no worse. */
static int look_take(const struct reply replies[LOOK_REPLIES], struct cache_entry *out, struct err *err)
{
    enum { FOUND, AGE, FRESH, ENDS, ETAG, MODIFIED, TYPE, MINE, HELD, LASTS, FAILED, ITEMS };
    const struct reply *item = replies[0].item;

    *out = (struct cache_entry){ .age_ms = 0 };
    if (redis_reply_ok(&replies[0], err) < 0)
        return -1;
    if (replies[0].count != ITEMS)
        return err_set(err, ERR_FAILED, "cache_look.lua gave an answer that is not known here");
    out->age_ms = item[AGE].integer > 0 ? item[AGE].integer : 0; /* Redis's clock may be set back */
    out->fresh_ms = item[FRESH].integer;
    out->ends_ms = item[ENDS].integer;
    out->etag = reply_text(&item[ETAG]);
    out->modified = reply_text(&item[MODIFIED]);
    out->type = reply_text(&item[TYPE]);
    snprintf(out->claim, sizeof out->claim, "%s", item[MINE].text.s);
    out->held = reply_text(&item[HELD]);
    out->wait_ms = item[LASTS].integer;
    out->failed = reply_text(&item[FAILED]);
    if (item[FOUND].integer == 0 || replies[0].late)
        return 0;
    if (redis_reply_ok(&replies[1], err) < 0)
        return -1;
    out->value = reply_text(&replies[1]);
    return out->value.s != NULL;
}

/* `again`: only values; what out[] says was claimed stays claimed. */
static int look_at(struct app *app, const struct span keys[], size_t count, const struct cache_want wants[], bool again, struct cache_entry out[],
                   bool *late, struct err *err)
{
    static const struct cache_want value_only = { .uncounted = true };
    const struct reply *replies;
    size_t got;

    for (size_t i = 0; i < count; i++)
        look_queue(app, keys[i], again ? &value_only : wants ? &wants[i] : NULL);
    if (redis_exchange(app->cache_redis, &replies, &got, err) < 0)
        return -1;
    replies += got - count * LOOK_REPLIES;
    for (size_t i = 0; i < count; i++) {
        char claim[CACHE_CLAIM_SIZE] = "";
        if (again)
            memcpy(claim, out[i].claim, sizeof claim);
        if (look_take(replies + i * LOOK_REPLIES, &out[i], err) < 0)
            return -1;
        if (*claim) {
            memcpy(out[i].claim, claim, sizeof claim);
            out[i].held = SPAN("");
        }
        *late |= replies[i * LOOK_REPLIES].late;
    }
    return 0;
}

int cache_look_many(struct app *app, const struct span keys[], size_t count, const struct cache_want wants[], struct cache_entry out[], struct err *err)
{
    bool late = false;

    if (count == 0)
        return 0;
    if (look_at(app, keys, count, wants, false, out, &late, err) < 0)
        return -1;
    /* Where the script had to be loaded it was too late for the values. */
    return late ? look_at(app, keys, count, NULL, true, out, &late, err) : 0;
}

int cache_look(struct app *app, struct span key, const struct cache_want *want, struct cache_entry *out, struct err *err)
{
    *out = (struct cache_entry){ .age_ms = 0 };
    if (cache_look_many(app, &key, 1, want, out, err) < 0)
        return -1;
    return out->value.s != NULL;
}

/* --- writing --- */

static int check_new(const struct cache_new *n, struct err *err)
{
    const int64_t most = n->source ? CACHE_SOURCE_MAX : CACHE_VALUE_MAX;

    if ((int64_t)n->value.len > most)
        return err_set(err, ERR_INVALID, "The value has %zu bytes; the cache takes at most %lld.", n->value.len, (long long)most);
    return 0;
}

/* How long it stays fresh, and how long it stays. */
static void call_add_life(struct call *c, const struct cache_new *n)
{
    int64_t fresh_ms = n->claim ? n->fresh_ms - rnd_below((uint32_t)(n->fresh_ms / 10) + 1) : n->fresh_ms;

    call_add(c, text_of(n->claim));
    call_add(c, span_number(c->digits[0], fresh_ms));
    call_add(c, span_number(c->digits[1], fresh_ms + n->stale_ms));
    call_add(c, n->etag);
    call_add(c, n->modified);
}

static void queue_put(struct app *app, struct span key, const struct cache_new *n)
{
    struct call c;

    call_begin(&c, app, key);
    call_add_life(&c, n);
    call_add(&c, n->type);
    call_add(&c, prefix_of(key));
    call_add(&c, n->value);
    call_add_tags(&c, n->tags);
    call_queue(&c, app, &script_cache_put, KEYS);
}

int cache_put(struct app *app, struct span key, const struct cache_new *n, struct err *err)
{
    const struct reply *reply;

    if (check_new(n, err) < 0)
        return -1;
    queue_put(app, key, n);
    reply = answer(app, err);
    return reply ? (int)reply->integer : -1;
}

int cache_put_many(struct app *app, const struct cache_pair pairs[], size_t count, struct err *err)
{
    const struct reply *replies;
    size_t got;

    for (size_t i = 0; i < count; i++)
        if (check_new(&pairs[i].entry, err) < 0)
            return -1;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        queue_put(app, pairs[i].key, &pairs[i].entry);
    if (redis_exchange(app->cache_redis, &replies, &got, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[got - count + i], err) < 0)
            return -1;
    return 0;
}

int cache_renew(struct app *app, struct span key, const struct cache_new *n, struct err *err)
{
    const struct reply *reply;
    struct call c;

    call_begin(&c, app, key);
    call_add_life(&c, n);
    call_queue(&c, app, &script_cache_renew, COUNTERS);
    reply = answer(app, err);
    if (!reply)
        return -1;
    return reply->integer < 0 ? err_set(err, ERR_STALE, "the claim on %.*s is over", (int)key.len, key.s) : (int)reply->integer;
}

int cache_release(struct app *app, struct span key, const char *claim, struct span note, int64_t hold_ms, struct err *err)
{
    const struct reply *reply;
    struct call c;

    call_begin(&c, app, key);
    c.keys[0] = c.keys[CLAIM];
    call_add(&c, span_of(claim));
    call_add(&c, (struct span){ note.s, note.len < CACHE_NOTE_MAX ? note.len : CACHE_NOTE_MAX });
    call_add(&c, span_number(c.digits[0], hold_ms));
    call_queue(&c, app, &script_cache_release, 1);
    reply = answer(app, err);
    return reply ? (int)reply->integer : -1;
}
