/* admin.c: cookies of the administrators' area. */
#include "web/admin.h"

#include "base/cookie.h"
#include "web/dispatch.h"
#include "web/page.h"

#define KNOWN_DAYS_S "; Max-Age=7776000" /* 90 days */

enum admin_cookie { COOKIE_SESSION, COOKIE_FORM, COOKIE_KNOWN };

/* On HTTPS the prefix makes browsers refuse what another host or plain HTTP would set. */
static const char *name_of(const struct exchange *x, enum admin_cookie cookie)
{
    static const char *const names[][2] = {
        [COOKIE_SESSION] = { "peygir_admin", "__Host-peygir_admin" },
        [COOKIE_FORM] = { "peygir_admin_form", "__Host-peygir_admin_form" },
        [COOKIE_KNOWN] = { "peygir_admin_known", "__Host-peygir_admin_known" },
    };

    return names[cookie][x->https];
}

static struct span brought(const struct exchange *x, enum admin_cookie cookie)
{
    return cookie_find(x->param[PARAM_COOKIE], name_of(x, cookie));
}

static void set_cookie(struct exchange *x, enum admin_cookie cookie, const char *value, const char *age)
{
    str_addf(&x->headers, "Set-Cookie: %s=%s; Path=/%s; HttpOnly; SameSite=Strict%s\r\n", name_of(x, cookie), value, age,
             x->https ? "; Secure" : "");
}

enum problem admin_look(struct exchange *x, bool demanded)
{
    if (!demanded) {
        admin_session_cookie(brought(x, COOKIE_FORM), &x->admin);
        return PROBLEM_NONE;
    }
    if (!admin_session_cookie(brought(x, COOKIE_SESSION), &x->admin))
        return PROBLEM_FORBIDDEN;
    switch (admin_session_read(&x->seat->app, &x->admin, &x->err)) {
    case 1:
        return PROBLEM_NONE;
    case 0:
        return PROBLEM_FORBIDDEN;
    default:
        return exchange_fail(x);
    }
}

void admin_welcome(struct exchange *x)
{
    if (admin_session_cookie(brought(x, COOKIE_FORM), &x->admin))
        return;
    admin_session_fresh(&x->admin);
    set_cookie(x, COOKIE_FORM, x->admin.token, "");
}

void admin_remember(struct exchange *x, const struct admin_session *s, const char *known)
{
    struct admin_session before;
    struct err err = ERR_INIT;

    if (admin_session_cookie(brought(x, COOKIE_SESSION), &before))
        admin_session_end(&x->seat->app, &before, &err); /* else it ends by itself */
    x->admin = *s;
    set_cookie(x, COOKIE_SESSION, s->token, "");
    set_cookie(x, COOKIE_KNOWN, known, KNOWN_DAYS_S);
}

struct span admin_known(const struct exchange *x)
{
    return brought(x, COOKIE_KNOWN);
}

void admin_forget(struct exchange *x)
{
    set_cookie(x, COOKIE_SESSION, "", "; Max-Age=0");
}

void admin_data(struct exchange *x, struct json_object *data)
{
    char csrf[65];
    struct json_object *admin;

    admin_session_csrf(&x->seat->app, &x->admin, csrf);
    page_text(data, "csrf", csrf);
    page_flag(data, "in_admin", true);
    if (!x->admin.known)
        return;
    admin = page_object(data, "admin");
    page_text(admin, "name", x->admin.name);
    page_text(admin, "sign_out_url", "/admin/sign-out");
}
