/* page_home.c: the list of services. The same for everybody of a language: no session, and Redis only for what is closed. */
#include "web/page.h"

#include "core/locale.h"
#include "web/dispatch.h"
#include "web/route.h"

enum problem page_home(struct exchange *x)
{
    const struct services *services = x->seat->app.house->services;
    struct json_object *data = page_data(), *list = page_list(data, "services");

    for (size_t i = 0; i < services_count(services); i++) {
        const struct service *service = services_at(services, i);
        struct json_object *item = page_item(list);

        page_service_item(x, item, service);
        page_text(item, "closed", dispatch_closed(x, service, &x->words) ? x->words.s : NULL);
    }
    x->no_store = false;
    page_answer(x, 200, "home", locale_text(x->locale, "title.home"), data);
    return PROBLEM_NONE;
}
