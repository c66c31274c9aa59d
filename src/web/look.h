/* look.h: what the dispatcher asks Redis before anything is done: the session or a program's token, the request of the path, and whether it
 * is asked too often; for one exchange, or for several by one round trip. */
#ifndef PEYGIR_WEB_LOOK_H
#define PEYGIR_WEB_LOOK_H

#include "web/exchange.h"

/* What Redis is asked about one exchange. */
struct look {
    struct exchange *x;
    struct span token;   /* absent: no session */
    bool bearer;         /* a program's token */
    bool request, place; /* the request of the path; its place in the queue as well */
    bool data;           /* what the cache has fresh of x->call */
    struct limit_thing limited; /* where it is counted */
    /* what came of it */
    size_t at_session, at_bearer, at_request, at_data; /* where its replies are */
    bool foreign;        /* somebody wrote past the guard */
    int found;           /* 1: the request is there; 0; -1: x->err says why */
};

/* Whom the cookie names: x->session of a signed one, x->token of one that only Redis can tell. A program has none. Once, before the
 * others. */
void look_cookie(struct exchange *x);

/* Everything the route demands, by as many round trips as it takes (one, usually). PROBLEM_TOO_MANY: asked too often. PROBLEM_UNAUTHORIZED,
 * PROBLEM_FORBIDDEN: no token, or one of another role. Calls look_cookie(). */
enum problem look_alone(struct exchange *x);

/* The same for several, by one round trip: for each look_cookie() and look_of(), then look_together(), then look_end(), which says false when
 * that exchange needs a further round trip: look_alone() then. What they found is borrowed until the connection's next exchange. Sessions lie on
 * the same server. */
struct look look_of(struct exchange *x);
void look_together(struct look looks[], size_t n);
bool look_end(struct look *l, enum problem *problem);

/* Count the exchange in a further limit, which only what it came to makes due; one round trip. PROBLEM_TOO_MANY, and what else look_alone says of
 * limits. */
enum problem look_count(struct exchange *x, enum limit_id id);

#endif
