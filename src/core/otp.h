/* otp.h: the one-time code of a request (contract 4.1, 6). The bot judges the code, one script counts; the code is only ever in the
 * mailbox. Above: web takes the visitor's code and wish for another; worker brings the bot's word. */
#ifndef PEYGIR_OTP_H
#define PEYGIR_OTP_H

#include "core/limit.h"
#include "core/request.h"

/* How codes of the service are dealt with; NULL: the service is not there (any more). */
const struct service_code *otp_policy(const struct service *service);

struct otp_ask {
    struct span handle;   /* the bot's own handle, JSON text; .s NULL: none */
    int64_t expiry_s;     /* 0: the service's */
    int64_t length;       /* 0: the service's */
    const char *message;  /* NULL: the catalogue's */
};
/* The bot needs a code. processing (or otp_verifying, when a leg has the code: another one) -> otp_required. Asked for already (otp_required,
 * or an entered code that no leg has taken): fills gaps only. 1, 0, -1. */
int otp_require(struct app *app, const struct service *service, struct span hash, int64_t run, const struct otp_ask *ask, struct err *err);
/* The bot's answer to being asked for another code: its handle, expiry, length and message take the place of the old ones.
 * 1; 0 no code is waited for any more; -1. */
int otp_resent(struct app *app, const struct service *service, struct span hash, const struct otp_ask *ask, struct err *err);
/* The bot says the code is wrong, or expired. Back to otp_required, or failed `otp_tries` / `otp_lost` when nothing is left. ERR_STATE: nobody has
 * entered one. */
int otp_wrong(struct app *app, const struct service *service, struct span hash, int64_t run, const char *message, struct err *err);
int otp_expired(struct app *app, const struct service *service, struct span hash, int64_t run, const char *message, struct err *err);

/* The visitor's code: checked for form (digits of any script, the length), put into the mailbox, leg pushed unless a bot waits for it.
 * -1: ERR_INVALID wrong form, ERR_STATE not waiting, ERR_EXPIRED, ERR_TOO_MANY no tries left, ERR_FINAL ... */
int otp_submit(struct app *app, const struct service *service, struct span hash, struct span code, struct err *err);
/* The visitor wants another. -1: ERR_TOO_MANY with retry_after_s inside the cool-down or when too many went to that number, or 0 when none
 * is left; ERR_STATE. */
int otp_resend(struct app *app, const struct service *service, struct span hash, struct err *err);
/* What stands in keys for the mobile number that codes for this form go to: the first field whose rule is iranian_mobile. False: codes of this
 * service go nowhere that is counted, or limits are off. */
bool otp_mobile(const struct app *app, const struct service *service, struct span data, char who[LIMIT_WHO_LEN + 1]);
/* Push the leg for a code that lies in the mailbox and that nobody carries out (a first leg has just ended). 1 pushed, 0, -1. */
int otp_push_leg(struct app *app, struct span hash, struct err *err);

/* The leg that took the code died, or nobody took it in time: no try is used. Back to otp_required (messages.code_lost), or failed
 * `otp_lost` when no resend is left. From otp_verifying only; 1, 0, -1. */
int otp_lost(struct app *app, const struct service *service, struct span hash, int64_t run, struct err *err);
/* Nobody asked for another code in time: otp_required -> failed `otp_expired`. 1; 0 it is not so; -1. */
int otp_give_up(struct app *app, struct span hash, struct err *err);

/* For change_adopt only: complete the otp_data that somebody wrote past the guard, and the guard with it. */
struct change;
void otp_adopt(struct change *c, const struct request *rq, const struct service *service);

/* How the present code stands. */
struct otp_state {
    int64_t expires_in_s; /* 0: expired */
    int64_t resend_in_s;  /* 0: now; -1: none left */
    int64_t attempts_left;
    int64_t length;
};
void otp_look(const struct request *rq, const struct service *service, struct otp_state *out);

#endif
