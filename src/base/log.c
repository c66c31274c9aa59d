/* log.c: one line an event, to stderr. */
#include "base/xmalloc.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

/* A write of at most PIPE_BUF (4096) bytes to a pipe is not mixed with another thread's; these keep usual lines
 * below it. */
#define MESSAGE_MAX_BYTES 2048
#define VALUE_MAX_BYTES 512

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static const char *_Atomic log_program = "peygir";
static _Atomic int log_level = LOG_INFO;
static _Atomic bool log_json;

void log_setup(const char *program, enum log_level level, bool json)
{
    atomic_store(&log_program, program);
    atomic_store(&log_level, (int)level);
    atomic_store(&log_json, json);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* The message stands outside quotes, so quotes in it are harmless and stay readable. */
static void add_text_message(struct str *line, const char *s, size_t len)
{
    size_t i, run = 0;

    for (i = 0; i < len; i++) {
        if (s[i] != '"')
            continue;
        str_add_log(line, s + run, i - run);
        str_addc(line, '"');
        run = i + 1;
    }
    str_add_log(line, s + run, len - run);
}

static void add_text_field(struct str *line, const char *key, const char *value, size_t len)
{
    bool quoted = len == 0 || strpbrk(value, " \"=") != NULL;

    str_addc(line, ' ');
    str_adds(line, key);
    str_addc(line, '=');
    if (quoted)
        str_addc(line, '"');
    str_add_log(line, value, len);
    if (quoted)
        str_addc(line, '"');
}

static void add_json_field(struct str *line, const char *key, const char *value, size_t len)
{
    str_addc(line, ',');
    str_add_json(line, key, strlen(key));
    str_addc(line, ':');
    str_add_json(line, value, len);
}

static void add_fields(struct str *line, const char *const fields[], bool json)
{
    size_t len;

    for (; fields && fields[0]; fields += 2) {
        if (!fields[1])
            continue;
        len = utf8_clip(fields[1], strlen(fields[1]), VALUE_MAX_BYTES);
        if (json)
            add_json_field(line, fields[0], fields[1], len);
        else
            add_text_field(line, fields[0], fields[1], len);
    }
}

static void build_line(struct str *line, enum log_level level, const char *const fields[], struct span message)
{
    const char *program = atomic_load_explicit(&log_program, memory_order_relaxed);
    bool json = atomic_load_explicit(&log_json, memory_order_relaxed);
    char now[CLOCK_RFC3339_SIZE];

    clock_rfc3339(clock_ms(), now);
    if (json) {
        str_addf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":", now, level_names[level]);
        str_add_json(line, program, strlen(program));
        add_json_field(line, "message", message.s, message.len);
    } else {
        str_addf(line, "%s %s %s: ", now, level_names[level], program);
        add_text_message(line, message.s, message.len);
    }
    add_fields(line, fields, json);
    str_adds(line, json ? "}\n" : "\n");
}

/* errno is kept: callers log first and decide by it afterwards. */
void log_event(enum log_level level, const char *const fields[], const char *fmt, ...)
{
    struct str line = STR_INIT;
    char text[MESSAGE_MAX_BYTES];
    int saved = errno;
    va_list ap;
    ssize_t n;

    if (!log_wants(level))
        return;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    build_line(&line, level, fields, (struct span){ text, utf8_clip(text, strlen(text), sizeof(text) - 4) });
    do
        n = write(STDERR_FILENO, line.s, line.len);
    while (n < 0 && errno == EINTR);
    str_free(&line);
    errno = saved;
}
