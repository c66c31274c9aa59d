/* keyhouse.h: jobhouse.h with a secret file, for what signs. */
#ifndef PEYGIR_UNIT_KEYHOUSE_H
#define PEYGIR_UNIT_KEYHOUSE_H

#include "tests/unit/jobhouse.h"

#include <sodium.h>
#include <unistd.h>

static char secret_file[] = "/tmp/peygir-secret-XXXXXX";
static struct app app;

static inline int open_house(void **state)
{
    static const char line[] = "0123456789abcdef0123456789abcdef\n";
    int fd = mkstemp(secret_file);
    bool written = fd >= 0 && write(fd, line, sizeof line - 1) == (ssize_t)sizeof line - 1;

    (void)state;
    if (fd >= 0)
        close(fd);
    if (!written || sodium_init() < 0)
        return -1;
    house_start();
    house_set("PEYGIR_SECRET_FILE", secret_file);
    return 0;
}

static inline int close_house(void **state)
{
    (void)state;
    house_stop();
    unlink(secret_file);
    return 0;
}

static inline int enter(void **state)
{
    (void)state;
    server_flush();
    house_enter(HOUSE_SECRET);
    app_open(&app, &house);
    return 0;
}

static inline int leave(void **state)
{
    (void)state;
    app_close(&app);
    house_leave();
    return 0;
}

#endif
