/* admit.h: who may look at what. By the rules and the code of core that peygir-web goes by as well; blocks, for the threads of the pool. */
#ifndef PEYGIR_ADMIT_H
#define PEYGIR_ADMIT_H

#include "core/limit.h"
#include "core/session.h"
#include "push/views.h"

#define ADMIT_ADDRESS_MAX 64

/* Somebody wants to look at a request. */
struct admit {
    /* asked: views.hash, .after, .language[0] as well */
    char *cookie;                       /* the value of the session's, owned; NULL: none */
    char address[ADMIT_ADDRESS_MAX];    /* "": unknown */
    struct views views;
    /* found */
    bool may;                           /* then views.found is 1 */
    bool too_often;                     /* `verdict` and views.err say more */
    struct limit_verdict verdict;
    char token[SESSION_TOKEN_LEN + 1];  /* of the session */
};
/* One round trip, rarely more. Neither may nor too_often: views.found -1 with views.err, or there is nothing for them. */
void admit_enter(struct app *app, struct admit *a);
void admit_clear(struct admit *a);

/* Somebody who was admitted still looks. */
struct admitted {
    char token[SESSION_TOKEN_LEN + 1];
    char hash[HASH_SIZE];
    bool ended; /* the session or the request is gone, or it is not theirs any more */
};
/* Look at several again, by one round trip, those of one request and session in a row; and count that as activity of a visitor, and as a look
 * of the request's owner. 0; -1: nobody knows, nothing was changed. */
int admit_again(struct app *app, struct admitted list[], size_t count, struct err *err);

#endif
