/* maintenance.h: THE table of maintenance that runs as jobs: a job type of that name with the handler `maintenance` carries it out. Above:
 * worker. */
#ifndef PEYGIR_MAINTENANCE_H
#define PEYGIR_MAINTENANCE_H

#include "core/app.h"

struct maintenance {
    const char *name;    /* of the job type */
    const char *counted; /* member of the job's result */
    /* One piece of it, a round trip or a few; *done grows. 1: there is more; 0: that was all; -1. */
    int (*run)(struct app *app, int64_t *done, struct err *err);
};
/* NULL: there is none of that name. */
const struct maintenance *maintenance_find(const char *name);

#endif
