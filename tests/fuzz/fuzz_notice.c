/* fuzz_notice.c: the words of a notification, with what a program tells filled in. A NUL byte parts the words from the JSON. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "base/utf8.h"
#include "core/notice.h"

enum { MOST = 100 };

static const struct locale *persian(void)
{
    static struct locales *all;
    const char *source = getenv("TOP_SOURCE");

    if (!all) {
        char *dir = xasprintf("%s/www/locales", source ? source : ".");
        PROMISE(locales_load(dir, "fa", &all, NULL) == 0);
        free(dir);
    }
    return locales_default(all);
}

/* A file's text is JSON, so it is well-formed UTF-8. */
static struct text *words_of(struct span input)
{
    struct json_object *json = json_object_new_string_len(input.s, (int)input.len);
    struct jread at = jread_root("fuzz", json);
    struct text *words = NULL;

    if (!utf8_valid(input.s, input.len) || text_read(&at, &words, NULL) < 0)
        words = NULL;
    json_object_put(json);
    return words;
}

FUZZ(input)
{
    struct span data, first = fuzz_cut(input, &data);
    struct text *words = words_of(first);
    struct json_object *json = NULL;
    struct str out = STR_INIT;

    if (words && json_parse(data.s, data.len, &json, NULL) == 0 && json_object_is_type(json, json_type_object)) {
        notice_add_words(&out, words, persian(), json, MOST);
        PROMISE(out.len <= MOST && strlen(out.s) == out.len && utf8_valid(out.s, out.len));
        PROMISE(!span_has_control((struct span){ out.s, out.len }));
    }
    json_object_put(json);
    text_free(words);
    str_free(&out);
}
