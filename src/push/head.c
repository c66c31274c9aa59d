/* head.c: what a visitor asked with */
#include "push/head.h"

#include "base/cookie.h"
#include "push/sse.h"

#include <strings.h>

enum { HEADER_MAX = 8192, ORIGIN_MAX = 512, NUMBER_MAX = 9 };

struct span head_known(struct lws *wsi, enum lws_token_indexes token, char *out, int size)
{
    int len = lws_hdr_total_length(wsi, token) < size ? lws_hdr_copy(wsi, out, size, token) : 0;
    out[len > 0 ? len : 0] = '\0';
    return (struct span){ out, len > 0 ? (size_t)len : 0 };
}

struct span head_own(struct lws *wsi, const char *name, char *out, int size)
{
    int length = lws_hdr_custom_length(wsi, name, (int)strlen(name));
    int len = length > 0 && length < size ? lws_hdr_custom_copy(wsi, out, size, name, (int)strlen(name)) : 0;
    out[len > 0 ? len : 0] = '\0';
    return (struct span){ out, len > 0 ? (size_t)len : 0 };
}

int64_t head_number(struct lws *wsi, const char *name)
{
    char text[32];
    const char *found = lws_get_urlarg_by_name(wsi, name, text, sizeof text);
    int64_t number = 0;
    size_t len = found ? strlen(found) : 0;
    if (!found)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (found[i] < '0' || found[i] > '9' || len > NUMBER_MAX)
            return -2;
        number = 10 * number + (found[i] - '0');
    }
    return len > 0 ? number : -2;
}

static const struct locale *choose_locale(struct lws *wsi, const struct locales *locales, struct span cookies)
{
    char text[256];
    const char *asked = lws_get_urlarg_by_name(wsi, "lang=", text, sizeof text);
    const struct locale *locale = asked ? locales_find(locales, span_of(asked)) : NULL;
    if (!locale)
        locale = locales_find(locales, cookie_find(cookies, LOCALE_COOKIE));
    return locale ? locale : locales_accept(locales, head_known(wsi, WSI_TOKEN_HTTP_ACCEPT_LANGUAGE, text, sizeof text));
}

bool head_is_get(struct lws *wsi)
{
    char method[16];
    struct span asked = head_own(wsi, "peygir-method:", method, sizeof method);
    return lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0 && (asked.len == 0 || span_is(asked, "GET"));
}

static struct span scheme(struct lws *wsi, char *out, int size)
{
    struct span said = head_own(wsi, "x-forwarded-proto:", out, size);
    return said.len ? said : SPAN("http");
}

/* What follows "Bearer " (RFC 6750 2.1). */
static char *read_bearer(struct lws *wsi)
{
    char text[512];
    const size_t start = sizeof "Bearer " - 1;
    struct span all = head_known(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, text, sizeof text);
    return all.len >= start && strncasecmp(all.s, "Bearer ", start) == 0 ? xmemdupz(all.s + start, all.len - start) : NULL;
}

void head_read(struct lws *wsi, const struct house *house, struct span path, struct head *out)
{
    char *cookies = xmalloc(HEADER_MAX), text[64];
    struct span all = head_known(wsi, WSI_TOKEN_HTTP_COOKIE, cookies, HEADER_MAX);
    struct span session = cookie_find(all, session_cookie_name(span_is(scheme(wsi, text, sizeof text), "https")));
    *out = (struct head){ .last_id = sse_last_id(head_own(wsi, "last-event-id:", text, sizeof text)) };
    if (session.s)
        out->asker.cookie = xmemdupz(session.s, session.len);
    out->asker.bearer = read_bearer(wsi);
    head_known(wsi, WSI_TOKEN_X_FORWARDED_FOR, out->asker.address, sizeof out->asker.address);
    out->locale = choose_locale(wsi, house->locales, all);
    snprintf(out->path, sizeof out->path, "%.*s", (int)path.len, path.s);
    free(cookies);
}

void head_clear(struct head *head)
{
    asker_clear(&head->asker);
}

bool head_same_origin(struct lws *wsi)
{
    char origin[ORIGIN_MAX], host[ORIGIN_MAX], proto[16], own[ORIGIN_MAX + 32];
    struct span said = head_known(wsi, WSI_TOKEN_ORIGIN, origin, sizeof origin);
    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) == 0)
        return true;
    scheme(wsi, proto, sizeof proto);
    head_known(wsi, WSI_TOKEN_HOST, host, sizeof host);
    snprintf(own, sizeof own, "%s://%s", proto[0] ? proto : "http", host);
    return said.len == strlen(own) && strcasecmp(said.s, own) == 0;
}
