/* calendar.h: days as years, months and days, in the Gregorian and the Jalali (Iranian) calendar. Pure arithmetic: no
 * clock, no time zone, no texts. */
#ifndef PEYGIR_CALENDAR_H
#define PEYGIR_CALENDAR_H

#include "base/xmalloc.h"

#include <stdbool.h>
#include <stdint.h>

struct calendar_date {
    int64_t year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
};

/* `day` counts days since 1970-01-01, negative ones before it. */
struct calendar_date calendar_gregorian(int64_t day);
/* By the rule of 33 years, which agrees with the official calendar from 1178 to 1633 (1799 to 2255). */
struct calendar_date calendar_jalali(int64_t day);
/* Days since 1970-01-01 of a Gregorian date that calendar_is_date accepts. */
int64_t calendar_day(struct calendar_date date);
/* Is there such a day in the Gregorian calendar? Years 1 to 9999. */
bool calendar_is_date(struct calendar_date date);

#endif
