/* handler_none.c: the none handler: does nothing and succeeds
 *
 * `done` may not be called from within start, and a handle of libuv for each call would cost more than all the rest of
 * it. So calls go into batches. A batch is closed as soon as it is made, and libuv says that it is closed at the end of
 * the loop's present turn: that is when its calls are told. */
#include "worker/handler.h"

enum { BATCH_CALLS = 64 };

struct call {
    call_done done;
    void *ctx;
    enum call_end end;
};

struct batch {
    uv_idle_t handle; /* first, so that a handle is its batch; never started */
    size_t count;
    struct call calls[BATCH_CALLS];
};

/* The one that still takes calls. On the loop's thread only, as everything here. */
static struct batch *present;

static void tell(uv_handle_t *handle)
{
    struct batch *batch = (struct batch *)handle;
    if (present == batch)
        present = NULL; /* what starts from here on waits for the next turn */
    for (size_t i = 0; i < batch->count; i++) {
        struct call *call = &batch->calls[i];
        struct call_result result = { .end = call->end, .detail = "" };
        if (call->end == CALL_ANSWERED)
            result.answer = SPAN("{\"status\":\"success\"}");
        else
            result.detail = "The call was cancelled.";
        call->done(call->ctx, &result);
    }
    free(batch);
}

static struct batch *new_batch(uv_loop_t *loop)
{
    struct batch *batch = xmalloc(sizeof *batch);
    batch->count = 0;
    uv_idle_init(loop, &batch->handle);
    uv_close((uv_handle_t *)&batch->handle, tell);
    return batch;
}

static void *start(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    (void)order;
    if (!present || present->count == BATCH_CALLS || present->handle.loop != shop->loop)
        present = new_batch(shop->loop);
    struct call *call = &present->calls[present->count++];
    *call = (struct call){ done, ctx, CALL_ANSWERED };
    return call;
}

static void cancel(void *handle)
{
    ((struct call *)handle)->end = CALL_CANCELLED;
}

const struct handler handler_none = {
    .name = "none",
    .needs = "Nothing.",
    .promises = "Success, within the same turn of the loop.",
    .start = start,
    .cancel = cancel,
};
