/* listener.h: who is told, by a job of its own, when a request needs a code or has ended. The request's guard names them, a line each, one of a
 * kind at most:
 *
 *   KIND JSON          webhook {"url":"https://…","token":"…"}
 *
 * What happened gets a job of the kind's type, with the payload {"listener": JSON, "event": {"type", "timestamp", "data": {"hash", "service_slug",
 * "status"}}}; "type" is "request." and the status, "data" says nothing personal. Its id follows from what happened (HASH.TYPE.otp_required0:
 * code number 0 is needed; HASH.TYPE.completed2: run 2 ended so), so that telling twice makes one job: whoever changes a request tells, and
 * where it could not (a bot that may not push jobs, a crash, a full Redis) the look that forgets nothing does (request_watch).
 *
 * Bots may write a guard: what stands there chooses among the kinds and nothing else, and who carries out a kind's jobs believes of the JSON what
 * it can prove. */
#ifndef PEYGIR_LISTENER_H
#define PEYGIR_LISTENER_H

#include "core/request.h"

enum listener_kind { LISTENER_WEBHOOK, LISTENER_MAIL, LISTENER_KINDS };
extern const char *const listener_types[LISTENER_KINDS]; /* words of the lines, and the types of the jobs, from etc/jobs */

/* Append a line. `json` is one line. */
void listener_add(struct str *lines, enum listener_kind kind, struct span json);

/* Does this status concern listeners? */
bool listener_hears(enum request_status status);
/* Is this id that of a job which tells that the first code is needed? */
bool listener_is_first_code(const char *job_id);

/* What a request is at a moment, kept while the connection is used for something else. */
struct listener_news {
    char hash[HASH_SIZE];
    struct str lines, slug; /* lines empty: nobody listens */
    int64_t code, run;
    int64_t updated_ms;     /* when the request became so */
};
/* With *n zeroed. Release with listener_forget. */
void listener_note(struct listener_news *n, const struct request *rq);
void listener_forget(struct listener_news *n);
/* Push the jobs that are not there yet, in one round trip; without listeners nothing is sent. `at_ms`: when it became so. 0 or -1 (some may be
 * pushed). A program that knows no job types cannot tell: -1. */
int listener_tell(struct app *app, const struct listener_news *n, enum request_status status, int64_t at_ms, struct err *err);
/* Tell what the request has come to, which a bot may have brought about, or a program that died before it could tell. Where that concerns
 * listeners, *rq is gone afterwards. True: whoever listens knows; false: not yet, and only request_watch must care. */
bool listener_tell_read(struct app *app, const struct request *rq);

#endif
