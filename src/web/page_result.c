/* page_result.c: how a request ended: the result as its service lays it out, or what happened and what to do. */
#include "web/page.h"

#include "base/clock.h"
#include "base/json.h"
#include "core/locale.h"
#include "web/dispatch.h"
#include "web/route.h"

#define NESTED_MAX 6
#define ITEMS_MAX 1000 /* of a list; a bot may send half a million, and a page holds each several times */

/* --- values in words --- */

static void add_words(struct exchange *x, struct str *out, struct json_object *value, int depth);

static void add_list_words(struct exchange *x, struct str *out, struct json_object *list, int depth)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        str_adds(out, i ? " | " : "");
        add_words(x, out, json_object_array_get_idx(list, i), depth + 1);
    }
}

static void add_object_words(struct exchange *x, struct str *out, struct json_object *object, int depth)
{
    bool first = true;

    FORM_EACH_MEMBER(i, object) {
        str_adds(out, first ? "" : " | ");
        str_adds(out, json_object_iter_peek_name(&i));
        str_adds(out, ": ");
        add_words(x, out, json_object_iter_peek_value(&i), depth + 1);
        first = false;
    }
}

/* Any value on one line. What is nested deeper than people can read is left out. */
static void add_words(struct exchange *x, struct str *out, struct json_object *value, int depth)
{
    switch (json_object_get_type(value)) {
    case json_type_string:
        str_add(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
        break;
    case json_type_boolean:
        str_adds(out, locale_text(x->locale, json_object_get_boolean(value) ? "result.yes" : "result.no"));
        break;
    case json_type_int:
    case json_type_double:
        locale_add_digits(x->locale, out, span_of(json_object_get_string(value)));
        break;
    case json_type_array:
    case json_type_object:
        if (depth >= NESTED_MAX)
            str_adds(out, "…");
        else if (json_object_is_type(value, json_type_array))
            add_list_words(x, out, value, depth);
        else
            add_object_words(x, out, value, depth);
        break;
    default:
        str_adds(out, "–");
    }
}

static const char *words_of(struct exchange *x, struct json_object *value)
{
    str_reset(&x->words);
    add_words(x, &x->words, value, 0);
    return x->words.s;
}

/* --- formats: each answers false for a value that is not of its kind, which is then shown as text --- */

static void put_text(struct exchange *x, struct json_object *row, struct json_object *value)
{
    page_flag(row, "is_text", true);
    page_text(row, "value", words_of(x, value));
}

static bool put_number(struct exchange *x, struct json_object *row, struct json_object *value)
{
    bool whole = json_object_is_type(value, json_type_int);

    if (!whole && !json_object_is_type(value, json_type_double))
        return false;
    page_flag(row, "is_number", true);
    page_text(row, "value", whole ? page_number(x, json_object_get_int64(value)) : words_of(x, value));
    return true;
}

static bool put_money(struct exchange *x, struct json_object *row, struct json_object *value)
{
    char *amount;

    if (!json_object_is_type(value, json_type_int))
        return false;
    amount = xstrdup(page_number(x, json_object_get_int64(value)));
    page_flag(row, "is_number", true);
    page_text(row, "value", page_words(x, "result.money", LOCALE_PARAMS("amount", amount)));
    free(amount);
    return true;
}

/* An RFC 3339 time, or a day alone. */
static bool put_date(struct exchange *x, struct json_object *row, struct json_object *value)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    bool with_time = strlen(text) > strlen("2026-01-02");
    int64_t ms;

    str_reset(&x->scratch);
    str_addf(&x->scratch, "%s%s", text, with_time ? "" : "T12:00:00Z");
    ms = clock_parse_rfc3339((struct span){ x->scratch.s, x->scratch.len });
    if (ms < 0)
        return false;
    str_reset(&x->words);
    locale_add_date(x->locale, &x->words, ms, with_time);
    page_flag(row, "is_date", true);
    page_text(row, "value", x->words.s);
    return true;
}

static bool put_list(struct exchange *x, struct json_object *row, struct json_object *value)
{
    struct json_object *items;

    if (!json_object_is_type(value, json_type_array))
        return false;
    page_flag(row, "is_list", true);
    items = page_list(row, "items");
    for (size_t i = 0; i < json_object_array_length(value) && i < ITEMS_MAX; i++)
        page_text(page_item(items), "value", words_of(x, json_object_array_get_idx(value, i)));
    if (json_object_array_length(value) > ITEMS_MAX)
        page_text(page_item(items), "value", "…");
    return true;
}

/* A script in an address would run on this site: http and https only. */
static bool put_link(struct exchange *x, struct json_object *row, struct json_object *value)
{
    const char *url = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";

    (void)x;
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        return false;
    page_flag(row, "is_link", true);
    page_text(row, "url", url);
    page_text(row, "value", url);
    return true;
}

static bool (*const put[])(struct exchange *, struct json_object *, struct json_object *) = {
    [RESULT_TEXT] = NULL,      [RESULT_NUMBER] = put_number, [RESULT_MONEY] = put_money,
    [RESULT_DATE] = put_date,  [RESULT_LIST] = put_list,     [RESULT_LINK] = put_link,
};

static void add_row(struct exchange *x, struct json_object *rows, const char *label, enum result_format format,
                    struct json_object *value)
{
    static const char *const kinds[] = { "is_text", "is_number", "is_date", "is_list", "is_link" };
    struct json_object *row = page_item(rows);

    page_text(row, "label", label);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        page_flag(row, kinds[i], false);
    if (!put[format] || !put[format](x, row, value))
        put_text(x, row, value);
}

/* --- the table --- */

/* The value at a dotted path; NULL: there is none. A piece that is a number counts in a list. */
static struct json_object *at_path(struct json_object *value, const char *path)
{
    while (value && *path) {
        size_t len = strcspn(path, ".");
        char *piece = xmemdupz(path, len);

        if (json_object_is_type(value, json_type_array))
            value = json_object_array_get_idx(value, strtoul(piece, NULL, 10));
        else if (!json_object_is_type(value, json_type_object) || !json_object_object_get_ex(value, piece, &value))
            value = NULL;
        free(piece);
        path += len + (path[len] == '.');
    }
    return value;
}

static void add_laid_out(struct exchange *x, struct json_object *rows, struct json_object *result)
{
    for (size_t i = 0; i < x->service->result_count; i++) {
        const struct service_result *r = &x->service->results[i];
        struct json_object *value = at_path(result, r->path);

        if (value)
            add_row(x, rows, text_in(r->label, x->locale), r->format, value);
    }
}

/* A plain table of the top-level members. */
static void add_plain(struct exchange *x, struct json_object *rows, struct json_object *result)
{
    if (!json_object_is_type(result, json_type_object))
        return;
    FORM_EACH_MEMBER(i, result) {
        struct json_object *value = json_object_iter_peek_value(&i);
        enum result_format format = json_object_is_type(value, json_type_array) ? RESULT_LIST
                                    : json_object_is_type(value, json_type_int) ? RESULT_NUMBER : RESULT_TEXT;

        add_row(x, rows, json_object_iter_peek_name(&i), format, value);
    }
}

static void add_rows(struct exchange *x, struct json_object *data)
{
    bool completed = x->request.status == REQUEST_COMPLETED;
    struct json_object *rows = page_list(data, "rows"), *result = NULL;
    struct str text = STR_INIT;
    bool opened = !completed || request_open(&x->seat->app, &x->request, DOC_RESULT, &text, NULL) == 0;

    if (completed && opened && json_parse_wide(text.s, text.len, &result, NULL) == 0 && result) {
        if (x->service->result_count)
            add_laid_out(x, rows, result);
        if (json_object_array_length(rows) == 0)
            add_plain(x, rows, result);
    }
    page_flag(data, "is_unreadable", !opened);
    page_flag(data, "has_rows", json_object_array_length(rows) > 0);
    page_flag(data, "is_empty", opened && json_object_array_length(rows) == 0);
    json_object_put(result);
    str_free(&text);
}

/* --- the page --- */

static void add_error(struct exchange *x, struct json_object *data)
{
    static const char *const names[] = { "code", "message", "retryable" };
    struct span value[ARRAY_LEN(names)], text = document_value(&x->request.doc, DOC_ERROR);
    bool failed = x->request.status == REQUEST_FAILED, retryable = false;
    const char *advice = NULL;
    struct json_object *error;

    page_null(data, "error");
    if (failed && raw_get_many(text, names, value, ARRAY_LEN(names)) > 0) {
        retryable = span_is(value[2], "true");
        error = page_object(data, "error");
        page_text(error, "code", page_raw(x, value[0]));
        page_message(x, error, value[1]);
        page_flag(error, "retryable", retryable);
    }
    if (x->request.status == REQUEST_CANCELLED)
        advice = "result.advice_cancelled";
    else if (failed)
        advice = retryable ? "result.advice_retry" : "result.advice_new";
    page_text(data, "advice", advice ? locale_text(x->locale, advice) : NULL);
}

static void add_links(struct exchange *x, struct json_object *data)
{
    str_reset(&x->scratch);
    str_addf(&x->scratch, "/services/%s", x->service->slug);
    page_text(data, "new_url", x->scratch.s);
    str_addf(&x->scratch, "?again=%s", x->request.hash);
    page_text(data, "again_url", x->scratch.s);
    str_reset(&x->scratch);
    str_addf(&x->scratch, "/services/%s/delete/%s", x->service->slug, x->request.hash);
    page_text(data, "delete_url", x->scratch.s);
}

enum problem page_result(struct exchange *x)
{
    struct json_object *data;
    const char *finished, *service;

    if (page_elsewhere(x))
        return PROBLEM_NONE;
    data = page_data();
    page_request(x, data);
    page_flag(data, "is_completed", x->request.status == REQUEST_COMPLETED);
    page_flag(data, "is_failed", x->request.status == REQUEST_FAILED);
    page_flag(data, "is_cancelled", x->request.status == REQUEST_CANCELLED);
    finished = page_raw(x, document_value(&x->request.doc, DOC_COMPLETED));
    page_text(data, "finished_at", finished ? page_time(x, span_of(finished)) : NULL);
    add_rows(x, data);
    add_error(x, data);
    add_links(x, data);
    service = text_in(x->service->title, x->locale);
    page_answer(x, 200, "result", page_words(x, "title.result", LOCALE_PARAMS("service", service)), data);
    return PROBLEM_NONE;
}
