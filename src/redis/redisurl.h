/* redisurl.h: addresses of Redis. redis://[user:pass@]host[:port][/db], unix:///path?db=0 (also user=, password=).
 * rediss, redis+sentinel and redis+cluster are recognised and refused with a sentence until they are built. */
#ifndef PEYGIR_REDISURL_H
#define PEYGIR_REDISURL_H

#include "base/err.h"

#include <stdbool.h>

struct redisurl {
    char *path;     /* Unix socket; NULL for TCP */
    char *host;     /* TCP; NULL for a Unix socket */
    int port;
    char *user;     /* NULL: none (password alone is AUTH password) */
    char *password; /* NULL: none */
    int db;
};

int redisurl_parse(const char *url, struct redisurl *out, struct err *err); /* redisurl_free() */
void redisurl_free(struct redisurl *u);
/* Same server and credentials, whatever the database: such roles share one connection. */
bool redisurl_same_server(const struct redisurl *a, const struct redisurl *b);
/* For logs: no password. Caller frees. */
char *redisurl_show(const struct redisurl *u);

#endif
