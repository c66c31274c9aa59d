/* push_tell.c: requests that somebody looks at: made, and changed again and again, for measuring (push.mjs). Redis and all else is found
 * by the options of Peygir in the environment.
 *
 *   push-tell make COUNT                       make requests that a bot has begun, each of a visitor of its own: a line "TOKEN HASH" each
 *   push-tell change FILE RATE COUNT           COUNT changes, RATE a second and evenly, of the requests of FILE (such lines) in turn
 *
 * Each change says when it was made: "sent at NANOSECONDS" of the monotonic clock, taken when it is ready to be written. What came of
 * them is one line of JSON. */
#include "base/xmalloc.h"

#define TOOL "push-tell"
#include "core/change.h"
#include "core/session.h"
#include "tests/bench/tool.h"

#include <unistd.h>

enum { COMMAND_MS = 5000, KEY_BYTES = 32 };
#define SERVICE "document-ocr"
#define DATA "{\"file_id\":\"scan-1\",\"language\":\"fa\"}"
#define NS_PER_S INT64_C(1000000000)

static int64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

/* --- changing --- */

/* It is decided when the request has been read: the next thing to happen is the write that tells of it. */
static int decide_stamp(struct app *app, const struct request *rq, struct change *c, void *ctx, struct err *err)
{
    char message[64];

    (void)app;
    (void)rq;
    (void)ctx;
    (void)err;
    change_status(c, REQUEST_PROCESSING);
    snprintf(message, sizeof message, "sent at %lld", (long long)now_ns());
    change_text(c, DOC_MESSAGE, message);
    return 1;
}

static void change_one(struct app *app, const char *hash)
{
    struct err err = ERR_INIT;

    must(change_make(app, span_of(hash), 0, decide_stamp, NULL, &err) == 1, &err);
}

struct list {
    char (*hash)[HASH_SIZE];
    size_t count;
};

static struct list read_list(const char *file)
{
    struct list list = { NULL, 0 };
    char line[256];
    FILE *in = fopen(file, "r");

    must(in != NULL, &(struct err){ .text = "the list of requests cannot be read" });
    while (fgets(line, sizeof line, in)) {
        const char *hash = strstr(line, "req_");
        must(hash && strlen(hash) >= HASH_LEN, &(struct err){ .text = "a line of the list has no request" });
        list.hash = xreallocarray(list.hash, list.count + 1, sizeof *list.hash);
        snprintf(list.hash[list.count++], HASH_SIZE, "%.*s", HASH_LEN, hash);
    }
    fclose(in);
    must(list.count > 0, &(struct err){ .text = "the list of requests is empty" });
    return list;
}

static void change(struct app *app, char **args)
{
    struct list list = read_list(args[0]);
    long rate = number_from(args[1], 1), count = number_from(args[2], 1);
    struct err err = ERR_INIT;

    must(redis_do(app->redis, &err, "PING") != NULL, &err);
    int64_t start = now_ns();
    for (long i = 0; i < count; i++) {
        int64_t due = start + i * NS_PER_S / rate;
        struct timespec at = { due / NS_PER_S, due % NS_PER_S };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        change_one(app, list.hash[(size_t)i % list.count]);
    }
    printf("{\"sent\":%ld,\"seconds\":%.6f}\n", count, (double)(now_ns() - start) / (double)NS_PER_S);
    free(list.hash);
}

/* --- making --- */

static void make_one(struct app *app, const struct service *service, long n)
{
    char cookie[SESSION_COOKIE_MAX], key[KEY_BYTES], hash[HASH_SIZE];
    struct err err = ERR_INIT;
    struct session session;

    session_fresh(app, &session, cookie);
    session_store_queue(app, &session, &(struct session_about){ "127.0.0.1", "push-tell" });
    snprintf(key, sizeof key, "push-tell-%ld", n);
    must(request_create(app, &(struct request_new){ .service = service, .data = SPAN(DATA), .owner = span_of(session.owner),
                                                    .locale = "fa", .key = span_of(key) }, hash, &err) == 1, &err);
    change_one(app, hash);
    printf("%s %s\n", session.token, hash);
}

static void make(struct app *app, char **args)
{
    const struct service *service = services_find(app->house->services, SPAN(SERVICE));
    long count = number_from(args[0], 1);

    must(service != NULL, &(struct err){ .text = "there is no service " SERVICE });
    for (long i = 0; i < count; i++)
        make_one(app, service, i);
}

static const struct verb {
    const char *name;
    int args;
    void (*run)(struct app *app, char **args);
} verbs[] = { { "make", 1, make }, { "change", 3, change } };

static const struct verb *find_verb(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0 && argc == 2 + verbs[i].args)
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
    log_setup(TOOL, LOG_ERROR, false);
    if (!verb) {
        fputs("usage: push-tell make|change ...\n", stderr);
        return EXIT_USAGE;
    }
    settings_init(&settings, options_table, OPT_COUNT);
    must(settings_load_environment(&settings, environ, &err) == 0, &err);
    must(house_open(&house, &settings, HOUSE_SERVICES | HOUSE_SECRET, TOOL, COMMAND_MS, &err) == 0, &err);
    app_open(&app, &house);
    verb->run(&app, argv + 2);
    app_close(&app);
    house_close(&house);
    settings_free(&settings);
    return 0;
}
