/* refusal.h: an answer that says no, as problem details (RFC 9457) in the visitor's language. */
#ifndef PEYGIR_REFUSAL_H
#define PEYGIR_REFUSAL_H

#include "push/admit.h"

enum refusal {
    REFUSE_UNAUTHORIZED, REFUSE_FORBIDDEN, REFUSE_SERVICE, REFUSE_SIGN_IN, REFUSE_ORIGIN, REFUSE_NOT_FOUND, REFUSE_METHOD, REFUSE_CONFLICT, REFUSE_WAIT,
    REFUSE_TOPICS, REFUSE_UPGRADE, REFUSE_TOO_MANY, REFUSE_AWAY, REFUSE_FULL, REFUSE_INTERNAL, REFUSALS
};

/* What an error of core is, and what an answer other than ADMIT_YES. */
enum refusal refusal_of(const struct err *err);
enum refusal refusal_of_answer(const struct admit *a);
int refusal_status(enum refusal why);
/* Append the sentence. `verdict` with REFUSE_TOO_MANY, else NULL. */
void refusal_add_detail(struct str *out, enum refusal why, const struct locale *locale, const struct limit_verdict *verdict);
/* The whole answer, with its head. `path` is what was asked for. */
void refusal_add(struct str *out, enum refusal why, const struct locale *locale, struct span path, const struct limit_verdict *verdict);

#endif
