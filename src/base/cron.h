/* cron.h: five-field cron lines (POSIX crontab, with the usual extensions of Vixie cron) in a time zone.
 *
 *   minute (0-59)  hour (0-23)  day of month (1-31)  month (1-12 or jan-dec)  day of week (0-7 or sun-sat)
 *
 * 0 and 7 are Sunday. Each field: *, a number or name, a range a-b, a list a,b, a step after a range or *: a-b/n. When
 * both day fields are restricted (do not begin with *), either is enough. @yearly @annually @monthly @weekly @daily
 * @midnight @hourly stand for lines.
 *
 * Daylight saving: a minute that is skipped runs at the first minute after the gap, once, unless the hour field begins
 * with * (then it is simply not there); a minute that comes twice runs the first time only, unless the hour field
 * begins with *. */
#ifndef PEYGIR_CRON_H
#define PEYGIR_CRON_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* bit n: value n; weekdays 0 to 6 */
    bool any_day, any_weekday, every_hour;
};
/* 0, or -1 (ERR_INVALID) with a sentence that names the field and what is accepted. A line whose days are in none of
 * its months (30 February) is refused too. */
int cron_parse(struct cron *out, const char *line, struct err *err);

/* A time zone of the system's database ("Asia/Tehran", "UTC"). Read from TZDIR, or /usr/share/zoneinfo (RFC 8536),
 * without touching the process's own time zone. Immutable afterwards: threads may share it. */
struct zone;
struct zone *zone_open(const char *name, struct err *err); /* NULL (ERR_INVALID): there is none of that name */
/* The same from the bytes of a file; `name` is for the error. Bytes of any kind are harmless. */
struct zone *zone_read(const char *name, struct span bytes, struct err *err);
void zone_free(struct zone *zone); /* NULL is harmless */
/* Seconds to add to UTC at that time. */
int32_t zone_offset_s(const struct zone *zone, int64_t unix_s);
/* The first second after `unix_s` at which the offset may be another (it may turn out to be the same); INT64_MAX: it
 * stays. */
int64_t zone_change_s(const struct zone *zone, int64_t unix_s);

/* The first tick after `after_s` (seconds since 1970), or -1: there is none within five years. */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after_s);

#endif
