/* request_seal.c: the personal values of a request, sealed where they lie */
#include "core/change.h"
#include "core/seal.h"

#include "base/log.h"

static const enum document_field personal[] = { DOC_DATA, DOC_RESULT };

static bool is_plain(struct span value)
{
    return value.s && !span_is(value, "null") && !seal_is(value);
}

/* A service that is not there any more has not said that its values may lie open. */
static bool service_seals(const struct app *app, const struct request *rq)
{
    const struct service *service = request_service(app, rq);
    return app->house->secret && app->house->services && (!service || service->seal != SERVICE_SEAL_OFF);
}

bool request_lies_open(const struct app *app, const struct request *rq)
{
    bool plain = false;
    for (size_t i = 0; i < ARRAY_LEN(personal); i++)
        plain = plain || is_plain(rq->doc.field[personal[i]]);
    return plain && service_seals(app, rq);
}

int request_open(const struct app *app, const struct request *rq, enum document_field field, struct str *out, struct err *err)
{
    struct err local = ERR_INIT;
    struct span value = document_value(&rq->doc, field);
    int opened = seal_open(out, app->house->secret, span_of(rq->hash), document_names[field], value, &local);
    if (opened == 0)
        str_add_span(out, value);
    if (opened < 0) {
        log_event(LOG_ERROR, LOG_FIELDS("request", rq->hash), "%s", local.text);
        if (err)
            *err = local;
    }
    return opened < 0 ? -1 : 0;
}

/* What the field will hold. */
static struct span next_value(const struct request *rq, const struct change *c, enum document_field field)
{
    for (size_t i = 0; i < c->doc_count; i++)
        if (c->doc[i].key == document_names[field])
            return c->doc[i].value;
    return rq->doc.field[field];
}

void change_seal(const struct app *app, const struct request *rq, struct change *c)
{
    if (!service_seals(app, rq))
        return;
    for (size_t i = 0; i < ARRAY_LEN(personal); i++) {
        struct span value = next_value(rq, c, personal[i]);
        struct str sealed = STR_INIT;
        if (!is_plain(value))
            continue;
        seal_add(&sealed, app->house->secret, span_of(rq->hash), document_names[personal[i]], value);
        change_json(c, personal[i], (struct span){ sealed.s, sealed.len });
        if (personal[i] == DOC_RESULT && c->to == REQUEST_COMPLETED)
            change_guard_result(c, (struct span){ sealed.s, sealed.len });
        str_free(&sealed);
    }
}

/* Whoever has no key can tell no more than that it has the form. */
static bool is_sealed(const struct app *app, const struct request *rq, enum document_field field)
{
    struct span value = rq->doc.field[field];
    struct str opened = STR_INIT;
    bool sealed = app->house->secret ? seal_open(&opened, app->house->secret, span_of(rq->hash), document_names[field], value, NULL) == 1
                                     : seal_is(value);
    str_free(&opened);
    return sealed;
}

void change_refuse_plain(const struct app *app, const struct request *rq, struct change *c)
{
    const struct service *service = request_service(app, rq);
    struct span result = rq->doc.field[DOC_RESULT];
    if (!service || service->seal != SERVICE_SEAL_STRICT || !result.s || span_is(result, "null") || is_sealed(app, rq, DOC_RESULT))
        return;
    log_event(LOG_WARN, LOG_FIELDS("request", rq->hash), "a result that was not sealed was written into Redis and is refused");
    change_text(c, DOC_RESULT, NULL);
    if (c->to == REQUEST_COMPLETED)
        change_error(c, &(struct request_error){ "plain_result", "errors.plain_result", false });
}
