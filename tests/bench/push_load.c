/* push_load.c: many viewers in one program, as nginx would bring them to peygir-push, for measuring (push.mjs).
 *
 *   push-load SOCKET FILE COUNT OVER_MS    COUNT viewers connect to SOCKET, evenly within OVER_MS; 0: as fast as they are let in.
 *                                          Each looks at a request of FILE (lines "TOKEN HASH" of push_tell.c), in turn
 *
 * When all have their first event, or were refused, it prints one line:
 *   {"opened", "refused", "seconds", "p50", "p99", "max"}    seconds that all of it took, and that one waited
 * Then each number that it reads is answered, when so many further events have come, or none has come for a while, by one line about
 * those that came since the line before:
 *   {"events", "repeated", "ended", "bytes", "p50", "p99", "max"}    streams that have ended by now; bytes of events; ages of events,
 *                                                                    in seconds, by the time that they say they were sent at
 * It leaves when there is nothing more to read. */
#include "base/xmalloc.h"

#include "base/str.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { USAGE = 2, AT_ONCE = 64 /* asked and not answered, when nothing else sets the pace */, READY_AT_ONCE = 256, READ_BYTES = 65536 };
enum { SOON_MS = 1, LOOK_MS = 50, QUIET_MS = 3000 };
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

struct viewer {
    int fd;
    bool headed;      /* the answer began with 200 */
    int64_t asked_ns; /* when it came, or was to come */
    int64_t id;       /* of its newest event; -1: none */
    struct str rest;  /* an event of which the end is to come */
};

struct samples {
    int64_t *ns;
    size_t count, room;
};

static struct load {
    struct sockaddr_un server;
    char **line; /* of FILE */
    size_t lines;
    struct viewer *viewer;
    size_t count, asked, opened, refused, ended;
    int64_t over_ns, start_ns, heard_ns; /* heard: the last event, or the number that is to be answered */
    struct samples waits, ages;
    size_t events, repeated, bytes;
    size_t awaited; /* events until the next line; 0: none is wanted */
    bool told, over;
    int loop;
} load;

static int64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "push-load: %s\n", what);
    exit(EXIT_FAILURE);
}

/* --- figures --- */

static void add_sample(struct samples *s, int64_t ns)
{
    if (s->count == s->room) {
        s->room = 2 * s->room + 1024;
        s->ns = xreallocarray(s->ns, s->room, sizeof *s->ns);
    }
    s->ns[s->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;

    return (one > two) - (one < two);
}

/* The last members of a line; the samples begin anew. */
static void print_samples(struct samples *s)
{
    static const struct {
        const char *name;
        unsigned percent;
    } rows[] = { { "p50", 50 }, { "p99", 99 }, { "max", 100 } };

    if (s->count > 0)
        qsort(s->ns, s->count, sizeof *s->ns, compare);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t at = s->count * rows[i].percent / 100;
        int64_t ns = s->count == 0 ? 0 : s->ns[at < s->count ? at : s->count - 1];
        printf(",\"%s\":%.7f", rows[i].name, (double)ns / (double)NS_PER_S);
    }
    puts("}");
    fflush(stdout);
    s->count = 0;
}

static void print_opened(void)
{
    printf("{\"opened\":%zu,\"refused\":%zu,\"seconds\":%.6f", load.opened, load.refused,
           (double)(now_ns() - load.start_ns) / (double)NS_PER_S);
    print_samples(&load.waits);
    load.told = true;
}

static void print_events(void)
{
    printf("{\"events\":%zu,\"repeated\":%zu,\"ended\":%zu,\"bytes\":%zu", load.events, load.repeated, load.ended, load.bytes);
    print_samples(&load.ages);
    load.events = load.repeated = load.bytes = load.awaited = 0;
}

/* --- what comes --- */

/* What ends with an empty line: the head of the answer, an event or a ping. */
static void take_block(struct viewer *v, const char *text, size_t len)
{
    static const char head[] = "HTTP/1.1 200", id[] = "id: ", sent[] = "sent at ";
    const char *stamp;
    int64_t now = now_ns(), number;

    if (!v->headed) {
        v->headed = len > sizeof head && memcmp(text, head, sizeof head - 1) == 0;
        return;
    }
    if (len < sizeof id || memcmp(text, id, sizeof id - 1) != 0)
        return;
    number = strtoll(text + sizeof id - 1, NULL, 10);
    load.opened += v->id < 0;
    if (v->id < 0)
        add_sample(&load.waits, now - v->asked_ns);
    else if (number <= v->id)
        load.repeated++;
    else if ((stamp = memmem(text, len, sent, sizeof sent - 1)) != NULL) {
        add_sample(&load.ages, now - strtoll(stamp + sizeof sent - 1, NULL, 10));
        load.events++;
        load.bytes += len;
        load.heard_ns = now;
    }
    v->id = number > v->id ? number : v->id;
}

/* The blocks of `text`; the rest is kept. */
static void take_text(struct viewer *v, const char *text, size_t len)
{
    const char *end;

    while ((end = memmem(text, len, "\n\n", 2)) != NULL) {
        size_t size = (size_t)(end + 2 - text);
        take_block(v, text, size);
        text += size;
        len -= size;
    }
    str_add(&v->rest, text, len);
}

static void gone(struct viewer *v)
{
    if (v->id < 0)
        load.refused++;
    else
        load.ended++;
    close(v->fd);
    str_free(&v->rest);
}

/* Whatever stood in the way of a whole block before is in front of what comes. */
static void take(struct viewer *v, const char *text, size_t len)
{
    struct str before = v->rest;

    if (before.len == 0) {
        take_text(v, text, len);
        return;
    }
    str_add(&before, text, len);
    v->rest = (struct str)STR_INIT;
    take_text(v, before.s, before.len);
    str_free(&before);
}

/* The loop says once that something has come (a second look at each would cost as much as the reading): what does not fill the buffer
 * was all of it, unless the end has come as well. */
static void read_viewer(struct viewer *v, bool ending)
{
    static char text[READ_BYTES];
    ssize_t len;

    do {
        len = recv(v->fd, text, sizeof text, MSG_DONTWAIT);
        if (len > 0)
            take(v, text, (size_t)len);
    } while (len == (ssize_t)sizeof text || (ending && len > 0));
    if (len == 0 || (len < 0 && errno != EAGAIN))
        gone(v);
}

/* --- coming --- */

/* What nginx/peygir-locations.conf passes on. */
static void ask(struct viewer *v, const char *line)
{
    const char *space = strchr(line, ' ');
    struct str text = STR_INIT;
    ssize_t sent;

    str_addf(&text, "GET /api/local-requests/%s/events HTTP/1.1\r\nHost: peygir_push\r\nConnection: close\r\nPeygir-Method: GET\r\n"
                    "Cookie: peygir_session=%.*s\r\nAccept-Language: fa\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n",
             space + 1, (int)(space - line), line);
    sent = send(v->fd, text.s, text.len, MSG_NOSIGNAL);
    if (sent != (ssize_t)text.len)
        die("a viewer cannot ask");
    str_free(&text);
}

/* False: there is no room for it yet. */
static bool come(struct viewer *v, const char *line, int64_t asked_ns)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = v };

    *v = (struct viewer){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .asked_ns = asked_ns, .id = -1 };
    if (v->fd < 0)
        die(strerror(errno));
    if (connect(v->fd, (struct sockaddr *)&load.server, sizeof load.server) < 0) {
        if (errno != EAGAIN)
            die(strerror(errno));
        close(v->fd);
        return false;
    }
    ask(v, line);
    if (epoll_ctl(load.loop, EPOLL_CTL_ADD, v->fd, &event) < 0)
        die(strerror(errno));
    return true;
}

static void come_all_due(void)
{
    for (; load.asked < load.count; load.asked++) {
        int64_t now = now_ns(), due = load.start_ns + load.over_ns * (int64_t)load.asked / (int64_t)load.count;
        if (load.over_ns > 0 ? due > now : load.asked - load.opened - load.refused >= AT_ONCE)
            return;
        if (!come(&load.viewer[load.asked], load.line[load.asked % load.lines], load.over_ns > 0 ? due : now))
            return;
    }
}

/* --- life --- */

static void read_number(void)
{
    char text[32];
    ssize_t len = read(STDIN_FILENO, text, sizeof text - 1);

    load.over = len <= 0;
    text[len > 0 ? len : 0] = '\0';
    load.awaited = strtoul(text, NULL, 10);
    load.heard_ns = now_ns();
}

static void tell(void)
{
    if (!load.told && load.opened + load.refused == load.count)
        print_opened();
    if (load.awaited > 0 && (load.events >= load.awaited || now_ns() - load.heard_ns > QUIET_MS * NS_PER_MS))
        print_events();
}

static void run(void)
{
    struct epoll_event ready[READY_AT_ONCE];

    load.start_ns = now_ns();
    while (!load.over) {
        come_all_due();
        int count = epoll_wait(load.loop, ready, READY_AT_ONCE, load.asked < load.count ? SOON_MS : load.awaited > 0 ? LOOK_MS : -1);
        for (int i = 0; i < count; i++)
            if (ready[i].data.ptr)
                read_viewer(ready[i].data.ptr, (ready[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
            else
                read_number();
        tell();
    }
}

static void read_lines(const char *file)
{
    FILE *in = fopen(file, "r");
    char *line = NULL;
    size_t room = 0;

    for (ssize_t len; in && (len = getline(&line, &room, in)) > 0; load.lines++) {
        load.line = xreallocarray(load.line, load.lines + 1, sizeof *load.line);
        load.line[load.lines] = xmemdupz(line, (size_t)len - (line[len - 1] == '\n'));
        if (!strchr(load.line[load.lines], ' '))
            die("a line of the file is not \"TOKEN HASH\"");
    }
    if (load.lines == 0)
        die("the file has no requests");
    fclose(in);
    free(line);
}

int main(int argc, char **argv)
{
    struct epoll_event event = { .events = EPOLLIN };
    struct rlimit files;

    load.count = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
    if (load.count == 0) {
        fputs("usage: push-load SOCKET FILE COUNT OVER_MS\n", stderr);
        return USAGE;
    }
    load.over_ns = strtol(argv[4], NULL, 10) * NS_PER_MS;
    load.server.sun_family = AF_UNIX;
    snprintf(load.server.sun_path, sizeof load.server.sun_path, "%s", argv[1]);
    read_lines(argv[2]);
    load.viewer = xcalloc(load.count, sizeof *load.viewer);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    load.loop = epoll_create1(EPOLL_CLOEXEC);
    if (load.loop < 0 || epoll_ctl(load.loop, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        die(strerror(errno));
    run();
    return 0;
}
