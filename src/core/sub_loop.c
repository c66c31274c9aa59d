/* sub_loop.c: what a subscription waits for, given to libuv */
#include "core/sub_loop.h"

#include "base/xmalloc.h"

#include <poll.h>
#include <stdlib.h>

struct sub_loop {
    uv_loop_t *loop;
    struct sub *sub;
    uv_timer_t timer;
    uv_poll_t *poll; /* NULL while not connected */
    int events;      /* what the loop waits for */
};

static void poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void ready(uv_poll_t *poll, int status, int events)
{
    struct sub_loop *l = poll->data;
    short revents = (short)((events & UV_READABLE ? POLLIN : 0) | (events & UV_WRITABLE ? POLLOUT : 0) |
                            (status < 0 ? POLLERR | POLLIN : 0));
    sub_ready(l->sub, revents);
    sub_loop_drive(l);
}

static void tick(uv_timer_t *timer)
{
    struct sub_loop *l = timer->data;
    sub_tick(l->sub);
    sub_loop_drive(l);
}

static void stop_poll(void *ctx)
{
    struct sub_loop *l = ctx;
    if (!l->poll)
        return;
    uv_poll_stop(l->poll);
    uv_close((uv_handle_t *)l->poll, poll_closed);
    l->poll = NULL;
}

void sub_loop_drive(struct sub_loop *l)
{
    int fd = sub_fd(l->sub), wait_ms = sub_timeout_ms(l->sub);
    short polled = sub_events(l->sub);
    int events = (polled & POLLIN ? UV_READABLE : 0) | (polled & POLLOUT ? UV_WRITABLE : 0);
    if (fd >= 0 && !l->poll) {
        l->poll = xcalloc(1, sizeof *l->poll);
        uv_poll_init(l->loop, l->poll, fd);
        l->poll->data = l;
        l->events = 0;
    }
    if (l->poll && events != l->events) /* libuv takes the descriptor out of the epoll and puts it in again */
        uv_poll_start(l->poll, events, ready);
    l->events = events;
    uv_timer_start(&l->timer, tick, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

struct sub_loop *sub_loop_new(uv_loop_t *loop, struct sub *sub)
{
    struct sub_loop *l = xcalloc(1, sizeof *l);
    *l = (struct sub_loop){ .loop = loop, .sub = sub };
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    sub_on_close(sub, stop_poll, l);
    sub_loop_drive(l);
    return l;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void sub_loop_close(struct sub_loop *l)
{
    stop_poll(l);
    sub_free(l->sub);
    uv_close((uv_handle_t *)&l->timer, closed);
}
