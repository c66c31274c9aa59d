/* link.c: sockets to Redis. The reasons given here are put behind "Redis at ADDRESS cannot be reached: " by the
 * callers. */
#include "redis/link.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(struct err *err, int fd, int number)
{
    if (fd >= 0)
        close(fd);
    return err_set(err, ERR_AWAY, "%s", number == EAGAIN ? "its queue of new connections is full" : strerror(number));
}

/* Non-blocking connect() to one address. */
static int start(const struct sockaddr *address, socklen_t len, bool *pending, struct err *err)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return fail(err, fd, errno);
    if (address->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    *pending = false;
    if (connect(fd, address, len) == 0)
        return fd;
    if (errno != EINPROGRESS)
        return fail(err, fd, errno);
    *pending = true;
    return fd;
}

static int start_unix(const char *path, bool *pending, struct err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strlen(path);

    if (len >= sizeof(address.sun_path))
        return fail(err, -1, ENAMETOOLONG);
    memcpy(address.sun_path, path, len);
    return start((const struct sockaddr *)&address, sizeof(address), pending, err);
}

static int start_tcp(const struct redisurl *url, unsigned which, unsigned *addresses, bool *pending, struct err *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    struct addrinfo *at;
    char port[16];
    int fd;
    int rc;

    snprintf(port, sizeof(port), "%d", url->port);
    rc = getaddrinfo(url->host, port, &hints, &list);
    if (rc != 0 || !list)
        return err_set(err, ERR_AWAY, "the name is not known (%s)", gai_strerror(rc));
    *addresses = 0;
    for (at = list; at; at = at->ai_next)
        ++*addresses;
    at = list;
    for (unsigned skip = which % *addresses; skip > 0; skip--)
        at = at->ai_next;
    fd = start(at->ai_addr, at->ai_addrlen, pending, err);
    freeaddrinfo(list);
    return fd;
}

int link_start(const struct redisurl *url, unsigned which, unsigned *addresses, bool *pending, struct err *err)
{
    *addresses = 1;
    return url->path ? start_unix(url->path, pending, err) : start_tcp(url, which, addresses, pending, err);
}

int link_connected(int fd, struct err *err)
{
    int number = 0;
    socklen_t len = sizeof(number);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) < 0)
        number = errno;
    return number == 0 ? 0 : fail(err, -1, number);
}

static int wait_connected(int fd, int connect_ms, struct err *err)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int rc;

    do
        rc = poll(&p, 1, connect_ms);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return err_set(err, ERR_AWAY, "no connection within %d ms", connect_ms);
    return link_connected(fd, err);
}

static struct timeval timeval_of(int ms)
{
    return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

void link_set_wait(int fd, int receive_ms)
{
    struct timeval wait = timeval_of(receive_ms);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
}

static void make_blocking(int fd, int command_ms)
{
    struct timeval wait = timeval_of(command_ms);

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    link_set_wait(fd, command_ms);
}

int link_open(const struct redisurl *url, int connect_ms, int command_ms, struct err *err)
{
    unsigned addresses = 1;

    for (unsigned which = 0; which < addresses; which++) {
        bool pending = false;
        int fd = link_start(url, which, &addresses, &pending, err);
        if (fd < 0)
            continue;
        if (!pending || wait_connected(fd, connect_ms, err) == 0) {
            make_blocking(fd, command_ms);
            return fd;
        }
        close(fd);
    }
    return -1;
}

bool link_alive(int fd, bool owed)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n > 0 ? owed : n < 0 && (errno == EAGAIN || errno == EINTR);
}
