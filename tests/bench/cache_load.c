/* cache_load.c: the cache as a program in C uses it, for measuring (cache.mjs).
 *
 *   cache-load REDIS_URL PREFIX misses THREADS WORK_MS   so many ask at once for a value that is not there and takes so long to compute
 *   cache-load REDIS_URL PREFIX hits BLOCKS BYTES        look at a value a hundred times, bare GETs of as many bytes a hundred times, and so on
 *
 * What came of it is one line of JSON. */
#include "base/xmalloc.h"

#define TOOL "cache-load"
#include "core/cache.h"
#include "tests/bench/tool.h"

#include <pthread.h>
#include <stdatomic.h>

enum { TTL_MS = 3600000, CLAIM_MS = 60000 };
#define KEY SPAN("bench_value")

/* --- all at once --- */

static atomic_int computed;
static long work_ms;
static pthread_barrier_t gate;

static int work(void *arg, struct str *value, struct err *err)
{
    (void)arg;
    (void)err;
    atomic_fetch_add(&computed, 1);
    nap_us(work_ms * 1000);
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

enum { BLOCK = 100 };

static double look_block(struct app *app)
{
    struct err err = ERR_INIT;
    struct cache_entry entry;
    double start = now_s();

    for (int i = 0; i < BLOCK; i++)
        must(cache_look(app, KEY, NULL, &entry, &err) == 1, &err);
    return now_s() - start;
}

static double get_block(struct app *app)
{
    struct err err = ERR_INIT;
    double start = now_s();

    for (int i = 0; i < BLOCK; i++)
        must(redis_do(app->cache_redis, &err, "GET bench:floor") != NULL, &err);
    return now_s() - start;
}

/* In blocks that take turns, over one connection, so that whatever else happens on the machine happens to both. */
static void hits(struct app *app, char **args)
{
    long blocks = number(args[0]);
    size_t bytes = (size_t)number(args[1]);
    char *value = xcalloc(bytes + 1, 1);
    const struct cache_new n = { .value = { value, bytes }, .fresh_ms = TTL_MS };
    struct err err = ERR_INIT;
    double hit_s = 0, floor_s = 0;

    must(cache_put(app, KEY, &n, &err) == 1, &err);
    must(redis_do(app->cache_redis, &err, "SET bench:floor %b", value, bytes) != NULL, &err);
    look_block(app);
    for (long i = 0; i < blocks; i++) {
        hit_s += look_block(app);
        floor_s += get_block(app);
    }
    printf("{\"hit\":%.9f,\"floor\":%.9f}\n", hit_s / (double)blocks / BLOCK, floor_s / (double)blocks / BLOCK);
    free(value);
}

static const struct verb {
    const char *name;
    void (*run)(struct app *app, char **args);
} verbs[] = { { "misses", misses }, { "hits", hits } };

static const struct verb *find_verb(int argc, char **argv)
{
    for (size_t i = 0; argc == 6 && i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[3], verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct verb *verb = find_verb(argc, argv);

    daemon_init();
    log_setup(TOOL, LOG_ERROR, false);
    if (!verb) {
        fputs("usage: cache-load REDIS_URL PREFIX misses|hits NUMBER NUMBER\n", stderr);
        return EXIT_USAGE;
    }
    run_on(argv[1], argv[2], verb->run, argv + 4);
    return 0;
}
