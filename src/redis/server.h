/* server.h: what the connections of a process know together about their server. Inside src/redis only. */
#ifndef PEYGIR_SERVER_H
#define PEYGIR_SERVER_H

#include "redis/redis.h"

#include <pthread.h>
#include <stdatomic.h>

struct redis_server {
    struct redisurl url; /* owned copy */
    char *name;          /* for CLIENT SETNAME; "" for none */
    char *show;          /* the address without its password */
    int connect_ms, command_ms;

    atomic_bool away;         /* the only thing looked at while all is well */
    atomic_bool probing;      /* a thread is trying right now */
    atomic_int_least64_t try_at_ms; /* of clock_mono_ms */
    atomic_bool has_time;     /* its clock has been read */
    atomic_int_least64_t ahead_ms; /* of it before clock_mono_ms */
    atomic_int_least64_t asked_ms, told_ms; /* of clock_mono_ms: when it was last to be read, and was */
    pthread_mutex_t lock;     /* for `reason` */
    char reason[256];
};

/* May this thread use the server? 0: yes; 1: yes, as the one that finds out whether it is back (server_answered()
 * or server_failed() must follow); -1: it is away, *err says why. Never waits. */
int server_enter(struct redis_server *s, struct err *err);
void server_answered(struct redis_server *s); /* only after 1 */
/* No connection, or no answer in time: from now on the others do not wait. `probing`: server_enter() gave 1. */
void server_failed(struct redis_server *s, bool probing, const char *reason);

/* Is it time to ask for its clock again? True for one thread a minute, which is to do it. */
bool server_wants_time(struct redis_server *s);
/* The reply to a TIME that went out at asked_ms (monotonic). One that was long on its way says nothing, nor does an error. */
void server_told_time(struct redis_server *s, int64_t asked_ms, const struct reply *time);

#endif
