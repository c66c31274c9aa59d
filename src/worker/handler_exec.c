/* handler_exec.c: the exec handler: a local program for each call, in a process group of its own (contract 6)
 *
 * It is given one line of JSON on stdin, then the end of it. On stdout it may write lines of at most 64 KiB:
 *   {"progress": 0-100, "message": "..."}            either of the two
 *   {"result": ...}                                  the last one counts
 *   {"error": {"code", "message", "retryable"}}      the last one counts, whatever else is said
 * What it writes to stderr goes to the log.
 *
 *   start --> RUNNING --------- it ends ---------> SETTLING --------> OVER: what is left of its group is killed,
 *                |                                    ^                     handles close, then `done`
 *                +-- cancel: TERM ----- it ends ------+
 *                |   KILL after PATIENCE_MS           |
 *                +-- too much output: KILL - it ends -+
 *
 * In SETTLING there may be others: processes that it started. What they and it have written is read until nobody
 * holds its pipes, for SETTLE_MS at most. After a cancel they get what is left of PATIENCE_MS to tidy up while they
 * hold the pipes, else SETTLE_MS. A process that has left the group is let go.
 *
 * A worker that is killed cannot end its programs: its warden does. */
#include "core/job_type.h"
#include "worker/exec_part.h"
#include "worker/warden.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* libuv asks for a buffer and fills it at once, all on the loop's thread: one is enough. */
static char buffer[READ_BYTES];

/* --- the end --- */

static void free_call(struct exec_call *call)
{
    str_free(&call->out.line);
    str_free(&call->log.line);
    str_free(&call->body);
    str_free(&call->result);
    str_free(&call->error);
    free(call->job_id);
    free(call);
}

void exec_decide(struct exec_call *call, enum call_end end, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(call->detail, sizeof call->detail, fmt, ap);
    va_end(ap);
    call->end = end;
}

static void report(struct exec_call *call)
{
    struct str answer = STR_INIT;
    struct call_result result;
    bool heard = call->end == CALL_ANSWERED;
    if (heard && call->error.len == 0 && call->signal != 0)
        exec_decide(call, CALL_BROKEN, "The program was ended by signal %d.", call->signal);
    else if (heard && call->error.len == 0 && call->status != 0)
        exec_decide(call, CALL_BROKEN, "The program ended with status %lld.", (long long)call->status);
    if (call->end == CALL_ANSWERED)
        exec_words_answer(call, &answer);
    result = (struct call_result){ .end = call->end, .answer = { answer.s, answer.len }, .detail = call->detail };
    call->done(call->ctx, &result);
    str_free(&answer);
    free_call(call);
}

static void closed(uv_handle_t *handle)
{
    struct exec_call *call = handle->data;
    if (--call->handles == 0)
        report(call);
}

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, closed);
}

static void signal_group(const struct exec_call *call, int number)
{
    if (call->group > 1)
        kill(-call->group, number);
}

/* While anybody is in the group its number is nobody else's. */
static bool is_group_gone(const struct exec_call *call)
{
    return call->group == 0 || (kill(-call->group, 0) < 0 && errno == ESRCH);
}

/* The program has ended, or was never started. */
static void finish(struct exec_call *call)
{
    if (call->state == OVER)
        return;
    call->state = OVER;
    signal_group(call, SIGKILL);
    if (call->warded)
        warden_remove(call->warden, call->warded);
    if (call->process.loop)
        close_handle(&call->process);
    close_handle(&call->timer);
    close_handle(&call->input);
    close_handle(&call->out.pipe);
    close_handle(&call->log.pipe);
}

static void time_is_up(uv_timer_t *timer);

static void settle(struct exec_call *call)
{
    bool cancelled = call->end == CALL_CANCELLED, ended = call->out.ended && call->log.ended;
    if (call->state != SETTLING)
        return;
    if (call->killed || (cancelled ? is_group_gone(call) : ended))
        finish(call);
    else if (ended || !cancelled)
        uv_timer_start(&call->timer, time_is_up, SETTLE_MS, 0);
}

static void kill_group(struct exec_call *call)
{
    signal_group(call, SIGKILL);
    call->killed = true;
    settle(call);
}

/* --- what it says --- */

static void hear(struct exec_stream *s, const char *data, size_t len)
{
    struct exec_call *call = s->call;
    if (s == &call->out && call->end == CALL_ANSWERED && (call->said_bytes += len) > OUTPUT_BYTES_MAX) {
        exec_decide(call, CALL_INVALID, "The program wrote more than %d bytes to stdout.", OUTPUT_BYTES_MAX);
        kill_group(call);
    } else {
        exec_words_take(s, data, len);
    }
}

static void lend_buffer(uv_handle_t *handle, size_t wish, uv_buf_t *out)
{
    (void)handle;
    (void)wish;
    *out = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *data)
{
    struct exec_call *call = pipe->data;
    struct exec_stream *s = pipe == (uv_stream_t *)&call->out.pipe ? &call->out : &call->log;
    if (n > 0) {
        hear(s, data->base, (size_t)n);
    } else if (n < 0) {
        uv_read_stop(pipe);
        exec_words_end(s);
        settle(call);
    }
}

/* A loop that was busy for long may look at its clocks before it looks at the pipes. */
static void read_rest(struct exec_stream *s)
{
    uv_os_fd_t fd;
    ssize_t n;
    if (s->ended || uv_fileno((uv_handle_t *)&s->pipe, &fd) < 0)
        return;
    n = read(fd, buffer, sizeof buffer);
    if (n > 0)
        hear(s, buffer, (size_t)n);
    exec_words_end(s);
}

/* --- its end --- */

static void time_is_up(uv_timer_t *timer)
{
    struct exec_call *call = timer->data;
    if (call->state == RUNNING) {
        kill_group(call);
        return;
    }
    read_rest(&call->out);
    read_rest(&call->log);
    finish(call);
}

void exec_ended(uv_process_t *process, int64_t status, int number)
{
    struct exec_call *call = process->data;
    call->state = SETTLING;
    call->status = status;
    call->signal = number;
    if (is_group_gone(call))
        call->group = 0;
    settle(call);
}

/* --- its beginning --- */

/* Also when the program did not want it. */
static void written(uv_write_t *write, int status)
{
    (void)status;
    close_handle(write->handle);
}

/* Line ends in JSON are white space, or it would not be JSON. */
static void copy_body(struct exec_call *call, struct span body)
{
    str_add(&call->body, body.s, body.len);
    for (size_t i = 0; i < call->body.len; i++)
        if (call->body.s[i] == '\n' || call->body.s[i] == '\r')
            call->body.s[i] = ' ';
    str_addc(&call->body, '\n');
}

static struct exec_call *new_call(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    struct exec_call *call = xcalloc(1, sizeof *call);
    struct exec_stream *const streams[] = { &call->out, &call->log };
    call->loop = shop->loop;
    call->warden = shop->warden;
    call->done = done;
    call->progress = order->progress;
    call->ctx = ctx;
    call->job_id = xstrdup(order->job_id);
    call->end = CALL_ANSWERED;
    uv_timer_init(call->loop, &call->timer);
    uv_pipe_init(call->loop, &call->input, 0);
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        uv_pipe_init(call->loop, &streams[i]->pipe, 0);
        streams[i]->pipe.data = call;
    }
    exec_words_init(call);
    call->process.data = call->timer.data = call->input.data = call;
    call->handles = 4;
    copy_body(call, order->body);
    return call;
}

static void *start(const struct workshop *shop, const struct order *order, call_done done, void *ctx)
{
    struct exec_call *call = new_call(shop, order, done, ctx);
    if (order->type && order->type->command && order->type->command[0])
        exec_start(call, order);
    else
        exec_decide(call, CALL_INVALID, "There is no program to start: exec is for job types that name a command.");
    if (call->end != CALL_ANSWERED) {
        finish(call);
        return call;
    }
    uv_read_start((uv_stream_t *)&call->out.pipe, lend_buffer, on_read);
    uv_read_start((uv_stream_t *)&call->log.pipe, lend_buffer, on_read);
    const uv_buf_t body = uv_buf_init(call->body.s, (unsigned)call->body.len);
    if (uv_write(&call->write, (uv_stream_t *)&call->input, &body, 1, written) < 0)
        close_handle(&call->input);
    return call;
}

static void cancel(void *handle)
{
    struct exec_call *call = handle;
    if (call->state == OVER || call->end != CALL_ANSWERED)
        return;
    if (call->state == SETTLING) {
        uv_timer_start(&call->timer, time_is_up, 0, 0); /* it has ended by itself */
        return;
    }
    exec_decide(call, CALL_CANCELLED, "The program was ended.");
    signal_group(call, SIGTERM);
    uv_timer_start(&call->timer, time_is_up, PATIENCE_MS, 0);
}

const struct handler handler_exec = {
    .name = "exec",
    .needs = "A command in the job type; it gets JSON on stdin and may write progress, result and error lines.",
    .promises = "One process group a call, no shell, at most 1 MiB of output; nothing of the group is left at the end.",
    .start = start,
    .cancel = cancel,
};
