/* api_sessions.c: users of the host site, signed in and out by it: /api/internal/sessions. Its sentences are for operators, in English. */
#include "web/api.h"

#include "web/dispatch.h"
#include "web/route.h"
#include "web/visitor.h"

static enum problem refuse(struct exchange *x, const char *sentence)
{
    str_reset(&x->said);
    str_adds(&x->said, sentence);
    return PROBLEM_INVALID;
}

/* --- signing in --- */

enum member { MEMBER_USER, MEMBER_ROLE, MEMBER_EMAIL, MEMBER_METADATA, MEMBER_NEXT, MEMBERS };
static const char *const member_names[MEMBERS] = { "user_id", "role", "email", "metadata", "next" };

static bool is_known(const char *name)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (strcmp(member_names[i], name) == 0)
            return true;
    return false;
}

/* A text, or an id that the host site keeps as a number; absent and null are absent. False: it is something else. */
static bool take_text(struct json_object *value, bool may_be_number, struct span *out)
{
    *out = (struct span){ NULL, 0 };
    if (!value)
        return true;
    if (json_object_is_type(value, json_type_string))
        *out = (struct span){ json_object_get_string(value), (size_t)json_object_get_string_len(value) };
    else if (may_be_number && json_object_is_type(value, json_type_int))
        *out = span_of(json_object_get_string(value));
    return out->s != NULL;
}

/* The members of the body, borrowed from it. NULL, or what is wrong. */
static const char *read_members(struct exchange *x, struct session_new *n)
{
    struct span *const texts[] = { &n->user_id, &n->role, &n->email, NULL, &n->next };
    struct json_object *value;

    *n = (struct session_new){ .next = SPAN("/") };
    if (!json_object_is_type(x->json, json_type_object))
        return "The body must be a JSON object.";
    FORM_EACH_MEMBER(i, x->json)
        if (!is_known(json_object_iter_peek_name(&i)))
            return "Known members are user_id, role, email, metadata and next.";
    for (size_t i = 0; i < MEMBERS; i++)
        if (texts[i] && json_object_object_get_ex(x->json, member_names[i], &value) && !take_text(value, i == MEMBER_USER, texts[i]))
            return "user_id must be a text or a whole number; role, email and next must be texts.";
    if (!n->next.s)
        n->next = SPAN("/");
    if (json_object_object_get_ex(x->json, "metadata", &value) && value)
        n->metadata = raw_get((struct span){ x->body.s, x->body.len }, "metadata");
    return NULL;
}

enum problem api_sessions_create(struct exchange *x)
{
    char token[SESSION_TOKEN_LEN + 1], ticket[SESSION_TICKET_LEN + 1], id[SESSION_ID_LEN + 1];
    struct app *app = &x->seat->app;
    struct session_new n;
    const char *wrong = read_members(x, &n);

    if (wrong)
        return refuse(x, wrong);
    if (session_create(app, &n, token, ticket, &x->err) < 0)
        return x->err.kind == ERR_INVALID ? refuse(x, x->err.text) : exchange_fail(x);
    session_id(app, span_of(token), id);
    str_addf(api_json(x, 201), "{\"id\":\"%s\",\"token\":\"%s\",\"enter_url\":\"/enter?ticket=%s\"}", id, token, ticket);
    return PROBLEM_NONE;
}

/* --- looking --- */

static void add_view(struct str *out, const struct session_view *v)
{
    api_add_text(out, "{\"id\":", v->id);
    api_add_text(out, ",\"user_id\":", v->user_id);
    api_add_text(out, ",\"role\":", v->role);
    api_add_text(out, ",\"email\":", v->email);
    api_add_stored(out, ",\"metadata\":", v->metadata);
    api_add_time(out, ",\"created_at\":", v->created_ms);
    api_add_time(out, ",\"last_activity\":", v->active_ms);
    api_add_text(out, ",\"ip\":", v->ip);
    api_add_text(out, ",\"user_agent\":", v->user_agent);
    str_addc(out, '}');
}

/* The visitor's token as the host site hands it on: in a header, or with the visitor's cookies. */
enum problem api_session_current(struct exchange *x)
{
    struct span token = x->param[PARAM_SESSION].s ? x->param[PARAM_SESSION] : visitor_cookie(x);
    struct session_view view;
    int found = session_look(&x->seat->app, token, &view, &x->err);

    if (found < 0)
        return exchange_fail(x);
    if (found == 0) {
        str_adds(&x->said, "There is no such session, or it has ended.");
        return PROBLEM_NOT_FOUND;
    }
    add_view(api_json(x, 200), &view);
    session_view_clear(&view);
    return PROBLEM_NONE;
}

/* --- signing out --- */

enum problem api_sessions_revoke(struct exchange *x)
{
    static const char wanted[] = "The body must be a JSON object with either token or user_id.";
    struct json_object *token = NULL, *user = NULL;
    struct span text;
    int64_t ended;

    if (!json_object_is_type(x->json, json_type_object) || json_object_object_length(x->json) != 1)
        return refuse(x, wanted);
    json_object_object_get_ex(x->json, "token", &token);
    json_object_object_get_ex(x->json, "user_id", &user);
    if (!take_text(token ? token : user, user != NULL, &text) || !text.s || text.len == 0 || text.len > SESSION_USER_MAX)
        return refuse(x, wanted);
    ended = token ? session_revoke(&x->seat->app, text, &x->err)
                  : session_revoke_user(&x->seat->app, text, (struct span){ NULL, 0 }, &x->err);
    if (ended < 0)
        return exchange_fail(x);
    str_addf(api_json(x, 200), "{\"revoked\":%lld}", (long long)ended);
    return PROBLEM_NONE;
}
