/* advice.c: what the version and settings of a server of Redis mean for Peygir. */
#include "core/advice.h"

#define VERSION_LEAST 7

const char *const grade_names[GRADES] = { "ok", "warning", "failed" };
static const char *const checks[] = { "version", "role", "eviction", "memory", "persistence", "access", [ADVICE_CACHE] = "cache" };

struct judge {
    struct span info;
    const struct redisurl *url;
    advice_fn *tell;
    void *ctx;
};

/* The value of "name:" in the text that INFO gives; absent when it has none. */
static struct span value_of(const struct judge *j, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = j->info.s, *end = line + j->info.len; line && line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);

        if (size > len && memcmp(line, name, len) == 0 && line[len] == ':')
            return (struct span){ line + len + 1, size - len - 1 - (line[size - 1] == '\r') };
        line = stop ? stop + 1 : NULL;
    }
    return (struct span){ NULL, 0 };
}

/* The digits that a value begins with. */
static int64_t number_of(const struct judge *j, const char *name)
{
    struct span value = value_of(j, name);
    int64_t n = 0;

    for (size_t i = 0; i < value.len && value.s[i] >= '0' && value.s[i] <= '9' && n < INT64_MAX / 10 - 9; i++)
        n = n * 10 + (value.s[i] - '0');
    return n;
}

/* With what the check is about, where it has such. */
static void add_figures(const struct judge *j, struct advice *a)
{
    if (a->kind == ADVICE_VERSION)
        a->subject = value_of(j, "redis_version");
    else if (a->kind == ADVICE_EVICTION)
        a->subject = value_of(j, "maxmemory_policy");
    else if (a->kind == ADVICE_MEMORY) {
        a->number[0] = number_of(j, "used_memory");
        a->number[1] = number_of(j, "maxmemory");
    }
}

static void __attribute__((format(printf, 4, 5)))
say(const struct judge *j, enum advice_kind kind, enum grade grade, const char *fmt, ...)
{
    struct advice advice = { .kind = kind, .grade = grade, .check = checks[kind] };
    va_list ap;
    char *detail;

    va_start(ap, fmt);
    detail = xvasprintf(fmt, ap);
    va_end(ap);
    advice.detail = detail;
    add_figures(j, &advice);
    j->tell(j->ctx, &advice);
    free(detail);
}

static bool begins_with(struct span value, struct span with)
{
    return value.len >= with.len && memcmp(value.s, with.s, with.len) == 0;
}

static void judge_version(const struct judge *j)
{
    struct span version = value_of(j, "redis_version");

    if (number_of(j, "redis_version") < VERSION_LEAST)
        say(j, ADVICE_VERSION, GRADE_FAILED, "Redis %.*s is too old: Peygir needs 7.0 or newer, or Valkey", (int)version.len, version.s);
    else
        say(j, ADVICE_VERSION, GRADE_OK, "%.*s", (int)version.len, version.s);
}

static void judge_role(const struct judge *j)
{
    if (span_is(value_of(j, "role"), "slave"))
        say(j, ADVICE_ROLE, GRADE_FAILED, "it is a replica and takes no writes: name its primary in REDIS_URL");
    else
        say(j, ADVICE_ROLE, GRADE_OK, "takes writes");
}

/* Without a limit nothing is ever dropped, whatever the policy; but the limit that somebody sets one day makes it dangerous. */
static void judge_eviction(const struct judge *j)
{
    struct span policy = value_of(j, "maxmemory_policy");
    bool limited = number_of(j, "maxmemory") > 0;

    if (limited && begins_with(policy, SPAN("volatile-")))
        say(j, ADVICE_EVICTION, GRADE_WARNING, "maxmemory-policy is %.*s: when it is full Redis silently drops requests and sessions; set noeviction",
            (int)policy.len, policy.s);
    else if (limited && !span_is(policy, "noeviction"))
        say(j, ADVICE_EVICTION, GRADE_WARNING,
            "maxmemory-policy is %.*s: Redis may silently drop queued work; set noeviction, and give the cache a server of its own (REDIS_CACHE_URL)",
            (int)policy.len, policy.s ? policy.s : "");
    else
        say(j, ADVICE_EVICTION, GRADE_OK, "%.*s%s", (int)policy.len, policy.s ? policy.s : "", limited ? "" : ", no limit");
}

static void judge_memory(const struct judge *j)
{
    long long limit = number_of(j, "maxmemory"), used = number_of(j, "used_memory");

    if (limit > 0 && used > limit / 10 * 9)
        say(j, ADVICE_MEMORY, GRADE_WARNING, "%lld of %lld bytes are used: new work will be refused when it is full", used, limit);
    else if (limit > 0)
        say(j, ADVICE_MEMORY, GRADE_OK, "%lld bytes used, limit %lld", used, limit);
    else
        say(j, ADVICE_MEMORY, GRADE_OK, "%lld bytes used, no limit", used);
}

static void judge_persistence(const struct judge *j)
{
    if (number_of(j, "aof_enabled") == 0)
        say(j, ADVICE_PERSISTENCE, GRADE_WARNING, "appendonly is off: a restart of Redis forgets accepted work; set appendonly yes");
    else if (span_is(value_of(j, "aof_last_write_status"), "err"))
        say(j, ADVICE_PERSISTENCE, GRADE_WARNING, "Redis cannot write its append-only file: is its disk full?");
    else
        say(j, ADVICE_PERSISTENCE, GRADE_OK, "appendonly is on");
}

static bool is_loopback(const char *host)
{
    static const char *const names[] = { "localhost", "::1", "[::1]" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(host, names[i]) == 0)
            return true;
    return strncmp(host, "127.", 4) == 0;
}

static bool is_open(const struct redisurl *url)
{
    return !url->path && !url->password && !is_loopback(url->host);
}

static void say_open(const struct judge *j, enum advice_kind kind)
{
    say(j, kind, GRADE_WARNING,
        "TCP to %s without a password: whoever reaches it reads and changes everything; give each program a user (redis-users.acl)",
        j->url->host);
}

static void judge_access(const struct judge *j)
{
    if (is_open(j->url))
        say_open(j, ADVICE_ACCESS);
    else if (j->url->path)
        say(j, ADVICE_ACCESS, GRADE_OK, "a Unix socket%s", j->url->password ? ", with a password" : "");
    else if (j->url->password)
        say(j, ADVICE_ACCESS, GRADE_OK, "TCP, with a password");
    else
        say(j, ADVICE_ACCESS, GRADE_OK, "TCP on loopback, without a password: everybody on this machine may do everything");
}

void advice_judge(struct span info, const struct redisurl *url, advice_fn *tell, void *ctx)
{
    const struct judge j = { info, url, tell, ctx };

    judge_version(&j);
    judge_role(&j);
    judge_eviction(&j);
    judge_memory(&j);
    judge_persistence(&j);
    judge_access(&j);
}

static int ask(struct redis *r, const struct redisurl *url, advice_fn *tell, void *ctx, struct err *err)
{
    const struct reply *info = redis_do(r, err, "INFO");

    if (!info)
        return -1;
    advice_judge(reply_text(info), url, tell, ctx);
    return 0;
}

int advice_ask(struct app *app, advice_fn *tell, void *ctx, struct err *err)
{
    return ask(app->redis, &app->house->main_url, tell, ctx, err);
}

int advice_ask_sessions(struct app *app, advice_fn *tell, void *ctx, struct err *err)
{
    return ask(app->session_redis, &app->house->session_url, tell, ctx, err);
}

/* --- the cache's server --- */

void advice_judge_cache(struct span info, const struct redisurl *url, advice_fn *tell, void *ctx)
{
    const struct judge j = { info, url, tell, ctx };
    struct span policy = value_of(&j, "maxmemory_policy"), version = value_of(&j, "redis_version");
    bool limited = number_of(&j, "maxmemory") > 0;

    if (number_of(&j, "redis_version") < VERSION_LEAST)
        say(&j, ADVICE_CACHE, GRADE_FAILED, "its Redis %.*s is too old: Peygir needs 7.0 or newer, or Valkey", (int)version.len, version.s);
    else if (span_is(value_of(&j, "role"), "slave"))
        say(&j, ADVICE_CACHE, GRADE_FAILED, "its server is a replica and takes no writes: name its primary in REDIS_CACHE_URL");
    else if (is_open(url))
        say_open(&j, ADVICE_CACHE);
    else if (limited && span_is(policy, "noeviction"))
        say(&j, ADVICE_CACHE, GRADE_WARNING, "its server has maxmemory-policy noeviction: once it is full nothing new is kept; set allkeys-lru");
    else
        say(&j, ADVICE_CACHE, GRADE_OK, "a server of its own, %.*s%s", (int)policy.len, policy.s ? policy.s : "", limited ? "" : ", no limit");
}

int advice_ask_cache(struct app *app, advice_fn *tell, void *ctx, struct err *err)
{
    const struct reply *info = redis_do(app->cache_redis, err, "INFO");

    if (!info)
        return -1;
    advice_judge_cache(reply_text(info), &app->house->cache_url, tell, ctx);
    return 0;
}
