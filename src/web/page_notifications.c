/* page_notifications.c: what the user was notified of. */
#include "web/page.h"

#include "base/clock.h"
#include "core/inbox.h"
#include "core/locale.h"
#include "core/notice.h"
#include "web/dispatch.h"
#include "web/inbox.h"
#include "web/route.h"

#define PAGE SPAN("/notifications")

static void add_item(struct exchange *x, struct json_object *item, const struct inbox_item *from)
{
    const struct inbox_words w = inbox_words(from, x->locale, x->seat->app.house->locales);
    char at[CLOCK_RFC3339_SIZE];
    const char *link;

    page_span(item, "id", from->id);
    page_text(item, "heading", page_raw(x, w.title));
    page_text(item, "text", page_raw(x, w.text));
    link = page_raw(x, raw_get(w.data, "link"));
    page_text(item, "link", link && notice_is_place(link) ? link : NULL);
    clock_rfc3339(from->at_ms, at);
    page_text(item, "at", page_time(x, span_of(at)));
    page_flag(item, "is_unread", from->unread);
}

enum problem page_notifications(struct exchange *x)
{
    struct inbox_page page;
    struct json_object *data, *list;
    char *unread;

    if (inbox_list(&x->seat->app, span_of(x->session.user_id), (struct span){ NULL, 0 }, INBOX_MOST, &page, &x->err) < 0)
        return exchange_fail(x);
    data = page_data();
    list = page_list(data, "notifications");
    for (size_t i = 0; i < page.count; i++)
        add_item(x, page_item(list), &page.item[i]);
    page_flag(data, "has_unread", page.unread > 0);
    unread = xstrdup(page_number(x, page.unread));
    page_text(data, "unread_text", page_words(x, "notifications.unread", LOCALE_PARAMS("count", unread)));
    free(unread);
    page_answer(x, 200, "notifications", locale_text(x->locale, "title.notifications"), data);
    return PROBLEM_NONE;
}

/* One, or without an id all. One that is gone meanwhile is what was wanted. */
enum problem page_notifications_read(struct exchange *x)
{
    int64_t unread;

    if (inbox_read(&x->seat->app, span_of(x->session.user_id), form_get(&x->form, "id"), &unread, &x->err) < 0)
        return exchange_fail(x);
    page_redirect(x, PAGE);
    return PROBLEM_NONE;
}
