/* page_enter.c: the link by which the host site's user comes in signed in. The ticket stands in the query, which nginx does not log. */
#include "web/page.h"

#include "core/presence.h"
#include "web/dispatch.h"
#include "web/route.h"
#include "web/visitor.h"

/* Whoever only asks what is there (HEAD: a program that shows a preview) does not use the link up. */
enum problem page_enter(struct exchange *x)
{
    const struct session_about about = { x->param[PARAM_REMOTE_ADDR].s, x->param[PARAM_AGENT].s };
    const struct session before = x->session;
    struct str next = STR_INIT;
    int rc;

    if (x->method == METHOD_HEAD)
        return PROBLEM_NONE;
    rc = session_enter(&x->seat->app, form_get(&x->query, "ticket"), &before, &about, &x->session, &next, &x->err);
    if (rc > 0) {
        x->has_owner = true;
        visitor_remember(x);
        presence_touch(&x->seat->app, span_of(x->session.user_id)); /* who it was before is all that the dispatcher knew */
        page_redirect(x, (struct span){ next.s, next.len });
    } else {
        x->session = before;
    }
    str_free(&next);
    if (rc < 0)
        return exchange_fail(x);
    return rc > 0 ? PROBLEM_NONE : exchange_say(x, PROBLEM_GONE, "account.link_gone");
}
