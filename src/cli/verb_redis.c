/* verb_redis.c: peygir redis check: everything that a program does with Redis is tried, on keys of its own names that nobody else uses. */
#include "base/rnd.h"
#include "cli/output.h"
#include "core/advice.h"
#include "core/job.h"
#include "core/keys.h"

enum { WEB = 1, WORKER = 2, ADMIN = 4, BOT = 8, PUSH = 16, HOUSE = WEB | WORKER | ADMIN, ALL = HOUSE | BOT | PUSH };

/* A command of some words; "@name" stands for a key or channel. Together they change nothing that is there. */
struct trial {
    unsigned who;
    const char *what;    /* for people: "requests" */
    const char *command;
};
static const struct trial trials[] = {
    { ALL, "requests", "SET @document check PX 10000" },
    { ALL, "requests", "GET @document" },
    { ALL, "requests", "PTTL @document" },
    { ALL, "requests", "PEXPIRE @document 10000" },
    { BOT, "requests", "SETEX @document 10 check" },
    { ALL, "requests", "HSET @guard status check" },
    { ALL, "requests", "HMGET @guard status revision" },
    { ALL, "requests", "RPUSH @events check" },
    { ALL, "requests", "LTRIM @events -100 -1" },
    { ALL, "requests", "LRANGE @events 0 -1" },
    { BOT, "requests", "LINDEX @events -1" },
    { BOT, "requests", "HGET @guard status" },
    { ALL, "codes", "RPUSH @mailbox check" },
    { ALL, "codes", "LPOP @mailbox" },
    { PUSH | ADMIN | BOT, "codes", "LPUSH @mailbox check" },
    { BOT, "codes", "BLPOP @mailbox 1" },
    { HOUSE, "lists of requests", "LREM local_requests_list 0 @id" },
    { HOUSE, "lists of requests", "LPUSH @owner check" },
    { HOUSE, "lists of requests", "LPUSH @user_requests check" },
    { HOUSE, "lists of requests", "ZADD @watch XX 1 @id" },
    { ALL, "messages", "PUBLISH @updates check" },
    { WORKER | ADMIN | BOT | PUSH, "messages", "SUBSCRIBE @updates" },
    { WORKER | ADMIN | BOT | PUSH, "messages", "UNSUBSCRIBE @updates" },
    { HOUSE, "messages", "PUBLISH @notifications_task check" },
    { PUSH, "messages", "SUBSCRIBE @notifications_task" },
    { PUSH, "messages", "UNSUBSCRIBE @notifications_task" },
    { HOUSE, "messages", "PUBLISH @orders check" },
    { HOUSE, "jobs", "LREM @task_queue 0 @id" },
    { HOUSE, "jobs", "HSET @task_job type check" },
    { HOUSE, "jobs", "HGETALL @task_job" },
    { HOUSE | PUSH, "jobs", "HMGET @job_seen status" },
    { HOUSE, "jobs", "LPUSH @queue check" },
    { HOUSE, "jobs", "LPOS @queue check" },
    { HOUSE, "jobs", "ZADD @priority 1 check" },
    { HOUSE, "jobs", "ZADD @delayed 1 check" },
    { HOUSE, "jobs", "ZADD @active 1 check" },
    { HOUSE, "jobs", "ZADD @failed 1 check" },
    { HOUSE, "jobs", "ZREM @active check" },
    { HOUSE, "jobs", "ZSCORE @delayed check" },
    { HOUSE, "jobs", "ZRANGE @failed 0 -1" },
    { HOUSE, "jobs", "HSET @job type check" },
    { HOUSE, "jobs", "INCR @sequence" },
    { WEB | ADMIN, "jobs", "MULTI" },
    { WEB | ADMIN, "jobs", "EXEC" },
    { HOUSE | PUSH, "jobs", "LPOS @task_queue @id" },
    { HOUSE | PUSH, "jobs", "GET @paused" },
    { HOUSE | PUSH, "jobs", "ZCOUNT @priority_seen 6 +inf" },
    { HOUSE, "jobs", "HGETALL @limits_seen" },
    { WORKER | ADMIN, "jobs", "HSET @limits tat 0" },
    { HOUSE, "statistics", "HDEL @daily @id" },
    { HOUSE, "statistics", "GET @total" },
    { HOUSE | PUSH, "statistics", "HINCRBY @sessions_count made 0" },
    { WEB | ADMIN, "statistics", "DBSIZE" },
    { WEB | ADMIN, "statistics", "RANDOMKEY" },
    { HOUSE, "workers", "ZRANGE @workers 0 -1 WITHSCORES" },
    { WORKER | ADMIN, "workers", "HSET @worker host check" },
    { WORKER | ADMIN, "workers", "ZREM @workers @id" },
    { WORKER | ADMIN, "workers", "GET @restart" },
    { WORKER | ADMIN, "news", "CLIENT ID" },
    { WORKER | ADMIN, "news", "CLIENT TRACKING OFF" },
    { WORKER | ADMIN, "news", "SUBSCRIBE __redis__:invalidate" },
    { WORKER | ADMIN, "news", "UNSUBSCRIBE __redis__:invalidate" },
    { WORKER | ADMIN, "schedules", "HDEL @schedule @id" },
    { WORKER | ADMIN, "sources", "SET @source_rest 1 PX 10000" },
    { WORKER | ADMIN, "sources", "PTTL @source_rest" },
    { WEB, "sources", "PTTL @source_rest_seen" },
    { WEB | ADMIN, "services", "HGETALL @closed" },
    { ADMIN, "tokens", "HGET @tokens @id" },
    { WEB | ADMIN | PUSH, "tokens", "HSET @token role check" },
    { WEB | ADMIN | PUSH, "tokens", "HMGET @token role" },
    { WORKER, "tokens", "HMGET @token_seen role callbacks" },
    { ADMIN, "tokens", "HDEL @tokens @id" },
    { WEB | ADMIN, "administrators", "HGET @users @id" },
    { WEB | ADMIN, "administrators", "HDEL @users @id" },
    { WEB | ADMIN, "workers", "HGETALL @worker_seen" },
    { WEB | ADMIN | PUSH, "limits", "SET @limit 1 PX 10000" },
    { WEB | ADMIN | PUSH, "presence", "SET @presence 1 PX 10000" },
    { WEB | ADMIN | PUSH, "presence", "ZADD @presence_seen XX 1 @id" },
    { WEB | ADMIN | PUSH, "presence", "ZREMRANGEBYSCORE @presence_seen -inf -1" },
    { WEB | ADMIN | PUSH, "presence", "EVAL @script 2 @presence @presence_seen" },
    { WEB | ADMIN, "presence", "EXISTS @presence" },
    { WEB | ADMIN, "presence", "ZMSCORE @presence_seen @id" },
    { HOUSE, "notifications", "HSET @inbox check 1" },
    { HOUSE, "notifications", "HEXISTS @inbox check" },
    { HOUSE, "notifications", "ZADD @inbox_order 1 check" },
    { HOUSE, "notifications", "SADD @inbox_unread check" },
    { HOUSE, "notifications", "EVAL @script 3 @inbox @inbox_order @inbox_unread" },
    { HOUSE, "reminders", "SET @reminder check PX 10000" },
    { HOUSE, "reminders", "GET @reminder" },
    { ALL, "scripts", "TIME" },
    { ALL, "scripts", "SCRIPT LOAD @script" },
    { ALL, "scripts", "EVAL @script 1 @document" },
    { HOUSE, "scripts", "EVAL @script 2 @queue @active" },
    { ADMIN, "looking around", "SCAN 0 MATCH @document COUNT 1" },
};
static const struct trial session_trials[] = {
    { WEB | ADMIN, "sessions", "SET @session check PX 10000" },
    { WEB | ADMIN | PUSH, "sessions", "GET @session" },
    { WEB | ADMIN | PUSH, "sessions", "EVAL @script 1 @session" },
    { WEB | ADMIN, "administrators", "HSET @admin_session name check" },
    { WEB | ADMIN, "sessions", "SET @ticket check PX 10000" },
    { HOUSE | PUSH, "sessions", "DEL @session" },
    { WEB | ADMIN | PUSH, "sessions", "SADD @user_sessions check" },
    { HOUSE | PUSH, "sessions", "SMEMBERS @user_sessions" },
    { HOUSE | PUSH, "sessions", "SREM @user_sessions check" },
    { HOUSE, "sessions", "ZREM @session_users @id" },
};
static const struct trial cache_trials[] = {
    { HOUSE, "cache", "SET @cache check PX 10000" },
    { HOUSE, "cache", "GET @cache" },
    { HOUSE, "cache", "PTTL @cache" },
    { HOUSE, "cache", "HSET @cache_fresh fresh 1" },
    { HOUSE, "cache", "HGETALL @cache_fresh" },
    { HOUSE, "cache", "PEXPIREAT @cache_fresh 4102444800000" },
    { HOUSE, "cache", "GET @cache_tag" },
    { HOUSE, "cache", "XADD @cache_done MAXLEN 1 * done 1" },
    { HOUSE, "cache", "XREAD STREAMS @cache_done 0" },
    { HOUSE, "cache", "HEXISTS @cache_stats @id" },
    { HOUSE, "cache", "HLEN @cache_stats" },
    { HOUSE, "cache", "EVAL @script 3 @cache @cache_fresh @cache_stats" },
    { ADMIN, "cache", "SCAN 0 MATCH @cache COUNT 1" },
};

/* What "@name" stands for; of what is `ours` those that a trial `used` are removed afterwards. */
struct place {
    const char *name;
    struct key key;
    bool ours, used;
};
enum { PLACES_MAX = 64 };
struct check {
    struct cli *cli;
    struct json_object *list;
    enum grade worst;
    unsigned who;
    struct place place[PLACES_MAX];
    size_t places;
    int tried;
};

/* With flags, so that a server that is too old says so; it writes also when Redis is full. */
static const char script[] = "#!lua flags=allow-oom\nreturn redis.call('TIME')";

static void tell(struct check *c, const char *check, enum grade grade, const char *detail)
{
    struct json_object *row = json_object_new_object();
    output_set_text(row, "check", check);
    output_set_text(row, "status", grade_names[grade]);
    output_set_text(row, "detail", detail);
    json_object_array_add(c->list, row);
    if (grade > c->worst)
        c->worst = grade;
}

static void tell_advice(void *ctx, const struct advice *advice)
{
    tell(ctx, advice->check, advice->grade, advice->detail);
}

static void put(struct check *c, const char *name, struct key key, bool ours)
{
    c->place[c->places++] = (struct place){ name, key, ours, false };
}

static void name_requests(struct check *c, const struct house *h, struct span id)
{
    put(c, "document", key_document(id), true);
    put(c, "guard", key_guard(id), true);
    put(c, "events", key_events(id), true);
    put(c, "mailbox", key_mailbox(id), true);
    put(c, "updates", key_updates(id), false);
    put(c, "owner", key_owner(h, id), true);
    put(c, "user_requests", key_user_requests(h, id), true);
    put(c, "watch", key_watch(h), false);
    put(c, "notifications_task", key_notifications_task(h, id), false);
    put(c, "orders", key_worker_orders(h, id), false);
}

static void name_work(struct check *c, const struct house *h, struct span id)
{
    static const char *const parts[] = { "queue", "priority", "delayed", "active", "failed", "sequence", "limits" };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        put(c, parts[i], key_queue(h, id, parts[i]), true);
    put(c, "task_queue", key_queue(h, SPAN(JOB_QUEUE_DEFAULT), "queue"), false);
    put(c, "task_job", key_job(h, SPAN(JOB_QUEUE_DEFAULT), id), true);
    put(c, "paused", key_queue(h, id, "paused"), false);
    put(c, "job", key_job(h, id, id), true);
    put(c, "daily", key_stats_daily(h, house_now_ms(h)), false);
    put(c, "total", key_stats(h, "total"), false);
    put(c, "sessions_count", key_session_stats(h), false);
    put(c, "workers", key_workers(h), false);
    put(c, "worker", key_worker(h, id), true);
    put(c, "restart", key_restart(h), false);
    put(c, "schedule", key_schedule(h), false);
    put(c, "closed", key_closed(h), false);
    put(c, "worker_seen", key_worker(h, id), false);
    put(c, "job_seen", key_job(h, SPAN(JOB_QUEUE_DEFAULT), id), false);
    put(c, "limits_seen", key_queue(h, id, "limits"), false);
    put(c, "priority_seen", key_queue(h, id, "priority"), false);
}

static void name_people(struct check *c, const struct house *h, struct span id)
{
    put(c, "tokens", key_tokens(h), false);
    put(c, "token", key_token(h, id), true);
    put(c, "token_seen", key_token(h, id), false);
    put(c, "session", key_session(h, id), true);
    put(c, "user_sessions", key_user_sessions(h, id), true);
    put(c, "session_users", key_session_users(h), false);
    put(c, "ticket", key_ticket(h, id), true);
    put(c, "users", key_users(h), false);
    put(c, "admin_session", key_admin_session(h, id), true);
    put(c, "limit", key_limit(h, SPAN("read"), id), true);
    put(c, "inbox", key_inbox(h, "kept", id), true);
    put(c, "inbox_order", key_inbox(h, "order", id), true);
    put(c, "inbox_unread", key_inbox(h, "unread", id), true);
    put(c, "reminder", key_reminder(h, id), true);
    put(c, "presence", key_presence(h, id), true);
    put(c, "presence_seen", key_presence_seen(h), false);
}

static void name_data(struct check *c, const struct house *h, struct span id)
{
    put(c, "source_rest", key_source(h, id, "rest"), true);
    put(c, "source_rest_seen", key_source(h, id, "rest"), false);
    put(c, "cache", key_cache(h, "", id), true);
    put(c, "cache_fresh", key_cache(h, "fresh:", id), true);
    put(c, "cache_tag", key_cache(h, "tag:", id), false);
    put(c, "cache_done", key_cache(h, "done:", id), true);
    put(c, "cache_stats", key_cache_stats(h), false);
}

static void name_places(struct check *c)
{
    const struct house *h = &c->cli->house;
    char id_text[32] = "check-";
    uint8_t random[8];
    rnd_bytes(random, sizeof random);
    rnd_hex(random, sizeof random, id_text + strlen(id_text));
    const struct span id = span_of(id_text);
    struct key plain = { .len = 0 };
    memcpy(plain.s, id.s, id.len + 1);
    plain.len = id.len;
    put(c, "id", plain, false);
    name_requests(c, h, id);
    name_work(c, h, id);
    name_people(c, h, id);
    name_data(c, h, id);
}

static struct place *find_place(struct check *c, struct span name)
{
    for (size_t i = 0; i < c->places; i++)
        if (span_is(name, c->place[i].name))
            return &c->place[i];
    return NULL;
}

static struct span word_of(struct check *c, struct span word)
{
    if (word.s[0] != '@')
        return word;
    struct place *place = find_place(c, (struct span){ word.s + 1, word.len - 1 });
    if (!place)
        return (struct span){ script, sizeof script - 1 }; /* the one name that is no key */
    place->used = true;
    return key_span(&place->key);
}

/* As it was sent, but for the script. */
static void tell_refusal(struct check *c, const struct trial *t, const struct span words[], int count, const char *why)
{
    struct str detail = STR_INIT;
    for (int i = 0; i < count; i++) {
        struct span word = words[i].s == script ? SPAN("(a script)") : words[i];
        str_adds(&detail, i ? " " : "");
        str_add(&detail, word.s, word.len);
    }
    str_addf(&detail, ": %s", why);
    tell(c, t->what, GRADE_FAILED, detail.s);
    str_free(&detail);
}

/* A command that Redis refuses is a finding; only a connection that breaks ends the check. 0 or -1. */
static int try_one(struct check *c, struct redis *redis, const struct trial *t, struct err *err)
{
    struct span words[8];
    int count = 0;
    for (const char *at = t->command; *at; at += *at == ' ') {
        size_t len = strcspn(at, " ");
        words[count++] = word_of(c, (struct span){ at, len });
        at += len;
    }
    struct err why = ERR_INIT;
    const struct reply *replies;
    size_t got;
    redis_queue(redis, count, words);
    if (redis_exchange(redis, &replies, &got, err) < 0)
        return -1;
    c->tried++;
    if (redis_reply_ok(&replies[0], &why) == 0)
        return 0;
    tell_refusal(c, t, words, count, why.text);
    return 0;
}

static int try_all(struct check *c, struct redis *redis, int db, const struct trial *list, size_t count, struct err *err)
{
    redis_use_db(redis, db);
    for (size_t i = 0; i < count; i++)
        if (list[i].who & c->who && try_one(c, redis, &list[i], err) < 0)
            return -1;
    return 0;
}

/* Nothing stays. */
static void clean(struct check *c, struct redis *redis, int db)
{
    redis_use_db(redis, db);
    for (size_t i = 0; i < c->places; i++)
        if (c->place[i].ours && c->place[i].used) {
            const struct span words[] = { SPAN("DEL"), key_span(&c->place[i].key) };
            redis_post(redis, ARRAY_LEN(words), words);
            c->place[i].used = false;
        }
    redis_flush(redis);
}

/* The cache may be away, where it has a server of its own: everything else goes on. */
static int try_cache(struct check *c, struct err *err)
{
    struct app *app = &c->cli->app;
    bool own = app->cache_redis != app->redis;
    bool asks = c->who & (WEB | ADMIN);
    int result = own && asks ? advice_ask_cache(app, tell_advice, c, err) : 0;
    if (result == 0)
        result = try_all(c, app->cache_redis, app->cache_db, cache_trials, ARRAY_LEN(cache_trials), err);
    clean(c, app->cache_redis, app->cache_db);
    if (result < 0 && own) {
        tell(c, "cache", GRADE_WARNING, err->text);
        result = 0;
    }
    return result;
}

static int try_everything(struct check *c, struct err *err)
{
    struct app *app = &c->cli->app;
    int result = try_all(c, app->redis, app->main_db, trials, ARRAY_LEN(trials), err);
    clean(c, app->redis, app->main_db);
    if (result == 0)
        result = try_all(c, app->session_redis, app->session_db, session_trials, ARRAY_LEN(session_trials), err);
    clean(c, app->session_redis, app->session_db);
    return result == 0 ? try_cache(c, err) : -1;
}

static unsigned program_of(const struct cli *cli)
{
    static const char *const names[] = { "web", "worker", "admin", "bot", "push" };
    const char *given = cli_flag(cli, "program")->text;
    for (size_t i = 0; given && i < ARRAY_LEN(names); i++)
        if (strcmp(given, names[i]) == 0)
            return 1u << i;
    return ADMIN;
}

int verb_redis_check(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("check", "CHECK"), COLUMN("status", "STATUS"),
                                             COLUMN("detail", "DETAIL"), COLUMN_END };
    struct check *c = xcalloc(1, sizeof *c);
    c->cli = cli;
    c->list = json_object_new_array();
    c->who = program_of(cli);
    name_places(c);
    struct err why = ERR_INIT;
    int result = c->who & (WORKER | PUSH) ? 0 : advice_ask(&cli->app, tell_advice, c, &why);
    if (result < 0 && why.kind == ERR_FAILED) {
        tell(c, "settings", GRADE_FAILED, why.text);
        result = 0;
    }
    if (result == 0)
        result = try_everything(c, &why);
    if (result == 0) {
        char *detail = xasprintf("%d commands tried", c->tried);
        tell(c, "commands", GRADE_OK, detail);
        free(detail);
        output_list(cli, c->list, columns, "");
        result = c->worst == GRADE_FAILED;
    } else {
        *err = why;
        json_object_put(c->list);
    }
    free(c);
    return result;
}
