/* history.h: what a request was, revision by revision, for whoever must miss none (contract 4.1: the newest HISTORY_KEPT are kept).
 * Above: push. */
#ifndef PEYGIR_HISTORY_H
#define PEYGIR_HISTORY_H

#include "core/request.h"

#define HISTORY_KEPT 100

/* The newest `newest` entries: HISTORY_REPLIES commands of the caller's exchange on app->redis, in the main database, behind those of
 * request_queue(), so that nothing between the request and its history is missing. */
#define HISTORY_REPLIES 1
void history_queue(struct app *app, struct span hash, int newest);
/* Tell fn what the request was at each revision after `after`, up to the one that was read, oldest first. The last one is rq itself; of
 * those before it everything that the public view shows is as it was then, but for the place in the queue and the time of another code. fn's
 * request is borrowed for the call. How many were told; -1: not all of them are among the entries, and nothing was told. */
int history_since(const struct reply entries[HISTORY_REPLIES], const struct request *rq, int64_t after,
                  void (*fn)(void *ctx, const struct request *then), void *ctx);

#endif
