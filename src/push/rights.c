/* rights.c: does whoever was let in still have the right? */
#include "push/rights.h"

#include "base/clock.h"
#include "push/admit.h"
#include "push/peer.h"

enum { CHECK_MS = 2000, CHECK_BATCH = 128 };

/* A look at all who look, in batches, one after the other. */
struct round {
    struct push *push;
    struct viewer **all; /* their connections are held */
    size_t count, room, at, now; /* the batch goes from `at`, `now` of them */
    struct admitted list[CHECK_BATCH];
    int result;
    struct err err;
};

static struct peer *peer_at(const struct round *r, size_t i)
{
    return r->all[i]->owner;
}

static void add_viewers(void *ctx, struct topic *t)
{
    struct round *r = ctx;
    for (struct viewer *v = t->first; v; v = v->next) {
        struct peer *c = v->owner;
        if (!c->kind->right)
            continue;
        if (r->count == r->room) {
            r->room = 2 * r->room + 64;
            r->all = xreallocarray(r->all, r->room, sizeof *r->all);
        }
        peer_hold(c);
        r->all[r->count++] = v;
    }
}

static void check_batch(struct app *app, void *ctx)
{
    struct round *r = ctx;
    r->result = admit_again(app, r->list, r->now, &r->err);
}

static void checked(void *ctx);

/* The next batch of those who are still there, or the end of the round. */
static void next_batch(struct round *r)
{
    size_t from = r->at;
    for (r->now = 0; from + r->now < r->count && r->now < CHECK_BATCH; r->now++) {
        struct admitted *one = &r->list[r->now];
        *one = (struct admitted){ .ended = false };
        peer_at(r, from + r->now)->kind->right(peer_at(r, from + r->now), r->all[from + r->now], one);
    }
    if (r->now > 0 && !r->push->stopping) {
        pool_run(r->push->pool, check_batch, checked, r);
        return;
    }
    for (; r->at < r->count; r->at++)
        peer_let_go(peer_at(r, r->at));
    r->push->checking = false;
    free(r->all);
    free(r);
}

/* Meanwhile a viewer may have turned to something else. */
static bool is_the_same(const struct viewer *v, const struct admitted *then)
{
    const struct peer *c = v->owner;
    struct admitted now = { .ended = false };
    if (!c->wsi || !v->topic)
        return false;
    c->kind->right(c, v, &now);
    return strcmp(now.token, then->token) == 0 && strcmp(now.hash, then->hash) == 0;
}

static void checked(void *ctx)
{
    struct round *r = ctx;
    for (size_t i = 0; i < r->now; i++, r->at++) {
        struct viewer *v = r->all[r->at];
        struct peer *c = v->owner;
        if (r->result == 0 && r->list[i].ended && is_the_same(v, &r->list[i]))
            hub_cut(r->push->hub, v);
        peer_let_go(c);
    }
    next_batch(r);
}

void rights_check(struct push *p)
{
    int64_t now_ms = clock_mono_ms();
    if (p->checking || now_ms - p->checked_ms < CHECK_MS)
        return;
    struct round *r = xcalloc(1, sizeof *r);
    p->checking = true;
    p->checked_ms = now_ms;
    r->push = p;
    hub_each(p->hub, add_viewers, r);
    next_batch(r);
}
