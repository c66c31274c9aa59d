/* views.h: what a request was and is, read from Redis as events: the public view of each revision in each language that is looked at.
 * Blocks: for the threads of the pool. */
#ifndef PEYGIR_VIEWS_H
#define PEYGIR_VIEWS_H

#include "core/history.h"
#include "core/locale.h"
#include "push/hub.h"

#define VIEWS_LANGUAGES 8
#define VIEWS_PRESENT (-1)

struct views {
    /* asked */
    char hash[HASH_SIZE];
    int64_t after;        /* the revision that is known already; VIEWS_PRESENT: none */
    bool place;           /* with its place in the queue */
    const struct locale *language[VIEWS_LANGUAGES];
    size_t languages;
    /* found */
    int found;            /* 1; 0: there is no such request; -1: err says why nobody knows */
    int64_t revision;
    enum request_status status;
    struct event **event; /* each revision after the known one, oldest first; when they are not kept any more, the present one alone */
    size_t count, room;
    struct err err;
};
void views_clear(struct views *v); /* drops the events */

/* Fill what was found of several, by one round trip, and some more for those of which much has changed or that somebody wrote past the
 * guard. */
void views_read(struct app *app, struct views views[], size_t count);

/* The same for one within an exchange of the caller's: queue VIEWS_REPLIES(v) commands, take their replies (1: *rq is filled, 0 none, -1; as v->found)
 * and, unless *foreign, fill the events. */
#define VIEWS_REPLIES(v) ((size_t)(REQUEST_REPLIES + HISTORY_REPLIES + ((v)->place ? PLACE_REPLIES : 0)))
void views_queue(struct app *app, const struct views *v);
int views_take(struct app *app, struct views *v, const struct reply replies[], struct request *rq, bool *foreign);
void views_fill(struct app *app, struct views *v, const struct reply replies[], const struct request *rq);

#endif
