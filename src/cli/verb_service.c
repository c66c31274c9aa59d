/* verb_service.c: peygir service list|check|close|open */
#include "cli/checked.h"
#include "cli/output.h"
#include "core/closure.h"
#include "core/options.h"
#include "core/service.h"

static void note_closed(void *ctx, struct span slug, struct span message)
{
    char *name = xmemdupz(slug.s, slug.len);
    json_object_object_add(ctx, name, json_object_new_string_len(message.s, (int)message.len));
    free(name);
}

/* Closed services with their messages. NULL: Redis cannot be asked; the list of files is worth something without it. */
static struct json_object *closed_services(struct cli *cli)
{
    struct err err = ERR_INIT;
    struct json_object *closed = json_object_new_object();
    if (closure_each(&cli->app, note_closed, closed, &err) == 0)
        return closed;
    fprintf(stderr, "peygir: note: which services are closed is not known: %s\n", err.text);
    json_object_put(closed);
    return NULL;
}

static struct json_object *row_of(const struct service *s, struct json_object *closed)
{
    struct json_object *row = json_object_new_object(), *message = NULL;
    output_set_text(row, "slug", s->slug);
    output_set_text(row, "title", text_in(s->title, NULL));
    output_set_number(row, "fields", (int64_t)s->field_count);
    output_set_number(row, "steps", (int64_t)s->step_count);
    output_set_bool(row, "code", s->code.used);
    output_set_number(row, "estimated_duration", s->estimated_duration_s);
    json_object_object_add(row, "closed",
                           closed ? json_object_new_boolean(json_object_object_get_ex(closed, s->slug, &message)) : NULL);
    json_object_object_add(row, "closed_message", json_object_get(message));
    return row;
}

int verb_service_list(struct cli *cli, struct err *err)
{
    static const struct column columns[] = { COLUMN("slug", "SLUG"),
                                             COLUMN("title", "TITLE"),
                                             COLUMN("fields", "FIELDS"),
                                             COLUMN("steps", "STEPS"),
                                             COLUMN("code", "CODE"),
                                             COLUMN("estimated_duration", "SECONDS"),
                                             COLUMN("closed", "CLOSED"),
                                             COLUMN_CUT("closed_message", "MESSAGE", 40),
                                             COLUMN_END };
    struct json_object *list = json_object_new_array(), *closed = closed_services(cli);
    (void)err;
    for (size_t i = 0; i < services_count(cli->house.services); i++)
        json_object_array_add(list, row_of(services_at(cli->house.services, i), closed));
    json_object_put(closed);
    output_list(cli, list, columns, "There are no services.");
    return 0;
}

static int check_service(const char *file, struct err *err)
{
    struct service *service = NULL;
    int result = service_load(file, &service, err);
    service_free(service);
    return result;
}

int verb_service_check(struct cli *cli, struct err *err)
{
    return checked_files(cli, options_dir(cli->settings, OPT_PEYGIR_SERVICES_DIR), check_service, "There are no services.",
                         err);
}

/* --- closing --- */

static int print_closed(const struct cli *cli, const char *slug, bool closed, bool changed)
{
    struct json_object *all = json_object_new_object();
    output_set_text(all, "slug", slug);
    output_set_bool(all, "closed", closed);
    output_set_bool(all, "changed", changed);
    output_object(cli, all);
    return 0;
}

int verb_service_close(struct cli *cli, struct err *err)
{
    const char *slug = cli->operands[0], *message = cli_flag(cli, "message")->text;
    if (!services_find(cli->house.services, span_of(slug)))
        return err_set(err, ERR_NOT_FOUND, "there is no service \"%.60s\"; peygir service list names them", slug);
    return closure_set(&cli->app, slug, message, err) < 0 ? -1 : print_closed(cli, slug, true, true);
}

/* A service whose file has gone may still be marked as closed. */
int verb_service_open(struct cli *cli, struct err *err)
{
    const char *slug = cli->operands[0];
    int was = closure_clear(&cli->app, slug, err);
    if (was == 0 && !services_find(cli->house.services, span_of(slug)))
        return err_set(err, ERR_NOT_FOUND, "there is no service \"%.60s\"; peygir service list names them", slug);
    return was < 0 ? -1 : print_closed(cli, slug, false, was == 1);
}
