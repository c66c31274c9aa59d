/* stream.c: one visitor's stream of events
 *
 *   ASKING ---> STREAMING ---> ENDING      ASKING: a thread asks Redis whether they may (admit.h)
 *      |                         ^         STREAMING: its viewer is in the hub
 *      +------> REFUSED ---------+         ENDING: all is written; closed as soon as that is on its way
 *
 * Whoever goes away may do so in any of them. */
#include "push/stream.h"

#include "base/clock.h"
#include "base/cookie.h"
#include "base/log.h"
#include "base/rnd.h"
#include "core/keys.h"
#include "push/admit.h"
#include "push/refusal.h"
#include "push/sse.h"

#include <sys/epoll.h>

enum { PING_MS = 15000, RETRY_MS = 1000, RETRY_JITTER_MS = 2000, CHECK_MS = 2000, CHECK_BATCH = 128, PATH_MAX_BYTES = 256, HEADER_MAX = 8192, PARTINGS_AT_ONCE = 64 };

#define PATH_BEFORE "/api/local-requests/"
#define PATH_AFTER "/events"

enum state { ASKING, REFUSED, STREAMING, ENDING };

struct stream {
    struct lws *wsi; /* NULL: the connection is gone */
    int fd;          /* its socket; closed by libwebsockets some time after it is gone */
    struct push *push;
    struct viewer viewer;
    enum state state;
    bool headed;     /* the head of the answer is written */
    bool ping;       /* is to be written */
    unsigned holds;  /* pieces of work that still look at it */
    int64_t pinged_ms;
    struct str answer; /* REFUSED */
    struct stream *next, **back;
    char token[SESSION_TOKEN_LEN + 1];
};

/* --- life --- */

static void put_last(struct push *p, struct stream *s)
{
    s->next = NULL;
    s->back = p->last;
    *p->last = s;
    p->last = &s->next;
}

static void take_out(struct push *p, struct stream *s)
{
    *s->back = s->next;
    if (s->next)
        s->next->back = s->back;
    else
        p->last = s->back;
}

static void free_unused(struct stream *s)
{
    if (s->wsi || s->holds > 0)
        return;
    str_free(&s->answer);
    free(s);
}

static struct stream *stream_new(struct push *p, struct lws *wsi)
{
    struct stream *s = xcalloc(1, sizeof *s);
    struct epoll_event watch = { .events = EPOLLIN, .data.ptr = s };
    s->push = p;
    s->wsi = wsi;
    s->fd = lws_get_socket_fd(wsi);
    epoll_ctl(p->partings, EPOLL_CTL_ADD, s->fd, &watch);
    s->pinged_ms = clock_mono_ms();
    put_last(p, s);
    lws_set_opaque_user_data(wsi, s);
    return s;
}

static void gone(struct lws *wsi)
{
    struct stream *s = lws_get_opaque_user_data(wsi);
    if (!s)
        return;
    lws_set_opaque_user_data(wsi, NULL);
    epoll_ctl(s->push->partings, EPOLL_CTL_DEL, s->fd, NULL);
    s->wsi = NULL;
    take_out(s->push, s);
    hub_leave(s->push->hub, &s->viewer);
    free_unused(s);
}

/* From outside of a callback. Frees it, unless it is held; or libwebsockets has some bytes left to write, which it tries for five seconds. */
static void close_now(struct stream *s)
{
    epoll_ctl(s->push->partings, EPOLL_CTL_DEL, s->fd, NULL);
    hub_leave(s->push->hub, &s->viewer);
    s->state = ENDING;
    s->ping = false;
    lws_set_timeout(s->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* While an answer is under way libwebsockets 4.1 reads nothing, so that it neither sees the end of a connection nor sleeps any more when it
 * has come. Nothing but the end is to come: whatever does closes it. */
void stream_part(struct push *p)
{
    struct epoll_event ready[PARTINGS_AT_ONCE];
    int count = epoll_wait(p->partings, ready, PARTINGS_AT_ONCE, 0);
    for (int i = 0; i < count; i++)
        close_now(ready[i].data.ptr);
}

static void let_go(struct stream *s)
{
    s->holds--;
    free_unused(s);
}

/* --- writing --- */

/* One call of libwebsockets a time; what the socket does not take it keeps, and asks for no more until that is gone. 0 or -1. */
static int send_out(struct stream *s)
{
    struct str *out = &s->push->out;
    size_t len = out->len - LWS_PRE;
    return len == 0 || lws_write(s->wsi, (unsigned char *)out->s + LWS_PRE, len, LWS_WRITE_HTTP) == (int)len ? 0 : -1;
}

static struct str *begin_out(struct push *p)
{
    static const char room[LWS_PRE];
    str_reset(&p->out);
    str_add(&p->out, room, sizeof room);
    return &p->out;
}

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
    } else if (s->ping) {
        sse_add_ping(out);
        s->ping = false;
    }
}

static int write_stream(struct stream *s)
{
    add_next(s, begin_out(s->push));
    if (send_out(s) < 0)
        return -1;
    if (s->viewer.over && s->viewer.count == 0)
        s->state = ENDING;
    if (s->state == ENDING || s->viewer.count > 0 || s->ping)
        lws_callback_on_writable(s->wsi);
    return 0;
}

static int write_answer(struct stream *s)
{
    str_add(begin_out(s->push), s->answer.s, s->answer.len);
    if (send_out(s) < 0)
        return -1;
    s->state = ENDING;
    lws_callback_on_writable(s->wsi);
    return 0;
}

/* 0; -1 closes the connection. */
static int write_next(struct stream *s)
{
    if (!s)
        return -1;
    switch (s->state) {
    case REFUSED:
        return write_answer(s);
    case STREAMING:
        return write_stream(s);
    case ENDING:
        return -1;
    default:
        return 0;
    }
}

void stream_wake(void *ctx, struct viewer *v)
{
    struct stream *s = (struct stream *)((char *)v - offsetof(struct stream, viewer));
    (void)ctx;
    if (s->wsi)
        lws_callback_on_writable(s->wsi);
}

/* --- letting in --- */

/* On its way to a thread and back. */
struct asking {
    struct stream *stream;
    struct admit admit;
    const struct locale *locale;
    char path[PATH_MAX_BYTES];
};

static void ask(struct app *app, void *ctx)
{
    struct asking *a = ctx;
    admit_enter(app, &a->admit);
}

static void refuse(struct stream *s, enum refusal why, const struct asking *a)
{
    refusal_add(&s->answer, why, a->locale, span_of(a->path), why == REFUSE_TOO_MANY ? &a->admit.verdict : NULL);
    s->state = REFUSED;
}

static enum refusal why_not(const struct asking *a)
{
    const struct err *err = &a->admit.views.err;
    if (a->admit.too_often)
        return REFUSE_TOO_MANY;
    if (a->admit.views.found == 1 || a->admit.views.found == 0)
        return REFUSE_NOT_FOUND;
    if (refusal_of(err) == REFUSE_INTERNAL)
        log_error("A stream could not be opened: %s", err->text);
    return refusal_of(err);
}

/* It begins with what was read when it was let in; what has happened since comes with the first look of the feed. */
static void open_stream(struct stream *s, struct asking *a)
{
    struct views *views = &a->admit.views;
    struct push *p = s->push;
    s->state = STREAMING;
    memcpy(s->token, a->admit.token, sizeof s->token);
    s->viewer.language = a->locale;
    s->viewer.seen = views->count > 0 ? views->event[0]->revision - 1 : views->revision;
    hub_offer(p->hub, &s->viewer, views->event, views->count);
    if (!s->viewer.over && !hub_join(p->hub, views->hash, &s->viewer))
        feed_catch_up(p->feed, s->viewer.topic);
}

static void admitted(void *ctx)
{
    struct asking *a = ctx;
    struct stream *s = a->stream;
    const struct views *views = &a->admit.views;
    if (s->wsi && a->admit.may && views->count == 0 && request_is_final(views->status)) {
        sse_add_no_more(&s->answer);
        s->state = REFUSED;
    } else if (s->wsi && a->admit.may) {
        open_stream(s, a);
    } else if (s->wsi) {
        refuse(s, why_not(a), a);
    }
    if (s->wsi)
        lws_callback_on_writable(s->wsi);
    let_go(s);
    admit_clear(&a->admit);
    free(a);
}

/* --- what was asked --- */

/* A header that libwebsockets knows, into out of `size` bytes: absent, or too long, is "". */
static struct span header(struct lws *wsi, enum lws_token_indexes token, char *out, int size)
{
    int len = lws_hdr_total_length(wsi, token) < size ? lws_hdr_copy(wsi, out, size, token) : 0;
    out[len > 0 ? len : 0] = '\0';
    return (struct span){ out, len > 0 ? (size_t)len : 0 };
}

/* One that it does not know; the name in small letters, with its colon. */
static struct span own_header(struct lws *wsi, const char *name, char *out, int size)
{
    int length = lws_hdr_custom_length(wsi, name, (int)strlen(name));
    int len = length > 0 && length < size ? lws_hdr_custom_copy(wsi, out, size, name, (int)strlen(name)) : 0;
    out[len > 0 ? len : 0] = '\0';
    return (struct span){ out, len > 0 ? (size_t)len : 0 };
}

/* ?lang=, the cookie, Accept-Language, as on every page. */
static const struct locale *choose_locale(struct lws *wsi, const struct locales *locales, struct span cookies)
{
    char text[256];
    const char *asked = lws_get_urlarg_by_name(wsi, "lang=", text, sizeof text);
    const struct locale *locale = asked ? locales_find(locales, span_of(asked)) : NULL;
    if (!locale)
        locale = locales_find(locales, cookie_find(cookies, LOCALE_COOKIE));
    return locale ? locale : locales_accept(locales, header(wsi, WSI_TOKEN_HTTP_ACCEPT_LANGUAGE, text, sizeof text));
}

/* False: the path is not that of a request's events. */
static bool read_path(struct span path, char hash[HASH_SIZE])
{
    const size_t before = sizeof PATH_BEFORE - 1, after = sizeof PATH_AFTER - 1;
    if (path.len != before + HASH_LEN + after || memcmp(path.s, PATH_BEFORE, before) != 0 ||
        memcmp(path.s + before + HASH_LEN, PATH_AFTER, after) != 0 || !keys_is_hash((struct span){ path.s + before, HASH_LEN }))
        return false;
    memcpy(hash, path.s + before, HASH_LEN);
    hash[HASH_LEN] = '\0';
    return true;
}

/* nginx asks with GET whatever the visitor asked with, and says so in a header of its own (nginx/peygir-locations.conf). */
static bool is_get(struct lws *wsi)
{
    char method[16];
    struct span asked = own_header(wsi, "peygir-method:", method, sizeof method);
    return lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0 && (asked.len == 0 || span_is(asked, "GET"));
}

static void read_headers(struct lws *wsi, const struct house *house, struct asking *a)
{
    char *cookies = xmalloc(HEADER_MAX), text[64];
    struct span all = header(wsi, WSI_TOKEN_HTTP_COOKIE, cookies, HEADER_MAX);
    bool https = span_is(own_header(wsi, "x-forwarded-proto:", text, sizeof text), "https");
    struct span session = cookie_find(all, session_cookie_name(https));
    if (session.s)
        a->admit.cookie = xmemdupz(session.s, session.len);
    header(wsi, WSI_TOKEN_X_FORWARDED_FOR, a->admit.address, sizeof a->admit.address);
    a->admit.views.after = sse_last_id(own_header(wsi, "last-event-id:", text, sizeof text));
    a->locale = a->admit.views.language[0] = choose_locale(wsi, house->locales, all);
    a->admit.views.languages = 1;
    a->admit.views.place = true;
    free(cookies);
}

static int begin(struct push *p, struct lws *wsi, struct span path)
{
    struct stream *s = stream_new(p, wsi);
    struct asking *a = xcalloc(1, sizeof *a);
    bool found = read_path(path, a->admit.views.hash);
    a->stream = s;
    snprintf(a->path, sizeof a->path, "%.*s", (int)path.len, path.s);
    read_headers(wsi, p->house, a);
    if (found && is_get(wsi) && !p->stopping) {
        s->holds++;
        pool_run(p->pool, ask, admitted, a);
    } else {
        refuse(s, !found ? REFUSE_NOT_FOUND : p->stopping ? REFUSE_AWAY : REFUSE_METHOD, a);
        lws_callback_on_writable(wsi);
        admit_clear(&a->admit);
        free(a);
    }
    lws_http_mark_sse(wsi); /* its headers are not needed any more, and it may last */
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    return 0;
}

int stream_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return begin(lws_context_user(lws_get_context(wsi)), wsi, (struct span){ in, len });
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return write_next(lws_get_opaque_user_data(wsi));
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_WSI_DESTROY:
        gone(wsi);
        return 0;
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: /* a WebSocket: there is none */
        return -1;
    default:
        return 0;
    }
}

/* --- pings --- */

/* What was to be written 15 s ago and still waits shows that nobody reads. */
void stream_ping(struct push *p)
{
    int64_t now_ms = clock_mono_ms();
    struct stream *s;
    while ((s = p->first) && now_ms - s->pinged_ms >= PING_MS) {
        take_out(p, s);
        put_last(p, s);
        s->pinged_ms = now_ms;
        if (s->ping) {
            close_now(s);
        } else if (s->state == REFUSED || s->state == STREAMING) {
            s->ping = true;
            lws_callback_on_writable(s->wsi);
        }
    }
}

/* --- rights --- */

/* A look at all who look, in batches, one after the other. */
struct round {
    struct push *push;
    struct stream **all; /* held */
    size_t count, room, at, now; /* the batch goes from `at`, `now` of them */
    struct admitted list[CHECK_BATCH];
    int result;
    struct err err;
};

static void add_viewers(void *ctx, struct topic *t)
{
    struct round *r = ctx;
    for (struct viewer *v = t->first; v; v = v->next) {
        struct stream *s = (struct stream *)((char *)v - offsetof(struct stream, viewer));
        if (r->count == r->room) {
            r->room = 2 * r->room + 64;
            r->all = xreallocarray(r->all, r->room, sizeof *r->all);
        }
        s->holds++;
        r->all[r->count++] = s;
    }
}

static void check_batch(struct app *app, void *ctx)
{
    struct round *r = ctx;
    r->result = admit_again(app, r->list, r->now, &r->err);
}

static void checked(void *ctx);

/* The next batch of those who are still there, or the end of the round. */
static void next_batch(struct round *r)
{
    size_t from = r->at;
    for (r->now = 0; from + r->now < r->count && r->now < CHECK_BATCH; r->now++) {
        const struct stream *s = r->all[from + r->now];
        struct admitted *one = &r->list[r->now];
        one->ended = false;
        memcpy(one->token, s->token, sizeof one->token);
        snprintf(one->hash, sizeof one->hash, "%s", s->viewer.topic ? s->viewer.topic->name : "");
    }
    if (r->now > 0 && !r->push->stopping) {
        pool_run(r->push->pool, check_batch, checked, r);
        return;
    }
    for (; r->at < r->count; r->at++)
        let_go(r->all[r->at]);
    r->push->checking = false;
    free(r->all);
    free(r);
}

static void checked(void *ctx)
{
    struct round *r = ctx;
    for (size_t i = 0; i < r->now; i++) {
        struct stream *s = r->all[r->at++];
        if (r->result == 0 && r->list[i].ended && s->wsi && s->viewer.topic)
            hub_cut(r->push->hub, &s->viewer);
        let_go(s);
    }
    next_batch(r);
}

void stream_check(struct push *p)
{
    int64_t now_ms = clock_mono_ms();
    if (p->checking || now_ms - p->checked_ms < CHECK_MS)
        return;
    struct round *r = xcalloc(1, sizeof *r);
    p->checking = true;
    p->checked_ms = now_ms;
    r->push = p;
    hub_each(p->hub, add_viewers, r);
    next_batch(r);
}
