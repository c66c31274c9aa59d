/* inbox.c: a kept notification in the language of who reads it. */
#include "web/inbox.h"

#include "base/json.h"

/* The words in the language; else in the first that there are. */
static struct span in_language(struct span texts, const struct locale *locale, const struct locales *locales)
{
    struct span own = raw_get(texts, locale_code(locale));

    for (size_t i = 0; !own.s && i < locales_count(locales); i++)
        own = raw_get(texts, locale_code(locales_at(locales, i)));
    return own;
}

struct inbox_words inbox_words(const struct inbox_item *item, const struct locale *locale, const struct locales *locales)
{
    enum { EVENT, TEXTS, DATA, MEMBERS };
    static const char *const names[MEMBERS] = { "event", "texts", "data" };
    struct span value[MEMBERS] = { { NULL, 0 } };
    struct inbox_words w = { .event = { NULL, 0 } };

    if (json_check(item->json.s, item->json.len, NULL) < 0 || raw_get_many(item->json, names, value, MEMBERS) < 0)
        return w; /* what outsiders wrote */
    struct span words = in_language(value[TEXTS], locale, locales);
    w = (struct inbox_words){ .event = value[EVENT], .title = raw_get(words, "title"), .text = raw_get(words, "text"), .data = value[DATA] };
    return w;
}
