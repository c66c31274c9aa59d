/* push_floor.c: the least that telling viewers can cost: one thread, one epoll, one connection to Redis that hears the channel of each
 * request that is looked at, and hands each message to whoever looks, as it is, filled up with blanks to as many bytes as an event of
 * peygir-push has. It asks nobody whether they may, reads no request, and pings nobody. push.mjs tells peygir-push's figures as ratios to it.
 *
 *   push-floor REDIS_SOCKET SOCKET BYTES
 *
 * A viewer connects to SOCKET and asks in one piece; the request it looks at is the first word that begins with "/req_". */
#include "base/xmalloc.h"

#include <errno.h>
#include <hiredis.h>
#include <search.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { USAGE = 2, BACKLOG = 4096, READY_AT_ONCE = 256, ASKED_MAX = 8192, HASH_LEN = 30, TOPICS_MAX = 100000, EVENT_MAX = 65536 };
#define CHANNEL "local_request_updates:"
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nretry: 1000\n\n"
#define FIRST "id: 0\nevent: update\ndata: {}\n\n" /* whoever comes hears at once how things stand */

struct viewer {
    int fd;
    struct viewer *next, **back; /* of its topic; back NULL: it has not asked yet */
};

struct topic {
    bool heard;
    struct viewer *first;
};

static int loop;
static redisContext *ear;
static long event_bytes, told; /* told: the id of an event only has to grow */

static void die(const char *what)
{
    fprintf(stderr, "push-floor: %s\n", what);
    exit(EXIT_FAILURE);
}

static void watch(int fd, void *what)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0)
        die(strerror(errno));
}

/* One that has gone is noticed by the loop. */
static void say(const struct viewer *v, const char *text, size_t len)
{
    ssize_t sent = send(v->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent != (ssize_t)len && (sent >= 0 || errno == EAGAIN))
        die("a viewer does not keep up");
}

static void let_in(const struct viewer *v)
{
    say(v, HEAD FIRST, sizeof HEAD FIRST - 1);
}

/* --- Redis --- */

static struct topic *topic_of(const char *channel)
{
    ENTRY *found = hsearch((ENTRY){ .key = (char *)channel }, FIND);

    return found ? found->data : NULL;
}

static struct topic *open_topic(const char *channel)
{
    ENTRY entry = { .key = xstrdup(channel), .data = xcalloc(1, sizeof(struct topic)) };
    int done = 0;

    if (!hsearch(entry, ENTER))
        die("too many requests");
    redisAppendCommand(ear, "SUBSCRIBE %s", channel);
    while (!done)
        if (redisBufferWrite(ear, &done) != REDIS_OK)
            die(ear->errstr);
    return entry.data;
}

static size_t write_event(char text[EVENT_MAX], const redisReply *said)
{
    int len = snprintf(text, EVENT_MAX, "id: %ld\nevent: update\ndata: %s", ++told, said->str);
    int fill = event_bytes > len + 2 ? (int)event_bytes - len - 2 : 0;

    if (len + fill + 2 >= EVENT_MAX)
        die("a message is too long");
    return (size_t)(len + snprintf(text + len, EVENT_MAX - (size_t)len, "%*s\n\n", fill, ""));
}

/* {"message" or "subscribe", channel, text or number} */
static void hear(const redisReply *reply)
{
    struct topic *t = reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 ? topic_of(reply->element[1]->str) : NULL;
    const redisReply *said = t ? reply->element[2] : NULL;
    static char event[EVENT_MAX];
    size_t len;

    if (!said)
        die(reply->type == REDIS_REPLY_ERROR ? reply->str : "Redis says what was not asked for");
    len = said->type == REDIS_REPLY_STRING ? write_event(event, said) : 0;
    for (struct viewer *v = t->first; v; v = v->next)
        if (len > 0)
            say(v, event, len);
        else
            let_in(v);
    t->heard = true;
}

static void listen_to_redis(void)
{
    void *reply;

    if (redisBufferRead(ear) != REDIS_OK)
        die(ear->errstr);
    while (redisGetReplyFromReader(ear, &reply) == REDIS_OK && reply) {
        hear(reply);
        freeReplyObject(reply);
    }
}

/* --- viewers --- */

static void come(int listener)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        struct viewer *v = xcalloc(1, sizeof *v);
        v->fd = fd;
        watch(fd, v);
    }
    if (errno != EAGAIN)
        die(strerror(errno));
}

static void go(struct viewer *v)
{
    if (v->back)
        *v->back = v->next;
    if (v->next)
        v->next->back = v->back;
    close(v->fd);
    free(v);
}

static void join(struct viewer *v, const char *asked)
{
    const char *hash = strstr(asked, "/req_");
    char channel[sizeof CHANNEL + HASH_LEN];
    struct topic *t;

    if (!hash)
        die("a viewer asks for no request");
    snprintf(channel, sizeof channel, CHANNEL "%.*s", HASH_LEN, hash + 1);
    t = topic_of(channel);
    if (!t)
        t = open_topic(channel);
    v->next = t->first;
    v->back = &t->first;
    if (v->next)
        v->next->back = &v->next;
    t->first = v;
    if (t->heard)
        let_in(v);
}

static void read_viewer(struct viewer *v)
{
    char asked[ASKED_MAX + 1];
    ssize_t len = recv(v->fd, asked, ASKED_MAX, MSG_DONTWAIT);

    if (len <= 0) {
        go(v);
        return;
    }
    asked[len] = '\0';
    if (!v->back)
        join(v, asked);
}

/* --- life --- */

static int listen_at(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || listen(fd, BACKLOG) < 0)
        die(strerror(errno));
    return fd;
}

static void serve(int listener)
{
    struct epoll_event ready[READY_AT_ONCE];

    for (;;) {
        int count = epoll_wait(loop, ready, READY_AT_ONCE, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr == &loop)
                come(listener);
            else if (ready[i].data.ptr == &ear)
                listen_to_redis();
            else
                read_viewer(ready[i].data.ptr);
        }
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    int listener;

    if (argc != 4) {
        fputs("usage: push-floor REDIS_SOCKET SOCKET BYTES\n", stderr);
        return USAGE;
    }
    event_bytes = strtol(argv[3], NULL, 10);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    loop = epoll_create1(EPOLL_CLOEXEC);
    ear = redisConnectUnix(argv[1]);
    if (loop < 0 || !ear || ear->err || !hcreate(TOPICS_MAX))
        die(ear && ear->err ? ear->errstr : "it could not begin");
    listener = listen_at(argv[2]);
    watch(listener, &loop);
    watch(ear->fd, &ear);
    serve(listener);
}
