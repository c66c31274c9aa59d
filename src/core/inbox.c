/* inbox.c: the notifications of a user. */
#include "core/inbox.h"

#include "core/keys.h"
#include "scripts.h"

#define KEPT_MS (INBOX_DAYS * INT64_C(86400000))
#define REST_MAX 64 /* bytes that the script appends: time, and how many are not read */
#define ITEM_PARTS 4 /* id, ms, unread, entry */

static struct redis *main_redis(struct app *app)
{
    redis_use_db(app->redis, app->main_db);
    return app->redis;
}

struct places {
    struct key kept, order, unread;
};

static struct places places_of(const struct app *app, struct span user)
{
    return (struct places){ key_inbox(app->house, "kept", user), key_inbox(app->house, "order", user), key_inbox(app->house, "unread", user) };
}

/* The answer of the script that is queued; NULL. */
static const struct reply *ask(struct app *app, struct err *err)
{
    const struct reply *replies;
    size_t count;

    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return NULL;
    return redis_reply_ok(&replies[count - 1], err) < 0 ? NULL : &replies[count - 1];
}

/* --- keeping --- */

static void add_member(struct str *out, const char *name, struct span text)
{
    str_adds(out, name);
    str_add_json(out, text.s, text.len);
}

static void add_entry(struct str *out, const struct inbox_new *n)
{
    add_member(out, "{\"event\":", span_of(n->event));
    str_adds(out, ",\"texts\":");
    str_add_span(out, n->texts);
    str_adds(out, ",\"data\":");
    str_add_span(out, n->told.data);
    str_addc(out, '}');
}

/* Up to its timestamp, which the script knows. One with the words of many languages would be longer than what sockets pass on: then it has those
 * that every message has. */
static void add_message(struct str *out, const struct inbox_new *n)
{
    notify_add_open(out, &n->told);
    add_member(out, ",\"id\":", span_of(n->told.task_id));
    add_member(out, ",\"event\":", span_of(n->event));
    add_member(out, ",\"title\":", n->title);
    str_adds(out, ",\"texts\":");
    str_add_span(out, out->len + n->texts.len <= NOTIFY_MAX - REST_MAX ? n->texts : SPAN("{}"));
    str_adds(out, ",\"timestamp\":");
}

int inbox_add(struct app *app, const struct inbox_new *n, struct err *err)
{
    const struct places p = places_of(app, n->told.user_id);
    const struct key all = key_notifications(app->house), own = key_notifications_user(app->house, n->told.user_id),
                     state = key_reminder(app->house, n->unless_answered.s ? n->unless_answered : SPAN(""));
    char most[NUMBER_SIZE], kept[NUMBER_SIZE];
    struct str entry = STR_INIT, message = STR_INIT;

    add_entry(&entry, n);
    add_message(&message, n);
    const struct span keys[] = { key_span(&p.kept), key_span(&p.order), key_span(&p.unread), key_span(&state) };
    const struct span args[] = { span_of(n->told.task_id), { entry.s, entry.len }, { message.s, message.len }, key_span(&all), key_span(&own),
                                 span_number(most, INBOX_MOST), span_number(kept, KEPT_MS) };
    redis_queue_script(main_redis(app), &script_inbox_add, n->unless_answered.s ? 4 : 3, keys, ARRAY_LEN(args), args);
    str_free(&entry);
    str_free(&message);
    const struct reply *reply = ask(app, err);
    return reply ? (int)reply_int(reply, 0) : -1;
}

/* --- looking --- */

static void take_items(const struct reply *reply, struct inbox_page *out)
{
    for (size_t i = 2; i + ITEM_PARTS <= reply->count && out->count < INBOX_MOST; i += ITEM_PARTS)
        out->item[out->count++] = (struct inbox_item){ .id = reply_text(&reply->item[i]),
                                                       .at_ms = reply_int(&reply->item[i + 1], 0),
                                                       .unread = reply_int(&reply->item[i + 2], 0) != 0,
                                                       .json = reply_text(&reply->item[i + 3]) };
}

int inbox_list(struct app *app, struct span user, struct span after, size_t limit, struct inbox_page *out, struct err *err)
{
    const struct places p = places_of(app, user);
    const struct span keys[] = { key_span(&p.kept), key_span(&p.order), key_span(&p.unread) };
    char most[NUMBER_SIZE], kept[NUMBER_SIZE];
    const struct span args[] = { span_number(kept, KEPT_MS), after.s ? after : SPAN(""), span_number(most, (long long)limit) };

    redis_queue_script(main_redis(app), &script_inbox_list, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
    const struct reply *reply = ask(app, err);
    if (!reply)
        return -1;
    out->count = 0;
    out->unread = reply->count > 1 ? reply_int(&reply->item[0], 0) : 0;
    out->more = reply->count > 1 && reply_int(&reply->item[1], 0) != 0;
    take_items(reply, out);
    return 0;
}

int inbox_read(struct app *app, struct span user, struct span id, int64_t *unread, struct err *err)
{
    const struct places p = places_of(app, user);
    const struct span keys[] = { key_span(&p.kept), key_span(&p.order), key_span(&p.unread) };
    char kept[NUMBER_SIZE];
    const struct span args[] = { span_number(kept, KEPT_MS), id.s ? id : SPAN("") };

    redis_queue_script(main_redis(app), &script_inbox_read, ARRAY_LEN(keys), keys, id.s ? 2 : 1, args);
    const struct reply *reply = ask(app, err);
    if (!reply)
        return -1;
    *unread = reply->count > 1 ? reply_int(&reply->item[1], 0) : 0;
    return reply->count > 1 && reply_int(&reply->item[0], 0) != 0;
}
