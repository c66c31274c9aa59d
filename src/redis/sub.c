/* sub.c: a subscription connection. DOWN --tick--> CONNECTING --writable--> GREETING --> UP, and back to DOWN on any failure.
 * All channels are subscribed again on each way up. Only tracking makes GREETING more than a moment: a connection that has
 * subscribed takes no other commands, so its id is asked for and tracking begun before. */
#include "redis/sub.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rnd.h"
#include "redis/link.h"
#include "redis/parse.h"
#include "redis/wire.h"

#include <errno.h>
#include <poll.h>
#include <search.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 2000
#define SILENCE_MS 10000    /* then a PING */
#define PING_MS 3000        /* for its answer */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 2000
#define READ_BYTES (64 * 1024)
#define READS_MAX 8         /* in one sub_ready, so that the loop's other work is not starved */

#define INVALIDATE "__redis__:invalidate" /* where Redis tells what it tracks */

enum state { DOWN, CONNECTING, GREETING, UP };

struct channel {
    size_t uses;
    bool subscribed;
    char name[];
};

struct sub {
    struct redisurl url;  /* owned copy */
    char *client_name;
    char *show;
    struct sub_handler handler;
    void (*closing)(void *ctx);
    void *closing_ctx;
    enum state state;
    int fd;
    unsigned attempt;     /* picks among the addresses of a host name */
    int backoff_ms;
    bool complained;      /* one warning for each time it goes down */
    int64_t due_ms;       /* DOWN: connect; CONNECTING: give up; GREETING, UP: PING or give up */
    bool ping_sent;
    struct parse *parse;
    struct reply reply;
    struct str out;       /* bytes to write, from `written` on */
    size_t written;
    struct str scratch;
    void *channels;       /* tsearch tree of struct channel */
    char *buffer;
    char **prefixes;      /* to track; NULL: none */
    size_t prefix_count;
    size_t step;          /* GREETING: which of `steps` is answered next */
    size_t ahead;         /* GREETING: replies that come before that answer */
};

/* --- channels --- */

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct channel *)a)->name, ((const struct channel *)b)->name);
}

static struct channel *new_channel(const char *name, size_t len)
{
    struct channel *c = xcalloc(1, sizeof(*c) + len + 1);

    memcpy(c->name, name, len);
    return c;
}

static struct channel *find(struct sub *s, struct span name)
{
    struct channel *key = new_channel(name.s, name.len);
    struct channel *const *at = tfind(key, &s->channels, compare);

    free(key);
    return at ? *at : NULL;
}

static void say(struct sub *s, const char *verb, const char *channel)
{
    if (s->state == UP)
        wire_addf(&s->out, &s->scratch, "%s %s", verb, channel);
}

bool sub_add(struct sub *s, const char *channel)
{
    struct channel *c = find(s, span_of(channel));

    if (c) {
        c->uses++;
        return c->subscribed;
    }
    c = new_channel(channel, strlen(channel));
    c->uses = 1;
    if (!tsearch(c, &s->channels, compare))
        abort();
    say(s, "SUBSCRIBE", channel);
    return false;
}

void sub_remove(struct sub *s, const char *channel)
{
    struct channel *c = find(s, span_of(channel));

    if (!c || --c->uses > 0)
        return;
    tdelete(c, &s->channels, compare);
    say(s, "UNSUBSCRIBE", channel);
    free(c);
}

static void subscribe_again(const void *node, VISIT visit, void *closure)
{
    struct channel *c = *(struct channel *const *)node;

    if (visit == postorder || visit == leaf) {
        c->subscribed = false;
        say(closure, "SUBSCRIBE", c->name);
    }
}

/* --- the connection --- */

static char *copy(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

struct sub *sub_new(const struct redisurl *url, const char *client_name, struct sub_handler handler)
{
    struct sub *s = xcalloc(1, sizeof(*s));

    s->url = *url;
    s->url.path = copy(url->path);
    s->url.host = copy(url->host);
    s->url.user = copy(url->user);
    s->url.password = copy(url->password);
    s->client_name = copy(client_name);
    s->show = redisurl_show(url);
    s->handler = handler;
    s->fd = -1;
    s->backoff_ms = BACKOFF_FIRST_MS;
    s->due_ms = clock_mono_ms();
    s->parse = parse_new();
    s->buffer = xmalloc(READ_BYTES);
    return s;
}

void sub_free(struct sub *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    tdestroy(s->channels, free);
    parse_free(s->parse);
    redisurl_free(&s->url);
    str_free(&s->out);
    str_free(&s->scratch);
    for (size_t i = 0; i < s->prefix_count; i++)
        free(s->prefixes[i]);
    free(s->prefixes);
    free(s->client_name);
    free(s->show);
    free(s->buffer);
    free(s);
}

/* Closed; the next attempt comes after the back-off, with up to a quarter more so that many processes do not come
 * at once. */
static void go_down(struct sub *s, const char *why)
{
    if (s->fd >= 0) {
        if (s->closing)
            s->closing(s->closing_ctx);
        close(s->fd);
    }
    s->fd = -1;
    s->state = DOWN;
    s->attempt++;
    s->due_ms = clock_mono_ms() + s->backoff_ms + rnd_below((uint32_t)s->backoff_ms / 4 + 1);
    s->backoff_ms = s->backoff_ms * 2 < BACKOFF_LAST_MS ? s->backoff_ms * 2 : BACKOFF_LAST_MS;
    parse_restart(s->parse);
    str_reset(&s->out);
    s->written = 0;
    if (!s->complained)
        log_warn("The subscription to Redis at %s is down and is tried again: %s", s->show, why);
    s->complained = true;
}

static void go_up(struct sub *s)
{
    s->state = UP;
    twalk_r(s->channels, subscribe_again, s);
    wire_addf(&s->out, &s->scratch, "PING");
}

static void greet(struct sub *s)
{
    s->state = GREETING;
    s->ping_sent = true; /* the answers to what follows count as its answer */
    s->due_ms = clock_mono_ms() + PING_MS;
    s->step = s->ahead = 0;
    if (s->url.password && s->url.user)
        wire_addf(&s->out, &s->scratch, "AUTH %s %s", s->url.user, s->url.password);
    else if (s->url.password)
        wire_addf(&s->out, &s->scratch, "AUTH %s", s->url.password);
    if (s->client_name)
        wire_addf(&s->out, &s->scratch, "CLIENT SETNAME %s", s->client_name);
    s->ahead = (size_t)(s->url.password != NULL) + (size_t)(s->client_name != NULL);
    if (s->prefixes)
        wire_addf(&s->out, &s->scratch, "CLIENT ID");
    else
        go_up(s);
}

static void start(struct sub *s)
{
    struct err why = ERR_INIT;
    unsigned addresses;
    bool pending;

    s->fd = link_start(&s->url, s->attempt, &addresses, &pending, &why);
    if (s->fd < 0) {
        go_down(s, why.text);
    } else if (pending) {
        s->state = CONNECTING;
        s->due_ms = clock_mono_ms() + CONNECT_MS;
    } else {
        greet(s);
    }
}

/* --- tracking --- */

/* Redis refuses prefixes of which one begins with another; the shorter one says it all. */
static bool is_covered(const struct sub *s, const char *prefix)
{
    for (size_t i = 0; i < s->prefix_count; i++)
        if (strncmp(prefix, s->prefixes[i], strlen(s->prefixes[i])) == 0)
            return true;
    return false;
}

static void drop_covered_by(struct sub *s, const char *prefix)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->prefix_count; i++)
        if (strncmp(s->prefixes[i], prefix, strlen(prefix)) == 0)
            free(s->prefixes[i]);
        else
            s->prefixes[kept++] = s->prefixes[i];
    s->prefix_count = kept;
}

void sub_track(struct sub *s, const char *const prefixes[], size_t count)
{
    s->prefixes = xcalloc(count ? count : 1, sizeof(*s->prefixes));
    for (size_t i = 0; i < count; i++) {
        if (is_covered(s, prefixes[i]))
            continue;
        drop_covered_by(s, prefixes[i]);
        s->prefixes[s->prefix_count++] = xstrdup(prefixes[i]);
    }
}

static void ask_for_tracking(struct sub *s, const struct reply *id)
{
    char digits[NUMBER_SIZE];
    const struct span head[] = { SPAN("CLIENT"),   SPAN("TRACKING"), SPAN("ON"),
                                 SPAN("REDIRECT"), span_number(digits, reply_int(id, 0)), SPAN("BCAST") };

    wire_begin(&s->out, (int)(ARRAY_LEN(head) + 2 * s->prefix_count));
    wire_add_words(&s->out, ARRAY_LEN(head), head);
    for (size_t i = 0; i < s->prefix_count; i++) {
        const struct span words[] = { SPAN("PREFIX"), span_of(s->prefixes[i]) };
        wire_add_words(&s->out, ARRAY_LEN(words), words);
    }
}

static void ask_for_news(struct sub *s, const struct reply *reply)
{
    (void)reply;
    wire_addf(&s->out, &s->scratch, "SUBSCRIBE %s", INVALIDATE);
}

static void is_tracked(struct sub *s, const struct reply *reply)
{
    (void)reply;
    s->handler.tracked(s->handler.ctx, NULL);
    go_up(s);
}

/* What follows from the answers to CLIENT ID, CLIENT TRACKING and SUBSCRIBE. */
static void (*const steps[])(struct sub *s, const struct reply *reply) = { ask_for_tracking, ask_for_news, is_tracked };

/* A user of Redis who may not track may subscribe all the same. 0, or -1: the connection is of no use. */
static int take_step(struct sub *s, const struct reply *reply)
{
    struct err why = ERR_INIT;

    if (redis_reply_ok(reply, &why) == 0) {
        steps[s->step++](s, reply);
        return 0;
    }
    if (why.kind == ERR_AWAY) {
        go_down(s, why.text);
        return -1;
    }
    s->handler.tracked(s->handler.ctx, why.text);
    go_up(s);
    return 0;
}

/* --- what Redis says --- */

static void take_changes(struct sub *s, const struct reply *keys)
{
    if (keys->type != REPLY_ARRAY)
        s->handler.changed(s->handler.ctx, (struct span){ NULL, 0 });
    for (size_t i = 0; keys->type == REPLY_ARRAY && i < keys->count; i++)
        s->handler.changed(s->handler.ctx, keys->item[i].text);
}

static void take_message(struct sub *s, const struct reply *item)
{
    if (s->prefixes && span_is(item[1].text, INVALIDATE))
        take_changes(s, &item[2]);
    else if (find(s, item[1].text))
        s->handler.message(s->handler.ctx, item[1].text, item[2].text);
}

static void take_subscribe(struct sub *s, const struct reply *item)
{
    struct channel *c = find(s, item[1].text);

    if (!c)
        return;
    c->subscribed = true;
    s->handler.subscribed(s->handler.ctx, item[1].text);
}

static const struct push {
    const char *name;
    void (*take)(struct sub *s, const struct reply *item);
} pushes[] = {
    { "message", take_message },
    { "subscribe", take_subscribe },
};

/* The answer to the PING behind all SUBSCRIBEs: everything before it went well. */
static bool is_pong(const struct reply *reply)
{
    return span_is(reply_text(reply), "PONG") || (reply->count == 2 && span_is(reply->item[0].text, "pong"));
}

/* 0, or -1: the connection is of no use. */
static int take_reply(struct sub *s, const struct reply *reply)
{
    struct err why = ERR_INIT;

    if (s->state == GREETING && s->ahead == 0)
        return take_step(s, reply);
    /* A name that the server does not permit is no reason to do without messages. */
    if (redis_reply_ok(reply, &why) < 0 && memmem(reply->text.s, reply->text.len, "setname", 7) == NULL) {
        go_down(s, why.text);
        return -1;
    }
    if (s->state == GREETING)
        s->ahead--;
    if (is_pong(reply)) {
        s->backoff_ms = BACKOFF_FIRST_MS;
        s->complained = false;
    }
    if (reply->type != REPLY_ARRAY || reply->count != 3 || !reply_text(&reply->item[1]).s)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(pushes); i++)
        if (span_is(reply->item[0].text, pushes[i].name))
            pushes[i].take(s, reply->item);
    return 0;
}

static int take_replies(struct sub *s)
{
    struct err why = ERR_INIT;
    int rc;

    while ((rc = parse_next(s->parse, &s->reply, &why)) > 0) {
        if (take_reply(s, &s->reply) < 0)
            return -1;
        parse_forget(s->parse);
        s->reply = (struct reply){ .type = REPLY_NIL };
    }
    if (rc < 0)
        go_down(s, why.text);
    return rc;
}

static void read_all(struct sub *s)
{
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = recv(s->fd, s->buffer, READ_BYTES, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            go_down(s, n < 0 ? strerror(errno) : "Redis closed the connection");
            return;
        }
        s->ping_sent = false;
        s->due_ms = clock_mono_ms() + SILENCE_MS;
        parse_feed(s->parse, s->buffer, (size_t)n);
        if (take_replies(s) < 0 || n < READ_BYTES)
            return;
    }
}

static void write_all(struct sub *s)
{
    while (s->written < s->out.len) {
        ssize_t n = send(s->fd, s->out.s + s->written, s->out.len - s->written, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            go_down(s, strerror(errno));
            return;
        }
        s->written += (size_t)n;
    }
    str_reset(&s->out);
    s->written = 0;
}

/* --- for the loop --- */

int sub_fd(const struct sub *s)
{
    return s->fd;
}

void sub_on_close(struct sub *s, void (*closing)(void *ctx), void *ctx)
{
    s->closing = closing;
    s->closing_ctx = ctx;
}

short sub_events(const struct sub *s)
{
    if (s->state == DOWN)
        return 0;
    if (s->state == CONNECTING)
        return POLLOUT;
    return (short)(POLLIN | (s->out.len > s->written ? POLLOUT : 0));
}

int sub_timeout_ms(const struct sub *s)
{
    int64_t left_ms = s->due_ms - clock_mono_ms();

    return left_ms > 0 ? (int)left_ms : 0;
}

void sub_ready(struct sub *s, short revents)
{
    struct err why = ERR_INIT;

    if (s->state == CONNECTING && revents) {
        if (link_connected(s->fd, &why) < 0)
            go_down(s, why.text);
        else
            greet(s);
    } else if (s->state >= GREETING && (revents & (POLLIN | POLLERR | POLLHUP))) {
        read_all(s);
    }
    if (s->state >= GREETING && s->out.len > s->written)
        write_all(s);
}

static void tick_up(struct sub *s)
{
    if (s->ping_sent || s->state == GREETING) {
        go_down(s, "Redis did not answer");
        return;
    }
    s->ping_sent = true;
    s->due_ms = clock_mono_ms() + PING_MS;
    wire_addf(&s->out, &s->scratch, "PING");
    write_all(s);
}

void sub_tick(struct sub *s)
{
    if (clock_mono_ms() < s->due_ms)
        return;
    if (s->state == DOWN)
        start(s);
    else if (s->state == CONNECTING)
        go_down(s, "no connection in time");
    else
        tick_up(s);
}
