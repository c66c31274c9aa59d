/* conn.c: the socket of a connection. After any failure it is closed: its replies and its database cannot be
 * trusted any more. */
#include "redis/conn.h"

#include "base/clock.h"
#include "redis/link.h"
#include "redis/reply.h"
#include "redis/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
#define IDLE_CHECK_MS 100 /* after so much silence the server may have closed: look before writing */
#define KNOWN_DBS 64

void conn_init(struct conn *c, struct redis_server *server)
{
    *c = (struct conn){ .server = server, .fd = -1 };
    c->parse = parse_new();
    c->buffer = xmalloc(READ_BYTES);
}

void conn_clear(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    parse_free(c->parse);
    free(c->buffer);
    str_free(&c->hello);
    str_free(&c->scratch);
}

void conn_drop(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->known_dbs = 0;
    c->transactions = UNTRIED;
    parse_restart(c->parse);
}

static int away(struct err *err)
{
    if (err)
        err->retry_after_s = 1;
    return -1;
}

static bool timed_out(int number)
{
    return number == EAGAIN;
}

/* A failed send or receive; 0 is the other side's close. A time-out is remembered for all threads. */
static int lost(struct conn *c, int number, struct err *err)
{
    struct err local = ERR_INIT;

    if (timed_out(number)) {
        err_set(&local, ERR_AWAY, "Redis at %s did not answer within %d ms.", c->server->show, c->receive_ms);
        server_failed(c->server, false, local.text);
    } else {
        err_set(&local, ERR_AWAY, "Redis at %s closed the connection (%s).", c->server->show,
                number ? strerror(number) : "end of file");
    }
    conn_drop(c);
    if (err)
        *err = local;
    return away(err);
}

/* --- bytes --- */

int conn_send(struct conn *c, struct span bytes, struct err *err)
{
    size_t done = 0;

    while (done < bytes.len) {
        ssize_t n = send(c->fd, bytes.s + done, bytes.len - done, MSG_NOSIGNAL);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            int number = errno;
            lost(c, number, err);
            return done > 0 || timed_out(number) ? -1 : 1;
        }
    }
    c->round_trips++;
    return 0;
}

/* Read what there is. 1: given to the parser; 0: nothing there (MSG_DONTWAIT); -1: the link is lost. */
static int read_some(struct conn *c, int flags, struct err *err)
{
    ssize_t n;

    do
        n = recv(c->fd, c->buffer, READ_BYTES, flags);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        parse_feed(c->parse, c->buffer, (size_t)n);
        return 1;
    }
    if (n < 0 && (flags & MSG_DONTWAIT) && timed_out(errno))
        return 0;
    return lost(c, n < 0 ? errno : 0, err);
}

static int parsed(struct conn *c, struct reply *into, struct err *err)
{
    int rc = parse_next(c->parse, into, err);

    if (rc < 0) {
        conn_drop(c);
        away(err);
    }
    return rc;
}

int conn_read(struct conn *c, struct reply *into, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        int rc = parsed(c, into, err);
        if (rc != 0)
            return rc > 0 ? 0 : -1;
        if (clock_mono_ms() > deadline_ms)
            return lost(c, EAGAIN, err);
        if (read_some(c, 0, err) < 0)
            return -1;
    }
}

int conn_try_read(struct conn *c, struct reply *into, struct err *err)
{
    for (;;) {
        int rc = parsed(c, into, err);
        if (rc == 0)
            rc = read_some(c, MSG_DONTWAIT, err);
        else
            return rc;
        if (rc <= 0)
            return rc;
    }
}

int64_t conn_deadline_ms(const struct conn *c)
{
    return clock_mono_ms() + c->receive_ms;
}

void conn_set_wait(struct conn *c, int receive_ms)
{
    if (c->receive_ms == receive_ms)
        return;
    link_set_wait(c->fd, receive_ms);
    c->receive_ms = receive_ms;
}

/* --- opening --- */

int conn_ask(struct conn *c, struct span bytes, struct reply *replies, size_t count, struct err *err)
{
    int64_t deadline_ms = conn_deadline_ms(c);

    if (conn_send(c, bytes, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (conn_read(c, &replies[i], deadline_ms, err) < 0)
            return -1;
    return 0;
}

static int refused(struct conn *c, const struct reply *reply, struct err *err)
{
    const struct redisurl *url = &c->server->url;

    if (reply_error_kind(reply->text) == ERR_AWAY)
        redis_reply_ok(reply, err);
    else if (reply_is_error(reply, "NOAUTH"))
        err_set(err, ERR_FAILED, "Redis at %s wants a password: set it in REDIS_URL or REDIS_PASSWORD.",
                c->server->show);
    else
        err_set(err, ERR_FAILED, "Redis at %s refused %s%s: check REDIS_URL or REDIS_PASSWORD (%s).", c->server->show,
                url->user ? "the password of user " : "the password", url->user ? url->user : "", reply->text.s);
    conn_drop(c);
    return -1;
}

/* AUTH, the name, and what time it is there, so that the server has answered once before anything is asked of it. */
static int greet(struct conn *c, struct err *err)
{
    const struct redisurl *url = &c->server->url;
    struct reply *reply = parse_room(c->parse, 3);
    int64_t asked_ms = clock_mono_ms();
    size_t count = 0;

    str_reset(&c->hello);
    if (url->password && url->user)
        wire_addf(&c->hello, &c->scratch, "AUTH %s %s", url->user, url->password);
    else if (url->password)
        wire_addf(&c->hello, &c->scratch, "AUTH %s", url->password);
    count += url->password != NULL;
    if (*c->server->name)
        wire_addf(&c->hello, &c->scratch, "CLIENT SETNAME %s", c->server->name);
    count += *c->server->name != '\0';
    wire_addf(&c->hello, &c->scratch, "TIME");
    count++;
    if (conn_send(c, (struct span){ c->hello.s, c->hello.len }, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (conn_read(c, &reply[i], conn_deadline_ms(c), err) < 0)
            return -1;
        if (reply_is_error(&reply[i], "NOAUTH") || reply_is_error(&reply[i], "ERR max number of clients") ||
            (url->password && i == 0 && reply[i].type == REPLY_ERROR))
            return refused(c, &reply[i], err); /* what follows may never come */
    }
    server_told_time(c->server, asked_ms, &reply[count - 1]);
    return 0;
}

static int connect_and_greet(struct conn *c, struct err *err)
{
    const struct redis_server *s = c->server;
    struct err why = ERR_INIT;

    conn_drop(c);
    c->fd = link_open(&s->url, s->connect_ms, s->command_ms, &why);
    if (c->fd < 0)
        return err_set(err, ERR_AWAY, "Redis at %s cannot be reached: %s.", s->show, why.text);
    c->receive_ms = s->command_ms;
    c->wire_db = 0;
    c->known_dbs = 1;
    c->used_ms = clock_mono_ms();
    return greet(c, err);
}

/* Tell the other threads. A server that answered at all, even with a refusal, is not away. */
static int opened(struct conn *c, int rc, bool probing, const struct err *err)
{
    if (rc < 0 && err->kind == ERR_AWAY)
        server_failed(c->server, probing, err->text);
    else if (probing)
        server_answered(c->server);
    return rc;
}

int conn_ready(struct conn *c, bool owed, bool *fresh, struct err *err)
{
    struct err local = ERR_INIT;
    int probing;
    int rc;

    *fresh = false;
    if (c->fd >= 0 && clock_mono_ms() - c->used_ms > IDLE_CHECK_MS && !link_alive(c->fd, owed)) {
        conn_drop(c);
        *fresh = true;
    }
    probing = server_enter(c->server, err);
    if (probing < 0)
        return -1;
    if (c->fd >= 0 && !probing)
        return 0;
    *fresh = true;
    rc = opened(c, connect_and_greet(c, &local), probing, &local);
    if (rc < 0 && err) {
        *err = local;
        err->retry_after_s = local.kind == ERR_AWAY;
    }
    return rc;
}

bool conn_knows_db(const struct conn *c, int db)
{
    return db == c->wire_db || (db < KNOWN_DBS && (c->known_dbs >> db & 1));
}

int conn_know_db(struct conn *c, int db, struct err *err)
{
    struct reply *reply = parse_room(c->parse, 1);

    str_reset(&c->hello);
    wire_addf(&c->hello, &c->scratch, "SELECT %d", db);
    if (conn_ask(c, (struct span){ c->hello.s, c->hello.len }, reply, 1, err) < 0)
        return -1;
    if (reply->type == REPLY_ERROR) {
        redis_reply_ok(reply, err);
        return err_prefix(err, "Database %d of Redis at %s cannot be used", db, c->server->show);
    }
    c->wire_db = db;
    if (db < KNOWN_DBS)
        c->known_dbs |= UINT64_C(1) << db;
    return 0;
}
