/* feed.c: what happens, told to the hub */
#include "push/feed.h"

#include "base/json.h"
#include "base/log.h"
#include "core/keys.h"
#include "core/notify.h"
#include "core/sub_loop.h"
#include "push/views.h"

enum {
    BATCH = 32, BATCHES = 3, /* at once; the other threads let viewers in */
    FEW = 8
};

struct feed {
    struct pool *pool;
    const struct house *house;
    struct hub *hub;
    struct sub *sub;
    struct sub_loop *carried; /* the subscription, by the loop */
    uv_check_t heard;         /* looks begin when all that one reading brought has been heard */
    bool stopped, away;
    bool failed;                  /* a look did, since the last tick */
    struct topic *due, **due_end; /* looks to make, first come first served; each topic is held */
    size_t running;
    size_t users;                 /* topics of users that are open */
    int64_t told;                 /* messages that went on as they came */
};

/* --- kinds of topics --- */

#define REQUESTS "local_request_updates:"

static bool is_request(const struct topic *t)
{
    return strncmp(t->name, REQUESTS, sizeof REQUESTS - 1) == 0;
}

const char *feed_hash(const struct topic *t)
{
    return is_request(t) ? t->name + sizeof REQUESTS - 1 : "";
}

static bool is_user(const struct feed *f, const struct topic *t)
{
    const struct key users = key_notifications_user(f->house, SPAN(""));
    return strncmp(t->name, users.s, users.len) == 0;
}

/* --- looking --- */

struct batch {
    struct feed *feed;
    size_t count;
    struct topic *topic[BATCH];
    struct views views[BATCH];
};

static void read_batch(struct app *app, void *ctx)
{
    struct batch *b = ctx;
    views_read(app, b->views, b->count);
}

static void pump(struct feed *f);

static void make_due(struct feed *f, struct topic *t)
{
    if (t->looking || t->due) { /* one at a time: what came meanwhile asks for another */
        t->again = t->looking;
        return;
    }
    t->due = true;
    t->again = false;
    t->due_next = NULL;
    *f->due_end = t;
    f->due_end = &t->due_next;
    hub_hold(t);
}

static void say_away(struct feed *f, bool away, const struct err *err)
{
    if (f->away && !away)
        log_info("Redis answers again");
    else if (away && !f->away)
        log_warn("%s Streams stay open and go on when it answers again.", err->text);
    f->away = away;
}

static void look_failed(struct feed *f, struct topic *t, const struct err *err)
{
    if (err->kind == ERR_AWAY)
        say_away(f, true, err);
    else
        log_debug("%s", err->text);
    t->again = f->failed = true; /* at the next tick */
}

static void tell(struct feed *f, struct topic *t, struct views *v)
{
    t->looking = false;
    if (v->found < 0) {
        look_failed(f, t, &v->err);
    } else {
        say_away(f, false, NULL);
        if (v->found == 0)
            hub_end(f->hub, t);
        else
            hub_publish(f->hub, t, v->event, v->count);
        t->waits_in_queue = v->found == 1 && v->status == REQUEST_PENDING;
        if (t->again)
            make_due(f, t);
    }
    views_clear(v);
    hub_let_go(t);
}

static void told(void *ctx)
{
    struct batch *b = ctx;
    struct feed *f = b->feed;
    f->running--;
    for (size_t i = 0; i < b->count; i++)
        tell(f, b->topic[i], &b->views[i]);
    free(b);
    pump(f);
}

/* Languages of those who look, each once. */
static void ask(const struct topic *t, struct views *v)
{
    snprintf(v->hash, sizeof v->hash, "%s", feed_hash(t));
    v->after = hub_seen(t);
    v->place = t->waits_in_queue;
    for (const struct viewer *w = t->first; w; w = w->next) {
        size_t i = 0;
        while (i < v->languages && v->language[i] != w->language)
            i++;
        if (i == v->languages && i < VIEWS_LANGUAGES && w->language)
            v->language[v->languages++] = w->language;
    }
}

static struct batch *next_batch(struct feed *f)
{
    struct batch *b = xcalloc(1, sizeof *b);
    b->feed = f;
    while (f->due && b->count < BATCH) {
        struct topic *t = f->due;
        f->due = t->due_next;
        if (!f->due)
            f->due_end = &f->due;
        t->due = false;
        ask(t, &b->views[b->count]);
        t->looking = b->views[b->count].languages > 0; /* somebody wants to see it */
        if (t->looking)
            b->topic[b->count++] = t;
        else
            hub_let_go(t);
    }
    return b;
}

/* A few that are the only ones are looked at by the loop itself, while Redis is well: handing them to a thread and back would take longer
 * than Redis does. */
static void start_batch(struct feed *f)
{
    struct batch *b = next_batch(f);
    if (b->count == 0) {
        free(b);
        return;
    }
    f->running++;
    if (!f->due && f->running == 1 && b->count <= FEW && !f->away && !f->failed)
        pool_run_here(f->pool, read_batch, told, b);
    else
        pool_run(f->pool, read_batch, told, b);
}

static void pump(struct feed *f)
{
    while (f->due && f->running < BATCHES && !f->stopped)
        start_batch(f);
}

static void pump_heard(uv_check_t *heard)
{
    pump(heard->data);
}

static void look_again(void *ctx, struct topic *t)
{
    if (t->again && !t->looking)
        make_due(ctx, t);
}

void feed_tick(struct feed *f)
{
    if (f->failed) {
        f->failed = false;
        hub_each(f->hub, look_again, f);
    }
    pump(f);
}

/* --- messages --- */

/* For everybody: what is no user's, and tells of no task, which is somebody's. */
static bool is_general(struct span payload)
{
    static const char *const names[] = { "type", "user_id" };
    struct span value[ARRAY_LEN(names)];
    if (raw_get_many(payload, names, value, ARRAY_LEN(names)) < 1)
        return false;
    return raw_is(value[0], "notification") && (!value[1].s || span_is(value[1], "null"));
}

/* Outsiders may publish anything: a viewer gets nothing that is no JSON object. */
static struct event *event_of(struct feed *f, struct span channel, struct span payload)
{
    if (payload.len <= NOTIFY_MAX && payload.len > 0 && payload.s[0] == '{' && json_check(payload.s, payload.len, NULL) == 0)
        return event_new(NULL, ++f->told, false, payload);
    log_debug("A message of %zu bytes on %.*s is no JSON object of at most %d bytes: it is not passed on", payload.len, (int)channel.len,
              channel.s, NOTIFY_MAX);
    return NULL;
}

struct telling {
    struct feed *feed;
    struct event *event;
};

static void tell_user(void *ctx, struct topic *t)
{
    struct telling *told = ctx;
    if (is_user(told->feed, t))
        hub_publish(told->feed->hub, t, &told->event, 1);
}

static void pass_on(struct feed *f, struct topic *t, struct span channel, struct span payload)
{
    struct telling told = { f, t || is_general(payload) ? event_of(f, channel, payload) : NULL };
    if (told.event && t)
        hub_publish(f->hub, t, &told.event, 1);
    else if (told.event)
        hub_each(f->hub, tell_user, &told);
    event_drop(told.event);
}

static void message(void *ctx, struct span channel, struct span payload)
{
    struct feed *f = ctx;
    struct topic *t = hub_find(f->hub, channel);
    if (t && is_request(t)) {
        make_due(f, t);
        hub_poke(f->hub, t);
    } else if (t || span_is(channel, f->house->notifications)) {
        pass_on(f, t, channel, payload);
    }
}

/* Whatever was said before this moment was not heard. */
static void subscribed(void *ctx, struct span channel)
{
    struct feed *f = ctx;
    struct topic *t = hub_find(f->hub, channel);
    if (!t)
        return;
    t->heard = true;
    if (is_request(t))
        make_due(f, t);
    hub_poke(f->hub, t);
}

struct feed *feed_new(uv_loop_t *loop, const struct house *house, struct pool *pool)
{
    struct feed *f = xcalloc(1, sizeof *f);
    f->pool = pool;
    f->house = house;
    f->due_end = &f->due;
    f->sub = sub_new(&house->main_url, "peygir-push-feed",
                     (struct sub_handler){ .message = message, .subscribed = subscribed, .ctx = f });
    f->carried = sub_loop_new(loop, f->sub);
    uv_check_init(loop, &f->heard);
    f->heard.data = f;
    uv_check_start(&f->heard, pump_heard);
    return f;
}

void feed_use(struct feed *f, struct hub *hub)
{
    f->hub = hub;
}

void feed_stop(struct feed *f)
{
    f->stopped = true;
}

static void closed(uv_handle_t *heard)
{
    free(heard->data);
}

void feed_close(struct feed *f)
{
    while (f->due) {
        struct topic *t = f->due;
        f->due = t->due_next;
        hub_let_go(t);
    }
    sub_loop_close(f->carried);
    uv_close((uv_handle_t *)&f->heard, closed);
}

/* --- topics --- */

/* What is told to everybody is heard as long as a user listens. */
static void hear_all(struct feed *f, bool hear)
{
    if (hear && f->users++ == 0)
        sub_add(f->sub, f->house->notifications);
    else if (!hear && --f->users == 0)
        sub_remove(f->sub, f->house->notifications);
}

void feed_open(struct feed *f, struct topic *t)
{
    if (is_user(f, t))
        hear_all(f, true);
    t->heard = sub_add(f->sub, t->name);
    if (t->heard && is_request(t))
        make_due(f, t);
    sub_loop_drive(f->carried);
}

void feed_shut(struct feed *f, struct topic *t)
{
    if (is_user(f, t))
        hear_all(f, false);
    t->heard = false;
    sub_remove(f->sub, t->name);
    sub_loop_drive(f->carried);
}

void feed_catch_up(struct feed *f, struct topic *t)
{
    if (t->heard && is_request(t))
        make_due(f, t);
}
