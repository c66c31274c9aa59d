/* mask.c: values that may be personal are masked */
#include "core/mask.h"

#include "base/json.h"
#include "base/utf8.h"

enum { SHOWN_CHARACTERS = 2, SHORT_CHARACTERS = 4, PERSONAL_DIGITS = 8 };

static bool is_open(const struct service *service, const char *name)
{
    for (size_t i = 0; service && i < service->field_count; i++)
        if (strcmp(service->fields[i].name, name) == 0)
            return !service->fields[i].personal;
    return false;
}

/* "***" and the last characters of what is long enough to keep the rest a secret. */
static char *masked(const char *text)
{
    size_t len = strlen(text), skip = 0, characters = utf8_length(text, len);
    if (characters <= SHORT_CHARACTERS)
        return xstrdup("***");
    for (size_t i = 0; i + SHOWN_CHARACTERS < characters; i++)
        skip += utf8_char(text + skip, len - skip);
    return xasprintf("***%s", text + skip);
}

struct json_object *mask_members(const struct service *service, struct span object)
{
    struct json_object *all = NULL, *out = json_object_new_object();
    if (object.s)
        json_parse(object.s, object.len, &all, NULL);
    if (!json_object_is_type(all, json_type_object)) {
        json_object_put(all);
        return out;
    }
    struct json_object_iterator end = json_object_iter_end(all);
    for (struct json_object_iterator at = json_object_iter_begin(all); !json_object_iter_equal(&at, &end);
         json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at), *text = json_object_get_string(json_object_iter_peek_value(&at));
        char *shown = is_open(service, name) ? xstrdup(text ? text : "") : masked(text ? text : "");
        json_object_object_add(out, name, json_object_new_string(shown));
        free(shown);
    }
    json_object_put(all);
    return out;
}

/* Bytes of the digit at s, of whichever script a form takes; 0: it is none. */
static size_t digit_bytes(const char *s, size_t len)
{
    if (len > 0 && *s >= '0' && *s <= '9')
        return 1;
    struct str latin = STR_INIT;
    size_t bytes = utf8_char(s, len);
    utf8_add_latin_digits(&latin, s, bytes);
    bool digit = bytes > 1 && latin.len == 1;
    str_free(&latin);
    return digit ? bytes : 0;
}

/* One run of digits, or one other byte; how many bytes it had. */
static size_t add_run(struct str *out, const char *s, size_t len)
{
    size_t at = 0, digits = 0, shown = 0, bytes;
    while ((bytes = digit_bytes(s + at, len - at)) > 0) {
        if (++digits > SHOWN_CHARACTERS)
            shown += digit_bytes(s + shown, len - shown);
        at += bytes;
    }
    if (digits < PERSONAL_DIGITS)
        shown = 0;
    at += digits == 0;
    str_adds(out, shown > 0 ? "***" : "");
    str_add(out, s + shown, at - shown);
    return at;
}

void mask_add_numbers(struct str *out, const char *text)
{
    for (size_t len = strlen(text), n = 0; len > 0; len -= n, text += n)
        n = add_run(out, text, len);
}

char *mask_numbers(const char *text)
{
    struct str out = STR_INIT;
    if (!text)
        return NULL;
    str_reset(&out);
    mask_add_numbers(&out, text);
    return str_take(&out, NULL);
}

void mask_texts(struct json_object *value)
{
    if (json_object_is_type(value, json_type_string)) {
        char *masked = mask_numbers(json_object_get_string(value));
        json_object_set_string(value, masked);
        free(masked);
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            mask_texts(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        struct json_object_iterator end = json_object_iter_end(value);
        for (struct json_object_iterator at = json_object_iter_begin(value); !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
            mask_texts(json_object_iter_peek_value(&at));
    }
}
