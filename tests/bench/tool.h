/* tool.h: what small programs that measure share: ends with a sentence, numbers of the command line, an app. TOOL is the program's name. */
#ifndef PEYGIR_BENCH_TOOL_H
#define PEYGIR_BENCH_TOOL_H

#include "base/daemon.h"
#include "base/log.h"
#include "core/app.h"
#include "core/options.h"

#include <time.h>

static inline double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static inline void nap_us(long us)
{
    struct timespec time = { us / 1000000, us % 1000000 * 1000 };

    nanosleep(&time, NULL);
}

static inline void must(bool good, const struct err *err)
{
    if (good)
        return;
    fprintf(stderr, TOOL ": %s\n", err->text);
    exit(EXIT_FAILURE);
}

static inline long number_from(const char *text, long least)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end || value < least) {
        fprintf(stderr, TOOL ": \"%s\" is no number from %ld on\n", text, least);
        exit(EXIT_USAGE);
    }
    return value;
}

static inline long number(const char *text)
{
    return number_from(text, 0);
}

/* On this server, under this prefix. */
static inline void run_on(const char *url, const char *prefix, void (*run)(struct app *app, char **args), char **args)
{
    enum { COMMAND_MS = 5000 };
    struct err err = ERR_INIT;
    struct settings settings;
    struct house house;
    struct app app;

    settings_init(&settings, options_table, OPT_COUNT);
    must(settings_assign(&settings, "REDIS_URL", url, FROM_ARGUMENT, &err) == 0, &err);
    must(settings_assign(&settings, "PEYGIR_PREFIX", prefix, FROM_ARGUMENT, &err) == 0, &err);
    must(house_open(&house, &settings, 0, TOOL, COMMAND_MS, &err) == 0, &err);
    app_open(&app, &house);
    run(&app, args);
    app_close(&app);
    house_close(&house);
    settings_free(&settings);
}

#endif
