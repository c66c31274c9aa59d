/* redis.h: one connection to Redis for one thread at a time. Commands are queued, sent in one write, and their
 * replies read in order: a round trip is one redis_exchange(), however many commands. It connects when first used
 * and again after any failure, with AUTH and time-outs. No key name appears in this layer.
 *
 * Errors: ERR_AWAY (no connection, time-out, LOADING, BUSY, CLUSTERDOWN), ERR_FULL (OOM, MISCONF, READONLY),
 * ERR_FAILED (any other error reply). After ERR_AWAY of the link itself the connection is closed and the next use
 * opens a new one. */
#ifndef PEYGIR_REDIS_H
#define PEYGIR_REDIS_H

#include "base/err.h"
#include "base/str.h"
#include "redis/redisurl.h"

#include <stdbool.h>
#include <stdint.h>

/* A server shared by all threads of a process: remembers that it is away, so that after one time-out nobody waits
 * again: until it answers one thread at a time tries (every 250 ms), the others get ERR_AWAY at once. */
struct redis_server;

struct redis_server *redis_server_new(const struct redisurl *url, const char *client_name, int connect_ms,
                                      int command_ms);
void redis_server_free(struct redis_server *s); /* after all its connections */
/* Milliseconds since 1970 by the server's clock, without asking it: read by each new connection, and once a minute along with a
 * script or a transaction, then followed by this host's monotonic clock. Before the first connection it is this host's clock. */
int64_t redis_server_now_ms(const struct redis_server *s);

struct redis; /* a connection */

struct redis *redis_new(struct redis_server *server);
void redis_free(struct redis *r);

/* --- queueing --- arguments are counted bytes. */
void redis_queue(struct redis *r, int argc, const struct span argv[]);
/* Format as hiredis: %s (NUL-terminated), %b (const char *, size_t), %c, %d %i %u with l, ll or z, %g and %.17g,
 * %f, %%; words split at the spaces of fmt, never inside values. Anything else, or more than 64 words, is a mistake
 * in the source and ends the program. */
void redis_queuef(struct redis *r, const char *fmt, ...);
/* Commands queued from here on run in this database; the needed SELECTs are put in and their replies dropped. */
void redis_use_db(struct redis *r, int db);
/* The database in which the last command ran: beginning there saves a SELECT. */
int redis_last_db(const struct redis *r);
/* Queue a command whose reply nobody waits for: it goes out with the next exchange or redis_flush(), and its reply
 * is dropped (an error reply is logged at debug level). */
void redis_post(struct redis *r, int argc, const struct span argv[]);
void redis_postf(struct redis *r, const char *fmt, ...);
/* Write what was posted, without waiting for replies (but for a connection, when there is none). When commands that
 * want replies are queued as well it does nothing: the exchange takes all. What cannot be sent is dropped. */
void redis_flush(struct redis *r);

/* --- transactions --- What is queued between these two runs together, with no command of anybody else between, or, when Redis refuses
 * any of it (full, no right), not at all. It is to be plain commands, by redis_queue and redis_queuef, and all of it runs in the database
 * in which it begins. The whole is one wanted reply: an ARRAY of what each command answered, where an item may be an ERROR (a key of
 * another kind: the other commands did run); or the refusal. */
void redis_queue_multi(struct redis *r);
void redis_queue_exec(struct redis *r);
/* Are there transactions here? A server that refused MULTI would carry out what follows one by one: whoever asks has a way to do without.
 * True once the connection has seen one work: at the first asking a transaction of nothing is posted, so ask only when something is
 * queued next. Whoever hears true has been connected, and redis_server_now_ms() is the server's clock. */
bool redis_may_transact(struct redis *r);

/* --- replies --- */
enum reply_type { REPLY_NIL, REPLY_INT, REPLY_STRING, REPLY_STATUS, REPLY_ERROR, REPLY_ARRAY };
struct reply {
    enum reply_type type;
    bool late;               /* of a script that had to be loaded: it ran behind all others of the exchange */
    int64_t integer;
    struct span text;        /* STRING, STATUS, ERROR; NUL-terminated as well */
    size_t count;            /* ARRAY */
    const struct reply *item;
};
/* Send what is queued and read one reply for each queued (not posted) command and each transaction, in order. 0 and *replies (an array
 * of `count`, owned by r and valid until its next exchange), or -1. An error reply inside is not an error of the
 * exchange unless it means AWAY (LOADING and so on); see redis_reply_ok. NOSCRIPT never shows: the exchange loads
 * the script and runs that one command again, after all others of the exchange, in its database. After -1 nothing
 * is queued any more; commands may or may not have run. Nothing is ever sent twice unless the server had closed
 * before the first byte. A database that this connection uses for the first time costs a round trip more. */
int redis_exchange(struct redis *r, const struct reply **replies, size_t *count, struct err *err);
/* 0, or -1 with *err from an error reply. */
int redis_reply_ok(const struct reply *reply, struct err *err);
/* One command, one reply: queuef + exchange + reply_ok. NULL on error. */
const struct reply *redis_do(struct redis *r, struct err *err, const char *fmt, ...);

/* A round trip that blocks in Redis up to wait_ms (BLMOVE ...): allows that much more than the command time-out. */
int redis_exchange_blocking(struct redis *r, int wait_ms, const struct reply **replies, size_t *count, struct err *err);

/* Round trips made by this connection since it was made (metrics, tests). */
uint64_t redis_round_trips(const struct redis *r);

struct span reply_text(const struct reply *reply);                 /* absent unless STRING or STATUS */
int64_t reply_int(const struct reply *reply, int64_t fallback);    /* INT, or STRING of decimal digits */
int64_t reply_time_ms(const struct reply *reply);                  /* of TIME, in milliseconds since 1970; 0: it is none */

/* --- scripts --- src/lua/noun_verb.lua is embedded by the build as `const struct script script_noun_verb`. */
struct script {
    const char *name; /* "request_save" : in errors as request_save.lua */
    const char *body;
    size_t body_len;
    char sha1[41];    /* filled by the build tool */
};
/* Queue EVALSHA. keys then args; counted bytes. */
void redis_queue_script(struct redis *r, const struct script *script, int nkeys, const struct span keys[], int nargs,
                        const struct span args[]);
/* The same as a posted command: with its text, for nobody waits who could load it. */
void redis_post_script(struct redis *r, const struct script *script, int nkeys, const struct span keys[], int nargs,
                       const struct span args[]);

#endif
