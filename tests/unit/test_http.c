/* test_http.c: HTTP calls, against a tiny server in a thread of the test whose answer the path chooses. */
#include "tests/unit/unit.h"

#include "net/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOGETHER 300

/* --- the server: a thread for each connection, one request each --- */

static struct {
    int fd;
    int port;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int requests, arrived, closed; /* whole requests read; of /together; connections of /hold that the client closed */
    char last[4096];
} server = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void count(int *counter)
{
    pthread_mutex_lock(&server.lock);
    ++*counter;
    pthread_cond_broadcast(&server.changed);
    pthread_mutex_unlock(&server.lock);
}

static int seen(const int *counter)
{
    int value;

    pthread_mutex_lock(&server.lock);
    value = *counter;
    pthread_mutex_unlock(&server.lock);
    return value;
}

static void wait_for(int *counter, int value)
{
    pthread_mutex_lock(&server.lock);
    while (*counter < value)
        pthread_cond_wait(&server.changed, &server.lock);
    pthread_mutex_unlock(&server.lock);
}

/* A whole request, as far as Content-Length says. */
static void read_request(int fd, char *text, size_t size)
{
    size_t len = 0;
    size_t whole = size - 1;
    ssize_t n = 1;

    text[0] = '\0';
    while (n > 0 && len < whole) {
        n = recv(fd, text + len, whole - len, 0);
        len += n > 0 ? (size_t)n : 0;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length:");
        if (end)
            whole = (size_t)(end + 4 - text) + (length ? strtoul(length + 15, NULL, 10) : 0);
    }
}

static void say(int fd, const char *text)
{
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void say_hello(int fd)
{
    say(fd, "HTTP/1.1 201 Created\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello");
}

static void say_empty(int fd)
{
    say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void say_redirect(int fd)
{
    say(fd, "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n");
}

static void say_dated(int fd)
{
    say(fd, "HTTP/1.1 429 Too Many Requests\r\nETag:  W/\"a b\" \r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nRetry-After: 90\r\n"
            "Content-Length: 0\r\n\r\n");
}

static void say_nothing(int fd)
{
    (void)fd;
}

static void say_garbage(int fd)
{
    say(fd, "+PONG\r\n-ERR this is not HTTP\r\n\r\n");
}

static void say_half(int fd)
{
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void say_reset(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void say_large(int fd)
{
    char block[8192];

    memset(block, 'x', sizeof(block));
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
        ;
}

/* 1,000 zero bytes. */
static void say_gzip(int fd)
{
    static const unsigned char zeros[] = {
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x63, 0x60, 0x18, 0x05, 0xa3,
        0x60, 0x14, 0x0c, 0x77, 0x00, 0x00, 0x80, 0x17, 0x0b, 0x06, 0xe8, 0x03, 0x00, 0x00
    };

    say(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 29\r\n\r\n");
    send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL);
}

/* A gzip stream of blocks with nothing in them. */
static void say_packed_nothing(int fd)
{
    static const unsigned char head[] = { 0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03 }, block[] = { 0, 0, 0, 0xff, 0xff };
    unsigned char blocks[1000 * sizeof(block)];

    for (size_t i = 0; i < sizeof(blocks); i++)
        blocks[i] = block[i % sizeof(block)];
    say(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
    send(fd, head, sizeof(head), MSG_NOSIGNAL);
    while (send(fd, blocks, sizeof(blocks), MSG_NOSIGNAL) > 0)
        ;
}

static void say_endless_line(int fd)
{
    say(fd, "HTTP/1.1 200 ");
    while (send(fd, "still going on ", 15, MSG_NOSIGNAL) > 0)
        ;
}

static void say_endless_headers(int fd)
{
    say(fd, "HTTP/1.1 200 OK\r\n");
    while (send(fd, "X-Filling: of a header\r\n", 24, MSG_NOSIGNAL) > 0)
        ;
}

/* Answers once; a second request on the same connection is read and gets no answer. */
static void keep(int fd)
{
    char text[4096];

    say_hello(fd);
    read_request(fd, text, sizeof(text));
    if (*text)
        count(&server.requests);
}

static void hold(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) > 0)
        ;
    count(&server.closed);
}

static void together(int fd)
{
    count(&server.arrived);
    wait_for(&server.arrived, TOGETHER);
    say_hello(fd);
}

static const struct behaviour {
    const char *path;
    void (*answer)(int fd);
} behaviours[] = {
    { "/hello", say_hello }, { "/empty", say_empty }, { "/redirect", say_redirect }, { "/nothing", say_nothing },
    { "/garbage", say_garbage }, { "/half", say_half }, { "/reset", say_reset }, { "/large", say_large },
    { "/gzip", say_gzip }, { "/headers", say_endless_headers },
    { "/line", say_endless_line }, { "/nothing-packed", say_packed_nothing }, { "/hold", hold }, { "/keep", keep },
    { "/together", together }, { "/dated", say_dated },
};

static void *serve(void *ctx)
{
    int fd = (int)(intptr_t)ctx;
    char text[4096];
    char *path;

    read_request(fd, text, sizeof(text));
    pthread_mutex_lock(&server.lock);
    memcpy(server.last, text, sizeof(text));
    pthread_mutex_unlock(&server.lock);
    count(&server.requests);
    path = strchr(text, ' ');
    for (size_t i = 0; path && i < ARRAY_LEN(behaviours); i++)
        if (strncmp(path + 1, behaviours[i].path, strlen(behaviours[i].path)) == 0)
            behaviours[i].answer(fd);
    close(fd);
    return NULL;
}

static void *serve_all(void *ctx)
{
    pthread_attr_t small;
    pthread_t thread;
    int fd;

    (void)ctx;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    while ((fd = accept(server.fd, NULL, NULL)) >= 0)
        pthread_create(&thread, &small, serve, (void *)(intptr_t)fd);
    return NULL;
}

static int listen_somewhere(int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    *port = ntohs(address.sin_port);
    return fd;
}

/* --- the client --- */

struct place {
    uv_loop_t loop;
    struct http *http;
};

struct outcome {
    int times;
    struct http_result result;
    char body[64];
    char type[64], etag[64], last_modified[64];
    struct http_call *cancel; /* to cancel from within done */
    struct place *again;      /* to call from within done */
};

static struct http_call *post(struct place *p, const char *path, struct outcome *o);

static void on_done(void *ctx, const struct http_result *result)
{
    struct outcome *o = ctx;

    o->times++;
    o->result = *result;
    snprintf(o->body, sizeof(o->body), "%.*s", (int)result->body.len, result->body.s ? result->body.s : "");
    snprintf(o->type, sizeof(o->type), "%s", result->content_type.s ? result->content_type.s : "");
    snprintf(o->etag, sizeof(o->etag), "%.*s", (int)result->etag.len, result->etag.s ? result->etag.s : "");
    snprintf(o->last_modified, sizeof(o->last_modified), "%.*s", (int)result->last_modified.len, result->last_modified.s ? result->last_modified.s : "");
    if (o->cancel)
        http_cancel(o->cancel);
    if (o->again) {
        struct place *p = o->again;
        o->again = NULL;
        post(p, "/hello", o);
    }
}

static struct http_call *call_url(struct place *p, const char *method, const char *url, struct outcome *o)
{
    static const char *const headers[] = { "Content-Type: application/json", "Peygir-Run: 7", NULL };
    struct http_request rq = { .method = method, .url = url, .headers = headers,
                               .body = SPAN("{\"a\":1}"), .max_body_bytes = 500 };

    return http_post(p->http, &rq, on_done, o);
}

static struct http_call *post(struct place *p, const char *path, struct outcome *o)
{
    char url[128];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", server.port, path);
    return call_url(p, NULL, url, o);
}

/* Until every call has had its answer. */
static void run(struct place *p)
{
    while (http_calls(p->http) > 0)
        uv_run(&p->loop, UV_RUN_ONCE);
}

static struct outcome posted(struct place *p, const char *path)
{
    struct outcome o = { 0 };

    post(p, path, &o);
    assert_int_equal(o.times, 0);
    run(p);
    assert_int_equal(o.times, 1);
    return o;
}

static int set_up_with(void **state, size_t max_connections)
{
    struct place *p = xcalloc(1, sizeof(*p));

    uv_loop_init(&p->loop);
    p->http = http_new(&p->loop, max_connections);
    pthread_mutex_lock(&server.lock);
    server.requests = server.arrived = server.closed = 0;
    pthread_mutex_unlock(&server.lock);
    *state = p;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 0);
}

static int set_up_one_at_a_time(void **state)
{
    return set_up_with(state, 1);
}

static int tear_down(void **state)
{
    struct place *p = *state;

    http_free(p->http);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&p->loop), 0);
    free(p);
    return 0;
}

static void an_answer_has_status_type_and_body(void **state)
{
    struct outcome o = posted(*state, "/hello");

    assert_int_equal(o.result.outcome, HTTP_ANSWERED);
    assert_int_equal(o.result.status, 201);
    assert_string_equal(o.body, "hello");
    assert_string_equal(o.type, "text/plain; charset=utf-8");
    assert_string_equal(o.result.error, "");
}

static void an_answer_may_be_empty(void **state)
{
    struct outcome o = posted(*state, "/empty");

    assert_int_equal(o.result.outcome, HTTP_ANSWERED);
    assert_int_equal(o.result.status, 204);
    assert_int_equal(o.result.body.len, 0);
    assert_null(o.result.content_type.s);
}

static void the_request_is_sent_as_given(void **state)
{
    posted(*state, "/hello?x=1");
    assert_ptr_equal(strstr(server.last, "POST /hello?x=1 HTTP/1.1\r\n"), server.last);
    assert_non_null(strstr(server.last, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(server.last, "\r\nPeygir-Run: 7\r\n"));
    assert_non_null(strstr(server.last, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(server.last, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(server.last, "Expect"));
    assert_null(strstr(server.last, "Cookie"));
}

static void a_get_has_no_body_and_a_bare_post_an_empty_one(void **state)
{
    struct place *p = *state;
    struct outcome o = { 0 };
    char url[64];
    struct http_request rq = { .url = url };

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/hello", server.port);
    http_send(p->http, &rq, on_done, &o);
    run(p);
    assert_ptr_equal(strstr(server.last, "GET /hello "), server.last);
    assert_null(strstr(server.last, "Content-"));
    http_post(p->http, &rq, on_done, &o);
    run(p);
    assert_ptr_equal(strstr(server.last, "POST /hello "), server.last);
    assert_non_null(strstr(server.last, "Content-Length: 0\r\n"));
    assert_null(strstr(server.last, "Content-Type"));
    assert_int_equal(o.times, 2);
}

static void a_redirect_is_an_answer_and_not_followed(void **state)
{
    struct outcome o = posted(*state, "/redirect");

    assert_int_equal(o.result.outcome, HTTP_ANSWERED);
    assert_int_equal(o.result.status, 302);
    assert_int_equal(seen(&server.requests), 1);
}

static void a_port_where_nobody_listens_refuses(void **state)
{
    struct place *p = *state;
    struct outcome o = { 0 };
    char url[64];
    char host[32];
    int port;
    int fd = listen_somewhere(&port); /* bound, not listening: nobody else can have it */

    snprintf(host, sizeof(host), "127.0.0.1:%d", port);
    snprintf(url, sizeof(url), "http://%s/", host);
    call_url(p, NULL, url, &o);
    run(p);
    assert_int_equal(o.result.outcome, HTTP_REFUSED);
    assert_int_equal(o.result.status, 0);
    assert_non_null(strstr(o.result.error, host));
    close(fd);
}

static void only_http_urls_are_called(void **state)
{
    static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://",
                                       "not a url", "" };
    struct place *p = *state;

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct outcome o = { 0 };
        call_url(p, NULL, urls[i], &o);
        assert_int_equal(o.times, 0);
        run(p);
        assert_int_equal(o.times, 1);
        assert_int_equal(o.result.outcome, HTTP_REFUSED);
        assert_true(strlen(o.result.error) > 0);
    }
}

static void proxies_of_the_environment_are_not_used(void **state)
{
    struct outcome o;

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    o = posted(*state, "/hello");
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    assert_int_equal(o.result.outcome, HTTP_ANSWERED);
}

static void what_breaks_after_sending_is_broken_and_sent_once(void **state)
{
    static const char *const paths[] = { "/nothing", "/garbage", "/half", "/reset" };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct outcome o = posted(*state, paths[i]);
        assert_int_equal(o.result.outcome, HTTP_BROKEN);
        assert_int_equal(o.result.status, 0);
        assert_non_null(strstr(o.result.error, "127.0.0.1"));
        assert_int_equal(seen(&server.requests), (int)i + 1);
    }
}

/* curl by itself would send it again when a kept connection fails. */
static void a_post_is_never_sent_twice(void **state)
{
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(posted(*state, "/keep").result.outcome, HTTP_ANSWERED);
        assert_int_equal(seen(&server.requests), i);
    }
}

static void endless_headers_are_cut(void **state)
{
    struct outcome o = posted(*state, "/headers");

    assert_int_equal(o.result.outcome, HTTP_BROKEN);
    assert_non_null(strstr(o.result.error, "the headers of the answer are larger than allowed"));
}

static void an_endless_line_is_cut(void **state)
{
    struct outcome o = posted(*state, "/line");

    assert_int_equal(o.result.outcome, HTTP_BROKEN);
    assert_non_null(strstr(o.result.error, "a line of the answer's head is longer than allowed"));
}

static void a_body_over_the_limit_is_too_large(void **state)
{
    struct outcome o = posted(*state, "/large");

    assert_int_equal(o.result.outcome, HTTP_TOO_LARGE);
    assert_int_equal(o.result.status, 200);
    assert_null(o.result.body.s);
}

/* 1,000 bytes when unpacked; the limit is 500 in one call, the default in the other. */
static void a_packed_body_is_measured_unpacked(void **state)
{
    struct place *p = *state;
    struct outcome o = posted(p, "/gzip");
    char url[64];
    struct http_request rq = { .url = url };

    assert_int_equal(o.result.outcome, HTTP_TOO_LARGE);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/gzip", server.port);
    http_send(p->http, &rq, on_done, &o);
    run(p);
    assert_int_equal(o.result.outcome, HTTP_ANSWERED);
    assert_int_equal(o.result.body.len, 1000);
}

static void a_packed_body_without_end_is_cut_even_if_nothing_comes_out_of_it(void **state)
{
    struct outcome o = posted(*state, "/nothing-packed");

    assert_int_equal(o.result.outcome, HTTP_TOO_LARGE);
    assert_non_null(strstr(o.result.error, "the answer is larger than allowed"));
}

static void cancelling_closes_the_connection_and_tells_later(void **state)
{
    struct place *p = *state;
    struct outcome o = { 0 };
    struct http_call *call = post(p, "/hold", &o);

    while (seen(&server.requests) == 0)
        uv_run(&p->loop, UV_RUN_NOWAIT);
    http_cancel(call);
    http_cancel(call);
    assert_int_equal(o.times, 0);
    wait_for(&server.closed, 1);
    run(p);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.result.outcome, HTTP_CANCELLED);
}

static void a_call_may_be_cancelled_before_the_loop_runs(void **state)
{
    struct place *p = *state;
    struct outcome o = { 0 };

    http_cancel(post(p, "/hello", &o));
    run(p);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.result.outcome, HTTP_CANCELLED);
    assert_int_equal(seen(&server.requests), 0);
}

static void done_may_start_and_cancel_calls(void **state)
{
    struct place *p = *state;
    struct outcome held = { 0 };
    struct outcome o = { .cancel = post(p, "/hold", &held), .again = p };

    post(p, "/hello", &o);
    while (o.times < 1)
        uv_run(&p->loop, UV_RUN_ONCE);
    o.cancel = NULL;
    run(p);
    assert_int_equal(o.times, 2);
    assert_int_equal(held.times, 1);
    assert_int_equal(held.result.outcome, HTTP_CANCELLED);
}

static void a_call_waits_for_a_free_place(void **state)
{
    struct place *p = *state;
    struct outcome held = { 0 };
    struct outcome waiting = { 0 };
    struct outcome never = { 0 };
    struct http_call *first = post(p, "/hold", &held);
    struct http_call *third;

    post(p, "/hello", &waiting);
    third = post(p, "/hello", &never);
    for (int i = 0; i < 100; i++)
        uv_run(&p->loop, UV_RUN_NOWAIT);
    assert_int_equal(waiting.times, 0);
    http_cancel(third);
    http_cancel(first);
    run(p);
    assert_int_equal(waiting.result.outcome, HTTP_ANSWERED);
    assert_int_equal(held.result.outcome, HTTP_CANCELLED);
    assert_int_equal(never.result.outcome, HTTP_CANCELLED);
}

static void freeing_cancels_what_is_out(void **state)
{
    struct place *p = *state;
    struct outcome o[2] = { { 0 }, { 0 } };

    post(p, "/hold", &o[0]);
    post(p, "/hold", &o[1]);
    uv_run(&p->loop, UV_RUN_NOWAIT);
    http_free(p->http);
    p->http = http_new(&p->loop, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(o[i].times, 1);
        assert_int_equal(o[i].result.outcome, HTTP_CANCELLED);
    }
}

/* The server answers none before all have arrived. */
static void three_hundred_are_out_at_once(void **state)
{
    struct place *p = *state;
    struct outcome *o = xcalloc(TOGETHER, sizeof(*o));

    for (int i = 0; i < TOGETHER; i++)
        post(p, "/together", &o[i]);
    run(p);
    for (int i = 0; i < TOGETHER; i++) {
        assert_int_equal(o[i].times, 1);
        assert_int_equal(o[i].result.outcome, HTTP_ANSWERED);
    }
    free(o);
}

static int start_server(void **state)
{
    struct rlimit files;
    pthread_t thread;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    server.fd = listen_somewhere(&server.port);
    listen(server.fd, 1024);
    return pthread_create(&thread, NULL, serve_all, NULL);
}

static void an_answer_brings_what_it_can_be_asked_for_again_with(void **state)
{
    struct place *p = *state;
    struct http_request rq = { .url = NULL };
    struct outcome o = { 0 };
    char url[128];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/dated", server.port);
    rq.url = url;
    http_send(p->http, &rq, on_done, &o);
    run(p);
    assert_int_equal(o.result.status, 429);
    assert_string_equal(o.etag, "W/\"a b\"");
    assert_string_equal(o.last_modified, "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_int_equal(o.result.retry_after_s, 90);
    o = posted(p, "/hello");
    assert_string_equal(o.etag, "");
    assert_int_equal(o.result.retry_after_s, 0);
}

static void a_call_that_takes_longer_than_it_may_is_broken(void **state)
{
    struct place *p = *state;
    struct http_request rq = { .total_timeout_ms = 50 };
    struct outcome o = { 0 };
    char url[128];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/hold", server.port);
    rq.url = url;
    http_send(p->http, &rq, on_done, &o);
    run(p);
    assert_int_equal(o.result.outcome, HTTP_BROKEN);
    assert_non_null(strstr(o.result.error, "timed out"));
    wait_for(&server.closed, 1);
}

static int set_up_public(void **state)
{
    struct place *p;

    set_up(state);
    p = *state;
    http_free(p->http);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    p->http = http_new_public(&p->loop, 0);
    return 0;
}

static void strangers_do_not_lead_into_a_private_network(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f.1", "2130706433" };
    struct place *p = *state;
    char url[128];

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct http_request rq = { .url = url };
        struct outcome o = { 0 };
        snprintf(url, sizeof(url), "http://%s:%d/hello", hosts[i], server.port);
        http_send(p->http, &rq, on_done, &o);
        run(p);
        assert_int_equal(o.result.outcome, HTTP_REFUSED);
        if (!strstr(o.result.error, "not a public one"))
            fail_msg("%s: %s", hosts[i], o.result.error);
    }
    assert_int_equal(seen(&server.requests), 0);
}

#define with_http(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_http(an_answer_has_status_type_and_body),
        with_http(an_answer_may_be_empty),
        with_http(the_request_is_sent_as_given),
        with_http(a_get_has_no_body_and_a_bare_post_an_empty_one),
        with_http(a_redirect_is_an_answer_and_not_followed),
        with_http(a_port_where_nobody_listens_refuses),
        with_http(only_http_urls_are_called),
        with_http(proxies_of_the_environment_are_not_used),
        with_http(what_breaks_after_sending_is_broken_and_sent_once),
        with_http(a_post_is_never_sent_twice),
        with_http(endless_headers_are_cut),
        with_http(an_endless_line_is_cut),
        with_http(a_body_over_the_limit_is_too_large),
        with_http(a_packed_body_is_measured_unpacked),
        with_http(a_packed_body_without_end_is_cut_even_if_nothing_comes_out_of_it),
        with_http(cancelling_closes_the_connection_and_tells_later),
        with_http(a_call_may_be_cancelled_before_the_loop_runs),
        with_http(done_may_start_and_cancel_calls),
        cmocka_unit_test_setup_teardown(a_call_waits_for_a_free_place, set_up_one_at_a_time, tear_down),
        with_http(freeing_cancels_what_is_out),
        with_http(three_hundred_are_out_at_once),
        with_http(an_answer_brings_what_it_can_be_asked_for_again_with),
        with_http(a_call_that_takes_longer_than_it_may_is_broken),
        cmocka_unit_test_setup_teardown(strangers_do_not_lead_into_a_private_network, set_up_public, tear_down),
    };

    return cmocka_run_group_tests_name("http", tests, start_server, NULL);
}
