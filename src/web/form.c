/* form.c: decoding of urlencoded fields and JSON data. */
#include "web/form.h"

#include "base/utf8.h"

#include <strings.h>

void form_free(struct form *f)
{
    f->count = 0;
    str_free(&f->text);
}

void form_reset(struct form *f)
{
    f->count = 0;
    str_reset(&f->text);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte written as %XX at p; -1 when it is not. */
static int percent_byte(const char *p, const char *end)
{
    int high, low;

    if (end - p < 3)
        return -1;
    high = hex_digit(p[1]);
    low = hex_digit(p[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool form_decode(struct str *out, struct span encoded, bool plus)
{
    const char *p = encoded.s, *end = p ? p + encoded.len : p;
    size_t start = out->len;

    while (p < end) {
        int byte = *p == '%' ? percent_byte(p, end) : (unsigned char)*p;

        if (byte <= 0) /* bad encoding, or NUL */
            return false;
        str_addc(out, plus && *p == '+' ? ' ' : (char)byte);
        p += *p == '%' ? 3 : 1;
    }
    return out->len == start || utf8_valid(out->s + start, out->len - start);
}

struct span form_get(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (span_is(f->field[i].name, name))
            return f->field[i].value;
    return (struct span){ NULL, 0 };
}

bool form_number(const struct form *f, const char *name, int min, int max, int *out)
{
    struct span text = form_get(f, name);
    int n = 0;

    if (!text.s)
        return true;
    for (size_t i = 0; i < text.len; i++) {
        if (text.s[i] < '0' || text.s[i] > '9' || n > max)
            return false;
        n = 10 * n + (text.s[i] - '0');
    }
    *out = n;
    return text.len > 0 && n >= min && n <= max;
}

struct span form_lookup(void *ctx, const char *name)
{
    return form_get(ctx, name);
}

static int add_field(struct form *f, struct span name, struct span value, struct err *err)
{
    if (name.len == 0)
        return err_set(err, ERR_INVALID, "A field has no name.");
    for (size_t i = 0; i < f->count; i++)
        if (span_eq(f->field[i].name, name))
            return err_set(err, ERR_INVALID, "A field was sent twice.");
    if (f->count == FORM_FIELDS)
        return err_set(err, ERR_INVALID, "More than %d fields were sent.", FORM_FIELDS);
    f->field[f->count].name = name;
    f->field[f->count++].value = value;
    return 0;
}

/* Decode into f->text, whose memory is there already, so that nothing moves. */
static int decode_part(struct form *f, struct span encoded, struct span *out, struct err *err)
{
    size_t start = f->text.len;

    if (!form_decode(&f->text, encoded, true))
        return err_set(err, ERR_INVALID, "A field is not percent-encoded UTF-8 text.");
    *out = (struct span){ f->text.s + start, f->text.len - start };
    return 0;
}

static int parse_pair(struct form *f, struct span pair, struct err *err)
{
    const char *equals = memchr(pair.s, '=', pair.len);
    size_t name_len = equals ? (size_t)(equals - pair.s) : pair.len;
    struct span name, value = { "", 0 };

    if (decode_part(f, (struct span){ pair.s, name_len }, &name, err) < 0)
        return -1;
    if (equals && decode_part(f, (struct span){ equals + 1, pair.len - name_len - 1 }, &value, err) < 0)
        return -1;
    return add_field(f, name, value, err);
}

int form_parse(struct form *f, struct span encoded, struct err *err)
{
    const char *p = encoded.s, *end = p ? p + encoded.len : p;

    form_reset(f);
    str_grow(&f->text, encoded.len);
    while (p < end) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        if (!stop)
            stop = end;
        if (stop > p && parse_pair(f, (struct span){ p, (size_t)(stop - p) }, err) < 0)
            return -1;
        p = stop + 1;
    }
    return 0;
}

/* What a member is as a field: 1 and *text; 0: absent; -1: a list or an object. */
static int json_text(struct json_object *value, struct span *text)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return 0;
    case json_type_boolean:
        *text = SPAN("1");
        return json_object_get_boolean(value) ? 1 : 0;
    case json_type_string:
        *text = (struct span){ json_object_get_string(value), (size_t)json_object_get_string_len(value) };
        return 1;
    case json_type_int:
    case json_type_double:
        *text = span_of(json_object_get_string(value));
        return 1;
    default:
        return -1;
    }
}

/* A copy in f->text. The spans of earlier fields are set only when all text is there (see form_from_json). */
static struct span keep(struct form *f, struct span text)
{
    size_t start = f->text.len;

    str_add_span(&f->text, text);
    return (struct span){ f->text.s + start, text.len };
}

static size_t json_room(struct json_object *object)
{
    size_t room = 0;

    FORM_EACH_MEMBER(i, object) {
        struct span text = { NULL, 0 };
        int rc = json_text(json_object_iter_peek_value(&i), &text);

        room += strlen(json_object_iter_peek_name(&i)) + (rc > 0 ? text.len : 0);
    }
    return room;
}

int form_from_json(struct form *f, struct json_object *object, struct err *err)
{
    form_reset(f);
    str_grow(&f->text, json_room(object)); /* so that nothing moves while fields are added */
    FORM_EACH_MEMBER(i, object) {
        struct span text = { NULL, 0 }, name = span_of(json_object_iter_peek_name(&i));
        int rc = json_text(json_object_iter_peek_value(&i), &text);

        if (rc < 0)
            return err_set(err, ERR_INVALID, "A field holds a list or an object where a text is expected.");
        if (rc > 0 && add_field(f, keep(f, name), keep(f, text), err) < 0)
            return -1;
    }
    return 0;
}

static struct span trim(const char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct span){ s, (size_t)(end - s) };
}

bool form_is_type(struct span header, const char *type)
{
    const char *stop;
    struct span media;

    if (!header.s)
        return false;
    stop = memchr(header.s, ';', header.len);
    media = trim(header.s, stop ? stop : header.s + header.len);
    return media.len == strlen(type) && strncasecmp(media.s, type, media.len) == 0;
}
