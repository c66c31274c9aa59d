/* page_form.c: the form of a service: shown, filled again with what was wrong, sent. */
#include "web/page.h"

#include "base/json.h"
#include "core/locale.h"
#include "web/dispatch.h"
#include "web/route.h"
#include "web/submit.h"

#define KEY_MAX 64

/* How the types of a definition are shown. */
static const struct input {
    const char *type, *kind, *html_type, *inputmode;
    bool ltr;
} inputs[] = {
    { "text", "is_input", "text", NULL, false },         { "tel", "is_input", "tel", "tel", true },
    { "number", "is_input", "text", "numeric", true },   { "email", "is_input", "email", "email", true },
    { FIELD_NEWS, "is_input", "email", "email", true },
    { "date", "is_input", "text", "numeric", true },     { "password", "is_input", "password", NULL, true },
    { "select", "is_select", NULL, NULL, false },        { "checkbox", "is_checkbox", NULL, NULL, false },
    { "textarea", "is_textarea", NULL, NULL, false },
};

static const struct input *input_of(const struct service_field *field)
{
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++)
        if (strcmp(inputs[i].type, field->type) == 0)
            return &inputs[i];
    return &inputs[0];
}

static void add_choices(struct exchange *x, struct json_object *item, const struct service_field *field,
                        struct span value)
{
    struct json_object *list = page_list(item, "choices");

    for (size_t i = 0; i < field->choice_count; i++) {
        struct json_object *choice = page_item(list);
        page_text(choice, "value", field->choices[i].value);
        page_text(choice, "label", text_in(field->choices[i].label, x->locale));
        page_flag(choice, "selected", span_is(value, field->choices[i].value));
    }
}

static void add_kind(struct exchange *x, struct json_object *item, const struct service_field *field, struct span value)
{
    static const char *const kinds[] = { "is_input", "is_select", "is_checkbox", "is_textarea" };
    const struct input *input = input_of(field);
    bool numeric = rules_numeric(field->rules);
    int64_t max = rules_max_length(field->rules);

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        page_flag(item, kinds[i], strcmp(kinds[i], input->kind) == 0);
    page_text(item, "type", input->html_type);
    page_text(item, "inputmode", numeric && !input->inputmode ? "numeric" : input->inputmode);
    page_flag(item, "ltr", input->ltr || numeric);
    page_flag(item, "checked", value.len > 0 && !span_is(value, "0"));
    if (max > 0)
        page_int(item, "maxlength", max);
    else
        page_null(item, "maxlength");
    add_choices(x, item, field, value);
}

/* The ids by which a screen reader finds hint and error. */
static void add_ids(struct exchange *x, struct json_object *item, const char *name, bool has_hint, bool has_error)
{
    const struct {
        const char *member, *suffix;
        bool used;
    } rows[] = { { "id", "", true }, { "hint_id", "-hint", has_hint }, { "error_id", "-error", has_error } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str_reset(&x->scratch);
        str_addf(&x->scratch, "f-%s%s", name, rows[i].suffix);
        page_text(item, rows[i].member, rows[i].used ? x->scratch.s : NULL);
    }
    str_reset(&x->scratch);
    if (has_hint)
        str_addf(&x->scratch, "f-%s-hint", name);
    if (has_error)
        str_addf(&x->scratch, "%sf-%s-error", has_hint ? " " : "", name);
    page_text(item, "described_by", x->scratch.len ? x->scratch.s : NULL);
}

static const char *text_or_null(const struct text *t, const struct locale *locale)
{
    return t ? text_in(t, locale) : NULL;
}

/* `name` and `label` are the field's own, or those of its repetition. */
static void add_field(struct exchange *x, struct json_object *item, const struct service_field *field, const char *name,
                      const char *label, const char *error)
{
    struct span value = form_get(&x->form, name);
    const char *hint = strcmp(name, field->name) == 0 ? text_or_null(field->hint, x->locale) : NULL;

    if (strcmp(field->type, "password") == 0 || !value.s)
        value = SPAN("");
    page_text(item, "name", name);
    page_text(item, "label", label);
    page_text(item, "hint", hint);
    page_text(item, "placeholder", text_or_null(field->placeholder, x->locale));
    page_text(item, "autocomplete", field->autocomplete);
    page_flag(item, "required", rules_required(field->rules));
    page_span(item, "value", value);
    page_text(item, "error", error);
    page_flag(item, "has_error", error != NULL);
    add_ids(x, item, name, hint != NULL, error != NULL);
    add_kind(x, item, field, value);
}

static const char *error_of(struct json_object *wrong, const char *name)
{
    struct json_object *sentence = NULL;

    return wrong && json_object_object_get_ex(wrong, name, &sentence) ? json_object_get_string(sentence) : NULL;
}

/* All fields in order; one that must be confirmed is followed by its repetition. */
static void add_fields(struct exchange *x, struct json_object *list, struct json_object *wrong)
{
    for (size_t i = 0; i < x->service->field_count; i++) {
        const struct service_field *field = &x->service->fields[i];
        const char *label = text_in(field->label, x->locale);
        char *again;

        add_field(x, page_item(list), field, field->name, label, error_of(wrong, field->name));
        if (!rules_confirmed(field->rules))
            continue;
        again = xasprintf("%s_confirmation", field->name);
        add_field(x, page_item(list), field, again, page_words(x, "form.confirm", LOCALE_PARAMS("field", label)), NULL);
        free(again);
    }
}

/* The summary lists what is wrong in the order of the fields. */
static void add_summary(struct exchange *x, struct json_object *data, struct json_object *wrong)
{
    struct json_object *list;

    if (!wrong || json_object_object_length(wrong) == 0) {
        page_null(data, "errors");
        return;
    }
    list = page_list(page_object(data, "errors"), "list");
    for (size_t i = 0; i < x->service->field_count; i++) {
        const char *name = x->service->fields[i].name, *sentence = error_of(wrong, name);
        struct json_object *item;

        if (!sentence)
            continue;
        item = page_item(list);
        str_reset(&x->scratch);
        str_addf(&x->scratch, "#f-%s", name);
        page_text(item, "href", x->scratch.s);
        page_text(item, "text", sentence);
    }
}

/* The key the form was sent with stays its key: sending it again makes the same request. */
static void add_key(struct exchange *x, struct json_object *data)
{
    struct span key = form_get(&x->form, "_key");
    char fresh[SUBMIT_KEY_SIZE];

    if (key.len > 0 && key.len <= KEY_MAX) {
        page_span(data, "key", key);
        return;
    }
    submit_new_key(fresh);
    page_text(data, "key", fresh);
}

/* The form with the values of x->form. `wrong`: sentences by field, or NULL; `notice`: above it, or NULL. */
static void show(struct exchange *x, int status, struct json_object *wrong, const char *notice)
{
    const struct service *service = x->service;
    struct json_object *data = page_data();
    const char *title = text_in(service->title, x->locale);
    bool mistakes = wrong && json_object_object_length(wrong) > 0;

    page_service(x, data);
    add_key(x, data);
    page_text(data, "submit",
              service->submit ? text_in(service->submit, x->locale) : locale_text(x->locale, "form.submit"));
    page_text(data, "notice", notice);
    add_summary(x, data, wrong);
    add_fields(x, page_list(data, "fields"), wrong);
    str_reset(&x->words);
    if (mistakes)
        str_addf(&x->words, "%s: ", locale_text(x->locale, "title.error"));
    locale_add(x->locale, &x->words, "title.form", LOCALE_PARAMS("service", title));
    page_answer(x, status, "form", x->words.s, data);
}

/* "Start again with these values": fill the form from an own earlier request. Whatever is not there or not theirs
 * fills nothing. */
static int fill_again(struct exchange *x)
{
    struct span hash = form_get(&x->query, "again");
    struct json_object *values = NULL;
    struct str data = STR_INIT;
    int found;

    if (!keys_is_hash(hash) || !x->session.known)
        return 0;
    found = request_read(&x->seat->app, hash, &x->request, &x->err);
    if (found <= 0)
        return found;
    if (!request_belongs(&x->request, span_of(x->session.owner), span_of(x->session.user_id)) ||
        !span_eq(request_slug(&x->request), x->slug))
        return 0;
    if (request_open(&x->seat->app, &x->request, DOC_DATA, &data, NULL) == 0 && json_parse(data.s, data.len, &values, NULL) == 0 && json_object_is_type(values, json_type_object) &&
        form_from_json(&x->form, values, NULL) < 0)
        form_reset(&x->form);
    json_object_put(values);
    str_free(&data);
    return 0;
}

enum problem page_form(struct exchange *x)
{
    if (fill_again(x) < 0)
        return exchange_fail(x);
    show(x, 200, NULL, NULL);
    return PROBLEM_NONE;
}

static void go_to_progress(struct exchange *x, const char *hash)
{
    str_reset(&x->scratch);
    str_addf(&x->scratch, "/services/%s/progress/%s", x->service->slug, hash);
    page_redirect(x, (struct span){ x->scratch.s, x->scratch.len });
}

/* The form with its values, and when a code or mail may go there again. */
static void show_too_many(struct exchange *x, const char *words)
{
    struct str notice = STR_INIT, time = STR_INIT;

    locale_add_duration(x->locale, &time, x->err.retry_after_s);
    locale_add(x->locale, &notice, words, LOCALE_PARAMS("time", time.s));
    exchange_header_int(x, "Retry-After", x->err.retry_after_s);
    show(x, problems[PROBLEM_TOO_MANY].status, NULL, notice.s);
    str_free(&time);
    str_free(&notice);
}

enum problem page_form_submit(struct exchange *x)
{
    struct str data = STR_INIT;
    struct json_object *wrong = NULL;
    struct submission s = { .key = form_get(&x->form, "_key") };
    enum problem problem = PROBLEM_NONE;
    char hash[HASH_SIZE];
    int good;

    if (s.key.len > KEY_MAX)
        return PROBLEM_BAD_REQUEST;
    good = submit_check(x, &data, &wrong);
    s.data = (struct span){ data.s, data.len };
    if (!good)
        show(x, 422, wrong, NULL);
    else if (submit_request(x, &s, hash) < 0)
        problem = exchange_fail(x);
    else
        go_to_progress(x, hash);
    if (problem == PROBLEM_TOO_MANY) {
        show_too_many(x, s.too_many);
        problem = PROBLEM_NONE;
    }
    json_object_put(wrong);
    str_free(&data);
    return problem;
}

/* Instead of the form. */
enum problem page_form_closed(struct exchange *x)
{
    struct json_object *data;

    if (x->problem != PROBLEM_CLOSED)
        return x->problem;
    data = page_data();
    page_service(x, data);
    page_text(data, "message", x->said.s);
    str_reset(&x->words);
    locale_add(x->locale, &x->words, "title.form", LOCALE_PARAMS("service", text_in(x->service->title, x->locale)));
    page_answer(x, problems[x->problem].status, "closed", x->words.s, data);
    return PROBLEM_NONE;
}

/* What was typed is kept when Redis is away, too much is waiting or the service is closed. After a failed CSRF check it is kept only when
 * the browser says that the form was on this site: nobody else fills in our forms. */
enum problem page_form_refused(struct exchange *x)
{
    bool csrf = x->problem == PROBLEM_FORBIDDEN;
    const char *notice = csrf ? "form.notice_csrf" : "form.notice_away";

    if (!csrf && problems[x->problem].status != 503)
        return x->problem;

    if (csrf && !span_is(x->param[PARAM_FETCH_SITE], "same-origin")) {
        form_reset(&x->form);
        notice = problems[x->problem].text;
    }
    show(x, problems[x->problem].status, NULL, x->said.len ? x->said.s : locale_text(x->locale, notice));
    return PROBLEM_NONE;
}
