/* report.c: telling Peygir how a call goes on, in Redis. This is all a bot in any language has to do: read the
 * document local_request:HASH, change fields, write it back for 1800 s, and publish that it changed. */
#include "bot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COMMAND_S = 3, CONNECT_S = 2 };

/* --- connection --- */

static void sign_in(redisContext *redis, const char *user, const char *password)
{
    if (redis && !redis->err && *password)
        freeReplyObject(*user ? redisCommand(redis, "AUTH %s %s", user, password)
                              : redisCommand(redis, "AUTH %s", password));
}

/* redis://[user:password@]host[:port][/db] */
static redisContext *connect_tcp(const char *rest, int *db)
{
    char host[256] = "127.0.0.1", user[128] = "", password[256] = "";
    const char *at = strrchr(rest, '@');
    int port = 6379;
    redisContext *redis;

    if (at && sscanf(rest, "%127[^:@]:%255[^@]", user, password) < 2)
        sscanf(rest, ":%255[^@]", password);
    rest = at ? at + 1 : rest;
    sscanf(rest, "%255[^:/]", host);
    rest += strcspn(rest, ":/");
    sscanf(rest, ":%d", &port);
    sscanf(rest + strcspn(rest, "/"), "/%d", db);
    redis = redisConnectWithTimeout(host, port, (struct timeval){ .tv_sec = CONNECT_S });
    sign_in(redis, user, password);
    return redis;
}

/* unix:///path?db=0&user=name&password=word, in any order */
static redisContext *connect_unix(const char *rest, int *db)
{
    char path[128] = "", user[128] = "", password[256] = "";
    redisContext *redis;

    sscanf(rest, "%127[^?]", path);
    for (rest += strcspn(rest, "?"); *rest; rest += 1 + strcspn(rest + 1, "&"))
        if (!sscanf(rest + 1, "db=%d", db) && !sscanf(rest + 1, "user=%127[^&]", user))
            sscanf(rest + 1, "password=%255[^&]", password);
    redis = redisConnectUnixWithTimeout(path, (struct timeval){ .tv_sec = CONNECT_S });
    sign_in(redis, user, password);
    return redis;
}

static redisContext *connect_to(const char *url)
{
    int db = 0;
    redisContext *redis = NULL;

    if (strncmp(url, "unix://", 7) == 0)
        redis = connect_unix(url + 7, &db);
    else if (strncmp(url, "redis://", 8) == 0)
        redis = connect_tcp(url + 8, &db);
    if (redis && !redis->err) {
        redisSetTimeout(redis, (struct timeval){ .tv_sec = COMMAND_S });
        freeReplyObject(redisCommand(redis, "SELECT %d", db));
    }
    if (redis && redis->err) {
        redisFree(redis);
        redis = NULL;
    }
    return redis;
}

/* --- the document --- */

/* The request's document, or NULL when it expired or Redis is away. The caller owns it. */
static struct json_object *load(struct call *c)
{
    struct json_object *document = NULL;
    redisReply *reply;

    if (!c->redis || !*c->hash)
        return NULL;
    reply = redisCommand(c->redis, "GET local_request:%s", c->hash);
    if (reply && reply->type == REDIS_REPLY_STRING)
        document = json_tokener_parse(reply->str);
    freeReplyObject(reply);
    return document;
}

/* Give `to` the fields of `from`; those it has are kept unless `replace`. */
static void merge(struct json_object *to, struct json_object *from, bool replace)
{
    struct json_object_iter field;

    if (json_object_is_type(from, json_type_object))
        json_object_object_foreachC(from, field)
            if (replace || !json_object_object_get(to, field.key))
                json_object_object_add(to, field.key, json_object_get(field.val));
}

/* XX: a document that expired meanwhile is not brought back. */
static void store(struct call *c, struct json_object *document)
{
    int format = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    freeReplyObject(redisCommand(c->redis, "SET local_request:%s %s EX 1800 XX", c->hash,
                                 json_object_to_json_string_ext(document, format)));
}

/* A message is a hint: who gets it reads the document. */
static void publish(struct call *c, struct json_object *document)
{
    static const char *const told[] = { "hash", "status", "step", "progress", "current_message", "updated_at" };
    struct json_object *message = json_object_new_object();

    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        json_object_object_add(message, told[i], json_object_get(json_object_object_get(document, told[i])));
    freeReplyObject(redisCommand(c->redis, "PUBLISH local_request_updates:%s %s", c->hash,
                                 json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN)));
    json_object_put(message);
}

static struct json_object *utc(time_t when)
{
    char text[32];
    struct tm tm;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&when, &tm));
    return json_object_new_string(text);
}

void report_open(struct call *c)
{
    const char *url = getenv("REDIS_URL");
    struct json_object *document;

    c->redis = url && *c->hash ? connect_to(url) : NULL;
    document = load(c);
    c->known = document != NULL;
    json_object_put(document);
}

void report_close(struct call *c)
{
    if (c->redis)
        redisFree(c->redis);
    c->redis = NULL;
}

void report_fields(struct call *c, struct json_object *changes)
{
    struct json_object *document = load(c);

    json_object_object_add(changes, "updated_at", utc(time(NULL)));
    if (document) {
        merge(document, changes, true);
        store(c, document);
        publish(c, document);
    }
    json_object_put(document);
    json_object_put(changes);
}

void report_progress(struct call *c, int percent, const char *step, const char *fa, const char *en)
{
    struct json_object *changes = json_object_new_object();
    char message[512];

    snprintf(message, sizeof message, c->html ? "<b onclick=\"alert(1)\">%s</b><script>alert('&amp;')</script>" : "%s",
             call_say(c, fa, en));
    json_object_object_add(changes, "status", json_object_new_string("processing"));
    json_object_object_add(changes, "progress", json_object_new_int(percent));
    json_object_object_add(changes, "step", json_object_new_string(step));
    json_object_object_add(changes, "current_message", json_object_new_string(message));
    report_fields(c, changes);
}

bool report_is_over(struct call *c)
{
    struct json_object *document;
    const char *status;
    bool over = false;

    if (!c->known || c->redis->err)
        return false;
    document = load(c);
    status = json_object_get_string(json_object_object_get(document, "status"));
    if (!document)
        over = !c->redis->err;
    else if (status)
        over = strcmp(status, "cancelled") == 0 || strcmp(status, "failed") == 0 || strcmp(status, "completed") == 0;
    json_object_put(document);
    return over;
}

int report_code_count(struct call *c, const char *name)
{
    struct json_object *document = load(c);
    int n = json_object_get_int(json_object_object_get(json_object_object_get(document, "otp_data"), name));
    json_object_put(document);
    return n;
}

/* --- the code --- */

struct json_object *code_object(const struct call *c)
{
    struct json_object *otp = json_object_new_object();
    char handle[64], message[256];
    const char *code = c->code_length == 6 ? "123456" : "12345";

    snprintf(handle, sizeof handle, "demo-%.40s", c->hash);
    snprintf(message, sizeof message, "%s%s.", call_say(c, "کد پیامک شد. این نمایشی است و کد این است: ",
             "The code was sent. This is a demonstration; the code is "), code);
    json_object_object_add(otp, "hash", json_object_new_string(handle));
    json_object_object_add(otp, "expiry", json_object_new_int(c->code_expiry_s));
    json_object_object_add(otp, "message", json_object_new_string(message));
    json_object_object_add(otp, "length", json_object_new_int(c->code_length));
    return otp;
}

void report_code_needed(struct call *c, const char *reason)
{
    struct json_object *document = load(c), *changes = json_object_new_object();
    struct json_object *otp = code_object(c);

    merge(otp, json_object_object_get(document, "otp_data"), false); /* what Peygir counts there stays */
    json_object_object_del(otp, "expiry");
    json_object_object_add(otp, "expires_at", utc(time(NULL) + c->code_expiry_s));
    if (reason)
        json_object_object_add(otp, "reason", json_object_new_string(reason));
    else
        json_object_object_del(otp, "reason");
    json_object_object_add(changes, "status", json_object_new_string("otp_required"));
    json_object_object_add(changes, "current_message", json_object_new_string(reason
        ? call_say(c, "کد درست نبود. دوباره وارد کنید.", "That code was wrong. Enter it again.")
        : json_object_get_string(json_object_object_get(otp, "message"))));
    json_object_object_add(changes, "otp_data", otp);
    json_object_put(document);
    report_fields(c, changes);
}

/* One look into the mailbox, at most a second long: the message as an object, or NULL. The caller owns it. */
static struct json_object *take_mail(struct call *c)
{
    redisReply *reply = redisCommand(c->redis, "BLPOP {local_request:%s}:otp 1", c->hash);
    struct json_object *mail = NULL;

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
        mail = json_tokener_parse(reply->element[1]->str);
    freeReplyObject(reply);
    return mail;
}

int report_wait_for_code(struct call *c, char **code)
{
    time_t end = time(NULL) + c->code_expiry_s;

    while (c->known && !c->redis->err && time(NULL) < end) { /* nobody enters a code for a request that does not exist */
        struct json_object *mail = take_mail(c);
        const char *otp = json_object_get_string(json_object_object_get(mail, "otp"));
        bool cancelled = json_object_object_get(mail, "cancelled") || (!mail && report_is_over(c));

        *code = otp ? strdup(otp) : NULL;
        if (json_object_object_get(mail, "resend")) {
            end = time(NULL) + c->code_expiry_s;
            report_code_needed(c, NULL);
        }
        json_object_put(mail);
        if (cancelled)
            return -1;
        if (*code)
            return 1;
    }
    return 0;
}
