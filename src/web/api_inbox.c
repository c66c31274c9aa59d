/* api_inbox.c: the notifications of the user who asks: /api/notifications. */
#include "web/api.h"

#include "core/inbox.h"
#include "core/locale.h"
#include "web/dispatch.h"
#include "web/inbox.h"
#include "web/route.h"

#define PAGE_USUAL 20

static void add_raw(struct str *out, const char *name, struct span json)
{
    str_adds(out, name);
    str_add_span(out, json.s ? json : SPAN("null"));
}

static void add_item(struct exchange *x, struct str *out, const struct inbox_item *item)
{
    const struct inbox_words w = inbox_words(item, x->locale, x->seat->app.house->locales);

    str_adds(out, "{\"id\":");
    str_add_json(out, item->id.s, item->id.len);
    add_raw(out, ",\"event\":", w.event);
    add_raw(out, ",\"title\":", w.title);
    add_raw(out, ",\"text\":", w.text);
    add_raw(out, ",\"data\":", w.data);
    api_add_time(out, ",\"created_at\":", item->at_ms);
    str_adds(out, item->unread ? ",\"read\":false}" : ",\"read\":true}");
}

static void add_next(struct str *out, const struct inbox_page *page)
{
    str_adds(out, ",\"next\":");
    if (page->more && page->count > 0)
        str_add_json(out, page->item[page->count - 1].id.s, page->item[page->count - 1].id.len);
    else
        str_adds(out, "null");
}

enum problem api_notifications(struct exchange *x)
{
    struct inbox_page page;
    int limit = PAGE_USUAL;

    if (!form_number(&x->query, "limit", 1, INBOX_MOST, &limit))
        return exchange_say(x, PROBLEM_INVALID, "json.notifications_limit");
    if (inbox_list(&x->seat->app, span_of(x->session.user_id), form_get(&x->query, "after"), (size_t)limit, &page, &x->err) < 0)
        return exchange_fail(x);
    struct str *out = api_json(x, 200);
    str_addf(out, "{\"unread\":%lld,\"notifications\":[", (long long)page.unread);
    for (size_t i = 0; i < page.count; i++) {
        str_adds(out, i ? "," : "");
        add_item(x, out, &page.item[i]);
    }
    str_addc(out, ']');
    add_next(out, &page);
    str_addc(out, '}');
    return PROBLEM_NONE;
}

static enum problem mark(struct exchange *x, struct span id)
{
    int64_t unread;
    int rc = inbox_read(&x->seat->app, span_of(x->session.user_id), id, &unread, &x->err);

    if (rc < 0)
        return exchange_fail(x);
    if (rc == 0)
        return exchange_say(x, PROBLEM_NOT_FOUND, "json.no_notification");
    str_addf(api_json(x, 200), "{\"unread\":%lld}", (long long)unread);
    return PROBLEM_NONE;
}

enum problem api_notification_read(struct exchange *x)
{
    return mark(x, x->id);
}

enum problem api_notifications_read(struct exchange *x)
{
    return mark(x, (struct span){ NULL, 0 });
}
