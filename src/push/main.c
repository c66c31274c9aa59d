/* main.c: peygir-push, which serves everything that waits: streams of events, WebSockets, and bots that wait for a code */
#include "base/daemon.h"
#include "base/log.h"
#include "core/options.h"
#include "push/push.h"

#define LISTEN_FD 0
#define COMMAND_MS 600 /* as web's: whoever opens a stream hears within a second that Redis is away */

static const struct options_program program = {
    .name = "peygir-push",
    .bit = PROGRAM_PUSH,
    .summary = "Serves all that waits: streams of events, WebSockets, bots that want a code. It is started by spawn-fcgi or a systemd "
               "socket, with the listening socket on descriptor 0.",
};

/* One sentence, and the exit status. */
static int failed(const struct err *err)
{
    log_error("%s", err->text);
    return err->kind == ERR_CONFIG ? EXIT_CONFIG : EXIT_OSERR;
}

static int open_and_run(const struct settings *settings)
{
    struct house house;
    struct err err = ERR_INIT;
    if (push_check(LISTEN_FD, &err) < 0 ||
        house_open(&house, settings, HOUSE_SERVICES | HOUSE_LOCALES | HOUSE_SECRET | HOUSE_JOB_TYPES, program.name, COMMAND_MS, &err) < 0)
        return failed(&err);
    int status = push_run(&house, LISTEN_FD, &err) < 0 ? failed(&err) : 0;
    house_close(&house);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings;
    char threads[16];
    int first_operand, status;
    daemon_init();
    status = options_start(&settings, &program, argc, argv, &first_operand);
    if (status < 0) {
        snprintf(threads, sizeof threads, "%d", POOL_THREADS);
        setenv("UV_THREADPOOL_SIZE", threads, 0); /* read by libuv at the first piece of work */
        status = open_and_run(&settings);
    }
    settings_free(&settings);
    return status;
}
