/* push.c: one peygir-push: its parts put together, and its life */
#include "push/push.h"

#include "base/clock.h"
#include "base/log.h"
#include "push/peer.h"
#include "push/door.h"
#include "push/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TICK_MS = 1000, STOP_LOOK_MS = 20, NO_DESCRIPTOR_MS = 100, ACCEPT_AT_ONCE = 64,
    DESCRIPTORS_MAX = 262144, /* libwebsockets has a table of them */
    HEADERS_AT_ONCE = 1024, HEADER_BYTES = 16384, HEAD_WITHIN_S = 10
};

/* --- libwebsockets --- */

static char last_word[256]; /* of libwebsockets, for the sentence of a start that failed */

/* It complains about what is no trouble ("not h2 substream" at each stream): for whoever looks for something. */
static void lws_says(int level, const char *line)
{
    size_t len = strcspn(line, "\n");
    (void)level;
    snprintf(last_word, sizeof last_word, "%.*s", (int)len, line);
    log_debug("libwebsockets: %s", last_word);
}

static const struct lws_protocols protocols[] = { { .name = "http", .callback = door_callback }, { .name = NULL } };

static unsigned descriptors(void)
{
    struct rlimit limit;
    bool known = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS_MAX;
    return known ? (unsigned)limit.rlim_cur : DESCRIPTORS_MAX;
}

static int open_lws(struct push *p, struct err *err)
{
    void *loops[] = { &p->loop };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER, /* sockets are accepted here and handed over */
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN | LWS_SERVER_OPTION_DISABLE_IPV6 |
                   LWS_SERVER_OPTION_VALIDATE_UTF8,
        .foreign_loops = loops,
        .pcontext = &p->lws, /* NULL again when it is destroyed */
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .user = p,
        .fd_limit_per_thread = descriptors(),
        .max_http_header_data = HEADER_BYTES,
        .max_http_header_pool = HEADERS_AT_ONCE,
        .timeout_secs = HEAD_WITHIN_S,
    };
    lws_set_log_level(LLL_ERR | LLL_WARN, lws_says);
    p->lws = lws_create_context(&info);
    return p->lws ? 0
                  : err_set(err, ERR_FAILED, "libwebsockets could not start on its libuv loop (%s); Debian has that in the package "
                                             "libwebsockets-evlib-uv.", last_word[0] ? last_word : "it says nothing");
}

/* --- the listening socket --- */

int push_check(int fd, struct err *err)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "Descriptor %d is not a listening socket; start peygir-push with spawn-fcgi "
                   "(spawn-fcgi -n -s /run/peygir/push.sock -M 0660 -b 4096 -- peygir-push) or from a systemd socket.", fd);
}

static void listen_on(struct push *p);

static void listen_again(uv_timer_t *timer)
{
    struct push *p = timer->data;
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
    if (!p->stopping)
        listen_on(p);
}

/* No descriptor is free: connections wait in the backlog for a moment. */
static void pause_listening(struct push *p)
{
    uv_timer_t *timer = xcalloc(1, sizeof *timer);
    uv_poll_stop(&p->listener);
    uv_timer_init(&p->loop, timer);
    timer->data = p;
    uv_timer_start(timer, listen_again, NO_DESCRIPTOR_MS, 0);
}

static void come(uv_poll_t *poll, int status, int events)
{
    struct push *p = poll->data;
    uv_os_fd_t listener;
    (void)status;
    (void)events;
    uv_fileno((uv_handle_t *)poll, &listener);
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            lws_adopt_socket(p->lws, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_listening(p);
        if (fd < 0)
            return;
    }
}

static void on_parting(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    peer_part(poll->data);
}

static void listen_on(struct push *p)
{
    uv_poll_start(&p->listener, UV_READABLE, come);
}

/* --- life --- */

/* Nothing new begins. What is open is closed when the threads have come back; browsers return to the next process by themselves. */
static void rest(struct push *p)
{
    if (pool_busy(p->pool) == 0)
        uv_stop(&p->loop);
}

static void each_second(uv_timer_t *timer)
{
    struct push *p = timer->data;
    if (p->stopping) {
        rest(p);
        return;
    }
    feed_tick(p->feed);
    peer_ping(p);
    rights_check(p);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct push *p = handle->data;
    if (p->stopping)
        return;
    log_info("stopping: %s", signum == SIGINT ? "SIGINT" : "SIGTERM");
    p->stopping = true;
    uv_poll_stop(&p->listener);
    feed_stop(p->feed);
    uv_timer_start(&p->second, each_second, 0, STOP_LOOK_MS);
}

static void opened(void *ctx, struct topic *t)
{
    struct push *p = ctx;
    feed_open(p->feed, t);
}

static void closed(void *ctx, struct topic *t)
{
    struct push *p = ctx;
    feed_shut(p->feed, t);
}

static int start(struct push *p, int listener, struct err *err)
{
    uv_loop_init(&p->loop);
    p->last = &p->first;
    p->partings = epoll_create1(EPOLL_CLOEXEC);
    if (p->partings < 0)
        return err_set(err, ERR_FAILED, "peygir-push could not start: epoll: %s.", strerror(errno));
    if (open_lws(p, err) < 0)
        return -1;
    p->pool = pool_new(&p->loop, p->house);
    p->hub = hub_new((struct hub_handler){ .wake = peer_viewer, .opened = opened, .closed = closed, .ctx = p });
    p->feed = feed_new(&p->loop, p->house, p->pool);
    feed_use(p->feed, p->hub);
    uv_signal_init(&p->loop, &p->on_term);
    uv_signal_init(&p->loop, &p->on_int);
    uv_timer_init(&p->loop, &p->second);
    uv_poll_init(&p->loop, &p->listener, listener);
    uv_poll_init(&p->loop, &p->on_parting, p->partings);
    p->on_term.data = p->on_int.data = p->second.data = p->listener.data = p->on_parting.data = p;
    uv_signal_start(&p->on_term, on_signal, SIGTERM);
    uv_signal_start(&p->on_int, on_signal, SIGINT);
    uv_timer_start(&p->second, each_second, TICK_MS, TICK_MS);
    uv_poll_start(&p->on_parting, UV_READABLE, on_parting);
    listen_on(p);
    return 0;
}

/* Connections first, which leave the hub; then who fills it; the loop then closes what is left. */
static void finish(struct push *p)
{
    uv_handle_t *const handles[] = { (uv_handle_t *)&p->on_term, (uv_handle_t *)&p->on_int, (uv_handle_t *)&p->second,
                                     (uv_handle_t *)&p->listener, (uv_handle_t *)&p->on_parting };
    lws_context_destroy(p->lws);
    feed_close(p->feed);
    for (size_t i = 0; i < ARRAY_LEN(handles); i++)
        uv_close(handles[i], NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    if (p->lws) /* what closed meanwhile was in its way */
        lws_context_destroy(p->lws);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    uv_loop_close(&p->loop);
    close(p->partings);
    pool_free(p->pool);
    hub_free(p->hub);
    str_free(&p->out);
}

int push_run(const struct house *house, int listener, struct err *err)
{
    struct push p = { .house = house, .out = STR_INIT };
    if (start(&p, listener, err) < 0)
        return -1;
    log_info("serving");
    uv_run(&p.loop, UV_RUN_DEFAULT);
    finish(&p);
    return 0;
}
