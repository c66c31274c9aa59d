/* mail.c: a bot waits for a letter
 *
 *   TAKING <---> WAITING       TAKING: a thread looks into the mailbox; WAITING: until the request's channel says something, or time is over
 *
 * It waits in the hub like those who look, so that no thread and no connection to Redis waits with it. A letter that was taken for a bot
 * that has gone meanwhile is put back. */
#include "push/mail.h"

#include "base/address.h"
#include "base/log.h"
#include "core/mailbox.h"
#include "core/options.h"
#include "push/refusal.h"
#include "push/sse.h"

enum { WAIT_S = 25, WAIT_MAX_S = 60 };

struct mail {
    struct peer peer;
    struct viewer viewer;
    struct head head;
    bool taking, again; /* again: something happened while a thread looked */
    bool known;         /* the token is a bot's */
    bool over;          /* its time is: the next look is the last */
    int64_t run, wait_s;
    char hash[HASH_SIZE];
};

static void leave_mail(struct peer *c)
{
    hub_leave(c->push->hub, &((struct mail *)c)->viewer);
}

static void clear_mail(struct peer *c)
{
    head_clear(&((struct mail *)c)->head);
}

/* --- answers --- */

static void answer(struct mail *m)
{
    leave_mail(&m->peer);
    peer_timer(&m->peer, 0);
    peer_answer(&m->peer);
}

static void refuse(struct mail *m, enum refusal why)
{
    refusal_add(&m->peer.answer, why, m->head.locale, span_of(m->head.path), NULL);
    answer(m);
}

static void hand_over(struct mail *m, struct span letter)
{
    str_addf(&m->peer.answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" SSE_DATA_HEADERS "Content-Length: %zu\r\n\r\n", letter.len);
    str_add_span(&m->peer.answer, letter);
    answer(m);
}

static void come_back_later(struct mail *m)
{
    sse_add_no_more(&m->peer.answer);
    answer(m);
}

/* --- looking --- */

/* A look into the mailbox, on its way to a thread and back. */
struct look {
    struct mail *mail;
    bool known;
    enum refusal why;  /* found -1 */
    int found;         /* as mailbox_take */
    struct letter letter;
    struct err err;
};

/* Is it a bot, and one for the request's service? l->why says what is wrong. */
static bool know(struct app *app, struct look *l)
{
    const struct mail *m = l->mail;
    struct request rq;
    struct token token;
    int found = m->head.asker.bearer ? token_check(app, span_of(m->head.asker.bearer), &token, &l->err) : 0;
    l->why = found < 0 ? refusal_of(&l->err) : found == 0 ? REFUSE_UNAUTHORIZED : REFUSE_FORBIDDEN;
    if (found <= 0 || token.role != TOKEN_BOT)
        return false;
    if (!token.services[0])
        return true;
    found = request_read(app, span_of(m->hash), &rq, &l->err);
    l->why = found < 0 ? refusal_of(&l->err) : found == 0 ? REFUSE_NOT_FOUND : REFUSE_SERVICE;
    return found > 0 && token_covers(&token, request_slug(&rq));
}

static void take(struct app *app, void *ctx)
{
    struct look *l = ctx;
    struct mail *m = l->mail;
    l->found = -1;
    l->known = l->known || know(app, l);
    if (!l->known)
        return;
    l->found = mailbox_take(app, span_of(m->hash), m->run, &l->letter, &l->err);
    if (l->found < 0)
        l->why = refusal_of(&l->err);
}

static void put_back(struct app *app, void *ctx)
{
    struct look *l = ctx;
    l->found = mailbox_return(app, span_of(l->mail->hash), &l->letter, &l->err);
}

static void free_look(struct look *l)
{
    peer_let_go(&l->mail->peer);
    str_free(&l->letter.text);
    free(l);
}

static void was_put_back(void *ctx)
{
    struct look *l = ctx;
    if (l->found < 0)
        log_warn("A letter to a bot that had gone could not be put back into the mailbox of %s: %s", l->mail->hash, l->err.text);
    free_look(l);
}

static void look(struct mail *m);

/* Whatever was said before the channel is heard is found by the look that this brings. */
static void wait_on(struct mail *m)
{
    const struct key topic = key_updates(span_of(m->hash));
    struct push *p = m->peer.push;
    if (m->viewer.topic)
        return;
    m->viewer.owner = m;
    m->viewer.seen = INT64_MAX;
    hub_join(p->hub, topic.s, &m->viewer);
    m->again = m->viewer.topic->heard;
}

static void looked(void *ctx)
{
    struct look *l = ctx;
    struct mail *m = l->mail;
    bool there = m->peer.wsi && m->peer.state == PEER_OPEN;
    m->taking = false;
    m->known = l->known;
    if (l->found == 1 && !there) {
        pool_run(m->peer.push->pool, put_back, was_put_back, l);
        return;
    }
    if (there && l->found == 1)
        hand_over(m, (struct span){ l->letter.text.s, l->letter.text.len });
    else if (there && l->found < 0)
        refuse(m, l->why);
    else if (there && (m->over || m->peer.push->stopping))
        come_back_later(m);
    else if (there)
        wait_on(m);
    if (there && m->again)
        look(m);
    free_look(l);
}

static void look(struct mail *m)
{
    if (m->peer.state != PEER_OPEN)
        return;
    m->again = m->taking;
    if (m->taking)
        return;
    struct look *l = xcalloc(1, sizeof *l);
    m->taking = true;
    l->mail = m;
    l->known = m->known;
    peer_hold(&m->peer);
    pool_run(m->peer.push->pool, take, looked, l);
}

static void wake_mail(struct peer *c)
{
    look((struct mail *)c);
}

static void end_wait(struct peer *c)
{
    ((struct mail *)c)->over = true;
    look((struct mail *)c);
}

static const struct peer_kind kind = { .time = end_wait, .wake = wake_mail, .leave = leave_mail, .clear = clear_mail, .silent = true };

/* --- coming --- */

/* Peygir-Run: the run that the call of the worker named; without it, whichever it is. False: it is no number. */
static bool read_run(struct mail *m, struct lws *wsi)
{
    char text[32];
    struct span run = head_own(wsi, "peygir-run:", text, sizeof text);
    m->run = run.len > 0 ? sse_last_id(run) : 0;
    return run.len == 0 || m->run > 0;
}

void mail_begin(const struct arrival *a)
{
    struct mail *m = peer_new(a->push, a->wsi, &kind, sizeof *m);
    const char *from = settings_text(a->push->house->settings, OPT_PEYGIR_INTERNAL_FROM);
    const struct locale *english = locales_find(a->push->house->locales, SPAN("en"));
    head_read(a->wsi, a->push->house, a->path, &m->head);
    if (english) /* as all that programs are told */
        m->head.locale = english;
    memcpy(m->hash, a->hash, sizeof m->hash);
    m->wait_s = head_number(a->wsi, "wait=");
    if (m->wait_s == -1)
        m->wait_s = WAIT_S;
    if (!address_in_list(from, span_of(m->head.asker.address))) {
        refuse(m, REFUSE_NOT_FOUND);
    } else if (m->wait_s < 0 || m->wait_s > WAIT_MAX_S || !read_run(m, a->wsi)) {
        refuse(m, REFUSE_WAIT);
    } else {
        m->over = m->wait_s == 0;
        peer_timer(&m->peer, m->wait_s);
        look(m);
    }
}
