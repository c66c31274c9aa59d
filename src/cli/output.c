/* output.c: tables for people, JSON for scripts */
#include "cli/output.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "core/mask.h"

enum { COLUMNS_MAX = 12 };

static void print_json(struct json_object *object)
{
    puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* --- times --- */

static const struct {
    int64_t from_ms, unit_ms;
    const char *name;
} age_units[] = {
    { 172800000, 86400000, "d" }, { 7200000, 3600000, "h" }, { 120000, 60000, "min" }, { 1000, 1000, "s" }, { 0, 1, "ms" }
};

void output_add_age(struct str *out, int64_t ms)
{
    size_t i = 0;
    ms = ms < 0 ? 0 : ms;
    while (ms < age_units[i].from_ms)
        i++;
    str_addf(out, "%lld %s", (long long)(ms / age_units[i].unit_ms), age_units[i].name);
}

void output_add_when(struct str *out, int64_t ms, int64_t now_ms)
{
    int64_t ago_ms = now_ms - ms;
    if (ago_ms > -1000 && ago_ms < 1000) {
        str_adds(out, "now");
        return;
    }
    str_adds(out, ago_ms < 0 ? "in " : "");
    output_add_age(out, ago_ms < 0 ? -ago_ms : ago_ms);
    str_adds(out, ago_ms < 0 ? "" : " ago");
}

/* Times in tables were written by Redis's clock, and are seen from there. */
static int64_t now_of(const struct cli *cli)
{
    return cli->house.main_server ? house_now_ms(&cli->house) : clock_ms();
}

/* A text that is a time, or -1. */
static int64_t time_of(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string) || json_object_get_string_len(value) != (int)CLOCK_RFC3339_SIZE - 1)
        return -1;
    return clock_parse_rfc3339(span_of(json_object_get_string(value)));
}

/* --- cells --- */

/* Quotes and backslashes, which the log hides as well, stay as they are. */
void output_add_text(struct str *out, const char *text, size_t len)
{
    size_t run = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '"' || text[i] == '\\') {
            str_add_log(out, text + run, i - run);
            str_addc(out, text[i]);
            run = i + 1;
        }
    str_add_log(out, text + run, len - run);
}

/* A value as one cell: texts without quotes, nothing for null. */
static void add_value(struct str *out, struct json_object *value)
{
    if (!value)
        str_addc(out, '-');
    else if (json_object_is_type(value, json_type_string))
        output_add_text(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    else if (json_object_is_type(value, json_type_boolean))
        str_adds(out, json_object_get_boolean(value) ? "yes" : "no");
    else
        json_add(out, value);
}

static void cut(struct str *cell, size_t most)
{
    if (most == 0 || utf8_length(cell->s, cell->len) <= most)
        return;
    size_t bytes = 0;
    for (size_t i = 0; i + 1 < most; i++)
        bytes += utf8_char(cell->s + bytes, cell->len - bytes);
    cell->len = bytes;
    str_adds(cell, "…");
}

static void add_cell(struct str *out, struct json_object *value, const struct column *column, int64_t now_ms)
{
    int64_t ms = column->kind == COLUMN_TIME ? time_of(value) : -1;
    if (ms >= 0)
        output_add_when(out, ms, now_ms);
    else if (column->kind == COLUMN_AGE && json_object_get_int64(value) > 0)
        output_add_age(out, json_object_get_int64(value));
    else if (column->kind == COLUMN_AGE)
        str_addc(out, '-');
    else
        add_value(out, value);
    cut(out, column->most);
}

static void print_cell(FILE *out, const struct str *cell, size_t width, bool last)
{
    size_t length = utf8_length(cell->s, cell->len);
    fwrite(cell->s, 1, cell->len, out);
    if (!last)
        fprintf(out, "%*s", (int)(width > length ? width - length : 0) + 2, "");
}

/* --- tables --- */

static size_t count_columns(const struct column columns[])
{
    size_t count = 0;
    while (count < COLUMNS_MAX && columns[count].member)
        count++;
    return count;
}

static void cell_of(struct str *cell, struct json_object *list, size_t row, const struct column *column, int64_t now_ms)
{
    str_reset(cell);
    add_cell(cell, json_object_object_get(json_object_array_get_idx(list, row), column->member), column, now_ms);
}

static void measure(struct json_object *list, const struct column columns[], size_t count, int64_t now_ms, size_t width[])
{
    struct str cell = STR_INIT;
    for (size_t i = 0; i < count; i++)
        width[i] = strlen(columns[i].heading);
    for (size_t row = 0; row < json_object_array_length(list); row++)
        for (size_t i = 0; i < count; i++) {
            cell_of(&cell, list, row, &columns[i], now_ms);
            size_t length = utf8_length(cell.s, cell.len);
            if (length > width[i])
                width[i] = length;
        }
    str_free(&cell);
}

void output_table(FILE *out, const struct cli *cli, struct json_object *list, const struct column columns[])
{
    size_t count = count_columns(columns), width[COLUMNS_MAX];
    int64_t now_ms = now_of(cli);
    struct str cell = STR_INIT;
    measure(list, columns, count, now_ms, width);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%-*s%s", i + 1 < count ? (int)width[i] : 0, columns[i].heading, i + 1 < count ? "  " : "\n");
    for (size_t row = 0; row < json_object_array_length(list); row++) {
        for (size_t i = 0; i < count; i++) {
            cell_of(&cell, list, row, &columns[i], now_ms);
            print_cell(out, &cell, width[i], i + 1 == count);
        }
        putc('\n', out);
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
        output_table(stdout, cli, list, columns);
    json_object_put(list);
}

/* --- objects --- */

static int widest_name(struct json_object *object)
{
    struct json_object_iterator end = json_object_iter_end(object), at;
    int width = 0;
    for (at = json_object_iter_begin(object); !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        int length = (int)strlen(json_object_iter_peek_name(&at));
        width = length > width ? length : width;
    }
    return width;
}

void output_object(const struct cli *cli, struct json_object *object)
{
    if (cli->json) {
        print_json(object);
        json_object_put(object);
        return;
    }
    struct json_object_iterator end = json_object_iter_end(object), at;
    int width = widest_name(object);
    int64_t now_ms = now_of(cli), ms;
    struct str cell = STR_INIT;
    for (at = json_object_iter_begin(object); !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        str_reset(&cell);
        add_value(&cell, json_object_iter_peek_value(&at));
        if ((ms = time_of(json_object_iter_peek_value(&at))) >= 0) {
            str_adds(&cell, " (");
            output_add_when(&cell, ms, now_ms);
            str_addc(&cell, ')');
        }
        printf("%-*s  %s\n", width, json_object_iter_peek_name(&at), cell.s);
    }
    str_free(&cell);
    json_object_put(object);
}

void output_set_text(struct json_object *object, const char *name, const char *text)
{
    json_object_object_add(object, name, text ? json_object_new_string(text) : NULL);
}

void output_set_masked(struct json_object *object, const char *name, const char *text)
{
    char *masked = mask_numbers(text);
    output_set_text(object, name, masked);
    free(masked);
}

void output_set_number(struct json_object *object, const char *name, int64_t number)
{
    json_object_object_add(object, name, json_object_new_int64(number));
}

void output_set_bool(struct json_object *object, const char *name, bool value)
{
    json_object_object_add(object, name, json_object_new_boolean(value));
}

void output_set_time(struct json_object *object, const char *name, int64_t ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (ms > 0)
        clock_rfc3339(ms, text);
    output_set_text(object, name, ms > 0 ? text : NULL);
}
