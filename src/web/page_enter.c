/* page_enter.c: the link by which the host site's user comes in signed in. The ticket stands in the query, which nginx does not log. */
#include "web/page.h"

#include "web/dispatch.h"
#include "web/route.h"
#include "web/visitor.h"

/* 1: *token and *next are set; 0: the link leads nowhere any more; -1. */
static int follow(struct exchange *x, char token[SESSION_TOKEN_LEN + 1], struct str *next)
{
    const struct session_about about = { x->param[PARAM_REMOTE_ADDR].s, x->param[PARAM_AGENT].s };
    const struct session before = x->session;
    struct app *app = &x->seat->app;
    int rc = session_ticket_take(app, form_get(&x->query, "ticket"), token, next, &x->err);

    if (rc <= 0)
        return rc;
    return session_enter(app, (struct span){ token, SESSION_TOKEN_LEN }, &before, &about, &x->session, &x->err);
}

/* Whoever only asks what is there (HEAD: a program that shows a preview) does not use the link up. */
enum problem page_enter(struct exchange *x)
{
    char token[SESSION_TOKEN_LEN + 1];
    struct str next = STR_INIT;
    int rc = x->method == METHOD_HEAD ? 0 : follow(x, token, &next);

    if (rc > 0) {
        x->has_owner = true;
        visitor_remember(x);
        page_redirect(x, (struct span){ next.s, next.len });
    }
    str_free(&next);
    if (rc < 0)
        return exchange_fail(x);
    return rc > 0 || x->method == METHOD_HEAD ? PROBLEM_NONE : exchange_say(x, PROBLEM_GONE, "account.link_gone");
}
