/* rules_text.c: what is a number, a code, an address; and values as they are kept. */
#include "core/rules_text.h"

#include "base/utf8.h"
#include "core/calendar.h"
#include "core/rules.h"

#include <ctype.h>
#include <errno.h>

bool rules_is_digits(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.s[i] < '0' || s.s[i] > '9')
            return false;
    return s.len > 0;
}

static bool all_same(struct span s)
{
    for (size_t i = 1; i < s.len; i++)
        if (s.s[i] != s.s[0])
            return false;
    return true;
}

bool rules_is_national_code(struct span digits)
{
    int sum = 0, check;

    if (digits.len != 10 || !rules_is_digits(digits) || all_same(digits))
        return false;
    for (int i = 0; i < 9; i++)
        sum += (digits.s[i] - '0') * (10 - i);
    check = sum % 11 < 2 ? sum % 11 : 11 - sum % 11;
    return digits.s[9] - '0' == check;
}

bool rules_is_mobile(struct span digits)
{
    return digits.len == 11 && rules_is_digits(digits) && digits.s[0] == '0' && digits.s[1] == '9';
}

/* The four characters in front count last; I is 18 and R is 27. */
bool rules_is_iban(struct span text)
{
    static const char tail[] = "1827";
    unsigned rest = 0;

    if (text.len != 26 || memcmp(text.s, "IR", 2) != 0 || !rules_is_digits((struct span){ text.s + 2, 24 }))
        return false;
    for (size_t i = 4; i < 26; i++)
        rest = (rest * 10 + (unsigned)(text.s[i] - '0')) % 97;
    for (size_t i = 0; i < 4; i++)
        rest = (rest * 10 + (unsigned)(tail[i] - '0')) % 97;
    for (size_t i = 2; i < 4; i++)
        rest = (rest * 10 + (unsigned)(text.s[i] - '0')) % 97;
    return rest == 1;
}

bool rules_is_bank_card(struct span digits)
{
    int sum = 0, n;

    if (digits.len != 16 || !rules_is_digits(digits) || all_same(digits))
        return false;
    for (int i = 0; i < 16; i++) {
        n = (digits.s[i] - '0') * (i % 2 ? 1 : 2);
        sum += n > 9 ? n - 9 : n;
    }
    return sum % 10 == 0;
}

/* No code begins with 0; which others are in use changes with every new town. */
bool rules_is_postal_code(struct span digits)
{
    return digits.len == 10 && rules_is_digits(digits) && digits.s[0] != '0' && !all_same(digits);
}

bool rules_is_numeric(struct span s)
{
    size_t i = 0, digits = 0;

    if (s.len && (s.s[0] == '-' || s.s[0] == '+'))
        i++;
    for (; i < s.len && isdigit((unsigned char)s.s[i]); i++)
        digits++;
    if (i < s.len && s.s[i] == '.')
        for (i++; i < s.len && isdigit((unsigned char)s.s[i]); i++)
            digits++;
    return i == s.len && digits > 0;
}

/* Within 64 bits and without leading zeros, as programs read it. */
bool rules_is_integer(struct span s)
{
    size_t sign = s.len && s.s[0] == '-';
    struct span digits = { s.s + sign, s.len - sign };
    char text[24];

    if (!rules_is_digits(digits) || digits.len > 19 || (digits.s[0] == '0' && s.len > 1))
        return false;
    memcpy(text, s.s, s.len);
    text[s.len] = '\0';
    errno = 0;
    strtoll(text, NULL, 10);
    return errno == 0;
}

/* A label of a host name: letters, digits, inner hyphens, at most 63. */
static bool is_label(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '-')
            return false;
    return len >= 1 && len <= 63 && s[0] != '-' && s[len - 1] != '-';
}

/* The grammar that browsers use for <input type=email>. */
bool rules_is_email(struct span v)
{
    const char *at = memchr(v.s, '@', v.len), *end = v.s + v.len, *dot;

    if (!at || at == v.s || v.len > 254)
        return false;
    for (const char *p = v.s; p < at; p++)
        if (!isalnum((unsigned char)*p) && (!*p || !strchr(".!#$%&'*+/=?^_`{|}~-", *p)))
            return false;
    for (at++; (dot = memchr(at, '.', (size_t)(end - at))); at = dot + 1)
        if (!is_label(at, (size_t)(dot - at)))
            return false;
    return is_label(at, (size_t)(end - at));
}

static int number_at(const char *s, size_t len)
{
    int n = 0;

    while (len--)
        n = n * 10 + (*s++ - '0');
    return n;
}

bool rules_is_date(struct span text)
{
    const char *s = text.s;

    if (text.len != 10 || s[4] != '-' || s[7] != '-' || !rules_is_digits((struct span){ s, 4 }) ||
        !rules_is_digits((struct span){ s + 5, 2 }) || !rules_is_digits((struct span){ s + 8, 2 }))
        return false;
    return calendar_is_date((struct calendar_date){ number_at(s, 4), number_at(s + 5, 2), number_at(s + 8, 2) });
}

/* --- patterns --- */

/* What other regular expressions know and POSIX does not would silently mean something else. */
static int check_dialect(const struct jread *at, const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (len > 1 && text[0] == '/' && text[len - 1] == '/')
        return jread_fail(at, err, "the pattern of regex is written without slashes around it.");
    if (strstr(text, "(?"))
        return jread_fail(at, err, "the pattern of regex is a POSIX extended one; it knows no (?.");
    for (; *text; text++) {
        if (*text != '\\' || !text[1])
            continue;
        if (isalnum((unsigned char)*++text))
            return jread_fail(at, err, "the pattern of regex is a POSIX extended one; it knows no \\%c. "
                                       "Write [0-9], [[:space:]] or the like.", *text);
    }
    return 0;
}

int rules_compile(const struct jread *at, const char *text, regex_t **out, struct err *err)
{
    regex_t *pattern;
    char reason[128];
    int rc;

    if (!*text)
        return jread_fail(at, err, "the rule regex takes a pattern, like regex:^[a-z]+$.");
    if (check_dialect(at, text, err) < 0)
        return -1;
    pattern = xmalloc(sizeof(*pattern));
    rc = regcomp(pattern, text, REG_EXTENDED | REG_NOSUB);
    if (rc == 0) {
        *out = pattern;
        return 0;
    }
    regerror(rc, pattern, reason, sizeof(reason));
    free(pattern);
    return jread_fail(at, err, "the pattern of regex cannot be used: %s.", reason);
}

/* --- values as they are kept --- */

static uint32_t code_point(const char *s, size_t n)
{
    uint32_t c = (unsigned char)s[0];

    if (n == 1)
        return c;
    c &= 0x7fu >> n;
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    return c;
}

/* White space, and marks that people copy without seeing them: joiners, directions, the byte order mark. */
static bool is_blank(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x2069) ||
           c == 0x3000 || c == 0xfeff;
}

/* Bytes of the blank character that `s` begins with, or 0. */
static size_t blank_first(struct span s)
{
    size_t n = s.len ? utf8_char(s.s, s.len) : 0;

    return n && is_blank(code_point(s.s, n)) ? n : 0;
}

static size_t blank_last(struct span s)
{
    size_t n = 1;

    if (s.len == 0)
        return 0;
    while (n < s.len && n < 4 && ((unsigned char)s.s[s.len - n] & 0xc0) == 0x80)
        n++;
    return blank_first((struct span){ s.s + s.len - n, n }) == n ? n : 0;
}

void rules_normalise(struct span value, struct str *out)
{
    size_t n, from, to;

    while ((n = blank_first(value))) {
        value.s += n;
        value.len -= n;
    }
    while ((n = blank_last(value)))
        value.len -= n;
    from = to = out->len;
    utf8_add_latin_digits(out, value.s, value.len);
    str_grow(out, 0);
    for (; from < out->len; from++)
        if (!(out->s[from] == '\r' && out->s[from + 1] == '\n'))
            out->s[to++] = out->s[from];
    out->len = to;
    out->s[to] = '\0';
}

void rules_compact(struct span value, bool capitals, struct str *out)
{
    size_t n;

    for (; value.len; value.s += n, value.len -= n) {
        n = blank_first(value);
        if (n == 0 && *value.s != '-')
            str_addc(out, capitals ? (char)toupper((unsigned char)*value.s) : *value.s);
        n = n ? n : 1;
    }
}

void rules_local_mobile(struct span digits, struct str *out)
{
    size_t skip = 0;

    if (digits.len > 3 && memcmp(digits.s, "+98", 3) == 0)
        skip = 3;
    else if (digits.len > 4 && memcmp(digits.s, "0098", 4) == 0)
        skip = 4;
    if (skip) {
        str_addc(out, '0');
        skip += digits.len > skip && digits.s[skip] == '0';
    }
    str_add(out, digits.s + skip, digits.len - skip);
}
