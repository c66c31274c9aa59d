/* hub.c: who looks at what, and what still has to be sent to whom */
#include "push/hub.h"

#include "base/digest.h"

#define BUCKETS 4096

struct hub {
    struct hub_handler handler;
    struct topic *bucket[BUCKETS];
};

/* --- events --- */

struct event *event_new(const void *language, int64_t revision, bool last, struct span text)
{
    struct event *e = xmalloc(sizeof *e + text.len);
    *e = (struct event){ .refs = 1, .last = last, .language = language, .revision = revision, .len = text.len };
    memcpy(e->text, text.s, text.len);
    return e;
}

void event_drop(struct event *e)
{
    if (e && --e->refs == 0)
        free(e);
}

/* --- topics --- */

struct hub *hub_new(struct hub_handler handler)
{
    struct hub *h = xcalloc(1, sizeof *h);
    h->handler = handler;
    return h;
}

void hub_free(struct hub *h)
{
    free(h);
}

static struct topic **bucket_of(struct hub *h, struct span name)
{
    return &h->bucket[digest_short(name.s, name.len) % BUCKETS];
}

struct topic *hub_find(struct hub *h, struct span name)
{
    for (struct topic *t = *bucket_of(h, name); t; t = t->next)
        if (span_is(name, t->name))
            return t;
    return NULL;
}

static struct topic *add_topic(struct hub *h, const char *name)
{
    size_t size = strlen(name) + 1;
    struct topic *t = xcalloc(1, sizeof *t + size), **at = bucket_of(h, span_of(name));
    memcpy(t->name, name, size);
    t->next = *at;
    t->back = at;
    if (t->next)
        t->next->back = &t->next;
    *at = t;
    return t;
}

static void remove_unused(struct topic *t)
{
    if (t->viewers > 0 || t->holds > 0)
        return;
    *t->back = t->next;
    if (t->next)
        t->next->back = t->back;
    free(t);
}

void hub_each(struct hub *h, void (*fn)(void *ctx, struct topic *t), void *ctx)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct topic *t = h->bucket[i], *next; t; t = next) {
            next = t->next;
            fn(ctx, t);
        }
}

void hub_hold(struct topic *t)
{
    t->holds++;
}

void hub_let_go(struct topic *t)
{
    t->holds--;
    remove_unused(t);
}

/* --- viewers --- */

bool hub_join(struct hub *h, const char *name, struct viewer *v)
{
    struct topic *t = hub_find(h, span_of(name));
    if (!t)
        t = add_topic(h, name);
    v->topic = t;
    v->next = t->first;
    v->back = &t->first;
    if (v->next)
        v->next->back = &v->next;
    t->first = v;
    if (++t->viewers > 1)
        return false;
    h->handler.opened(h->handler.ctx, t);
    return true;
}

static void drop_waiting(struct viewer *v)
{
    for (unsigned i = 0; i < v->count; i++)
        event_drop(v->waiting[i]);
    free(v->waiting);
    v->waiting = NULL;
    v->count = v->room = 0;
}

void hub_leave(struct hub *h, struct viewer *v)
{
    struct topic *t = v->topic;
    drop_waiting(v);
    if (!t)
        return;
    v->topic = NULL;
    *v->back = v->next;
    if (v->next)
        v->next->back = v->back;
    if (--t->viewers > 0)
        return;
    h->handler.closed(h->handler.ctx, t);
    remove_unused(t);
}

int64_t hub_seen(const struct topic *t)
{
    int64_t seen = t->first ? t->first->seen : 0;
    for (const struct viewer *v = t->first; v; v = v->next)
        if (v->seen < seen)
            seen = v->seen;
    return seen;
}

/* --- events to viewers --- */

static void add_waiting(struct viewer *v, struct event *e)
{
    if (v->count == (v->keeps ? v->keeps : HUB_WAITING))
        drop_waiting(v);
    if (v->count == v->room) {
        v->room = v->room ? 2 * v->room : 2;
        v->waiting = xreallocarray(v->waiting, v->room, sizeof *v->waiting);
    }
    e->refs++;
    v->waiting[v->count++] = e;
}

void hub_offer(struct hub *h, struct viewer *v, struct event *const events[], size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        struct event *e = events[i];
        if (v->over || e->language != v->language || e->revision <= v->seen)
            continue;
        add_waiting(v, e);
        v->seen = e->revision;
        v->over = e->last;
        any = true;
    }
    if (any)
        h->handler.wake(h->handler.ctx, v);
}

void hub_publish(struct hub *h, struct topic *t, struct event *const events[], size_t count)
{
    for (struct viewer *v = t->first; v && count > 0; v = v->next)
        hub_offer(h, v, events, count);
}

void hub_cut(struct hub *h, struct viewer *v)
{
    drop_waiting(v);
    v->over = true;
    h->handler.wake(h->handler.ctx, v);
}

void hub_end(struct hub *h, struct topic *t)
{
    for (struct viewer *v = t->first; v; v = v->next)
        if (!v->over)
            hub_cut(h, v);
}

void hub_poke(struct hub *h, struct topic *t)
{
    for (struct viewer *v = t->first; v; v = v->next)
        if (!v->language)
            h->handler.wake(h->handler.ctx, v);
}

struct event *hub_take(struct viewer *v)
{
    if (v->count == 0)
        return NULL;
    struct event *e = v->waiting[0];
    memmove(v->waiting, v->waiting + 1, --v->count * sizeof *v->waiting);
    if (v->count == 0)
        drop_waiting(v);
    return e;
}
