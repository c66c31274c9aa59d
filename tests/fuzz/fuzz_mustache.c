/* fuzz_mustache.c: a template, a NUL byte, and its data as JSON. A value never reaches the page as markup. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "base/mustache.h"

/* A template that shows itself is cut at a depth and a number; a long one of those would only take long. */
static const struct mustache *find_itself(void *ctx, const char *name)
{
    return *name == 's' ? ctx : NULL;
}

static void count_name(void *ctx, const char *name)
{
    *(size_t *)ctx += strlen(name);
}

FUZZ(input)
{
    struct span data, text = fuzz_cut(input, &data);
    struct json_object *object = NULL;
    struct mustache *m = NULL;
    struct err err = ERR_INIT;
    struct str out = STR_INIT;
    size_t names = 0;

    if (mustache_parse("fuzz", text.s, text.len, &m, &err) < 0) {
        PROMISE(err.text[0]);
        return;
    }
    if (json_parse(data.s, data.len, &object, &err) < 0)
        object = json_object_new_object();
    mustache_partials(m, count_name, &names);
    PROMISE(names <= text.len);
    mustache_render(m, &object, 1, text.len < 24 ? find_itself : NULL, m, &out);
    mustache_free(m);
    json_object_put(object);
    str_free(&out);
}
