/* app.h: what every rule needs. A `house` is made once a process and shared read-only; each thread opens its own
 * `app` on it, with its own connections. Above: every program. This layer knows no HTML and no HTTP status. */
#ifndef PEYGIR_APP_H
#define PEYGIR_APP_H

#include "base/err.h"
#include "base/settings.h"
#include "redis/redis.h"

struct services;
struct notices;
struct sources;
struct job_types;
struct locales;
struct secret;
struct presence_memo;
struct tallies;

struct house {
    const struct settings *settings;
    struct services *services;      /* NULL when not asked for */
    struct sources *sources;        /* NULL when not asked for */
    struct job_types *job_types;    /* NULL when not asked for */
    struct locales *locales;        /* NULL when not asked for */
    struct notices *notices;        /* NULL when not asked for */
    struct secret *secret;          /* NULL when not asked for, or not needed */
    struct redisurl main_url, session_url, cache_url;
    struct redis_server *main_server;
    struct redis_server *session_server; /* == main_server when it is the same server */
    struct redis_server *cache_server;   /* likewise */
    struct presence_memo *presence; /* whom this process has touched lately: presence.h */
    struct tallies *tallies;        /* what this process has counted and not told: tally.h */
    char *prefix;                   /* PEYGIR_PREFIX */
    char *task_queue;               /* whole key of the default queue's list */
    char *task_data;                /* prefix of its hashes, without the last colon */
    char *session_prefix;           /* without the last colon */
    char *notifications;            /* the general channel; REDIS_PUBSUB_CHANNEL */
    int request_ttl_s;
    double limit_factor;            /* PEYGIR_LIMIT_FACTOR; 0: no limits */
    bool plain_session_keys;        /* SESSION_KEYS=plain */
};

enum { HOUSE_SERVICES = 1, HOUSE_LOCALES = 2, HOUSE_SECRET = 4, HOUSE_JOB_TYPES = 8, HOUSE_SEALS = 16 /* the secret, where it is set or a service seals */,
       HOUSE_SOURCES = 32, HOUSE_NOTICES = 64 /* with HOUSE_LOCALES */ };
/* Load the definitions named in `what` and prepare the servers (nothing is connected yet). command_ms is how long one
 * exchange may take before Redis counts as away. 0, or -1 (ERR_CONFIG) with file and reason. */
int house_open(struct house *h, const struct settings *settings, unsigned what, const char *client_name, int command_ms,
               struct err *err);
void house_close(struct house *h);
/* Milliseconds since 1970 by Redis's clock, which decides for all hosts; nothing is asked (redis_server_now_ms). */
int64_t house_now_ms(const struct house *h);

struct app {
    const struct house *house;
    struct redis *redis;         /* requests and jobs; database main_db */
    struct redis *session_redis; /* == redis when sessions live on the same server */
    struct redis *cache_redis;   /* likewise of the cache, which may be away while all else works */
    int main_db, session_db, cache_db;
    int64_t daily_kept_min;      /* the minute in which it last saw to it that the day's statistics expire: see job.c */
};
void app_open(struct app *app, const struct house *house);
void app_close(struct app *app);

#endif
