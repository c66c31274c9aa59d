/* data.h: external data in a visitor's name: looking for it, and fetching what is not kept, or no longer fresh. */
#ifndef PEYGIR_WEB_DATA_H
#define PEYGIR_WEB_DATA_H

#include "core/source_fetch.h"
#include "web/exchange.h"

/* What a look into the cache wants for a visitor: the claim, where something is to be fetched. */
struct cache_want data_want(const struct cache_tags *tags);
/* Push the job for a claim that this visitor was given. What is not kept at all counts in the limit LIMIT_DATA. When it comes to nothing the claim
 * is given back, so that the next one may. What was read from the cache is gone afterwards. */
enum problem data_fetch(struct exchange *x, const struct source_call *call, const char *claim, bool is_kept);

/* The method that the path names; NULL: there is none. */
const struct source_method *data_method(const struct exchange *x);
/* The parameters of the query into given[FORM_FIELDS]; their number. `lang` chooses the language, here as everywhere. */
size_t data_given(const struct exchange *x, struct source_given given[]);

/* --- of a route with DEMAND_DATA: along with what else Redis is asked about it --- */

/* Reads x->call, once. Is it to be looked for, and can it be in the same round trip? */
bool data_is_wanted(struct exchange *x);
/* The name of x->call in the cache, in x->scratch. */
struct span data_name(struct exchange *x);
/* Commands of the caller's exchange: how many replies they have; and these, into x->entry. */
size_t data_queue(struct app *app, struct exchange *x);
void data_take(struct app *app, struct exchange *x, const struct reply replies[]);

#endif
