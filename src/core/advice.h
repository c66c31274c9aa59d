/* advice.h: what the version and settings of a server of Redis mean for Peygir. `peygir health`, `peygir redis check` and /readyz say
 * the same. This layer decides what is dangerous, not how it is told. */
#ifndef PEYGIR_ADVICE_H
#define PEYGIR_ADVICE_H

#include "core/app.h"

enum grade { GRADE_OK, GRADE_WARNING, GRADE_FAILED };
/* One check: a word such as "eviction", and a sentence (borrowed for the call) that says what is so and, unless it is ok, what to do. */
typedef void advice_fn(void *ctx, const char *check, enum grade grade, const char *detail);

/* Judge the text that INFO gives of the server at `url`. Each check is told once, in the same order every time. */
void advice_judge(struct span info, const struct redisurl *url, advice_fn *tell, void *ctx);
/* Ask the main server and judge it. 0, or -1: nothing was told. One round trip. */
int advice_ask(struct app *app, advice_fn *tell, void *ctx, struct err *err);

#endif
