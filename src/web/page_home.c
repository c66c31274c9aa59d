/* page_home.c: the list of services. The same for everybody of a language: no session, no Redis. */
#include "web/page.h"

#include "core/locale.h"
#include "web/dispatch.h"
#include "web/route.h"

enum problem page_home(struct exchange *x)
{
    const struct services *services = x->seat->app.house->services;
    struct json_object *data = page_data(), *list = page_list(data, "services");

    for (size_t i = 0; i < services_count(services); i++)
        page_service_item(x, page_item(list), services_at(services, i));
    x->no_store = false;
    page_answer(x, 200, "home", locale_text(x->locale, "title.home"), data);
    return PROBLEM_NONE;
}
