/* verbs.h: THE table of the command line's verbs. A row carries its own help; the parser, --help and the manual page read it. */
#ifndef PEYGIR_VERBS_H
#define PEYGIR_VERBS_H

#include "core/app.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

/* What a verb works with. */
struct cli {
    const struct settings *settings;
    bool json;             /* --json: lists are arrays, single things objects, on stdout */
    bool dry_run;          /* --dry-run */
    int64_t limit;         /* --limit N */
    struct house house;    /* opened as the row's `needs` say */
    struct app app;
    char **operands;
    int operand_count;
};

enum { NEEDS_REDIS = 1, NEEDS_SERVICES = 2, NEEDS_LOCALES = 4, TAKES_DRY_RUN = 8, TAKES_LIMIT = 16 };

/* A verb returns its exit status: 0 done, 1 failed; -1: *err says why, and the status follows from its kind. */
struct verb {
    const char *name;      /* "request list"; one or two words */
    const char *operands;  /* "HASH", "[FILE...]" or "" */
    int least, most;       /* how many operands; most -1: any number */
    unsigned needs;
    int (*run)(struct cli *cli, struct err *err);
    const char *help;      /* one sentence */
};
extern const struct verb verbs[];
extern const size_t verb_count;

/* Carry out argv[first]...: the exit status. Errors are said on stderr. */
int verbs_run(const struct settings *settings, bool json, int argc, char **argv, int first);
/* The table, for --help. */
void verbs_help(FILE *out);

int verb_config(struct cli *cli, struct err *err);
int verb_health(struct cli *cli, struct err *err);
int verb_stats(struct cli *cli, struct err *err);
int verb_service_list(struct cli *cli, struct err *err);
int verb_service_check(struct cli *cli, struct err *err);
int verb_request_list(struct cli *cli, struct err *err);
int verb_request_show(struct cli *cli, struct err *err);
int verb_request_cancel(struct cli *cli, struct err *err);
int verb_request_cleanup(struct cli *cli, struct err *err);

#endif
