/* handler.c: THE handler table */
#include "worker/handler.h"

static const struct handler *const handlers[] = { &handler_http, &handler_exec, &handler_fetch, &handler_notify, &handler_mail,
                                                  &handler_none, &handler_maintenance, &handler_webhook };

const struct handler *handler_find(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(handlers); i++)
        if (strcmp(handlers[i]->name, name) == 0)
            return handlers[i];
    return NULL;
}
