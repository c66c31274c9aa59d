/* data.h: external data in a visitor's name: fetching what is not kept, or no longer fresh. */
#ifndef PEYGIR_WEB_DATA_H
#define PEYGIR_WEB_DATA_H

#include "core/source_fetch.h"
#include "web/exchange.h"

/* What a look into the cache wants for a visitor: the claim, where something is to be fetched. */
struct cache_want data_want(const struct cache_tags *tags);
/* Push the job for a claim that this visitor was given. What is not kept at all counts in the limit LIMIT_DATA. When it comes to nothing the claim
 * is given back, so that the next one may. What was read from the cache is gone afterwards. */
enum problem data_fetch(struct exchange *x, const struct source_call *call, const char *claim, bool is_kept);

#endif
