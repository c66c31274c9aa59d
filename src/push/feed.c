/* feed.c: what happens to requests, told to the hub */
#include "push/feed.h"

#include "base/log.h"
#include "core/keys.h"
#include "push/views.h"
#include "redis/sub.h"

#include <poll.h>

enum { BATCH = 32, BATCHES = 3 /* at once; the other threads let viewers in */ };

struct feed {
    uv_loop_t *loop;
    struct pool *pool;
    struct hub *hub;
    struct sub *sub;
    uv_timer_t timer;
    uv_poll_t *poll; /* NULL while not connected */
    int fd;
    bool stopped, away;
    bool failed;                  /* a look did, since the last tick */
    struct topic *due, **due_end; /* looks to make, first come first served; each topic is held */
    size_t running;
};

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
    snprintf(v->hash, sizeof v->hash, "%s", t->name);
    v->after = hub_seen(t);
    v->place = t->waits_in_queue;
    for (const struct viewer *w = t->first; w; w = w->next) {
        size_t i = 0;
        while (i < v->languages && v->language[i] != w->language)
            i++;
        if (i == v->languages && i < VIEWS_LANGUAGES)
            v->language[v->languages++] = w->language;
    }
}

static void start_batch(struct feed *f)
{
    struct batch *b = xcalloc(1, sizeof *b);
    b->feed = f;
    while (f->due && b->count < BATCH) {
        struct topic *t = f->due;
        f->due = t->due_next;
        if (!f->due)
            f->due_end = &f->due;
        t->due = false;
        t->looking = t->viewers > 0;
        if (!t->looking) {
            hub_let_go(t);
            continue;
        }
        ask(t, &b->views[b->count]);
        b->topic[b->count++] = t;
    }
    if (b->count == 0) {
        free(b);
        return;
    }
    f->running++;
    pool_run(f->pool, read_batch, told, b);
}

static void pump(struct feed *f)
{
    while (f->due && f->running < BATCHES && !f->stopped)
        start_batch(f);
}

static void look(struct feed *f, struct topic *t)
{
    make_due(f, t);
    pump(f);
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

static struct topic *topic_of(struct feed *f, struct span channel)
{
    return channel.len < HASH_LEN ? NULL : hub_find(f->hub, (struct span){ channel.s + channel.len - HASH_LEN, HASH_LEN });
}

static void message(void *ctx, struct span channel, struct span payload)
{
    struct topic *t = topic_of(ctx, channel);
    (void)payload;
    if (t)
        look(ctx, t);
}

/* Whatever was said before this moment was not heard. */
static void subscribed(void *ctx, struct span channel)
{
    struct topic *t = topic_of(ctx, channel);
    if (!t)
        return;
    t->heard = true;
    look(ctx, t);
}

/* --- the connection on the loop --- */

static void drive(struct feed *f);

static void poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void ready(uv_poll_t *poll, int status, int events)
{
    struct feed *f = poll->data;
    short revents = (short)((events & UV_READABLE ? POLLIN : 0) | (events & UV_WRITABLE ? POLLOUT : 0) |
                            (status < 0 ? POLLERR | POLLIN : 0));
    sub_ready(f->sub, revents);
    drive(f);
}

static void tick(uv_timer_t *timer)
{
    struct feed *f = timer->data;
    sub_tick(f->sub);
    drive(f);
}

static void stop_poll(struct feed *f)
{
    if (!f->poll)
        return;
    uv_poll_stop(f->poll);
    uv_close((uv_handle_t *)f->poll, poll_closed);
    f->poll = NULL;
    f->fd = -1;
}

/* What the subscription waits for now. A descriptor that was closed shows as -1 before there is a new one. */
static void drive(struct feed *f)
{
    int fd = sub_fd(f->sub), wait_ms = sub_timeout_ms(f->sub);
    short events = sub_events(f->sub);
    if (fd != f->fd)
        stop_poll(f);
    if (fd >= 0 && !f->poll) {
        f->poll = xcalloc(1, sizeof *f->poll);
        uv_poll_init(f->loop, f->poll, fd);
        f->poll->data = f;
        f->fd = fd;
    }
    if (f->poll)
        uv_poll_start(f->poll, (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0), ready);
    uv_timer_start(&f->timer, tick, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

struct feed *feed_new(uv_loop_t *loop, const struct house *house, struct pool *pool)
{
    struct feed *f = xcalloc(1, sizeof *f);
    f->loop = loop;
    f->pool = pool;
    f->due_end = &f->due;
    f->fd = -1;
    f->sub = sub_new(&house->main_url, "peygir-push-feed",
                     (struct sub_handler){ .message = message, .subscribed = subscribed, .ctx = f });
    uv_timer_init(loop, &f->timer);
    f->timer.data = f;
    drive(f);
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

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void feed_close(struct feed *f)
{
    while (f->due) {
        struct topic *t = f->due;
        f->due = t->due_next;
        hub_let_go(t);
    }
    stop_poll(f);
    sub_free(f->sub);
    uv_close((uv_handle_t *)&f->timer, closed);
}

/* --- topics --- */

void feed_open(struct feed *f, struct topic *t)
{
    struct key channel = key_updates(span_of(t->name));
    t->heard = sub_add(f->sub, channel.s);
    if (t->heard)
        look(f, t);
    drive(f);
}

void feed_shut(struct feed *f, struct topic *t)
{
    struct key channel = key_updates(span_of(t->name));
    t->heard = false;
    sub_remove(f->sub, channel.s);
    drive(f);
}

void feed_catch_up(struct feed *f, struct topic *t)
{
    if (t->heard)
        look(f, t);
}
