/* conn.h: the socket of a connection: opening it ready for use, bytes out, replies in, and what a failure means.
 * Inside src/redis only. */
#ifndef PEYGIR_CONN_H
#define PEYGIR_CONN_H

#include "redis/parse.h"
#include "redis/server.h"

/* Whether the server lets us have transactions: its ACL or its configuration may forbid them. */
enum trial { UNTRIED, TRYING, ALLOWED, REFUSED };

struct conn {
    struct redis_server *server;
    struct parse *parse;
    int fd;             /* -1: not connected */
    int receive_ms;     /* as set on the socket */
    int64_t used_ms;    /* when the server last answered */
    int wire_db;        /* where the server is after all that was sent */
    uint64_t known_dbs; /* bits: a SELECT of it has worked on this connection */
    enum trial transactions;
    char *buffer;
    struct str hello;   /* commands of our own, and room for formatting them */
    struct str scratch;
    _Atomic uint64_t round_trips;
};

void conn_init(struct conn *c, struct redis_server *server);
void conn_clear(struct conn *c);
/* Make the link fit for a write: enter the server, connect when needed, or when the server has closed meanwhile.
 * `owed`: replies to posted commands are still to come on it; *fresh says that they never will, because the link is
 * a new one. 0 or -1. */
int conn_ready(struct conn *c, bool owed, bool *fresh, struct err *err);
bool conn_knows_db(const struct conn *c, int db);
/* Before the first command in `db` of this connection: see that it exists, so that nothing can run in a wrong one.
 * 0 or -1. */
int conn_know_db(struct conn *c, int db, struct err *err);
/* How long the next receives wait. */
void conn_set_wait(struct conn *c, int receive_ms);
/* Write `bytes`, in one system call when the socket takes them. 0; 1: nothing went out because the server had
 * closed, the link is dropped and may be made ready again; -1. */
int conn_send(struct conn *c, struct span bytes, struct err *err);
/* Write `bytes` and read `count` replies into the arena: a round trip. 0 or -1. */
int conn_ask(struct conn *c, struct span bytes, struct reply *replies, size_t count, struct err *err);
/* The next reply (see parse_next); waits. 0 or -1. */
int conn_read(struct conn *c, struct reply *into, int64_t deadline_ms, struct err *err);
/* The next reply if it has come: 1; 0: not yet; -1. */
int conn_try_read(struct conn *c, struct reply *into, struct err *err);
int64_t conn_deadline_ms(const struct conn *c);
void conn_drop(struct conn *c);

#endif
