/* redis.c: the queue of a connection: commands in one write, their replies in order.
 *
 * queued --transmit()--> sent --read_replies()--> answered. Between two calls only posted commands are sent and
 * not answered. Each batch that is written begins with a SELECT, which is left out when the server is in that
 * database already. Of a transaction the parts are answered one by one and dropped; what is wanted is what EXEC says. */
#include "redis/redis.h"

#include "base/clock.h"
#include "base/log.h"
#include "redis/conn.h"
#include "redis/reply.h"
#include "redis/wire.h"

#define KEEP_BYTES (256 * 1024) /* a larger buffer is given back after use */

/* PART: MULTI, or a command of a transaction. TRIAL: the EXEC of a transaction of nothing. */
enum kind { WANTED, POSTED, SELECT, LEFT_OUT, TIME, PART, EXEC, TRIAL };

struct command {
    size_t offset, len; /* its bytes in redis.out */
    int db;             /* the database it runs in; of a SELECT, the one it selects */
    enum kind kind;
    const struct script *script;
};

struct redis {
    struct conn conn;
    int db; /* for commands to come */
    struct str out;
    struct str scratch;
    struct command *command;
    size_t count, cap;
    size_t sent, answered; /* of command[] */
    size_t wanted;
    bool acts;         /* a script or a transaction is queued, not mere reading */
    bool transaction;  /* one has begun: what is queued belongs to it */
};

struct redis *redis_new(struct redis_server *server)
{
    struct redis *r = xcalloc(1, sizeof(*r));

    conn_init(&r->conn, server);
    r->db = server->url.db;
    return r;
}

void redis_free(struct redis *r)
{
    if (!r)
        return;
    conn_clear(&r->conn);
    str_free(&r->out);
    str_free(&r->scratch);
    free(r->command);
    free(r);
}

uint64_t redis_round_trips(const struct redis *r)
{
    return r->conn.round_trips;
}

/* --- queueing --- */

static struct command *add_command(struct redis *r, enum kind kind)
{
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 32;
        r->command = xreallocarray(r->command, r->cap, sizeof(*r->command));
    }
    r->command[r->count] = (struct command){ .offset = r->out.len, .db = r->db, .kind = kind };
    return &r->command[r->count++];
}

static void end(struct redis *r)
{
    struct command *c = &r->command[r->count - 1];

    c->len = r->out.len - c->offset;
}

static void add_select(struct redis *r)
{
    char digits[NUMBER_SIZE];
    const struct span words[] = { SPAN("SELECT"), span_number(digits, r->db) };

    add_command(r, SELECT);
    wire_add(&r->out, 2, words);
    end(r);
}

/* No SELECT comes into a transaction: all of it runs where it began. */
static struct command *begin(struct redis *r, enum kind kind)
{
    if (r->transaction) {
        struct command *c = add_command(r, kind == EXEC ? EXEC : PART);
        c->db = c[-1].db;
        return c;
    }
    if (r->count == r->sent || r->command[r->count - 1].db != r->db)
        add_select(r);
    r->wanted += kind == WANTED;
    return add_command(r, kind);
}

static void queue_format(struct redis *r, enum kind kind, const char *fmt, va_list ap)
{
    begin(r, kind);
    wire_addv(&r->out, &r->scratch, fmt, ap);
    end(r);
}

void redis_queue(struct redis *r, int argc, const struct span argv[])
{
    begin(r, WANTED);
    wire_add(&r->out, argc, argv);
    end(r);
}

void redis_queuef(struct redis *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    queue_format(r, WANTED, fmt, ap);
    va_end(ap);
}

void redis_post(struct redis *r, int argc, const struct span argv[])
{
    begin(r, POSTED);
    wire_add(&r->out, argc, argv);
    end(r);
}

void redis_postf(struct redis *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    queue_format(r, POSTED, fmt, ap);
    va_end(ap);
}

void redis_use_db(struct redis *r, int db)
{
    r->db = db;
}

int redis_last_db(const struct redis *r)
{
    return r->conn.wire_db;
}

static void add_script(struct redis *r, const char *command, struct span script, int nkeys, const struct span keys[], int nargs,
                       const struct span args[])
{
    char digits[NUMBER_SIZE];
    const struct span head[] = { span_of(command), script, span_number(digits, nkeys) };

    wire_begin(&r->out, 3 + nkeys + nargs);
    wire_add_words(&r->out, 3, head);
    wire_add_words(&r->out, nkeys, keys);
    wire_add_words(&r->out, nargs, args);
    end(r);
}

void redis_queue_script(struct redis *r, const struct script *script, int nkeys, const struct span keys[], int nargs,
                        const struct span args[])
{
    begin(r, WANTED)->script = script;
    r->acts = true;
    add_script(r, "EVALSHA", (struct span){ script->sha1, 40 }, nkeys, keys, nargs, args);
}

void redis_post_script(struct redis *r, const struct script *script, int nkeys, const struct span keys[], int nargs,
                       const struct span args[])
{
    begin(r, POSTED);
    add_script(r, "EVAL", (struct span){ script->body, script->body_len }, nkeys, keys, nargs, args);
}

/* --- transactions --- */

static void add_word(struct redis *r, enum kind kind, struct span word)
{
    begin(r, kind);
    wire_add(&r->out, 1, &word);
    end(r);
}

bool redis_may_transact(struct redis *r)
{
    if (r->conn.transactions == UNTRIED && !r->transaction) {
        add_word(r, POSTED, SPAN("MULTI"));
        add_word(r, TRIAL, SPAN("EXEC"));
        r->conn.transactions = TRYING;
    }
    return r->conn.transactions == ALLOWED;
}

void redis_queue_multi(struct redis *r)
{
    add_word(r, PART, SPAN("MULTI"));
    r->wanted++;
    r->transaction = r->acts = true;
}

void redis_queue_exec(struct redis *r)
{
    add_word(r, EXEC, SPAN("EXEC"));
    r->transaction = false;
}

/* Now and then what the server does anyhow tells its time as well; mere reading is not burdened with it. */
static void ask_time(struct redis *r)
{
    if (r->acts && server_wants_time(r->conn.server))
        add_word(r, TIME, SPAN("TIME"));
}

/* Nothing is queued or owed any more. */
static void clear_queue(struct redis *r)
{
    r->count = r->sent = r->answered = r->wanted = 0;
    r->acts = r->transaction = false;
    if (r->conn.transactions == TRYING)
        r->conn.transactions = UNTRIED;
    if (r->out.cap > KEEP_BYTES)
        str_free(&r->out);
    else
        str_reset(&r->out);
}

/* Posted commands were answered while others wait to be sent: make room. */
static void forget_answered(struct redis *r)
{
    size_t bytes = r->sent < r->count ? r->command[r->sent].offset : r->out.len;

    if (r->sent == 0 || r->answered < r->sent)
        return;
    memmove(r->out.s, r->out.s + bytes, r->out.len - bytes + 1);
    r->out.len -= bytes;
    r->count -= r->sent;
    memmove(r->command, r->command + r->sent, r->count * sizeof(*r->command));
    for (size_t i = 0; i < r->count; i++)
        r->command[i].offset -= bytes;
    r->sent = r->answered = 0;
}

/* --- sending --- */

static bool is_wanted(const struct command *c)
{
    return c->kind == WANTED || c->kind == EXEC;
}

/* Replies to commands that nobody waits for. 0, or -1 when a SELECT failed: what followed ran in a wrong database. */
static int drop_reply(struct redis *r, const struct command *c, struct err *err)
{
    const struct reply *reply = parse_dropped(r->conn.parse);

    if (c->kind == TRIAL)
        r->conn.transactions = reply->type != REPLY_ERROR ? ALLOWED : REFUSED;
    if (reply->type != REPLY_ERROR)
        return 0;
    if (c->kind == SELECT) {
        conn_drop(&r->conn);
        redis_reply_ok(reply, err);
        return err_prefix(err, "Database %d of Redis at %s cannot be used", c->db, r->conn.server->show);
    }
    log_debug("redis: a command without a waiter was refused: %s", reply->text.s);
    return 0;
}

/* The first refusal of a part is why EXEC will refuse the whole. */
static void note_refusal(struct redis *r, struct reply *refusal)
{
    const struct reply *reply = parse_dropped(r->conn.parse);

    if (reply->type == REPLY_ERROR && refusal->type != REPLY_ERROR)
        *refusal = (struct reply){ .type = REPLY_ERROR, .text = parse_copy(r->conn.parse, reply->text.s, reply->text.len) };
}

/* EXEC says that there was a refusal, or, when the refusal is its own, quotes it: its reply becomes the refusal itself. */
static void settle(struct reply *reply, struct reply *refusal)
{
    static const char quoting[] = "EXECABORT Transaction discarded because of: ";

    if (refusal->type == REPLY_ERROR) {
        *reply = *refusal;
    } else if (reply->type == REPLY_ERROR && strncmp(reply->text.s, quoting, sizeof(quoting) - 1) == 0) {
        reply->text.s += sizeof(quoting) - 1;
        reply->text.len -= sizeof(quoting) - 1;
    }
    *refusal = (struct reply){ .type = REPLY_NIL };
}

/* Read the replies of all commands that were sent; those that are wanted go to replies[]. */
static int read_replies(struct redis *r, struct reply *replies, struct err *err)
{
    int64_t sent_ms = clock_mono_ms(), deadline_ms = conn_deadline_ms(&r->conn);
    struct reply time, refusal = { .type = REPLY_NIL };

    for (; r->answered < r->sent; r->answered++) {
        const struct command *c = &r->command[r->answered];
        struct reply *into = is_wanted(c) ? replies++ : c->kind == TIME ? &time : NULL;
        if (c->kind == LEFT_OUT)
            continue;
        if (conn_read(&r->conn, into, deadline_ms, err) < 0)
            return -1;
        if (c->kind == TIME)
            server_told_time(r->conn.server, sent_ms, &time);
        else if (c->kind == PART)
            note_refusal(r, &refusal);
        else if (c->kind == EXEC)
            settle(into, &refusal);
        else if (!into && drop_reply(r, c, err) < 0)
            return -1;
    }
    return 0;
}

/* A database that this connection has not used yet is tried first, in a round trip of its own: were its SELECT
 * refused in the middle of the pipeline, the commands behind it would run in another one. */
static int know_dbs(struct redis *r, struct err *err)
{
    for (size_t i = r->sent; i < r->count; i++) {
        if (r->command[i].kind != SELECT || conn_knows_db(&r->conn, r->command[i].db))
            continue;
        if (read_replies(r, NULL, err) < 0 || conn_know_db(&r->conn, r->command[i].db, err) < 0)
            return -1;
    }
    return 0;
}

static int try_to_send(struct redis *r, int wait_ms, struct err *err)
{
    struct command *first;
    bool fresh;
    bool leave_out;
    size_t from;
    int rc;

    if (conn_ready(&r->conn, r->answered < r->sent, &fresh, err) < 0)
        return -1;
    if (fresh)
        r->answered = r->sent;
    conn_set_wait(&r->conn, r->conn.server->command_ms + wait_ms);
    if (know_dbs(r, err) < 0)
        return -1;
    first = &r->command[r->sent];
    leave_out = first->db == r->conn.wire_db;
    from = first->offset + (leave_out ? first->len : 0);
    rc = conn_send(&r->conn, (struct span){ r->out.s + from, r->out.len - from }, err);
    if (rc != 0)
        return rc;
    if (leave_out)
        first->kind = LEFT_OUT;
    r->sent = r->count;
    r->conn.wire_db = r->command[r->count - 1].db;
    return 0;
}

/* Send what is queued. When the server had closed before a byte went out, nothing can have run twice: once more. */
static int transmit(struct redis *r, int wait_ms, struct err *err)
{
    struct err local = ERR_INIT;
    int rc = 1;

    if (r->sent == r->count)
        return 0;
    for (int tries = 0; rc > 0 && tries < 2; tries++)
        rc = try_to_send(r, wait_ms, &local);
    if (rc != 0 && err)
        *err = local;
    return rc == 0 ? 0 : -1;
}

/* --- scripts that the server does not know --- */

/* Load the script and run its command again, in its database. The reply is that of the command, or why the script
 * cannot be loaded. */
static int run_again(struct redis *r, const struct command *c, struct reply *reply, struct err *err)
{
    struct conn *conn = &r->conn;
    struct reply *got = parse_room(conn->parse, 3);
    const struct span load[] = { SPAN("SCRIPT"), SPAN("LOAD"), { c->script->body, c->script->body_len } };

    str_reset(&conn->hello);
    wire_addf(&conn->hello, &conn->scratch, "SELECT %d", c->db);
    wire_add(&conn->hello, 3, load);
    str_add(&conn->hello, r->out.s + c->offset, c->len);
    if (conn_ask(conn, (struct span){ conn->hello.s, conn->hello.len }, got, 3, err) < 0)
        return -1;
    conn->wire_db = c->db;
    *reply = got[1].type == REPLY_ERROR ? got[1] : got[2];
    if (reply_is_error(reply, "NOSCRIPT"))
        return err_set(err, ERR_FAILED, "Redis does not keep the script %s.lua: is its SHA-1 right?", c->script->name);
    return 0;
}

/* An error inside a script names a number only; say which file that is. */
static void name_script(struct redis *r, const struct script *script, struct reply *reply)
{
    if (!memmem(reply->text.s, reply->text.len, "user_script", strlen("user_script")))
        return;
    str_reset(&r->scratch);
    str_add_span(&r->scratch, reply->text);
    str_addf(&r->scratch, " (in %s.lua)", script->name);
    reply->text = parse_copy(r->conn.parse, r->scratch.s, r->scratch.len);
}

static int care_for_scripts(struct redis *r, struct reply *replies, struct err *err)
{
    for (size_t i = 0, n = 0; i < r->count; i++) {
        const struct command *c = &r->command[i];
        if (!is_wanted(c))
            continue;
        struct reply *reply = &replies[n++];
        if (!c->script || reply->type != REPLY_ERROR)
            continue;
        if (reply_is_error(reply, "NOSCRIPT")) {
            if (run_again(r, c, reply, err) < 0)
                return -1;
            reply->late = true;
        }
        if (reply->type == REPLY_ERROR)
            name_script(r, c->script, reply);
    }
    return 0;
}

/* --- exchanges --- */

/* An answer that the server cannot work now fails the exchange. */
static int check_away(const struct reply *replies, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (replies[i].type == REPLY_ERROR && reply_error_kind(replies[i].text) == ERR_AWAY)
            return redis_reply_ok(&replies[i], err);
    return 0;
}

static int exchange(struct redis *r, int wait_ms, struct reply *replies, struct err *err)
{
    if (transmit(r, wait_ms, err) < 0 || read_replies(r, replies, err) < 0)
        return -1;
    r->conn.used_ms = clock_mono_ms();
    if (care_for_scripts(r, replies, err) < 0)
        return -1;
    return check_away(replies, r->wanted, err);
}

int redis_exchange_blocking(struct redis *r, int wait_ms, const struct reply **replies, size_t *count, struct err *err)
{
    struct reply *room;
    int rc;

    if (wait_ms == 0)
        ask_time(r);
    parse_forget(r->conn.parse);
    room = parse_room(r->conn.parse, r->wanted);
    rc = exchange(r, wait_ms, room, err);
    *replies = rc == 0 ? room : NULL;
    *count = rc == 0 ? r->wanted : 0;
    clear_queue(r);
    return rc;
}

int redis_exchange(struct redis *r, const struct reply **replies, size_t *count, struct err *err)
{
    return redis_exchange_blocking(r, 0, replies, count, err);
}

const struct reply *redis_do(struct redis *r, struct err *err, const char *fmt, ...)
{
    const struct reply *replies;
    size_t count;
    va_list ap;

    va_start(ap, fmt);
    queue_format(r, WANTED, fmt, ap);
    va_end(ap);
    if (redis_exchange(r, &replies, &count, err) < 0 || redis_reply_ok(&replies[count - 1], err) < 0)
        return NULL;
    return &replies[count - 1];
}

/* Take the replies to posted commands that have come, so that they do not pile up. */
static void drop_owed(struct redis *r)
{
    int rc = 1;

    while (rc > 0 && r->answered < r->sent) {
        if (r->command[r->answered].kind != LEFT_OUT)
            rc = conn_try_read(&r->conn, NULL, NULL);
        if (rc > 0 && r->command[r->answered].kind != LEFT_OUT)
            rc = drop_reply(r, &r->command[r->answered], NULL) == 0 ? 1 : -1;
        r->answered += rc > 0;
    }
    if (rc < 0)
        r->answered = r->sent;
    forget_answered(r);
}

void redis_flush(struct redis *r)
{
    struct err err = ERR_INIT;

    if (r->wanted > 0 || r->sent == r->count)
        return;
    drop_owed(r);
    if (transmit(r, 0, &err) < 0) {
        log_debug("redis: commands without a waiter were not sent: %s", err.text);
        clear_queue(r);
    }
}
