/* page.c: a page's data, and rendering it into the layout. */
#include "web/page.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "core/locale.h"
#include "core/view.h"
#include "web/dispatch.h"
#include "web/route.h"
#include "web/templates.h"
#include "web/visitor.h"

/* --- data --- */

struct json_object *page_data(void)
{
    return json_object_new_object();
}

void page_span(struct json_object *to, const char *name, struct span text)
{
    struct str mended = STR_INIT;

    if (!text.s) {
        page_null(to, name);
        return;
    }
    if (utf8_valid(text.s, text.len)) {
        json_object_object_add(to, name, json_object_new_string_len(text.s, (int)text.len));
        return;
    }
    utf8_add_mended(&mended, text.s, text.len);
    json_object_object_add(to, name, json_object_new_string_len(mended.s, (int)mended.len));
    str_free(&mended);
}

void page_text(struct json_object *to, const char *name, const char *text)
{
    page_span(to, name, span_of(text));
}

void page_int(struct json_object *to, const char *name, int64_t n)
{
    json_object_object_add(to, name, json_object_new_int64(n));
}

void page_flag(struct json_object *to, const char *name, bool on)
{
    json_object_object_add(to, name, json_object_new_boolean(on));
}

void page_null(struct json_object *to, const char *name)
{
    json_object_object_add(to, name, NULL);
}

struct json_object *page_list(struct json_object *to, const char *name)
{
    struct json_object *list = json_object_new_array();

    json_object_object_add(to, name, list);
    return list;
}

struct json_object *page_object(struct json_object *to, const char *name)
{
    struct json_object *object = json_object_new_object();

    json_object_object_add(to, name, object);
    return object;
}

struct json_object *page_item(struct json_object *list)
{
    struct json_object *item = json_object_new_object();

    json_object_array_add(list, item);
    return item;
}

/* --- words --- */

const char *page_words(struct exchange *x, const char *key, const char *const params[])
{
    str_reset(&x->words);
    locale_add(x->locale, &x->words, key, params);
    return x->words.s;
}

const char *page_number(struct exchange *x, int64_t n)
{
    str_reset(&x->words);
    locale_add_number(x->locale, &x->words, n);
    return x->words.s;
}

const char *page_duration(struct exchange *x, int64_t seconds)
{
    str_reset(&x->words);
    locale_add_duration(x->locale, &x->words, seconds);
    return x->words.s;
}

const char *page_time(struct exchange *x, struct span rfc3339)
{
    int64_t ms = rfc3339.s ? clock_parse_rfc3339(rfc3339) : -1;

    if (ms < 0)
        return NULL;
    str_reset(&x->words);
    locale_add_date(x->locale, &x->words, ms, true);
    return x->words.s;
}

/* --- common data --- */

struct json_object **page_bases(const struct locales *locales)
{
    struct json_object **bases = xcalloc(locales_count(locales), sizeof *bases);

    for (size_t i = 0; i < locales_count(locales); i++) {
        const struct locale *locale = locales_at(locales, i);
        struct json_object *catalogue = NULL;
        struct err err = ERR_INIT;
        size_t len;
        const char *text = locale_catalogue(locale, &len);

        json_parse(text, len, &catalogue, &err); /* it was checked when it was loaded */
        bases[i] = page_data();
        json_object_object_add(bases[i], "t", catalogue);
        page_text(bases[i], "lang", locale_code(locale));
        page_text(bases[i], "dir", locale_is_rtl(locale) ? "rtl" : "ltr");
    }
    return bases;
}

void page_bases_free(struct json_object **bases, const struct locales *locales)
{
    for (size_t i = 0; i < locales_count(locales); i++)
        json_object_put(bases[i]);
    free(bases);
}

static struct json_object *base_of(const struct exchange *x)
{
    const struct locales *locales = x->seat->app.house->locales;
    size_t i = 0;

    while (locales_at(locales, i) != x->locale)
        i++;
    return x->seat->bases[i];
}

/* This page in another language. A path that only answers POST is no page to come back to; one that begins with two
 * slashes would lead to another host. */
static void add_switch_url(struct exchange *x, struct str *out, const char *code)
{
    struct span path = x->path;
    struct route_names names;
    enum problem problem;

    route_find(METHOD_GET, x->segment, x->segment_count, &names, &problem);
    if (problem == PROBLEM_METHOD || path.len == 0 || (path.len > 1 && path.s[1] == '/'))
        path = SPAN("/");
    str_add_span(out, path);
    str_addc(out, '?');
    for (size_t i = 0; path.len > 1 && x->method != METHOD_POST && i < x->query.count; i++) {
        const struct form_field *f = &x->query.field[i];
        if (span_is(f->name, "lang"))
            continue;
        str_add_url(out, f->name.s, f->name.len);
        str_addc(out, '=');
        str_add_url(out, f->value.s, f->value.len);
        str_addc(out, '&');
    }
    str_adds(out, "lang=");
    str_adds(out, code);
}

static void add_languages(struct exchange *x, struct json_object *common)
{
    const struct locales *locales = x->seat->app.house->locales;
    struct json_object *list = page_list(common, "languages");

    for (size_t i = 0; i < locales_count(locales); i++) {
        const struct locale *locale = locales_at(locales, i);
        struct json_object *item = page_item(list);

        page_text(item, "code", locale_code(locale));
        page_text(item, "name", locale_text(locale, "language.name"));
        page_text(item, "dir", locale_is_rtl(locale) ? "rtl" : "ltr");
        page_flag(item, "current", locale == x->locale);
        str_reset(&x->scratch);
        add_switch_url(x, &x->scratch, locale_code(locale));
        page_text(item, "url", x->scratch.s);
    }
}

static struct json_object *common_data(struct exchange *x, const char *name, const char *title)
{
    struct json_object *common = page_data();
    char csrf[65];

    page_text(common, "title", title);
    page_text(common, "page", name);
    page_flag(common, "at_home", strcmp(name, "home") == 0);
    page_flag(common, "at_requests", strcmp(name, "requests") == 0);
    page_flag(common, "at_notifications", strcmp(name, "notifications") == 0);
    page_flag(common, "at_market", strcmp(name, "market") == 0);
    page_flag(common, "has_market", page_has_market(x));
    page_flag(common, "at_account", strcmp(name, "account") == 0);
    page_flag(common, "is_user", visitor_is_user(x));
    page_text(common, "csrf", visitor_csrf(x, csrf));
    page_null(common, "refresh_s");
    add_languages(x, common);
    return common;
}

void page_service(struct exchange *x, struct json_object *data)
{
    page_service_item(x, page_object(data, "service"), x->service);
}

void page_service_item(struct exchange *x, struct json_object *item, const struct service *service)
{
    const char *title = text_in(service->title, x->locale);

    page_text(item, "slug", service->slug);
    page_text(item, "title", title);
    page_text(item, "summary", service->summary ? text_in(service->summary, x->locale) : NULL);
    page_text(item, "duration", page_duration(x, service->estimated_duration_s));
    str_reset(&x->scratch);
    str_addf(&x->scratch, "/services/%s", service->slug);
    page_text(item, "url", x->scratch.s);
}

bool page_is_auto(const struct exchange *x)
{
    return x->method != METHOD_POST && span_is(form_get(&x->query, "auto"), "1");
}

void page_refresh(struct exchange *x, struct json_object *data, int seconds)
{
    bool by_itself = page_is_auto(x);

    page_span(data, "refresh_url", x->path);
    page_flag(data, "auto", by_itself);
    str_reset(&x->scratch);
    str_add_span(&x->scratch, x->path);
    page_text(data, "manual_url", x->scratch.s);
    str_adds(&x->scratch, "?auto=1");
    page_text(data, "auto_url", x->scratch.s);
    if (!by_itself)
        return;
    page_text(data, "refresh_url", x->scratch.s);
    page_int(data, "refresh_s", seconds);
    exchange_header_int(x, "Refresh", seconds);
}

/* --- answers --- */

struct lookup {
    const struct exchange *x;
    const char *content; /* the page's name */
};

static const struct mustache *look_up(void *ctx, const char *name)
{
    const struct lookup *l = ctx;
    const struct service *service = l->x->service;

    if (strcmp(name, "content") == 0)
        name = l->content;
    return pages_find(l->x->seat->web->pages, service ? service->slug : NULL, name);
}

void page_answer(struct exchange *x, int status, const char *name, const char *title, struct json_object *data)
{
    struct json_object *common = common_data(x, name, title), *stack[] = { base_of(x), common, data };
    struct lookup lookup = { x, name };

    x->status = status;
    str_reset(&x->answer);
    mustache_render(look_up(&lookup, "layout"), stack, ARRAY_LEN(stack), look_up, &lookup, &x->answer);
    json_object_put(common);
    json_object_put(data);
}

void page_redirect(struct exchange *x, struct span place)
{
    x->status = 303;
    exchange_header(x, "Location", place);
    str_reset(&x->answer);
}

bool page_elsewhere(struct exchange *x)
{
    str_reset(&x->scratch);
    view_add_place(&x->scratch, &x->request);
    if (span_eq((struct span){ x->scratch.s, x->scratch.len }, x->path))
        return false;
    page_redirect(x, (struct span){ x->scratch.s, x->scratch.len });
    return true;
}

/* --- pages of a request --- */

bool page_place_is(const char *place, const char *kind)
{
    const char *slug = place + strlen("/services/"), *slash = strchr(slug, '/');
    size_t len = strlen(kind);

    return slash && strncmp(slash + 1, kind, len) == 0 && slash[1 + len] == '/';
}

const char *page_raw(struct exchange *x, struct span json)
{
    str_reset(&x->scratch);
    return raw_string(json, &x->scratch) ? x->scratch.s : NULL;
}

static void add_url(struct exchange *x, struct json_object *data, const char *name, const char *before,
                    const char *after)
{
    str_reset(&x->scratch);
    str_addf(&x->scratch, "%s%s%s", before, x->request.hash, after);
    page_text(data, name, x->scratch.s);
}

void page_message(struct exchange *x, struct json_object *data, struct span json)
{
    const char *text = page_raw(x, json);

    str_reset(&x->words);
    if (text)
        locale_add_message(x->locale, &x->words, span_of(text));
    page_text(data, "message", x->words.len ? x->words.s : NULL);
}

void page_request(struct exchange *x, struct json_object *data)
{
    const char *status = request_status_name(x->request.status);
    char *cancel = xasprintf("/services/%s/cancel/", x->service->slug);

    page_service(x, data);
    page_text(data, "hash", x->request.hash);
    page_text(data, "status", status);
    page_int(data, "revision", x->request.guard.revision);
    str_reset(&x->scratch);
    str_addf(&x->scratch, "status.%s", status);
    page_text(data, "status_text", locale_text(x->locale, x->scratch.s));
    page_message(x, data, view_message(&x->request));
    add_url(x, data, "status_url", "/api/local-requests/", "/status");
    add_url(x, data, "events_url", "/api/local-requests/", "/events");
    add_url(x, data, "cancel_url", cancel, "");
    str_reset(&x->scratch);
    view_add_place(&x->scratch, &x->request);
    page_text(data, "place", x->scratch.s);
    free(cancel);
}
