/* main.c: peygir, the administrator's command line */
#include "base/daemon.h"
#include "cli/verbs.h"
#include "core/options.h"

int main(int argc, char **argv)
{
    bool json = false;
    const struct options_flag flags[] = { { "json", &json, "Print JSON for scripts; lists are arrays." }, { NULL, NULL, NULL } };
    const struct options_program program = { .name = "peygir",
                                             .bit = PROGRAM_CLI,
                                             .summary = "Look after Peygir: requests, services, health.",
                                             .operands = "VERB ...",
                                             .flags = flags,
                                             .verbs = true,
                                             .more_help = verbs_help };
    struct settings settings;
    int first;
    daemon_init();
    int status = options_start(&settings, &program, argc, argv, &first);
    if (status < 0 && first >= argc) {
        fprintf(stderr, "peygir: which verb? see peygir --help\n");
        status = EXIT_USAGE;
    } else if (status < 0) {
        status = verbs_run(&settings, json, argc, argv, first);
    }
    settings_free(&settings);
    return status;
}
