/* stream.c: a visitor's stream of events: a thread asks Redis whether they may (admit.h); then its viewer is in the hub until the final state */
#include "push/stream.h"

#include "base/log.h"
#include "base/rnd.h"
#include "push/refusal.h"
#include "push/sse.h"

enum { RETRY_MS = 1000, RETRY_JITTER_MS = 2000, AT_ONCE = 16384 /* bytes of one write, about */ };

struct stream {
    struct peer peer;
    struct viewer viewer;
    bool open;       /* let in */
    bool headed;     /* the head of the answer is written */
    char token[SESSION_TOKEN_LEN + 1];
};

/* --- writing --- */

/* The next thing to say. */
static void add_next(struct stream *s, struct str *out)
{
    struct event *e = NULL;
    if (!s->headed) {
        sse_add_head(out, RETRY_MS + (int)rnd_below(RETRY_JITTER_MS));
        s->headed = true;
        return;
    }
    e = hub_take(&s->viewer);
    if (e) {
        sse_add_update(out, e->revision, (struct span){ e->text, e->len });
        event_drop(e);
    } else if (s->peer.ping) {
        sse_add_ping(out);
        s->peer.ping = false;
    }
}

static int write_stream(struct peer *c)
{
    struct stream *s = (struct stream *)c;
    if (!s->open)
        return 0;
    struct str *out = peer_begin(c);
    do
        add_next(s, out);
    while (s->viewer.count > 0 && out->len < AT_ONCE);
    if (peer_send(c, LWS_WRITE_HTTP) < 0)
        return -1;
    if (s->viewer.over && s->viewer.count == 0)
        c->state = PEER_ENDING;
    if (c->state == PEER_ENDING || s->viewer.count > 0 || c->ping)
        peer_wake(c);
    return 0;
}

static bool ping_stream(struct peer *c)
{
    return ((struct stream *)c)->open;
}

static void right_of_stream(const struct peer *c, const struct viewer *v, struct admitted *out)
{
    memcpy(out->token, ((const struct stream *)c)->token, sizeof out->token);
    snprintf(out->hash, sizeof out->hash, "%s", v->topic ? feed_hash(v->topic) : "");
}

static void leave_stream(struct peer *c)
{
    hub_leave(c->push->hub, &((struct stream *)c)->viewer);
}

static const struct peer_kind kind = {
    .write = write_stream, .ping = ping_stream, .right = right_of_stream, .leave = leave_stream, .silent = true,
};

/* --- letting in --- */

/* On its way to a thread and back. */
struct asking {
    struct stream *stream;
    struct admit admit;
    struct head head;
};

static void ask(struct app *app, void *ctx)
{
    struct asking *a = ctx;
    admit_enter(app, &a->admit);
}

static void free_asking(struct asking *a)
{
    admit_clear(&a->admit);
    head_clear(&a->head);
    free(a);
}

static void refuse(struct asking *a)
{
    enum refusal why = refusal_of_answer(&a->admit);
    if (why == REFUSE_INTERNAL)
        log_error("A stream could not be opened: %s", a->admit.views.err.text);
    refusal_add(&a->stream->peer.answer, why, a->head.locale, span_of(a->head.path), why == REFUSE_TOO_MANY ? &a->admit.verdict : NULL);
}

/* It begins with what was read when it was let in; what has happened since comes with the first look of the feed. */
static void open_stream(struct stream *s, struct asking *a)
{
    struct views *views = &a->admit.views;
    struct push *p = s->peer.push;
    const struct key topic = key_updates(span_of(views->hash));
    s->open = true;
    memcpy(s->token, a->admit.token, sizeof s->token);
    s->viewer.owner = s;
    s->viewer.language = a->head.locale;
    s->viewer.seen = views->count > 0 ? views->event[0]->revision - 1 : views->revision;
    hub_offer(p->hub, &s->viewer, views->event, views->count);
    if (!s->viewer.over && !hub_join(p->hub, topic.s, &s->viewer))
        feed_catch_up(p->feed, s->viewer.topic);
    peer_wake(&s->peer);
}

static void admitted(void *ctx)
{
    struct asking *a = ctx;
    struct stream *s = a->stream;
    const struct views *views = &a->admit.views;
    bool there = s->peer.wsi && s->peer.state == PEER_OPEN, may = a->admit.answer == ADMIT_YES;
    if (there && may && (views->count > 0 || !request_is_final(views->status))) {
        open_stream(s, a);
    } else if (there) {
        if (may)
            sse_add_no_more(&s->peer.answer);
        else
            refuse(a);
        peer_answer(&s->peer);
    }
    peer_let_go(&s->peer);
    free_asking(a);
}

void stream_begin(const struct arrival *arrival)
{
    struct stream *s = peer_new(arrival->push, arrival->wsi, &kind, sizeof *s);
    struct asking *a = xcalloc(1, sizeof *a);
    struct views *views = &a->admit.views;
    a->stream = s;
    head_read(arrival->wsi, arrival->push->house, arrival->path, &a->head);
    a->admit.asker = &a->head.asker;
    snprintf(views->hash, sizeof views->hash, "%s", arrival->hash);
    views->after = a->head.last_id;
    views->language[0] = a->head.locale;
    views->languages = 1;
    views->place = true;
    peer_hold(&s->peer);
    pool_run(arrival->push->pool, ask, admitted, a);
}
