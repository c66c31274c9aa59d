/* page_error.c: the page for every answer that is not what was asked for. It says what happened and where to go on,
 * and nothing of the inside. */
#include "web/page.h"

#include "core/locale.h"
#include "core/view.h"
#include "web/route.h"

#include <string.h>

static void add_link(struct json_object *data, const char *url, const char *text)
{
    struct json_object *link = page_object(data, "link");

    page_text(link, "url", url);
    page_text(link, "text", text);
}

/* Back to the visitor's request, else to the service's form. */
static void add_way_on(struct exchange *x, struct json_object *data)
{
    static const char *const keys[] = { "link.progress", "link.otp", "link.result" };
    const char *key = "link.form";

    str_reset(&x->scratch);
    if (x->has_request && x->problem != PROBLEM_NOT_FOUND) {
        view_add_place(&x->scratch, &x->request);
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            if (page_place_is(x->scratch.s, keys[i] + strlen("link.")))
                key = keys[i];
    } else if (x->service) {
        str_addf(&x->scratch, "/services/%s", x->service->slug);
    }
    if (x->scratch.len)
        add_link(data, x->scratch.s, locale_text(x->locale, key));
}

static bool says_time(const struct exchange *x)
{
    return x->detail && x->detail_param[0] && strcmp(x->detail_param[0], "time") == 0;
}

/* When to try again, unless the page's own sentence says it. */
static void add_retry(struct exchange *x, struct json_object *data)
{
    int seconds = x->err.retry_after_s;
    char *words;

    if (seconds <= 0)
        return;
    page_int(data, "retry_after", seconds);
    if (says_time(x))
        return;
    words = xstrdup(page_duration(x, seconds));
    page_text(data, "retry_text", page_words(x, "http.retry", LOCALE_PARAMS("time", words)));
    free(words);
}

void page_problem(struct exchange *x)
{
    const struct problem_row *row = &problems[x->problem];
    struct json_object *data = page_data();
    const char *heading = locale_text(x->locale, row->title);

    page_int(data, "status", row->status);
    page_text(data, "status_number", page_number(x, row->status));
    page_text(data, "name", row->name);
    page_text(data, "heading", heading);
    str_reset(&x->words);
    exchange_add_sentence(x, &x->words);
    page_text(data, "text", x->words.s);
    add_retry(x, data);
    add_way_on(x, data);
    page_answer(x, row->status, "error", heading, data);
}
