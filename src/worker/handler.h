/* handler.h: THE handler table: who can carry out a job. A handler makes one call: it gets an order and gives back what
 * came of it. It knows nothing of requests, tries and time-outs; those are the carrier's (carry.h). */
#ifndef PEYGIR_HANDLER_H
#define PEYGIR_HANDLER_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct breakers;
struct house;
struct http;
struct job;
struct job_type;
struct mailer;
struct pool;
struct warden;

/* What handlers work with. */
struct workshop {
    const struct house *house;
    uv_loop_t *loop;
    struct pool *pool;   /* for handlers that need Redis */
    struct breakers *breakers;
    struct http *http;
    struct http *http_public; /* to strangers: never into a private network */
    const char *api_url; /* LOCAL_API_URL without a final slash */
    struct warden *warden; /* of programs; NULL: there is none */
    struct mailer *mailer; /* NULL: no job type has the handler mail */
    bool stopping;         /* what is cancelled is given back, for other workers */
};

/* What is to be called. `job` and `type` stay until `done`; the rest is copied by start. */
struct order {
    const char *path;   /* http: "/api/services/{slug}", escaped */
    const char *job_id;
    int64_t run;
    struct span body;   /* JSON: what a bot or program is given */
    struct span locale; /* the language of the visitor for whom it is done; empty: of nobody */
    const struct job *job;
    const struct job_type *type; /* NULL: a service's */
    /* How far it is; may be NULL, may be called any number of times before `done`. progress -1, message NULL: as it is. */
    void (*progress)(void *ctx, int progress, const char *message);
};

enum call_end {
    CALL_ANSWERED,  /* `answer` is the bot's, to be read by answer.h */
    CALL_REFUSED,   /* nobody listens there; nothing was sent, so that repeating is harmless */
    CALL_BROKEN,    /* no answer, or one that says that the bot is broken; it may have acted */
    CALL_INVALID,   /* an answer outside the contract */
    CALL_LATER,     /* it cannot be made now; nothing is counted, and it comes again after later_ms */
    CALL_CANCELLED, /* by `cancel` */
    CALL_TIMED_OUT, /* given by the carrier, which keeps the time */
    CALL_STOPPED    /* given by the carrier: the worker stops */
};

/* Lives until `done` returns. */
struct call_result {
    enum call_end end;
    struct span answer;  /* ANSWERED */
    int64_t later_ms;    /* LATER */
    bool errors_only;    /* ANSWERED: only an error is believed (HTTP 4xx) */
    const char *detail;  /* a sentence for logs and the job's error; no personal data; "" when ANSWERED */
};
typedef void (*call_done)(void *ctx, const struct call_result *result);

struct handler {
    const char *name;     /* as service files call it */
    const char *needs;    /* one sentence each, for people who read the table */
    const char *promises;
    /* Begin a call. `done` is called exactly once, from the loop, never from within start. Not NULL. */
    void *(*start)(const struct workshop *shop, const struct order *order, call_done done, void *ctx);
    /* End a call whose `done` was not called; it comes soon with CALL_CANCELLED, unless it had ended already. */
    void (*cancel)(void *call);
};

/* A new handler is a row here, in handler.c and in job_handlers (core/job_type.h). */
extern const struct handler handler_http;
extern const struct handler handler_exec;
extern const struct handler handler_fetch;
extern const struct handler handler_notify;
extern const struct handler handler_webhook;
extern const struct handler handler_mail;
extern const struct handler handler_maintenance;
extern const struct handler handler_none; /* does nothing and succeeds: to measure with, and to mark a point */

/* By name; NULL: there is none. */
const struct handler *handler_find(const char *name);

#endif
