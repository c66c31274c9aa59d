/* exec_part.h: a call of the exec handler, and what its three files share. Inside the exec handler only. */
#ifndef PEYGIR_EXEC_PART_H
#define PEYGIR_EXEC_PART_H

#include "worker/handler.h"

enum {
    LINE_BYTES_MAX = 64 * 1024,
    OUTPUT_BYTES_MAX = 1024 * 1024, /* stdout, all lines */
    LOG_LINE_BYTES_MAX = 1024,
    LOG_LINES_MAX = 100,
    READ_BYTES = 64 * 1024, /* what a pipe holds */
    PATIENCE_MS = 5000,
    SETTLE_MS = 250
};

struct exec_call;

/* One of the pipes that the program writes to. */
struct exec_stream {
    uv_pipe_t pipe;
    struct exec_call *call;
    void (*take)(struct exec_call *call, struct span line, bool cut);
    struct str line;  /* as far as it has come */
    size_t line_max;
    bool cut;         /* the line is longer than that */
    bool ended;
};

struct exec_call {
    uv_loop_t *loop;
    uv_process_t process;
    uv_timer_t timer;
    uv_pipe_t input;
    uv_write_t write;
    struct exec_stream out, log;
    int handles; /* that are not closed yet */
    pid_t group; /* of processes; 0: there is none, or nobody is left in it */
    struct warden *warden;
    pid_t warded; /* the group that it was told of; 0: none */

    call_done done;
    void (*progress)(void *ctx, int progress, const char *message);
    void *ctx;
    char *job_id;
    struct str body;

    enum { RUNNING, SETTLING, OVER } state;
    bool killed;
    int64_t status; /* of its end */
    int signal;
    enum call_end end; /* ANSWERED: as the program says */
    char detail[256];

    struct str result, error; /* JSON; empty: none */
    size_t said_bytes;
    int log_lines;
    bool complained;
};

/* How it ends, if nothing else is decided later. */
void exec_decide(struct exec_call *call, enum call_end end, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* For libuv, when the program has ended. */
void exec_ended(uv_process_t *process, int64_t status, int number);

/* exec_start.c: begin the order's program, whose type names one. Then call->group is set and input, out.pipe and
 * log.pipe lead to it, or something else than CALL_ANSWERED is decided. */
void exec_start(struct exec_call *call, const struct order *order);

/* exec_words.c: get ready; a piece that was read from a stream; its end; the answer that a bot would have given
 * (answer.h). */
void exec_words_init(struct exec_call *call);
void exec_words_take(struct exec_stream *s, const char *data, size_t len);
void exec_words_end(struct exec_stream *s);
void exec_words_answer(const struct exec_call *call, struct str *out);

#endif
