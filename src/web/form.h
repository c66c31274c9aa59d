/* form.h: what browsers and API clients send: urlencoded fields (query and body), JSON data. Pure text;
 * knows no request. Every decoder refuses bad percent-encoding, invalid UTF-8, NUL bytes, duplicate names, empty
 * names and more than FORM_FIELDS fields. */
#ifndef PEYGIR_WEB_FORM_H
#define PEYGIR_WEB_FORM_H

#include "base/err.h"
#include "base/str.h"

#include <json-c/json.h>
#include <stdbool.h>

#define FORM_FIELDS 64

/* Each member of a json-c object that is not NULL: json_object_iter_peek_name(&i), json_object_iter_peek_value(&i). */
#define FORM_EACH_MEMBER(i, object)                                                                               \
    for (struct json_object_iterator i = json_object_iter_begin(object), i##_end = json_object_iter_end(object); \
         !json_object_iter_equal(&i, &i##_end); json_object_iter_next(&i))

/* Decoded fields, in their order. The spans point into `text` and live until the form is filled again or freed.
 * Memory is kept. */
struct form {
    struct form_field {
        struct span name, value;
    } field[FORM_FIELDS];
    size_t count;
    struct str text;
};
#define FORM_INIT { .count = 0, .text = STR_INIT }
void form_free(struct form *f);
void form_reset(struct form *f);

/* "a=1&b=%20x+y". 0, or -1 (ERR_INVALID). The sentence names no value. */
int form_parse(struct form *f, struct span encoded, struct err *err);
/* The members of a JSON object as fields: texts as they are, numbers as written, true as "1", false and null as
 * absent. A list or an object is refused. The object must come from json_parse. 0, or -1 (ERR_INVALID). */
int form_from_json(struct form *f, struct json_object *object, struct err *err);
/* The value; absent: .s NULL. An empty value is present. */
struct span form_get(const struct form *f, const char *name);
/* A field that is a whole number from min to max, of digits; absent: *out stays. False: it is none. */
bool form_number(const struct form *f, const char *name, int min, int max, int *out);
/* form_get as a rules_lookup; ctx is the form. */
struct span form_lookup(void *ctx, const char *name);

/* Append `encoded` percent-decoded; `plus` tells whether + is a space. False for bad encoding, NUL or invalid UTF-8. */
bool form_decode(struct str *out, struct span encoded, bool plus);

/* Is the media type of a Content-Type header this one ("application/json")? Parameters and case do not matter. */
bool form_is_type(struct span header, const char *type);

#endif
