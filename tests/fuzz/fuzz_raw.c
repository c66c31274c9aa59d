/* fuzz_raw.c: members found and replaced in the text of an object. In good JSON what is not set stays byte for byte. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"

static const char *const keys[] = { "status", "progress", "a", "otp_data" };

static void set_and_look(struct span doc, bool good, const struct span before[])
{
    const struct raw_member members[] = { { "progress", SPAN("[1]") }, { "a", { NULL, 0 } }, { "new", SPAN("\"x\"") } };
    struct span after[ARRAY_LEN(keys)];
    struct str out = STR_INIT;
    int rc = raw_set(&out, doc, members, ARRAY_LEN(members));

    if (good) {
        struct span text = { out.s, out.len };

        PROMISE(rc == 0);
        PROMISE(json_check(text.s, text.len, NULL) == 0 || json_check(doc.s, doc.len, NULL) < 0 || out.len > doc.len);
        PROMISE(raw_get_many(text, keys, after, ARRAY_LEN(keys)) >= 1);
        PROMISE(span_is(after[1], "[1]") && raw_is(raw_get(text, "new"), "x"));
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            if (i != 1)
                PROMISE(!before[i].s == !after[i].s && span_eq(before[i], after[i]));
    }
    str_free(&out);
}

FUZZ(input)
{
    struct span value[ARRAY_LEN(keys)];
    struct str text = STR_INIT;
    int found = raw_get_many(input, keys, value, ARRAY_LEN(keys));
    bool good = json_check(input.s, input.len, NULL) == 0 && found >= 0;

    for (size_t i = 0; found >= 0 && i < ARRAY_LEN(keys); i++) {
        if (!value[i].s)
            continue;
        PROMISE(value[i].s >= input.s && value[i].s + value[i].len <= input.s + input.len);
        PROMISE(!good || json_check(value[i].s, value[i].len, NULL) == 0);
        PROMISE(!good || span_eq(value[i], raw_get(input, keys[i])));
        raw_int(value[i], -1);
        raw_string(value[i], &text);
    }
    set_and_look(input, good, value);
    str_free(&text);
}
