/* cookie.c: cookies as browsers send them */
#include "base/cookie.h"

#include <stdbool.h>

static struct span trim(const char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct span){ s, (size_t)(end - s) };
}

static bool is_cookie(struct span pair, const char *name, struct span *value)
{
    size_t len = strlen(name);

    if (pair.len <= len || memcmp(pair.s, name, len) != 0 || pair.s[len] != '=')
        return false;
    *value = (struct span){ pair.s + len + 1, pair.len - len - 1 };
    if (value->len >= 2 && value->s[0] == '"' && value->s[value->len - 1] == '"')
        *value = (struct span){ value->s + 1, value->len - 2 };
    return true;
}

struct span cookie_find(struct span header, const char *name)
{
    const char *p = header.s, *end = p ? p + header.len : p;
    struct span value = { NULL, 0 };

    while (p < end) {
        const char *stop = memchr(p, ';', (size_t)(end - p));
        if (!stop)
            stop = end;
        if (is_cookie(trim(p, stop), name, &value))
            break;
        p = stop + 1;
    }
    return value;
}
