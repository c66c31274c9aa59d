/* cache.h: values that can be had again, kept for a while (contract 4.3): answers of sources, what a callback computes, what the host site and
 * administrators put. They live in a database or on a server of their own, which may evict any key at any time and may be away: then a value is
 * there no more, and never a wrong one.
 *
 *   P:cache:{key}        the value, raw, so that others can read it
 *   P:cache:fresh:{key}  beside it a hash: at, fresh (ms by Redis's clock), etag, modified, type, and tag:{tag} = the tag's stamp when it was put
 *   P:cache:claim:{key}  who is making the value, or why that failed a moment ago
 *   P:cache:done:{claim} a stream of one entry: this claim is over. Whoever waits for it blocks there
 *   P:cache:tag:{tag}    when the tag was last invalidated. An entry is valid while it bears this very stamp, so nothing is looked for
 *   P:stats:cache        a hash, counters by {prefix}:{hits, misses, sets, evictions}; prefix is what stands before the first _ or : of a key
 *
 * Value and what lies beside it are written by one script with the same end. Where one of them is gone, or a stamp, there is no entry, and an
 * eviction is counted. Everything but the counters expires. Each function is one script a key, which touches keys of PEYGIR_PREFIX only: where
 * that holds a hash tag, as it must on Redis Cluster, they share a slot. When an entry is read the value follows by a GET in the same round trip,
 * for what goes through a script costs Redis microseconds a kilobyte.
 *
 *             cache_look()                 cache_put(), cache_renew()
 *   nothing ----------------> claimed ------------------------------> fresh ----> stale ----> nothing
 *                                | cache_release(), or its time is over             |
 *                                '-----> what was there before                      '--> claimed as well; meanwhile the stale value is served
 */
#ifndef PEYGIR_CACHE_H
#define PEYGIR_CACHE_H

#include "core/app.h"

#define CACHE_KEY_MAX 160                      /* bytes; of longer names hash what is long */
#define CACHE_TAG_MAX 64
#define CACHE_TAGS_MAX 16
#define CACHE_VALUE_MAX (INT64_C(1) << 20)     /* of hosts and administrators */
#define CACHE_SOURCE_MAX (INT64_C(4) << 20)    /* of sources */
#define CACHE_TTL_MAX_S (366 * 24 * 60 * 60)
#define CACHE_CLAIM_SIZE 40
#define CACHE_NOTE_MAX 128                     /* why it failed */

/* May this be the name of an entry, or of a tag? Letters, digits and _ - . : = + @ ~ %, in keys commas too; and a key does not begin with fresh:
 * claim: done: or tag:, which are ours. 0, or -1: ERR_INVALID says what is accepted. The other functions take only names that have passed. */
int cache_check_key(struct span key, struct err *err);
int cache_check_tag(struct span tag, struct err *err);

struct cache_tags {
    struct span tag[CACHE_TAGS_MAX];
    size_t count;
};

/* --- reading --- */

/* What is found. Spans are borrowed until the next exchange of app->cache_redis. */
struct cache_entry {
    struct span value;                  /* absent: there is none that is valid */
    int64_t age_ms;                     /* since it was put, or found to be still good */
    int64_t fresh_ms;                   /* left; 0 or less: it is stale */
    int64_t ends_ms;                    /* until it is gone */
    struct span etag, modified, type;   /* what it was put with; empty: nothing */
    char claim[CACHE_CLAIM_SIZE];       /* the caller is the one to make it anew, for the claim_ms that it wanted; "": it is not */
    struct span held;                   /* there is no fresh value, and somebody else is making one; empty: nobody */
    struct span failed;                 /* making it failed a moment ago, and why; empty: no */
    int64_t wait_ms;                    /* of held and failed: so long it lasts at most */
};

enum cache_claim {
    CACHE_CLAIM_NOT,
    CACHE_CLAIM_STALE, /* unless there is a fresh value */
    CACHE_CLAIM_ALWAYS /* and what is held lasts for claim_ms again: the caller takes it over */
};
struct cache_want {
    enum cache_claim claim;
    int64_t claim_ms;             /* after that the claim is over and the next may have it: longer than making it ever takes */
    const struct cache_tags *tags; /* that the value will bear, so that what is invalidated from now on makes it void; NULL: none */
    bool uncounted;               /* neither a hit nor a miss */
};
/* Look at an entry, and claim it where the caller wants that (NULL: no) and nobody else has. 1: there is a value, fresh or stale; 0: there is
 * none; -1. One round trip; one more where Redis has lost its scripts. */
int cache_look(struct app *app, struct span key, const struct cache_want *want, struct cache_entry *out, struct err *err);
/* Several in one round trip, wants[i] of keys[i] (NULL: nothing is claimed): out[i].value is absent where there is none. 0 or -1. */
int cache_look_many(struct app *app, const struct span keys[], size_t count, const struct cache_want wants[], struct cache_entry out[], struct err *err);

/* --- writing --- */

struct cache_new {
    struct span value;
    int64_t fresh_ms;                 /* at least 1; so long it is served as it is */
    int64_t stale_ms;                 /* so much longer it is served while it is made anew */
    struct span etag, modified, type; /* empty or absent: none */
    const struct cache_tags *tags;    /* NULL: none */
    const char *claim;                /* of cache_entry; NULL: put in any case, and whoever is making it is too late */
    bool source;                      /* up to CACHE_SOURCE_MAX */
};
/* Put a value. With a claim, which ends, it stays fresh for up to a tenth less, so that what came together does not go together. 1: it is
 * stored; 0: it is not, for the claim is over or a tag was invalidated since; -1: ERR_INVALID (too large), ERR_FULL, ERR_AWAY. One round trip. */
int cache_put(struct app *app, struct span key, const struct cache_new *n, struct err *err);
/* Several in one round trip, none of them with a claim. 0; -1: *err is of the first that failed, the others may be stored. */
struct cache_pair {
    struct span key;
    struct cache_new entry;
};
int cache_put_many(struct app *app, const struct cache_pair pairs[], size_t count, struct err *err);

/* The value is as good as when it was put (an answer 304): fresh for n->fresh_ms again, and so on; of n, value, type and tags are not
 * looked at, and an etag or modified that is empty stays what it was. 1: done, the claim has ended; 0: the value is gone meanwhile and must be made, the claim goes on;
 * -1: ERR_STALE (the claim is over), ERR_AWAY. One round trip. */
int cache_renew(struct app *app, struct span key, const struct cache_new *n, struct err *err);
/* It could not be made, or not be kept: whatever was there stays. For hold_ms nobody is given the claim and all are told `note` (clipped; may be
 * empty); 0: the next may at once. 1; 0: the claim is over; -1. One round trip. */
int cache_release(struct app *app, struct span key, const char *claim, struct span note, int64_t hold_ms, struct err *err);

/* --- computing once --- */

/* Append the value. 0, or -1 with *err. It may use every connection of the app. */
typedef int cache_compute(void *arg, struct str *value, struct err *err);
struct cache_policy {
    int64_t fresh_ms, stale_ms;
    int64_t claim_ms;              /* longer than computing ever takes; others wait so long at most */
    const struct cache_tags *tags; /* NULL: none */
};
/* The value of `key` into *out (emptied first), computed when there is none. Of all who ask at once, on whichever host, one computes; while it does
 * the others have the stale value, or wait for it where there is none. When it fails, it serves the stale value, and those who wait
 * fail with it; whoever asks within CACHE_FAILED_MS too. A cache that is away or full costs speed and nothing else: each computes.
 * 1: from the cache; 0: computed now; -1. Blocks. */
#define CACHE_FAILED_MS 1000
int cache_get_or_set(struct app *app, struct span key, const struct cache_policy *p, cache_compute *compute, void *arg, struct str *out, struct err *err);

/* --- looking after it --- */

/* Forget entries; whoever is making one is too late. How many there were, or -1. One round trip. */
int64_t cache_forget(struct app *app, const struct span keys[], size_t count, struct err *err);
/* Everything that bears one of the tags is void from now on, also what is being made. How many of the tags anything bore, or -1. One round trip. */
int64_t cache_invalidate(struct app *app, const struct span tags[], size_t count, struct err *err);
/* Forget all entries whose key begins with `prefix` ("": all, and all stamps), or only count them. By SCAN, so that others wait for a step at
 * most. How many there were, or -1. */
int64_t cache_clear(struct app *app, struct span prefix, bool only_count, struct err *err);

struct cache_counts {
    struct span prefix;           /* "*": all that came when there were too many others */
    int64_t hits, misses, sets, evictions;
};
/* Of 100 looks so many found something; -1: there was none. */
int cache_hit_percent(const struct cache_counts *counts);
/* Tell all counters by prefix, in the order of its letters. 0 or -1. One round trip. */
int cache_stats(struct app *app, void (*tell)(void *ctx, const struct cache_counts *counts), void *ctx, struct err *err);

#endif
