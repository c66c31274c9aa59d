/* peer.c: what all connections have in common */
#include "push/peer.h"

#include "base/clock.h"

#include <sys/epoll.h>

enum { PING_MS = 15000, PARTINGS_AT_ONCE = 64, US_PER_S = 1000000 };

/* --- life --- */

static void put_last(struct push *p, struct peer *c)
{
    c->next = NULL;
    c->back = p->last;
    *p->last = c;
    p->last = &c->next;
}

static void take_out(struct push *p, struct peer *c)
{
    *c->back = c->next;
    if (c->next)
        c->next->back = c->back;
    else
        p->last = c->back;
}

static void free_unused(struct peer *c)
{
    if (c->wsi || c->holds > 0)
        return;
    if (c->kind->clear)
        c->kind->clear(c);
    str_free(&c->answer);
    free(c);
}

static void leave(struct peer *c)
{
    if (c->kind->leave)
        c->kind->leave(c);
}

void *peer_new(struct push *p, struct lws *wsi, const struct peer_kind *kind, size_t size)
{
    struct peer *c = xcalloc(1, size);
    struct epoll_event watch = { .events = EPOLLIN, .data.ptr = c };
    c->kind = kind;
    c->push = p;
    c->wsi = wsi;
    c->fd = lws_get_socket_fd(wsi);
    if (kind->silent)
        epoll_ctl(p->partings, EPOLL_CTL_ADD, c->fd, &watch);
    c->pinged_ms = clock_mono_ms();
    put_last(p, c);
    lws_set_opaque_user_data(wsi, c);
    return c;
}

struct peer *peer_of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

void peer_gone(struct lws *wsi)
{
    struct peer *c = peer_of(wsi);
    if (!c)
        return;
    lws_set_opaque_user_data(wsi, NULL);
    if (c->kind->silent)
        epoll_ctl(c->push->partings, EPOLL_CTL_DEL, c->fd, NULL);
    c->wsi = NULL;
    take_out(c->push, c);
    leave(c);
    free_unused(c);
}

void peer_close(struct peer *c)
{
    if (c->kind->silent)
        epoll_ctl(c->push->partings, EPOLL_CTL_DEL, c->fd, NULL);
    leave(c);
    c->state = PEER_ENDING;
    c->ping = false;
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* While an answer is under way libwebsockets 4.1 reads nothing, so that it neither sees the end of a connection nor sleeps any more when it
 * has come. Nothing but the end is to come: whatever does closes it. */
void peer_part(struct push *p)
{
    struct epoll_event ready[PARTINGS_AT_ONCE];
    int count = epoll_wait(p->partings, ready, PARTINGS_AT_ONCE, 0);
    for (int i = 0; i < count; i++)
        peer_close(ready[i].data.ptr);
}

void peer_hold(struct peer *c)
{
    c->holds++;
}

void peer_let_go(struct peer *c)
{
    c->holds--;
    free_unused(c);
}

void peer_timer(struct peer *c, int64_t seconds)
{
    c->due_ms = seconds > 0 ? clock_mono_ms() + seconds * 1000 : 0;
    if (seconds > 0)
        lws_set_timer_usecs(c->wsi, (lws_usec_t)seconds * US_PER_S);
}

/* One that is not wanted any more runs out in vain: libwebsockets 4.1 knows no way to stop it. */
int peer_time(struct peer *c)
{
    if (c && c->state == PEER_OPEN && c->due_ms > 0 && clock_mono_ms() >= c->due_ms - 1)
        c->kind->time(c);
    return 0;
}

/* --- writing --- */

struct str *peer_begin(struct peer *c)
{
    static const char room[LWS_PRE];
    struct str *out = &c->push->out;
    str_reset(out);
    str_add(out, room, sizeof room);
    return out;
}

int peer_send(struct peer *c, enum lws_write_protocol protocol)
{
    struct str *out = &c->push->out;
    size_t len = out->len - LWS_PRE;
    return len == 0 || lws_write(c->wsi, (unsigned char *)out->s + LWS_PRE, len, protocol) >= (int)len ? 0 : -1;
}

void peer_wake(struct peer *c)
{
    if (!c->wsi)
        return;
    c->asked = true;
    lws_callback_on_writable(c->wsi);
}

void peer_answer(struct peer *c)
{
    c->state = PEER_ANSWERING;
    peer_wake(c);
}

static int write_next(struct peer *c)
{
    if (c->state == PEER_ENDING)
        return -1;
    if (c->state == PEER_OPEN)
        return c->kind->write ? c->kind->write(c) : 0;
    str_add(peer_begin(c), c->answer.s, c->answer.len);
    if (peer_send(c, LWS_WRITE_HTTP) < 0)
        return -1;
    c->state = PEER_ENDING;
    peer_wake(c);
    return 0;
}

int peer_room(struct peer *c)
{
    if (!c)
        return -1;
    c->asked = false;
    return write_next(c);
}

void peer_viewer(void *ctx, struct viewer *v)
{
    struct peer *c = v->owner;
    (void)ctx;
    if (c->wsi && c->kind->wake) {
        c->kind->wake(c);
    } else if (c->wsi && !c->asked) {
        bool full = lws_partial_buffered(c->wsi);
        if (!full && write_next(c) < 0)
            c->state = PEER_ENDING; /* closed by the loop: whoever calls may be going through the viewers */
        if (full || c->state == PEER_ENDING)
            peer_wake(c);
    }
}

/* --- pings --- */

/* What was to be written 15 s ago and still waits shows that nobody reads. */
void peer_ping(struct push *p)
{
    int64_t now_ms = clock_mono_ms();
    struct peer *c;
    while ((c = p->first) && now_ms - c->pinged_ms >= PING_MS) {
        take_out(p, c);
        put_last(p, c);
        c->pinged_ms = now_ms;
        if (c->ping) {
            peer_close(c);
        } else if (c->state == PEER_ANSWERING || (c->state == PEER_OPEN && c->kind->ping && c->kind->ping(c))) {
            c->ping = true;
            peer_wake(c);
        }
    }
}
