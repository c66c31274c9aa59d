/* verb_bot.c: peygir bot check: does a running bot keep its promises? */
#include "base/json.h"
#include "base/rnd.h"
#include "cli/bot_check.h"
#include "core/fleet.h"
#include "core/options.h"

/* In this order: some look at what those before them have made. */
static const struct {
    const char *name;
    promise_fn run;
} promises[] = {
    { "answers", promise_answers },
    { "time-out", promise_time_out },
    { "code", promise_code },
    { "code-message", promise_code_message },
    { "wrong-code", promise_wrong_code },
    { "right-code", promise_right_code },
    { "result", promise_result },
    { "progress", promise_progress },
    { "steps", promise_steps },
    { "cancel", promise_cancel },
    { "cancel-call", promise_cancel_call },
    { "cancel-code", promise_cancel_code },
    { "late", promise_late },
    { "gone", promise_gone },
    { "garbage", promise_garbage },
    { "alive", promise_alive },
};

/* --- the form --- */

/* Values as the JSON API takes them: texts, numbers, true; a confirmation that is not given is as what it confirms. */
static struct span look_up(void *ctx, const char *field)
{
    static const char tail[] = "_confirmation";
    struct json_object *value = NULL;
    size_t len = strlen(field);
    if (!json_object_object_get_ex(ctx, field, &value) && len > sizeof tail && strcmp(field + len - sizeof tail + 1, tail) == 0) {
        char *confirmed = xmemdupz(field, len - sizeof tail + 1);
        json_object_object_get_ex(ctx, confirmed, &value);
        free(confirmed);
    }
    if (json_object_is_type(value, json_type_boolean))
        return json_object_get_boolean(value) ? SPAN("1") : (struct span){ NULL, 0 };
    if (!value || json_object_is_type(value, json_type_array) || json_object_is_type(value, json_type_object))
        return (struct span){ NULL, 0 };
    return span_of(json_object_get_string(value));
}

static void note_broken(void *ctx, const struct service_field *field, const char *sentence)
{
    struct str *all = ctx;
    str_addf(all, "%s%s: %s", all->len ? " " : "", field->name, sentence);
}

static int check_names(const struct service *s, struct json_object *data, struct err *err)
{
    struct json_object_iterator end = json_object_iter_end(data), at;
    for (at = json_object_iter_begin(data); !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at);
        size_t i = 0;
        while (i < s->field_count && (strncmp(name, s->fields[i].name, strlen(s->fields[i].name)) != 0 ||
                                      (strcmp(name + strlen(s->fields[i].name), "") != 0 &&
                                       strcmp(name + strlen(s->fields[i].name), "_confirmation") != 0)))
            i++;
        if (i == s->field_count)
            return err_set(err, ERR_INVALID, "the service %s has no field \"%.60s\"", s->slug, name);
    }
    return 0;
}

static int validate(struct bot_check *c, struct json_object *data, struct err *err)
{
    const struct locales *locales = c->cli->house.locales;
    const struct locale *english = locales_find(locales, SPAN("en"));
    struct str broken = STR_INIT;
    int good = service_validate(c->service, look_up, data, english ? english : locales_default(locales), note_broken, &broken, &c->data);
    if (!good)
        err_set(err, ERR_INVALID, "the service %s needs other data%s: %s", c->service->slug,
                cli_flag(c->cli, "data")->given ? "" : ", to be given with --data", broken.s);
    str_free(&broken);
    return good ? 0 : -1;
}

/* --data, or the first line of standard input, where nobody else on the machine can read it. */
static int read_form(struct bot_check *c, struct err *err)
{
    const char *text = cli_flag(c->cli, "data")->text;
    struct json_object *data = NULL;
    char *line = NULL;
    size_t room = 0;
    if (text && strcmp(text, "-") == 0)
        text = getline(&line, &room, stdin) > 0 ? line : "";
    int result = json_parse(text ? text : "{}", strlen(text ? text : "{}"), &data, err);
    if (result < 0)
        err_prefix(err, "--data is not JSON");
    else if (!json_object_is_type(data, json_type_object))
        result = err_set(err, ERR_INVALID, "--data must be a JSON object, as in {\"name\": \"value\"}");
    if (result == 0 && (check_names(c->service, data, err) < 0 || validate(c, data, err) < 0))
        result = -1;
    json_object_put(data);
    free(line);
    return result;
}

/* --- what it begins with --- */

static int64_t timeout_of(const struct bot_check *c)
{
    int64_t given_s = cli_flag(c->cli, "timeout")->number;
    if (given_s > 0)
        return given_s * 1000;
    return 1000 * (c->service->call_timeout_s > 0 ? c->service->call_timeout_s : settings_int(c->cli->settings, OPT_LOCAL_API_TIMEOUT));
}

static int begin(struct bot_check *c, struct err *err)
{
    const char *slug = c->cli->operands[0], *code = cli_flag(c->cli, "code")->text;
    uint8_t random[8];
    char name[2 * sizeof random + 1];
    c->service = services_find(c->cli->house.services, span_of(slug));
    if (!c->service)
        return err_set(err, ERR_NOT_FOUND, "there is no service \"%.60s\"; peygir service list names them", slug);
    c->timeout_ms = timeout_of(c);
    c->code_shown = cli_flag(c->cli, "code-in-message")->given;
    c->ask_code = code && strcmp(code, "-") == 0;
    if (code && !c->ask_code)
        rules_normalise(span_of(code), &c->code);
    rnd_bytes(random, sizeof random);
    rnd_hex(random, sizeof random, name);
    snprintf(c->owner, sizeof c->owner, "check-%s", name);
    c->cli->house.limit_factor = 0; /* limits are for visitors */
    if (read_form(c, err) < 0)
        return -1;
    int workers = fleet_count(&c->cli->app, err);
    if (workers == 0)
        return err_set(err, ERR_STATE, "no worker has been heard of for 15 s: start peygir-worker, which calls the bot");
    return workers < 0 ? -1 : 0;
}

/* --- what it says --- */

static const char *const status_names[] = { [PROMISE_OK] = "ok", [PROMISE_FAILED] = "failed", [PROMISE_SKIPPED] = "skipped" };

/* People read each line as soon as it is known. */
static void tell(const struct bot_check *c, struct json_object *list, const char *name, const struct verdict *v)
{
    struct json_object *row = json_object_new_object();
    output_set_text(row, "check", name);
    output_set_text(row, "status", status_names[v->status]);
    output_set_masked(row, "detail", v->detail);
    if (!c->cli->json) {
        struct str line = STR_INIT;
        const char *detail = json_object_get_string(json_object_object_get(row, "detail"));
        output_add_text(&line, detail, strlen(detail));
        printf("%-8s %-13s %s\n", status_names[v->status], name, line.s);
        fflush(stdout);
        str_free(&line);
    }
    json_object_array_add(list, row);
}

static int try_promises(struct bot_check *c, struct json_object *list, struct err *err)
{
    bool failed = false;
    for (size_t i = 0; i < ARRAY_LEN(promises); i++) {
        struct verdict v = { PROMISE_OK, "" };
        if (promises[i].run(c, &v, err) < 0)
            return -1;
        tell(c, list, promises[i].name, &v);
        failed = failed || v.status == PROMISE_FAILED;
    }
    return failed;
}

/* Whatever went wrong, nothing of it stays. */
static int clean(struct bot_check *c, int result, struct err *err)
{
    struct err why = ERR_INIT;
    int gone = request_forget_all(&c->cli->app, span_of(c->owner), (struct span){ NULL, 0 }, &why);
    if (gone < 0 && result >= 0)
        *err = why;
    str_free(&c->data);
    str_free(&c->code);
    return gone < 0 ? -1 : result;
}

int verb_bot_check(struct cli *cli, struct err *err)
{
    struct bot_check c = { .cli = cli };
    struct json_object *list = json_object_new_array();
    int result = begin(&c, err);
    if (result == 0)
        result = try_promises(&c, list, err);
    result = clean(&c, result, err);
    if (result >= 0 && cli->json)
        output_list(cli, list, NULL, "");
    else
        json_object_put(list);
    return result;
}
