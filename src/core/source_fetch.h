/* source_fetch.h: what is decided about fetching from a source: whether it is to be fetched now, and what an answer means for the cache and for
 * all who want more of the source. Makes no call: the worker does, between the two halves. Above: worker; web and cli push the jobs.
 *
 *   source_fetch_begin   reads the job's payload, looks what is kept, takes over the claim that a visitor made (or makes one), and asks
 *                        whether the source rests or has been asked too often
 *   (the call)
 *   source_fetch_end     a good answer is stored, one that nothing has changed makes what is there fresh again; a source that wants to rest rests
 *                        for all workers; anything else leaves what is there, and for a while nobody tries for visitors, who are told why
 *   source_fetch_drop    instead of that: the job was cancelled
 *
 * Each blocks for two round trips, three at most: of the cache, and of the main database. */
#ifndef PEYGIR_SOURCE_FETCH_H
#define PEYGIR_SOURCE_FETCH_H

#include "core/cache.h"
#include "core/source.h"

#define SOURCE_CLAIM_MS 60000 /* of a visitor, or of a job: longer than a call, and than a job usually waits */
#define SOURCE_JOB "fetch_data"

/* Notes that a failure leaves in the cache (cache_entry.failed). */
#define SOURCE_NOTE_NOT_FOUND "not_found"
#define SOURCE_NOTE_AWAY "away"

enum source_verdict {
    SOURCE_STORED,
    SOURCE_UNCHANGED, /* what is there is fresh again */
    SOURCE_NOT_FOUND, /* the source knows no such thing, and visitors are told so */
    SOURCE_THERE,     /* somebody fetched it since the job was pushed */
    SOURCE_LATER,     /* not now: wait_ms */
    SOURCE_FAILED
};

struct source_fetch {
    struct source_call call;
    struct source_request request;
    struct str name;
    char claim[CACHE_CLAIM_SIZE];     /* "": a failure of a moment ago stands in its place */
    struct str etag, modified;        /* to be asked again with; empty: none */

    enum source_verdict verdict;
    int64_t wait_ms;                  /* LATER */
    size_t bytes;                     /* STORED */
    bool broken;                      /* it says that the source itself is broken */
    bool retryable;                   /* FAILED: trying again may help */
    const char *code;                 /* FAILED: "refused", "invalid_payload"... */
    struct err why;                   /* FAILED, LATER: a sentence. It may name host and port, or the file of the key; never path, values and key */
};
void source_fetch_clear(struct source_fetch *f);

/* created_ms: when the job was pushed; 0: not known. 1: call it; 0: the verdict is there. *f is filled in either case. */
int source_fetch_begin(struct app *app, struct source_fetch *f, struct span payload, int64_t created_ms);

/* What came of the call. */
enum source_word {
    SOURCE_SAYS_DATA,      /* body, etag, modified */
    SOURCE_SAYS_SAME,      /* as what it was asked again with */
    SOURCE_SAYS_NOTHING,   /* it knows no such thing */
    SOURCE_SAYS_WAIT,      /* it wants to rest: wait_s; 0: it does not say how long */
    SOURCE_SAYS_NO,        /* asking once more would not help */
    SOURCE_SAYS_NONSENSE,  /* it is broken, or silent */
    SOURCE_BARRED          /* it was not called, for it is left alone for wait_s */
};
struct source_answer {
    enum source_word word;
    struct span body, etag, modified;
    int64_t wait_s;
    const char *detail;    /* to follow "The source x ": "answered with status 500" */
};
void source_fetch_end(struct app *app, struct source_fetch *f, const struct source_answer *answer);
/* Nothing comes of it, for the job is cancelled: the next may have the claim at once. */
void source_fetch_drop(struct app *app, const struct source_fetch *f);

/* What its answers bear; borrowed from it. */
struct cache_tags source_tags(const struct source_method *m);

/* Push the job that fetches it, unless one does already: as job_push. id: room for JOB_ID_SIZE, of the job that waits or runs; may be NULL. */
int source_push(struct app *app, const struct source_call *call, struct str *id, struct err *err);
/* Push jobs for all that is fetched by the clock: of this source, or of all (NULL); `missing` leaves out what is fresh. Sources of which nobody
 * said where they are are left alone. 0 or -1; *pushed grows. */
int source_refresh(struct app *app, const char *name, bool missing, int64_t *pushed, struct err *err);

#endif
