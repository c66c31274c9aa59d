/* calendar.c: the Gregorian and the Jalali calendar. */
#include "core/calendar.h"

#include "base/civil.h"

#define JALALI_CYCLE_YEARS 33
#define JALALI_CYCLE_DAYS 12053
/* Days from 1 Farvardin of year 1, by the rule of 33 years, to 1970-01-01. */
#define JALALI_EPOCH_DAYS 492268

struct calendar_date calendar_gregorian(int64_t day)
{
    struct civil date = civil_of(day);

    return (struct calendar_date){ date.year, date.month, date.day };
}

/* Days from 1970-01-01 to 1 Farvardin of `year`: eight years of 33 have a day more. */
static int64_t jalali_start(int64_t year)
{
    return 365 * (year - 1) + civil_floor(8 * year + 21, JALALI_CYCLE_YEARS) - JALALI_EPOCH_DAYS;
}

/* Six months of 31 days, then months of 30; the last one has 29 or 30. */
struct calendar_date calendar_jalali(int64_t day)
{
    struct calendar_date date = { .month = 1 };

    date.year = 1 + civil_floor((day + JALALI_EPOCH_DAYS) * JALALI_CYCLE_YEARS, JALALI_CYCLE_DAYS);
    while (jalali_start(date.year) > day)
        date.year--;
    while (jalali_start(date.year + 1) <= day)
        date.year++;
    day -= jalali_start(date.year);
    if (day < 186) {
        date.month = (int)(day / 31) + 1;
        date.day = (int)(day % 31) + 1;
    } else {
        date.month = (int)((day - 186) / 30) + 7;
        date.day = (int)((day - 186) % 30) + 1;
    }
    return date;
}

int64_t calendar_day(struct calendar_date date)
{
    return civil_day(date.year, date.month, date.day);
}

bool calendar_is_date(struct calendar_date date)
{
    return date.year >= 1 && date.year <= 9999 && date.month >= 1 && date.month <= 12 && date.day >= 1 &&
           date.day <= civil_month_days(date.year, date.month);
}
