/* verb_service.c: peygir service list|check */
#include "cli/output.h"
#include "core/definitions.h"
#include "core/options.h"
#include "core/service.h"

int verb_service_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { { "slug", "SLUG" },       { "title", "TITLE" }, { "fields", "FIELDS" },
                                             { "steps", "STEPS" },     { "code", "CODE" },   { "estimated_duration", "SECONDS" },
                                             { NULL, NULL } };
    struct json_object *list = json_object_new_array();
    (void)err;
    for (size_t i = 0; i < services_count(cli->house.services); i++) {
        const struct service *s = services_at(cli->house.services, i);
        struct json_object *row = json_object_new_object();
        json_object_object_add(row, "slug", json_object_new_string(s->slug));
        json_object_object_add(row, "title", json_object_new_string(text_in(s->title, NULL)));
        json_object_object_add(row, "fields", json_object_new_int64((int64_t)s->field_count));
        json_object_object_add(row, "steps", json_object_new_int64((int64_t)s->step_count));
        json_object_object_add(row, "code", json_object_new_boolean(s->code.used));
        json_object_object_add(row, "estimated_duration", json_object_new_int(s->estimated_duration_s));
        json_object_array_add(list, row);
    }
    output_list(cli, list, columns, "There are no services.");
    return 0;
}

struct checked {
    struct json_object *list;
    bool all_good;
};

static void check_file(struct checked *c, const char *file)
{
    struct err err = ERR_INIT;
    struct service *service = NULL;
    bool good = service_load(file, &service, &err) == 0;
    struct json_object *row = json_object_new_object();
    json_object_object_add(row, "file", json_object_new_string(file));
    json_object_object_add(row, "ok", json_object_new_boolean(good));
    json_object_object_add(row, "error", good ? NULL : json_object_new_string(err.text));
    json_object_array_add(c->list, row);
    c->all_good = c->all_good && good;
    service_free(service);
}

static int check_each(void *ctx, const char *file, const char *name, struct err *err)
{
    (void)name;
    (void)err;
    check_file(ctx, file);
    return 0;
}

int verb_service_check(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { { "file", "FILE" }, { "ok", "OK" }, { "error", "ERROR" }, { NULL, NULL } };
    struct checked c = { json_object_new_array(), true };
    for (int i = 0; i < cli->operand_count; i++)
        check_file(&c, cli->operands[i]);
    if (cli->operand_count == 0 && definitions_each(options_dir(cli->settings, OPT_PEYGIR_SERVICES_DIR), check_each, &c, err) < 0) {
        json_object_put(c.list);
        return -1;
    }
    output_list(cli, c.list, columns, "There are no services.");
    return c.all_good ? 0 : 1;
}
