/* checked.c: checking definition files */
#include "cli/checked.h"

#include "cli/output.h"
#include "core/definitions.h"

struct checked {
    int (*check)(const char *file, struct err *err);
    struct json_object *list;
    bool all_good;
};

static int check_file(void *ctx, const char *file, const char *name, struct err *err)
{
    struct checked *c = ctx;
    struct err why = ERR_INIT;
    bool good = c->check(file, &why) == 0;
    (void)name;
    (void)err;
    struct json_object *row = json_object_new_object();
    output_set_text(row, "file", file);
    output_set_bool(row, "ok", good);
    output_set_text(row, "error", good ? NULL : why.text);
    json_object_array_add(c->list, row);
    c->all_good = c->all_good && good;
    return 0;
}

int checked_files(struct cli *cli, const char *dir, int (*check)(const char *file, struct err *err), const char *when_empty,
                  struct err *err)
{
    static const struct column columns[] = { COLUMN("file", "FILE"), COLUMN("ok", "OK"), COLUMN("error", "ERROR"),
                                             COLUMN_END };
    struct checked c = { check, json_object_new_array(), true };
    for (int i = 0; i < cli->operand_count; i++)
        check_file(&c, cli->operands[i], NULL, NULL);
    if (cli->operand_count == 0 && definitions_each(dir, check_file, &c, err) < 0) {
        json_object_put(c.list);
        return -1;
    }
    output_list(cli, c.list, columns, when_empty);
    return c.all_good ? 0 : 1;
}
