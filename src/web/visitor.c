/* visitor.c: cookies of the visitor, and the language. */
#include "web/visitor.h"

#include "base/cookie.h"
#include "core/locale.h"
#include "web/dispatch.h"

#define YEAR_S "31536000"

_Static_assert(TOKEN_OWNER_LEN == SESSION_OWNER_LEN, "an API client's owner id stands where a session's does");

static void set_locale_cookie(struct exchange *x)
{
    str_addf(&x->headers, "Set-Cookie: " LOCALE_COOKIE "=%s; Path=/; Max-Age=" YEAR_S "; SameSite=Lax%s\r\n",
             locale_code(x->locale), x->https ? "; Secure" : "");
}

void visitor_locale(struct exchange *x)
{
    const struct locales *locales = x->seat->app.house->locales;
    struct span asked = form_get(&x->query, "lang");

    x->locale = locales_find(locales, asked);
    if (x->locale && !x->bearer.s)
        set_locale_cookie(x);
    if (!x->locale && !x->bearer.s)
        x->locale = locales_find(locales, cookie_find(x->param[PARAM_COOKIE], LOCALE_COOKIE));
    if (!x->locale)
        x->locale = locales_accept(locales, x->param[PARAM_LANGUAGE]);
}

void visitor_locale_of_programs(struct exchange *x)
{
    const struct locales *locales = x->seat->app.house->locales;

    x->locale = locales_find(locales, SPAN("en"));
    if (!x->locale)
        x->locale = locales_default(locales);
}

struct span visitor_cookie(const struct exchange *x)
{
    return cookie_find(x->param[PARAM_COOKIE], session_cookie_name(x->https));
}

static void set_session_cookie(struct exchange *x, const char *value)
{
    str_addf(&x->headers, "Set-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Lax%s\r\n", session_cookie_name(x->https), value,
             x->https ? "; Secure" : "");
}

void visitor_welcome(struct exchange *x)
{
    char cookie[SESSION_COOKIE_MAX];

    session_fresh(&x->seat->app, &x->session, cookie);
    x->has_owner = true;
    set_session_cookie(x, cookie);
}

void visitor_remember(struct exchange *x)
{
    set_session_cookie(x, x->session.token);
}

void visitor_client(struct exchange *x)
{
    x->session = (struct session){ .known = false };
    token_owner(x->bearer, x->session.owner);
    x->has_owner = true;
}

void visitor_forget(struct exchange *x)
{
    x->session = (struct session){ .known = false };
    x->has_owner = false;
    str_addf(&x->headers, "Set-Cookie: %s=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax%s\r\n", session_cookie_name(x->https),
             x->https ? "; Secure" : "");
}

bool visitor_is_user(const struct exchange *x)
{
    return x->session.known && x->session.user_id[0] != '\0';
}

static bool is_token(struct span s)
{
    return s.len == 64 && strspn(s.s, "0123456789abcdef") >= 64;
}

const char *visitor_csrf(struct exchange *x, char buffer[65])
{
    struct span brought = form_get(&x->form, "_token");

    if (x->has_owner) {
        session_csrf(&x->seat->app, &x->session, buffer);
        return buffer;
    }
    if (!is_token(brought))
        return NULL;
    memcpy(buffer, brought.s, 64);
    buffer[64] = '\0';
    return buffer;
}
