/* fuzz_source.c: files of sources, and a call against those that are good */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "core/options.h"
#include "core/source_read.h"

/* Whatever a parameter's rules let pass, the path stays a path and the name a name. */
static void try_call(const struct source_method *m)
{
    const struct source_given given[] = { { SPAN("symbol"), SPAN("../a?b#c&d=\xd9\xa1 e") }, { SPAN("id"), SPAN("..") } };
    struct str name = STR_INIT, payload = STR_INIT;
    struct source_request request;
    struct source_call call;
    struct settings settings;
    struct err err = ERR_INIT;

    if (!source_call_read(&call, m, given, ARRAY_LEN(given), NULL, NULL, NULL) && !source_call_read(&call, m, NULL, 0, NULL, NULL, NULL))
        return;
    settings_init(&settings, options_table, OPT_COUNT);
    source_add_name(&call, &name);
    source_add_payload(&call, &payload);
    PROMISE(json_check(payload.s, payload.len, &err) == 0);
    PROMISE(name.len <= SOURCE_NAME_MAX + 40);
    if (source_request(&call, &settings, 0, &request, &err) == 0)
        PROMISE(!strpbrk(request.url.s, " \r\n#") && !strstr(request.url.s, "/../"));
    source_request_free(&request);
    settings_free(&settings);
    source_call_clear(&call);
    str_free(&name);
    str_free(&payload);
}

FUZZ(input)
{
    struct json_object *root = NULL;
    struct err err = ERR_INIT;
    struct source *s;
    struct jread at;

    if (json_parse(input.s, input.len, &root, &err) < 0)
        return;
    s = xcalloc(1, sizeof(*s));
    at = jread_root("fuzz.json", root);
    if (source_read(s, &at, "fuzz", &err) < 0)
        PROMISE(err.kind == ERR_CONFIG && strncmp(err.text, "fuzz.json", 9) == 0);
    else
        for (size_t i = 0; i < s->method_count; i++)
            try_call(&s->methods[i]);
    source_free(s);
    json_object_put(root);
}
