/* cache_peek.h: the cheap look into the cache, for what is asked for very often: whether there is a fresh value, by plain commands, which cost Redis
 * a third of what the script does (cache_look). It claims nothing and says nothing of stale values: whoever gets a no looks properly. */
#ifndef PEYGIR_CACHE_PEEK_H
#define PEYGIR_CACHE_PEEK_H

#include "core/cache.h"

/* Hits that Redis has not been told of: a thread's own. A counter written at each hit would be a line of the append-only file each time. Zeroed at first. */
struct cache_tally {
    char prefix[65];
    int64_t hits, told_ms;
};
/* When the thread has nothing else to do: post them, once a second at most; `leaving`: in any case. */
void cache_tally_rest(struct app *app, struct cache_tally *t, bool leaving);

/* Queue it in the caller's exchange on app->cache_redis: how many replies it has. `tags` are those that the value should bear. */
size_t cache_peek_queue(struct app *app, struct span key, const struct cache_tags *tags);
/* True: there is a fresh value, and *out tells value and times; it is counted as a hit. False: there is none, or that cannot be said from here. */
bool cache_peek_take(struct app *app, struct span key, const struct cache_tags *tags, const struct reply replies[], struct cache_tally *tally,
                     struct cache_entry *out);

#endif
