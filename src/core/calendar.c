/* calendar.c: the Gregorian and the Jalali calendar. */
#include "core/calendar.h"

#define DAYS_400_YEARS 146097
#define JALALI_CYCLE_YEARS 33
#define JALALI_CYCLE_DAYS 12053
/* Days from 1 Farvardin of year 1, by the rule of 33 years, to 1970-01-01. */
#define JALALI_EPOCH_DAYS 492268

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of January of `year`. */
static int64_t gregorian_start(int64_t year)
{
    int64_t before = year - 1;

    return 365 * before + floor_div(before, 4) - floor_div(before, 100) + floor_div(before, 400) - 719162;
}

struct calendar_date calendar_gregorian(int64_t day)
{
    struct calendar_date date = { .month = 1 };

    /* The guess is off by one year at most. */
    date.year = 1970 + floor_div(day * 400, DAYS_400_YEARS);
    while (gregorian_start(date.year) > day)
        date.year--;
    while (gregorian_start(date.year + 1) <= day)
        date.year++;
    day -= gregorian_start(date.year);
    for (; day >= month_days(date.year, date.month); date.month++)
        day -= month_days(date.year, date.month);
    date.day = (int)day + 1;
    return date;
}

/* Days from 1970-01-01 to 1 Farvardin of `year`: eight years of 33 have a day more. */
static int64_t jalali_start(int64_t year)
{
    return 365 * (year - 1) + floor_div(8 * year + 21, JALALI_CYCLE_YEARS) - JALALI_EPOCH_DAYS;
}

/* Six months of 31 days, then months of 30; the last one has 29 or 30. */
struct calendar_date calendar_jalali(int64_t day)
{
    struct calendar_date date = { .month = 1 };

    date.year = 1 + floor_div((day + JALALI_EPOCH_DAYS) * JALALI_CYCLE_YEARS, JALALI_CYCLE_DAYS);
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
    int64_t day = gregorian_start(date.year) + date.day - 1;

    for (int month = 1; month < date.month; month++)
        day += month_days(date.year, month);
    return day;
}

bool calendar_is_date(struct calendar_date date)
{
    return date.year >= 1 && date.year <= 9999 && date.month >= 1 && date.month <= 12 && date.day >= 1 &&
           date.day <= month_days(date.year, date.month);
}
