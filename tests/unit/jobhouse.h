/* jobhouse.h: a house on the private Redis of a unit test, and a connection or two. */
#ifndef PEYGIR_UNIT_JOBHOUSE_H
#define PEYGIR_UNIT_JOBHOUSE_H

#include "core/app.h"
#include "core/options.h"
#include "tests/unit/server.h"

static struct settings house_settings;
static struct house house;

static inline void house_set(const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (settings_assign(&house_settings, name, value, FROM_ARGUMENT, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void house_start(void)
{
    server_start();
    settings_init(&house_settings, options_table, OPT_COUNT);
    house_set("REDIS_URL", server_url());
}

/* With the settings made so far. */
static inline void house_enter(unsigned what)
{
    struct err err = ERR_INIT;

    if (house_open(&house, &house_settings, what, "unit-test", 2000, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void house_leave(void)
{
    house_close(&house);
}

static inline void house_stop(void)
{
    settings_free(&house_settings);
    server_stop();
}

#endif
