/* floor.c: the least that a status poll can cost: behind the same hand-over of connections as peygir-web, get the document of the
 * request that the path names and answer with its bytes as they are. No session, no owner, no limit, no view; one request after the
 * other, each with a round trip of its own.
 *
 *   spawn-fcgi -n -s SOCKET -b 4096 -- bench-floor REDIS_URL THREADS */
#include "base/daemon.h"
#include "base/log.h"
#include "redis/redis.h"
#include "web/fcgi.h"

#include <signal.h>

#define LISTEN_FD 0
#define COMMAND_MS 600
#define DRAIN_MS 10000
#define HASH_LEN 30
#define THREADS_MAX 1024

struct seat {
    struct redis *redis;
    struct str out;
};

static void *open_seat(void *server)
{
    struct seat *seat = xcalloc(1, sizeof *seat);

    seat->redis = redis_new(server);
    return seat;
}

static void close_seat(void *arg)
{
    struct seat *seat = arg;

    redis_free(seat->redis);
    str_free(&seat->out);
    free(seat);
}

/* The hash in REQUEST_URI; absent when there is none. */
static struct span find_hash(char **vars)
{
    static const char name[] = "REQUEST_URI=";

    for (; *vars; vars++) {
        const char *start = strncmp(*vars, name, sizeof name - 1) == 0 ? strstr(*vars, "/req_") : NULL;
        if (start && strlen(start + 1) >= HASH_LEN)
            return (struct span){ start + 1, HASH_LEN };
    }
    return (struct span){ NULL, 0 };
}

static void serve_one(void *arg, struct fcgi_io *io)
{
    struct seat *seat = arg;
    struct err err = ERR_INIT;
    struct span hash = find_hash(fcgi_environ(io)), document = { NULL, 0 };
    const struct reply *reply = hash.s ? redis_do(seat->redis, &err, "GET local_request:%b", hash.s, hash.len) : NULL;

    if (reply)
        document = reply_text(reply);
    str_reset(&seat->out);
    str_adds(&seat->out, document.s ? "Status: 200\r\n" : "Status: 404\r\n");
    str_addf(&seat->out, "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %zu\r\n\r\n", document.len);
    str_add_span(&seat->out, document);
    fcgi_send(io, seat->out.s, seat->out.len);
}

static void serve(void *seat, struct fcgi_io *const io[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        serve_one(seat, io[i]);
}

static void rest(void *seat)
{
    (void)seat;
}

static int run(struct redis_server *server, int threads, struct err *err)
{
    const struct fcgi_handler handler = { open_seat, serve, rest, close_seat, server, 1 };
    struct fcgi *fcgi;

    if (fcgi_check(LISTEN_FD, err) < 0 || fcgi_self_test(err) < 0)
        return -1;
    fcgi = fcgi_start(LISTEN_FD, threads, &handler, err);
    if (!fcgi)
        return -1;
    while (daemon_wait(-1) == SIGHUP)
        ;
    if (!fcgi_stop(fcgi, DRAIN_MS))
        _Exit(EXIT_SUCCESS);
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct redisurl url;
    struct redis_server *server;
    long threads = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    int rc;

    daemon_init();
    daemon_block_signals();
    log_setup("bench-floor", LOG_INFO, false);
    if (threads < 1 || threads > THREADS_MAX) {
        fputs("usage: bench-floor REDIS_URL THREADS, with a listening socket as standard input\n", stderr);
        return EXIT_USAGE;
    }
    if (redisurl_parse(argv[1], &url, &err) < 0) {
        log_error("%s", err.text);
        return EXIT_CONFIG;
    }
    server = redis_server_new(&url, "bench-floor", COMMAND_MS, COMMAND_MS);
    rc = run(server, (int)threads, &err);
    if (rc < 0)
        log_error("%s", err.text);
    redis_server_free(server);
    redisurl_free(&url);
    return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
