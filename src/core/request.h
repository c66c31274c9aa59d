/* request.h: requests in Redis (contract 4.1). Above: web creates, shows and cancels; worker carries; cli looks.
 *
 *                              +------------------------- wrong, expired, lost; tries left -----------------+
 *                              v                                                                            |
 *   pending --> processing --> otp_required ---- the visitor's code, into the mailbox ---------> otp_verifying
 *                   ^                                                                               |
 *                   +------------------------------- the next progress ----------------------------+
 *
 *   any of these --> completed | failed | cancelled      (final: nothing leaves them but `peygir failed retry`)
 *
 *   pending        waits in the queue for a worker
 *   processing     a bot works on it; progress only grows within one run
 *   otp_required   the visitor must enter the code; the estimate's clock stands still
 *   otp_verifying  a code was entered and waits for the bot, or the bot judges it
 *   completed      result_data is there
 *   failed         error_data says why: {code, message, retryable}
 *   cancelled      by the visitor or an administrator
 *
 * request_data and result_data lie sealed (seal.h), unless the service says otherwise: request_open opens them.
 *
 * Every change is: read, decide on the text (document.h), write by request_save.lua, which compares the document with the one
 * that was read, obeys the guard, and writes document, guard, history and message together. Who loses the race decides
 * again on what is there now, jittered, for at most 5 s. A document that somebody wrote past the guard (a seed-style bot)
 * is noticed by the check of its text in the guard and recorded first. */
#ifndef PEYGIR_REQUEST_H
#define PEYGIR_REQUEST_H

#include "core/app.h"
#include "core/document.h"
#include "core/job.h"
#include "core/keys.h"
#include "core/service.h"

enum request_status {
    REQUEST_PENDING, REQUEST_PROCESSING, REQUEST_OTP_REQUIRED, REQUEST_OTP_VERIFYING, REQUEST_COMPLETED, REQUEST_FAILED,
    REQUEST_CANCELLED, REQUEST_STATUSES
};
const char *request_status_name(enum request_status status);
int request_status_parse(struct span name); /* -1: none */
bool request_is_final(enum request_status status);
bool request_may(enum request_status from, enum request_status to); /* the picture above; from == to is allowed unless final */

/* What the guard knows. */
struct guard {
    struct span status;  /* newest recorded */
    struct span owner, user_id, leg;
    struct span listeners; /* who is told of a code needed and of the end (listener.h); absent: nobody */
    int64_t revision, run;
    int64_t tries;       /* wrong codes of the whole request */
    int64_t code_tries;  /* wrong codes of the present code */
    int64_t resends;
    int64_t code;        /* codes entered so far: number of the newest */
    int64_t taken;       /* number of the newest that a leg took */
    int64_t code_until_ms, resend_at_ms;
    int64_t estimate_s, started_ms, waited_ms, waiting_since_ms; /* see estimate.h */
    int64_t check;       /* document_check() of what was written last */
};

/* One reading. All spans are borrowed from the connection and valid until its next exchange. */
struct request {
    char hash[HASH_SIZE];
    struct document doc;
    struct guard guard;
    enum request_status status;
    int64_t ttl_ms;
    int64_t ahead;       /* pending: jobs ahead of it in the queue; -1: not queued or beyond */
    bool beyond;         /* pending: 1,000 or more are ahead */
    struct span paused;  /* pending: JSON {"reason", "since"} when its queue hands out nothing; absent: it does, or nobody asked */
    int64_t now_ms;      /* when it was read, by Redis's clock */
};

/* --- reading: REQUEST_REPLIES commands of the caller's exchange on app->redis, in the main database --- */
#define REQUEST_REPLIES 3
void request_queue(struct app *app, struct span hash);
/* 1: *rq filled; 0: there is none; -1. A document changed past the guard, or one that lies open, sets *foreign: call request_adopt() and
 * read again. */
int request_take(struct app *app, struct span hash, const struct reply replies[REQUEST_REPLIES], struct request *rq, bool *foreign,
                 struct err *err);
/* Somebody wrote it past the guard, and nobody has recorded that yet. */
bool request_is_foreign(const struct request *rq);
/* The place in the queue, and whether that is paused, for who shows it: PLACE_REPLIES further commands. Without them rq->ahead is -1. */
#define PLACE_REPLIES 4
void request_queue_place(struct app *app, struct span hash);
void request_take_place(const struct reply replies[PLACE_REPLIES], struct request *rq);
/* Both without the place, adopting when needed: one round trip usually. 1, 0, -1. */
int request_read(struct app *app, struct span hash, struct request *rq, struct err *err);
/* Record what somebody wrote past the guard: revision, history, message; the guard wins over what it must. 0 or -1. */
int request_adopt(struct app *app, struct span hash, struct err *err);
/* Its service's slug, without quotes (slugs need no escapes); absent when the document has none. */
struct span request_slug(const struct request *rq);
/* Its service's definition; NULL when there is none (any more), or the program has loaded none. */
const struct service *request_service(const struct app *app, const struct request *rq);
/* request_data or result_data as it was before it was sealed (seal.h), appended; one that is plain as it stands. 0; -1 (ERR_FAILED): its
 * key is gone or it was changed; nothing is appended, and the log has said so. */
int request_open(const struct app *app, const struct request *rq, enum document_field field, struct str *out, struct err *err);
/* Lies there a personal value plain that its service wants sealed? request_adopt seals it; a program without secret cannot, and sees none. */
bool request_lies_open(const struct app *app, const struct request *rq);
/* Is it theirs? By the guard: the signed-in user that made it; one that a visitor made, the owner id. */
bool request_belongs(const struct request *rq, struct span owner, struct span user_id);
/* Post (not awaited) a renewal of its TTL, when at least 10 s of it are gone. For a look of its owner. */
void request_touch(struct app *app, const struct request *rq);

/* --- making one --- */
struct request_new {
    const struct service *service;
    struct span data;      /* validated JSON object */
    struct span owner, user_id; /* user_id.s NULL: visitor */
    const char *locale;
    struct span listeners; /* as listener_add makes them; absent: none */
    struct span news_to;   /* address that gets news of it by e-mail (news.h); absent: none */
    struct span key;       /* submission key or Idempotency-Key; with the owner it decides the hash */
    bool key_is_exclusive; /* true: the same key with other values is refused (ERR_STATE); false: it makes another request */
};
/* Document first, then the job, in one round trip (and one before it for the estimate and the limit of codes to one mobile number). The same key and values make the same request:
 * 1: made; 0: it was there (a missing job was pushed again); -1: ERR_STATE key reused, ERR_TOO_MANY codes to that number, ERR_FULL, ERR_AWAY. `session` commands
 * queued by the caller on app->redis before this call go along; their replies are dropped. */
int request_create(struct app *app, const struct request_new *n, char hash[HASH_SIZE], struct err *err);
/* Newest first, at most REQUEST_LISTED; only what still exists and belongs to the owner or the signed-in user (absent: none). fn's request
 * is borrowed for the call. 0 or -1. Two round trips. */
#define REQUEST_LISTED 50
int request_each_of(struct app *app, struct span owner, struct span user_id, void (*fn)(void *ctx, const struct request *rq), void *ctx,
                    struct err *err);

/* --- forgetting, at the wish of whoever made it --- */
/* Delete it with all that belongs to it; one that has not ended is cancelled first. 1; 0: there is none; -1. */
int request_forget(struct app *app, struct span hash, struct err *err);
/* Each that request_each_of lists, and those listed when they are gone. How many, or -1 (some may be gone). */
int request_forget_all(struct app *app, struct span owner, struct span user_id, struct err *err);

/* --- changes --- run 0: unfenced. Results: 1 changed; 0 it was so already (nothing written); -1 with ERR_NOT_FOUND, ERR_FINAL (ended
 * otherwise), ERR_STALE (another run), ERR_STATE (not from here), ERR_AWAY, ERR_FULL. Messages are catalogue keys or text. */
int request_progress(struct app *app, struct span hash, int64_t run, int progress, const char *step, const char *message,
                     struct err *err); /* progress -1, step NULL, message NULL: as it is */
int request_complete(struct app *app, struct span hash, int64_t run, struct span result, struct err *err);
struct request_error {
    const char *code, *message;
    bool retryable; /* trying again with the same values may help */
};
int request_fail(struct app *app, struct span hash, int64_t run, const struct request_error *error, struct err *err);
int request_cancel(struct app *app, struct span hash, struct err *err); /* also tells a waiting bot */
/* A failed request waits again, for its job that is tried once more: pending, without error and code, from `run` on. 0: it waits already;
 * ERR_STATE: it has not failed; ERR_FINAL: it ended otherwise. */
int request_reopen(struct app *app, struct span hash, int64_t run, struct err *err);

/* --- a job's beginning and the look that nothing is forgotten (worker) --- */
enum request_begin {
    BEGIN_CALL,      /* call the bot with *body */
    BEGIN_ENDED,     /* the request is final: end the job likewise, without a call */
    BEGIN_GONE,      /* expired: end the job cancelled, reason `expired` (a call on the side that tells of a cancellation is made all the same) */
    BEGIN_NOTHING    /* nothing to do for this leg (its code was lost or judged): end the job completed */
};
/* Take a request up under the run of `job`: pending becomes processing; a leg takes its code from the mailbox, once.
 * `body` gets the JSON to post, `locale` the visitor's language ("" when none is known; letters, digits and - alone; NULL: not asked for).
 * *status is the request's status now. 0 or -1. */
int request_begin(struct app *app, const struct job *job, enum request_begin *what, enum request_status *status, struct str *slug, struct str *body,
                  struct str *locale, struct err *err);
/* Due requests (at most 100): pushes a missing job, ends an expired code. Number looked at, or -1. Any number of workers may call it. */
int request_watch(struct app *app, const struct services *services, struct err *err);

#endif
