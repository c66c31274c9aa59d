/* feed.c: what Redis has to say */
#include "worker/feed.h"

#include "base/log.h"
#include "base/raw.h"
#include "core/sub_loop.h"
#include "worker/taker.h"
#include "worker/upkeep.h"

#define BUCKETS 1024

struct feed {
    struct worker *worker;
    struct sub *sub;
    struct sub_loop *carried; /* the subscription, by the loop */
    struct key orders, restart; /* channels */
    bool refused;               /* Redis does not tell of changes; said once */
    struct carry *bucket[BUCKETS];
};

static struct carry **bucket_of(struct feed *f, struct span hash)
{
    uint32_t n = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < hash.len; i++)
        n = (n ^ (unsigned char)hash.s[i]) * 16777619u;
    return &f->bucket[n % BUCKETS];
}

/* --- reading the state --- */

struct look {
    struct carry *carry;
    enum request_status status;
    int64_t code_until_ms;
    int found;
    struct err err;
};

static void start_look(struct carry *c);

static void look(struct app *app, void *ctx)
{
    struct look *l = ctx;
    l->found = leg_look(app, span_of(l->carry->leg.job.request_hash), &l->status, &l->code_until_ms, &l->err);
}

static void looked(void *ctx)
{
    struct look *l = ctx;
    struct carry *c = l->carry;
    c->looking = false;
    if (l->found < 0) {
        c->look_again = true; /* at the next tick */
    } else if (c->listening) {
        if (l->found > 0)
            carry_hear(c, l->status, l->code_until_ms);
        if (c->look_again && c->listening)
            start_look(c);
    }
    carry_let_go(c);
    free(l);
}

/* One at a time: what came meanwhile asks for another. */
static void start_look(struct carry *c)
{
    if (c->looking) {
        c->look_again = true;
        return;
    }
    struct look *l = xcalloc(1, sizeof *l);
    l->carry = c;
    c->looking = true;
    c->look_again = false;
    carry_hold(c);
    pool_run(c->worker->pool, look, looked, l);
}

void feed_tick(struct feed *f)
{
    for (struct carry *c = f->worker->first; c; c = c->next)
        if (c->listening && c->look_again && !c->looking)
            start_look(c);
}

/* --- messages --- */

/* The hash that ends a channel's name. */
static struct span hash_of(struct span channel)
{
    return channel.len < HASH_LEN ? channel : (struct span){ channel.s + channel.len - HASH_LEN, HASH_LEN };
}

static void each(struct feed *f, struct span hash, void (*fn)(struct carry *c, int status), int status)
{
    for (struct carry *c = *bucket_of(f, hash), *next; c; c = next) {
        next = c->heard_next;
        if (span_is(hash, c->leg.job.request_hash))
            fn(c, status);
    }
}

/* Most messages are progress and matter to nobody here. */
static void hear(struct carry *c, int status)
{
    if (status < 0 || status == REQUEST_CANCELLED || (status == REQUEST_OTP_REQUIRED) != (c->code_until_ms > 0))
        start_look(c);
}

static void hear_request(struct feed *f, struct span channel, struct span payload)
{
    struct span status = raw_get(payload, "status");
    int known = status.len > 2 ? request_status_parse((struct span){ status.s + 1, status.len - 2 }) : -1;
    /* A whole document instead of a view: a bot wrote past the guard. Reading records it, so that the history is whole. */
    if (raw_get(payload, "request_data").s)
        known = -1;
    each(f, hash_of(channel), hear, known);
}

/* {"cancel": id}: the job has ended, so its lease is gone; renewing it shows that. */
static void hear_order(struct feed *f, struct span payload)
{
    struct str id = STR_INIT;
    if (raw_string(raw_get(payload, "cancel"), &id))
        upkeep_check(f->worker->upkeep, id.s);
    str_free(&id);
}

static void message(void *ctx, struct span channel, struct span payload)
{
    struct feed *f = ctx;
    if (span_eq(channel, key_span(&f->orders)))
        hear_order(f, payload);
    else if (span_eq(channel, key_span(&f->restart)))
        upkeep_beat(f->worker->upkeep);
    else
        hear_request(f, channel, payload);
}

/* Whatever was said before this moment was not heard. */
static void subscribed(void *ctx, struct span channel)
{
    struct feed *f = ctx;
    if (span_eq(channel, key_span(&f->orders)))
        upkeep_check(f->worker->upkeep, NULL);
    else if (span_eq(channel, key_span(&f->restart)))
        upkeep_beat(f->worker->upkeep);
    else
        each(f, hash_of(channel), hear, -1);
}

static void changed(void *ctx, struct span key)
{
    struct feed *f = ctx;
    taker_wake(f->worker->taker, key);
}

static void tracked(void *ctx, const char *refused)
{
    struct feed *f = ctx;
    taker_wake(f->worker->taker, (struct span){ NULL, 0 });
    if (refused && !f->refused)
        log_warn("Redis does not tell which keys change, so the queues are looked at every --sleep seconds only: %s", refused);
    f->refused = refused != NULL;
}

static void follow(struct feed *f)
{
    size_t count;
    const char **keys = taker_keys(f->worker->taker, &count);
    sub_track(f->sub, keys, count);
    free(keys);
    sub_add(f->sub, f->orders.s);
    sub_add(f->sub, f->restart.s);
}

struct feed *feed_new(struct worker *w)
{
    struct feed *f = xcalloc(1, sizeof *f);
    f->worker = w;
    f->orders = key_worker_orders(w->house, span_of(w->id));
    f->restart = key_restart(w->house);
    f->sub = sub_new(&w->house->main_url, "peygir-worker-feed",
                     (struct sub_handler){ .message = message,
                                           .subscribed = subscribed,
                                           .ctx = f,
                                           .changed = changed,
                                           .tracked = tracked });
    follow(f);
    f->carried = sub_loop_new(&w->loop, f->sub);
    return f;
}

void feed_close(struct feed *f)
{
    sub_loop_close(f->carried);
    free(f);
}

void feed_add(struct feed *f, struct carry *c)
{
    if (c->listening)
        return;
    struct carry **at = bucket_of(f, span_of(c->leg.job.request_hash));
    struct key channel = key_updates(span_of(c->leg.job.request_hash));
    c->listening = true;
    c->heard_next = *at;
    c->heard_back = at;
    if (c->heard_next)
        c->heard_next->heard_back = &c->heard_next;
    *at = c;
    if (sub_add(f->sub, channel.s)) /* subscribed already: nothing will call for a look */
        start_look(c);
    sub_loop_drive(f->carried);
}

void feed_remove(struct feed *f, struct carry *c)
{
    if (!c->listening)
        return;
    struct key channel = key_updates(span_of(c->leg.job.request_hash));
    c->listening = false;
    *c->heard_back = c->heard_next;
    if (c->heard_next)
        c->heard_next->heard_back = c->heard_back;
    sub_remove(f->sub, channel.s);
    sub_loop_drive(f->carried);
}
