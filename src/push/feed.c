/* feed.c: what happens to requests, told to the hub */
#include "push/feed.h"

#include "base/log.h"
#include "core/keys.h"
#include "push/views.h"
#include "core/sub_loop.h"

enum { BATCH = 32, BATCHES = 3 /* at once; the other threads let viewers in */ };

struct feed {
    struct pool *pool;
    struct hub *hub;
    struct sub *sub;
    struct sub_loop *carried; /* the subscription, by the loop */
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

struct feed *feed_new(uv_loop_t *loop, const struct house *house, struct pool *pool)
{
    struct feed *f = xcalloc(1, sizeof *f);
    f->pool = pool;
    f->due_end = &f->due;
    f->sub = sub_new(&house->main_url, "peygir-push-feed",
                     (struct sub_handler){ .message = message, .subscribed = subscribed, .ctx = f });
    f->carried = sub_loop_new(loop, f->sub);
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

void feed_close(struct feed *f)
{
    while (f->due) {
        struct topic *t = f->due;
        f->due = t->due_next;
        hub_let_go(t);
    }
    sub_loop_close(f->carried);
    free(f);
}

/* --- topics --- */

void feed_open(struct feed *f, struct topic *t)
{
    struct key channel = key_updates(span_of(t->name));
    t->heard = sub_add(f->sub, channel.s);
    if (t->heard)
        look(f, t);
    sub_loop_drive(f->carried);
}

void feed_shut(struct feed *f, struct topic *t)
{
    struct key channel = key_updates(span_of(t->name));
    t->heard = false;
    sub_remove(f->sub, channel.s);
    sub_loop_drive(f->carried);
}

void feed_catch_up(struct feed *f, struct topic *t)
{
    if (t->heard)
        look(f, t);
}
