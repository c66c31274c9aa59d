/* api_reminders.c: vendors are reminded of messages that they have not answered: /api/internal/reminders. Its sentences are for operators, in
 * English. */
#include "web/api.h"

#include "base/json.h"
#include "core/notice.h"
#include "core/reminder.h"
#include "web/dispatch.h"
#include "web/members.h"
#include "web/route.h"

#define ALTERNATIVES_MAX 20
#define DATA_MAX (NOTICE_DATA_MAX / 2) /* the rest is for what is told besides */

struct reminding {
    struct exchange *x;
    const char *message, *vendor, *client, *email, *locale; /* borrowed from x->json; NULL: not there */
    struct str data, alternatives;
};

/* --- the body --- */

static const char *read_message(void *ctx, struct json_object *value)
{
    struct reminding *r = ctx;

    r->message = members_user(value);
    return reminder_message_ok(span_of(r->message)) ? NULL : "It must be 1 to 64 letters, digits, _ . : and -.";
}

static const char *read_party(struct json_object *value, const char **out)
{
    *out = members_user(value);
    return *out ? NULL : MEMBERS_NO_USER;
}

static const char *read_vendor(void *ctx, struct json_object *value)
{
    return read_party(value, &((struct reminding *)ctx)->vendor);
}

static const char *read_client(void *ctx, struct json_object *value)
{
    return read_party(value, &((struct reminding *)ctx)->client);
}

static const char *read_email(void *ctx, struct json_object *value)
{
    return members_email(value, &((struct reminding *)ctx)->email);
}

static const char *read_locale(void *ctx, struct json_object *value)
{
    struct reminding *r = ctx;

    return members_locale(value, r->x->seat->app.house->locales, &r->locale);
}

static const char *read_data(void *ctx, struct json_object *value)
{
    return members_object(value, DATA_MAX, &((struct reminding *)ctx)->data);
}

static const char *read_alternatives(void *ctx, struct json_object *value)
{
    struct reminding *r = ctx;
    size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

    for (size_t i = 0; i < count; i++)
        if (!members_user(json_object_array_get_idx(value, i)))
            return "Each must be a number, or a text of 1 to 128 bytes without control characters.";
    json_add(&r->alternatives, value);
    return count > 0 && count <= ALTERNATIVES_MAX && r->alternatives.len <= DATA_MAX / 2 ? NULL : "It must be a list of 1 to 20 vendors, 1024 bytes in all.";
}

static const struct member members[] = {
    { "message_id", true, read_message }, { "vendor_id", true, read_vendor }, { "client_id", true, read_client }, { "email", false, read_email },
    { "locale", false, read_locale },     { "data", false, read_data },       { "alternatives", false, read_alternatives },
};

/* --- making --- */

static void add_payload(struct str *out, const struct reminding *r)
{
    api_add_text(out, "{\"message_id\":", r->message);
    api_add_text(out, ",\"vendor_id\":", r->vendor);
    api_add_text(out, ",\"client_id\":", r->client);
    if (r->locale)
        api_add_text(out, ",\"locale\":", r->locale);
    str_adds(out, ",\"data\":");
    str_adds(out, r->data.len > 0 ? r->data.s : "{}");
    str_addc(out, '}');
}

static void answer(struct exchange *x, const char *message, const struct reminder_hours *hours, bool existing)
{
    struct str *out = api_json(x, 202);

    api_add_text(out, "{\"message_id\":", message);
    str_adds(out, ",\"hours\":[");
    for (size_t i = 0; i < hours->count; i++)
        str_addf(out, "%s%d", i ? "," : "", hours->hour[i]);
    str_adds(out, existing ? "],\"existing\":true}" : "]}");
}

static enum problem make(struct exchange *x, const struct reminding *r)
{
    struct str payload = STR_INIT;
    struct reminder_hours hours = { .count = 0 };

    add_payload(&payload, r);
    const struct reminder_new n = { .message_id = span_of(r->message),
                                    .payload = { payload.s, payload.len },
                                    .email = span_of(r->email),
                                    .alternatives = { r->alternatives.len > 0 ? r->alternatives.s : NULL, r->alternatives.len } };
    int rc = reminder_make(&x->seat->app, &n, &hours, &x->err);
    str_free(&payload);
    if (rc == -1)
        return x->err.kind == ERR_CONFIG ? exchange_say(x, PROBLEM_INVALID, "json.reminders_off") : exchange_fail(x);
    if (rc == REMINDER_ANSWERED)
        return exchange_say(x, PROBLEM_CONFLICT, "json.reminder_answered");
    answer(x, r->message, &hours, rc == REMINDER_EXISTS);
    return PROBLEM_NONE;
}

/* {message_id, vendor_id, client_id, email, locale, data, alternatives} */
enum problem api_reminders_create(struct exchange *x)
{
    struct reminding r = { .x = x };
    struct str errors = STR_INIT;
    enum problem problem = PROBLEM_NONE;

    if (!json_object_is_type(x->json, json_type_object))
        return exchange_say(x, PROBLEM_INVALID, "json.not_object");
    members_read(x->json, members, ARRAY_LEN(members), &r, "", "No reminder has this member.", &errors);
    if (errors.len > 0)
        api_refuse_members(x, &errors);
    else
        problem = make(x, &r);
    str_free(&errors);
    str_free(&r.data);
    str_free(&r.alternatives);
    return problem;
}

/* --- answered --- */

enum problem api_reminder_answered(struct exchange *x)
{
    int cancelled;
    int rc = reminder_message_ok(x->id) ? reminder_answer(&x->seat->app, x->id, &cancelled, &x->err) : 0;

    if (rc < 0)
        return exchange_fail(x);
    if (rc == 0)
        return exchange_say(x, PROBLEM_NOT_FOUND, "json.no_reminder");
    str_addf(api_json(x, 200), "{\"cancelled\":%d}", cancelled);
    return PROBLEM_NONE;
}
