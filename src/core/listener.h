/* listener.h: who is told, by a job of its own, when a request needs a code or has ended. The request's guard names them, a line each:
 *
 *   QUEUE TYPE JSON          "webhook webhook {"url":"https://…","token":"…"}"
 *
 * What happened gets a job of that type in that queue, with the payload {"listener": JSON, "event": {"type", "timestamp", "data": {"hash",
 * "service_slug", "status"}}}; "type" is "request." and the status, "data" says nothing personal. Its id follows from what happened
 * (HASH.TYPE.otp_required0: code number 0 is needed; HASH.TYPE.completed2: run 2 ended so), so that telling twice makes one job: whoever
 * changes a request tells, and where it could not (a bot that may not push jobs, a crash, a full Redis) the look that forgets nothing does
 * (request_watch). */
#ifndef PEYGIR_LISTENER_H
#define PEYGIR_LISTENER_H

#include "core/request.h"

/* Append a line. `queue` and `type` are names of job types and queues; `json` is one line. */
void listener_add(struct str *lines, const char *queue, const char *type, struct span json);

/* Does this status concern listeners? */
bool listener_hears(enum request_status status);

/* What a request is at a moment, kept while the connection is used for something else. */
struct listener_news {
    char hash[HASH_SIZE];
    struct str lines, slug; /* lines empty: nobody listens */
    int64_t code, run;
};
/* With *n zeroed. Release with listener_forget. */
void listener_note(struct listener_news *n, const struct request *rq);
void listener_forget(struct listener_news *n);
/* Push the jobs that are not there yet, in one round trip; without listeners nothing is sent. 0 or -1 (some may be pushed). */
int listener_tell(struct app *app, const struct listener_news *n, enum request_status status, struct err *err);
/* request_read, and who listens is told what the request has come to: a bot may have brought it about, or a program that died before it
 * could tell. A round trip more, and another reading, where somebody listens and it concerns them. */
int listener_read(struct app *app, struct span hash, struct request *rq, struct err *err);

#endif
