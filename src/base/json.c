/* json.c: JSON checked, and parsed by json-c. */
#include "base/json.h"

#include "base/jscan.h"
#include "base/utf8.h"

#include <limits.h>

#define MAX_LEVELS 32
#define MAX_MEMBERS 256 /* of one object: looking for a duplicate key compares each with all before it */

/* Decoded text of a key; `own` is set when it had escapes. */
struct key {
    const char *s;
    size_t len;
    uint32_t hash;
    char *own;
};

/* Keys of all objects that are open, the innermost last. */
struct check {
    const char *start, *p, *end;
    struct err *err;
    unsigned levels;
    bool limit_integers; /* refuse what json-c would silently clamp */
    struct key *keys;
    size_t key_count, key_cap;
};

static int check_value(struct check *c);

/* Says where, never what: the text may be a visitor's. */
static int refuse(struct check *c, const char *at, const char *what)
{
    size_t line = 1;
    const char *p;

    for (p = c->start; p < at; p++)
        line += *p == '\n';
    return err_set(c->err, ERR_INVALID, "The JSON text is wrong at byte %zu (line %zu): %s.",
                   (size_t)(at - c->start) + 1, line, what);
}

static int check_string(struct check *c, struct span *inside, bool *escaped)
{
    const char *p = c->p + 1, *next;
    uint32_t ch;

    *escaped = false;
    for (; p < c->end && *p != '"'; p = next) {
        next = p + 1;
        if ((unsigned char)*p < 0x20)
            return refuse(c, p, "a control character in a string must be written as an escape");
        if (*p != '\\')
            continue;
        *escaped = true;
        next = jscan_unescape(p, c->end, &ch);
        if (!next)
            return refuse(c, p, "there is no such escape");
        if (ch == 0)
            return refuse(c, p, "the character \\u0000 is not accepted");
        if (jscan_is_surrogate(ch))
            return refuse(c, p, "half of a surrogate pair is not a character");
    }
    if (p == c->end)
        return refuse(c, p, "the text ends inside a string");
    *inside = (struct span){ c->p + 1, (size_t)(p - c->p) - 1 };
    c->p = p + 1;
    return 0;
}

/* Whether json-c can hold the whole number exactly: int64 below zero, uint64 above. */
static bool integer_fits(const char *p, const char *end)
{
    const char *limit = *p == '-' ? "9223372036854775808" : "18446744073709551615";
    size_t len, most = strlen(limit);

    p += *p == '-';
    len = (size_t)(end - p);
    return len < most || (len == most && memcmp(p, limit, most) <= 0);
}

static int check_number(struct check *c)
{
    bool whole;
    const char *p = jscan_number(c->p, c->end, &whole);

    if (!p)
        return refuse(c, c->p, "this is not a number as JSON writes them");
    if (whole && c->limit_integers && !integer_fits(c->p, p))
        return refuse(c, c->p, "the whole number is outside the range of 64 bits");
    c->p = p;
    return 0;
}

static int check_word(struct check *c)
{
    static const struct span words[] = { { "true", 4 }, { "false", 5 }, { "null", 4 } };
    size_t i, left = (size_t)(c->end - c->p);

    for (i = 0; i < ARRAY_LEN(words); i++) {
        if (left >= words[i].len && memcmp(c->p, words[i].s, words[i].len) == 0) {
            c->p += words[i].len;
            return 0;
        }
    }
    return refuse(c, c->p, left ? "a value was expected here" : "the text ends where a value was expected");
}

static int check_list(struct check *c)
{
    c->p = jscan_skip_space(c->p + 1, c->end);
    if (c->p < c->end && *c->p == ']') {
        c->p++;
        return 0;
    }
    for (;;) {
        if (check_value(c) < 0)
            return -1;
        c->p = jscan_skip_space(c->p, c->end);
        if (c->p == c->end || (*c->p != ',' && *c->p != ']'))
            return refuse(c, c->p, "a comma or ] was expected here");
        if (*c->p++ == ']')
            return 0;
    }
}

static uint32_t hash_bytes(const char *s, size_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    while (len--)
        h = (h ^ (unsigned char)*s++) * 16777619u;
    return h;
}

/* Room for one more; the new one is zeroed and counted. */
static struct key *push_key(struct check *c)
{
    if (c->key_count == c->key_cap) {
        c->key_cap = c->key_cap ? c->key_cap * 2 : 32;
        c->keys = xreallocarray(c->keys, c->key_cap, sizeof(*c->keys));
    }
    c->keys[c->key_count] = (struct key){ NULL, 0, 0, NULL };
    return &c->keys[c->key_count++];
}

static void drop_keys(struct check *c, size_t down_to)
{
    while (c->key_count > down_to)
        free(c->keys[--c->key_count].own);
}

/* The key at c->p; `first` is the place of this object's first key. */
static int check_key(struct check *c, size_t first)
{
    const char *at = c->p;
    struct str plain = STR_INIT;
    struct span inside;
    struct key *k;
    bool escaped;
    size_t i;

    if (c->p == c->end || *c->p != '"')
        return refuse(c, c->p, "a key in double quotes was expected here");
    if (check_string(c, &inside, &escaped) < 0)
        return -1;
    if (c->key_count - first >= MAX_MEMBERS)
        return refuse(c, at, "an object has more than 256 members");
    k = push_key(c);
    k->s = inside.s;
    k->len = inside.len;
    if (escaped) {
        jscan_decode(inside.s, inside.s + inside.len, &plain);
        k->s = k->own = str_take(&plain, &k->len);
    }
    k->hash = hash_bytes(k->s, k->len);
    for (i = first; i + 1 < c->key_count; i++)
        if (c->keys[i].hash == k->hash && c->keys[i].len == k->len && memcmp(c->keys[i].s, k->s, k->len) == 0)
            return refuse(c, at, "the same key stands twice in one object");
    return 0;
}

static int check_object(struct check *c)
{
    size_t first = c->key_count;

    c->p = jscan_skip_space(c->p + 1, c->end);
    if (c->p < c->end && *c->p == '}') {
        c->p++;
        return 0;
    }
    for (;;) {
        if (check_key(c, first) < 0)
            return -1;
        c->p = jscan_skip_space(c->p, c->end);
        if (c->p == c->end || *c->p != ':')
            return refuse(c, c->p, "a colon was expected here");
        c->p++;
        if (check_value(c) < 0)
            return -1;
        c->p = jscan_skip_space(c->p, c->end);
        if (c->p == c->end || (*c->p != ',' && *c->p != '}'))
            return refuse(c, c->p, "a comma or } was expected here");
        if (*c->p++ == '}')
            break;
        c->p = jscan_skip_space(c->p, c->end);
    }
    drop_keys(c, first);
    return 0;
}

static int check_value(struct check *c)
{
    struct span inside;
    bool escaped;
    int rc;

    c->p = jscan_skip_space(c->p, c->end);
    if (c->p == c->end)
        return check_word(c);
    if (*c->p == '"')
        return check_string(c, &inside, &escaped);
    if (*c->p == '-' || (*c->p >= '0' && *c->p <= '9'))
        return check_number(c);
    if (!jscan_is(*c->p, JSCAN_OPEN))
        return check_word(c);
    if (c->levels == MAX_LEVELS)
        return refuse(c, c->p, "lists and objects are nested more than 32 deep");
    c->levels++;
    rc = *c->p == '{' ? check_object(c) : check_list(c);
    c->levels--;
    return rc;
}

static int check_text(const char *text, size_t len, bool limit_integers, struct err *err)
{
    struct check c = { .start = text, .p = text, .end = text + len, .err = err, .limit_integers = limit_integers };
    size_t bad = utf8_bad(text, len);
    int rc;

    if (bad < len)
        return refuse(&c, text + bad, "this is not UTF-8");
    rc = check_value(&c);
    if (rc == 0) {
        c.p = jscan_skip_space(c.p, c.end);
        if (c.p < c.end)
            rc = refuse(&c, c.p, "something follows the end of the value");
    }
    drop_keys(&c, 0);
    free(c.keys);
    return rc;
}

int json_check(const char *text, size_t len, struct err *err)
{
    return check_text(len ? text : "", len, false, err);
}

/* --- json-c --- */

/* json-c counts a value inside the last level as one more. */
static struct json_object *tokenize(struct json_tokener *tok, const char *text, size_t len,
                                    enum json_tokener_error *why)
{
    struct json_object *obj;

    json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
    obj = json_tokener_parse_ex(tok, text, (int)len);
    *why = json_tokener_get_error(tok);
    if (*why == json_tokener_continue) { /* a bare number or word ends only with the NUL */
        obj = json_tokener_parse_ex(tok, "", 1);
        *why = json_tokener_get_error(tok);
    }
    return obj;
}

int json_parse(const char *text, size_t len, struct json_object **out, struct err *err)
{
    enum json_tokener_error why;
    struct json_tokener *tok;
    struct json_object *obj;

    if (len > INT_MAX)
        return err_set(err, ERR_INVALID, "The JSON text is longer than %d bytes.", INT_MAX);
    if (check_text(len ? text : "", len, true, err) < 0)
        return -1;
    tok = json_tokener_new_ex(MAX_LEVELS + 1);
    if (!tok)
        return err_set(err, ERR_FAILED, "There is no memory to read JSON.");
    obj = tokenize(tok, text, len, &why);
    json_tokener_free(tok);
    if (why != json_tokener_success) {
        json_object_put(obj);
        return err_set(err, ERR_INVALID, "The JSON text was refused by the parser: %s.", json_tokener_error_desc(why));
    }
    *out = obj;
    return 0;
}

/* Checked text with each whole number that json-c cannot hold in quotes. */
static void quote_large(struct str *out, const char *p, const char *end)
{
    while (p < end) {
        const char *start = p;
        bool whole = false, large = false;

        if (*p == '"') {
            for (p++; *p != '"'; p++)
                p += *p == '\\';
            p++;
        } else if (*p == '-' || (*p >= '0' && *p <= '9')) {
            p = jscan_number(p, end, &whole);
            large = whole && !integer_fits(start, p);
        } else {
            p++;
        }
        str_adds(out, large ? "\"" : "");
        str_add(out, start, (size_t)(p - start));
        str_adds(out, large ? "\"" : "");
    }
}

int json_parse_wide(const char *text, size_t len, struct json_object **out, struct err *err)
{
    struct str narrow = STR_INIT;
    int rc;

    if (json_check(text, len, err) < 0)
        return -1;
    quote_large(&narrow, text, text + len);
    rc = json_parse(narrow.s, narrow.len, out, err);
    str_free(&narrow);
    return rc;
}

/* json-c hands bad UTF-8 through; mending it here keeps the promise that what we print is JSON. */
void json_add(struct str *out, struct json_object *obj)
{
    size_t len = 4;
    const char *text = "null";

    if (obj)
        text = json_object_to_json_string_length(obj, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    utf8_add_mended(out, text, len);
}
