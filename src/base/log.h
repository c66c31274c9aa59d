/* log.h: one line an event, to stderr. Text: "2026-01-02T03:04:05.678Z info web: message key=value".
 * JSON: {"time","level","program","message",...fields}. One write() a line, so threads do not mix lines.
 * Never pass form values, codes, tokens or cookies. */
#ifndef PEYGIR_LOG_H
#define PEYGIR_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_setup(const char *program, enum log_level level, bool json);
bool log_wants(enum log_level level);
/* `fields` is NULL-terminated pairs "key", value-string; a NULL value is skipped. */
void log_event(enum log_level level, const char *const fields[], const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define LOG_FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL, NULL })
#define log_error(...) log_event(LOG_ERROR, NULL, __VA_ARGS__)
#define log_warn(...) log_event(LOG_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_event(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_event(LOG_DEBUG, NULL, __VA_ARGS__)

#endif
