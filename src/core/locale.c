/* locale.c: texts, numbers and dates by language. */
#include "core/locale.h"

#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "core/calendar.h"
#include "core/catalogue.h"
#include "core/definitions.h"

#include <stdatomic.h>

#define DAY_MS 86400000

struct locale {
    struct catalogue *texts;
    const char *code; /* borrowed from texts, like all below */
    const char *group, *decimal, *minus;
    bool rtl, persian_digits, jalali;
    int offset_min; /* of the time zone, east of UTC */
};

struct locales {
    struct locale **list;
    size_t count;
    const struct locale *fallback;
};

/* --- loading --- */

/* What the functions below fill or print, so every language must have it. */
static const char *const needed_keys[] = {
    "locale.code", "locale.name", "locale.direction", "locale.digits", "locale.calendar", "locale.time_zone",
    "number.group", "number.decimal", "number.minus",
    "duration.moment", "duration.seconds", "duration.minute", "duration.minutes", "duration.hour", "duration.hours",
    "duration.day", "duration.days",
    "date.day", "date.day_time",
    "date.month.1", "date.month.2", "date.month.3", "date.month.4", "date.month.5", "date.month.6",
    "date.month.7", "date.month.8", "date.month.9", "date.month.10", "date.month.11", "date.month.12",
};

static int check_needed(const struct catalogue *texts, const char *file, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(needed_keys); i++)
        if (!catalogue_find(texts, span_of(needed_keys[i])))
            return err_set(err, ERR_CONFIG, "%s: %s: is missing; every language needs it.", file, needed_keys[i]);
    return 0;
}

/* The text of `key` must be `no` or `yes`; *out says which. */
static int read_choice(const struct locale *l, const char *file, const char *key, const char *no, const char *yes,
                       bool *out, struct err *err)
{
    const char *text = catalogue_find(l->texts, span_of(key));

    *out = strcmp(text, yes) == 0;
    if (*out || strcmp(text, no) == 0)
        return 0;
    return err_set(err, ERR_CONFIG, "%s: %s: is \"%s\"; it must be %s or %s.", file, key, text, no, yes);
}

static int read_time_zone(struct locale *l, const char *file, struct err *err)
{
    const char *text = catalogue_find(l->texts, SPAN("locale.time_zone"));
    int hours, minutes, end = 0;
    char sign;

    if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &end) != 3 || end != 6 || text[6] ||
        !strchr("+-", sign) || hours < 0 || hours > 14 || minutes < 0 || minutes > 59)
        return err_set(err, ERR_CONFIG, "%s: locale.time_zone: is \"%s\"; it must be like \"+03:30\".", file, text);
    l->offset_min = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return 0;
}

static int read_about(struct locale *l, const char *file, const char *name, struct err *err)
{
    if (check_needed(l->texts, file, err) < 0)
        return -1;
    l->code = catalogue_find(l->texts, SPAN("locale.code"));
    l->group = catalogue_find(l->texts, SPAN("number.group"));
    l->decimal = catalogue_find(l->texts, SPAN("number.decimal"));
    l->minus = catalogue_find(l->texts, SPAN("number.minus"));
    if (strcmp(l->code, name) != 0)
        return err_set(err, ERR_CONFIG, "%s: locale.code: is \"%s\"; it must be the file's name, \"%s\".", file,
                       l->code, name);
    if (read_choice(l, file, "locale.direction", "ltr", "rtl", &l->rtl, err) < 0 ||
        read_choice(l, file, "locale.digits", "latin", "persian", &l->persian_digits, err) < 0 ||
        read_choice(l, file, "locale.calendar", "gregorian", "jalali", &l->jalali, err) < 0)
        return -1;
    return read_time_zone(l, file, err);
}

static void locale_free(struct locale *l)
{
    catalogue_free(l->texts);
    free(l);
}

static int load_one(void *ctx, const char *file, const char *name, struct err *err)
{
    struct locales *all = ctx;
    struct locale *l = xcalloc(1, sizeof(*l));

    if (catalogue_load(file, &l->texts, err) < 0 || read_about(l, file, name, err) < 0) {
        locale_free(l);
        return -1;
    }
    all->list = xreallocarray(all->list, all->count + 1, sizeof(struct locale *));
    all->list[all->count++] = l;
    return 0;
}

/* Every key of `a` must be in `b`. */
static int check_keys(const struct locale *a, const struct locale *b, const char *dir, struct err *err)
{
    const char *key;

    for (size_t i = 0; i < catalogue_count(a->texts); i++) {
        key = catalogue_key(a->texts, i);
        if (!catalogue_find(b->texts, span_of(key)))
            return err_set(err, ERR_CONFIG, "%s/%s.json: %s: is missing; %s.json has it.", dir, b->code, key,
                           a->code);
    }
    return 0;
}

/* With the first one compared both ways, all have the same keys. */
static int check_alike(const struct locales *all, const char *dir, struct err *err)
{
    for (size_t i = 1; i < all->count; i++)
        if (check_keys(all->list[0], all->list[i], dir, err) < 0 ||
            check_keys(all->list[i], all->list[0], dir, err) < 0)
            return -1;
    return 0;
}

static int choose_fallback(struct locales *all, const char *dir, const char *fallback, struct err *err)
{
    struct str codes = STR_INIT;

    all->fallback = locales_find(all, span_of(fallback));
    if (all->fallback)
        return 0;
    for (size_t i = 0; i < all->count; i++)
        str_addf(&codes, "%s%s", i ? ", " : "", all->list[i]->code);
    err_set(err, ERR_CONFIG, "PEYGIR_LOCALE is \"%s\", but %s has no such language; it has: %s.", fallback, dir,
            codes.len ? codes.s : "none");
    str_free(&codes);
    return -1;
}

int locales_load(const char *dir, const char *fallback, struct locales **out, struct err *err)
{
    struct locales *all = xcalloc(1, sizeof(*all));

    if (definitions_each(dir, load_one, all, err) < 0 || check_alike(all, dir, err) < 0 ||
        choose_fallback(all, dir, fallback, err) < 0) {
        locales_free(all);
        return -1;
    }
    *out = all;
    return 0;
}

void locales_free(struct locales *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        locale_free(l->list[i]);
    free(l->list);
    free(l);
}

/* --- choosing --- */

size_t locales_count(const struct locales *l)
{
    return l->count;
}

const struct locale *locales_at(const struct locales *l, size_t index)
{
    return l->list[index];
}

const struct locale *locales_find(const struct locales *l, struct span code)
{
    for (size_t i = 0; i < l->count; i++)
        if (span_is(code, l->list[i]->code))
            return l->list[i];
    return NULL;
}

const struct locale *locales_default(const struct locales *l)
{
    return l->fallback;
}

/* --- texts --- */

const char *locale_code(const struct locale *l)
{
    return l->code;
}

const char *locale_name(const struct locale *l)
{
    return catalogue_find(l->texts, SPAN("locale.name"));
}

bool locale_is_rtl(const struct locale *l)
{
    return l->rtl;
}

const char *locale_catalogue(const struct locale *l, size_t *len)
{
    return catalogue_json(l->texts, len);
}

const char *locale_find(const struct locale *l, struct span key)
{
    return catalogue_find(l->texts, key);
}

/* A key is told once, whichever thread asks first. Two keys that share a bit are told as one: enough to notice. */
static void tell_missing(const char *key)
{
    static atomic_uint_fast32_t told[32];
    unsigned spread = catalogue_spread(span_of(key)) % (32 * ARRAY_LEN(told));
    uint_fast32_t bit = (uint_fast32_t)1 << spread % 32;

    if (!(atomic_fetch_or(&told[spread / 32], bit) & bit))
        log_error("The catalogues have no text \"%s\"; the key is shown instead.", key);
}

const char *locale_text(const struct locale *l, const char *key)
{
    const char *text = catalogue_find(l->texts, span_of(key));

    if (text)
        return text;
    tell_missing(key);
    return key;
}

/* Appends the value of a placeholder. false: there is none. */
typedef bool (*placeholder_fn)(const struct locale *l, struct str *out, struct span name, const void *ctx);

static void fill(const struct locale *l, struct str *out, const char *text, placeholder_fn fn, const void *ctx)
{
    const char *open, *close;

    while ((open = strchr(text, '{')) && (close = strchr(open, '}'))) {
        str_add(out, text, (size_t)(open - text));
        if (!fn(l, out, (struct span){ open + 1, (size_t)(close - open - 1) }, ctx))
            str_add(out, open, (size_t)(close - open + 1));
        text = close + 1;
    }
    str_adds(out, text);
}

static bool param_value(const struct locale *l, struct str *out, struct span name, const void *ctx)
{
    (void)l;
    for (const char *const *p = ctx; p && p[0] && p[1]; p += 2) {
        if (span_is(name, p[0])) {
            str_adds(out, p[1]);
            return true;
        }
    }
    return false;
}

void locale_add(const struct locale *l, struct str *out, const char *key, const char *const params[])
{
    fill(l, out, locale_text(l, key), param_value, params);
}

static struct span member(struct span object, struct span name)
{
    char key[64];

    if (name.len >= sizeof(key))
        return (struct span){ NULL, 0 };
    memcpy(key, name.s, name.len);
    key[name.len] = '\0';
    return raw_get(object, key);
}

static bool json_value(const struct locale *l, struct str *out, struct span name, const void *ctx)
{
    struct span value = member(*(const struct span *)ctx, name);

    if (!value.s)
        return false;
    if (!raw_string(value, out))
        locale_add_decimal(l, out, value);
    return true;
}

static bool value_or_gap(const struct locale *l, struct str *out, struct span name, const void *ctx)
{
    struct span value = member(*(const struct span *)ctx, name);

    if (value.s && !raw_string(value, out) && !strchr("{[tfn", *value.s))
        locale_add_decimal(l, out, value);
    return true;
}

void locale_add_filled(const struct locale *l, struct str *out, const char *text, struct span object)
{
    fill(l, out, text, value_or_gap, &object);
}

/* Length of the key that a stored message begins with, 0 when it begins with none. */
static size_t message_key(struct span message)
{
    size_t len = 0;

    if (!(message.len > 9 && memcmp(message.s, "messages.", 9) == 0) &&
        !(message.len > 7 && memcmp(message.s, "errors.", 7) == 0))
        return 0;
    while (len < message.len && (strchr("._", message.s[len]) || (message.s[len] >= '0' && message.s[len] <= '9') ||
                                 ((message.s[len] | 32) >= 'a' && (message.s[len] | 32) <= 'z')))
        len++;
    return len == message.len || message.s[len] == ' ' ? len : 0;
}

void locale_add_message(const struct locale *l, struct str *out, struct span message)
{
    size_t len = message_key(message);
    const char *text = len ? catalogue_find(l->texts, (struct span){ message.s, len }) : NULL;
    struct span object = SPAN("{}");

    if (text && len < message.len)
        object = (struct span){ message.s + len + 1, message.len - len - 1 };
    if (!text || json_check(object.s, object.len, NULL) < 0 || object.s[0] != '{')
        str_add_span(out, message);
    else
        fill(l, out, text, json_value, &object);
}

/* --- numbers, durations, dates --- */

void locale_add_digits(const struct locale *l, struct str *out, struct span text)
{
    if (l->persian_digits)
        utf8_add_persian_digits(out, text.s, text.len);
    else
        str_add_span(out, text);
}

/* In threes, counted from the end. */
static void add_grouped(const struct locale *l, struct str *out, struct span digits)
{
    size_t first = digits.len % 3;

    locale_add_digits(l, out, (struct span){ digits.s, first });
    for (size_t i = first; i < digits.len; i += 3) {
        if (i)
            str_adds(out, l->group);
        locale_add_digits(l, out, (struct span){ digits.s + i, 3 });
    }
}

static size_t count_digits(struct span s)
{
    size_t n = 0;

    while (n < s.len && s.s[n] >= '0' && s.s[n] <= '9')
        n++;
    return n;
}

void locale_add_decimal(const struct locale *l, struct str *out, struct span number)
{
    size_t sign = number.len && number.s[0] == '-';
    struct span whole = { number.s + sign, number.len - sign }, rest;
    bool plain;

    whole.len = count_digits(whole);
    rest = (struct span){ whole.s + whole.len, number.len - sign - whole.len };
    plain = whole.len && (rest.len == 0 || (rest.len > 1 && rest.s[0] == '.' &&
                                            count_digits((struct span){ rest.s + 1, rest.len - 1 }) == rest.len - 1));
    if (!plain) {
        locale_add_digits(l, out, number);
        return;
    }
    if (sign)
        str_adds(out, l->minus);
    add_grouped(l, out, whole);
    if (rest.len) {
        str_adds(out, l->decimal);
        locale_add_digits(l, out, (struct span){ rest.s + 1, rest.len - 1 });
    }
}

void locale_add_number(const struct locale *l, struct str *out, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)n);
    locale_add_decimal(l, out, span_of(text));
}

/* An amount of seconds is told in the first unit whose limit it does not reach, rounded to the nearest. */
static const struct unit {
    int64_t below_s, unit_s;
    int64_t counts; /* what one unit counts in the text */
    const char *one, *many;
} units[] = {
    { 5, 0, 0, "duration.moment", NULL },
    { 58, 5, 5, NULL, "duration.seconds" },
    { 3570, 60, 1, "duration.minute", "duration.minutes" },
    { 84600, 3600, 1, "duration.hour", "duration.hours" },
    { INT64_MAX, 86400, 1, "duration.day", "duration.days" },
};

void locale_add_duration(const struct locale *l, struct str *out, int64_t seconds)
{
    const struct unit *u = units;
    struct str number = STR_INIT;
    int64_t n = 1;

    while (seconds >= u->below_s && u < units + ARRAY_LEN(units) - 1)
        u++;
    if (u->unit_s)
        n = (seconds / u->unit_s + (seconds % u->unit_s * 2 >= u->unit_s)) * u->counts;
    if (n == 1) {
        str_adds(out, locale_text(l, u->one));
        return;
    }
    locale_add_number(l, &number, n);
    locale_add(l, out, u->many, LOCALE_PARAMS("n", number.s));
    str_free(&number);
}

static char *own_digits(const struct locale *l, const char *latin)
{
    struct str text = STR_INIT;

    locale_add_digits(l, &text, span_of(latin));
    return str_take(&text, NULL);
}

void locale_add_date(const struct locale *l, struct str *out, int64_t ms, bool with_time)
{
    int64_t local_ms = ms + (int64_t)l->offset_min * 60000;
    int64_t day = local_ms / DAY_MS - (local_ms % DAY_MS < 0);
    int minute = (int)((local_ms - day * DAY_MS) / 60000);
    struct calendar_date date = l->jalali ? calendar_jalali(day) : calendar_gregorian(day);
    char text[3][24], month[24], *own[3];

    snprintf(text[0], sizeof(text[0]), "%d", date.day);
    snprintf(text[1], sizeof(text[1]), "%lld", (long long)date.year);
    snprintf(text[2], sizeof(text[2]), "%02d:%02d", minute / 60, minute % 60);
    snprintf(month, sizeof(month), "date.month.%d", date.month);
    for (size_t i = 0; i < 3; i++)
        own[i] = own_digits(l, text[i]);
    locale_add(l, out, with_time ? "date.day_time" : "date.day",
               LOCALE_PARAMS("day", own[0], "month", locale_text(l, month), "year", own[1], "time", own[2]));
    for (size_t i = 0; i < 3; i++)
        free(own[i]);
}
