/* decimal.c: decimal numbers, digit by digit. */
#include "base/decimal.h"

/* Digits before and after the point. */
struct parts {
    struct span whole, fraction;
};

static struct parts split(struct span text)
{
    const char *point = memchr(text.s, '.', text.len);
    size_t whole = point ? (size_t)(point - text.s) : text.len;

    return (struct parts){ { text.s, whole }, { text.s + whole + (point != NULL), text.len - whole - (point != NULL) } };
}

static bool is_digits(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.s[i] < '0' || text.s[i] > '9')
            return false;
    return text.len > 0;
}

bool decimal_ok(struct span text)
{
    if (!text.s || text.len == 0 || text.len > DECIMAL_DIGITS_MAX + 1)
        return false;
    const struct parts p = split(text);
    bool has_point = p.whole.len < text.len;
    return is_digits(p.whole) && (!has_point || is_digits(p.fraction)) && p.whole.len + p.fraction.len <= DECIMAL_DIGITS_MAX;
}

/* The number's digits without its point, lowest first. How many. */
static size_t digits_of(struct span text, unsigned char out[DECIMAL_DIGITS_MAX])
{
    size_t count = 0;

    for (size_t i = text.len; i-- > 0;)
        if (text.s[i] != '.')
            out[count++] = (unsigned char)(text.s[i] - '0');
    return count;
}

/* Digits, lowest first, the last `scale` of them behind the point. */
static void add_digits(struct str *out, const unsigned char digits[], size_t count, size_t scale)
{
    size_t last = 0;

    while (last < scale && digits[last] == 0)
        last++;
    while (count > scale + 1 && digits[count - 1] == 0)
        count--;
    for (size_t i = count; i-- > last;) {
        str_addc(out, (char)('0' + digits[i]));
        if (i == scale && last < scale)
            str_addc(out, '.');
    }
}

void decimal_add_product(struct str *out, struct span a, struct span b)
{
    unsigned char x[DECIMAL_DIGITS_MAX] = { 0 }, y[DECIMAL_DIGITS_MAX] = { 0 }, product[2 * DECIMAL_DIGITS_MAX] = { 0 };
    size_t nx = digits_of(a, x), ny = digits_of(b, y);

    for (size_t i = 0; i < nx; i++) {
        unsigned carry = 0;
        for (size_t j = 0; j < ny; j++) {
            carry += product[i + j] + (unsigned)x[i] * y[j];
            product[i + j] = (unsigned char)(carry % 10);
            carry /= 10;
        }
        product[i + ny] = (unsigned char)carry; /* nothing is there yet */
    }
    add_digits(out, product, nx + ny, split(a).fraction.len + split(b).fraction.len);
}

/* Is what is dropped more than half, or half and the last digit that stays odd? */
static bool rounds_up(char stays, struct span dropped)
{
    if (dropped.len == 0 || dropped.s[0] != '5')
        return dropped.len > 0 && dropped.s[0] > '5';
    for (size_t i = 1; i < dropped.len; i++)
        if (dropped.s[i] != '0')
            return true;
    return (stays - '0') % 2 != 0;
}

/* One more in the last place of the number that begins at `from`. */
static void increment(struct str *out, size_t from)
{
    for (size_t i = out->len; i-- > from;) {
        if (out->s[i] == '.')
            continue;
        if (out->s[i] != '9') {
            out->s[i]++;
            return;
        }
        out->s[i] = '0';
    }
    str_addc(out, '0'); /* for the length; the digits move one on */
    memmove(out->s + from + 1, out->s + from, out->len - from - 1);
    out->s[from] = '1';
}

void decimal_add_rounded(struct str *out, struct span text, size_t places)
{
    const struct parts p = split(text);
    size_t from = out->len, kept = p.fraction.len < places ? p.fraction.len : places;
    struct span dropped = { p.fraction.s + kept, p.fraction.len - kept };

    str_add_span(out, p.whole);
    if (places > 0)
        str_addc(out, '.');
    str_add(out, p.fraction.s, kept);
    for (size_t i = kept; i < places; i++)
        str_addc(out, '0');
    if (rounds_up(kept > 0 ? p.fraction.s[kept - 1] : p.whole.s[p.whole.len - 1], dropped))
        increment(out, from);
}
