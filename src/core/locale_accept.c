/* locale_accept.c: the language that a browser asks for. */
#include "core/locale.h"

#include <strings.h>

#define RANGES_MAX 32 /* of an Accept-Language header; the rest is not looked at */

/* Does `text` begin with prefix, ignoring case, and go on with - or end there? */
static bool has_prefix(struct span text, struct span prefix)
{
    return text.len >= prefix.len && strncasecmp(text.s, prefix.s, prefix.len) == 0 &&
           (text.len == prefix.len || text.s[prefix.len] == '-');
}

/* "fa-IR" finds fa, "en" finds en-GB, "*" the default. */
static const struct locale *match_range(const struct locales *l, struct span range)
{
    const struct locale *one;
    struct span code;

    if (span_is(range, "*"))
        return locales_default(l);
    for (size_t i = 0; i < locales_count(l); i++) {
        one = locales_at(l, i);
        code = span_of(locale_code(one));
        if (has_prefix(range, code) || has_prefix(code, range))
            return one;
    }
    return NULL;
}

static struct span trim(struct span s)
{
    for (; s.len && strchr(" \t", s.s[0]); s.len--)
        s.s++;
    while (s.len && strchr(" \t", s.s[s.len - 1]))
        s.len--;
    return s;
}

/* Cut what stands before the first `c` off *rest; it is all when there is no such byte. */
static struct span cut(struct span *rest, char c)
{
    const char *at = memchr(rest->s, c, rest->len);
    struct span part = { rest->s, at ? (size_t)(at - rest->s) : rest->len };
    size_t used = part.len + (at ? 1 : 0);

    rest->s += used;
    rest->len -= used;
    return trim(part);
}

/* "0.8" in thousandths (RFC 9110 12.4.2); -1 when it is none. */
static int parse_quality(struct span text)
{
    int q, unit = 100;

    if (text.len == 0 || text.len > 5 || (text.s[0] != '0' && text.s[0] != '1') || (text.len > 1 && text.s[1] != '.'))
        return -1;
    q = (text.s[0] - '0') * 1000;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.s[i] < '0' || text.s[i] > '9')
            return -1;
        q += (text.s[i] - '0') * unit;
    }
    return q <= 1000 ? q : -1;
}

/* Quality of a range from its parameters; 1 without one. */
static int range_quality(struct span params)
{
    struct span one;

    while (params.len) {
        one = cut(&params, ';');
        if (one.len > 2 && (one.s[0] == 'q' || one.s[0] == 'Q') && one.s[1] == '=')
            return parse_quality((struct span){ one.s + 2, one.len - 2 });
    }
    return 1000;
}

const struct locale *locales_accept(const struct locales *l, struct span header)
{
    const struct locale *best = NULL, *match;
    struct span params, range;
    int best_q = 0, q;

    for (int i = 0; header.len && i < RANGES_MAX; i++) {
        params = cut(&header, ',');
        if (params.len == 0)
            continue;
        range = cut(&params, ';');
        q = range_quality(params);
        match = range.len ? match_range(l, range) : NULL;
        if (match && q > best_q) {
            best = match;
            best_q = q;
        }
    }
    return best ? best : locales_default(l);
}
