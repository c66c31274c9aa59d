/* change.h: the one way to change a request (used by request_*.c and otp.c only). A change is decided on what was
 * read and written by request_save.lua, which compares, obeys the guard, and writes document, guard, history and
 * message together. */
#ifndef PEYGIR_CHANGE_H
#define PEYGIR_CHANGE_H

#include "core/request.h"

#define CHANGE_FIELDS 20
#define CHANGE_NEXT_TRY_MS 5000 /* a lost race is decided again until then */

struct change {
    int to;                      /* enum request_status; -1: as it is */
    struct raw_member doc[CHANGE_FIELDS];
    size_t doc_count;
    struct change_guard {
        const char *name;        /* as in struct guard's list of names, change.c */
        struct span value;
    } guard[CHANGE_FIELDS];
    size_t guard_count;
    struct span mail;            /* pushed into the mailbox; .s NULL: nothing */
    int64_t mail_ttl_ms;
    bool mail_clear;             /* empty the mailbox first */
    struct str *code;            /* not NULL: take the code out of the mailbox into it */
    struct job_new leg;          /* id NULL: none; its number is a new one */
    struct span unless_active;   /* not pushed while this job is being carried out; .s NULL: no condition */
    int64_t watch_ms;            /* look at the request again then (request_watch); 0: as it is */
    char *memory[2 * CHANGE_FIELDS + 4]; /* backs the values */
    size_t memory_count;
};

/* 1: write *c; 0: nothing to write; -1: refuse (ERR_STATE of a request that has ended becomes ERR_FINAL).
 * Called again after a lost race, with an empty *c. */
typedef int (*change_decide)(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err);
/* Read, decide, write. 1 written; 0 nothing to write, or it is final and just so already; -1. Usually two round trips. */
int change_make(struct app *app, struct span hash, int64_t run, change_decide decide, void *ctx, struct err *err);
/* The same for a document that was written past the guard: it is not adopted first, and a final one may be restored. */
int change_adopt(struct app *app, struct span hash, change_decide decide, void *ctx, struct err *err);

/* Bytes of a message or step, for each revision puts them into the history: one that is reported; one that a bot wrote past the guard. */
enum { CHANGE_TEXT_MAX = 500, CHANGE_WRITTEN_MAX = 16384 };

/* Builders; each value is copied. */
void change_status(struct change *c, enum request_status to);
void change_text(struct change *c, enum document_field field, const char *text); /* NULL: null */
void change_json(struct change *c, enum document_field field, struct span json);
void change_int(struct change *c, enum document_field field, int64_t n);
void change_guard_int(struct change *c, const char *name, int64_t n);
void change_guard_text(struct change *c, const char *name, struct span text);
void change_guard_result(struct change *c, struct span json); /* the guard's copy of the result; seal_unpack() reads it */
void change_mail(struct change *c, struct span json, int64_t ttl_ms);
void change_error(struct change *c, const struct request_error *error); /* error_data, and its message as the document's */
/* Seal the personal values that the document will hold (request_seal.c); change_make and change_adopt do so by themselves, last. */
void change_seal(const struct app *app, const struct request *rq, struct change *c);
/* For what was written past the guard: a service that is strict takes no result that was not sealed. After change_status. */
void change_refuse_plain(const struct app *app, const struct request *rq, struct change *c);
/* A leg HASH.{suffix}{n}; n 0 is not written. call NULL: the leg for entered code n. */
void change_leg(struct change *c, const struct request *rq, const char *suffix, int64_t n, const char *call);

/* The guard as it is stored: these fields of its hash, and beside them, for writers elsewhere that have no definitions, `terms`: a code's
 * length, seconds, tries, tries of the request, cool-down and resends, 1 where only sealed results are taken, id of the last step; absent:
 * "5 120 3 5 60 3 0 completed". `clock` holds the numbers that only this layer uses, in decimal, separated by spaces, so that reading a guard
 * is cheap: code_tries code taken code_until resend_at estimate started waited since check. */
#define GUARD_FIELDS 10
extern const char *const guard_names[GUARD_FIELDS];
/* Read stored field `field`. */
void guard_set(struct guard *g, size_t field, struct span value);
/* Append the value of `clock`. */
void guard_add_clock(struct str *out, const struct guard *g);

#endif
