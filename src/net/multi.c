/* multi.c: curl's calls on a libuv loop. */
#include "net/multi.h"

#include "base/str.h"

#define IDLE_CONNECTIONS 32L

TAILQ_HEAD(calls, multi_call);

struct multi {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;  /* curl's */
    uv_timer_t later;  /* delivers what was cancelled */
    int open_handles;  /* of the two */
    size_t max_out, out_count, count;
    struct calls waiting, out, cancelled;
};

struct watch {
    uv_poll_t poll; /* first, so that a handle is its watch */
    struct multi *multi;
    curl_socket_t fd;
};

/* --- places --- */

static void check(CURLMcode code, const char *what)
{
    if (code == CURLM_OK)
        return;
    fprintf(stderr, "multi: %s: %s\n", what, curl_multi_strerror(code));
    abort();
}

static void send_waiting(struct multi *m)
{
    struct multi_call *call;

    while ((call = TAILQ_FIRST(&m->waiting)) && (m->max_out == 0 || m->out_count < m->max_out)) {
        TAILQ_REMOVE(&m->waiting, call, link);
        TAILQ_INSERT_TAIL(&m->out, call, link);
        call->state = MULTI_OUT;
        m->out_count++;
        check(curl_multi_add_handle(m->multi, call->easy), "a call cannot be started");
    }
}

/* Out of curl's hands; a connection that is in the middle of something is closed. */
static void take_back(struct multi_call *call)
{
    struct multi *m = call->multi;

    TAILQ_REMOVE(&m->out, call, link);
    m->out_count--;
    check(curl_multi_remove_handle(m->multi, call->easy), "a call cannot be ended");
}

/* It is on no list any more. */
static void end(struct multi_call *call, bool cancelled, CURLcode code)
{
    call->state = MULTI_ENDED;
    call->multi->count--;
    call->ended(call, cancelled, code);
}

static void take_ended(struct multi *m)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(m->multi, &left))) {
        struct multi_call *call = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        if (code == CURLE_OK && call->connected) {
            call->connected(call);
            continue;
        }
        take_back(call); /* the message is gone now */
        end(call, false, code);
    }
    send_waiting(m);
}

/* --- curl and libuv --- */

static void on_timer(uv_timer_t *timer);

static void start_timer(struct multi *m, long timeout_ms)
{
    uv_update_time(m->loop);
    uv_timer_start(&m->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct multi *m = timer->data;
    long timeout_ms = -1;
    int running;

    check(curl_multi_socket_action(m->multi, CURL_SOCKET_TIMEOUT, 0, &running), "time cannot be kept");
    take_ended(m);
    /* curl names a moment once; were this wake-up a little early, it would not ask again. */
    curl_multi_timeout(m->multi, &timeout_ms);
    if (timeout_ms >= 0 && !uv_is_active((uv_handle_t *)timer))
        start_timer(m, timeout_ms > 0 ? timeout_ms : 1);
}

static int on_timeout_wish(CURLM *multi, long timeout_ms, void *ctx)
{
    struct multi *m = ctx;

    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&m->timer);
    else
        start_timer(m, timeout_ms);
    return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watch *w = (struct watch *)poll;
    struct multi *m = w->multi;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    int running;

    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    check(curl_multi_socket_action(m->multi, w->fd, what, &running), "a socket cannot be served");
    take_ended(m);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle);
}

static struct watch *new_watch(struct multi *m, curl_socket_t fd)
{
    struct watch *w = xcalloc(1, sizeof(*w));

    w->multi = m;
    w->fd = fd;
    if (uv_poll_init_socket(m->loop, &w->poll, fd) < 0) {
        free(w);
        return NULL;
    }
    curl_multi_assign(m->multi, fd, w);
    return w;
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *ctx, void *assigned)
{
    struct multi *m = ctx;
    struct watch *w = assigned;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            uv_poll_stop(&w->poll);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
            curl_multi_assign(m->multi, fd, NULL);
        }
        return 0;
    }
    if (!w)
        w = new_watch(m, fd);
    return w && uv_poll_start(&w->poll, events, on_socket) == 0 ? 0 : -1;
}

/* --- calls --- */

void multi_start(struct multi *m, struct multi_call *call, CURL *easy)
{
    call->multi = m;
    call->easy = easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    call->state = MULTI_WAITING;
    TAILQ_INSERT_TAIL(&m->waiting, call, link);
    m->count++;
    send_waiting(m);
}

static void on_later(uv_timer_t *timer)
{
    struct multi *m = timer->data;
    struct multi_call *call;

    while ((call = TAILQ_FIRST(&m->cancelled))) {
        TAILQ_REMOVE(&m->cancelled, call, link);
        end(call, true, CURLE_OK);
    }
    send_waiting(m);
}

void multi_cancel(struct multi_call *call)
{
    struct multi *m = call->multi;

    if (call->state == MULTI_CANCELLED || call->state == MULTI_ENDED)
        return;
    if (call->state == MULTI_OUT)
        take_back(call);
    else
        TAILQ_REMOVE(&m->waiting, call, link);
    call->state = MULTI_CANCELLED;
    TAILQ_INSERT_TAIL(&m->cancelled, call, link);
    uv_timer_start(&m->later, on_later, 0, 0);
}

void multi_close(struct multi_call *call)
{
    struct multi *m = call->multi;

    take_back(call);
    call->state = MULTI_ENDED;
    m->count--;
    send_waiting(m);
}

size_t multi_calls(const struct multi *m)
{
    return m->count;
}

/* --- the whole --- */

static void open_timer(struct multi *m, uv_timer_t *timer)
{
    uv_timer_init(m->loop, timer);
    timer->data = m;
    m->open_handles++;
}

struct multi *multi_new(uv_loop_t *loop, size_t max_out)
{
    struct multi *m = xcalloc(1, sizeof(*m));

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(m->multi = curl_multi_init()))
        abort();
    m->loop = loop;
    m->max_out = max_out;
    TAILQ_INIT(&m->waiting);
    TAILQ_INIT(&m->out);
    TAILQ_INIT(&m->cancelled);
    open_timer(m, &m->timer);
    open_timer(m, &m->later);
    curl_multi_setopt(m->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
    curl_multi_setopt(m->multi, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(m->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wish);
    curl_multi_setopt(m->multi, CURLMOPT_TIMERDATA, m);
    curl_multi_setopt(m->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
    return m;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct multi *m = handle->data;

    if (--m->open_handles == 0)
        free(m);
}

void multi_free(struct multi *m)
{
    struct multi_call *call;

    if (!m)
        return;
    while ((call = TAILQ_FIRST(&m->waiting)) || (call = TAILQ_FIRST(&m->out)))
        multi_cancel(call);
    on_later(&m->later);
    curl_multi_cleanup(m->multi);
    uv_close((uv_handle_t *)&m->timer, on_timer_closed);
    uv_close((uv_handle_t *)&m->later, on_timer_closed);
}
