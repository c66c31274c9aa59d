/* reply.c: replies as callers want them: values, or an error with a sentence. */
#include "redis/reply.h"

#include <errno.h>

static const struct meaning {
    const char *code;
    enum err_kind kind;
    const char *sentence; /* the reply follows in brackets */
} meanings[] = {
    { "LOADING", ERR_AWAY, "Redis is still loading its data" },
    { "MASTERDOWN", ERR_AWAY, "Redis has lost its master" },
    { "BUSY", ERR_AWAY, "Redis is busy with a long script" },
    { "TRYAGAIN", ERR_AWAY, "Redis asks to try again" },
    { "CLUSTERDOWN", ERR_AWAY, "The Redis Cluster is down" },
    { "ERR max number of clients", ERR_AWAY, "Redis takes no more connections: raise its maxclients" },
    { "OOM", ERR_FULL, "Redis has no memory left: raise its maxmemory" },
    { "MISCONF", ERR_FULL, "Redis cannot save its data to disk and takes no writes: look at its log" },
    { "READONLY", ERR_FULL, "Redis is a read-only replica: name its master in REDIS_URL" },
    { "NOREPLICAS", ERR_FULL, "Redis has too few replicas to take writes" },
    { "NOAUTH", ERR_FAILED, "Redis wants a password: set it in REDIS_URL or REDIS_PASSWORD" },
    { "WRONGPASS", ERR_FAILED, "Redis refused the user or password: check REDIS_URL or REDIS_PASSWORD" },
    { "NOPERM", ERR_FAILED, "Redis does not permit this to the user that REDIS_URL names: check its ACL" },
};

static bool begins_with(struct span text, const char *code)
{
    size_t len = strlen(code);

    return text.len >= len && memcmp(text.s, code, len) == 0 && (text.len == len || text.s[len] == ' ');
}

static const struct meaning *find(struct span text)
{
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
        if (begins_with(text, meanings[i].code))
            return &meanings[i];
    return NULL;
}

enum err_kind reply_error_kind(struct span text)
{
    const struct meaning *m = find(text);

    return m ? m->kind : ERR_FAILED;
}

bool reply_is_error(const struct reply *reply, const char *code)
{
    return reply->type == REPLY_ERROR && begins_with(reply->text, code);
}

/* Redis quotes the arguments of a command that it does not know; they may be private. */
static struct span without_arguments(struct span text)
{
    static const char mark[] = ", with args beginning with";
    const char *at = memmem(text.s, text.len, mark, sizeof(mark) - 1);

    return at ? (struct span){ text.s, (size_t)(at - text.s) } : text;
}

static int explain(struct span text, struct err *err)
{
    const struct meaning *m = find(text);

    text = without_arguments(text);
    if (m)
        return err_set(err, m->kind, "%s (%.*s).", m->sentence, (int)text.len, text.s);
    return err_set(err, ERR_FAILED, "Redis answered: %.*s.", (int)text.len, text.s);
}

int redis_reply_ok(const struct reply *reply, struct err *err)
{
    if (reply->type != REPLY_ERROR)
        return 0;
    explain(reply->text, err);
    if (err && err->kind == ERR_AWAY)
        err->retry_after_s = 1;
    return -1;
}

struct span reply_text(const struct reply *reply)
{
    if (reply->type == REPLY_STRING || reply->type == REPLY_STATUS)
        return reply->text;
    return (struct span){ NULL, 0 };
}

/* Decimal digits, with a sign, that fit. */
static bool read_int(struct span text, int64_t *out)
{
    char *end;

    if (text.len == 0 || text.len > 20 || (text.s[0] != '-' && (text.s[0] < '0' || text.s[0] > '9')))
        return false;
    errno = 0;
    *out = strtoll(text.s, &end, 10);
    return errno == 0 && end == text.s + text.len && end[-1] != '-';
}

int64_t reply_int(const struct reply *reply, int64_t fallback)
{
    int64_t n;

    if (reply->type == REPLY_INT)
        return reply->integer;
    return reply->type == REPLY_STRING && read_int(reply->text, &n) ? n : fallback;
}

int64_t reply_time_ms(const struct reply *reply)
{
    if (reply->type != REPLY_ARRAY || reply->count != 2)
        return 0;
    return reply_int(&reply->item[0], 0) * 1000 + reply_int(&reply->item[1], 0) / 1000;
}
