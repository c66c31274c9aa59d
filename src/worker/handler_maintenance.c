/* handler_maintenance.c: the maintenance handler: what core's table of maintenance has under the type's name, piece by piece */
#include "core/job_type.h"
#include "core/maintenance.h"
#include "worker/handler.h"
#include "core/pool.h"

struct call {
    const struct maintenance *what; /* NULL: there is none of that name */
    struct pool *pool;
    call_done done;
    void *ctx;
    bool cancelled;
    int result;
    int64_t count;
    struct err err;
};

static void work(struct app *app, void *ctx)
{
    struct call *call = ctx;
    call->result = call->what ? call->what->run(app, &call->count, &call->err) : 0;
}

static void finish(struct call *call, const struct call_result *result)
{
    call->done(call->ctx, result);
    free(call);
}

/* Between two pieces others get the thread, and a cancelled call ends. Doing a piece again is harmless. */
static void worked(void *ctx)
{
    struct call *call = ctx;
    char answer[96];
    if (call->cancelled) {
        finish(call, &(struct call_result){ .end = CALL_CANCELLED, .detail = "The call was cancelled." });
    } else if (call->result > 0) {
        pool_run(call->pool, work, worked, call);
    } else if (call->result < 0) {
        finish(call, &(struct call_result){ .end = CALL_BROKEN, .detail = call->err.text });
    } else if (!call->what) {
        finish(call, &(struct call_result){ .end = CALL_ANSWERED,
                                            .answer = SPAN("{\"status\":\"error\",\"code\":\"unknown_maintenance\","
                                                           "\"message\":\"No maintenance has this name.\",\"retryable\":false}"),
                                            .detail = "" });
    } else {
        int len = snprintf(answer, sizeof answer, "{\"status\":\"success\",\"data\":{\"%s\":%lld}}", call->what->counted, (long long)call->count);
        finish(call, &(struct call_result){ .end = CALL_ANSWERED, .answer = { answer, (size_t)len }, .detail = "" });
    }
}

static void *start(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    struct call *call = xcalloc(1, sizeof *call);
    *call = (struct call){ .what = order->type ? maintenance_find(order->type->name) : NULL, .pool = shop->pool, .done = done, .ctx = ctx };
    pool_run(shop->pool, work, worked, call);
    return call;
}

/* A thread has it in its hands: done comes when that is back. */
static void cancel(void *handle)
{
    ((struct call *)handle)->cancelled = true;
}

const struct handler handler_maintenance = {
    .name = "maintenance",
    .needs = "A job type whose name stands in the table of maintenance; its payload is not looked at.",
    .promises = "Success with a count. Any number of them may run at once, and again.",
    .start = start,
    .cancel = cancel,
};
