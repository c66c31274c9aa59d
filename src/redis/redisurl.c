/* redisurl.c: reading addresses of Redis, and showing them without their passwords. */
#include "redis/redisurl.h"

#include "base/str.h"

#include <sys/un.h>

#define DB_MAX 9999

/* Schemes that are known by name only, so that the sentence can say what to use instead. */
static const struct later {
    const char *scheme;
    const char *what;
} later[] = {
    { "rediss", "Redis over TLS" },
    { "redis+sentinel", "Redis Sentinel" },
    { "redis+cluster", "Redis Cluster" },
};

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)((at - digits) % 16) : -1;
}

/* The text with %XX decoded; NULL when an escape is broken or a NUL. */
static char *decode(struct span text)
{
    char *out = xmalloc(text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.s[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.s[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.s[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) {
                free(out);
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return out;
}

/* Decode into *out (which is freed first). An empty text leaves NULL. */
static int take(struct span text, const char *what, char **out, struct err *err)
{
    free(*out);
    *out = NULL;
    if (text.len == 0)
        return 0;
    *out = decode(text);
    return *out ? 0 : err_set(err, ERR_CONFIG, "The %s in the address of Redis has a broken %%XX escape.", what);
}

static int number(struct span text, const char *what, int min, int max, int *out, struct err *err)
{
    int n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.s[i] < '0' || text.s[i] > '9' || n > max)
            goto bad;
        n = n * 10 + (text.s[i] - '0');
    }
    if (text.len > 0 && n >= min && n <= max) {
        *out = n;
        return 0;
    }
bad:
    return err_set(err, ERR_CONFIG, "The %s in the address of Redis must be a number from %d to %d.", what, min, max);
}

/* Cut text at the first `sep`: the part before it is returned, *rest is what follows (absent when there is no sep). */
static struct span cut(struct span text, char sep, struct span *rest)
{
    const char *at = text.len ? memchr(text.s, sep, text.len) : NULL;

    if (!at) {
        *rest = (struct span){ NULL, 0 };
        return text;
    }
    *rest = (struct span){ at + 1, text.len - (size_t)(at + 1 - text.s) };
    return (struct span){ text.s, (size_t)(at - text.s) };
}

static int parse_option(struct span name, struct span value, struct redisurl *u, struct err *err)
{
    if (span_is(name, "db"))
        return number(value, "database", 0, DB_MAX, &u->db, err);
    if (span_is(name, "user"))
        return take(value, "user", &u->user, err);
    if (span_is(name, "password"))
        return take(value, "password", &u->password, err);
    return err_set(err, ERR_CONFIG,
                   "The address of Redis has an unknown option after \"?\": known are db, user and password.");
}

static int parse_options(struct span query, struct redisurl *u, struct err *err)
{
    while (query.s && query.len) {
        struct span value;
        struct span name = cut(cut(query, '&', &query), '=', &value);
        if (parse_option(name, value, u, err) < 0)
            return -1;
    }
    return 0;
}

static int parse_unix(struct span rest, struct redisurl *u, struct err *err)
{
    struct span query;
    struct span path = cut(rest, '?', &query);

    if (path.len < 2 || path.s[0] != '/')
        return err_set(err, ERR_CONFIG,
                       "The address of Redis must name its socket by a whole path, as in unix:///run/redis.sock?db=0.");
    if (take(path, "path", &u->path, err) < 0)
        return -1;
    if (strlen(u->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return err_set(err, ERR_CONFIG,
                       "The path of the socket of Redis is too long for a socket (at most %zu bytes): %s",
                       sizeof(((struct sockaddr_un *)0)->sun_path) - 1, u->path);
    return parse_options(query, u, err);
}

/* "[::1]:6379", "host:6379", "host" */
static int parse_host(struct span text, struct redisurl *u, struct err *err)
{
    struct span port;
    struct span host;

    if (text.len && text.s[0] == '[') {
        text = (struct span){ text.s + 1, text.len - 1 };
        host = cut(text, ']', &port);
        if (!port.s || (port.len && port.s[0] != ':'))
            return err_set(err, ERR_CONFIG,
                           "The host in the address of Redis lacks its closing bracket, as in redis://[::1]:6379.");
        port = port.len ? (struct span){ port.s + 1, port.len - 1 } : (struct span){ NULL, 0 };
    } else {
        host = cut(text, ':', &port);
    }
    if (host.len == 0)
        return err_set(err, ERR_CONFIG, "The address of Redis names no host, as in redis://127.0.0.1:6379/0.");
    if (take(host, "host", &u->host, err) < 0)
        return -1;
    return port.s ? number(port, "port", 1, 65535, &u->port, err) : 0;
}

static int parse_tcp(struct span rest, struct redisurl *u, struct err *err)
{
    struct span query, db, password;
    struct span authority = cut(cut(rest, '?', &query), '/', &db);
    const char *at = authority.len ? memrchr(authority.s, '@', authority.len) : NULL;

    u->port = 6379;
    if (at) {
        struct span login = { authority.s, (size_t)(at - authority.s) };
        struct span user = cut(login, ':', &password);
        authority = (struct span){ at + 1, authority.len - login.len - 1 };
        if (take(user, "user", &u->user, err) < 0 || take(password, "password", &u->password, err) < 0)
            return -1;
    }
    if (parse_host(authority, u, err) < 0)
        return -1;
    if (db.len && number(db, "database", 0, DB_MAX, &u->db, err) < 0)
        return -1;
    return parse_options(query, u, err);
}

static int parse(struct span scheme, struct span rest, struct redisurl *u, struct err *err)
{
    if (span_is(scheme, "redis"))
        return parse_tcp(rest, u, err);
    if (span_is(scheme, "unix"))
        return parse_unix(rest, u, err);
    for (size_t i = 0; i < ARRAY_LEN(later); i++)
        if (span_is(scheme, later[i].scheme))
            return err_set(err, ERR_CONFIG, "%s (%s://) is not supported by this version: use redis:// or unix://.",
                           later[i].what, later[i].scheme);
    return err_set(err, ERR_CONFIG, "The address of Redis must begin with redis:// or unix://.");
}

int redisurl_parse(const char *url, struct redisurl *out, struct err *err)
{
    const char *colon = strstr(url, "://");
    struct redisurl u = { 0 };
    struct span scheme = { url, colon ? (size_t)(colon - url) : 0 };

    if (parse(scheme, span_of(colon ? colon + 3 : ""), &u, err) == 0) {
        if (!u.user || u.password) {
            *out = u;
            return 0;
        }
        err_set(err, ERR_CONFIG, "The address of Redis names a user without a password.");
    }
    redisurl_free(&u);
    return -1;
}

void redisurl_free(struct redisurl *u)
{
    free(u->path);
    free(u->host);
    free(u->user);
    free(u->password);
    *u = (struct redisurl){ 0 };
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool redisurl_same_server(const struct redisurl *a, const struct redisurl *b)
{
    return same_text(a->path, b->path) && same_text(a->host, b->host) && a->port == b->port &&
           same_text(a->user, b->user) && same_text(a->password, b->password);
}

char *redisurl_show(const struct redisurl *u)
{
    bool colons = u->host && strchr(u->host, ':');

    if (u->path)
        return xasprintf("unix://%s?db=%d", u->path, u->db);
    return xasprintf("redis://%s%s%s%s%s:%d/%d", u->user ? u->user : "", u->user ? "@" : "", colons ? "[" : "", u->host,
                     colons ? "]" : "", u->port, u->db);
}
