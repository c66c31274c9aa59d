/* notify.c: messages to users */
#include "core/notify.h"

#include "core/keys.h"

enum { USER_ID_MAX = 128 }; /* as long as ids in keys may be */

static void add_text(struct str *out, const char *name, struct span text)
{
    str_adds(out, name);
    if (text.s)
        str_add_json(out, text.s, text.len);
    else
        str_adds(out, "null");
}

void notify_add_open(struct str *out, const struct notification *n)
{
    str_adds(out, "{\"type\":\"notification\"");
    add_text(out, ",\"task_id\":", span_of(n->task_id));
    add_text(out, ",\"user_id\":", n->user_id);
    add_text(out, ",\"message\":", n->message.s ? n->message : SPAN(""));
    str_adds(out, ",\"data\":");
    str_add_span(out, n->data.s ? n->data : SPAN("null"));
}

static void build(struct str *out, const struct notification *n, int64_t now_ms)
{
    notify_add_open(out, n);
    str_adds(out, ",\"timestamp\":");
    str_add_int(out, now_ms);
    str_addc(out, '}');
}

static void queue_publish(struct app *app, const struct key *channel, const struct str *text)
{
    redis_queuef(app->redis, "PUBLISH %b %b", channel->s, channel->len, text->s, text->len);
}

int notify_send(struct app *app, const struct notification *n, struct err *err)
{
    const struct key all = key_notifications(app->house);
    struct str text = STR_INIT;
    const struct reply *replies;
    size_t count;
    if (n->user_id.s && (n->user_id.len == 0 || n->user_id.len > USER_ID_MAX))
        return err_set(err, ERR_INVALID, "A user's id has 1 to %d bytes, and this one has %zu.", USER_ID_MAX,
                       n->user_id.len);
    build(&text, n, house_now_ms(app->house));
    queue_publish(app, &all, &text);
    if (n->user_id.s) {
        const struct key own = key_notifications_user(app->house, n->user_id);
        queue_publish(app, &own, &text);
    }
    str_free(&text);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
    return 0;
}
