/* ear.h: for unit tests: hears what is published on some channels of the private Redis. */
#ifndef PEYGIR_UNIT_EAR_H
#define PEYGIR_UNIT_EAR_H

#include "redis/sub.h"
#include "tests/unit/jobhouse.h"

#include <poll.h>

#define EAR_TURNS_MAX 3000

static struct sub *ear;
static struct str ear_told; /* "channel payload\n" a message */

static inline void ear_message(void *ctx, struct span channel, struct span payload)
{
    (void)ctx;
    str_addf(&ear_told, "%.*s %.*s\n", (int)channel.len, channel.s, (int)payload.len, payload.s);
}

static inline void ear_subscribed(void *ctx, struct span channel)
{
    (void)ctx;
    str_addf(&ear_told, "+%.*s\n", (int)channel.len, channel.s);
}

static inline void ear_until(const char *what)
{
    for (int i = 0; i < EAR_TURNS_MAX; i++) {
        if (ear_told.s && strstr(ear_told.s, what))
            return;
        int timeout_ms = sub_timeout_ms(ear);
        struct pollfd fd = { .fd = sub_fd(ear), .events = sub_events(ear) };
        poll(&fd, 1, timeout_ms < 50 ? timeout_ms : 50);
        if (fd.revents)
            sub_ready(ear, fd.revents);
        if (sub_timeout_ms(ear) == 0)
            sub_tick(ear);
    }
    fail_msg("never told \"%s\", but \"%s\"", what, ear_told.s ? ear_told.s : "");
}

static inline void ear_add(const char *channel)
{
    char *confirmed = xasprintf("+%s\n", channel);
    sub_add(ear, channel);
    ear_until(confirmed);
    free(confirmed);
    str_reset(&ear_told);
}

/* After house_enter. */
static inline void ear_open(void)
{
    str_reset(&ear_told); /* a test that failed may have left something */
    ear = sub_new(&house.main_url, "ear", (struct sub_handler){ .message = ear_message, .subscribed = ear_subscribed });
    ear_add("mark");
}

static inline void ear_close(void)
{
    sub_free(ear);
    str_free(&ear_told);
}

/* What was published before now, "channel payload" a line; until the next call. */
static inline const char *ear_hear(void)
{
    str_reset(&ear_told);
    REDIS_RUN("PUBLISH", "mark", "end");
    ear_until("mark end\n");
    *strstr(ear_told.s, "mark end\n") = '\0';
    return ear_told.s;
}

#endif
