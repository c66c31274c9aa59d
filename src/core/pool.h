/* pool.h: core is blocking and the loop never waits: work for Redis runs on libuv's threads, each piece with a
 * connection of its own. Call everything here on the loop's thread. */
#ifndef PEYGIR_POOL_H
#define PEYGIR_POOL_H

#include "core/app.h"

#include <uv.h>

#define POOL_THREADS 6 /* each a connection to Redis; set UV_THREADPOOL_SIZE before the loop's first work */

struct pool;

/* Loop and house are borrowed. Connections are opened when first needed, at most one a thread. Never NULL. */
struct pool *pool_new(uv_loop_t *loop, const struct house *house);
/* Only when nothing runs any more. NULL is harmless. */
void pool_free(struct pool *p);
/* `work` runs on some thread and may block; then `done` runs on the loop. Pieces may overtake each other. */
void pool_run(struct pool *p, void (*work)(struct app *app, void *ctx), void (*done)(void *ctx), void *ctx);
/* Both at once, on this thread: the loop waits. For when nothing else is to be done, because handing over to a thread takes as long as a
 * round trip to Redis. */
void pool_run_here(struct pool *p, void (*work)(struct app *app, void *ctx), void (*done)(void *ctx), void *ctx);
/* Pieces whose `done` has not run yet. */
size_t pool_busy(const struct pool *p);

#endif
