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

/* One built key: a short string on the stack. Too long is impossible by construction (prefix <= 64, ids <= 128, of the cache 160). */
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
struct key key_user_requests(const struct house *h, struct span user); /* P:requests:user:{user_id}: likewise of a signed-in user */
struct key key_watch(const struct house *h);                    /* P:requests:watch: sorted set, HASH by the ms it is due to be looked at */
struct key key_runs(const struct house *h, struct span slug);   /* P:stats:service:{slug}:runs: list, seconds of recent runs */

/* parts of a queue: "queue" "priority" "delayed" "active" "failed"; "sequence" (pushes with a priority), "takes" (jobs taken),
 * "paused" (why; exists while it is), "limits" (job_limit_queue), "unique:{key}" (id), "limited:{type}" (jobs that the type's limit holds
 * back: they are in "delayed" too), "running:{type}" (jobs of a limited type that were taken), "period:{type}" (when its next may begin:
 * GCRA; expires by itself). The default queue's list follows
 * REDIS_TASK_QUEUE_PREFIX. */
struct key key_queue(const struct house *h, struct span queue, const char *part);
struct key key_job(const struct house *h, struct span queue, struct span id); /* P:Q:data:{id} */
struct key key_stats(const struct house *h, const char *name);          /* P:stats:tasks:{name} */
struct key key_stats_daily(const struct house *h, int64_t ms);          /* P:stats:daily:{YYYY-MM-DD} */
struct key key_worker(const struct house *h, struct span id);           /* P:worker:{id} */
struct key key_worker_orders(const struct house *h, struct span id);    /* channel P:worker:{id}:orders */
struct key key_restart(const struct house *h);                          /* P:workers:restart: ms; workers that began before it stop */
struct key key_schedule(const struct house *h);                         /* P:schedule: see schedule.h */
struct key key_closed(const struct house *h);                           /* P:services:closed: hash, message by slug */
struct key key_token(const struct house *h, struct span digest);        /* P:token:{SHA-256 hex} */
struct key key_tokens(const struct house *h);                           /* P:tokens: hash, digest by name */
struct key key_users(const struct house *h);                            /* P:users: see user.h */
struct key key_admin_session(const struct house *h, struct span token); /* P:admin_session:{SHA-256 of token, hex}; in the session database */
struct key key_notifications(const struct house *h);                    /* channel P:notifications, or REDIS_PUBSUB_CHANNEL */
struct key key_notifications_user(const struct house *h, struct span user); /* channel ...:user:{id} */
struct key key_notifications_task(const struct house *h, struct span id);   /* channel ...:task:{id} */
struct key key_workers(const struct house *h);                          /* P:workers: sorted set, id by last beat (ms) */
struct key key_limit(const struct house *h, struct span name, struct span who); /* P:limit:{name}:{who} */
struct key key_session(const struct house *h, struct span token);       /* P:session:{SHA-256 of token, hex} or the token (SESSION_KEYS=plain) */
struct key key_session_name(const struct house *h, struct span name);   /* the same by its last part */
struct key key_user_sessions(const struct house *h, struct span user);  /* P:user_sessions:{user_id}: see session_part.h */
struct key key_session_users(const struct house *h);                    /* P:user_sessions */
struct key key_session_stats(const struct house *h);                    /* P:stats:sessions: see tally.h */
struct key key_ticket(const struct house *h, struct span digest);       /* P:ticket:{SHA-256 of the ticket, hex} */
struct key key_inbox(const struct house *h, const char *part, struct span user); /* P:notifications:{part}:{user_id}: see inbox.h */
struct key key_reminder(const struct house *h, struct span message);   /* P:notifications:reminder:{message_id}: see reminder.h */
struct key key_presence(const struct house *h, struct span user);         /* P:presence:{user_id}: see presence.h */
struct key key_presence_seen(const struct house *h);                    /* P:presence */
/* parts of an entry of the cache: "" (the value), "fresh:", "claim:", "done:" (of a claim), "tag:" (of a tag); see cache.h */
struct key key_cache(const struct house *h, const char *part, struct span name); /* P:cache:{part}{name} */
struct key key_cache_stats(const struct house *h);                        /* P:stats:cache */
/* P:source:{name}:{part} of a source of external data: "rest" (exists while it is to be left alone), "pace" (GCRA: limit.h) */
struct key key_source(const struct house *h, struct span name, const char *part);
enum { SESSION_KEYS_HASHED, SESSION_KEYS_PLAIN }; /* the words of the option SESSION_KEYS, in its order */

#endif
