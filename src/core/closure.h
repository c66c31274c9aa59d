/* closure.h: services that an administrator has closed for a while: they take no new requests; what runs goes on. */
#ifndef PEYGIR_CLOSURE_H
#define PEYGIR_CLOSURE_H

#include "core/app.h"

#define CLOSURE_MESSAGE_BYTES 500

/* `message` (a catalogue key or plain text, at most CLOSURE_MESSAGE_BYTES) is shown instead of the form. 0 or -1 (ERR_INVALID). */
int closure_set(struct app *app, const char *slug, const char *message, struct err *err);
/* 1: it was closed; 0: it was not; -1. */
int closure_clear(struct app *app, const char *slug, struct err *err);
/* All that are closed. 0 or -1. */
int closure_each(struct app *app, void (*fn)(void *ctx, struct span slug, struct span message), void *ctx, struct err *err);

/* For programs that ask often: 1 with *message, 0 open, -1. Asks Redis at most once a second for each thread's `memo` (zero at first;
 * closure_memo_clear() frees it), and then ends what replies of app->redis lent out. While Redis does not answer, what was known counts;
 * -1 only when nothing was known yet. */
struct closure_memo {
    int64_t read_ms; /* monotonic */
    struct str closed; /* JSON object slug -> message */
};
int closure_read(struct app *app, struct closure_memo *memo, struct span slug, struct str *message, struct err *err);
void closure_memo_clear(struct closure_memo *memo);

#endif
