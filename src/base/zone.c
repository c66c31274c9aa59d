/* zone.c: time zones of the system's database: TZif files (RFC 8536) with the rule for the years behind their table. */
#include "base/civil.h"
#include "base/cron.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE "/usr/share/zoneinfo"
#define NAME_MAX_BYTES 64
#define FILE_MAX_BYTES (64 * 1024)
#define HEADER_BYTES 44
#define TYPE_BYTES 6
#define DAY_S 86400
#define OFFSET_MAX_S (26 * 3600) /* RFC 8536, 3.2 */
/* The rules of more distant years are those of these, so that sums stay within 64 bits. */
#define TIME_MAX_S (1LL << 50)

/* A day of each year on which the clock is changed, as the POSIX variable TZ has it. */
struct change {
    char form;         /* M: week and weekday of a month; J: day of the year without 29 February; N: with it */
    int month, week, day; /* M: week 5 is the last; J: day from 1; N: day from 0 */
    int64_t time_s;    /* of the wall clock before the change; may be negative or beyond the day */
};

struct rule {
    int64_t standard_s, summer_s;
    bool has_summer;
    struct change to_summer, to_standard;
};

struct zone {
    int64_t *times;    /* the offset changes at times[i] to offsets[i]; ascending */
    int32_t *offsets;
    size_t count;
    int32_t first;     /* before times[0] */
    bool has_rule;     /* from times[count - 1] on */
    struct rule rule;
};

/* --- the rule: std offset dst [offset],start[/time],end[/time] --- */

static bool skip(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

/* 1 to 3 digits with a value from min to max. */
static bool read_int(const char **at, int min, int max, int *out)
{
    int digits = 0;

    for (*out = 0; **at >= '0' && **at <= '9' && digits < 3; ++*at, digits++)
        *out = *out * 10 + (**at - '0');
    return digits > 0 && !(**at >= '0' && **at <= '9') && *out >= min && *out <= max;
}

static bool read_abbreviation(const char **at)
{
    const char *start = *at;

    if (skip(at, '<')) {
        while (**at && **at != '>')
            ++*at;
        return skip(at, '>') && *at - start >= 5;
    }
    while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z'))
        ++*at;
    return *at - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(const char **at, int hours_max, int64_t *out)
{
    int sign = skip(at, '-') ? -1 : 1, hours, minutes = 0, seconds = 0;

    if (sign > 0)
        skip(at, '+');
    if (!read_int(at, 0, hours_max, &hours) || (skip(at, ':') && !read_int(at, 0, 59, &minutes)) ||
        (skip(at, ':') && !read_int(at, 0, 59, &seconds)))
        return false;
    *out = sign * (hours * 3600LL + minutes * 60 + seconds);
    return true;
}

static bool read_day(const char **at, struct change *c)
{
    c->form = skip(at, 'M') ? 'M' : skip(at, 'J') ? 'J' : 'N';
    if (c->form == 'M')
        return read_int(at, 1, 12, &c->month) && skip(at, '.') && read_int(at, 1, 5, &c->week) && skip(at, '.') &&
               read_int(at, 0, 6, &c->day);
    return read_int(at, c->form == 'J', 365, &c->day);
}

static bool read_change(const char **at, struct change *c)
{
    c->time_s = 2 * 3600;
    return skip(at, ',') && read_day(at, c) && (!skip(at, '/') || read_time(at, 167, &c->time_s));
}

/* POSIX counts west of Greenwich. */
static bool read_rule(const char *at, struct rule *r)
{
    int64_t west;

    if (!read_abbreviation(&at) || !read_time(&at, 24, &west))
        return false;
    r->standard_s = -west;
    r->has_summer = *at != '\0';
    if (!r->has_summer)
        return true;
    r->summer_s = r->standard_s + 3600;
    if (!read_abbreviation(&at))
        return false;
    if (*at != ',' && read_time(&at, 24, &west))
        r->summer_s = -west;
    return read_change(&at, &r->to_summer) && read_change(&at, &r->to_standard) && *at == '\0';
}

static int64_t change_day(const struct change *c, int64_t year)
{
    int64_t first = civil_day(year, c->form == 'M' ? c->month : 1, 1), day;

    if (c->form == 'N')
        return first + c->day;
    if (c->form == 'J')
        return first + c->day - 1 + (civil_is_leap(year) && c->day >= 60);
    day = first + (c->day - civil_weekday(first) + 7) % 7 + 7 * (c->week - 1);
    return day < first + civil_month_days(year, c->month) ? day : day - 7;
}

/* The changes of the years around a time, as seconds since 1970. */
enum { YEARS = 4 };
struct changes {
    int64_t to_summer[YEARS], to_standard[YEARS];
};

static struct changes changes_around(const struct rule *r, int64_t at)
{
    int64_t year = civil_of(civil_day_of(at)).year - 1;
    struct changes c;

    for (int i = 0; i < YEARS; i++, year++) {
        c.to_summer[i] = change_day(&r->to_summer, year) * DAY_S + r->to_summer.time_s - r->standard_s;
        c.to_standard[i] = change_day(&r->to_standard, year) * DAY_S + r->to_standard.time_s - r->summer_s;
    }
    return c;
}

static int64_t clamp(int64_t at)
{
    return at > TIME_MAX_S ? TIME_MAX_S : at < -TIME_MAX_S ? -TIME_MAX_S : at;
}

/* Which of the two came last. Summer that begins when it ends goes on: some places have it all year. */
static int64_t rule_offset(const struct rule *r, int64_t at)
{
    int64_t summer = INT64_MIN, standard = INT64_MIN;
    struct changes c;

    if (!r->has_summer)
        return r->standard_s;
    at = clamp(at);
    c = changes_around(r, at);
    for (int i = 0; i < YEARS; i++) {
        summer = c.to_summer[i] <= at ? c.to_summer[i] : summer;
        standard = c.to_standard[i] <= at ? c.to_standard[i] : standard;
    }
    return summer >= standard ? r->summer_s : r->standard_s;
}

static int64_t rule_change(const struct rule *r, int64_t after)
{
    int64_t next = INT64_MAX;
    struct changes c;

    if (!r->has_summer || after >= TIME_MAX_S)
        return INT64_MAX;
    after = clamp(after);
    c = changes_around(r, after);
    for (int i = YEARS - 1; i >= 0; i--) {
        next = c.to_summer[i] > after && c.to_summer[i] < next ? c.to_summer[i] : next;
        next = c.to_standard[i] > after && c.to_standard[i] < next ? c.to_standard[i] : next;
    }
    return next;
}

/* --- the file --- */

struct header {
    char version;
    size_t isut, isstd, leaps, times, types, chars;
    size_t time_bytes; /* of one time: 4 in the first block, 8 in the second */
};

static uint64_t big_endian(const char *s, size_t bytes)
{
    uint64_t n = 0;

    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | (unsigned char)s[i];
    return n;
}

static bool read_header(struct span rest, size_t time_bytes, struct header *h)
{
    size_t *counts[] = { &h->isut, &h->isstd, &h->leaps, &h->times, &h->types, &h->chars };

    if (rest.len < HEADER_BYTES || memcmp(rest.s, "TZif", 4) != 0)
        return false;
    h->version = rest.s[4];
    h->time_bytes = time_bytes;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        *counts[i] = big_endian(rest.s + 20 + 4 * i, 4);
        if (*counts[i] > FILE_MAX_BYTES)
            return false;
    }
    return true;
}

/* Bytes behind the header; the counts are small, so that nothing overflows. */
static size_t block_bytes(const struct header *h)
{
    return h->times * (h->time_bytes + 1) + h->types * TYPE_BYTES + h->chars + h->leaps * (h->time_bytes + 4) +
           h->isstd + h->isut;
}

static int64_t read_when(const char *s, size_t bytes)
{
    return bytes == 4 ? (int32_t)big_endian(s, 4) : (int64_t)big_endian(s, 8);
}

/* The block whose body begins at `s` and is known to be there. NULL, or why it is wrong. */
static const char *read_block(struct zone *z, const struct header *h, const char *s)
{
    const char *indices = s + h->times * h->time_bytes, *types = indices + h->times;
    int32_t offsets[256];

    if (h->types == 0 || h->types > ARRAY_LEN(offsets))
        return "names no offset";
    if (h->leaps)
        return "counts leap seconds, which Unix time does not";
    for (size_t i = 0; i < h->types; i++) {
        offsets[i] = (int32_t)big_endian(types + i * TYPE_BYTES, 4);
        if (offsets[i] < -OFFSET_MAX_S || offsets[i] > OFFSET_MAX_S)
            return "has an offset of more than a day";
    }
    z->first = offsets[0];
    z->count = h->times;
    z->times = xcalloc(h->times + 1, sizeof(*z->times));
    z->offsets = xcalloc(h->times + 1, sizeof(*z->offsets));
    for (size_t i = 0; i < h->times; i++) {
        z->times[i] = read_when(s + i * h->time_bytes, h->time_bytes);
        if ((unsigned char)indices[i] >= h->types || (i && z->times[i] <= z->times[i - 1]))
            return "has a broken table";
        z->offsets[i] = offsets[(unsigned char)indices[i]];
    }
    return NULL;
}

/* "\nRULE\n" behind the second block. */
static const char *read_footer(struct zone *z, struct span rest)
{
    const char *end = rest.len > 1 && rest.s[0] == '\n' ? memchr(rest.s + 1, '\n', rest.len - 1) : NULL;
    char *text;

    if (!end)
        return "ends too early";
    if (end == rest.s + 1)
        return NULL;
    text = xmemdupz(rest.s + 1, (size_t)(end - rest.s - 1));
    z->has_rule = read_rule(text, &z->rule);
    free(text);
    return z->has_rule ? NULL : "has a rule for the future that is not understood";
}

static struct span behind(struct span all, size_t bytes)
{
    return (struct span){ all.s + bytes, all.len - bytes };
}

static const char *read_file(struct zone *z, struct span all)
{
    struct header h;
    const char *why;
    size_t past;

    if (!read_header(all, 4, &h))
        return "is no time zone";
    if (all.len - HEADER_BYTES < block_bytes(&h))
        return "ends too early";
    if (h.version < '2')
        return read_block(z, &h, all.s + HEADER_BYTES);
    past = HEADER_BYTES + block_bytes(&h);
    all = behind(all, past);
    if (!read_header(all, 8, &h))
        return "is no time zone";
    if (all.len - HEADER_BYTES < block_bytes(&h))
        return "ends too early";
    why = read_block(z, &h, all.s + HEADER_BYTES);
    return why ? why : read_footer(z, behind(all, HEADER_BYTES + block_bytes(&h)));
}

struct zone *zone_read(const char *name, struct span bytes, struct err *err)
{
    struct zone *z = xcalloc(1, sizeof(*z));
    const char *why = read_file(z, bytes);

    if (!why)
        return z;
    err_set(err, ERR_INVALID, "The file of the time zone \"%s\" %s.", name, why);
    zone_free(z);
    return NULL;
}

/* --- opening --- */

static bool is_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_BYTES && strspn(name, allowed) == len && name[0] != '/';
}

/* What is there of at most FILE_MAX_BYTES; a larger file is cut and so refused. Errors end the text likewise. */
static struct str read_all(int fd)
{
    struct str text = STR_INIT;
    char part[4096];
    ssize_t n;

    while (text.len <= FILE_MAX_BYTES && ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            str_add(&text, part, (size_t)n);
    return text;
}

/* O_NONBLOCK: a pipe in this place must not stop the start-up. */
static int open_file(const char *name)
{
    const char *dir = getenv("TZDIR");
    char *path = xasprintf("%s/%s", dir && *dir ? dir : DATABASE, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    free(path);
    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
        return fd;
    close(fd);
    return -1;
}

struct zone *zone_open(const char *name, struct err *err)
{
    struct zone *zone;
    struct str text;
    int fd;

    if (strcmp(name, "UTC") == 0)
        return xcalloc(1, sizeof(struct zone));
    fd = is_name(name) ? open_file(name) : -1;
    if (fd < 0) {
        err_set(err, ERR_INVALID,
                "There is no time zone \"%s\" on this machine; names are like UTC and Asia/Tehran, and the package "
                "tzdata has them.",
                name);
        return NULL;
    }
    text = read_all(fd);
    close(fd);
    zone = zone_read(name, (struct span){ text.s ? text.s : "", text.len }, err);
    str_free(&text);
    return zone;
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->times);
    free(zone->offsets);
    free(zone);
}

/* --- asking --- */

/* How many entries of the table are at or before this time. */
static size_t passed(const struct zone *z, int64_t at)
{
    size_t low = 0, high = z->count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (z->times[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t zone_offset_s(const struct zone *zone, int64_t unix_s)
{
    size_t n = passed(zone, unix_s);

    if (n == zone->count && zone->has_rule)
        return (int32_t)rule_offset(&zone->rule, unix_s);
    return n ? zone->offsets[n - 1] : zone->first;
}

int64_t zone_change_s(const struct zone *zone, int64_t unix_s)
{
    size_t n = passed(zone, unix_s);

    if (n < zone->count)
        return zone->times[n];
    return zone->has_rule ? rule_change(&zone->rule, unix_s) : INT64_MAX;
}
