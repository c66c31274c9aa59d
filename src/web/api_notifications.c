/* api_notifications.c: the host site notifies its users: /api/internal/notifications. Its sentences are for operators, in English. */
#include "web/api.h"

#include "base/digest.h"
#include "core/job_type.h"
#include "core/notice.h"
#include "web/dispatch.h"
#include "web/members.h"
#include "web/route.h"

struct notifying {
    struct exchange *x;
    const struct notice *notice;
    const char *user, *email, *locale, *id; /* borrowed from x->json; NULL: not there */
    struct json_object *users;
    struct str data, words;
};

/* --- the body --- */

static const char *read_event(void *ctx, struct json_object *value)
{
    struct notifying *n = ctx;
    const struct notices *all = n->x->seat->app.house->notices;
    const char *event = members_text(value, MEMBERS_TEXT_MAX);

    n->notice = notices_find(all, span_of(event));
    if (n->notice)
        return NULL;
    str_adds(&n->words, "There is no event of this name. Known are:");
    for (size_t i = 0; i < notices_count(all); i++)
        str_addf(&n->words, "%s %s", i ? "," : "", notices_at(all, i)->event);
    str_addc(&n->words, '.');
    return n->words.s;
}

static const char *read_user(void *ctx, struct json_object *value)
{
    struct notifying *n = ctx;

    if (n->user || n->users)
        return "Only one of user_id, vendor_id and users is wanted.";
    n->user = members_user(value);
    return n->user ? NULL : MEMBERS_NO_USER;
}

static const char *read_users(void *ctx, struct json_object *value)
{
    struct notifying *n = ctx;
    size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

    if (n->user)
        return "Only one of user_id, vendor_id and users is wanted.";
    if (count == 0 || count > JOB_PUSH_BATCH)
        return "It must be a list of 1 to 500 users.";
    for (size_t i = 0; i < count; i++)
        if (!members_user(json_object_array_get_idx(value, i)))
            return "Each must be a number, or a text of 1 to 128 bytes without control characters.";
    n->users = value;
    return NULL;
}

static const char *read_data(void *ctx, struct json_object *value)
{
    return members_object(value, NOTICE_DATA_MAX, &((struct notifying *)ctx)->data);
}

static const char *read_email(void *ctx, struct json_object *value)
{
    return members_email(value, &((struct notifying *)ctx)->email);
}

static const char *read_locale(void *ctx, struct json_object *value)
{
    struct notifying *n = ctx;

    return members_locale(value, n->x->seat->app.house->locales, &n->locale);
}

static const char *read_id(void *ctx, struct json_object *value)
{
    return members_job_id(value, &((struct notifying *)ctx)->id);
}

static const struct member members[] = {
    { "event", true, read_event },    { "user_id", false, read_user },   { "vendor_id", false, read_user },   { "users", false, read_users },
    { "data", false, read_data },     { "email", false, read_email },    { "locale", false, read_locale },    { "id", false, read_id },
};

static void read_body(struct notifying *n, struct str *errors)
{
    members_read(n->x->json, members, ARRAY_LEN(members), n, "", "No notification has this member.", errors);
    if (errors->len == 0 && !n->user && !n->users)
        api_add_error(errors, "user_id", "Who is notified? user_id, vendor_id or users is required.");
    if (errors->len == 0 && n->users && n->email)
        api_add_error(errors, "email", "It is the address of one user, and here are several.");
}

/* --- the jobs --- */

static void add_member(struct str *out, const char *name, const char *text)
{
    if (text)
        api_add_text(out, name, text);
}

static char *payload_for(const struct notifying *n, const char *user)
{
    struct str out = STR_INIT;

    add_member(&out, "{\"event\":", n->notice->event);
    add_member(&out, ",\"user_id\":", user);
    str_adds(&out, ",\"data\":");
    str_adds(&out, n->data.len > 0 ? n->data.s : "{}");
    add_member(&out, ",\"email\":", n->email);
    add_member(&out, ",\"locale\":", n->locale);
    str_addc(&out, '}');
    return str_take(&out, NULL);
}

struct told {
    struct job_new *jobs;
    char **texts;          /* payload and id of each */
    const char **users;
    size_t count;
};

/* An id is the host site's word for what it tells, perhaps to several: whom belongs to it. */
static char *new_id(const struct notifying *n, const char *user)
{
    char id[JOB_ID_SIZE];

    if (n->id)
        return xasprintf("%s.%016llx", n->id, (unsigned long long)digest_short(user, strlen(user)));
    job_new_id(id);
    return xstrdup(id);
}

static struct told jobs_of(const struct notifying *n, const struct job_type *type)
{
    size_t count = n->users ? json_object_array_length(n->users) : 1;
    struct told t = { xcalloc(count, sizeof *t.jobs), xcalloc(2 * count, sizeof *t.texts), xcalloc(count, sizeof *t.users), count };

    for (size_t i = 0; i < count; i++) {
        t.users[i] = n->users ? members_user(json_object_array_get_idx(n->users, i)) : n->user;
        t.texts[2 * i] = payload_for(n, t.users[i]);
        t.texts[2 * i + 1] = new_id(n, t.users[i]);
        t.jobs[i] = (struct job_new){ .queue = type->queue, .type = type->name, .payload = t.texts[2 * i], .id = t.texts[2 * i + 1] };
    }
    return t;
}

static void told_free(struct told *t)
{
    for (size_t i = 0; i < 2 * t->count; i++)
        free(t->texts[i]);
    free(t->texts);
    free(t->users);
    free(t->jobs);
}

/* Of several nobody says which were there already. */
static void answer(struct exchange *x, const struct notifying *n, const struct told *t, int64_t pushed)
{
    struct str *out = api_json(x, 202);

    str_adds(out, n->users ? "{\"notifications\":[" : "");
    for (size_t i = 0; i < t->count; i++) {
        api_add_text(out, i ? ",{\"id\":" : "{\"id\":", t->jobs[i].id);
        api_add_text(out, ",\"user_id\":", t->users[i]);
        str_adds(out, !n->users && pushed == 0 ? ",\"existing\":true}" : "}");
    }
    str_adds(out, n->users ? "]}" : "");
}

static enum problem push(struct exchange *x, const struct notifying *n)
{
    const struct job_type *type = job_types_find(x->seat->app.house->job_types, SPAN(NOTICE_TYPE));
    enum problem problem = PROBLEM_NONE;

    if (!type)
        return exchange_say(x, PROBLEM_INVALID, "json.notifications_off");
    struct told t = jobs_of(n, type);
    int64_t pushed = job_push_many(&x->seat->app, t.jobs, t.count, &x->err);
    if (pushed < 0)
        problem = exchange_fail(x);
    else
        answer(x, n, &t, pushed);
    told_free(&t);
    return problem;
}

/* {event, user_id | vendor_id | users, data, email, locale, id} */
enum problem api_notifications_create(struct exchange *x)
{
    struct notifying n = { .x = x };
    struct str errors = STR_INIT;
    enum problem problem = PROBLEM_NONE;

    if (!json_object_is_type(x->json, json_type_object))
        return exchange_say(x, PROBLEM_INVALID, "json.not_object");
    read_body(&n, &errors);
    if (errors.len > 0)
        api_refuse_members(x, &errors);
    else
        problem = push(x, &n);
    str_free(&errors);
    str_free(&n.data);
    str_free(&n.words);
    return problem;
}
