/* keyspace.c: guessing how many keys of which kind there are */
#include "core/keyspace.h"

#include "core/keys.h"
#include "core/options.h"

/* --- one key --- */

static bool begins(struct span key, struct span with)
{
    return key.len >= with.len && memcmp(key.s, with.s, with.len) == 0;
}

static bool ends(struct span key, struct span with)
{
    return key.len >= with.len && memcmp(key.s + key.len - with.len, with.s, with.len) == 0;
}

/* The next part of a key up to a colon; the rest stays in *key. */
static struct span part(struct span *key)
{
    const char *colon = key->len > 0 ? memchr(key->s, ':', key->len) : NULL;
    struct span first = { key->s, colon ? (size_t)(colon - key->s) : key->len };
    size_t taken = first.len + (colon != NULL);

    *key = (struct span){ key->s + taken, key->len - taken };
    return first;
}

/* P:{family}…, but P:{queue}:data:{id} and the other keys of a queue, whose second part is any name. */
static struct span own_family(struct span rest)
{
    static const char *const queue_parts[] = { "queue", "priority", "delayed", "active", "failed", "sequence", "takes", "paused", "limits",
                                               "unique", "limited", "running", "period" };
    struct span first = part(&rest), second = part(&rest);

    if (!options_queue_name(first))
        return first;
    if (span_is(second, "data"))
        return SPAN("jobs");
    for (size_t i = 0; i < ARRAY_LEN(queue_parts); i++)
        if (span_is(second, queue_parts[i]))
            return SPAN("queues");
    return first;
}

static struct span family_of(const struct house *h, struct span key)
{
    size_t prefix = strlen(h->prefix);

    if (begins(key, SPAN("local_request:")))
        return SPAN("requests");
    if (begins(key, SPAN("{local_request:")))
        return ends(key, SPAN(":events")) ? SPAN("histories") : ends(key, SPAN(":otp")) ? SPAN("mailboxes") : SPAN("guards");
    if (begins(key, span_of(h->session_prefix)))
        return SPAN("sessions");
    if (begins(key, span_of(h->task_data)))
        return SPAN("jobs");
    if (span_is(key, KEY_REQUEST_LIST))
        return SPAN("lists");
    if (span_is(key, h->task_queue))
        return SPAN("queues");
    if (begins(key, span_of(h->prefix)) && key.len > prefix && key.s[prefix] == ':')
        return own_family((struct span){ key.s + prefix + 1, key.len - prefix - 1 });
    return SPAN("other");
}

void keyspace_family(const struct house *h, struct span key, char out[32])
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    struct span family = family_of(h, key);

    for (size_t i = 0; i < family.len; i++)
        if (family.s[i] == '\0' || !strchr(allowed, family.s[i]))
            family = SPAN("other");
    snprintf(out, 32, "%.*s", (int)(family.len < 31 ? family.len : 31), family.s);
}

/* --- all of them --- */

static struct keyspace_family *known(struct keyspace *k, const char *name)
{
    for (size_t i = 0; i < k->families; i++)
        if (strcmp(k->family[i].name, name) == 0)
            return &k->family[i];
    return NULL;
}

/* The last place is for all that have none of their own. */
static struct keyspace_family *find(struct keyspace *k, const char *name)
{
    struct keyspace_family *family = known(k, name);

    if (!family && k->families >= KEYSPACE_FAMILIES - 1) {
        name = "other";
        family = known(k, name);
    }
    if (family)
        return family;
    family = &k->family[k->families++];
    snprintf(family->name, sizeof family->name, "%s", name);
    return family;
}

/* Shares of a sample become counts, rounded. */
static void add_sample(struct keyspace *out, const struct house *h, int64_t total, const struct reply keys[], size_t count)
{
    struct keyspace sample = { .families = 0 };
    int64_t picked = 0;
    char name[32];

    for (size_t i = 0; i < count; i++) {
        struct span key = reply_text(&keys[i]);
        if (!key.s)
            continue;
        keyspace_family(h, key, name);
        find(&sample, name)->count++;
        picked++;
    }
    for (size_t i = 0; i < sample.families; i++) {
        int64_t about = (total * sample.family[i].count + picked / 2) / picked;
        find(out, sample.family[i].name)->count += about > 0 ? about : 1; /* one was seen */
    }
    out->total += total;
}

static int look(struct app *app, struct redis *r, int db, struct keyspace *out, struct err *err)
{
    const struct reply *replies;
    size_t count;

    redis_use_db(r, db);
    redis_queuef(r, "DBSIZE");
    for (int i = 0; i < KEYSPACE_SAMPLE; i++)
        redis_queuef(r, "RANDOMKEY");
    if (redis_exchange(r, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    add_sample(out, app->house, reply_int(&replies[0], 0), replies + 1, count - 1);
    return 0;
}

static int by_count(const void *a, const void *b)
{
    const struct keyspace_family *one = a, *two = b;

    return one->count == two->count ? strcmp(one->name, two->name) : one->count < two->count ? 1 : -1;
}

int keyspace_guess(struct app *app, struct keyspace *out, struct err *err)
{
    const bool own_sessions = app->session_redis != app->redis || app->session_db != app->main_db;
    const bool own_cache = (app->cache_redis != app->redis || app->cache_db != app->main_db) &&
                           (app->cache_redis != app->session_redis || app->cache_db != app->session_db);

    *out = (struct keyspace){ .families = 0 };
    if (look(app, app->redis, app->main_db, out, err) < 0)
        return -1;
    if (own_sessions)
        look(app, app->session_redis, app->session_db, out, NULL);
    if (own_cache)
        look(app, app->cache_redis, app->cache_db, out, NULL);
    qsort(out->family, out->families, sizeof out->family[0], by_count);
    return 0;
}
