/* main.c: peygir-worker: takes jobs from Redis and carries them out (contract 7) */
#include "base/daemon.h"
#include "base/log.h"
#include "core/job_type.h"
#include "core/options.h"
#include "worker/mailer.h"
#include "worker/worker.h"

#include <curl/curl.h>

enum { COMMAND_MS = 5000 }; /* longer than web's: no visitor waits for an answer here */

static bool once, stop_when_empty;

static const struct options_flag flags[] = {
    { "once", &once, "Carry out one job, then exit; also when none came for as long as --sleep says." },
    { "stop-when-empty", &stop_when_empty, "Exit when no job is ready any more." },
    { NULL, NULL, NULL },
};

static const struct options_program program = {
    .name = "peygir-worker",
    .bit = PROGRAM_WORKER,
    .summary = "Takes jobs from Redis and carries them out.",
    .operands = "[QUEUE...]",
    .flags = flags,
};

static void add_queue(struct worker_options *o, struct span name)
{
    for (size_t i = 0; i < o->queue_count; i++)
        if (span_is(name, o->queues[i]))
            return;
    o->queues = xreallocarray(o->queues, o->queue_count + 1, sizeof *o->queues);
    o->queues[o->queue_count++] = xmemdupz(name.s, name.len);
}

/* The operands, or WORKER_QUEUES. -1: an operand is no queue's name. */
static int read_queues(struct worker_options *o, const struct settings *s, int count, char *const operands[])
{
    const char *list = settings_text(s, OPT_WORKER_QUEUES);
    struct span name;
    for (int i = 0; i < count; i++) {
        if (!options_queue_name(span_of(operands[i]))) {
            log_error("\"%s\" is no name of a queue; it may have letters, digits, _ and -, and must not be one of the "
                      "names that Peygir keeps for itself", operands[i]);
            return -1;
        }
        add_queue(o, span_of(operands[i]));
    }
    while (count == 0 && options_list_next(&list, &name))
        add_queue(o, name);
    return 0;
}

/* When nobody named any: the default queue, and each that a job type names. */
static void add_queues_of_types(struct worker_options *o, const struct job_types *types)
{
    add_queue(o, SPAN(JOB_QUEUE_DEFAULT));
    for (size_t i = 0; types && i < job_types_count(types); i++)
        add_queue(o, span_of(job_types_at(types, i)->queue));
}

static int run(const struct settings *settings, struct worker_options *options)
{
    struct house house;
    struct err err = ERR_INIT;
    unsigned what = HOUSE_SERVICES | HOUSE_LOCALES | HOUSE_JOB_TYPES | HOUSE_NOTICES | HOUSE_SOURCES | HOUSE_SEALS;
    if (house_open(&house, settings, what, "peygir-worker", COMMAND_MS, &err) < 0) {
        log_error("%s", err.text);
        return EXIT_CONFIG;
    }
    if (options->queue_count == 0)
        add_queues_of_types(options, house.job_types);
    int status = mailer_open(&house, &options->mailer, &err) < 0 ? EXIT_CONFIG : worker_run(&house, options, &err) < 0 ? EXIT_OSERR : 0;
    if (status != 0)
        log_error("%s", err.text);
    mailer_free(options->mailer);
    house_close(&house);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct worker_options options = { .queues = NULL };
    char threads[16];
    int first, status;
    daemon_init();
    status = options_start(&settings, &program, argc, argv, &first);
    if (status < 0) {
        snprintf(threads, sizeof threads, "%d", POOL_THREADS);
        setenv("UV_THREADPOOL_SIZE", threads, 0); /* read by libuv at the first piece of work */
        curl_global_init(CURL_GLOBAL_DEFAULT);
        options.once = once;
        options.stop_when_empty = stop_when_empty;
        bool good = read_queues(&options, &settings, argc - first, argv + first) == 0;
        status = good ? run(&settings, &options) : EXIT_USAGE;
        curl_global_cleanup();
    }
    for (size_t i = 0; i < options.queue_count; i++)
        free(options.queues[i]);
    free(options.queues);
    settings_free(&settings);
    return status;
}
