/* main.c: peygir-web, the FastCGI responder: forms, pages and JSON behind nginx. */
#include "base/daemon.h"
#include "base/log.h"
#include "core/options.h"
#include "web/dispatch.h"
#include "web/templates.h"

#include <signal.h>

#define LISTEN_FD 0
#define COMMAND_MS 600 /* a page says within a second that Redis is away */
#define DRAIN_MS 10000

static const struct options_program program = {
    .name = "peygir-web",
    .bit = PROGRAM_WEB,
    .summary = "FastCGI responder of Peygir: forms, pages and JSON. It is started by spawn-fcgi or a systemd socket, "
               "with the listening socket on descriptor 0.",
};

/* One sentence, and the exit status. */
static int failed(const struct err *err)
{
    log_error("%s", err->text);
    return err->kind == ERR_CONFIG ? EXIT_CONFIG : EXIT_OSERR;
}

/* Until a signal says so. SIGUSR1 is what multiwatch sends to stop its children; SIGHUP means nothing here. */
static void wait_for_stop(void)
{
    int sig;

    do
        sig = daemon_wait(-1);
    while (sig != SIGTERM && sig != SIGINT && sig != SIGUSR1);
    log_info("Stopping: what was sent already is answered.");
}

static int serve(const struct web *web, const struct settings *settings)
{
    const struct fcgi_handler handler = { dispatch_open, dispatch_serve, dispatch_rest, dispatch_close, (void *)web, FCGI_BATCH };
    struct err err = ERR_INIT;
    struct fcgi *fcgi;

    if (fcgi_self_test(&err) < 0)
        return failed(&err);
    fcgi = fcgi_start(LISTEN_FD, options_threads(settings), &handler, &err);
    if (!fcgi)
        return failed(&err);
    log_info("Serving with %d threads.", options_threads(settings));
    wait_for_stop();
    if (!fcgi_stop(fcgi, DRAIN_MS)) {
        log_warn("Some connections were still busy after %d s and are cut.", DRAIN_MS / 1000);
        _Exit(EXIT_SUCCESS); /* their threads still use everything: nothing is released */
    }
    return EXIT_SUCCESS;
}

static int open_and_serve(const struct settings *settings)
{
    struct house house;
    struct pages *pages = NULL;
    struct err err = ERR_INIT;
    int status;

    if (fcgi_check(LISTEN_FD, &err) < 0 ||
        house_open(&house, settings, HOUSE_SERVICES | HOUSE_LOCALES | HOUSE_SECRET | HOUSE_JOB_TYPES | HOUSE_NOTICES | HOUSE_SOURCES, program.name, COMMAND_MS, &err) < 0)
        return failed(&err);
    if (pages_load(options_dir(settings, OPT_PEYGIR_TEMPLATES_DIR), house.services, &pages, &err) < 0)
        status = failed(&err);
    else
        status = serve(&(struct web){ &house, pages }, settings);
    pages_free(pages);
    house_close(&house);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings;
    int first_operand, status;

    daemon_init();
    daemon_block_signals();
    status = options_start(&settings, &program, argc, argv, &first_operand);
    if (status < 0)
        status = open_and_serve(&settings);
    settings_free(&settings);
    return status;
}
