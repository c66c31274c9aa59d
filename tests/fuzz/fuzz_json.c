/* fuzz_json.c: JSON as clients and bots send it. What the check lets through json-c takes too, and writes again so that it passes. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"

FUZZ(input)
{
    struct err err = ERR_INIT;
    struct json_object *object = NULL, *again = NULL;
    struct str text = STR_INIT;
    bool good = json_check(input.s, input.len, &err) == 0;

    PROMISE(good || (err.kind == ERR_INVALID && err.text[0]));
    if (json_parse(input.s, input.len, &object, &err) == 0) {
        PROMISE(good);
        json_add(&text, object);
        PROMISE(json_check(text.s, text.len, &err) == 0 && json_parse(text.s, text.len, &again, &err) == 0);
        PROMISE(json_object_equal(object, again));
    } else {
        PROMISE(!good || strstr(err.text, "64"));
    }
    json_object_put(object);
    json_object_put(again);
    PROMISE((json_parse_wide(input.s, input.len, &object, &err) == 0) == good);
    if (good)
        json_object_put(object);
    str_free(&text);
}
