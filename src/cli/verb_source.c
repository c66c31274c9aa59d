/* verb_source.c: peygir source list|check|fetch */
#include "cli/checked.h"
#include "cli/output.h"
#include "base/clock.h"
#include "core/job_admin.h"
#include "core/job_type.h"
#include "core/options.h"
#include "core/source_fetch.h"

#include <unistd.h>

enum { LOOK_EVERY_US = 50000 };

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

/* --- fetching: by a job as any other, so that limits, rests and claims hold --- */

static void tell_broken(void *ctx, struct span name, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "peygir: %.*s: %s\n", (int)name.len, name.s, sentence);
}

/* The operands: SOURCE METHOD NAME=VALUE... */
static int read_call(struct cli *cli, struct source_call *call, struct err *err)
{
    const struct source *s = sources_find(cli->house.sources, span_of(cli->operands[0]));
    const struct source_method *m = s ? source_find_method(s, span_of(cli->operands[1])) : NULL;
    int count = cli->operand_count - 2, rc = -1;
    struct source_given *given = xcalloc((size_t)count + 1, sizeof *given);
    for (int i = 0; i < count; i++) {
        const char *text = cli->operands[2 + i], *equals = strchrnul(text, '=');
        given[i] = (struct source_given){ { text, (size_t)(equals - text) }, span_of(*equals ? equals + 1 : equals) };
    }
    if (!m)
        err_set(err, ERR_NOT_FOUND, "there is no method \"%.60s\" of a source \"%.60s\"; peygir source list names them", cli->operands[1], cli->operands[0]);
    else if (source_call_read(call, m, given, (size_t)count, locales_find(cli->house.locales, SPAN("en")), tell_broken, NULL))
        rc = 0;
    else
        err_set(err, ERR_INVALID, "nothing was fetched; peygir source list names the parameters");
    free(given);
    return rc;
}

/* Has the job come to something: its end, or a wait before it is tried (again)? */
static bool is_told(const struct job_view *view)
{
    return view->place == JOB_IS_DONE || view->place == JOB_IN_FAILED || (view->place == JOB_IN_DELAYED && view->run > 0);
}

/* 1: it has; 0: not in time. */
static int wait_for(struct cli *cli, const char *queue, const char *id, struct job_view *view, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + cli_flag(cli, "timeout")->number * 1000;
    for (;;) {
        int found = job_look(&cli->app, queue, id, view, err);
        if (found < 0)
            return -1;
        if (found == 0)
            return err_set(err, ERR_NOT_FOUND, "the job %s is gone", id);
        if (is_told(view))
            return 1;
        if (clock_mono_ms() >= until_ms)
            return 0; /* with how it stands */
        job_view_clear(view);
        usleep(LOOK_EVERY_US);
    }
}

static const char *outcome_of(const struct job_view *view, bool told, struct json_object *result)
{
    const char *outcome = json_object_get_string(json_object_object_get(result, "outcome"));
    if (!told)
        return "waiting";
    if (view->place == JOB_IN_DELAYED)
        return view->attempts > 0 ? "failed" : "later";
    return outcome ? outcome : "failed";
}

/* 0: it is in the cache; 1: it is not, or not yet. */
static int print_outcome(const struct cli *cli, const struct source_call *call, const struct job_view *view, bool told)
{
    struct json_object *all = json_object_new_object(), *result = NULL;
    const char *outcome;
    struct str name = STR_INIT;
    int status;
    if (view->result)
        json_parse(view->result, strlen(view->result), &result, NULL);
    outcome = outcome_of(view, told, result);
    status = strcmp(outcome, "stored") != 0 && strcmp(outcome, "unchanged") != 0 && strcmp(outcome, "there") != 0;
    source_add_name(call, &name);
    output_set_text(all, "source", call->method->source->name);
    output_set_text(all, "method", call->method->name);
    output_set_text(all, "key", name.s);
    output_set_text(all, "outcome", outcome);
    output_set_number(all, "bytes", json_object_get_int64(json_object_object_get(result, "bytes")));
    output_set_text(all, "error", view->error ? view->error : strcmp(outcome, "later") == 0 ? view->message : NULL);
    output_set_time(all, "next_at", told && view->place == JOB_IN_DELAYED ? (int64_t)view->score : 0);
    output_set_text(all, "job", view->id);
    output_object(cli, all);
    json_object_put(result);
    str_free(&name);
    return status;
}

static int fetch(struct cli *cli, const struct source_call *call, struct err *err)
{
    const struct job_type *type = job_types_find(cli->house.job_types, SPAN(SOURCE_JOB));
    struct job_view view = { .queue = NULL };
    struct str id = STR_INIT;
    int told = source_push(&cli->app, call, &id, err);
    if (told >= 0)
        told = wait_for(cli, type ? type->queue : NULL, id.s, &view, err);
    if (told == 0 && !cli->json)
        fprintf(stderr, "peygir: note: no worker has done it yet; peygir queue explain %s says why\n", id.s);
    int status = told < 0 ? -1 : print_outcome(cli, call, &view, told > 0);
    job_view_clear(&view);
    str_free(&id);
    return status;
}

int verb_source_fetch(struct cli *cli, struct err *err)
{
    struct source_call call;
    if (read_call(cli, &call, err) < 0)
        return -1;
    int status = fetch(cli, &call, err);
    source_call_clear(&call);
    return status;
}
