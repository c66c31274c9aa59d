/* verbs.c: the table of verbs, and carrying one out */
#include "cli/verbs.h"

#include "base/daemon.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "core/cache.h"
#include "core/job_type.h"
#include "core/options.h"

/* --- flags --- */

#define YEAR_S 31622400
#define SWITCH(n, h) { .name = n, .kind = FLAG_SWITCH, .help = h }
#define NUMBER(n, v, lo, hi, std, h) { .name = n, .kind = FLAG_NUMBER, .value = v, .min = lo, .max = hi, .fallback = std, .help = h }
#define TEXT(n, v, h) { .name = n, .kind = FLAG_TEXT, .value = v, .help = h }
#define WORD(n, w, must, h) { .name = n, .kind = FLAG_WORD, .value = w, .words = w, .needed = must, .help = h }
#define END { .name = NULL }

#define DRY_RUN SWITCH("dry-run", "Only count; change nothing.")
#define LIMIT NUMBER("limit", "N", 1, 10000, 50, "At most so many; 50 when not given.")
#define OF_QUEUE { .name = "queue", .kind = FLAG_QUEUE, .value = "QUEUE", .help = "Only this queue, instead of looking in all." }

static const struct flag bot_flags[] = {
    TEXT("data", "JSON", "The form's values, a JSON object; - reads it from the first line of standard input."),
    TEXT("code", "CODE", "The code that the bot sends; with - it is asked for when it was sent. Without it no code is entered."),
    SWITCH("code-in-message", "The bot's message may tell the code, as the demonstration bot's does."),
    NUMBER("timeout", "S", 1, 86400, 0, "Wait so long at most for each thing; when not given, as long as the service's calls may take."), END };
static const struct flag cache_set_flags[] = {
    NUMBER("ttl", "S", 1, CACHE_TTL_MAX_S, 3600, "Keep it for so many seconds; for an hour when not given."),
    { .name = "tag", .kind = FLAG_TEXT, .value = "TAG", .many = true, .help = "It is void when this tag is invalidated. May be given up to 16 times." }, END };
static const struct flag cache_clear_flags[] = { TEXT("prefix", "P", "Only entries whose key begins so."), DRY_RUN, END };
static const struct flag dry_run_flags[] = { DRY_RUN, END };
static const struct flag fetch_flags[] = {
    NUMBER("timeout", "S", 1, 86400, 30, "Wait so long at most; 30 when not given."), END };
static const struct flag limit_flags[] = { LIMIT, END };
static const struct flag queue_flags[] = { OF_QUEUE, END };
static const struct flag queue_limit_flags[] = { OF_QUEUE, LIMIT, END };
static const struct flag queue_dry_run_flags[] = { OF_QUEUE, DRY_RUN, END };
static const struct flag check_flags[] = { SWITCH("repair", "Put back or remove what is wrong."), END };
static const struct flag at_once_flags[] = {
    NUMBER("at-once", "N", 0, 1000000, 0, "At most so many of its jobs run at once, on all workers; 0: any number."),
    { .name = "per", .kind = FLAG_RATE, .value = "N/SECONDS", .min = 1, .max = 1000000,
      .help = "At most N of its jobs begin in any so many seconds, spread evenly." },
    SWITCH("none", "Take all limits away."), END };
static const struct flag list_flags[] = {
    WORD("state", "waiting delayed active failed", false, "Which of its jobs; waiting when not given."), LIMIT, END };
static const struct flag monitor_flags[] = {
    NUMBER("limit", "N", 1, 1000000000, 0, "End after so many views; when not given, with q or Ctrl-C."), END };
static const struct flag pause_flags[] = {
    TEXT("message", "TEXT", "Why: shown to visitors who wait."), END };
static const struct flag push_flags[] = {
    { .name = "queue", .kind = FLAG_QUEUE, .value = "QUEUE", .help = "Into this queue; when not given, its type's." },
    TEXT("payload", "JSON", "A JSON object; {} when not given. With - each line of standard input is one, and makes a job."),
    NUMBER("priority", "N", 0, JOB_PRIORITY_MAX, -1, "0 to 10, highest first; 5 stands where jobs without one stand."),
    NUMBER("delay", "S", 0, YEAR_S, 0, "Not before so many seconds are over."),
    TEXT("unique", "KEY", "Push nothing while a job with this key waits or runs."),
    NUMBER("unique-for", "S", 1, YEAR_S, 0, "With --unique: for so many seconds instead."),
    NUMBER("tries", "N", 1, 1000, 0, "At most so many attempts; when not given, its type's."),
    NUMBER("timeout", "S", 1, 86400, 0, "Seconds for one attempt; when not given, its type's."), END };
static const struct flag retry_flags[] = {
    OF_QUEUE, NUMBER("rate", "N", 1, 100000, 50, "With all: so many a second; 50 when not given."),
    SWITCH("dry-run", "With all: only count; change nothing."), END };
static const struct flag next_flags[] = {
    NUMBER("count", "N", 1, 1000, 10, "So many; 10 when not given."), END };
static const struct flag redis_flags[] = {
    WORD("program", "web worker admin bot push", false, "Try what this one does; admin, this command line, when not given."), END };
static const struct flag close_flags[] = {
    { .name = "message", .kind = FLAG_TEXT, .value = "TEXT", .needed = true, .help = "What visitors read instead of the form." }, END };
static const struct flag token_flags[] = {
    TEXT("callback", "URL[,URL]", "With api: where its holder may be called when a request needs a code or has ended; a URL that ends with / stands for all that begin with it."),
    TEXT("service", "SLUG[,SLUG]", "With bot: for requests of these services alone; of all when not given."),
    WORD("role", "bot api site", true, "bot: reports about requests, waits for codes, pushes jobs that tell nobody anything; api: makes requests; site: signs users in, asks who is here, pushes jobs."), END };
static const struct flag session_list_flags[] = { TEXT("user", "USER", "Only sessions of this user."), LIMIT, END };
static const struct flag session_flags[] = {
    { .name = "user", .kind = FLAG_TEXT, .value = "USER", .needed = true, .help = "The user's id at the host site." },
    TEXT("role", "ROLE", "What the host site calls the user's role."), TEXT("email", "EMAIL", "The user's e-mail address."), END };

/* --- verbs --- */

const struct verb verbs[] = {
    { "bot check", "SERVICE", 1, 1, NEEDS_REDIS | NEEDS_SERVICES | NEEDS_LOCALES | NEEDS_SEALS, bot_flags, verb_bot_check,
      "Play a visitor against the running bot of a service, and say which promises of the contract for bots it keeps." },
    { "cache clear", "", 0, 0, NEEDS_REDIS, cache_clear_flags, verb_cache_clear, "Forget everything in the cache, or all that begins with a prefix." },
    { "cache forget", "KEY...", 1, -1, NEEDS_REDIS, NULL, verb_cache_forget, "Forget entries of the cache." },
    { "cache get", "KEY", 1, 1, NEEDS_REDIS, NULL, verb_cache_get, "Print a value from the cache as it is; with --json also how old it is." },
    { "cache invalidate-tag", "TAG...", 1, -1, NEEDS_REDIS, NULL, verb_cache_invalidate_tag, "Make everything void that bears one of the tags." },
    { "cache set", "KEY [VALUE]", 1, 2, NEEDS_REDIS, cache_set_flags, verb_cache_set,
      "Put a value into the cache; without VALUE what standard input holds." },
    { "cache stats", "", 0, 0, NEEDS_REDIS, NULL, verb_cache_stats,
      "Count hits, misses, sets and evictions by what stands before the first _ or : of a key." },
    { "config", "", 0, 0, 0, NULL, verb_config, "Show every option, its value and where it comes from." },
    { "failed flush", "", 0, 0, NEEDS_REDIS, queue_dry_run_flags, verb_failed_flush, "Forget all failed jobs." },
    { "failed forget", "ID...", 1, -1, NEEDS_REDIS, queue_flags, verb_failed_forget, "Forget failed jobs." },
    { "failed list", "", 0, 0, NEEDS_REDIS, queue_limit_flags, verb_failed_list, "List failed jobs, newest first." },
    { "failed retry", "ID...|all", 1, -1, NEEDS_REDIS | NEEDS_SERVICES, retry_flags, verb_failed_retry,
      "Try failed jobs once more, these or all; a request that has not expired is opened again." },
    { "failed show", "ID", 1, 1, NEEDS_REDIS, queue_flags, verb_failed_show,
      "Show one failed job, its error and its attempts; personal values are masked." },
    { "health", "", 0, 0, NEEDS_REDIS, NULL, verb_health,
      "Say whether Peygir is able to work: Redis, its settings, workers, queues, job types, services." },
    { "job check", "[FILE...]", 0, -1, 0, NULL, verb_job_check, "Check job type files: these, or all of the jobs directory." },
    { "job list", "", 0, 0, NEEDS_JOBS, NULL, verb_job_list, "List the job types." },
    { "queue cancel", "ID", 1, 1, NEEDS_REDIS | NEEDS_SERVICES | LIKES_JOBS, queue_flags, verb_queue_cancel,
      "Cancel a job that waits or runs; a request's job is cancelled together with its request." },
    { "queue check", "[QUEUE]", 0, 1, NEEDS_REDIS | LIKES_JOBS, check_flags, verb_queue_check,
      "Look at every job of the queue, or of all, for what does not fit together. Ends with 1 when something stays wrong." },
    { "queue clear", "[QUEUE]", 0, 1, NEEDS_REDIS, dry_run_flags, verb_queue_clear,
      "Throw away what waits in the queue; requests among it fail." },
    { "queue explain", "ID", 1, 1, NEEDS_REDIS | NEEDS_LOCALES | LIKES_JOBS, queue_flags, verb_queue_explain,
      "Say why a job is where it is and what will happen next." },
    { "queue limit", "[QUEUE]", 0, 1, NEEDS_REDIS | LIKES_JOBS, at_once_flags, verb_queue_limit,
      "Show or set the limits of a queue, which hold at once for all workers." },
    { "queue list", "[QUEUE]", 0, 1, NEEDS_REDIS, list_flags, verb_queue_list, "List jobs of a queue, those that come next first." },
    { "queue monitor", "", 0, 0, NEEDS_REDIS | LIKES_JOBS, monitor_flags, verb_queue_monitor,
      "Watch queues, workers, rates and failures, each second anew." },
    { "queue pause", "[QUEUE]", 0, 1, NEEDS_REDIS | LIKES_JOBS, pause_flags, verb_queue_pause,
      "Let nothing be taken from the queue until it is resumed; what runs goes on." },
    { "queue push", "TYPE", 1, 1, NEEDS_REDIS | NEEDS_JOBS, push_flags, verb_queue_push, "Push a job and print its id." },
    { "queue restart", "", 0, 0, NEEDS_REDIS, NULL, verb_queue_restart,
      "Let every worker finish what it has and end; its supervisor starts it again." },
    { "queue resume", "[QUEUE]", 0, 1, NEEDS_REDIS | LIKES_JOBS, NULL, verb_queue_resume, "Let jobs be taken from the queue again." },
    { "queue show", "ID", 1, 1, NEEDS_REDIS, queue_flags, verb_queue_show, "Show one job; personal values are masked." },
    { "queue stats", "[QUEUE...]", 0, -1, NEEDS_REDIS | LIKES_JOBS, NULL, verb_queue_stats,
      "Show what waits, runs and has failed in these queues, or in all, and what was done today." },
    { "redis check", "", 0, 0, NEEDS_REDIS, redis_flags, verb_redis_check,
      "Try every operation that Peygir needs on the configured Redis, and say what is wrong with its settings." },
    { "request cancel", "HASH", 1, 1, NEEDS_REDIS | NEEDS_SERVICES | LIKES_JOBS, NULL, verb_request_cancel,
      "Cancel a request; its running call ends within a second." },
    { "request cleanup", "", 0, 0, NEEDS_REDIS, dry_run_flags, verb_request_cleanup,
      "Remove what expired requests left in lists and companion keys." },
    { "request list", "", 0, 0, NEEDS_REDIS | NEEDS_SERVICES, limit_flags, verb_request_list, "List requests, newest first." },
    { "request show", "HASH", 1, 1, NEEDS_REDIS | NEEDS_SERVICES | NEEDS_LOCALES, NULL, verb_request_show,
      "Show one request and its history; personal values are masked." },
    { "schedule list", "", 0, 0, NEEDS_REDIS | NEEDS_JOBS, NULL, verb_schedule_list,
      "List the job types that run by the clock, when each ran last and when it runs next." },
    { "schedule next", "[TYPE]", 0, 1, NEEDS_JOBS, next_flags, verb_schedule_next,
      "Show when this type, or all, will run by the clock. Asks nobody." },
    { "schedule run", "TYPE", 1, 1, NEEDS_REDIS | NEEDS_JOBS, NULL, verb_schedule_run,
      "Push the type's job now, whatever the clock says, and print its id." },
    { "service check", "[FILE...]", 0, -1, 0, NULL, verb_service_check, "Check service files: these, or all of the services directory." },
    { "service close", "SLUG", 1, 1, NEEDS_REDIS | NEEDS_SERVICES, close_flags, verb_service_close,
      "Let a service take no new requests until it is opened; what runs goes on." },
    { "service list", "", 0, 0, NEEDS_SERVICES, NULL, verb_service_list, "List the services, and which are closed." },
    { "service open", "SLUG", 1, 1, NEEDS_REDIS | NEEDS_SERVICES, NULL, verb_service_open, "Let a closed service take requests again." },
    { "session create", "", 0, 0, NEEDS_REDIS, session_flags, verb_session_create,
      "Sign a user in: make a session and print its token, this once." },
    { "session list", "", 0, 0, NEEDS_REDIS, session_list_flags, verb_session_list,
      "List sessions of visitors and users, by ids that open nothing; of those shown the last used is first." },
    { "session revoke", "ID", 1, 1, NEEDS_REDIS, NULL, verb_session_revoke, "End a session at once, by its id or its token." },
    { "session revoke-all", "USER", 1, 1, NEEDS_REDIS, NULL, verb_session_revoke_all, "End all sessions of a user at once." },
    { "session show", "ID", 1, 1, NEEDS_REDIS, NULL, verb_session_show,
      "Show one session, by its id or its token; personal values are masked." },
    { "source check", "[FILE...]", 0, -1, 0, NULL, verb_source_check, "Check files of sources of external data: these, or all of the sources directory." },
    { "source fetch", "SOURCE METHOD [NAME=VALUE...]", 2, -1, NEEDS_REDIS | NEEDS_SOURCES | NEEDS_LOCALES | NEEDS_JOBS, fetch_flags, verb_source_fetch,
      "Let a worker fetch data from a source into the cache now, and say what came of it." },
    { "source list", "", 0, 0, NEEDS_SOURCES, NULL, verb_source_list, "List the sources of external data, their methods and parameters." },
    { "stats", "", 0, 0, NEEDS_REDIS | LIKES_JOBS, NULL, verb_stats, "Show the counters of jobs, sessions and cache, what waits in all queues, and how many keys of which kind there are." },
    { "token create", "NAME", 1, 1, NEEDS_REDIS, token_flags, verb_token_create,
      "Make a bearer token for a program and print it, this once." },
    { "token list", "", 0, 0, NEEDS_REDIS, NULL, verb_token_list, "List the tokens by name, without what they are." },
    { "token revoke", "NAME", 1, 1, NEEDS_REDIS, NULL, verb_token_revoke, "Make a token worthless at once." },
    { "token secret", "NAME", 1, 1, NEEDS_REDIS, NULL, verb_token_secret,
      "Print what the holder of a token with --callback checks calls with, under the first key of PEYGIR_SECRET_FILE." },
    { "user add", "NAME", 1, 1, NEEDS_REDIS, NULL, verb_user_add,
      "Make an administrator, who may sign in at /admin. The password is asked for, or is one line of standard input." },
    { "user list", "", 0, 0, NEEDS_REDIS, NULL, verb_user_list, "List the administrators, and when each signed in last." },
    { "user passwd", "NAME", 1, 1, NEEDS_REDIS, NULL, verb_user_passwd,
      "Give an administrator a new password, asked for likewise, and end the administrator's sessions." },
    { "user remove", "NAME", 1, 1, NEEDS_REDIS, NULL, verb_user_remove, "Remove an administrator and end the administrator's sessions." },
};
const size_t verb_count = ARRAY_LEN(verbs);

/* --- carrying one out --- */

enum { COMMAND_MS = 5000 };

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

static int say(const struct err *err)
{
    fflush(stdout);
    fprintf(stderr, "peygir: %s\n", err->text);
    return status_of(err);
}

const struct flag_value *cli_flag(const struct cli *cli, const char *name)
{
    size_t i = 0;
    while (strcmp(cli->verb->flags[i].name, name) != 0)
        i++;
    return &cli->value[i];
}

static int open_house(struct cli *cli, struct err *err)
{
    static const unsigned parts[][2] = { { NEEDS_SERVICES, HOUSE_SERVICES }, { NEEDS_LOCALES, HOUSE_LOCALES }, { NEEDS_JOBS, HOUSE_JOB_TYPES }, { NEEDS_SOURCES, HOUSE_SOURCES },
                                        { NEEDS_SEALS, HOUSE_SEALS } };
    unsigned what = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        what |= cli->verb->needs & parts[i][0] ? parts[i][1] : 0;
    if (house_open(&cli->house, cli->settings, what, "peygir", COMMAND_MS, err) < 0)
        return -1;
    if (cli->verb->needs & LIKES_JOBS) {
        struct err why = ERR_INIT;
        cli->house.job_types = job_types_open(options_dir(cli->settings, OPT_PEYGIR_JOBS_DIR), &why);
        if (!cli->house.job_types)
            fprintf(stderr, "peygir: %s\npeygir: note: going on without job types\n", why.text);
    }
    app_open(&cli->app, &cli->house);
    return 0;
}

static int carry_out(struct cli *cli)
{
    struct err err = ERR_INIT;
    bool house = cli->verb->needs != 0;
    if (house && open_house(cli, &err) < 0)
        return say(&err);
    int status = cli->verb->run(cli, &err);
    if (status < 0)
        status = say(&err);
    if (house) {
        app_close(&cli->app);
        house_close(&cli->house);
    }
    return status;
}

int verbs_run(const struct settings *settings, bool json, int argc, char **argv, int first)
{
    int words;
    struct err err = ERR_INIT;
    struct cli cli = { .settings = settings, .json = json };
    cli.verb = parse_verb(argc - first, argv + first, &words);
    if (!cli.verb)
        return help_unknown(argc - first, argv + first);
    int result = parse_arguments(&cli, argc - first - words, argv + first + words, &err);
    if (result == 0)
        return carry_out(&cli);
    if (result > 0) {
        help_verb(stdout, cli.verb);
        return 0;
    }
    fprintf(stderr, "peygir: %s\n", err.text);
    help_usage(stderr, cli.verb);
    return EXIT_USAGE;
}
