/* page_account.c: where a user is signed in, and ending that. */
#include "web/page.h"

#include "base/clock.h"
#include "core/locale.h"
#include "web/agent.h"
#include "web/dispatch.h"
#include "web/route.h"
#include "web/visitor.h"

/* --- the list --- */

static const char *device_words(struct exchange *x, const struct session_view *view)
{
    struct agent a = agent_read(view->user_agent);

    if (a.browser && a.system)
        return page_words(x, "account.device", LOCALE_PARAMS("browser", a.browser, "system", a.system));
    if (a.browser || a.system)
        return a.browser ? a.browser : a.system;
    return locale_text(x->locale, "account.device_unknown");
}

static void add_time(struct exchange *x, struct json_object *item, const char *name, int64_t ms)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_rfc3339(ms, text);
    page_text(item, name, ms > 0 ? page_time(x, span_of(text)) : NULL);
}

static void add_device(struct exchange *x, struct json_object *item, const struct session_view *view, bool this_one)
{
    page_text(item, "id", view->id);
    page_text(item, "device", device_words(x, view));
    page_text(item, "address", view->ip);
    add_time(x, item, "used_at", view->active_ms);
    add_time(x, item, "made_at", view->created_ms);
    page_flag(item, "is_this", this_one);
}

static bool is_this(struct exchange *x, const char *id)
{
    char own[SESSION_ID_LEN + 1];

    session_id(&x->seat->app, span_of(x->session.token), own);
    return strcmp(id, own) == 0;
}

enum problem page_account(struct exchange *x)
{
    struct session_view *list;
    struct json_object *data, *devices;
    size_t count;

    if (session_list(&x->seat->app, span_of(x->session.user_id), &list, &count, &x->err) < 0)
        return exchange_fail(x);
    data = page_data();
    devices = page_list(data, "devices");
    page_text(data, "who", x->session.user_id);
    for (size_t i = 0; i < count; i++) {
        bool this_one = is_this(x, list[i].id);

        add_device(x, page_item(devices), &list[i], this_one);
        if (this_one && list[i].email)
            page_text(data, "who", list[i].email);
    }
    page_flag(data, "has_others", count > 1);
    session_list_free(list, count);
    page_answer(x, 200, "account", locale_text(x->locale, "title.account"), data);
    return PROBLEM_NONE;
}

/* --- ending --- */

static enum problem leave(struct exchange *x)
{
    if (session_revoke(&x->seat->app, span_of(x->session.token), &x->err) < 0)
        return exchange_fail(x);
    visitor_forget(x);
    page_redirect(x, SPAN("/"));
    return PROBLEM_NONE;
}

/* One that has ended meanwhile is what was wanted. */
enum problem page_account_revoke(struct exchange *x)
{
    struct span id = form_get(&x->form, "id");
    char own[SESSION_ID_LEN + 1];

    session_id(&x->seat->app, span_of(x->session.token), own);
    if (span_is(id, own))
        return leave(x);
    if (session_revoke_id(&x->seat->app, span_of(x->session.user_id), id, &x->err) < 0)
        return exchange_fail(x);
    page_redirect(x, SPAN("/account/sessions"));
    return PROBLEM_NONE;
}

enum problem page_account_revoke_others(struct exchange *x)
{
    if (session_revoke_user(&x->seat->app, span_of(x->session.user_id), span_of(x->session.token), &x->err) < 0)
        return exchange_fail(x);
    page_redirect(x, SPAN("/account/sessions"));
    return PROBLEM_NONE;
}

enum problem page_account_sign_out(struct exchange *x)
{
    return leave(x);
}
