/* clock.c: time. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>

#define DAY_MS INT64_C(86400000)
#define ROUNDED_MS 1 /* all three times are whole milliseconds */
#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z: the format has four digits for the year */

static _Atomic int64_t offset_ms, wrong_ms;

static int64_t read_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t passed_ms(const _Atomic int64_t *by_tests)
{
    return atomic_load_explicit(by_tests, memory_order_relaxed);
}

int64_t clock_ms(void)
{
    return read_ms(CLOCK_REALTIME) + passed_ms(&offset_ms) + passed_ms(&wrong_ms);
}

int64_t clock_mono_ms(void)
{
    return read_ms(CLOCK_BOOTTIME) + passed_ms(&offset_ms);
}

int64_t clock_ahead_ms(int64_t their_ms, int64_t took_ms)
{
    int64_t mono = read_ms(CLOCK_BOOTTIME), own = read_ms(CLOCK_REALTIME) + passed_ms(&wrong_ms) - mono, least = their_ms - mono;

    return own >= least - ROUNDED_MS && own <= least + took_ms + ROUNDED_MS ? own : least + took_ms / 2;
}

void clock_test_offset(int64_t ms)
{
    atomic_store(&offset_ms, ms);
}

void clock_test_wrong(int64_t ms)
{
    atomic_store(&wrong_ms, ms);
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && leap(year));
}

/* Days from 1970-01-01 to the first day of the year (1..9999). */
static int64_t year_start(int year)
{
    int64_t past = year - 1;

    return past * 365 + past / 4 - past / 100 + past / 400 - 719162;
}

static void put_digits(char *at, int width, int n)
{
    while (width--) {
        at[width] = (char)('0' + n % 10);
        n /= 10;
    }
}

/* No gmtime_r: the C library takes a lock in it that all threads of a process share. */
void clock_rfc3339(int64_t ms, char out[CLOCK_RFC3339_SIZE])
{
    int64_t days;
    int year, month = 1, rest;

    ms = ms < 0 ? 0 : ms > LAST_MS ? LAST_MS : ms;
    days = ms / DAY_MS;
    rest = (int)(ms % DAY_MS);
    year = 1970 + (int)(days / 366);
    while (days >= year_start(year + 1))
        year++;
    days -= year_start(year);
    for (; days >= month_days(year, month); month++)
        days -= month_days(year, month);
    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_RFC3339_SIZE);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, (int)days + 1);
    put_digits(out + 11, 2, rest / 3600000);
    put_digits(out + 14, 2, rest / 60000 % 60);
    put_digits(out + 17, 2, rest / 1000 % 60);
    put_digits(out + 20, 3, rest % 1000);
}

/* Exactly `width` digits at *p, value in low..high. */
static bool take_number(const char **p, const char *end, int width, int low, int high, int *out)
{
    int n = 0;

    for (; width; width--, (*p)++) {
        if (*p == end || **p < '0' || **p > '9')
            return false;
        n = n * 10 + (**p - '0');
    }
    *out = n;
    return n >= low && n <= high;
}

static bool take_char(const char **p, const char *end, char c)
{
    if (*p == end || (**p != c && **p != c + ('a' - 'A')))
        return false;
    (*p)++;
    return true;
}

static bool take_sign(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    (*p)++;
    return true;
}

static bool take_date(const char **p, const char *end, int64_t *days)
{
    int year, month, day, m;

    if (!take_number(p, end, 4, 1, 9999, &year) || !take_sign(p, end, '-') ||
        !take_number(p, end, 2, 1, 12, &month) || !take_sign(p, end, '-') ||
        !take_number(p, end, 2, 1, month_days(year, month), &day))
        return false;
    *days = year_start(year) + day - 1;
    for (m = 1; m < month; m++)
        *days += month_days(year, m);
    return true;
}

/* Second 60 is a leap second: the same moment as the next second's start in this count. */
static bool take_time(const char **p, const char *end, int64_t *ms)
{
    int hour, minute, second, scale = 100;

    if (!take_number(p, end, 2, 0, 23, &hour) || !take_sign(p, end, ':') ||
        !take_number(p, end, 2, 0, 59, &minute) || !take_sign(p, end, ':') ||
        !take_number(p, end, 2, 0, 60, &second))
        return false;
    *ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
    if (!take_sign(p, end, '.'))
        return true;
    if (*p == end || **p < '0' || **p > '9')
        return false;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        *ms += (**p - '0') * scale;
    return true;
}

static bool take_zone(const char **p, const char *end, int64_t *ms)
{
    int hour, minute, sign = 1;

    *ms = 0;
    if (take_char(p, end, 'Z'))
        return true;
    if (take_sign(p, end, '-'))
        sign = -1;
    else if (!take_sign(p, end, '+'))
        return false;
    if (!take_number(p, end, 2, 0, 23, &hour) || !take_sign(p, end, ':') || !take_number(p, end, 2, 0, 59, &minute))
        return false;
    *ms = sign * (hour * 60 + minute) * INT64_C(60000);
    return true;
}

int64_t clock_parse_rfc3339(struct span text)
{
    const char *p = text.s, *end;
    int64_t days, time_ms, zone_ms, ms;

    if (!p)
        return -1;
    end = p + text.len;
    if (!take_date(&p, end, &days) || !take_char(&p, end, 'T') || !take_time(&p, end, &time_ms) ||
        !take_zone(&p, end, &zone_ms) || p != end)
        return -1;
    ms = days * DAY_MS + time_ms - zone_ms;
    return ms < 0 ? -1 : ms;
}
