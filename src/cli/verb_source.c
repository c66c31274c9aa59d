/* verb_source.c: peygir source list|check */
#include "cli/checked.h"
#include "cli/output.h"
#include "core/options.h"
#include "core/source.h"

/* "id, days=7": required ones and those that have a default. */
static void add_parameters(const struct source_method *m, struct str *out)
{
    str_reset(out);
    for (size_t i = 0; i < m->parameter_count; i++) {
        const struct source_parameter *p = &m->parameters[i];
        bool needed = rules_required(p->rules) && !p->fallback;
        str_addf(out, "%s%s%s", i ? ", " : "", needed ? "" : "[", p->name);
        if (p->fallback)
            str_addf(out, "=%s", p->fallback);
        str_adds(out, needed ? "" : "]");
    }
}

static struct json_object *row_of(const struct cli *cli, const struct source_method *m)
{
    struct json_object *row = json_object_new_object();
    struct str text = STR_INIT;
    output_set_text(row, "source", m->source->name);
    output_set_text(row, "method", m->name);
    add_parameters(m, &text);
    output_set_text(row, "parameters", text.s);
    output_set_number(row, "fresh", m->fresh_s);
    output_set_number(row, "stale", m->stale_s);
    output_set_number(row, "refreshed", source_is_set(m->source, cli->settings) ? (int64_t)m->refresh_count : 0);
    str_reset(&text);
    source_add_address(m->source, cli->settings, &text);
    output_set_text(row, "address", text.s);
    str_free(&text);
    return row;
}

int verb_source_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("source", "SOURCE"),         COLUMN("method", "METHOD"),   COLUMN("parameters", "PARAMETERS"),
                                             COLUMN("fresh", "FRESH"),           COLUMN("stale", "STALE"),     COLUMN("refreshed", "REFRESHED"),
                                             COLUMN_CUT("address", "ADDRESS", 60), COLUMN_END };
    struct json_object *list = json_object_new_array();
    (void)err;
    for (size_t i = 0; i < sources_count(cli->house.sources); i++) {
        const struct source *s = sources_at(cli->house.sources, i);
        for (size_t k = 0; k < s->method_count; k++)
            json_object_array_add(list, row_of(cli, &s->methods[k]));
    }
    output_list(cli, list, columns, "There are no sources.");
    return 0;
}

static int check_source(const char *file, struct err *err)
{
    struct source *source = NULL;
    int result = source_load(file, &source, err);
    source_free(source);
    return result;
}

int verb_source_check(struct cli *cli, struct err *err)
{
    return checked_files(cli, options_dir(cli->settings, OPT_PEYGIR_SOURCES_DIR), check_source, "There are no sources.", err);
}
