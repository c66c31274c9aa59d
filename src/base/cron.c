/* cron.c: five-field cron lines.
 *
 * The next tick is looked for on the wall clock, one stretch of constant offset after the other: within a stretch days
 * and hours that do not match are skipped as a whole, and between two stretches lies what daylight saving skips or
 * repeats. */
#include "base/cron.h"

#include "base/civil.h"

#include <strings.h>

#define MINUTE_S 60
#define HOUR_S 3600
#define DAY_S 86400
#define REACH_S (5LL * 366 * DAY_S)
/* Wider than any repeated hour; a place changes its offset by more than a day nowhere. */
#define LOOK_BACK_S (2LL * DAY_S)
/* Far beyond all calendars, and sums stay within 64 bits. */
#define TIME_MAX_S (1LL << 50)
#define NEVER INT64_MAX
#define LINE_MAX_BYTES 200

/* --- reading a line --- */

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
                                           "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field {
    const char *name, *accepts;
    int min, max;
    const char *const *names; /* of min and those that follow; NULL: none */
} fields[FIELDS] = {
    [MINUTE] = { "minute", "0 to 59", 0, 59, NULL },
    [HOUR] = { "hour", "0 to 23", 0, 23, NULL },
    [DAY] = { "day of month", "1 to 31", 1, 31, NULL },
    [MONTH] = { "month", "1 to 12 or jan to dec", 1, 12, month_names },
    [WEEKDAY] = { "day of week", "0 to 7 (0 and 7 are Sunday) or sun to sat", 0, 7, day_names },
};

static const struct {
    const char *name, *line;
} nicknames[] = {
    { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
    { "@daily", "0 0 * * *" },  { "@midnight", "0 0 * * *" }, { "@hourly", "0 * * * *" },
};

static int wrong(const struct field *f, struct span text, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "The field %s, \"%.*s\", is wrong; accepted are *, the values %s, ranges a-b, lists a,b, and steps "
                   "a-b/n or */n.",
                   f->name, (int)text.len, text.s, f->accepts);
}

/* Digits at *at, which moves behind them. -1: there are none, or too many. */
static int read_number(const char **at, const char *end)
{
    const char *start = *at;
    int n = 0;

    for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        if (*at - start >= 4)
            return -1;
        n = n * 10 + (**at - '0');
    }
    return *at == start ? -1 : n;
}

/* A number or name of the field. -1: neither. */
static int read_value(const struct field *f, const char **at, const char *end)
{
    int n;

    for (int i = 0; f->names && f->names[i]; i++)
        if (end - *at >= 3 && strncasecmp(*at, f->names[i], 3) == 0) {
            *at += 3;
            return f->min + i;
        }
    n = read_number(at, end);
    return n < f->min || n > f->max ? -1 : n;
}

/* "fri-sun": Sunday ends the week here. */
static int range_end(const struct field *f, int from, int to)
{
    return f == &fields[WEEKDAY] && to == 0 && from > 0 ? 7 : to;
}

/* One item of a list: *, a, a-b, with a step. 0 and its bits added, or -1. */
static int read_item(const struct field *f, const char *at, const char *end, uint64_t *bits)
{
    int from = f->min, to = f->max, step = 1;
    bool many = at < end && *at == '*';

    if (many) {
        at++;
    } else {
        from = to = read_value(f, &at, end);
        if (from >= 0 && at < end && *at == '-') {
            at++;
            to = range_end(f, from, read_value(f, &at, end));
            many = true;
        }
    }
    if (many && at < end && *at == '/') {
        at++;
        step = read_number(&at, end);
    }
    if (at != end || from < 0 || to < from || step < 1)
        return -1;
    for (int i = from; i <= to; i += step)
        *bits |= 1ULL << i;
    return 0;
}

static int read_field(const struct field *f, struct span text, uint64_t *bits, struct err *err)
{
    const char *at = text.s, *end = text.s + text.len, *comma;

    *bits = 0;
    for (;;) {
        comma = memchr(at, ',', (size_t)(end - at));
        if (read_item(f, at, comma ? comma : end, bits) < 0)
            return wrong(f, text, err);
        if (!comma)
            return 0;
        at = comma + 1;
    }
}

/* Up to FIELDS words; more are counted only. */
static size_t split(const char *line, struct span words[FIELDS])
{
    size_t count = 0, len;

    for (line += strspn(line, " \t"); *line; line += len + strspn(line + len, " \t"), count++) {
        len = strcspn(line, " \t");
        if (count < FIELDS)
            words[count] = (struct span){ line, len };
    }
    return count;
}

static const char *full_line(const char *line)
{
    for (size_t i = 0; i < ARRAY_LEN(nicknames); i++)
        if (strcasecmp(line, nicknames[i].name) == 0)
            return nicknames[i].line;
    return line;
}

static bool days_exist(const struct cron *c)
{
    for (int month = 1; month <= 12; month++)
        if (c->months >> month & 1 && c->days & ((2ULL << civil_month_days(2000, month)) - 1))
            return true;
    return !c->any_day && !c->any_weekday;
}

int cron_parse(struct cron *out, const char *line, struct err *err)
{
    struct span words[FIELDS];
    uint64_t bits[FIELDS];
    size_t count;

    if (strlen(line) > LINE_MAX_BYTES)
        return err_set(err, ERR_INVALID, "The cron line is longer than %d bytes.", LINE_MAX_BYTES);
    if (*line == '@' && full_line(line) == line)
        return err_set(err, ERR_INVALID,
                       "\"%s\" is not known; known are @yearly, @annually, @monthly, @weekly, @daily, "
                       "@midnight and @hourly.",
                       line);
    count = split(full_line(line), words);
    if (count != FIELDS)
        return err_set(err, ERR_INVALID,
                       "The cron line \"%s\" has %zu fields; it must have five: minute, hour, day of month, "
                       "month and day of week.",
                       line, count);
    for (int i = 0; i < FIELDS; i++)
        if (read_field(&fields[i], words[i], &bits[i], err) < 0)
            return -1;
    *out = (struct cron){
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint32_t)bits[MONTH],
        .weekdays = (uint32_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f),
        .any_day = words[DAY].s[0] == '*',
        .any_weekday = words[WEEKDAY].s[0] == '*',
        .every_hour = words[HOUR].s[0] == '*',
    };
    if (!days_exist(out))
        return err_set(err, ERR_INVALID, "The cron line \"%s\" never comes: none of its months has such a day.", line);
    return 0;
}

/* --- the wall clock --- */

static bool day_matches(const struct cron *c, int day, int weekday)
{
    bool by_day = c->days >> day & 1, by_weekday = c->weekdays >> weekday & 1;

    return c->any_day || c->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* Number of the first set bit from `from` on below `end`; -1: none. */
static int next_bit(uint64_t bits, int from, int end)
{
    for (int i = from; i < end; i++)
        if (bits >> i & 1)
            return i;
    return -1;
}

/* First minute of the day that matches, from second `from` of it on; seconds of the day, or -1. */
static int next_of_day(const struct cron *c, int from)
{
    int hour = from / HOUR_S, minute = next_bit(c->minutes, (from % HOUR_S + MINUTE_S - 1) / MINUTE_S, 60);

    if (minute < 0 || !(c->hours >> hour & 1)) {
        hour = next_bit(c->hours, hour + 1, 24);
        minute = next_bit(c->minutes, 0, 60);
    }
    return hour < 0 ? -1 : hour * HOUR_S + minute * MINUTE_S;
}

/* First wall-clock minute that matches in [from, end), in seconds since 1970 of that clock; NEVER: none. */
static int64_t next_wall(const struct cron *c, int64_t from, int64_t end)
{
    struct civil date;
    int64_t day;
    int second;

    while (from < end) {
        day = civil_day_of(from);
        date = civil_of(day);
        if (!(c->months >> date.month & 1)) {
            from = (day + civil_month_days(date.year, date.month) - date.day + 1) * DAY_S;
            continue;
        }
        second = day_matches(c, date.day, civil_weekday(day)) ? next_of_day(c, (int)(from - day * DAY_S)) : -1;
        if (second >= 0)
            return day * DAY_S + second < end ? day * DAY_S + second : NEVER;
        from = (day + 1) * DAY_S;
    }
    return NEVER;
}

/* --- the next tick --- */

/* The latest reading that the wall clock has had up to `now`: what lies below it in a repeated hour has been there
 * already. */
static int64_t highest_wall(const struct zone *zone, int64_t now)
{
    int64_t high = INT64_MIN, wall;

    for (int64_t at = zone_change_s(zone, now - LOOK_BACK_S); at <= now; at = zone_change_s(zone, at)) {
        wall = at + zone_offset_s(zone, at - 1);
        high = wall > high ? wall : high;
    }
    return high;
}

/* Lines whose hour is fixed: what is skipped runs right after the gap, what is repeated only the first time. */
static int64_t next_fixed(const struct cron *c, const struct zone *zone, int64_t after_s, int64_t reach)
{
    int64_t at = after_s, high = highest_wall(zone, at), end, offset, wall, skipped;

    if (high <= at + zone_offset_s(zone, at))
        high = at + zone_offset_s(zone, at) + 1;
    for (;;) {
        offset = zone_offset_s(zone, at);
        end = zone_change_s(zone, at);
        wall = next_wall(c, high, (end < reach ? end : reach) + offset);
        if (wall != NEVER)
            return wall - offset;
        if (end >= reach)
            return -1;
        high = end + offset > high ? end + offset : high;
        skipped = end + zone_offset_s(zone, end);
        if (next_wall(c, high, skipped) != NEVER)
            return end;
        high = skipped > high ? skipped : high;
        at = end;
    }
}

/* Lines for every hour follow the time that passes: each minute that the clock shows counts. */
static int64_t next_passing(const struct cron *c, const struct zone *zone, int64_t after_s, int64_t reach)
{
    int64_t end, offset, wall;

    for (int64_t at = after_s + 1; at < reach; at = end) {
        offset = zone_offset_s(zone, at);
        end = zone_change_s(zone, at);
        wall = next_wall(c, at + offset, (end < reach ? end : reach) + offset);
        if (wall != NEVER)
            return wall - offset;
    }
    return -1;
}

int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after_s)
{
    if (after_s < -TIME_MAX_S || after_s > TIME_MAX_S)
        return -1;
    return (cron->every_hour ? next_passing : next_fixed)(cron, zone, after_s, after_s + REACH_S);
}
