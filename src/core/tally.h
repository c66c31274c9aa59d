/* tally.h: what happens too often to tell Redis each time, such as the check of a session: counted in the process and added to P:stats:sessions
 * once a second at most, without a wait. A process that is killed takes the counts of its last second along. */
#ifndef PEYGIR_TALLY_H
#define PEYGIR_TALLY_H

#include "core/app.h"

enum tally { TALLY_SESSIONS_MADE, TALLY_SESSIONS_CHECKED, TALLIES };
extern const char *const tally_names[TALLIES]; /* fields of P:stats:sessions: "made", "checked" */

struct tallies;
struct tallies *tallies_new(void);
void tallies_free(struct tallies *t); /* NULL is harmless */

/* One more. Any thread may call it; what it tells Redis goes out with the next exchange of app->redis, or its flush. */
void tally_count(struct app *app, enum tally which);
/* What all processes have told. One round trip. 0 or -1. */
int tally_read(struct app *app, int64_t out[TALLIES], struct err *err);

#endif
