/* maintenance.c: THE table of maintenance */
#include "core/maintenance.h"

#include "core/session.h"

static int clean_sessions(struct app *app, int64_t *done, struct err *err)
{
    int looked = session_cleanup(app, done, err);
    return looked < 0 ? -1 : looked == SESSION_CLEANUP;
}

static const struct maintenance table[] = {
    { "cleanup_expired_sessions", "forgotten", clean_sessions },
};

const struct maintenance *maintenance_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
