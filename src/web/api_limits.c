/* api_limits.c: limits that the host site keeps with Peygir: its own names, or ours (core/limit.c) for people it knows. */
#include "web/api.h"

#include "web/dispatch.h"
#include "web/route.h"

#define NAME_MAX_BYTES 32
#define WHO_MAX_BYTES 256
#define COUNT_MAX 1000000
#define PERIOD_MAX_S (31 * 86400)

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", name.s[i]))
            return false;
    return name.len > 0 && name.len <= NAME_MAX_BYTES;
}

/* A whole number from 1 to `most`; `fallback` (0: none) when it is absent. 0 or -1. */
static int read_number(struct exchange *x, const char *name, int64_t fallback, int64_t most, int64_t *out)
{
    struct json_object *value = NULL;
    bool there = json_object_object_get_ex(x->json, name, &value);

    *out = there && json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : there ? 0 : fallback;
    return *out >= 1 && *out <= most ? 0 : -1;
}

static int read_who(struct exchange *x, char out[LIMIT_WHO_LEN + 1])
{
    struct json_object *value = NULL;
    size_t len;

    if (!json_object_object_get_ex(x->json, "who", &value) || !json_object_is_type(value, json_type_string))
        return -1;
    len = (size_t)json_object_get_string_len(value);
    if (len == 0 || len > WHO_MAX_BYTES)
        return -1;
    limit_who(x->seat->app.house, LIMIT_BY_SITE, (struct span){ json_object_get_string(value), len }, out);
    return 0;
}

static enum problem read_bucket(struct exchange *x, struct limit_bucket *b)
{
    const struct limit *ours = &limits[limit_find(x->id)];
    char who[LIMIT_WHO_LEN + 1];
    int64_t count;

    if (!is_name(x->id))
        return PROBLEM_NOT_FOUND;
    if (!json_object_is_type(x->json, json_type_object))
        return exchange_say(x, PROBLEM_INVALID, "json.not_object");
    if (read_who(x, who) < 0)
        return exchange_say(x, PROBLEM_INVALID, "json.limit_who");
    if (read_number(x, "count", ours->count, COUNT_MAX, &count) < 0 ||
        read_number(x, "period", ours->count ? ours->period_s : 0, PERIOD_MAX_S, &b->period_s) < 0 ||
        read_number(x, "burst", ours->burst ? ours->burst : count, COUNT_MAX, &b->burst) < 0)
        return exchange_say(x, PROBLEM_INVALID, "json.limit_numbers");
    b->count = (double)count;
    b->key = key_limit(x->seat->app.house, x->id, span_of(who));
    b->once = (struct span){ NULL, 0 };
    return PROBLEM_NONE;
}

/* {who, count, period, burst}: counted once more, unless it is too often. That is an answer, not a refusal: 200 either way. */
enum problem api_limit_count(struct exchange *x)
{
    struct limit_thing thing = { .count = 1 };
    struct limit_bucket *bucket = &thing.bucket[0];
    struct limit_verdict verdict = { .left = 0 };
    enum problem problem = read_bucket(x, bucket);
    struct str *out;
    int rc;

    if (problem != PROBLEM_NONE)
        return problem;
    rc = limit_ask(&x->seat->app, &thing, &verdict, &x->err);
    if (rc < 0)
        return exchange_fail(x);
    out = api_json(x, 200);
    str_addf(out, "{\"allowed\":%s,\"limit\":%lld", rc ? "true" : "false", (long long)bucket->burst);
    str_addf(out, ",\"remaining\":%lld", (long long)verdict.left);
    str_addf(out, ",\"retry_after\":%d}", rc ? 0 : limit_wait_s(&verdict));
    return PROBLEM_NONE;
}
