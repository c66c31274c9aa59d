/* test_options.c: the contract's sections 2 and 3, and the start-up of the programs. */
#include "tests/unit/unit.h"

#include "base/daemon.h"
#include "core/options.h"

#include <unistd.h>

static bool once;
static const struct options_flag worker_flags[] = { { "once", &once, "Take one job and exit." }, { NULL, NULL, NULL } };
static const struct options_program worker = { .name = "peygir-worker", .bit = PROGRAM_WORKER, .summary = "Works.",
                                               .operands = "[QUEUE...]", .flags = worker_flags };
static const struct options_program web = { .name = "peygir-web", .bit = PROGRAM_WEB, .summary = "Answers." };

static void more_help(FILE *out)
{
    fputs("\nVerbs:\n  all of them\n", out);
}

static const struct options_program cli = { .name = "peygir", .bit = PROGRAM_CLI, .summary = "Tells.",
                                            .operands = "VERB...",
                                            .flags = worker_flags, .verbs = true, .more_help = more_help };

enum { ARGS_MAX = 16, TEXT_MAX = 16384 };

/* One start: environment and arguments in, everything that can be seen out. */
struct run {
    struct settings s;
    int status;
    int argc, first;
    char *argv[ARGS_MAX];
    char out[TEXT_MAX], err[TEXT_MAX];
};

/* What was written to fd `which` goes to `file` until it is restored. */
static int divert(int which, FILE *file)
{
    fflush(NULL);
    int saved = dup(which);
    dup2(fileno(file), which);
    return saved;
}

static void restore(int which, int saved, FILE *file, char text[TEXT_MAX])
{
    fflush(NULL);
    dup2(saved, which);
    close(saved);
    rewind(file);
    text[fread(text, 1, TEXT_MAX - 1, file)] = '\0';
    fclose(file);
}

/* `config` is the text of a file given by --config, so that no file of the machine is read. */
static void start(struct run *r, const struct options_program *program, const char *config, const char *const envp[],
                  const char *const args[])
{
    static const char *const nothing[] = { NULL };
    char path[] = "/tmp/test_options.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, config, strlen(config)), (ssize_t)strlen(config));
    close(fd);
    char *flag = xasprintf("--config=%s", path);

    memset(r, 0, sizeof *r);
    r->argv[r->argc++] = (char *)program->name;
    r->argv[r->argc++] = flag;
    for (size_t i = 0; args && args[i]; i++)
        r->argv[r->argc++] = (char *)args[i];
    once = false;
    char **saved_environment = environ;
    environ = (char **)(envp ? envp : nothing);
    FILE *out = tmpfile(), *err = tmpfile();
    int saved_out = divert(STDOUT_FILENO, out), saved_err = divert(STDERR_FILENO, err);
    r->status = options_start(&r->s, program, r->argc, r->argv, &r->first);
    restore(STDOUT_FILENO, saved_out, out, r->out);
    restore(STDERR_FILENO, saved_err, err, r->err);
    environ = saved_environment;
    unlink(path);
    free(flag);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void ends_with(const struct options_program *program, const char *config, const char *const envp[],
                      const char *const args[], int status, const char *sentence)
{
    struct run r;
    start(&r, program, config, envp, args);
    if (r.status != status || !strstr(r.err, sentence))
        fail_msg("status %d, \"%s\"", r.status, r.err);
    assert_int_equal(strncmp(r.err, program->name, strlen(program->name)), 0);
    assert_ptr_equal(strchr(r.err, '\n'), r.err + strlen(r.err) - 1); /* one line */
    assert_string_equal(r.out, "");
    settings_free(&r.s);
}

static void name_is(enum option_id id, const char *name)
{
    assert_string_equal(options_table[id].name, name);
}

static void every_row_has_its_name_and_a_default_that_it_accepts(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const struct setting *row = &options_table[i];
        struct err err = ERR_INIT;
        assert_non_null(row->name);
        if (row->fallback && settings_check(row, row->fallback, &err) != 0)
            fail_msg("%s: %s", row->name, err.text);
        size_t len = row->help ? strlen(row->help) : 0;
        if (len == 0 || row->help[len - 1] != '.')
            fail_msg("%s has no sentence of help", row->name);
        if ((row->type == SETTING_INT || row->type == SETTING_NUMBER) && row->max <= row->min)
            fail_msg("%s has no range", row->name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(row->name, options_table[j].name);
    }
    name_is(OPT_PEYGIR_HTTP_PORT, "PEYGIR_HTTP_PORT");
    name_is(OPT_REDIS_SESSION_URL, "REDIS_SESSION_URL");
    name_is(OPT_WORKER_DRAIN, "WORKER_DRAIN");
    name_is(OPT_MAIL_FROM, "MAIL_FROM");
}

static void the_table_has_the_contracts_names_and_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *name, *fallback;
    } contract[] = {
        { "PEYGIR_HTTP_PORT", "8080" }, { "PEYGIR_BOT_PORT", "9999" }, { "PEYGIR_RUN_DIR", ".run" },
        { "PEYGIR_DEMO", "on" }, { "PEYGIR_DEMO_SPEED", "1" }, { "REDIS_URL", NULL }, { "REDIS_HOST", "127.0.0.1" },
        { "REDIS_PORT", "6379" }, { "REDIS_PASSWORD", NULL }, { "REDIS_DB", "0" }, { "REDIS_CACHE_DB", "1" },
        { "REDIS_SESSION_DB", "2" }, { "REDIS_CACHE_URL", NULL }, { "REDIS_SESSION_URL", NULL },
        { "LOCAL_API_URL", "http://127.0.0.1:9999" }, { "LOCAL_API_TIMEOUT", "180" }, { "LOCAL_API_RETRIES", "2" },
        { "PEYGIR_PREFIX", "peygir" }, { "REDIS_TASK_QUEUE_PREFIX", NULL }, { "REDIS_TASK_DATA_PREFIX", NULL },
        { "REDIS_SESSION_PREFIX", NULL }, { "REDIS_PUBSUB_CHANNEL", NULL }, { "PEYGIR_REQUEST_TTL", "1800" },
        { "PEYGIR_SERVICES_DIR", NULL }, { "PEYGIR_JOBS_DIR", NULL }, { "PEYGIR_SOURCES_DIR", NULL }, { "PEYGIR_NOTIFICATIONS_DIR", NULL },
        { "PEYGIR_TEMPLATES_DIR", NULL }, { "PEYGIR_LOCALES_DIR", NULL }, { "PEYGIR_LOCALE", "fa" },
        { "PEYGIR_SECRET_FILE", NULL }, { "PEYGIR_SITE_URL", NULL }, { "PEYGIR_LIMIT_FACTOR", "1" },
        { "PEYGIR_INTERNAL_FROM", "127.0.0.0/8,::1,unix:" }, { "PEYGIR_LOG_LEVEL", "info" },
        { "PEYGIR_LOG_FORMAT", "text" }, { "WEB_THREADS", NULL }, { "WORKER_QUEUES", NULL },
        { "WORKER_CONCURRENCY", "1000" }, { "WORKER_TRIES", "3" }, { "WORKER_TIMEOUT", "300" },
        { "WORKER_BACKOFF", "60" }, { "WORKER_SLEEP", "3" }, { "WORKER_MAX_TIME", "3600" }, { "WORKER_MAX_JOBS", "0" },
        { "WORKER_DRAIN", "30" }, { "SESSION_TTL", "604800" }, { "SESSION_IDLE", "1800" },
        { "SESSION_MAX_PER_USER", "10" }, { "SESSION_KEYS", "hashed" },
        { "ADMIN_IDLE", "900" }, { "ADMIN_TTL", "28800" },
        { "CRYPTO_API_URL", "https://api.coingecko.com/api/v3" }, { "CRYPTO_API_KEY_FILE", NULL },
        { "STOCK_API_URL", "https://finnhub.io/api/v1" }, { "STOCK_API_KEY_FILE", NULL },
        { "RESPONSE_REMINDER_HOURS", "8,24,48,168" }, { "COMMISSION_RATE", "0.10" },
        { "MAIL_URL", "smtp://127.0.0.1:25" }, { "MAIL_PASSWORD_FILE", NULL }, { "MAIL_CA_FILE", NULL }, { "MAIL_FROM", NULL },
    };
    assert_int_equal(OPT_COUNT, ARRAY_LEN(contract));
    for (size_t i = 0; i < ARRAY_LEN(contract); i++) {
        assert_string_equal(options_table[i].name, contract[i].name);
        if (!contract[i].fallback)
            assert_null(options_table[i].fallback);
        else
            assert_string_equal(options_table[i].fallback, contract[i].fallback);
    }
}

static void zero_is_accepted_only_where_the_contract_says_so(void **state)
{
    (void)state;
    static const enum option_id zero[] = { OPT_WORKER_MAX_JOBS,     OPT_LOCAL_API_RETRIES, OPT_WORKER_BACKOFF,
                                           OPT_PEYGIR_LIMIT_FACTOR, OPT_REDIS_DB,          OPT_REDIS_CACHE_DB,
                                           OPT_REDIS_SESSION_DB,    OPT_COMMISSION_RATE };
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const struct setting *row = &options_table[i];
        if (row->type != SETTING_INT && row->type != SETTING_NUMBER)
            continue;
        bool may = false;
        for (size_t j = 0; j < ARRAY_LEN(zero); j++)
            may = may || zero[j] == i;
        if ((settings_check(row, "0", NULL) == 0) != may)
            fail_msg("%s and zero", row->name);
        if (settings_check(row, "1", NULL) != 0 || settings_check(row, "-1", NULL) == 0)
            fail_msg("%s and one", row->name);
    }
}

static void checks_accept(enum option_id id, const char *const right[], const char *const wrong[])
{
    for (size_t i = 0; right[i]; i++)
        if (settings_check(&options_table[id], right[i], NULL) != 0)
            fail_msg("%s=%s is refused", options_table[id].name, right[i]);
    for (size_t i = 0; wrong[i]; i++)
        if (settings_check(&options_table[id], wrong[i], NULL) == 0)
            fail_msg("%s=%s is accepted", options_table[id].name, wrong[i]);
}

static void each_option_accepts_its_own_form(void **state)
{
    (void)state;
    checks_accept(OPT_REDIS_URL,
                  LIST("redis://h", "rediss://:p@h:1/2", "unix:///s?db=1", "redis+sentinel://a:1,b:2/m/0",
                       "redis+cluster://a:1"),
                  LIST("http://h", "h:6379", "redis:h", "redis://"));
    checks_accept(OPT_REDIS_HOST, LIST("h-1.example", "::1", "10.0.0.1"), LIST("a b", "a/b", "u@h", ""));
    checks_accept(OPT_REDIS_PORT, LIST("1", "65535"), LIST("65536", "redis"));
    checks_accept(OPT_LOCAL_API_URL, LIST("http://h:1", "https://h/x"), LIST("ftp://h", "h:1"));
    checks_accept(OPT_PEYGIR_PREFIX, LIST("ocr", "{ocr}", "A_b-1.c"), LIST("a:b", "a b", "\xd9\xbe", "a*"));
    checks_accept(OPT_REDIS_TASK_QUEUE_PREFIX, LIST("ocr:task:queue", "{a}:b"), LIST("a b", "a*"));
    checks_accept(OPT_PEYGIR_LOCALE, LIST("fa", "en", "pt-BR"),
                  LIST("../etc", "-", "a_b", "much-too-long-for-a-language"));
    checks_accept(OPT_WORKER_QUEUES, LIST("task", "task,mail", "a, b"),
                  LIST("a,", "a:b", "task,cache", "session", ","));
    checks_accept(OPT_PEYGIR_DEMO, LIST("on", "off"), LIST("true", "1"));
    checks_accept(OPT_PEYGIR_DEMO_SPEED, LIST("0.1", "1000", "10"), LIST("0.09", "0", "1001"));
    checks_accept(OPT_RESPONSE_REMINDER_HOURS, LIST("8", "8,24", "1, 2"),
                  LIST("8,", "8;9", "0", "8,00", "1.5", "12345"));
    checks_accept(OPT_COMMISSION_RATE, LIST("0", "0.10", "1"), LIST("1.1", "10%", "-0.1"));
    checks_accept(OPT_MAIL_URL, LIST("smtp://h", "smtps://u:p@h:465"), LIST("http://h", "h"));
    checks_accept(OPT_MAIL_FROM, LIST("a@b", "peygir@example.org"),
                  LIST("a", "@b", "a@", "a@b@c", "A <a@b>", "a@b,c@d", "a@b\nc"));
    char prefix[66];
    memset(prefix, 'p', 65);
    prefix[65] = '\0';
    checks_accept(OPT_PEYGIR_PREFIX, LIST(prefix + 1), LIST(prefix));
}

static void queues_have_no_name_that_the_contract_keeps(void **state)
{
    (void)state;
    assert_true(options_queue_name(SPAN("task")));
    assert_true(options_queue_name(SPAN("caches")));
    static const char *const kept[] = { "stats", "schedule", "worker", "lock", "notifications", "session",
                                        "user_sessions", "cache", "limit", "presence", "", "a:b", "a b", "{a}" };
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        assert_false(options_queue_name(span_of(kept[i])));
    assert_false(options_queue_name((struct span){ "a\0b", 3 }));
}

static void command_line_wins_over_environment_over_file_over_default(void **state)
{
    (void)state;
    struct run r;
    start(&r, &worker, "WORKER_TRIES=4\nWORKER_SLEEP=5\nWORKER_DRAIN=6\n",
          LIST("WORKER_SLEEP=50", "WORKER_DRAIN=60", "HOME=/"),
          LIST("--drain=600", "--set", "WORKER_TIMEOUT=700"));
    assert_int_equal(r.status, -1);
    assert_string_equal(r.err, "");
    assert_int_equal(settings_int(&r.s, OPT_WORKER_CONCURRENCY), 1000);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_TRIES), 4);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_SLEEP), 50);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_DRAIN), 600);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_TIMEOUT), 700);
    assert_int_equal(r.s.source[OPT_WORKER_SLEEP], FROM_ENVIRONMENT);
    assert_int_equal(r.s.source[OPT_WORKER_DRAIN], FROM_ARGUMENT);
    settings_free(&r.s);
}

static void the_workers_flags_are_options(void **state)
{
    (void)state;
    struct run r;
    start(&r, &worker, "", NULL,
          LIST("high", "--concurrency=1", "--sleep", "2", "low", "--tries=3", "--timeout=4", "--backoff=0",
               "--max-time=6",
               "--max-jobs=7", "--drain=8", "--once", "--", "--odd"));
    assert_int_equal(r.status, -1);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_CONCURRENCY), 1);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_SLEEP), 2);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_TRIES), 3);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_TIMEOUT), 4);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_BACKOFF), 0);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_MAX_TIME), 6);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_MAX_JOBS), 7);
    assert_int_equal(settings_int(&r.s, OPT_WORKER_DRAIN), 8);
    assert_true(once);
    assert_int_equal(r.argc - r.first, 3);
    assert_string_equal(r.argv[r.first], "high");
    assert_string_equal(r.argv[r.first + 1], "low");
    assert_string_equal(r.argv[r.first + 2], "--odd");
    settings_free(&r.s);
}

static void a_bad_value_is_one_sentence_and_status_78(void **state)
{
    (void)state;
    static const char sentence[] = "PEYGIR_REQUEST_TTL=\"0\" in the environment is not accepted: "
                                   "it must be a whole number of seconds from 1 to 31622400.";
    ends_with(&web, "", LIST("PEYGIR_REQUEST_TTL=0"), NULL, EXIT_CONFIG, sentence);
    ends_with(&web, "PEYGIR_LOG_LEVEL=loud\n", NULL, NULL, EXIT_CONFIG,
              ":1: PEYGIR_LOG_LEVEL=\"loud\" is not accepted: it must be error, warn, info or debug.");
    ends_with(&worker, "", NULL, LIST("--concurrency=many"), EXIT_CONFIG,
              "WORKER_CONCURRENCY=\"many\" on the command line");
    ends_with(&web, "", LIST("WORKER_SLEEP=0"), NULL, EXIT_CONFIG, "WORKER_SLEEP=\"0\"");
    ends_with(&web, "", LIST("PEYGIR_HTTP_PORT=x"), NULL, EXIT_CONFIG, "PEYGIR_HTTP_PORT=\"x\"");
}

static void an_unknown_name_of_ours_is_status_78(void **state)
{
    (void)state;
    ends_with(&web, "", LIST("PEYGIR_LOCAL=fa"), NULL, EXIT_CONFIG,
              "PEYGIR_LOCAL=\"fa\" in the environment is not an option");
    ends_with(&web, "\nPEYGIR_X=1\n", NULL, NULL, EXIT_CONFIG, ":2: PEYGIR_X=\"1\" is not an option");
    ends_with(&web, "", NULL, LIST("--set", "NOBODYS=1"), EXIT_CONFIG,
              "NOBODYS=\"1\" on the command line is not an option");
}

static void a_named_file_must_exist(void **state)
{
    (void)state;
    ends_with(&web, "", NULL, LIST("--config", "/nowhere/x"), EXIT_CONFIG, "/nowhere/x cannot be read: No such file");
}

static void a_wrong_flag_is_status_2(void **state)
{
    (void)state;
    ends_with(&web, "", NULL, LIST("--concurrency=1"), EXIT_USAGE, "--concurrency is not one of its flags");
    ends_with(&web, "", NULL, LIST("-v"), EXIT_USAGE, "-v is not one of its flags");
    ends_with(&web, "", NULL, LIST("operand"), EXIT_USAGE, "takes no operand");
    ends_with(&web, "", NULL, LIST("--", "operand"), EXIT_USAGE, "takes no operand");
    ends_with(&web, "", NULL, LIST("--set", "REDIS_DB"), EXIT_USAGE, "--set needs NAME=VALUE");
    ends_with(&web, "", NULL, LIST("--set"), EXIT_USAGE, "--set needs NAME=VALUE");
    ends_with(&web, "", NULL, LIST("--config"), EXIT_USAGE, "--config needs");
    ends_with(&worker, "", NULL, LIST("--tries"), EXIT_USAGE, "--tries needs a value");
    ends_with(&worker, "", NULL, LIST("--tries", "--once"), EXIT_USAGE, "--tries needs a value");
    ends_with(&worker, "", NULL, LIST("--once=1"), EXIT_USAGE, "--once takes no value");
}

static void secrets_do_not_appear_in_messages(void **state)
{
    (void)state;
    struct run r;
    start(&r, &web, "", LIST("REDIS_URL=http://:hunter2@h"), NULL);
    assert_int_equal(r.status, EXIT_CONFIG);
    assert_null(strstr(r.err, "hunter2"));
    assert_non_null(strstr(r.err,
                           "REDIS_URL in the environment is not accepted: it must be a URL that begins with redis://"));
    settings_free(&r.s);
}

static void help_and_version_need_no_sound_configuration(void **state)
{
    (void)state;
    struct run r;
    start(&r, &worker, "nonsense", LIST("PEYGIR_NONSENSE=1"), LIST("--help"));
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "Usage: peygir-worker [FLAG...] [QUEUE...]\nWorks.\n"));
    assert_non_null(strstr(r.out, "  --concurrency=N, WORKER_CONCURRENCY=N\n"));
    assert_non_null(strstr(r.out, "  --once\n        Take one job and exit.\n"));
    assert_non_null(strstr(r.out, "  PEYGIR_LOG_LEVEL=error|warn|info|debug\n"));
    assert_null(strstr(r.out, "WEB_THREADS"));
    settings_free(&r.s);
    start(&r, &web, "nonsense", NULL, LIST("--version"));
    assert_int_equal(r.status, 0);
    assert_string_equal(r.out, "peygir-web " PACKAGE_VERSION "\n");
    settings_free(&r.s);
    start(&r, &cli, "", NULL, LIST("--help"));
    assert_non_null(strstr(r.out, "\nVerbs:\n  all of them\n"));
    settings_free(&r.s);
}

static void a_verbs_flags_are_left_to_the_verb(void **state)
{
    (void)state;
    struct run r;
    start(&r, &cli, "", NULL, LIST("request", "--status=failed", "--set=REDIS_DB=3", "list", "--once", "-n", "--help",
                                   "--", "--set"));
    assert_int_equal(r.status, -1);
    assert_true(once);
    assert_int_equal(settings_int(&r.s, OPT_REDIS_DB), 3);
    static const char *const left[] = { "request", "--status=failed", "list", "-n", "--help", "--", "--set" };
    assert_int_equal(r.argc - r.first, ARRAY_LEN(left));
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        assert_string_equal(r.argv[r.first + (int)i], left[i]);
    settings_free(&r.s);
    ends_with(&cli, "", NULL, LIST("--status=failed", "request"), EXIT_USAGE, "--status is not one of its flags");
}

static void given(struct settings *s, const char *const assignments[])
{
    struct err err = ERR_INIT;
    settings_init(s, options_table, OPT_COUNT);
    if (settings_load_environment(s, (char *const *)assignments, &err) != 0)
        fail_msg("%s", err.text);
}

static void urls_are(const char *const assignments[], const char *main_url, const char *cache, const char *session)
{
    const char *const expected[] = { [REDIS_MAIN] = main_url, [REDIS_CACHE] = cache, [REDIS_SESSION] = session };
    struct settings s;
    given(&s, assignments);
    for (int role = REDIS_MAIN; role <= REDIS_SESSION; role++) {
        char *url = options_redis_url(&s, (enum redis_role)role);
        assert_string_equal(url, expected[role]);
        free(url);
    }
    settings_free(&s);
}

static void the_redis_url_comes_from_its_parts(void **state)
{
    (void)state;
    urls_are(LIST("HOME=/"), "redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/1", "redis://127.0.0.1:6379/2");
    urls_are(LIST("REDIS_HOST=::1", "REDIS_PORT=7", "REDIS_PASSWORD=a b@/:?%", "REDIS_DB=9", "REDIS_CACHE_DB=0"),
             "redis://:a%20b%40%2F%3A%3F%25@[::1]:7/9", "redis://:a%20b%40%2F%3A%3F%25@[::1]:7/0",
             "redis://:a%20b%40%2F%3A%3F%25@[::1]:7/2");
    urls_are(LIST("REDIS_PASSWORD=null"), "redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/1",
             "redis://127.0.0.1:6379/2");
}

static void a_redis_url_keeps_its_own_database(void **state)
{
    (void)state;
    urls_are(LIST("REDIS_URL=redis://u:p@h:1/5", "REDIS_DB=3", "REDIS_HOST=x"), "redis://u:p@h:1/5",
             "redis://u:p@h:1/1", "redis://u:p@h:1/2");
    urls_are(LIST("REDIS_URL=redis://h"), "redis://h", "redis://h/1", "redis://h/2");
    urls_are(LIST("REDIS_URL=redis://h/", "REDIS_DB=3"), "redis://h/3", "redis://h/1", "redis://h/2");
    urls_are(LIST("REDIS_URL=unix:///r/s?db=4"), "unix:///r/s?db=4", "unix:///r/s?db=1", "unix:///r/s?db=2");
    urls_are(LIST("REDIS_URL=unix:///r/s?password=p", "REDIS_DB=3"), "unix:///r/s?db=3&password=p",
             "unix:///r/s?db=1&password=p", "unix:///r/s?db=2&password=p");
    urls_are(LIST("REDIS_URL=redis+sentinel://a:1,b:2/master/4"), "redis+sentinel://a:1,b:2/master/4",
             "redis+sentinel://a:1,b:2/master/1", "redis+sentinel://a:1,b:2/master/2");
    urls_are(LIST("REDIS_URL=redis+sentinel://a:1/master", "REDIS_CACHE_DB=7"), "redis+sentinel://a:1/master",
             "redis+sentinel://a:1/master/7", "redis+sentinel://a:1/master/2");
}

static void a_cluster_has_one_database(void **state)
{
    (void)state;
    urls_are(LIST("REDIS_URL=redis+cluster://a:1,b:2", "REDIS_CACHE_DB=1"), "redis+cluster://a:1,b:2",
             "redis+cluster://a:1,b:2", "redis+cluster://a:1,b:2");
}

static void cache_and_sessions_may_live_elsewhere(void **state)
{
    (void)state;
    urls_are(LIST("REDIS_URL=redis://m", "REDIS_CACHE_URL=redis://c/6", "REDIS_SESSION_URL=redis://s"), "redis://m",
             "redis://c/6", "redis://s");
    urls_are(LIST("REDIS_SESSION_URL=redis://s", "REDIS_SESSION_DB=8"), "redis://127.0.0.1:6379/0",
             "redis://127.0.0.1:6379/1", "redis://s/8");
}

static void key_is(const char *const assignments[], enum option_id id, const char *expected)
{
    struct settings s;
    given(&s, assignments);
    char *key = options_key(&s, id);
    assert_string_equal(key, expected);
    free(key);
    settings_free(&s);
}

static void keys_come_from_the_prefix_unless_set(void **state)
{
    (void)state;
    key_is(LIST("HOME=/"), OPT_REDIS_TASK_QUEUE_PREFIX, "peygir:task:queue");
    key_is(LIST("PEYGIR_PREFIX=ocr"), OPT_REDIS_TASK_DATA_PREFIX, "ocr:task:data");
    key_is(LIST("PEYGIR_PREFIX={ocr}"), OPT_REDIS_SESSION_PREFIX, "{ocr}:session");
    key_is(LIST("PEYGIR_PREFIX=ocr"), OPT_REDIS_PUBSUB_CHANNEL, "ocr:notifications");
    key_is(LIST("PEYGIR_PREFIX=ocr", "REDIS_TASK_QUEUE_PREFIX=q"), OPT_REDIS_TASK_QUEUE_PREFIX, "q");
}

static void directories_are_the_installed_ones_unless_set(void **state)
{
    (void)state;
    struct settings s;
    given(&s, LIST("PEYGIR_JOBS_DIR=/j"));
    assert_string_equal(options_dir(&s, OPT_PEYGIR_JOBS_DIR), "/j");
    assert_string_equal(options_dir(&s, OPT_PEYGIR_SERVICES_DIR), PKGSYSCONFDIR "/services");
    assert_string_equal(options_dir(&s, OPT_PEYGIR_SOURCES_DIR), PKGSYSCONFDIR "/sources");
    assert_string_equal(options_dir(&s, OPT_PEYGIR_NOTIFICATIONS_DIR), PKGSYSCONFDIR "/notifications");
    assert_string_equal(options_dir(&s, OPT_PEYGIR_TEMPLATES_DIR), PKGDATADIR "/templates");
    assert_string_equal(options_dir(&s, OPT_PEYGIR_LOCALES_DIR), PKGDATADIR "/locales");
    settings_free(&s);
}

static void threads_are_at_least_four_unless_set(void **state)
{
    (void)state;
    struct settings s;
    given(&s, LIST("HOME=/"));
    long twice = 2 * sysconf(_SC_NPROCESSORS_ONLN);
    assert_int_equal(options_threads(&s), twice < 4 ? 4 : twice);
    settings_free(&s);
    given(&s, LIST("WEB_THREADS=1"));
    assert_int_equal(options_threads(&s), 1);
    settings_free(&s);
}

static void lists_are_taken_apart_at_commas(void **state)
{
    (void)state;
    const char *rest = "a, b ,,c";
    struct span item;
    static const char *const expected[] = { "a", "b", "", "c" };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_true(options_list_next(&rest, &item));
        assert_true(span_is(item, expected[i]));
    }
    assert_false(options_list_next(&rest, &item));
    rest = NULL;
    assert_false(options_list_next(&rest, &item));
}

static void shown(const char *const assignments[], enum option_id id, const char *expected)
{
    struct settings s;
    given(&s, assignments);
    char *text = options_shown(&s, id);
    if (!expected)
        assert_null(text);
    else
        assert_string_equal(text, expected);
    free(text);
    settings_free(&s);
}

static void people_see_what_is_in_force_without_passwords(void **state)
{
    (void)state;
    shown(LIST("REDIS_PASSWORD=hunter2"), OPT_REDIS_PASSWORD, "***");
    shown(LIST("REDIS_PASSWORD=hunter2"), OPT_REDIS_URL, "redis://***@127.0.0.1:6379/0");
    shown(LIST("REDIS_URL=redis://:hunter2@h/3"), OPT_REDIS_SESSION_URL, "redis://***@h/2");
    shown(LIST("MAIL_URL=smtp://u:hunter2@h"), OPT_MAIL_URL, "smtp://***@h");
    shown(LIST("HOME=/"), OPT_REDIS_CACHE_URL, "redis://127.0.0.1:6379/1");
    shown(LIST("HOME=/"), OPT_PEYGIR_SERVICES_DIR, PKGSYSCONFDIR "/services");
    shown(LIST("HOME=/"), OPT_REDIS_PUBSUB_CHANNEL, "peygir:notifications");
    shown(LIST("WEB_THREADS=6"), OPT_WEB_THREADS, "6");
    shown(LIST("HOME=/"), OPT_PEYGIR_LOCALE, "fa");
    shown(LIST("HOME=/"), OPT_MAIL_FROM, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_its_name_and_a_default_that_it_accepts),
        cmocka_unit_test(the_table_has_the_contracts_names_and_defaults),
        cmocka_unit_test(zero_is_accepted_only_where_the_contract_says_so),
        cmocka_unit_test(each_option_accepts_its_own_form),
        cmocka_unit_test(queues_have_no_name_that_the_contract_keeps),
        cmocka_unit_test(command_line_wins_over_environment_over_file_over_default),
        cmocka_unit_test(the_workers_flags_are_options),
        cmocka_unit_test(a_bad_value_is_one_sentence_and_status_78),
        cmocka_unit_test(an_unknown_name_of_ours_is_status_78),
        cmocka_unit_test(a_named_file_must_exist),
        cmocka_unit_test(a_wrong_flag_is_status_2),
        cmocka_unit_test(secrets_do_not_appear_in_messages),
        cmocka_unit_test(help_and_version_need_no_sound_configuration),
        cmocka_unit_test(a_verbs_flags_are_left_to_the_verb),
        cmocka_unit_test(the_redis_url_comes_from_its_parts),
        cmocka_unit_test(a_redis_url_keeps_its_own_database),
        cmocka_unit_test(a_cluster_has_one_database),
        cmocka_unit_test(cache_and_sessions_may_live_elsewhere),
        cmocka_unit_test(keys_come_from_the_prefix_unless_set),
        cmocka_unit_test(directories_are_the_installed_ones_unless_set),
        cmocka_unit_test(threads_are_at_least_four_unless_set),
        cmocka_unit_test(lists_are_taken_apart_at_commas),
        cmocka_unit_test(people_see_what_is_in_force_without_passwords),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
