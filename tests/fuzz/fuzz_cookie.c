/* fuzz_cookie.c: a Cookie header, and the session cookie in it */
#include "tests/fuzz/fuzz.h"

#include "base/cookie.h"
#include "core/options.h"
#include "core/secret.h"
#include "core/session.h"

#include <sys/stat.h>
#include <unistd.h>

static struct settings settings;
static struct house house;
static struct app app;

/* The corpus has a good cookie under this key, of a day that is far. */
static void open_house(void)
{
    char path[] = "/tmp/peygir-fuzz-XXXXXX";
    static const char key[] = "0123456789abcdef0123456789abcdef\n";
    struct err err = ERR_INIT;
    int fd = mkstemp(path);

    PROMISE(fd >= 0 && write(fd, key, sizeof(key) - 1) == (ssize_t)sizeof(key) - 1);
    close(fd);
    PROMISE(secret_load(path, &house.secret, &err) == 0);
    unlink(path);
    settings_init(&settings, options_table, OPT_COUNT);
    house.settings = &settings;
    app.house = &house;
}

FUZZ(input)
{
    struct session s;
    struct span cookie;

    if (!app.house)
        open_house();
    cookie = cookie_find(input, "peygir_session");
    if (!cookie.s)
        return;
    PROMISE(cookie.s >= input.s && cookie.s + cookie.len <= input.s + input.len);
    switch (session_cookie(&app, cookie, &s)) {
    case 1: PROMISE(cookie.len == SESSION_TOKEN_LEN); break;
    case 0: PROMISE(strlen(s.owner) == SESSION_OWNER_LEN); break;
    default: break;
    }
}
