/* cache_load.c: the cache as a program in C uses it, for measuring (cache.mjs).
 *
 *   cache-load REDIS_URL PREFIX misses THREADS WORK_MS   so many ask at once for a value that is not there and takes so long to compute
 *   cache-load REDIS_URL PREFIX hits COUNT BYTES         look at a value again and again
 *   cache-load REDIS_URL PREFIX floor COUNT BYTES        a bare GET of as many bytes, as often
 *
 * What came of it is one line of JSON. */
#include "base/xmalloc.h"

#include "base/daemon.h"
#include "base/log.h"
#include "core/cache.h"
#include "core/options.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { COMMAND_MS = 30000, TTL_MS = 3600000, CLAIM_MS = 60000 };
#define KEY SPAN("bench_value")

static void nap_ms(long ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&time, NULL);
}

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(bool good, const struct err *err)
{
    if (good)
        return;
    fprintf(stderr, "cache-load: %s\n", err->text);
    exit(EXIT_FAILURE);
}

static long number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end || value < 0) {
        fprintf(stderr, "cache-load: \"%s\" is no number\n", text);
        exit(EXIT_USAGE);
    }
    return value;
}

/* --- all at once --- */

static atomic_int computed;
static long work_ms;
static pthread_barrier_t gate;

static int work(void *arg, struct str *value, struct err *err)
{
    (void)arg;
    (void)err;
    atomic_fetch_add(&computed, 1);
    nap_ms(work_ms);
    str_adds(value, "computed");
    return 0;
}

/* A thread, connected before the gate opens, so that the looks come together. */
struct asker {
    pthread_t thread;
    struct app app;
};

static void *ask(void *arg)
{
    const struct cache_policy policy = { .fresh_ms = TTL_MS, .claim_ms = CLAIM_MS };
    struct asker *asker = arg;
    struct str value = STR_INIT;
    struct err err = ERR_INIT;

    pthread_barrier_wait(&gate);
    must(cache_get_or_set(&asker->app, KEY, &policy, work, NULL, &value, &err) >= 0, &err);
    must(strcmp(value.s, "computed") == 0, &(struct err){ .text = "a thread has got another value" });
    str_free(&value);
    return NULL;
}

static void misses(struct app *app, char **args)
{
    size_t count = (size_t)number(args[0]);
    struct asker *askers = xcalloc(count, sizeof *askers);
    const struct span key = KEY;
    struct err err = ERR_INIT;
    double start;

    work_ms = number(args[1]);
    must(cache_forget(app, &key, 1, &err) >= 0, &err);
    pthread_barrier_init(&gate, NULL, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++) {
        app_open(&askers[i].app, app->house);
        must(redis_do(askers[i].app.cache_redis, &err, "PING") != NULL, &err);
        must(pthread_create(&askers[i].thread, NULL, ask, &askers[i]) == 0, &(struct err){ .text = "no more threads" });
    }
    pthread_barrier_wait(&gate);
    start = now_s();
    for (size_t i = 0; i < count; i++)
        pthread_join(askers[i].thread, NULL);
    printf("{\"computed\":%d,\"seconds\":%.6f}\n", atomic_load(&computed), now_s() - start);
    for (size_t i = 0; i < count; i++)
        app_close(&askers[i].app);
    pthread_barrier_destroy(&gate);
    free(askers);
}

/* --- one after the other --- */

static void hits(struct app *app, char **args)
{
    long count = number(args[0]);
    size_t bytes = (size_t)number(args[1]);
    char *value = xcalloc(bytes + 1, 1);
    const struct cache_new n = { .value = { value, bytes }, .fresh_ms = TTL_MS };
    struct err err = ERR_INIT;
    struct cache_entry entry;
    double start;

    must(cache_put(app, KEY, &n, &err) == 1 && cache_look(app, KEY, NULL, &entry, &err) == 1, &err);
    start = now_s();
    for (long i = 0; i < count; i++)
        must(cache_look(app, KEY, NULL, &entry, &err) == 1, &err);
    printf("{\"seconds\":%.6f}\n", now_s() - start);
    free(value);
}

static void bare(struct app *app, char **args)
{
    long count = number(args[0]);
    size_t bytes = (size_t)number(args[1]);
    char *value = xcalloc(bytes + 1, 1);
    struct err err = ERR_INIT;
    double start;

    redis_use_db(app->cache_redis, app->cache_db);
    must(redis_do(app->cache_redis, &err, "SET bench:floor %b", value, bytes) != NULL, &err);
    start = now_s();
    for (long i = 0; i < count; i++)
        must(redis_do(app->cache_redis, &err, "GET bench:floor") != NULL, &err);
    printf("{\"seconds\":%.6f}\n", now_s() - start);
    free(value);
}

static const struct verb {
    const char *name;
    void (*run)(struct app *app, char **args);
} verbs[] = { { "misses", misses }, { "hits", hits }, { "floor", bare } };

static const struct verb *find_verb(int argc, char **argv)
{
    for (size_t i = 0; argc == 6 && i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[3], verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct settings settings;
    struct house house;
    struct app app;
    const struct verb *verb = find_verb(argc, argv);

    daemon_init();
    log_setup("cache-load", LOG_ERROR, false);
    if (!verb) {
        fputs("usage: cache-load REDIS_URL PREFIX misses|hits|floor NUMBER NUMBER\n", stderr);
        return EXIT_USAGE;
    }
    settings_init(&settings, options_table, OPT_COUNT);
    must(settings_assign(&settings, "REDIS_URL", argv[1], FROM_ARGUMENT, &err) == 0, &err);
    must(settings_assign(&settings, "PEYGIR_PREFIX", argv[2], FROM_ARGUMENT, &err) == 0, &err);
    must(house_open(&house, &settings, 0, "cache-load", COMMAND_MS, &err) == 0, &err);
    app_open(&app, &house);
    verb->run(&app, argv + 4);
    app_close(&app);
    house_close(&house);
    settings_free(&settings);
    return 0;
}
