/* rules.c: the validation rules. To add one: a row of `kinds`, its check function, its sentence under "validation" in
 * every language. */
#include "core/rules.h"

#include "base/utf8.h"
#include "core/rules_text.h"


#define RULES_MAX 16
#define CONFIRMATION "_confirmation"

struct rule {
    const struct kind *kind;
    char *param[2];  /* as written: for the sentence */
    char **words;    /* in: */
    size_t word_count;
    long double low, high; /* min, max, between, digits */
    regex_t *pattern;
};

struct rules {
    struct rule list[RULES_MAX];
    size_t count;
};

/* What a check may look at. */
struct look {
    const struct rules *rules;
    const char *field;
    struct span value;
    rules_lookup lookup;
    void *ctx;
};

enum kind_traits {
    ALWAYS = 1,  /* also checked on an empty value */
    SIZE = 2,    /* compares the number or counts characters: two sentences */
    NUMBER = 4,  /* makes min, max and between compare numbers */
    KEYPAD = 8,  /* digits only: a number keypad suits it */
    COMPACT = 16, /* separators inside are dropped */
    CAPITALS = 32,
    MOBILE = 64,  /* the country's code in front is dropped */
    BOUNDS = 128  /* what suits it is a known set, a known form or of a known size */
};

/* One row a rule. `params` are the names of its parameters in the sentence. */
struct kind {
    const char *name;
    const char *params[2];
    /* NULL: takes no parameter */
    int (*parse)(struct rule *r, const struct jread *at, const char *text, struct err *err);
    /* One of them, or none: always good */
    bool (*check)(const struct rule *r, const struct look *look);
    bool (*is)(struct span value);
    unsigned traits;
};

static bool has_trait(const struct rules *r, unsigned trait)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].kind->traits & trait)
            return true;
    return false;
}

/* --- parameters --- */

static int parse_number(const struct jread *at, const char *name, const char *text, long double *out, struct err *err)
{
    char *end;

    *out = strtold(text, &end);
    if (!rules_is_numeric(span_of(text)) || *end)
        return jread_fail(at, err, "the rule %s takes a number like 10; \"%s\" is none.", name, text);
    return 0;
}

static int parse_one(struct rule *r, const struct jread *at, const char *text, struct err *err)
{
    r->param[0] = xstrdup(text);
    if (parse_number(at, r->kind->name, text, &r->low, err) < 0)
        return -1;
    r->high = r->low;
    return 0;
}

static int parse_two(struct rule *r, const struct jread *at, const char *text, struct err *err)
{
    const char *comma = strchr(text, ',');

    if (!comma || strchr(comma + 1, ','))
        return jread_fail(at, err, "the rule %s takes two numbers, like %s:3,10.", r->kind->name, r->kind->name);
    r->param[0] = xmemdupz(text, (size_t)(comma - text));
    r->param[1] = xstrdup(comma + 1);
    if (parse_number(at, r->kind->name, r->param[0], &r->low, err) < 0 ||
        parse_number(at, r->kind->name, r->param[1], &r->high, err) < 0)
        return -1;
    if (r->low > r->high)
        return jread_fail(at, err, "the rule %s takes the smaller number first.", r->kind->name);
    return 0;
}

static bool is_count(long double n)
{
    return n >= 1 && n <= 1000000 && n == (long double)(long)n;
}

/* Numbers of digits. */
static int parse_counts(struct rule *r, const struct jread *at, const char *text, struct err *err)
{
    if ((r->kind->params[1] ? parse_two : parse_one)(r, at, text, err) < 0)
        return -1;
    if (!is_count(r->low) || !is_count(r->high))
        return jread_fail(at, err, "the rule %s counts digits; it takes whole numbers from 1.", r->kind->name);
    return 0;
}

static int parse_words(struct rule *r, const struct jread *at, const char *text, struct err *err)
{
    const char *comma;

    for (;; text = comma + 1) {
        comma = strchr(text, ',');
        if (!*text || comma == text)
            return jread_fail(at, err, "the rule in takes words with commas between them, like in:fa,en.");
        r->words = xreallocarray(r->words, r->word_count + 1, sizeof(char *));
        r->words[r->word_count++] = comma ? xmemdupz(text, (size_t)(comma - text)) : xstrdup(text);
        if (!comma)
            return 0;
    }
}

static int parse_pattern(struct rule *r, const struct jread *at, const char *text, struct err *err)
{
    return rules_compile(at, text, &r->pattern, err);
}

/* --- checks --- */

static bool check_required(const struct rule *r, const struct look *look)
{
    (void)r;
    return look->value.len > 0;
}

static bool check_accepted(const struct rule *r, const struct look *look)
{
    (void)r;
    return span_is(look->value, "on") || span_is(look->value, "yes") || span_is(look->value, "1") ||
           span_is(look->value, "true");
}

/* The number itself when the field is one, else its characters. false: it should be a number and is none. */
static bool value_size(const struct look *look, long double *size)
{
    char *text;

    if (!has_trait(look->rules, NUMBER)) {
        *size = (long double)utf8_length(look->value.s, look->value.len);
        return true;
    }
    if (!rules_is_numeric(look->value))
        return false;
    text = xmemdupz(look->value.s, look->value.len);
    *size = strtold(text, NULL);
    free(text);
    return true;
}

static bool check_min(const struct rule *r, const struct look *look)
{
    long double size;

    return value_size(look, &size) && size >= r->low;
}

static bool check_max(const struct rule *r, const struct look *look)
{
    long double size;

    return value_size(look, &size) && size <= r->high;
}

static bool check_between(const struct rule *r, const struct look *look)
{
    return check_min(r, look) && check_max(r, look);
}

static bool check_digits(const struct rule *r, const struct look *look)
{
    long double len = (long double)look->value.len;

    return rules_is_digits(look->value) && len >= r->low && len <= r->high;
}

static bool check_in(const struct rule *r, const struct look *look)
{
    for (size_t i = 0; i < r->word_count; i++)
        if (span_is(look->value, r->words[i]))
            return true;
    return false;
}

static bool check_regex(const struct rule *r, const struct look *look)
{
    char *text = xmemdupz(look->value.s, look->value.len);
    bool good = strlen(text) == look->value.len && regexec(r->pattern, text, 0, NULL, 0) == 0;

    free(text);
    return good;
}

static bool check_confirmed(const struct rule *r, const struct look *look)
{
    char *name = xasprintf("%s" CONFIRMATION, look->field);
    struct span again = look->lookup ? look->lookup(look->ctx, name) : (struct span){ NULL, 0 };
    struct str tidy = STR_INIT;
    bool good;

    (void)r;
    rules_tidy(look->rules, again, &tidy);
    good = span_eq(look->value, (struct span){ tidy.s, tidy.len });
    str_free(&tidy);
    free(name);
    return good;
}

/* --- the table --- */

static const struct kind kinds[] = {
    { "required", { NULL }, NULL, check_required, NULL, ALWAYS },
    { "string", { NULL }, NULL, NULL, NULL, 0 },
    { "min", { "min" }, parse_one, check_min, NULL, SIZE },
    { "max", { "max" }, parse_one, check_max, NULL, SIZE | BOUNDS },
    { "between", { "min", "max" }, parse_two, check_between, NULL, SIZE | BOUNDS },
    { "digits", { "digits" }, parse_counts, check_digits, NULL, KEYPAD | COMPACT | BOUNDS },
    { "digits_between", { "min", "max" }, parse_counts, check_digits, NULL, KEYPAD | COMPACT | BOUNDS },
    { "numeric", { NULL }, NULL, NULL, rules_is_numeric, NUMBER },
    { "integer", { NULL }, NULL, NULL, rules_is_integer, NUMBER | KEYPAD },
    { "in", { NULL }, parse_words, check_in, NULL, BOUNDS },
    { "regex", { NULL }, parse_pattern, check_regex, NULL, BOUNDS },
    { "email", { NULL }, NULL, NULL, rules_is_email, 0 },
    { "confirmed", { NULL }, NULL, check_confirmed, NULL, 0 },
    { "accepted", { NULL }, NULL, check_accepted, NULL, ALWAYS },
    { "date", { NULL }, NULL, NULL, rules_is_date, 0 },
    { "iranian_mobile", { NULL }, NULL, NULL, rules_is_mobile, KEYPAD | COMPACT | MOBILE },
    { "iranian_national_code", { NULL }, NULL, NULL, rules_is_national_code, KEYPAD | COMPACT },
    { "iranian_postal_code", { NULL }, NULL, NULL, rules_is_postal_code, KEYPAD | COMPACT },
    { "iranian_iban", { NULL }, NULL, NULL, rules_is_iban, COMPACT | CAPITALS },
    { "bank_card", { NULL }, NULL, NULL, rules_is_bank_card, KEYPAD | COMPACT },
};

const char *rules_name(size_t index)
{
    return index < ARRAY_LEN(kinds) ? kinds[index].name : NULL;
}

static bool has_kind(const struct rules *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->list[i].kind->name, name) == 0)
            return true;
    return false;
}

/* --- reading them --- */

static int unknown_rule(const struct jread *at, struct span name, struct err *err)
{
    struct str known = STR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        str_addf(&known, "%s%s", i ? ", " : "", kinds[i].name);
    jread_fail(at, err, "unknown rule \"%.*s\"; known are: %s.", (int)name.len, name.s, known.s);
    str_free(&known);
    return -1;
}

static int add_rule(struct rules *r, const struct jread *at, const char *text, struct err *err)
{
    const char *colon = strchr(text, ':');
    struct span name = { text, colon ? (size_t)(colon - text) : strlen(text) };
    struct rule *rule = &r->list[r->count];
    const struct kind *kind = kinds;

    while (kind < kinds + ARRAY_LEN(kinds) && !span_is(name, kind->name))
        kind++;
    if (kind == kinds + ARRAY_LEN(kinds))
        return unknown_rule(at, name, err);
    if (has_kind(r, kind->name))
        return jread_fail(at, err, "the rule %s stands here twice.", kind->name);
    if (r->count == RULES_MAX)
        return jread_fail(at, err, "a field has at most %d rules.", RULES_MAX);
    r->count++;
    rule->kind = kind;
    if (kind->parse)
        return kind->parse(rule, at, colon ? colon + 1 : "", err);
    return colon ? jread_fail(at, err, "the rule %s takes no parameter.", kind->name) : 0;
}

static int parse_list(struct rules *r, const struct jread *at, size_t length, struct err *err)
{
    const char *text = NULL;
    struct jread item;
    int rc;

    for (size_t i = 0; i < length; i++) {
        item = jread_item(at, i);
        rc = jread_string(&item, &text, err);
        if (rc == 0)
            rc = jread_fail(&item, err, "must be a rule, like \"required\".");
        if (rc < 0 || add_rule(r, &item, text, err) < 0)
            return -1;
    }
    return 0;
}

static int parse_joined(struct rules *r, const struct jread *at, const char *text, struct err *err)
{
    const char *bar;
    char *one;
    int rc = 0;

    for (; rc == 0 && text; text = bar ? bar + 1 : NULL) {
        bar = strchr(text, '|');
        one = bar ? xmemdupz(text, (size_t)(bar - text)) : xstrdup(text);
        rc = add_rule(r, at, one, err);
        free(one);
    }
    return rc;
}

/* Rules that contradict each other make a field nobody can fill. */
static int check_together(const struct rules *r, const struct jread *at, struct err *err)
{
    long double low = -1e300L, high = 1e300L;

    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->list[i].kind->name, "min") == 0)
            low = r->list[i].low;
        if (strcmp(r->list[i].kind->name, "max") == 0)
            high = r->list[i].high;
    }
    return low <= high ? 0 : jread_fail(at, err, "min is greater than max; no value can suit both.");
}

int rules_parse(const struct jread *at, struct rules **out, struct err *err)
{
    struct rules *r = xcalloc(1, sizeof(*r));
    const char *text;
    size_t length;
    int rc = 0;

    if (json_object_is_type(at->obj, json_type_string) && jread_string(at, &text, err) > 0)
        rc = parse_joined(r, at, text, err);
    else if (json_object_is_type(at->obj, json_type_array) && jread_list(at, &length, err) > 0)
        rc = parse_list(r, at, length, err);
    else if (at->obj)
        rc = jread_fail(at, err, "must be a list of rules, or rules joined by |.");
    if (rc == 0)
        rc = check_together(r, at, err);
    if (rc < 0)
        rules_free(r);
    else
        *out = r;
    return rc;
}

static void clear_rule(struct rule *r)
{
    for (size_t i = 0; i < r->word_count; i++)
        free(r->words[i]);
    free(r->words);
    free(r->param[0]);
    free(r->param[1]);
    if (r->pattern)
        regfree(r->pattern);
    free(r->pattern);
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        clear_rule(&r->list[i]);
    free(r);
}

bool rules_required(const struct rules *r)
{
    return has_trait(r, ALWAYS);
}

bool rules_confirmed(const struct rules *r)
{
    return has_kind(r, "confirmed");
}

bool rules_email(const struct rules *r)
{
    return has_kind(r, "email");
}

bool rules_mobile(const struct rules *r)
{
    return has_kind(r, "iranian_mobile");
}

bool rules_bounded(const struct rules *r)
{
    return has_trait(r, BOUNDS);
}

bool rules_numeric(const struct rules *r)
{
    return has_trait(r, KEYPAD);
}

int64_t rules_max_length(const struct rules *r)
{
    int64_t least = 0;

    if (has_trait(r, NUMBER))
        return 0;
    for (size_t i = 0; i < r->count; i++)
        if ((r->list[i].kind->check == check_max || r->list[i].kind->check == check_between) &&
            (least == 0 || r->list[i].high < least))
            least = (int64_t)r->list[i].high;
    return least > 0 ? least : 0;
}

/* --- checking --- */

void rules_tidy(const struct rules *r, struct span value, struct str *out)
{
    struct str clean = STR_INIT, compact = STR_INIT;

    if (!has_trait(r, COMPACT)) {
        rules_normalise(value, out);
        return;
    }
    rules_normalise(value, &clean);
    rules_compact((struct span){ clean.s, clean.len }, has_trait(r, CAPITALS), &compact);
    if (has_trait(r, MOBILE))
        rules_local_mobile((struct span){ compact.s, compact.len }, out);
    else
        str_add(out, compact.s, compact.len);
    str_free(&compact);
    str_free(&clean);
}

static bool is_good(const struct rule *r, const struct look *look)
{
    if (look->value.len == 0 && !(r->kind->traits & ALWAYS))
        return true;
    if (r->kind->check)
        return r->kind->check(r, look);
    return !r->kind->is || r->kind->is(look->value);
}

static void add_sentence(const struct rules *rules, const struct rule *r, const char *label,
                         const struct locale *locale, struct str *message)
{
    bool number = (r->kind->traits & SIZE) && has_trait(rules, NUMBER);
    const char *params[7] = { "field", label };
    struct str shown[2] = { STR_INIT, STR_INIT };
    char key[64];

    for (size_t i = 0; i < 2 && r->kind->params[i]; i++) {
        locale_add_decimal(locale, &shown[i], span_of(r->param[i]));
        params[2 + 2 * i] = r->kind->params[i];
        params[3 + 2 * i] = shown[i].s;
    }
    snprintf(key, sizeof(key), "validation.%s%s", r->kind->name, number ? "_number" : "");
    locale_add(locale, message, key, params);
    str_free(&shown[0]);
    str_free(&shown[1]);
}

int rules_check(const struct rules *r, const char *field, const char *label, struct span value, rules_lookup lookup,
                void *ctx, const struct locale *locale, struct str *message)
{
    struct look look = { r, field, value, lookup, ctx };
    const struct rule *one;

    for (size_t i = 0; i < r->count; i++) {
        one = &r->list[i];
        if (is_good(one, &look))
            continue;
        if (message)
            add_sentence(r, one, label, locale, message);
        return 0;
    }
    return 1;
}
