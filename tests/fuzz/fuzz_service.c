/* fuzz_service.c: service files, and a form against those that are good */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "core/service_read.h"

static struct span same_for_all(void *ctx, const char *field)
{
    (void)ctx;
    return field[0] == 'm' ? SPAN("09121234567") : SPAN(" \xdb\xb1\xdb\xb2-3 ");
}

static void ignore(void *ctx, const struct service_field *field, const char *sentence)
{
    (void)ctx;
    PROMISE(field->name[0] && sentence);
}

static void try_form(const struct service *s)
{
    static struct locales *locales;
    static const struct locale *locale;
    struct str data = STR_INIT;
    struct err err = ERR_INIT;

    if (!locales) {
        const char *top = getenv("TOP_SOURCE");
        char *dir = xasprintf("%s/www/locales", top ? top : ".");

        PROMISE(locales_load(dir, "fa", &locales, &err) == 0);
        locale = locales_default(locales);
        free(dir);
    }
    if (service_validate(s, same_for_all, NULL, locale, ignore, NULL, &data) == 1)
        PROMISE(json_check(data.s, data.len, &err) == 0);
    str_free(&data);
}

FUZZ(input)
{
    struct json_object *root = NULL;
    struct err err = ERR_INIT;
    struct service *s;
    struct jread at;

    if (json_parse(input.s, input.len, &root, &err) < 0)
        return;
    s = xcalloc(1, sizeof(*s));
    at = jread_root("fuzz.json", root);
    if (service_read(s, &at, "fuzz", &err) == 0)
        try_form(s);
    else
        PROMISE(err.kind == ERR_CONFIG && strncmp(err.text, "fuzz.json", 9) == 0);
    service_free(s);
    json_object_put(root);
}
