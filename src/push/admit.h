/* admit.h: who may look at what. By the rules and the code of core that peygir-web goes by as well; blocks, for the threads of the pool. */
#ifndef PEYGIR_ADMIT_H
#define PEYGIR_ADMIT_H

#include "core/job.h"
#include "core/limit.h"
#include "core/session.h"
#include "core/token.h"
#include "push/views.h"

#define ADMIT_ADDRESS_MAX 64

/* Somebody, by what they brought. Texts are owned. */
struct asker {
    char *cookie;                       /* the value of the session's; NULL: none */
    char *bearer;                       /* a token, which goes before it; NULL: none */
    char address[ADMIT_ADDRESS_MAX];    /* "": unknown */
};
void asker_clear(struct asker *asker);

enum admit_what {
    ADMIT_REQUEST,       /* views.hash, .after, .language[0] say which and how */
    ADMIT_TASK,          /* a job: its user's, or of a request that is theirs */
    ADMIT_NOTIFICATIONS  /* of the signed-in user */
};
enum admit_answer {
    ADMIT_NOBODY_KNOWS,  /* views.err says why */
    ADMIT_YES,
    ADMIT_NOT_FOUND,     /* nothing for them: there is none, or it is not theirs */
    ADMIT_TOO_OFTEN,     /* `verdict` says when */
    ADMIT_SIGN_IN,       /* notifications are for signed-in users */
    ADMIT_NO_TOKEN,      /* the bearer is none of ours (any more) */
    ADMIT_WRONG_ROLE     /* it is, but not one of an API client */
};
struct admit {
    /* asked */
    const struct asker *asker;          /* borrowed */
    enum admit_what what;
    char task[JOB_ID_MAX + 1];
    struct views views;
    /* found */
    enum admit_answer answer;
    struct limit_verdict verdict;
    char token[SESSION_TOKEN_LEN + 1];  /* ADMIT_YES: of the session, or of the program */
    char user_id[SESSION_USER_MAX + 1]; /* "": not signed in */
    char hash[HASH_SIZE];               /* the request on which the right rests; "": the session alone */
};
/* One round trip, rarely more; a token and a task cost one each. */
void admit_enter(struct app *app, struct admit *a);
void admit_clear(struct admit *a);

/* Somebody who was admitted still looks. */
struct admitted {
    char token[SESSION_TOKEN_LEN + 1];
    char hash[HASH_SIZE];
    bool ended; /* the session, the token or the request is gone, or it is not theirs any more */
};
/* Look at several again, by one round trip, those of one request and session in a row; and count that as activity of a visitor, and as a look
 * of the request's owner. 0; -1: nobody knows, nothing was changed. */
int admit_again(struct app *app, struct admitted list[], size_t count, struct err *err);

#endif
