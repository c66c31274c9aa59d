/* pool.c: work for Redis on libuv's threads */
#include "core/pool.h"

#include <pthread.h>

/* Threads of libuv's pool belong to the process, so connections are not theirs: each piece of work takes one from
 * the shelf, the most recently used first, and puts it back. */
struct shelved {
    struct app app;
    struct shelved *next;
};

struct pool {
    uv_loop_t *loop;
    const struct house *house;
    size_t busy; /* loop's thread only */
    pthread_mutex_t lock;
    struct shelved *shelf;
};

struct piece {
    uv_work_t work;
    struct pool *pool;
    void (*run)(struct app *app, void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

struct pool *pool_new(uv_loop_t *loop, const struct house *house)
{
    struct pool *p = xcalloc(1, sizeof *p);
    p->loop = loop;
    p->house = house;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    while (p->shelf) {
        struct shelved *s = p->shelf;
        p->shelf = s->next;
        app_close(&s->app);
        free(s);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct shelved *take_app(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    struct shelved *s = p->shelf;
    if (s)
        p->shelf = s->next;
    pthread_mutex_unlock(&p->lock);
    if (!s) {
        s = xcalloc(1, sizeof *s);
        app_open(&s->app, p->house);
    }
    return s;
}

static void put_app(struct pool *p, struct shelved *s)
{
    pthread_mutex_lock(&p->lock);
    s->next = p->shelf;
    p->shelf = s;
    pthread_mutex_unlock(&p->lock);
}

static void work(uv_work_t *w)
{
    struct piece *piece = w->data;
    struct shelved *s = take_app(piece->pool);
    piece->run(&s->app, piece->ctx);
    put_app(piece->pool, s);
}

static void worked(uv_work_t *w, int status)
{
    struct piece *piece = w->data;
    (void)status; /* nothing here cancels work */
    piece->pool->busy--;
    piece->done(piece->ctx);
    free(piece);
}

void pool_run(struct pool *p, void (*run)(struct app *app, void *ctx), void (*done)(void *ctx), void *ctx)
{
    struct piece *piece = xmalloc(sizeof *piece);
    *piece = (struct piece){ .pool = p, .run = run, .done = done, .ctx = ctx };
    piece->work.data = piece;
    p->busy++;
    uv_queue_work(p->loop, &piece->work, work, worked);
}

void pool_run_here(struct pool *p, void (*run)(struct app *app, void *ctx), void (*done)(void *ctx), void *ctx)
{
    struct shelved *s = take_app(p);
    run(&s->app, ctx);
    put_app(p, s);
    done(ctx);
}

size_t pool_busy(const struct pool *p)
{
    return p->busy;
}
