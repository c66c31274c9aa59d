/* verbs.c: the table of verbs, and carrying one out */
#include "cli/verbs.h"

#include "base/daemon.h"
#include "tools/mkman.h"

const struct verb verbs[] = {
    { "config", "", 0, 0, 0, verb_config, "Show every option, its value and where it comes from." },
    { "health", "", 0, 0, NEEDS_REDIS, verb_health, "Say whether Peygir is able to work: Redis, its settings, workers, the queue." },
    { "request cancel", "HASH", 1, 1, NEEDS_REDIS | NEEDS_SERVICES, verb_request_cancel,
      "Cancel a request; its running call ends within a second." },
    { "request cleanup", "", 0, 0, NEEDS_REDIS | TAKES_DRY_RUN, verb_request_cleanup,
      "Remove what expired requests left in lists and companion keys; --dry-run only counts." },
    { "request list", "", 0, 0, NEEDS_REDIS | NEEDS_SERVICES | TAKES_LIMIT, verb_request_list, "List requests, newest first." },
    { "request show", "HASH", 1, 1, NEEDS_REDIS | NEEDS_SERVICES | NEEDS_LOCALES, verb_request_show,
      "Show one request and its history; personal values are masked." },
    { "service check", "[FILE...]", 0, -1, 0, verb_service_check, "Check service files: these, or all of the services directory." },
    { "service list", "", 0, 0, NEEDS_SERVICES, verb_service_list, "List the services." },
    { "stats", "", 0, 0, NEEDS_REDIS, verb_stats, "Show the counters of jobs and the length of the queue." },
};
const size_t verb_count = ARRAY_LEN(verbs);

enum { COMMAND_MS = 5000, LIMIT_DEFAULT = 50, LIMIT_MAX = 10000 };

static const struct {
    enum err_kind kind;
    int status;
} statuses[] = { { ERR_AWAY, EXIT_AWAY }, { ERR_FULL, EXIT_AWAY }, { ERR_CONFIG, EXIT_CONFIG } };

static int status_of(const struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].kind == err->kind)
            return statuses[i].status;
    return EXIT_FAILURE;
}

/* Does argv begin with the words of `name`? How many they are, or 0. */
static int matches(const char *name, int argc, char **argv)
{
    size_t first = strcspn(name, " ");
    if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0)
        return 0;
    if (name[first] == '\0')
        return 1;
    return argc >= 2 && strcmp(argv[1], name + first + 1) == 0 ? 2 : 0;
}

static const struct verb *find(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < verb_count; i++)
        if ((*words = matches(verbs[i].name, argc, argv)) > 0)
            return &verbs[i];
    return NULL;
}

static int say_unknown(int argc, char **argv)
{
    fprintf(stderr, "peygir: there is no verb \"%s%s%s\"; those of this name are:", argc > 0 ? argv[0] : "", argc > 1 ? " " : "",
            argc > 1 ? argv[1] : "");
    bool any = false;
    for (size_t i = 0; i < verb_count; i++)
        if (argc > 0 && strncmp(verbs[i].name, argv[0], strlen(argv[0])) == 0) {
            fprintf(stderr, " %s,", verbs[i].name);
            any = true;
        }
    fprintf(stderr, "%s see peygir --help\n", any ? "" : " none,");
    return EXIT_USAGE;
}

static int say_usage(const struct verb *verb)
{
    fprintf(stderr, "usage: peygir %s%s%s%s%s\n", verb->name, *verb->operands ? " " : "", verb->operands,
            verb->needs & TAKES_DRY_RUN ? " [--dry-run]" : "", verb->needs & TAKES_LIMIT ? " [--limit N]" : "");
    return EXIT_USAGE;
}

static int read_limit(const char *text, int64_t *limit)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < 1 || n > LIMIT_MAX)
        return -1;
    *limit = n;
    return 0;
}

/* The flags of this verb leave the operands. 0, or -1 for a flag that it does not have. */
static int take_flags(const struct verb *verb, struct cli *cli, int argc, char **argv)
{
    cli->operands = argv;
    for (int i = 0; i < argc; i++) {
        if (verb->needs & TAKES_DRY_RUN && strcmp(argv[i], "--dry-run") == 0)
            cli->dry_run = true;
        else if (verb->needs & TAKES_LIMIT && strncmp(argv[i], "--limit=", 8) == 0 && read_limit(argv[i] + 8, &cli->limit) == 0)
            continue;
        else if (verb->needs & TAKES_LIMIT && strcmp(argv[i], "--limit") == 0 && i + 1 < argc && read_limit(argv[i + 1], &cli->limit) == 0)
            i++;
        else if (argv[i][0] == '-' && argv[i][1] != '\0')
            return -1;
        else
            cli->operands[cli->operand_count++] = argv[i];
    }
    return cli->operand_count >= verb->least && (verb->most < 0 || cli->operand_count <= verb->most) ? 0 : -1;
}

static int carry_out(const struct verb *verb, struct cli *cli)
{
    struct err err = ERR_INIT;
    unsigned what = (verb->needs & NEEDS_SERVICES ? HOUSE_SERVICES : 0) | (verb->needs & NEEDS_LOCALES ? HOUSE_LOCALES : 0);
    bool house = verb->needs != 0;
    if (house && house_open(&cli->house, cli->settings, what, "peygir", COMMAND_MS, &err) < 0) {
        fprintf(stderr, "peygir: %s\n", err.text);
        return status_of(&err);
    }
    if (house)
        app_open(&cli->app, &cli->house);
    int status = verb->run(cli, &err);
    if (status < 0) {
        fprintf(stderr, "peygir: %s\n", err.text);
        status = status_of(&err);
    }
    if (house) {
        app_close(&cli->app);
        house_close(&cli->house);
    }
    return status;
}

int verbs_run(const struct settings *settings, bool json, int argc, char **argv, int first)
{
    int words;
    const struct verb *verb = find(argc - first, argv + first, &words);
    if (!verb)
        return say_unknown(argc - first, argv + first);
    struct cli cli = { .settings = settings, .json = json, .limit = LIMIT_DEFAULT };
    if (take_flags(verb, &cli, argc - first - words, argv + first + words) < 0)
        return say_usage(verb);
    return carry_out(verb, &cli);
}

void verbs_help(FILE *out)
{
    fprintf(out, "\nVerbs:\n");
    for (size_t i = 0; i < verb_count; i++)
        fprintf(out, "  %s%s%s\n      %s\n", verbs[i].name, *verbs[i].operands ? " " : "", verbs[i].operands, verbs[i].help);
}

static void print_roff(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, *text == '-' ? "\\-" : *text == '\\' ? "\\(rs" : "%c", *text);
}

void mkman_verbs(FILE *out)
{
    for (size_t i = 0; i < verb_count; i++) {
        fprintf(out, ".TP\n.B ");
        print_roff(out, verbs[i].name);
        fprintf(out, " ");
        print_roff(out, verbs[i].operands);
        fprintf(out, "\n");
        print_roff(out, verbs[i].help);
        fprintf(out, "\n");
    }
}
