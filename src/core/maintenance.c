/* maintenance.c: THE table of maintenance */
#include "core/maintenance.h"

#include "core/session.h"
#include "core/source_fetch.h"

static int clean_sessions(struct app *app, int64_t *done, struct err *err)
{
    int looked = session_cleanup(app, done, err);
    return looked < 0 ? -1 : looked == SESSION_CLEANUP;
}

static int refresh_crypto(struct app *app, int64_t *done, struct err *err)
{
    return source_refresh(app, "crypto", false, done, err);
}

static int refresh_stock(struct app *app, int64_t *done, struct err *err)
{
    return source_refresh(app, "stock", false, done, err);
}

static int warm_up(struct app *app, int64_t *done, struct err *err)
{
    return source_refresh(app, NULL, true, done, err);
}

static const struct maintenance table[] = {
    { "cache_warmup", "pushed", warm_up },
    { "cleanup_expired_sessions", "forgotten", clean_sessions },
    { "refresh_crypto_cache", "pushed", refresh_crypto },
    { "refresh_stock_cache", "pushed", refresh_stock },
};

const struct maintenance *maintenance_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
