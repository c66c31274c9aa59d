/* raw.c: members of an object found and replaced in its text. One pass, no memory of its own. */
#include "base/raw.h"

#include "base/jscan.h"
#include "base/utf8.h"

#include <errno.h>

/* Not zero when one of the eight bytes is c. */
static inline uint64_t has_byte(uint64_t eight, unsigned char c)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = eight ^ (ones * c);

    return (x - ones) & ~x & (ones << 7);
}

/* Where the first match of has_byte() lies. Behind a match it may tell of bytes that are none, before one never. */
static inline size_t first_byte(uint64_t matches)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(matches) / 8;
#else
    (void)matches;
    return 0;
#endif
}

/* The first quote or backslash, or end. */
static inline const char *find_special(const char *p, const char *end)
{
    uint64_t eight, matches;

    for (; end - p >= 8; p += 8) {
        memcpy(&eight, p, 8);
        matches = has_byte(eight, '"') | has_byte(eight, '\\');
        if (matches) {
            p += first_byte(matches);
            break;
        }
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* p stands after the opening quote; the place of the closing one, or NULL. */
static inline const char *string_end(const char *p, const char *end, bool *escaped)
{
    for (;;) {
        p = find_special(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p;
        *escaped = true;
        if (end - p < 2)
            return NULL;
        p += 2;
    }
}

/* p stands on the opening bracket; what follows the matching one, or NULL. Brackets are counted, not paired. */
static const char *skip_nested(const char *p, const char *end)
{
    size_t depth = 0;
    bool escaped;

    for (; p < end; p++) {
        if (!jscan_is(*p, JSCAN_OPEN | JSCAN_CLOSE | JSCAN_QUOTE))
            continue;
        if (*p == '"') {
            p = string_end(p + 1, end, &escaped);
            if (!p)
                return NULL;
        } else if (jscan_is(*p, JSCAN_OPEN)) {
            depth++;
        } else if (--depth == 0) {
            return p + 1;
        }
    }
    return NULL;
}

static inline const char *skip_value(const char *p, const char *end)
{
    const char *start = p;
    bool escaped;

    if (p == end)
        return NULL;
    if (*p == '"') {
        p = string_end(p + 1, end, &escaped);
        return p ? p + 1 : NULL;
    }
    if (jscan_is(*p, JSCAN_OPEN))
        return skip_nested(p, end);
    while (p < end && jscan_is(*p, JSCAN_SCALAR))
        p++;
    return p > start ? p : NULL;
}

int raw_items(struct span array, struct span out[], size_t count)
{
    const char *end = array.s ? array.s + array.len : NULL, *p = array.s ? jscan_skip_space(array.s, end) : NULL, *stop;
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        out[i] = (struct span){ NULL, 0 };
    if (p == end || *p != '[')
        return -1;
    p = jscan_skip_space(p + 1, end);
    if (p < end && *p == ']')
        return 0;
    for (;; n++) {
        stop = skip_value(p, end);
        if (!stop)
            return -1;
        if (n < count)
            out[n] = (struct span){ p, (size_t)(stop - p) };
        p = jscan_skip_space(stop, end);
        if (p == end || *p != ',')
            return p < end && *p == ']' ? (int)n + 1 : -1;
        p = jscan_skip_space(p + 1, end);
    }
}

/* Walks the members of an object: key (raw, without quotes) and value. */
struct walk {
    const char *p, *end;
    struct span key, value;
    bool escaped; /* the key has escapes */
    bool expected; /* it is the one that walk_next was told to expect */
    bool started;
};

/* Both results of the walk that are not "one more member". */
enum { WALK_BAD = -1, WALK_END = 0 };

/* -1 when doc does not open like an object. */
static int walk_start(struct walk *w, struct span doc)
{
    if (!doc.s)
        return WALK_BAD;
    w->end = doc.s + doc.len;
    w->p = jscan_skip_space(doc.s, w->end);
    w->started = false;
    if (w->p == w->end || *w->p != '{')
        return WALK_BAD;
    w->p++;
    return 1;
}

/* p stands after the opening quote of a key that is `key`? Then behind its closing quote, else NULL. Writers do not escape what they need
 * not, so that an escaped one may go the long way. */
static inline const char *skip_expected(const char *p, const char *end, const char *key)
{
    size_t len = strlen(key);

    return (size_t)(end - p) > len && memcmp(p, key, len) == 0 && p[len] == '"' ? p + len + 1 : NULL;
}

/* 1: key and value are set; 0: the object is over and nothing follows, w->p stands after its brace; -1: no object. `expect` is the
 * likely key, or NULL. */
static inline int walk_next(struct walk *w, const char *expect)
{
    const char *p = jscan_skip_space(w->p, w->end), *stop;

    if (p < w->end && *p == '}') {
        w->p = p + 1;
        return jscan_skip_space(w->p, w->end) == w->end ? WALK_END : WALK_BAD;
    }
    if (w->started) {
        if (p == w->end || *p != ',')
            return WALK_BAD;
        p = jscan_skip_space(p + 1, w->end);
    }
    w->started = true;
    if (p == w->end || *p != '"')
        return WALK_BAD;
    w->escaped = false;
    p++;
    stop = expect ? skip_expected(p, w->end, expect) : NULL;
    w->expected = stop;
    if (!w->expected) {
        stop = string_end(p, w->end, &w->escaped);
        if (!stop)
            return WALK_BAD;
        stop++;
    }
    w->key = (struct span){ p, (size_t)(stop - p) - 1 };
    p = jscan_skip_space(stop, w->end);
    if (p == w->end || *p != ':')
        return WALK_BAD;
    p = jscan_skip_space(p + 1, w->end);
    stop = skip_value(p, w->end);
    if (!stop)
        return WALK_BAD;
    w->value = (struct span){ p, (size_t)(stop - p) };
    w->p = stop;
    return 1;
}

/* A raw inside with escapes against plain text, without memory of its own. */
static bool escaped_equals(struct span raw, const char *plain)
{
    const char *p = raw.s, *end = raw.s + raw.len;
    size_t n;
    uint32_t c;
    char utf8[4];

    while (p < end) {
        n = 1;
        utf8[0] = *p;
        if (*p != '\\') {
            p++;
        } else {
            p = jscan_unescape(p, end, &c);
            if (!p || jscan_is_surrogate(c))
                return false;
            n = utf8_put(utf8, c);
        }
        if (utf8[0] == '\0' || strncmp(plain, utf8, n) != 0)
            return false;
        plain += n;
    }
    return *plain == '\0';
}

static inline bool key_is(const struct walk *w, const char *key)
{
    if (w->escaped)
        return escaped_equals(w->key, key);
    if (w->key.len == 0 || key[0] != w->key.s[0])
        return w->key.len == 0 && key[0] == '\0';
    return strnlen(key, w->key.len + 1) == w->key.len && memcmp(key, w->key.s, w->key.len) == 0;
}

int raw_get_many(struct span doc, const char *const keys[], struct span out[], size_t count)
{
    struct walk w;
    size_t i, tried, at = 0;
    int rc, found = 0;

    for (i = 0; i < count; i++)
        out[i] = (struct span){ NULL, 0 };
    rc = walk_start(&w, doc);
    /* Writers keep their order and readers ask in it, so the next key is looked for where the last one was. */
    while (rc > 0 && (rc = walk_next(&w, count ? keys[at] : NULL)) > 0) {
        for (tried = 0; tried < count; tried++, at = at + 1 < count ? at + 1 : 0)
            if (w.expected || key_is(&w, keys[at]))
                break;
        if (tried == count)
            continue;
        found += !out[at].s;
        out[at] = w.value;
        at = at + 1 < count ? at + 1 : 0;
    }
    if (rc == WALK_END)
        return found;
    for (i = 0; i < count; i++)
        out[i] = (struct span){ NULL, 0 };
    return -1;
}

struct span raw_get(struct span doc, const char *key)
{
    struct span value;

    raw_get_many(doc, &key, &value, 1);
    return value;
}

/* Add the members that were not there; comma: the object has others before them. */
static void add_absent(struct str *out, const struct raw_member members[], const bool seen[], size_t count, bool comma)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (seen[i] || !members[i].value.s)
            continue;
        if (comma)
            str_addc(out, ',');
        comma = true;
        str_addc(out, '"');
        str_adds(out, members[i].key);
        str_adds(out, "\":");
        str_add_span(out, members[i].value);
    }
}

/* Copies doc in runs between the values that change; `done` is how far it has come. The place for new members is right
 * after the last value, so that white space before the brace stays. */
static int set_members(struct str *out, struct span doc, const struct raw_member members[], bool seen[], size_t count)
{
    const char *done = doc.s, *after;
    struct walk w;
    size_t i;
    int rc = walk_start(&w, doc);

    if (rc < 0)
        return -1;
    after = w.p;
    while ((rc = walk_next(&w, NULL)) > 0) {
        after = w.p;
        for (i = 0; i < count; i++)
            if (key_is(&w, members[i].key))
                break;
        if (i == count || !members[i].value.s)
            continue;
        seen[i] = true;
        str_add(out, done, (size_t)(w.value.s - done));
        str_add_span(out, members[i].value);
        done = w.p;
    }
    if (rc == WALK_BAD)
        return -1;
    str_add(out, done, (size_t)(after - done));
    add_absent(out, members, seen, count, w.started);
    str_add(out, after, (size_t)(w.end - after));
    return 0;
}

int raw_set(struct str *out, struct span doc, const struct raw_member members[], size_t count)
{
    bool few[32] = { false };
    bool *seen = count <= ARRAY_LEN(few) ? few : xcalloc(count, sizeof(*seen));
    size_t before = out->len;
    int rc;

    str_grow(out, doc.len);
    rc = set_members(out, doc, members, seen, count);
    if (rc < 0) {
        out->len = before;
        out->s[before] = '\0';
    }
    if (seen != few)
        free(seen);
    return rc;
}

/* --- raw values --- */

/* The inside of a raw string; false when value is none. */
static bool string_inside(struct span value, struct span *inside, bool *escaped)
{
    const char *last;

    *escaped = false;
    if (!value.s || value.len < 2 || value.s[0] != '"')
        return false;
    last = value.s + value.len - 1;
    if (string_end(value.s + 1, last + 1, escaped) != last)
        return false;
    *inside = (struct span){ value.s + 1, value.len - 2 };
    return true;
}

bool raw_string(struct span value, struct str *out)
{
    size_t before = out->len;
    struct span inside;
    bool escaped;

    if (!string_inside(value, &inside, &escaped))
        return false;
    if (!escaped) {
        str_add_span(out, inside);
        return true;
    }
    if (jscan_decode(inside.s, inside.s + inside.len, out))
        return true;
    out->len = before;
    out->s[before] = '\0';
    return false;
}

/* Most numbers by far: digits only, too few to overflow. */
static bool plain_digits(struct span value, long long *n)
{
    if (value.len == 0 || value.len > 18 || (value.s[0] == '0' && value.len > 1))
        return false;
    *n = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.s[i] < '0' || value.s[i] > '9')
            return false;
        *n = *n * 10 + (value.s[i] - '0');
    }
    return true;
}

int64_t raw_int(struct span value, int64_t fallback)
{
    char text[64], *stop;
    const char *end;
    long long n;
    double d;
    bool whole;

    if (!value.s || value.len >= sizeof(text))
        return fallback;
    if (plain_digits(value, &n))
        return n;
    end = jscan_number(value.s, value.s + value.len, &whole);
    if (!end || end != value.s + value.len)
        return fallback;
    memcpy(text, value.s, value.len);
    text[value.len] = '\0';
    errno = 0;
    if (whole) {
        n = strtoll(text, &stop, 10);
        return errno ? fallback : (int64_t)n;
    }
    d = strtod(text, &stop);
    /* 2^63 is the first double that an int64_t cannot hold. */
    return d >= -9223372036854775808.0 && d < 9223372036854775808.0 ? (int64_t)d : fallback;
}

bool raw_is(struct span value, const char *text)
{
    struct span inside;
    bool escaped;

    if (!string_inside(value, &inside, &escaped))
        return false;
    return escaped ? escaped_equals(inside, text) : span_is(inside, text);
}
