/* options.h: THE option table (contract 2 and 3), what follows from the options, and the start-up that every
 * program shares. Reads files and the environment; knows no Redis. */
#ifndef PEYGIR_OPTIONS_H
#define PEYGIR_OPTIONS_H

#include "base/settings.h"
#include "base/str.h"

/* Same order as options_table. OPT_X is the option named X. */
enum option_id {
    /* ./run; known to every program and without meaning there */
    OPT_PEYGIR_HTTP_PORT,
    OPT_PEYGIR_BOT_PORT,
    OPT_PEYGIR_RUN_DIR,
    OPT_PEYGIR_DEMO,
    OPT_PEYGIR_DEMO_SPEED,
    /* Redis: use options_redis_url() */
    OPT_REDIS_URL,
    OPT_REDIS_HOST,
    OPT_REDIS_PORT,
    OPT_REDIS_PASSWORD,
    OPT_REDIS_DB,
    OPT_REDIS_CACHE_DB,
    OPT_REDIS_SESSION_DB,
    OPT_REDIS_CACHE_URL,
    OPT_REDIS_SESSION_URL,
    /* bots */
    OPT_LOCAL_API_URL,
    OPT_LOCAL_API_TIMEOUT,
    OPT_LOCAL_API_RETRIES,
    /* keys; the four REDIS_ ones: use options_key() */
    OPT_PEYGIR_PREFIX,
    OPT_REDIS_TASK_QUEUE_PREFIX,
    OPT_REDIS_TASK_DATA_PREFIX,
    OPT_REDIS_SESSION_PREFIX,
    OPT_REDIS_PUBSUB_CHANNEL,
    OPT_PEYGIR_REQUEST_TTL,
    /* where definitions are: use options_dir() */
    OPT_PEYGIR_SERVICES_DIR,
    OPT_PEYGIR_JOBS_DIR,
    OPT_PEYGIR_SOURCES_DIR,
    OPT_PEYGIR_NOTIFICATIONS_DIR,
    OPT_PEYGIR_TEMPLATES_DIR,
    OPT_PEYGIR_LOCALES_DIR,
    OPT_PEYGIR_LOCALE,
    OPT_PEYGIR_SECRET_FILE,
    OPT_PEYGIR_SITE_URL,
    OPT_PEYGIR_LIMIT_FACTOR,
    OPT_PEYGIR_INTERNAL_FROM,
    OPT_PEYGIR_LOG_LEVEL,
    OPT_PEYGIR_LOG_FORMAT,
    OPT_WEB_THREADS, /* use options_threads() */
    /* the worker; the flags of contract 7 */
    OPT_WORKER_QUEUES,
    OPT_WORKER_CONCURRENCY,
    OPT_WORKER_TRIES,
    OPT_WORKER_TIMEOUT,
    OPT_WORKER_BACKOFF,
    OPT_WORKER_SLEEP,
    OPT_WORKER_MAX_TIME,
    OPT_WORKER_MAX_JOBS,
    OPT_WORKER_DRAIN,
    OPT_SESSION_TTL,
    OPT_SESSION_IDLE,
    OPT_SESSION_MAX_PER_USER,
    OPT_SESSION_KEYS,
    /* administrators */
    OPT_ADMIN_IDLE,
    OPT_ADMIN_TTL,
    /* sources of data, notification and mail jobs */
    OPT_CRYPTO_API_URL,
    OPT_CRYPTO_API_KEY_FILE,
    OPT_STOCK_API_URL,
    OPT_STOCK_API_KEY_FILE,
    OPT_RESPONSE_REMINDER_HOURS,
    OPT_COMMISSION_RATE,
    OPT_MAIL_URL,
    OPT_MAIL_PASSWORD_FILE,
    OPT_MAIL_CA_FILE,
    OPT_MAIL_FROM,
    OPT_COUNT
};

extern const struct setting options_table[OPT_COUNT];

/* Bits of setting.programs. PROGRAM_RUN is ./run itself: options that no program uses. */
enum options_program_bit {
    PROGRAM_WEB = 1,
    PROGRAM_WORKER = 2,
    PROGRAM_PUSH = 4,
    PROGRAM_CLI = 8,
    PROGRAM_BOT = 16,
    PROGRAM_RUN = 32,
    PROGRAM_ALL = 63
};

/* A switch without a value that one program has and that is no option (the worker's --once). */
struct options_flag {
    const char *name; /* without -- */
    bool *set;        /* becomes true when given */
    const char *help; /* one sentence */
};

/* What a program tells about itself. A constant in its main file. */
struct options_program {
    const char *name;     /* "peygir-worker" */
    unsigned bit;         /* PROGRAM_WORKER */
    const char *summary;  /* one sentence for --help */
    const char *operands; /* "[QUEUE...]" for the usage line; NULL: operands are refused */
    const struct options_flag *flags; /* ends with an entry whose name is NULL; may be NULL */
    bool verbs; /* the first operand is a verb: flags after it that are not --config, --set or one of `flags` are left
                 * where they stand, for the verb to read (--help and --version too) */
    void (*more_help)(FILE *out); /* prints a part of --help, behind the flags (the table of verbs); may be NULL */
};

/* Start-up: defaults, then the file (--config FILE, which must exist, or /etc/peygir/peygir.env if that exists), the
 * environment, the command line (--set NAME=VALUE and the program's flags, --flag=V or --flag V); then sets up the
 * log from PEYGIR_LOG_LEVEL and PEYGIR_LOG_FORMAT.
 * -1: go on; argv is put in order: argv[*first_operand] to argv[argc - 1] are the operands (with `verbs`, whatever is
 * the verb's). Flags and operands may be mixed; after "--" all are operands.
 * Anything else is the exit status, all has been said: 0 after --help or --version (stdout), EXIT_USAGE for a wrong
 * flag, EXIT_CONFIG for a bad value, an unknown PEYGIR_ name or an unreadable file (one sentence on stderr).
 * `s` need not be initialised; release it with settings_free whatever was returned. */
int options_start(struct settings *s, const struct options_program *program, int argc, char **argv,
                  int *first_operand);

enum redis_role { REDIS_MAIN, REDIS_CACHE, REDIS_SESSION };
/* The URL of the server and database for `role`; never NULL, the caller frees. Contains the password.
 * Main: REDIS_URL, else from REDIS_HOST, _PORT, _PASSWORD, _DB; its own database number stays.
 * Cache, session: REDIS_CACHE_URL, REDIS_SESSION_URL, else main's server with REDIS_CACHE_DB, REDIS_SESSION_DB (on
 * a cluster no database number at all). */
char *options_redis_url(const struct settings *s, enum redis_role role);

/* One of the six _DIR options, or its installed place. Borrowed, never NULL. */
const char *options_dir(const struct settings *s, enum option_id id);

/* OPT_REDIS_TASK_QUEUE_PREFIX (P:task:queue), OPT_REDIS_TASK_DATA_PREFIX (P:task:data), OPT_REDIS_SESSION_PREFIX
 * (P:session), OPT_REDIS_PUBSUB_CHANNEL (P:notifications): as set, else as in brackets. The caller frees. */
char *options_key(const struct settings *s, enum option_id id);

/* WEB_THREADS, or twice the cores and at least 4. */
int options_threads(const struct settings *s);

/* The next item of a comma-separated list (WORKER_QUEUES, RESPONSE_REMINDER_HOURS). *rest starts as the whole text
 * and may be NULL (an empty list). True and *item, or false at the end. */
bool options_list_next(const char **rest, struct span *item);

/* May a queue have this name? Letters, digits, _ and -, at most 64, and none of the names that contract 4.2 keeps. */
bool options_queue_name(struct span name);

/* The value in force as people may see it: what the accessors above give where nothing was set, passwords as ***.
 * NULL when there is none. The caller frees. For `peygir config`. */
char *options_shown(const struct settings *s, enum option_id id);

#endif
