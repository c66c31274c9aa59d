/* fcgi.c: libfcgi behind an epoll: accepting, handing over, reading bodies, stopping gracefully. */
#include "web/fcgi.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* libfcgi has no time-outs: a peer that sends half a record would hold its thread for ever. */
#define FCGI_IO_S 10
/* nginx keeps up to 128 idle connections; every one beyond is a waiting request, and 2,000 of them are some seconds
 * of work. */
#define FCGI_CROWD 2000
#define FCGI_DRAIN_BYTES (1024 * 1024)
#define FCGI_LOOK_BYTES 4096 /* a request without a body is shorter */
/* FastCGI 1.0, 8 */
#define FCGI_HEADER_LEN 8
#define FCGI_STDIN 5
#define FCGI_ACCEPT_PAUSE_MS 100

enum conn_state { CONN_ARMED, CONN_BUSY, CONN_CLOSING, CONN_CLOSED_READ };

/* One connection of nginx; known to epoll by this pointer, because its number is taken again as soon as libfcgi
 * closes it. */
struct conn {
    int fd;
    _Atomic int state;
    struct conn *prev, *next;
};

struct fcgi {
    int listen_fd, epoll_fd, stop_fd, end_fd;
    struct fcgi_handler handler;
    pthread_t acceptor;
    pthread_t *workers;
    int worker_count;
    _Atomic bool stopping;
    pthread_mutex_t lock; /* the list and `empty` */
    pthread_cond_t empty;
    struct conn *conns;
};

struct fcgi_io {
    FCGX_Request rq;
    struct fcgi *fcgi;
    struct conn *conn; /* NULL: handed back */
    bool drained;
};

static _Atomic int64_t open_conns;
static _Atomic uint64_t accepted_conns;

void fcgi_counts(int64_t *open, uint64_t *accepted)
{
    *open = atomic_load_explicit(&open_conns, memory_order_relaxed);
    *accepted = atomic_load_explicit(&accepted_conns, memory_order_relaxed);
}

/* --- connections --- */

/* Its descriptor is closed (by libfcgi, usually). */
static void conn_gone(struct fcgi *f, struct conn *c)
{
    pthread_mutex_lock(&f->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        f->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    if (!f->conns)
        pthread_cond_broadcast(&f->empty);
    pthread_mutex_unlock(&f->lock);
    atomic_fetch_sub_explicit(&open_conns, 1, memory_order_relaxed);
    free(c);
}

static void conn_new(struct fcgi *f, int fd)
{
    struct conn *c = xcalloc(1, sizeof *c);
    struct timeval limit = { .tv_sec = FCGI_IO_S };
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    c->fd = fd;
    pthread_mutex_lock(&f->lock);
    c->next = f->conns;
    if (c->next)
        c->next->prev = c;
    f->conns = c;
    pthread_mutex_unlock(&f->lock);
    atomic_fetch_add_explicit(&open_conns, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&accepted_conns, 1, memory_order_relaxed);
    if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0)
        return;
    log_error("A connection could not be watched: %s.", strerror(errno));
    close(fd);
    conn_gone(f, c);
}

/* Make it this worker's. While fcgi_stop is closing its reading side, wait for that: afterwards the number may be
 * another's. */
static void conn_claim(struct conn *c)
{
    int armed = CONN_ARMED;

    if (atomic_compare_exchange_strong(&c->state, &armed, CONN_BUSY))
        return;
    while (atomic_load(&c->state) == CONN_CLOSING)
        sched_yield();
    atomic_store(&c->state, CONN_BUSY);
}

/* Hand it back to the epoll. When stopping, nothing more can be sent on it, and the next look serves what has come
 * already or finds the end. */
static void conn_rearm(struct fcgi *f, struct conn *c)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c };
    int fd = c->fd;

    atomic_store(&c->state, CONN_ARMED);
    if (atomic_load(&f->stopping)) {
        int armed = CONN_ARMED;
        if (atomic_compare_exchange_strong(&c->state, &armed, CONN_CLOSING)) {
            shutdown(fd, SHUT_RD);
            atomic_store(&c->state, CONN_CLOSED_READ);
        }
    }
    epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, fd, &ev);
}

/* --- one request --- */

char **fcgi_environ(struct fcgi_io *io)
{
    return io->rq.envp;
}

bool fcgi_crowded(void)
{
    return atomic_load_explicit(&open_conns, memory_order_relaxed) > FCGI_CROWD;
}

/* An unread body would cost the connection. A peer that sends without end loses it anyway. */
static void drain(struct fcgi_io *io)
{
    char waste[8192];
    size_t seen = 0;
    int n;

    if (io->drained)
        return;
    io->drained = true;
    while ((n = FCGX_GetStr(waste, sizeof waste, io->rq.in)) > 0) {
        seen += (size_t)n;
        if (seen > FCGI_DRAIN_BYTES)
            break;
    }
    if (n != 0 || FCGX_GetError(io->rq.in) != 0)
        io->rq.keepConnection = 0;
}

enum fcgi_body fcgi_read(struct fcgi_io *io, int64_t declared, size_t max_bytes, struct str *body)
{
    size_t want = declared < 0 ? 0 : (size_t)declared;
    int got, more;
    char extra;

    str_reset(body);
    if (want > max_bytes) {
        drain(io);
        return FCGI_BODY_TOO_LARGE;
    }
    str_grow(body, want + 1);
    got = want ? FCGX_GetStr(body->s, (int)want, io->rq.in) : 0;
    more = (size_t)got == want ? FCGX_GetStr(&extra, 1, io->rq.in) : 0;
    drain(io);
    if (FCGX_GetError(io->rq.in) != 0)
        return FCGI_BODY_ABORTED;
    body->s[got] = '\0';
    body->len = (size_t)got;
    return (size_t)got == want && more == 0 ? FCGI_BODY_WHOLE : FCGI_BODY_LIES;
}

/* Read one request from `fd`, without closing it afterwards. 0, or below: libfcgi has closed it. */
static int io_accept(struct fcgi_io *io, int fd)
{
    int rc;

    io->rq.ipcFd = fd;
    io->rq.keepConnection = 1; /* so that the Finish inside FCGX_Accept_r does not close it */
    rc = FCGX_Accept_r(&io->rq); /* with listen_sock -1 it never accepts: after an error it ends with EBADF */
    if (rc < 0)
        io->rq.ipcFd = -1;
    io->drained = false;
    return rc;
}

/* What was written goes out, and the connection back to the epoll; or it is closed already. */
static void io_end(struct fcgi_io *io)
{
    struct conn *c = io->conn;

    io->conn = NULL;
    drain(io);
    FCGX_Finish_r(&io->rq);
    if (io->rq.ipcFd >= 0)
        conn_rearm(io->fcgi, c);
    else
        conn_gone(io->fcgi, c);
    io->rq.ipcFd = -1;
}

void fcgi_send(struct fcgi_io *io, const char *data, size_t len)
{
    drain(io);
    FCGX_PutStr(data, (int)len, io->rq.out);
    io_end(io);
}

/* --- threads --- */

static bool take(struct fcgi *f, struct conn *c, struct fcgi_io *io)
{
    conn_claim(c);
    if (io_accept(io, c->fd) < 0) {
        conn_gone(f, c);
        return false;
    }
    io->conn = c;
    return true;
}

static void serve_taken(struct fcgi *f, struct fcgi_io *const taken[], size_t count, void *seat)
{
    if (count == 0)
        return;
    f->handler.serve(seat, taken, count);
    for (size_t i = 0; i < count; i++)
        if (taken[i]->conn)
            io_end(taken[i]);
}

/* Has all of a request come, up to the empty record that ends its STDIN? Then reading it makes nobody wait. */
static bool is_whole(int fd)
{
    unsigned char bytes[FCGI_LOOK_BYTES];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);

    for (ssize_t at = 0; at + FCGI_HEADER_LEN <= n;) {
        size_t content = (size_t)bytes[at + 4] << 8 | bytes[at + 5];

        if (bytes[at + 1] == FCGI_STDIN && content == 0)
            return true;
        at += FCGI_HEADER_LEN + (ssize_t)content + bytes[at + 6];
    }
    return false;
}

/* Those that are whole together, and then one that is not: its peer may make this thread wait, but none who was ready at the same
 * moment. Further ones go back for another thread. False: end_fd, all connections are closed. */
static bool serve_ready(struct fcgi *f, const struct epoll_event ev[], int n, struct fcgi_io io[], void *seat)
{
    struct fcgi_io *taken[FCGI_BATCH];
    struct conn *late = NULL;
    size_t count = 0;
    bool go_on = true;

    for (int i = 0; i < n; i++) {
        struct conn *c = ev[i].data.ptr;

        if (!c)
            go_on = false;
        else if (n > 1 && !is_whole(c->fd)) {
            if (late) {
                conn_claim(late); /* its reading side may be being closed */
                conn_rearm(f, late);
            }
            late = c;
        } else if (take(f, c, &io[count])) {
            taken[count] = &io[count];
            count++;
        }
    }
    serve_taken(f, taken, count, seat);
    taken[0] = &io[0];
    serve_taken(f, taken, late && take(f, late, &io[0]), seat);
    f->handler.rest(seat);
    return go_on;
}

static void *worker(void *arg)
{
    struct fcgi *f = arg;
    struct fcgi_io io[FCGI_BATCH] = { 0 };
    struct epoll_event ev[FCGI_BATCH];
    void *seat = f->handler.open(f->handler.ctx);
    int n = 0;

    for (size_t i = 0; i < FCGI_BATCH; i++) {
        FCGX_InitRequest(&io[i].rq, -1, 0);
        io[i].fcgi = f;
    }
    do
        n = epoll_wait(f->epoll_fd, ev, f->handler.batch, -1);
    while (n >= 0 ? serve_ready(f, ev, n, io, seat) : errno == EINTR);
    f->handler.close(seat);
    return NULL;
}

/* Take all that is waiting. Out of descriptors: leave the rest in the backlog and look again soon. */
static void accept_all(struct fcgi *f)
{
    for (;;) {
        int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            conn_new(f, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN) {
            log_error("No connection can be accepted: %s.", strerror(errno));
            poll(NULL, 0, FCGI_ACCEPT_PAUSE_MS);
        }
        return;
    }
}

static void *acceptor(void *arg)
{
    struct fcgi *f = arg;
    struct pollfd fds[2] = { { f->listen_fd, POLLIN, 0 }, { f->stop_fd, POLLIN, 0 } };

    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
        if (fds[1].revents)
            break;
        if (fds[0].revents)
            accept_all(f);
    }
    return NULL;
}

/* --- start and stop --- */

int fcgi_check(int fd, struct err *err)
{
    int listening = 0;
    socklen_t len = sizeof listening;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "Descriptor %d is not a listening socket; start peygir-web with spawn-fcgi "
                   "(spawn-fcgi -s /run/peygir/web.sock -M 0660 -b 4096 -- peygir-web) or from a systemd socket.", fd);
}

static int start_failed(struct fcgi *f, struct err *err, const char *what)
{
    err_set(err, ERR_FAILED, "The responder could not start: %s: %s.", what, strerror(errno));
    free(f->workers);
    free(f);
    return -1;
}

static int start_threads(struct fcgi *f, struct err *err)
{
    if (pthread_create(&f->acceptor, NULL, acceptor, f) != 0)
        return start_failed(f, err, "starting the accepting thread");
    for (int i = 0; i < f->worker_count; i++)
        if (pthread_create(&f->workers[i], NULL, worker, f) != 0)
            return start_failed(f, err, "starting a worker thread");
    return 0;
}

struct fcgi *fcgi_start(int listen_fd, int threads, const struct fcgi_handler *handler, struct err *err)
{
    struct fcgi *f = xcalloc(1, sizeof *f);

    f->listen_fd = listen_fd;
    f->handler = *handler;
    f->worker_count = threads;
    f->workers = xcalloc((size_t)threads, sizeof *f->workers);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->empty, NULL);
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    f->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->epoll_fd < 0 || f->stop_fd < 0 || f->end_fd < 0)
        return start_failed(f, err, "making descriptors"), NULL;
    if (fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK) < 0)
        return start_failed(f, err, "preparing the listening socket"), NULL;
    return start_threads(f, err) < 0 ? NULL : f;
}

/* Close the reading side of every connection that waits: its worker then sees what was sent before, or the end. */
static void close_reading(struct fcgi *f)
{
    pthread_mutex_lock(&f->lock);
    for (struct conn *c = f->conns; c; c = c->next) {
        int armed = CONN_ARMED;
        if (!atomic_compare_exchange_strong(&c->state, &armed, CONN_CLOSING))
            continue;
        shutdown(c->fd, SHUT_RD);
        atomic_store(&c->state, CONN_CLOSED_READ);
    }
    pthread_mutex_unlock(&f->lock);
}

static bool wait_empty(struct fcgi *f, int drain_ms)
{
    struct timespec until;
    bool empty;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += drain_ms / 1000;
    until.tv_nsec += (drain_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&f->lock);
    while (f->conns && pthread_cond_timedwait(&f->empty, &f->lock, &until) == 0)
        ;
    empty = !f->conns;
    pthread_mutex_unlock(&f->lock);
    return empty;
}

static void release(struct fcgi *f)
{
    close(f->epoll_fd);
    close(f->stop_fd);
    close(f->end_fd);
    pthread_cond_destroy(&f->empty);
    pthread_mutex_destroy(&f->lock);
    free(f->workers);
    free(f);
}

bool fcgi_stop(struct fcgi *f, int drain_ms)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

    eventfd_write(f->stop_fd, 1);
    pthread_join(f->acceptor, NULL);
    atomic_store(&f->stopping, true);
    close_reading(f);
    if (!wait_empty(f, drain_ms))
        return false;
    eventfd_write(f->end_fd, 1); /* level-triggered and never read: wakes every worker */
    epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->end_fd, &ev);
    for (int i = 0; i < f->worker_count; i++)
        pthread_join(f->workers[i], NULL);
    release(f);
    return true;
}

/* --- self-test --- */

/* BEGIN_REQUEST (responder, keep the connection), PARAMS "A" = "b", end of PARAMS, STDIN "xyz", end of STDIN. */
static const unsigned char test_request[] = {
    1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 4, 0, 1, 0, 4, 0, 0, 1, 1, 'A', 'b',
    1, 4, 0, 1, 0, 0, 0, 0, 1, 5, 0, 1, 0, 3, 0, 0, 'x', 'y', 'z', 1, 5, 0, 1, 0, 0, 0, 0,
};

static const char *test_once(struct fcgi_io *io, int ours, int peer, struct str *body)
{
    const char *value;
    char answer[256];

    if (write(peer, test_request, sizeof test_request) != (ssize_t)sizeof test_request)
        return "a request could not be written";
    if (io_accept(io, ours) < 0)
        return "a request was not accepted";
    value = FCGX_GetParam("A", io->rq.envp);
    if (!value || strcmp(value, "b") != 0)
        return "a variable was lost";
    if (fcgi_read(io, 3, 16, body) != FCGI_BODY_WHOLE || strcmp(body->s, "xyz") != 0)
        return "a body was lost";
    FCGX_PutStr("ok", 2, io->rq.out);
    FCGX_Finish_r(&io->rq);
    if (io->rq.ipcFd < 0 || fcntl(ours, F_GETFD) < 0)
        return "the connection was not kept";
    if (read(peer, answer, sizeof answer) <= 8)
        return "there was no answer";
    return NULL;
}

static const char *test_all(struct fcgi_io *io, int ours, int peer, struct str *body)
{
    const char *wrong = test_once(io, ours, peer, body);

    if (!wrong)
        wrong = test_once(io, ours, peer, body);
    shutdown(peer, SHUT_WR);
    if (!wrong && (io_accept(io, ours) >= 0 || fcntl(ours, F_GETFD) >= 0))
        wrong = "the end of a connection was not noticed";
    return wrong;
}

int fcgi_self_test(struct err *err)
{
    struct fcgi_io io = { 0 };
    struct str body = STR_INIT;
    int pair[2];
    const char *wrong;

    /* When a connection is closed, wait no 2 s for a peer that does not close its side. */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "100", 0);
    if (FCGX_Init() != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, ERR_FAILED, "libfcgi could not be prepared: %s.", strerror(errno));
    FCGX_InitRequest(&io.rq, -1, 0);
    wrong = test_all(&io, pair[0], pair[1], &body);
    close(pair[1]);
    str_free(&body);
    if (wrong)
        return err_set(err, ERR_FAILED, "This libfcgi does not keep connections as peygir-web needs it: %s.", wrong);
    return 0;
}
