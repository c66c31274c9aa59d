/* verbs.h: THE table of the command line's verbs. A row carries its own flags and help; the parser (parse.h), --help, the manual page
 * and the completion of bash (help.c) read it. */
#ifndef PEYGIR_VERBS_H
#define PEYGIR_VERBS_H

#include "core/app.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

enum flag_kind {
    FLAG_SWITCH, /* takes no value */
    FLAG_NUMBER, /* a whole number, min..max */
    FLAG_TEXT,   /* any text but an empty one */
    FLAG_WORD,   /* one of `words` */
    FLAG_QUEUE,  /* the name of a queue */
    FLAG_RATE    /* N/SECONDS, both min..max */
};
struct flag {
    const char *name;     /* without -- */
    enum flag_kind kind;
    const char *value;    /* what stands for its value in a usage line: "N"; NULL: a switch */
    int64_t min, max;
    int64_t fallback;     /* FLAG_NUMBER: when it is not given */
    const char *words;    /* FLAG_WORD: "bot api site" */
    bool needed;
    bool many;            /* may be given up to FLAG_TIMES times */
    const char *help;     /* one sentence */
};
enum { FLAG_TIMES = 16 };
struct flag_value {
    bool given;
    const char *text;     /* borrowed from argv; NULL for a switch and when not given */
    int64_t number, per;  /* FLAG_RATE: number/per */
    const char *texts[FLAG_TIMES]; /* of a flag that may be given many times, each */
    size_t times;
};
enum { FLAGS_MAX = 12 };

/* What a verb works with. */
struct cli {
    const struct settings *settings;
    bool json;             /* --json: lists are arrays, single things objects, on stdout */
    struct house house;    /* opened as the row's `needs` say */
    struct app app;
    const struct verb *verb;
    struct flag_value value[FLAGS_MAX]; /* of verb->flags, in their order; see cli_flag() */
    char **operands;
    int operand_count;
};
/* The flag of the verb's own list, which must be there. */
const struct flag_value *cli_flag(const struct cli *cli, const char *name);

enum {
    NEEDS_REDIS = 1,
    NEEDS_SERVICES = 2,
    NEEDS_LOCALES = 4,
    NEEDS_JOBS = 8,   /* job types; a wrong file ends the program (78) */
    LIKES_JOBS = 16,  /* job types; without them (a sentence on stderr says why) it does what it can */
    NEEDS_SOURCES = 64,
    NEEDS_SEALS = 32  /* the secret, where services seal their values */
};

/* A verb returns its exit status: 0 done, 1 failed; -1: *err says why, and the status follows from its kind. */
struct verb {
    const char *name;      /* "request list"; one or two words */
    const char *operands;  /* "HASH", "[FILE...]" or "" */
    int least, most;       /* how many operands; most -1: any number */
    unsigned needs;
    const struct flag *flags; /* ends with a NULL name; NULL: none */
    int (*run)(struct cli *cli, struct err *err);
    const char *help;      /* one sentence, or two */
};
extern const struct verb verbs[];
extern const size_t verb_count;

/* Carry out argv[first]...: the exit status. Errors are said on stderr. */
int verbs_run(const struct settings *settings, bool json, int argc, char **argv, int first);
/* The table, for --help. */
void verbs_help(FILE *out);

int verb_bot_check(struct cli *cli, struct err *err);
int verb_cache_clear(struct cli *cli, struct err *err);
int verb_cache_forget(struct cli *cli, struct err *err);
int verb_cache_get(struct cli *cli, struct err *err);
int verb_cache_invalidate_tag(struct cli *cli, struct err *err);
int verb_cache_set(struct cli *cli, struct err *err);
int verb_cache_stats(struct cli *cli, struct err *err);
int verb_config(struct cli *cli, struct err *err);
int verb_failed_flush(struct cli *cli, struct err *err);
int verb_failed_forget(struct cli *cli, struct err *err);
int verb_failed_list(struct cli *cli, struct err *err);
int verb_failed_retry(struct cli *cli, struct err *err);
int verb_failed_show(struct cli *cli, struct err *err);
int verb_health(struct cli *cli, struct err *err);
int verb_job_check(struct cli *cli, struct err *err);
int verb_job_list(struct cli *cli, struct err *err);
int verb_queue_cancel(struct cli *cli, struct err *err);
int verb_queue_check(struct cli *cli, struct err *err);
int verb_queue_clear(struct cli *cli, struct err *err);
int verb_queue_explain(struct cli *cli, struct err *err);
int verb_queue_limit(struct cli *cli, struct err *err);
int verb_queue_list(struct cli *cli, struct err *err);
int verb_queue_monitor(struct cli *cli, struct err *err);
int verb_queue_pause(struct cli *cli, struct err *err);
int verb_queue_push(struct cli *cli, struct err *err);
int verb_queue_restart(struct cli *cli, struct err *err);
int verb_queue_resume(struct cli *cli, struct err *err);
int verb_queue_show(struct cli *cli, struct err *err);
int verb_queue_stats(struct cli *cli, struct err *err);
int verb_redis_check(struct cli *cli, struct err *err);
int verb_request_cancel(struct cli *cli, struct err *err);
int verb_request_cleanup(struct cli *cli, struct err *err);
int verb_request_list(struct cli *cli, struct err *err);
int verb_request_show(struct cli *cli, struct err *err);
int verb_schedule_list(struct cli *cli, struct err *err);
int verb_schedule_next(struct cli *cli, struct err *err);
int verb_schedule_run(struct cli *cli, struct err *err);
int verb_service_check(struct cli *cli, struct err *err);
int verb_service_close(struct cli *cli, struct err *err);
int verb_service_list(struct cli *cli, struct err *err);
int verb_service_open(struct cli *cli, struct err *err);
int verb_session_create(struct cli *cli, struct err *err);
int verb_session_list(struct cli *cli, struct err *err);
int verb_session_revoke(struct cli *cli, struct err *err);
int verb_session_revoke_all(struct cli *cli, struct err *err);
int verb_session_show(struct cli *cli, struct err *err);
int verb_source_check(struct cli *cli, struct err *err);
int verb_source_fetch(struct cli *cli, struct err *err);
int verb_source_list(struct cli *cli, struct err *err);
int verb_stats(struct cli *cli, struct err *err);
int verb_token_create(struct cli *cli, struct err *err);
int verb_token_list(struct cli *cli, struct err *err);
int verb_token_revoke(struct cli *cli, struct err *err);
int verb_token_secret(struct cli *cli, struct err *err);
int verb_user_add(struct cli *cli, struct err *err);
int verb_user_list(struct cli *cli, struct err *err);
int verb_user_passwd(struct cli *cli, struct err *err);
int verb_user_remove(struct cli *cli, struct err *err);

#endif
