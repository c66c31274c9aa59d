/* noticehouse.h: a house that knows the shipped job types, notifications and languages, on the private Redis of a unit test. */
#ifndef PEYGIR_UNIT_NOTICEHOUSE_H
#define PEYGIR_UNIT_NOTICEHOUSE_H

#include "tests/unit/jobhouse.h"

static inline void house_set_dir(const char *name, const char *dir)
{
    const char *source = getenv("TOP_SOURCE");
    char *path = xasprintf("%s/%s", source ? source : ".", dir);

    house_set(name, path);
    free(path);
}

static inline void house_enter_notices(void)
{
    house_set_dir("PEYGIR_JOBS_DIR", "etc/jobs");
    house_set_dir("PEYGIR_NOTIFICATIONS_DIR", "etc/notifications");
    house_set_dir("PEYGIR_LOCALES_DIR", "www/locales");
    house_enter(HOUSE_JOB_TYPES | HOUSE_NOTICES | HOUSE_LOCALES);
}

#endif
