/* civil.h: days of the Gregorian calendar, counted from 1970-01-01. No clock is read. */
#ifndef PEYGIR_CIVIL_H
#define PEYGIR_CIVIL_H

#include "base/xmalloc.h"

#include <stdbool.h>
#include <stdint.h>

struct civil {
    int64_t year;
    int month, day; /* from 1 */
};

static inline int64_t civil_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static inline bool civil_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline int civil_month_days(int64_t year, int month)
{
    return month == 2 ? 28 + civil_is_leap(year) : 30 + ((month + month / 8) & 1);
}

/* Years are counted from March here, so that the day that is sometimes there comes last. */
static inline int64_t civil_day(int64_t year, int month, int day)
{
    int64_t from_march = (month + 9) % 12, y = month < 3 ? year - 1 : year;

    return 365 * y + civil_floor(y, 4) - civil_floor(y, 100) + civil_floor(y, 400) + (153 * from_march + 2) / 5 + day -
           1 - 719468;
}

static inline int64_t civil_day_of(int64_t seconds)
{
    return civil_floor(seconds, 86400);
}

static inline struct civil civil_of(int64_t day)
{
    int64_t from = day + 719468, era = civil_floor(from, 146097), of_era = from - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = (int)(of_era - (365 * year + year / 4 - year / 100)), from_march = (5 * of_year + 2) / 153;

    return (struct civil){ .year = era * 400 + year + (from_march >= 10),
                           .month = from_march < 10 ? from_march + 3 : from_march - 9,
                           .day = of_year - (153 * from_march + 2) / 5 + 1 };
}

/* 0: Sunday. */
static inline int civil_weekday(int64_t day)
{
    return (int)(((day + 4) % 7 + 7) % 7);
}

#endif
