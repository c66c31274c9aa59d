/* views.c: what a request was and is, as events */
#include "push/views.h"

#include "core/view.h"

enum { FEW = 4, ADOPT_TRIES = 4 };

void views_clear(struct views *v)
{
    for (size_t i = 0; i < v->count; i++)
        event_drop(v->event[i]);
    free(v->event);
    v->event = NULL;
    v->count = v->room = 0;
}

/* --- making events --- */

struct making {
    struct views *views;
    const struct service *service;
    struct str text;
};

static void add_event(void *ctx, const struct request *then)
{
    struct making *m = ctx;
    struct views *v = m->views;
    if (v->count + v->languages > v->room) {
        v->room = 2 * v->room + v->languages;
        v->event = xreallocarray(v->event, v->room, sizeof *v->event);
    }
    for (size_t i = 0; i < v->languages; i++) {
        str_reset(&m->text);
        view_add(&m->text, then, m->service, v->language[i]);
        v->event[v->count++] = event_new(v->language[i], then->guard.revision, request_is_final(then->status), (struct span){ m->text.s, m->text.len });
    }
}

/* False: the entries do not reach back to what is known. */
static bool add_since(struct app *app, struct views *v, const struct reply *entries, const struct request *rq, bool whole)
{
    struct making m = { v, request_service(app, rq), STR_INIT };
    int told = v->after == VIEWS_PRESENT ? -1 : history_since(entries, rq, v->after, add_event, &m);
    bool alone = told < 0 && (whole || v->after == VIEWS_PRESENT);
    if (alone)
        add_event(&m, rq);
    str_free(&m.text);
    return told >= 0 || alone;
}

/* --- reading --- */

static void queue(struct app *app, const struct views *v, int entries)
{
    request_queue(app, span_of(v->hash));
    history_queue(app, span_of(v->hash), entries);
    if (v->place)
        request_queue_place(app, span_of(v->hash));
}

void views_queue(struct app *app, const struct views *v)
{
    queue(app, v, HISTORY_KEPT);
}

int views_take(struct app *app, struct views *v, const struct reply replies[], struct request *rq, bool *foreign)
{
    *foreign = false;
    v->found = request_take(app, span_of(v->hash), replies, rq, foreign, &v->err);
    if (v->found == 1 && redis_reply_ok(&replies[REQUEST_REPLIES], &v->err) < 0)
        v->found = -1;
    if (v->found < 1)
        return v->found;
    if (v->place)
        request_take_place(replies + REQUEST_REPLIES + HISTORY_REPLIES, rq);
    v->revision = rq->guard.revision;
    v->status = rq->status;
    return 1;
}

void views_fill(struct app *app, struct views *v, const struct reply replies[], const struct request *rq)
{
    add_since(app, v, replies + REQUEST_REPLIES, rq, true);
}

static void read_alone(struct app *app, struct views *v)
{
    const struct reply *replies;
    struct request rq;
    size_t count;
    bool foreign = true;
    for (int tries = 0; foreign && tries < ADOPT_TRIES; tries++) {
        views_queue(app, v);
        v->found = redis_exchange(app->redis, &replies, &count, &v->err);
        if (v->found < 0 || views_take(app, v, replies, &rq, &foreign) < 1)
            return;
        if (!foreign)
            views_fill(app, v, replies, &rq);
        else if (request_adopt(app, span_of(v->hash), &v->err) < 0)
            v->found = v->err.kind == ERR_NOT_FOUND ? 0 : -1;
        if (v->found < 1)
            return;
    }
    if (foreign)
        v->found = err_set(&v->err, ERR_FULL, "request %s is being rewritten faster than it can be read; try again", v->hash);
}

void views_read(struct app *app, struct views views[], size_t count)
{
    const struct reply *replies, *at;
    struct err err = ERR_INIT;
    size_t total;
    for (size_t i = 0; i < count; i++)
        queue(app, &views[i], FEW);
    int rc = redis_exchange(app->redis, &replies, &total, &err);
    at = rc < 0 ? NULL : replies;
    bool *again = xcalloc(count, sizeof *again);
    for (size_t i = 0; i < count; i++) {
        struct views *v = &views[i];
        struct request rq;
        bool foreign;
        if (rc < 0) {
            v->found = -1;
            v->err = err;
            continue;
        }
        again[i] = views_take(app, v, at, &rq, &foreign) == 1 && (foreign || !add_since(app, v, at + REQUEST_REPLIES, &rq, false));
        at += VIEWS_REPLIES(v);
    }
    for (size_t i = 0; i < count; i++)
        if (again[i]) /* only now, for it takes away what the others borrowed */
            read_alone(app, &views[i]);
    free(again);
}
