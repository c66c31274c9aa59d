/* inbox.h: a kept notification in the language of who reads it. */
#ifndef PEYGIR_WEB_INBOX_H
#define PEYGIR_WEB_INBOX_H

#include "core/inbox.h"
#include "core/locale.h"

/* Raw JSON, borrowed from the item; absent: not there. */
struct inbox_words {
    struct span event, title, text, data;
};
/* A language that there was not when it was kept has the words of any other. */
struct inbox_words inbox_words(const struct inbox_item *item, const struct locale *locale, const struct locales *locales);

#endif
