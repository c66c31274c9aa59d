/* socket.c: a WebSocket
 *
 * A subscription:   ASKING ---> WAITING ---> OPEN ---> FREE
 *                      |           |          ^
 *                      +-----------+----------+ (refused, left, over)
 *
 * ASKING: a thread asks Redis whether they may (admit.h); WAITING: let in, but the topic's channel is not heard yet, so that confirming it
 * would promise too much. What a client hears of its own words waits in `words`, what happens in the viewers. */
#include "push/socket.h"

#include "base/clock.h"
#include "base/log.h"
#include "push/refusal.h"
#include "push/ws.h"

enum {
    MESSAGE_MAX = 4096,      /* bytes; 1009 */
    SUBSCRIPTIONS_MAX = 64,
    WORDS_MAX = 256,         /* that a client has not taken yet; 1008 */
    KEEPS = 16,              /* events of one topic that wait for a slow client */
    RATE_BURST = 60, RATE_MS = 100, /* messages: so many at once, then one each 100 ms; 1008 */
    IDLE_S = 30,             /* without a subscription; 1000 */
    GOODBYE_S = 5            /* for the client to close in its turn */
};

enum stage { FREE, ASKING, WAITING, OPEN };

struct subscription {
    struct viewer viewer;
    enum stage stage;
    bool left;                /* ASKING: nobody waits for the answer any more */
    char *topic;              /* as the client calls it */
    char hash[HASH_SIZE];     /* the request on which the right rests; "": the session alone */
    struct subscription *next;
};

struct word {
    struct word *next;
    struct str text;
};

struct socket {
    struct peer peer;
    struct head head;
    struct subscription *first; /* FREE ones are used again */
    size_t count;               /* those that are not FREE */
    struct word *word, **last_word;
    size_t words;
    struct str message;         /* what has come of one */
    int64_t rate_ms;            /* messages are paid up to then */
    char token[SESSION_TOKEN_LEN + 1];
    bool pings;                 /* a ping is to be written */
    bool said_goodbye;          /* the client is to close; what it still sends is read, or it would not get the frame */
    int close_status;           /* not 0: say that and close, when all words are said */
    char close_reason[64];
};

/* --- words to the client --- */

static void close_with(struct socket *s, int status, const char *reason)
{
    if (s->close_status == 0) {
        s->close_status = status;
        snprintf(s->close_reason, sizeof s->close_reason, "%s", reason);
    }
    peer_wake(&s->peer);
}

static struct str *new_word(struct socket *s)
{
    struct word *w = xcalloc(1, sizeof *w);
    str_reset(&w->text);
    *s->last_word = w;
    s->last_word = &w->next;
    if (++s->words > WORDS_MAX)
        close_with(s, LWS_CLOSE_STATUS_POLICY_VIOLATION, "too much waits unread");
    peer_wake(&s->peer);
    return &w->text;
}

static void drop_word(struct socket *s)
{
    struct word *w = s->word;
    s->word = w->next;
    if (!s->word)
        s->last_word = &s->word;
    s->words--;
    str_free(&w->text);
    free(w);
}

static void say(struct socket *s, const char *word, const char *topic)
{
    ws_add_word(new_word(s), word, topic);
}

static void refuse(struct socket *s, const char *topic, enum refusal why, const struct limit_verdict *verdict)
{
    struct str detail = STR_INIT;
    refusal_add_detail(&detail, why, s->head.locale, verdict);
    ws_add_refused(new_word(s), topic, refusal_status(why), (struct span){ detail.s, detail.len });
    str_free(&detail);
}

/* --- subscriptions --- */

static struct subscription *find(struct socket *s, const char *topic)
{
    struct subscription *sub = s->first;
    while (sub && (sub->stage == FREE || sub->left || strcmp(sub->topic, topic) != 0))
        sub = sub->next;
    return sub;
}

static struct subscription *new_subscription(struct socket *s, const char *topic)
{
    struct subscription *sub = s->first;
    while (sub && sub->stage != FREE)
        sub = sub->next;
    if (!sub) {
        sub = xcalloc(1, sizeof *sub);
        sub->next = s->first;
        s->first = sub;
    }
    s->count++;
    sub->stage = ASKING;
    sub->left = false;
    sub->hash[0] = '\0';
    sub->topic = xstrdup(topic);
    sub->viewer = (struct viewer){ .owner = s, .keeps = KEEPS };
    return sub;
}

/* Its memory stays: pieces of work may look at it. */
static void free_subscription(struct socket *s, struct subscription *sub)
{
    hub_leave(s->peer.push->hub, &sub->viewer);
    free(sub->topic);
    sub->topic = NULL;
    sub->stage = FREE;
    if (--s->count == 0)
        peer_timer(&s->peer, IDLE_S);
}

/* On its way to a thread and back. */
struct asking {
    struct socket *socket;
    struct subscription *sub;
    struct admit admit;
};

static void ask(struct app *app, void *ctx)
{
    struct asking *a = ctx;
    admit_enter(app, &a->admit);
}

/* The channel that tells of it. */
static struct key channel_of(const struct house *house, const struct admit *a)
{
    if (a->what == ADMIT_REQUEST)
        return key_updates(span_of(a->views.hash));
    return a->what == ADMIT_TASK ? key_notifications_task(house, span_of(a->task)) : key_notifications_user(house, span_of(a->user_id));
}

static void let_in(struct socket *s, struct subscription *sub, struct admit *a)
{
    struct push *p = s->peer.push;
    struct views *views = &a->views;
    const struct key topic = channel_of(p->house, a);
    bool of_request = a->what == ADMIT_REQUEST;
    memcpy(s->token, a->token, sizeof s->token);
    memcpy(sub->hash, a->hash, sizeof sub->hash);
    sub->stage = of_request ? OPEN : WAITING;
    sub->viewer.language = of_request ? s->head.locale : NULL;
    sub->viewer.seen = -1;
    if (of_request) {
        say(s, "subscribed", sub->topic);
        sub->viewer.seen = views->count > 0 ? views->event[0]->revision - 1 : views->revision;
    }
    hub_offer(p->hub, &sub->viewer, views->event, views->count);
    if (!sub->viewer.over && !hub_join(p->hub, topic.s, &sub->viewer))
        feed_catch_up(p->feed, sub->viewer.topic);
    peer_wake(&s->peer);
}

static void answer(struct socket *s, struct subscription *sub, struct admit *a)
{
    if (a->answer == ADMIT_YES && !sub->left) {
        let_in(s, sub, a);
        return;
    }
    enum refusal why = a->answer == ADMIT_YES ? REFUSE_NOT_FOUND : refusal_of_answer(a);
    if (why == REFUSE_INTERNAL)
        log_error("A topic could not be opened: %s", a->views.err.text);
    if (!sub->left)
        refuse(s, sub->topic, why, why == REFUSE_TOO_MANY ? &a->verdict : NULL);
    free_subscription(s, sub);
}

static void asked(void *ctx)
{
    struct asking *a = ctx;
    if (a->socket->peer.wsi)
        answer(a->socket, a->sub, &a->admit);
    peer_let_go(&a->socket->peer);
    admit_clear(&a->admit);
    free(a);
}

static void subscribe(struct socket *s, const char *topic)
{
    static const enum admit_what what[] = { [WS_REQUEST] = ADMIT_REQUEST, [WS_TASK] = ADMIT_TASK, [WS_NOTIFICATIONS] = ADMIT_NOTIFICATIONS };
    struct span id;
    enum ws_kind kind = ws_kind(topic, &id);
    struct subscription *known = find(s, topic);
    if (known && known->stage == OPEN) /* else the confirmation is to come */
        say(s, "subscribed", topic);
    if (known)
        return;
    if (kind == WS_UNKNOWN || s->count == SUBSCRIPTIONS_MAX) {
        refuse(s, topic, kind == WS_UNKNOWN ? REFUSE_NOT_FOUND : REFUSE_TOPICS, NULL);
        return;
    }
    struct asking *a = xcalloc(1, sizeof *a);
    a->socket = s;
    a->sub = new_subscription(s, topic);
    a->admit.asker = &s->head.asker;
    a->admit.what = what[kind];
    snprintf(a->admit.task, sizeof a->admit.task, "%.*s", (int)id.len, id.s);
    snprintf(a->admit.views.hash, sizeof a->admit.views.hash, "%.*s", kind == WS_REQUEST ? HASH_LEN : 0, id.s);
    a->admit.views.after = VIEWS_PRESENT;
    a->admit.views.language[0] = s->head.locale;
    a->admit.views.languages = 1;
    a->admit.views.place = true;
    peer_timer(&s->peer, 0);
    peer_hold(&s->peer);
    pool_run(s->peer.push->pool, ask, asked, a);
}

static void unsubscribe(struct socket *s, const char *topic)
{
    struct subscription *sub = find(s, topic);
    say(s, "unsubscribed", topic);
    if (sub && sub->stage == ASKING)
        sub->left = true;
    else if (sub)
        free_subscription(s, sub);
}

/* --- messages of the client --- */

static void obey(struct socket *s, const struct ws_message *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->order[i].leave)
            unsubscribe(s, m->order[i].topic);
        else
            subscribe(s, m->order[i].topic);
    if (m->pings)
        ws_add_pong(new_word(s), m->ping);
}

static void read_message(struct socket *s)
{
    struct err err = ERR_INIT;
    struct ws_message m;
    if (ws_read((struct span){ s->message.s ? s->message.s : "", s->message.len }, &m, &err) < 0)
        ws_add_error(new_word(s), err.text);
    else if (s->peer.push->stopping)
        close_with(s, LWS_CLOSE_STATUS_GOINGAWAY, "stopping");
    else
        obey(s, &m);
    ws_clear(&m);
}

/* A bucket of RATE_BURST that lets one go each RATE_MS (GCRA, as core/limit.h). */
static bool too_often(struct socket *s)
{
    int64_t now_ms = clock_mono_ms(), at_ms = s->rate_ms > now_ms ? s->rate_ms : now_ms;
    s->rate_ms = at_ms + RATE_MS;
    return limit_is_on(s->peer.push->house) && at_ms - now_ms > (RATE_BURST - 1) * RATE_MS;
}

int socket_receive(struct peer *c, struct span piece)
{
    struct socket *s = (struct socket *)c;
    if (!s || s->close_status != 0)
        return 0;
    if (lws_frame_is_binary(c->wsi)) {
        close_with(s, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, "messages are text");
    } else if (s->message.len + piece.len > MESSAGE_MAX) {
        close_with(s, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "a message has at most 4096 bytes");
    } else {
        str_add(&s->message, piece.s, piece.len);
        if (!lws_is_final_fragment(c->wsi) || lws_remaining_packet_payload(c->wsi) > 0)
            return 0;
        if (too_often(s))
            close_with(s, LWS_CLOSE_STATUS_POLICY_VIOLATION, "too many messages");
        else
            read_message(s);
    }
    str_free(&s->message);
    return 0;
}

int socket_pong(struct peer *c)
{
    if (c)
        c->ping = false;
    return 0;
}

/* --- writing --- */

/* What has happened to a subscription: the next event, that its channel is heard now, or that it is over. False: nothing. */
static bool add_next(struct socket *s, struct subscription *sub, struct str *out)
{
    struct event *e;
    if (sub->stage == WAITING && sub->viewer.topic && sub->viewer.topic->heard) {
        sub->stage = OPEN;
        ws_add_word(out, "subscribed", sub->topic);
        return true;
    }
    e = sub->stage == OPEN ? hub_take(&sub->viewer) : NULL;
    if (e && sub->viewer.language)
        ws_add_update(out, sub->topic, e->revision, (struct span){ e->text, e->len });
    else if (e)
        ws_add_message(out, sub->topic, (struct span){ e->text, e->len });
    event_drop(e);
    if (!e && sub->stage >= WAITING && sub->viewer.over) {
        ws_add_word(out, "ended", sub->topic);
        free_subscription(s, sub);
        return true;
    }
    return e != NULL;
}

/* Each subscription has its turn: whoever has spoken goes behind the others. */
static bool add_event(struct socket *s, struct str *out)
{
    for (struct subscription **at = &s->first; *at; at = &(*at)->next) {
        struct subscription *sub = *at;
        if (sub->stage == FREE || !add_next(s, sub, out))
            continue;
        *at = sub->next;
        while (*at)
            at = &(*at)->next;
        *at = sub;
        sub->next = NULL;
        return true;
    }
    return false;
}

/* The frame that closes (RFC 6455 5.5.1), byte by byte: whatever a callback of libwebsockets 4.1 returns when it may write, it sends none. */
static int say_goodbye(struct socket *s)
{
    const char head[] = { (char)0x88, (char)(2 + strlen(s->close_reason)), (char)(s->close_status >> 8), (char)s->close_status };
    struct str *out = peer_begin(&s->peer);
    str_add(out, head, sizeof head);
    str_adds(out, s->close_reason);
    s->said_goodbye = true;
    peer_timer(&s->peer, GOODBYE_S);
    return peer_send(&s->peer, LWS_WRITE_RAW);
}

/* A ping of the protocol; whoever has not answered the last one is not there any more. */
static bool ping_socket(struct peer *c)
{
    ((struct socket *)c)->pings = true;
    return true;
}

static int write_ping(struct socket *s)
{
    s->pings = false;
    str_adds(peer_begin(&s->peer), "peygir");
    peer_wake(&s->peer);
    return peer_send(&s->peer, LWS_WRITE_PING);
}

static int write_socket(struct peer *c)
{
    struct socket *s = (struct socket *)c;
    bool more = true;
    if (s->said_goodbye)
        return 0;
    if (s->pings)
        return write_ping(s);
    struct str *out = peer_begin(c);
    if (s->word) {
        str_add(out, s->word->text.s, s->word->text.len);
        drop_word(s);
    } else if (s->close_status != 0) {
        return say_goodbye(s);
    } else {
        more = add_event(s, out);
    }
    if (peer_send(c, LWS_WRITE_TEXT) < 0)
        return -1;
    if (more)
        peer_wake(c);
    return 0;
}

/* --- life --- */

static void right_of_socket(const struct peer *c, const struct viewer *v, struct admitted *out)
{
    const struct subscription *sub = (const struct subscription *)v;
    memcpy(out->token, ((const struct socket *)c)->token, sizeof out->token);
    memcpy(out->hash, sub->hash, sizeof out->hash);
}

static void leave_socket(struct peer *c)
{
    for (struct subscription *sub = ((struct socket *)c)->first; sub; sub = sub->next)
        hub_leave(c->push->hub, &sub->viewer);
}

static void clear_socket(struct peer *c)
{
    struct socket *s = (struct socket *)c;
    while (s->first) {
        struct subscription *sub = s->first;
        s->first = sub->next;
        free(sub->topic);
        free(sub);
    }
    while (s->word)
        drop_word(s);
    str_free(&s->message);
    head_clear(&s->head);
}

static void end_idle(struct peer *c)
{
    if (((struct socket *)c)->said_goodbye)
        c->state = PEER_ENDING;
    close_with((struct socket *)c, LWS_CLOSE_STATUS_NORMAL, "no subscription");
}

static const struct peer_kind kind = {
    .write = write_socket, .ping = ping_socket, .time = end_idle, .right = right_of_socket, .leave = leave_socket, .clear = clear_socket,
};

void socket_begin(const struct arrival *a)
{
    struct socket *s = peer_new(a->push, a->wsi, &kind, sizeof *s);
    s->last_word = &s->word;
    head_read(a->wsi, a->push->house, a->path, &s->head);
}

int socket_open(struct peer *c)
{
    if (c)
        peer_timer(c, IDLE_S);
    return 0;
}
