/* verb_settings.c: peygir config */
#include "cli/output.h"
#include "core/options.h"

static struct json_object *text_or_null(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

int verb_config(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("name", "NAME"), COLUMN("value", "VALUE"), COLUMN("source", "FROM"),
                                             COLUMN_END };
    struct json_object *list = json_object_new_array();
    (void)err;
    for (size_t i = 0; i < OPT_COUNT; i++) {
        struct json_object *row = json_object_new_object();
        char *value = options_shown(cli->settings, (enum option_id)i);
        json_object_object_add(row, "name", json_object_new_string(options_table[i].name));
        json_object_object_add(row, "value", text_or_null(value));
        json_object_object_add(row, "source", json_object_new_string(settings_source_name(cli->settings->source[i])));
        json_object_object_add(row, "unit", text_or_null(options_table[i].unit));
        json_object_object_add(row, "help", json_object_new_string(options_table[i].help));
        json_object_array_add(list, row);
        free(value);
    }
    output_list(cli, list, columns, "");
    return 0;
}
