/* api_services.c: GET /api/services: what is offered, and the fields each asks for. */
#include "web/api.h"

#include "core/locale.h"
#include "web/dispatch.h"
#include "web/route.h"

static void add_flag(struct str *out, const char *name, bool on)
{
    str_adds(out, name);
    str_adds(out, on ? "true" : "false");
}

static void add_choices(struct str *out, const struct service_field *field, const struct locale *locale)
{
    str_adds(out, ",\"choices\":[");
    for (size_t i = 0; i < field->choice_count; i++) {
        api_add_text(out, i ? ",{\"value\":" : "{\"value\":", field->choices[i].value);
        api_add_text(out, ",\"label\":", text_in(field->choices[i].label, locale));
        str_addc(out, '}');
    }
    str_addc(out, ']');
}

static void add_field(struct str *out, const struct service_field *field, const struct locale *locale)
{
    api_add_text(out, "{\"name\":", field->name);
    api_add_text(out, ",\"label\":", text_in(field->label, locale));
    api_add_text(out, ",\"hint\":", field->hint ? text_in(field->hint, locale) : NULL);
    api_add_text(out, ",\"type\":", field->type);
    add_flag(out, ",\"required\":", rules_required(field->rules));
    add_flag(out, ",\"confirmed\":", rules_confirmed(field->rules));
    if (field->choice_count)
        add_choices(out, field, locale);
    str_addc(out, '}');
}

static void add_closed(struct exchange *x, struct str *out, const struct service *service)
{
    bool closed = dispatch_closed(x, service, &x->words);

    add_flag(out, ",\"closed\":", closed);
    api_add_text(out, ",\"message\":", closed ? x->words.s : NULL);
}

static void add_service(struct exchange *x, struct str *out, const struct service *service)
{
    const struct locale *locale = x->locale;

    api_add_text(out, "{\"slug\":", service->slug);
    api_add_text(out, ",\"title\":", text_in(service->title, locale));
    api_add_text(out, ",\"summary\":", service->summary ? text_in(service->summary, locale) : NULL);
    str_addf(out, ",\"estimated_duration\":%d", service->estimated_duration_s);
    add_flag(out, ",\"needs_code\":", service->code.used);
    add_closed(x, out, service);
    str_adds(out, ",\"fields\":[");
    for (size_t i = 0; i < service->field_count; i++) {
        if (i)
            str_addc(out, ',');
        add_field(out, &service->fields[i], locale);
    }
    str_adds(out, "]}");
}

enum problem api_services(struct exchange *x)
{
    const struct services *services = x->seat->app.house->services;
    struct str *out = api_json(x, 200);

    str_adds(out, "{\"services\":[");
    for (size_t i = 0; i < services_count(services); i++) {
        if (i)
            str_addc(out, ',');
        add_service(x, out, services_at(services, i));
    }
    str_adds(out, "]}");
    return PROBLEM_NONE;
}
