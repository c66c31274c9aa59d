/* keys.h: every key and channel name of the contract (section 4), in one place. Each function appends to a buffer that the caller
 * resets; keys_* never fails. */
#ifndef PEYGIR_KEYS_H
#define PEYGIR_KEYS_H

#include "base/str.h"
#include "core/app.h"

#define HASH_LEN 30                /* "req_" and 26 characters */
#define HASH_SIZE (HASH_LEN + 1)
/* Well-formed request hash: req_ + 26 upper-case Crockford base32 digits. */
bool keys_is_hash(struct span s);

/* One built key: a short string on the stack. Too long is impossible by construction (prefix <= 64, ids <= 128). */
struct key {
    char s[256];
    size_t len;
};
static inline struct span key_span(const struct key *k) { return (struct span){ k->s, k->len }; }

struct key key_document(struct span hash);   /* local_request:HASH */
struct key key_guard(struct span hash);      /* {local_request:HASH}:guard */
struct key key_events(struct span hash);     /* {local_request:HASH}:events */
struct key key_mailbox(struct span hash);    /* {local_request:HASH}:otp */
struct key key_updates(struct span hash);    /* channel local_request_updates:HASH */
#define KEY_REQUEST_LIST "local_requests_list"
struct key key_owner(const struct house *h, struct span owner); /* P:owner:{owner}: list of the owner's hashes, newest first */
struct key key_watch(const struct house *h);                    /* P:requests:watch: sorted set, HASH by the ms it is due to be looked at */
struct key key_runs(const struct house *h, struct span slug);   /* P:stats:service:{slug}:runs: list, seconds of recent runs */

/* parts of a queue: "queue" "active" "delayed" "failed" "priority"; the default queue's list follows REDIS_TASK_QUEUE_PREFIX */
struct key key_queue(const struct house *h, struct span queue, const char *part);
struct key key_job(const struct house *h, struct span queue, struct span id); /* P:Q:data:{id} */
struct key key_stats(const struct house *h, const char *name);          /* P:stats:tasks:{name} */
struct key key_stats_daily(const struct house *h, int64_t ms);          /* P:stats:daily:{YYYY-MM-DD} */
struct key key_worker(const struct house *h, struct span id);           /* P:worker:{id} */
struct key key_workers(const struct house *h);                          /* P:workers: sorted set, id by last beat (ms) */
struct key key_session(const struct house *h, struct span token);       /* P:session:{SHA-256 of token, hex} or the token (SESSION_KEYS=plain) */
enum { SESSION_KEYS_HASHED, SESSION_KEYS_PLAIN }; /* the words of the option SESSION_KEYS, in its order */

#endif
