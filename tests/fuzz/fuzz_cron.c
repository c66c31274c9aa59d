/* fuzz_cron.c: cron lines; a NUL byte, and the bytes of a time zone to follow them in. Ticks go forward. */
#include "tests/fuzz/fuzz.h"

#include "base/cron.h"

#define NOW_S INT64_C(1766000000)

static void follow(const struct cron *cron, const struct zone *zone)
{
    int64_t at = NOW_S;

    for (int i = 0; i < 3 && at >= 0; i++) {
        int64_t next = cron_next(cron, zone, at);

        PROMISE(next == -1 || next > at);
        at = next;
    }
    PROMISE(zone_change_s(zone, NOW_S) > NOW_S);
}

FUZZ(input)
{
    struct span rest, line = fuzz_cut(input, &rest);
    char *text = fuzz_text(line);
    struct err err = ERR_INIT;
    struct cron cron;
    struct zone *zone = rest.len ? zone_read("fuzz", rest, &err) : zone_open("UTC", &err);

    if (cron_parse(&cron, text, &err) == 0) {
        PROMISE(cron.minutes && cron.hours && cron.months);
        if (zone)
            follow(&cron, zone);
    } else {
        PROMISE(err.kind == ERR_INVALID && err.text[0]);
    }
    zone_free(zone);
    free(text);
}
