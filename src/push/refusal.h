/* refusal.h: an answer that says no, as problem details (RFC 9457) in the visitor's language. */
#ifndef PEYGIR_REFUSAL_H
#define PEYGIR_REFUSAL_H

#include "core/limit.h"
#include "core/locale.h"

enum refusal { REFUSE_NOT_FOUND, REFUSE_METHOD, REFUSE_TOO_MANY, REFUSE_AWAY, REFUSE_FULL, REFUSE_INTERNAL, REFUSALS };

/* What an error of core is. */
enum refusal refusal_of(const struct err *err);
/* The whole answer, with its head. `path` is what was asked for; `verdict` with REFUSE_TOO_MANY, else NULL. */
void refusal_add(struct str *out, enum refusal why, const struct locale *locale, struct span path, const struct limit_verdict *verdict);

#endif
