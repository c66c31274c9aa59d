/* mailbox.h: letters to a bot that waits (contract 4.1): {"otp":"…"}, {"resend":true}, {"cancelled":true}, each handed over once. They are
 * put in by the changes of a request (change_mail), of which its channel tells. */
#ifndef PEYGIR_MAILBOX_H
#define PEYGIR_MAILBOX_H

#include "core/app.h"

struct letter {
    struct str text;   /* JSON; the caller's */
    int64_t stays_ms;  /* so long it would have lain there; -1: for ever */
};
/* The oldest letter; run 0: of whichever run. 1; 0: there is none now; -1: ERR_NOT_FOUND (no such request), ERR_STALE (the run is over),
 * ERR_FINAL (it has ended). One round trip. */
int mailbox_take(struct app *app, struct span hash, int64_t run, struct letter *out, struct err *err);
/* Put it back for the next who asks: whoever took it has gone. What came meanwhile stays no shorter for that. When the request
 * has ended or is gone meanwhile, nothing is put back but the word of its cancellation. 0 or -1. */
int mailbox_return(struct app *app, struct span hash, const struct letter *letter, struct err *err);

#endif
