/* server.h: a private redis-server for one unit test program: Unix socket in a fresh directory, no TCP, no persistence. */
#ifndef PEYGIR_UNIT_SERVER_H
#define PEYGIR_UNIT_SERVER_H

#include "tests/unit/unit.h"

/* Start it and wait until it answers; ends the program with a sentence when it cannot. */
void server_start(void);
/* "unix:///…/redis.sock?db=0"; valid until server_stop. */
const char *server_url(void);
/* Seams for bad days. */
void server_freeze(void);   /* SIGSTOP */
void server_thaw(void);     /* SIGCONT */
void server_kill(void);     /* SIGKILL; server_start again gives an empty one at the same address */
void server_flush(void);    /* empty all databases */
/* Run a command with redis-cli words and return its raw answer (caller frees). */
char *server_cli(const char *const words[]);
void server_stop(void);     /* by pid, directory removed; also at exit */

#define REDIS_CLI(...) server_cli((const char *const[]){ __VA_ARGS__, NULL })

/* Run a command for its effect. */
#define REDIS_RUN(...) free(REDIS_CLI(__VA_ARGS__))

/* What a command answers, as text without the newline at its end. */
#define assert_redis(expected, ...)                                  \
    do {                                                             \
        char *answer_ = REDIS_CLI(__VA_ARGS__);                      \
        answer_[strcspn(answer_, "\n")] = '\0';                      \
        assert_string_equal(answer_, (expected));                    \
        free(answer_);                                               \
    } while (0)

static inline long long redis_number(const char *const words[])
{
    char *answer = server_cli(words);
    long long n = strtoll(answer, NULL, 10);

    free(answer);
    return n;
}
#define REDIS_NUMBER(...) redis_number((const char *const[]){ __VA_ARGS__, NULL })

#endif
