/* agent.c: a browser in words */
#include "web/agent.h"

#include "base/xmalloc.h"

struct sign {
    const char *part, *name;
};

/* Browsers name those they descend from as well: the most particular comes first. */
static const struct sign browsers[] = {
    { "Edg/", "Edge" },       { "EdgA/", "Edge" },        { "EdgiOS/", "Edge" },  { "OPR/", "Opera" },
    { "SamsungBrowser/", "Samsung Internet" },            { "YaBrowser/", "Yandex" },
    { "Firefox/", "Firefox" }, { "FxiOS/", "Firefox" },   { "CriOS/", "Chrome" }, { "Chrome/", "Chrome" },
    { "Safari/", "Safari" },  { "curl/", "curl" },
};
static const struct sign systems[] = {
    { "Android", "Android" }, { "iPhone", "iPhone" },   { "iPad", "iPad" },   { "Windows", "Windows" },
    { "CrOS", "ChromeOS" },   { "Mac OS X", "macOS" }, { "Linux", "Linux" },
};

static const char *find(const struct sign signs[], size_t count, const char *text)
{
    for (size_t i = 0; text && i < count; i++)
        if (strstr(text, signs[i].part))
            return signs[i].name;
    return NULL;
}

struct agent agent_read(const char *user_agent)
{
    return (struct agent){ find(browsers, ARRAY_LEN(browsers), user_agent), find(systems, ARRAY_LEN(systems), user_agent) };
}
