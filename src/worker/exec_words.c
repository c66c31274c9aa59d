/* exec_words.c: what a program says: lines of JSON on stdout, anything on stderr */
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "core/mask.h"
#include "worker/answer.h"
#include "worker/exec_part.h"

/* --- stdout --- */

static bool absent(struct span value)
{
    return !value.s || span_is(value, "null");
}

/* -1 when it is not said; false when it is no number from 0 to 100. */
static bool read_progress(struct span value, int *out)
{
    int64_t n = raw_int(value, -1);
    *out = absent(value) ? -1 : (int)n;
    return absent(value) || (n >= 0 && n <= 100);
}

static bool tell_progress(struct exec_call *call, struct span progress, struct span message)
{
    struct str text = STR_INIT;
    int n;
    bool good = read_progress(progress, &n) && (absent(message) || raw_string(message, &text));
    if (text.len > ANSWER_MESSAGE_MAX)
        text.s[utf8_clip(text.s, text.len, ANSWER_MESSAGE_MAX)] = '\0';
    if (good && call->progress && (!absent(progress) || !absent(message)))
        call->progress(call->ctx, n, text.s);
    str_free(&text);
    return good;
}

static void keep(struct str *kept, struct span value)
{
    str_reset(kept);
    if (!absent(value))
        str_add_span(kept, value);
}

static bool understand(struct exec_call *call, struct span line)
{
    enum { PROGRESS, MESSAGE, RESULT, ERROR, MEMBERS };
    static const char *const names[MEMBERS] = { "progress", "message", "result", "error" };
    struct span value[MEMBERS];
    if (json_check(line.s, line.len, NULL) < 0 || raw_get_many(line, names, value, MEMBERS) <= 0)
        return false;
    if (!absent(value[ERROR]) && value[ERROR].s[0] != '{')
        return false;
    if (!tell_progress(call, value[PROGRESS], value[MESSAGE]))
        return false;
    if (value[RESULT].s)
        keep(&call->result, value[RESULT]);
    if (value[ERROR].s)
        keep(&call->error, value[ERROR]);
    return true;
}

static bool is_blank(struct span line)
{
    size_t i = 0;
    while (i < line.len && (line.s[i] == ' ' || line.s[i] == '\r'))
        i++;
    return i == line.len;
}

static void take_line(struct exec_call *call, struct span line, bool cut)
{
    if (call->end != CALL_ANSWERED || (!cut && is_blank(line)) || (!cut && understand(call, line)) || call->complained)
        return;
    call->complained = true;
    log_event(LOG_WARN, LOG_FIELDS("job", call->job_id),
              "the program wrote a line that is no JSON object with progress, message, result or error, or is longer "
              "than %d bytes; it is ignored, and so is every further one like it", LINE_BYTES_MAX);
}

/* --- stderr --- */

/* The log escapes control bytes; a NUL would end the text. */
static void take_log_line(struct exec_call *call, struct span line, bool cut)
{
    char text[LOG_LINE_BYTES_MAX + 1];
    size_t len = cut ? utf8_clip(line.s, line.len, line.len - 1) : line.len;
    if (call->log_lines > LOG_LINES_MAX)
        return;
    if (call->log_lines++ == LOG_LINES_MAX) {
        log_event(LOG_INFO, LOG_FIELDS("job", call->job_id),
                  "the program wrote more than %d lines to stderr; the rest is not logged", LOG_LINES_MAX);
        return;
    }
    if (len > 0 && line.s[len - 1] == '\r')
        len--;
    for (size_t i = 0; i < len; i++)
        text[i] = line.s[i] ? line.s[i] : ' ';
    text[len] = '\0';
    char *masked = mask_numbers(text);
    log_event(LOG_INFO, LOG_FIELDS("job", call->job_id), "the program says: %s", masked);
    free(masked);
}

/* --- lines --- */

static void end_line(struct exec_stream *s)
{
    struct span line = { s->line.s ? s->line.s : "", s->line.len };
    s->take(s->call, line, s->cut);
    str_reset(&s->line);
    s->cut = false;
}

void exec_words_take(struct exec_stream *s, const char *data, size_t len)
{
    const char *end = data + len;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((newline ? newline : end) - data), room = s->line_max - s->line.len;
        s->cut = s->cut || n > room;
        str_add(&s->line, data, n < room ? n : room);
        if (newline)
            end_line(s);
        data += n + (newline != NULL);
    }
}

void exec_words_end(struct exec_stream *s)
{
    if (s->line.len > 0)
        end_line(s);
    s->ended = true;
}

void exec_words_init(struct exec_call *call)
{
    call->out.line_max = LINE_BYTES_MAX;
    call->out.take = take_line;
    call->log.line_max = LOG_LINE_BYTES_MAX;
    call->log.take = take_log_line;
    call->out.call = call->log.call = call;
}

/* --- the answer --- */

static void add_members(struct str *out, struct span object)
{
    static const char *const names[] = { "code", "message", "retryable" };
    struct span value[ARRAY_LEN(names)];
    raw_get_many(object, names, value, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!value[i].s)
            continue;
        str_addf(out, ",\"%s\":", names[i]);
        str_add_span(out, value[i]);
    }
}

/* In an answer data must be an object. */
void exec_words_answer(const struct exec_call *call, struct str *out)
{
    bool object = call->result.len > 0 && call->result.s[0] == '{';
    str_adds(out, call->error.len > 0 ? "{\"status\":\"error\"" : "{\"status\":\"success\"");
    if (call->error.len > 0) {
        add_members(out, (struct span){ call->error.s, call->error.len });
    } else if (call->result.len > 0) {
        str_adds(out, object ? ",\"data\":" : ",\"data\":{\"value\":");
        str_add(out, call->result.s, call->result.len);
        str_adds(out, object ? "" : "}");
    }
    str_addc(out, '}');
}
