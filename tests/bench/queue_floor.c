/* queue_floor.c: the least that a queue in Redis can cost, on bare hiredis. queue.mjs tells Peygir's figures as ratios to these.
 *
 *   queue-floor SOCKET PREFIX lpush COUNT         LPUSH COUNT ids one after the other
 *   queue-floor SOCKET PREFIX finish SCRIPT       take and finish all jobs of P:task:queue by a script (queue_floor.lua)
 *   queue-floor SOCKET PREFIX pop LIST CHANNEL    a blocking pop in a loop, which tells CHANNEL what it got, until that is "end"
 *   queue-floor SOCKET PREFIX pick COUNT LIST CHANNEL WORD
 *                                                 LPUSH one id, wait until a message on CHANNEL has it and WORD, rest, again
 *   queue-floor SOCKET PREFIX calls COUNT URL     COUNT calls by libcurl alone that wait together; ends when all are answered
 *
 * What came of it is one line of JSON; times are in seconds, those of pick and pop in a list. */
#include "base/xmalloc.h"

#include <curl/curl.h>
#include <hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { USAGE = 2, REST_US = 1500, BREATH_US = 10000, LONGEST_MS = 1000, SAMPLES_MAX = 100000, SCRIPT_MAX = 16384 };
#define BATCH "32"
#define LEASE "15000"

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "queue-floor: %s\n", what);
    exit(EXIT_FAILURE);
}

static redisContext *dial(const char *socket)
{
    redisContext *c = redisConnectUnix(socket);

    if (!c || c->err)
        die(c ? c->errstr : "no connection");
    return c;
}

/* The reply as it was given; the program ends with an error's. */
static redisReply *good(redisReply *reply, const redisContext *c)
{
    if (!reply)
        die(c->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        die(reply->str);
    return reply;
}

static void print_list(const double *list, size_t count)
{
    putchar('[');
    for (size_t i = 0; i < count; i++)
        printf("%s%.7f", i ? "," : "", list[i]);
    puts("]");
}

static void lpush(const char *socket, const char *prefix, char **args)
{
    redisContext *c = dial(socket);
    long count = strtol(args[0], NULL, 10);
    double start = now_s();

    for (long i = 0; i < count; i++)
        freeReplyObject(good(redisCommand(c, "LPUSH %s:task:queue job_%026ld", prefix, i), c));
    printf("{\"seconds\":%.6f}\n", now_s() - start);
    redisFree(c);
}

static char *load_script(redisContext *c, const char *file)
{
    static char text[SCRIPT_MAX];
    FILE *in = fopen(file, "r");
    size_t len = in ? fread(text, 1, sizeof text - 1, in) : 0;
    redisReply *reply;
    char *sha;

    if (len == 0)
        die("the script cannot be read");
    fclose(in);
    reply = good(redisCommand(c, "SCRIPT LOAD %b", text, len), c);
    sha = xmemdupz(reply->str, reply->len);
    freeReplyObject(reply);
    return sha;
}

static void finish(const char *socket, const char *prefix, char **args)
{
    redisContext *c = dial(socket);
    char *sha = load_script(c, args[0]);
    long long done = 0, count;
    double start = now_s();

    do {
        redisReply *reply = good(redisCommand(c, "EVALSHA %s 5 %s:task:queue %s:task:active %s:task:takes %s:stats:tasks:completed "
                                                 "%s:stats:daily:floor %s:task:data: " BATCH " " LEASE " floor %s:notifications",
                                              sha, prefix, prefix, prefix, prefix, prefix, prefix, prefix), c);
        count = reply->integer;
        done += count;
        freeReplyObject(reply);
    } while (count > 0);
    printf("{\"seconds\":%.6f,\"jobs\":%lld}\n", now_s() - start, done);
    free(sha);
    redisFree(c);
}

/* --- picking up --- the id of a job is the time at which it was pushed, so that whoever gets it knows its age. */

static void pop(const char *socket, const char *prefix, char **args)
{
    static double ages[SAMPLES_MAX];
    redisContext *c = dial(socket);
    size_t count = 0;
    bool over = false;

    (void)prefix;
    while (!over) {
        redisReply *reply = good(redisCommand(c, "BRPOP %s 0", args[0]), c);
        const char *id = reply->element[1]->str;
        over = strcmp(id, "end") == 0;
        if (!over && count < SAMPLES_MAX) {
            ages[count++] = now_s() - strtod(id, NULL);
            freeReplyObject(good(redisCommand(c, "PUBLISH %s %s", args[1], id), c));
        }
        freeReplyObject(reply);
    }
    print_list(ages, count);
    redisFree(c);
}

/* Until a message that has both. */
static void await(redisContext *c, const char *id, const char *word)
{
    for (bool found = false; !found;) {
        void *got;
        redisReply *reply;
        if (redisGetReply(c, &got) != REDIS_OK)
            die(c->errstr);
        reply = got;
        found = reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && reply->element[2]->str &&
                strstr(reply->element[2]->str, id) && strstr(reply->element[2]->str, word);
        freeReplyObject(reply);
    }
}

static void pick(const char *socket, const char *prefix, char **args)
{
    redisContext *c = dial(socket), *ear = dial(socket);
    size_t count = (size_t)strtol(args[0], NULL, 10);
    double *waits = xcalloc(count, sizeof *waits);
    char id[64];

    (void)prefix;
    freeReplyObject(good(redisCommand(ear, "SUBSCRIBE %s", args[2]), ear));
    for (size_t i = 0; i < count; i++) {
        usleep(REST_US);
        double start = now_s();
        snprintf(id, sizeof id, "%.9f", start);
        freeReplyObject(good(redisCommand(c, "LPUSH %s %s", args[1], id), c));
        await(ear, id, args[3]);
        waits[i] = now_s() - start;
    }
    print_list(waits, count);
    free(waits);
    redisFree(c);
    redisFree(ear);
}

/* --- calls that wait --- */

static size_t ignore(char *bytes, size_t size, size_t count, void *ctx)
{
    (void)bytes;
    (void)ctx;
    return size * count;
}

static CURL *call_new(const char *url)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        die("libcurl gives no handle");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, "{\"job\":{\"id\":\"floor\"},\"payload\":{}}");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return easy;
}

static void calls(const char *socket, const char *prefix, char **args)
{
    long count = strtol(args[0], NULL, 10), answered = 0;
    struct rlimit files;
    CURLM *multi;
    int running = 1, left;

    (void)socket;
    (void)prefix;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    for (long i = 0; i < count; i++)
        curl_multi_add_handle(multi, call_new(args[1]));
    while (running > 0) {
        curl_multi_perform(multi, &running);
        for (CURLMsg *said; (said = curl_multi_info_read(multi, &left));) {
            CURL *easy = said->easy_handle;
            answered += said->data.result == CURLE_OK;
            curl_multi_remove_handle(multi, easy);
            curl_easy_cleanup(easy);
        }
        curl_multi_poll(multi, NULL, 0, LONGEST_MS, NULL);
        usleep(BREATH_US); /* each look costs all calls: many events together */
    }
    printf("{\"answered\":%ld}\n", answered);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
}

static const struct verb {
    const char *name;
    int args;
    void (*run)(const char *socket, const char *prefix, char **args);
} verbs[] = {
    { "lpush", 1, lpush }, { "finish", 1, finish }, { "pop", 2, pop }, { "pick", 4, pick }, { "calls", 2, calls },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 3 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[3], verbs[i].name) == 0 && argc == 4 + verbs[i].args) {
            verbs[i].run(argv[1], argv[2], argv + 4);
            return 0;
        }
    fputs("usage: queue-floor SOCKET PREFIX lpush|finish|pop|pick|calls ...\n", stderr);
    return USAGE;
}
