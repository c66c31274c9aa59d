/* output.c: tables for people, JSON for scripts */
#include "cli/output.h"

#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"

enum { COLUMNS_MAX = 12 };

static void print_json(struct json_object *object)
{
    puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* A value as one cell: texts without quotes, nothing for null. */
static void add_cell(struct str *out, struct json_object *value)
{
    if (!value)
        str_addc(out, '-');
    else if (json_object_is_type(value, json_type_string))
        str_add_log(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    else
        json_add(out, value);
}

static void print_cell(const struct str *cell, size_t width, bool last)
{
    size_t length = utf8_length(cell->s ? cell->s : "", cell->len);
    fwrite(cell->s ? cell->s : "", 1, cell->len, stdout);
    if (!last)
        printf("%*s", (int)(width > length ? width - length : 0) + 2, "");
}

static size_t count_columns(const struct column columns[])
{
    size_t count = 0;
    while (columns[count].member && count < COLUMNS_MAX)
        count++;
    return count;
}

static void measure(struct json_object *list, const struct column columns[], size_t count, size_t width[])
{
    struct str cell = STR_INIT;
    for (size_t i = 0; i < count; i++)
        width[i] = strlen(columns[i].heading);
    for (size_t row = 0; row < json_object_array_length(list); row++)
        for (size_t i = 0; i < count; i++) {
            str_reset(&cell);
            add_cell(&cell, json_object_object_get(json_object_array_get_idx(list, row), columns[i].member));
            size_t length = utf8_length(cell.s, cell.len);
            if (length > width[i])
                width[i] = length;
        }
    str_free(&cell);
}

static void print_table(struct json_object *list, const struct column columns[])
{
    size_t count = count_columns(columns), width[COLUMNS_MAX];
    struct str cell = STR_INIT;
    measure(list, columns, count, width);
    for (size_t i = 0; i < count; i++)
        printf("%-*s%s", i + 1 < count ? (int)width[i] : 0, columns[i].heading, i + 1 < count ? "  " : "\n");
    for (size_t row = 0; row < json_object_array_length(list); row++) {
        for (size_t i = 0; i < count; i++) {
            str_reset(&cell);
            add_cell(&cell, json_object_object_get(json_object_array_get_idx(list, row), columns[i].member));
            print_cell(&cell, width[i], i + 1 == count);
        }
        putchar('\n');
    }
    str_free(&cell);
}

void output_list(const struct cli *cli, struct json_object *list, const struct column columns[], const char *when_empty)
{
    if (cli->json)
        print_json(list);
    else if (json_object_array_length(list) == 0)
        puts(when_empty);
    else
        print_table(list, columns);
    json_object_put(list);
}

void output_object(const struct cli *cli, struct json_object *object)
{
    if (cli->json) {
        print_json(object);
        json_object_put(object);
        return;
    }
    struct json_object_iterator end = json_object_iter_end(object), at;
    int width = 0;
    for (at = json_object_iter_begin(object); !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        int length = (int)strlen(json_object_iter_peek_name(&at));
        width = length > width ? length : width;
    }
    struct str cell = STR_INIT;
    for (at = json_object_iter_begin(object); !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        str_reset(&cell);
        add_cell(&cell, json_object_iter_peek_value(&at));
        printf("%-*s  %s\n", width, json_object_iter_peek_name(&at), cell.s);
    }
    str_free(&cell);
    json_object_put(object);
}
