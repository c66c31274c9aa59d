/* api_cache.c: values that the host site keeps in the cache: /api/internal/cache. Its sentences are for operators, in English. */
#include "web/api.h"

#include "core/cache.h"
#include "web/dispatch.h"
#include "web/route.h"

#define TTL_S 3600 /* when it is not said */
#define ANY_TYPE "application/octet-stream"

static enum problem __attribute__((format(printf, 2, 3))) refuse(struct exchange *x, const char *fmt, ...)
{
    va_list ap;
    char *sentence;

    va_start(ap, fmt);
    sentence = xvasprintf(fmt, ap);
    va_end(ap);
    str_reset(&x->said);
    str_adds(&x->said, sentence);
    free(sentence);
    return PROBLEM_INVALID;
}

static bool has_good_key(struct exchange *x)
{
    if (cache_check_key(x->key, &x->err) == 0)
        return true;
    refuse(x, "%s", x->err.text);
    return false;
}

/* --- reading --- */

/* What is left of it, as caches tell each other (RFC 9211): less than nothing when it is stale. */
static void add_headers(struct exchange *x, const struct cache_entry *entry)
{
    char status[64];
    int len = snprintf(status, sizeof status, "peygir; hit; ttl=%lld", (long long)(entry->fresh_ms / 1000));

    exchange_header_int(x, "Age", entry->age_ms / 1000);
    exchange_header(x, "Cache-Status", (struct span){ status, (size_t)len });
}

enum problem api_cache_get(struct exchange *x)
{
    struct cache_entry entry;
    int found;

    if (!has_good_key(x))
        return PROBLEM_INVALID;
    found = cache_look(&x->seat->app, x->key, NULL, &entry, &x->err);
    if (found < 0)
        return exchange_fail(x);
    if (found == 0) {
        str_adds(&x->said, "The cache has nothing under this key, or it was invalidated.");
        return PROBLEM_NOT_FOUND;
    }
    x->content = CONTENT_BYTES;
    snprintf(x->bytes_type, sizeof x->bytes_type, "%s",
             entry.type.len > 0 && entry.type.len <= EXCHANGE_TYPE_MAX && !span_has_control(entry.type) ? entry.type.s : ANY_TYPE);
    add_headers(x, &entry);
    str_add_span(&x->answer, entry.value);
    return PROBLEM_NONE;
}

/* --- writing --- */

/* Seconds from a field of the query; absent: *out stays. False: it is no such number. */
static bool take_seconds(struct exchange *x, const char *name, int64_t least, int64_t *out)
{
    struct span text = form_get(&x->query, name);
    int64_t n = 0;

    if (!text.s)
        return true;
    for (size_t i = 0; i < text.len; i++) {
        if (text.s[i] < '0' || text.s[i] > '9' || i > 8)
            return false;
        n = n * 10 + (text.s[i] - '0');
    }
    *out = n;
    return text.len > 0 && n >= least && n <= CACHE_TTL_MAX_S;
}

/* One more, if it may be a tag, and not too many are there. */
static bool add_tag(struct exchange *x, struct cache_tags *tags, struct span tag)
{
    if (cache_check_tag(tag, &x->err) < 0) {
        refuse(x, "%s", x->err.text);
        return false;
    }
    if (tags->count == CACHE_TAGS_MAX) {
        refuse(x, "There may be %d tags at most.", CACHE_TAGS_MAX);
        return false;
    }
    tags->tag[tags->count++] = tag;
    return true;
}

static bool take_tags(struct exchange *x, struct cache_tags *tags)
{
    struct span list = form_get(&x->query, "tags");

    tags->count = 0;
    while (list.s) {
        const char *comma = memchr(list.s, ',', list.len);
        const struct span tag = { list.s, comma ? (size_t)(comma - list.s) : list.len };

        if (!add_tag(x, tags, tag))
            return false;
        list = comma ? (struct span){ comma + 1, list.len - tag.len - 1 } : (struct span){ NULL, 0 };
    }
    return true;
}

/* How long, and under which tags; everything else is a slip of whoever wrote it. */
static bool take_query(struct exchange *x, int64_t *ttl_s, int64_t *stale_s, struct cache_tags *tags)
{
    for (size_t i = 0; i < x->query.count; i++) {
        const struct span name = x->query.field[i].name;
        if (!span_is(name, "ttl") && !span_is(name, "stale") && !span_is(name, "tags")) {
            refuse(x, "Known are ttl, stale and tags.");
            return false;
        }
    }
    *ttl_s = TTL_S;
    *stale_s = 0;
    if (take_seconds(x, "ttl", 1, ttl_s) && take_seconds(x, "stale", 0, stale_s))
        return take_tags(x, tags);
    refuse(x, "ttl must be a whole number of seconds from 1 to %d, stale one from 0.", CACHE_TTL_MAX_S);
    return false;
}

enum problem api_cache_put(struct exchange *x)
{
    struct cache_new n = { .value = { x->body.s, x->body.len }, .type = x->param[PARAM_CONTENT_TYPE] };
    struct cache_tags tags;
    int64_t ttl_s, stale_s;

    if (!has_good_key(x) || !take_query(x, &ttl_s, &stale_s, &tags))
        return PROBLEM_INVALID;
    if (n.type.len > EXCHANGE_TYPE_MAX || span_has_control(n.type))
        return refuse(x, "A Content-Type has at most %d bytes.", EXCHANGE_TYPE_MAX);
    n.fresh_ms = ttl_s * 1000;
    n.stale_ms = stale_s * 1000;
    n.tags = &tags;
    if (cache_put(&x->seat->app, x->key, &n, &x->err) < 0)
        return exchange_fail(x);
    str_addf(api_json(x, 200), "{\"bytes\":%zu,\"ttl\":%lld,\"stale\":%lld}", n.value.len, (long long)ttl_s, (long long)stale_s);
    return PROBLEM_NONE;
}

/* --- forgetting --- */

enum problem api_cache_forget(struct exchange *x)
{
    int64_t gone;

    if (!has_good_key(x))
        return PROBLEM_INVALID;
    gone = cache_forget(&x->seat->app, &x->key, 1, &x->err);
    if (gone < 0)
        return exchange_fail(x);
    str_addf(api_json(x, 200), "{\"forgotten\":%lld}", (long long)gone);
    return PROBLEM_NONE;
}

static bool take_tag_list(struct exchange *x, struct cache_tags *tags)
{
    struct json_object *list = NULL;
    bool known = json_object_is_type(x->json, json_type_object) && json_object_object_length(x->json) == 1 &&
                 json_object_object_get_ex(x->json, "tags", &list) && json_object_is_type(list, json_type_array) &&
                 json_object_array_length(list) > 0;

    tags->count = 0;
    for (size_t i = 0; known && i < json_object_array_length(list); i++) {
        struct json_object *tag = json_object_array_get_idx(list, i);

        known = json_object_is_type(tag, json_type_string);
        if (known && !add_tag(x, tags, (struct span){ json_object_get_string(tag), (size_t)json_object_get_string_len(tag) }))
            return false;
    }
    if (!known)
        refuse(x, "The body must be a JSON object with tags, a list of 1 to %d texts.", CACHE_TAGS_MAX);
    return known;
}

enum problem api_cache_invalidate(struct exchange *x)
{
    struct cache_tags tags;
    int64_t found;

    if (!take_tag_list(x, &tags))
        return PROBLEM_INVALID;
    found = cache_invalidate(&x->seat->app, tags.tag, tags.count, &x->err);
    if (found < 0)
        return exchange_fail(x);
    str_addf(api_json(x, 200), "{\"invalidated\":%lld}", (long long)found);
    return PROBLEM_NONE;
}
