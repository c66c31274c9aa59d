/* mask.c: values that may be personal are masked */
#include "cli/mask.h"

#include "base/json.h"
#include "base/str.h"
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

char *mask_numbers(const char *text)
{
    struct str out = STR_INIT;
    str_reset(&out);
    while (*text) {
        size_t digits = strspn(text, "0123456789");
        size_t hidden = digits >= PERSONAL_DIGITS ? digits - SHOWN_CHARACTERS : 0;
        str_adds(&out, hidden > 0 ? "***" : "");
        str_add(&out, text + hidden, (digits > 0 ? digits : 1) - hidden);
        text += digits > 0 ? digits : 1;
    }
    return str_take(&out, NULL);
}
