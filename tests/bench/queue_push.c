/* queue_push.c: the queue as a producer in C uses it, for measuring (queue.mjs) and for breaking (tests/faults).
 *
 *   queue-push REDIS_URL PREFIX one COUNT                   push one job after the other
 *   queue-push REDIS_URL PREFIX many COUNT TYPE BYTES       push them together; payloads of BYTES
 *   queue-push REDIS_URL PREFIX carry COUNT TYPE            let them wait in a paused queue, resume it, and time their end
 *   queue-push REDIS_URL PREFIX take COUNT MAX QUEUE...     take up to MAX of each queue in turn, COUNT times
 *   queue-push REDIS_URL PREFIX numbered FROM TO WAY        jobs FROM to TO - 1, ids n-000001 ...; WAY is one, many, priority or
 *                                                           delayed; Redis may go away meanwhile: asks again until all are in
 *
 * What came of it is one line of JSON. */
#include "base/xmalloc.h"

#define TOOL "queue-push"
#include "base/clock.h"
#include "core/job_admin.h"
#include "tests/bench/tool.h"

enum { LOOK_US = 2000, AGAIN_US = 20000, ID_BYTES = 16, QUEUES_MAX = 8, DELAY_MAX_MS = 3000 };

/* --- jobs with ids of their own --- */

struct batch {
    struct job_new *jobs;
    char (*ids)[JOB_ID_SIZE];
    char *payload;
    size_t count;
};

/* {"fill":"xxx"} of so many bytes; the least there is when `bytes` is too small for it. */
static char *payload_of(size_t bytes)
{
    static const char head[] = "{\"fill\":\"", tail[] = "\"}";
    size_t frame = sizeof head + sizeof tail - 2, fill = bytes > frame ? bytes - frame : 0;
    char *payload = xmalloc(frame + fill + 1);

    memcpy(payload, head, sizeof head - 1);
    memset(payload + sizeof head - 1, 'x', fill);
    memcpy(payload + sizeof head - 1 + fill, tail, sizeof tail);
    return payload;
}

static struct batch batch_new(size_t count, const char *type, const char *queue, size_t bytes)
{
    struct batch b = { .jobs = xcalloc(count, sizeof *b.jobs), .ids = xcalloc(count, sizeof *b.ids), .count = count };

    b.payload = payload_of(bytes);
    for (size_t i = 0; i < count; i++) {
        job_new_id(b.ids[i]);
        b.jobs[i] = (struct job_new){ .queue = queue, .id = b.ids[i], .fresh = true, .type = type, .payload = b.payload };
    }
    return b;
}

static void batch_free(struct batch *b)
{
    free(b->jobs);
    free(b->ids);
    free(b->payload);
}

/* --- the verbs --- */

static void push_one(struct app *app, char **args)
{
    struct err err = ERR_INIT;
    struct batch b = batch_new((size_t)number(args[0]), "default", NULL, 0);
    double start;

    must(redis_do(app->redis, &err, "PING") != NULL, &err);
    start = now_s();
    for (size_t i = 0; i < b.count; i++)
        must(job_push(app, &b.jobs[i], NULL, &err) == JOB_PUSHED, &err);
    printf("{\"seconds\":%.6f}\n", now_s() - start);
    batch_free(&b);
}

static void push_many(struct app *app, char **args)
{
    struct err err = ERR_INIT;
    struct batch b = batch_new((size_t)number(args[0]), args[1], NULL, (size_t)number(args[2]));
    double start;

    must(redis_do(app->redis, &err, "PING") != NULL, &err);
    start = now_s();
    must(job_push_many(app, b.jobs, b.count, &err) == (int64_t)b.count, &err);
    printf("{\"seconds\":%.6f}\n", now_s() - start);
    batch_free(&b);
}

static int64_t completed(struct app *app)
{
    struct err err = ERR_INIT;
    struct key key = key_stats(app->house, "completed");
    const struct reply *reply = redis_do(app->redis, &err, "GET %b", key.s, key.len);

    must(reply != NULL, &err);
    return reply_int(reply, 0);
}

static void carry(struct app *app, char **args)
{
    struct err err = ERR_INIT;
    struct batch b = batch_new((size_t)number(args[0]), args[1], NULL, 0);
    int64_t until = completed(app) + (int64_t)b.count;
    double start;

    must(job_pause(app, NULL, NULL, &err) >= 0, &err);
    must(job_push_many(app, b.jobs, b.count, &err) == (int64_t)b.count, &err);
    start = now_s();
    must(job_resume(app, NULL, &err) >= 0, &err);
    while (completed(app) < until)
        nap_us(LOOK_US);
    printf("{\"seconds\":%.6f}\n", now_s() - start);
    batch_free(&b);
}

/* Take from one queue, timed; then end what was taken and push as many again, which is not. */
static double take_once(struct app *app, const char *queue, struct job *jobs, size_t max)
{
    struct err err = ERR_INIT;
    struct job_take take = { .queue = queue, .worker_id = "bench", .jobs = jobs, .max = max };
    struct job_end *ends = xcalloc(max, sizeof *ends);
    double start = now_s(), seconds;
    int taken = job_take(app, &take, &err);
    struct batch again;

    seconds = now_s() - start;
    must(taken == (int)max, &err);
    for (int i = 0; i < taken; i++)
        ends[i] = (struct job_end){ .queue = queue, .id = jobs[i].id, .run = jobs[i].run, .outcome = JOB_COMPLETED };
    must(job_end(app, ends, max, &err) == 0, &err);
    for (int i = 0; i < taken; i++)
        job_clear(&jobs[i]);
    again = batch_new(max, "default", queue, 0);
    must(job_push_many(app, again.jobs, max, &err) == (int64_t)max, &err);
    batch_free(&again);
    free(ends);
    return seconds;
}

/* As many jobs as the queue still lacks. */
static void fill(struct app *app, const char *queue, size_t count)
{
    struct err err = ERR_INIT;
    struct job_counts counts;
    struct batch b;

    must(job_count(app, queue, &counts, &err) == 0, &err);
    if (counts.waiting >= (int64_t)count)
        return;
    b = batch_new(count - (size_t)counts.waiting, "default", queue, 0);
    must(job_push_many(app, b.jobs, b.count, &err) == (int64_t)b.count, &err);
    batch_free(&b);
}

/* QUEUE is name=jobs that wait in it. */
static void take(struct app *app, char **args)
{
    size_t count = (size_t)number(args[0]), max = (size_t)number(args[1]), queues = 0;
    struct job *jobs = xcalloc(max, sizeof *jobs);
    double seconds[QUEUES_MAX] = { 0 };
    char *names[QUEUES_MAX];

    for (char **arg = args + 2; *arg && queues < QUEUES_MAX; arg++, queues++) {
        char *sign = strchr(*arg, '=');
        must(sign != NULL, &(struct err){ .text = "a queue is name=jobs" });
        names[queues] = xmemdupz(*arg, (size_t)(sign - *arg));
        fill(app, names[queues], (size_t)number(sign + 1));
    }
    for (size_t i = 0; i < count; i++)
        for (size_t q = 0; q < queues; q++)
            seconds[q] += take_once(app, names[q], jobs, max);
    putchar('{');
    for (size_t q = 0; q < queues; q++) {
        printf("%s\"%s\":%.6f", q ? "," : "", names[q], seconds[q]);
        free(names[q]);
    }
    puts("}");
    free(jobs);
}

/* --- numbered jobs, whatever happens --- */

struct numbered {
    struct job_new job;
    char id[ID_BYTES], payload[64];
};

static void number_job(struct numbered *n, long i, const char *way)
{
    snprintf(n->id, sizeof n->id, "n-%06ld", i);
    snprintf(n->payload, sizeof n->payload, "{\"n\":%ld}", i);
    n->job = (struct job_new){ .id = n->id, .type = "default", .payload = n->payload };
    if (strcmp(way, "priority") == 0)
        n->job.priority = 1 + (int)(i % (JOB_PRIORITY_MAX + 1));
    if (strcmp(way, "delayed") == 0)
        n->job.delay_ms = 1 + i * 37 % DELAY_MAX_MS;
}

static long push_numbered_each(struct app *app, const struct numbered *all, size_t count)
{
    struct err err = ERR_INIT;
    long failures = 0;

    for (size_t i = 0; i < count;)
        if (job_push(app, &all[i].job, NULL, &err) < 0) {
            failures++;
            nap_us(AGAIN_US);
        } else {
            i++;
        }
    return failures;
}

static long push_numbered_many(struct app *app, const struct numbered *all, size_t count)
{
    struct err err = ERR_INIT;
    struct job_new *jobs = xcalloc(count, sizeof *jobs);
    long failures = 0;

    for (size_t i = 0; i < count; i++)
        jobs[i] = all[i].job;
    for (; job_push_many(app, jobs, count, &err) < 0; failures++)
        nap_us(AGAIN_US);
    free(jobs);
    return failures;
}

static void push_numbered(struct app *app, char **args)
{
    long from = number(args[0]), to = number(args[1]), failures;
    size_t count = to > from ? (size_t)(to - from) : 0;
    struct numbered *all = xcalloc(count + 1, sizeof *all);

    for (size_t i = 0; i < count; i++)
        number_job(&all[i], from + (long)i, args[2]);
    failures = strcmp(args[2], "many") == 0 ? push_numbered_many(app, all, count) : push_numbered_each(app, all, count);
    printf("{\"pushed\":%zu,\"failures\":%ld}\n", count, failures);
    free(all);
}

static const struct verb {
    const char *name;
    int args; /* at least */
    void (*run)(struct app *app, char **args);
} verbs[] = {
    { "one", 1, push_one }, { "many", 3, push_many },         { "carry", 2, carry },
    { "take", 3, take },    { "numbered", 3, push_numbered },
};

static const struct verb *find_verb(int argc, char **argv)
{
    for (size_t i = 0; argc > 3 && i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[3], verbs[i].name) == 0 && argc >= 4 + verbs[i].args)
            return &verbs[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct verb *verb = find_verb(argc, argv);

    daemon_init();
    log_setup(TOOL, LOG_ERROR, false);
    if (!verb) {
        fputs("usage: queue-push REDIS_URL PREFIX one|many|carry|take|numbered ...\n", stderr);
        return EXIT_USAGE;
    }
    run_on(argv[1], argv[2], verb->run, argv + 4);
    return 0;
}
