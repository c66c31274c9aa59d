/* options.c: THE option table (contract 2 and 3), and the values that follow from several options.
 * The start-up of the programs is in options_start.c. */
#include "core/options.h"

#include "base/address.h"
#include "core/rules_text.h"

#include <unistd.h>

/* --- checks beyond type and range; the sentence is the row's `accepts` --- */

static const char letters_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* 1 to max bytes, letters, digits and those of `more`. */
static int check_characters(const char *value, const char *more, size_t max)
{
    size_t n = 0;
    while (value[n] && (strchr(letters_digits, value[n]) || strchr(more, value[n])))
        n++;
    return n > 0 && n <= max && !value[n] ? 0 : -1;
}

static int check_schemes(const char *value, const char *const schemes[])
{
    for (size_t i = 0; schemes[i]; i++) {
        size_t n = strlen(schemes[i]);
        if (strncmp(value, schemes[i], n) == 0 && strncmp(value + n, "://", 3) == 0)
            return 0;
    }
    return -1;
}

/* What is not built yet passes here, because redisurl_parse() refuses it with a sentence of its own. */
#define REDIS_SCHEMES "a URL that begins with redis:// or unix://"
static int check_redis_url(const char *value, struct err *err)
{
    static const char *const schemes[] = { "redis", "rediss", "unix", "redis+sentinel", "redis+cluster", NULL };
    (void)err;
    return check_schemes(value, schemes);
}

#define HTTP_SCHEMES "a URL that begins with http:// or https://"
static int check_http_url(const char *value, struct err *err)
{
    static const char *const schemes[] = { "http", "https", NULL };
    (void)err;
    return check_schemes(value, schemes);
}

/* One that is shown to people: keys have a file of their own. */
static int check_source_url(const char *value, struct err *err)
{
    const char *host = strstr(value, "://");
    return host && memchr(host, '@', strcspn(host, "?#")) ? -1 : check_http_url(value, err);
}

static int check_mail_url(const char *value, struct err *err)
{
    static const char *const schemes[] = { "smtp", "smtps", NULL };
    (void)err;
    return check_schemes(value, schemes);
}

static int check_host(const char *value, struct err *err)
{
    (void)err;
    return check_characters(value, ".-_:", 253);
}

static int check_prefix(const char *value, struct err *err)
{
    (void)err;
    return check_characters(value, "_-.{}", 64);
}

#define KEY_CHARACTERS "letters, digits and _ - . : { } only, at most 128"
static int check_key(const char *value, struct err *err)
{
    (void)err;
    return check_characters(value, "_-.:{}", 128);
}

static int check_locale(const char *value, struct err *err)
{
    (void)err;
    return *value != '-' ? check_characters(value, "-", 16) : -1;
}

bool options_queue_name(struct span name)
{
    static const char *const kept[] = { "stats", "schedule", "worker", "lock", "notifications", "session",
                                        "user_sessions", "cache", "limit", "presence" };
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (span_is(name, kept[i]))
            return false;
    size_t n = 0;
    while (n < name.len && name.s[n] && (strchr(letters_digits, name.s[n]) || strchr("_-", name.s[n])))
        n++;
    return n > 0 && n == name.len && n <= 64;
}

static int check_queues(const char *value, struct err *err)
{
    struct span name;
    while (options_list_next(&value, &name))
        if (!options_queue_name(name))
            return err_set(err, ERR_CONFIG, "\"%.*s\" is none", name.len > 64 ? 64 : (int)name.len, name.s);
    return 0;
}

static int check_hours(const char *value, struct err *err)
{
    struct span item;
    (void)err;
    while (options_list_next(&value, &item))
        if (item.len == 0 || item.len > 4 || strspn(item.s, "0123456789") < item.len ||
            strspn(item.s, "0") >= item.len)
            return -1;
    return 0;
}

static int check_addresses(const char *value, struct err *err)
{
    (void)err;
    return address_is_list(value) ? 0 : -1;
}

static int check_speed(const char *value, struct err *err)
{
    (void)err;
    return strtod(value, NULL) >= 0.1 ? 0 : -1;
}

static int check_mail_from(const char *value, struct err *err)
{
    (void)err;
    return rules_is_email(span_of(value)) ? 0 : -1;
}

/* --- the table --- */

enum {
    ALMOST_ALL = PROGRAM_WEB | PROGRAM_WORKER | PROGRAM_PUSH | PROGRAM_CLI,
    YEAR_S = 366 * 24 * 60 * 60,
    DAY_S = 24 * 60 * 60,
    DATABASE_MAX = 65535
};

#define ROW(id, ...) [OPT_##id] = { .name = #id, __VA_ARGS__ }
#define SECONDS(from, to) .type = SETTING_INT, .unit = "seconds", .min = (from), .max = (to)
#define WHOLE(from, to) .type = SETTING_INT, .min = (from), .max = (to)
#define WORDS(text) .type = SETTING_WORD, .choices = (text)

const struct setting options_table[OPT_COUNT] = {
    ROW(PEYGIR_HTTP_PORT, WHOLE(1, 65535), .fallback = "8080", .programs = PROGRAM_RUN,
        .help = "Port of the loopback address on which the nginx of ./run listens."),
    ROW(PEYGIR_BOT_PORT, WHOLE(1, 65535), .fallback = "9999", .programs = PROGRAM_RUN | PROGRAM_BOT,
        .help = "Port of the loopback address on which the demonstration bot of ./run answers."),
    ROW(PEYGIR_RUN_DIR, .type = SETTING_PATH, .fallback = ".run", .programs = PROGRAM_RUN,
        .help = "Directory in which ./run keeps sockets, logs, process ids, the secret and the programs' options."),
    ROW(PEYGIR_DEMO, WORDS("on off"), .fallback = "on", .programs = PROGRAM_RUN,
        .help = "Whether ./run starts the demonstration bot; when off, LOCAL_API_URL names another."),
    ROW(PEYGIR_DEMO_SPEED, .type = SETTING_NUMBER, .min = 0, .max = 1000, .fallback = "1",
        .programs = PROGRAM_RUN | PROGRAM_BOT, .check = check_speed, .accepts = "a number from 0.1 to 1000",
        .help = "How many times faster than in life the demonstration bot works."),

    ROW(REDIS_URL, .type = SETTING_URL, .programs = ALMOST_ALL | PROGRAM_BOT, .secret = true, .check = check_redis_url,
        .accepts = REDIS_SCHEMES,
        .help = "Redis server and database: redis://[user:password@]host:port/db or unix:///path?db=0. "
                "When not set, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD and REDIS_DB tell."),
    ROW(REDIS_HOST, .type = SETTING_TEXT, .fallback = "127.0.0.1", .programs = ALMOST_ALL, .check = check_host,
        .accepts = "a host name or an address", .help = "Host of Redis, where REDIS_URL is not set."),
    ROW(REDIS_PORT, WHOLE(1, 65535), .fallback = "6379", .programs = ALMOST_ALL,
        .help = "Port of Redis, where REDIS_URL is not set."),
    ROW(REDIS_PASSWORD, .type = SETTING_TEXT, .programs = ALMOST_ALL, .secret = true,
        .help = "Password of Redis, where REDIS_URL is not set; the word null means none."),
    ROW(REDIS_DB, WHOLE(0, DATABASE_MAX), .fallback = "0", .programs = ALMOST_ALL,
        .help = "Number of the database, where REDIS_URL names none."),
    ROW(REDIS_CACHE_DB, WHOLE(0, DATABASE_MAX), .fallback = "1", .programs = ALMOST_ALL,
        .help = "Number of the database of cached data. Not used on a cluster, which has one database."),
    ROW(REDIS_SESSION_DB, WHOLE(0, DATABASE_MAX), .fallback = "2", .programs = ALMOST_ALL,
        .help = "Number of the database of sessions. Not used on a cluster, which has one database."),
    ROW(REDIS_CACHE_URL, .type = SETTING_URL, .programs = ALMOST_ALL, .secret = true, .check = check_redis_url,
        .accepts = REDIS_SCHEMES,
        .help = "Redis server of cached data. When not set, the main server with REDIS_CACHE_DB."),
    ROW(REDIS_SESSION_URL, .type = SETTING_URL, .programs = ALMOST_ALL, .secret = true, .check = check_redis_url,
        .accepts = REDIS_SCHEMES,
        .help = "Redis server of sessions. When not set, the main server with REDIS_SESSION_DB."),

    ROW(LOCAL_API_URL, .type = SETTING_URL, .fallback = "http://127.0.0.1:9999",
        .programs = PROGRAM_WORKER | PROGRAM_CLI,
        .check = check_http_url, .accepts = HTTP_SCHEMES, .help = "Where bots answer."),
    ROW(LOCAL_API_TIMEOUT, SECONDS(1, DAY_S), .fallback = "180", .programs = PROGRAM_WORKER | PROGRAM_CLI,
        .help = "Longest time that a bot may take for one call."),
    ROW(LOCAL_API_RETRIES, WHOLE(0, 100), .fallback = "2", .programs = PROGRAM_WORKER | PROGRAM_CLI,
        .help = "How often a connection to a bot that failed is tried again."),

    ROW(PEYGIR_PREFIX, .type = SETTING_TEXT, .fallback = "peygir", .programs = ALMOST_ALL, .check = check_prefix,
        .accepts = "letters, digits and _ - . { } only, at most 64",
        .help = "Beginning of the name of every key in Redis but those of requests. "
                "On a cluster it holds a hash tag: {peygir}."),
    ROW(REDIS_TASK_QUEUE_PREFIX, .type = SETTING_TEXT, .programs = ALMOST_ALL, .check = check_key,
        .accepts = KEY_CHARACTERS, .help = "Key of the default queue's list. When not set, PEYGIR_PREFIX:task:queue."),
    ROW(REDIS_TASK_DATA_PREFIX, .type = SETTING_TEXT, .programs = ALMOST_ALL, .check = check_key,
        .accepts = KEY_CHARACTERS,
        .help = "Key of the default queue's job hashes, without :id. When not set, PEYGIR_PREFIX:task:data."),
    ROW(REDIS_SESSION_PREFIX, .type = SETTING_TEXT, .programs = ALMOST_ALL, .check = check_key,
        .accepts = KEY_CHARACTERS, .help = "Key of sessions, without :token. When not set, PEYGIR_PREFIX:session."),
    ROW(REDIS_PUBSUB_CHANNEL, .type = SETTING_TEXT, .programs = ALMOST_ALL, .check = check_key,
        .accepts = KEY_CHARACTERS, .help = "Channel of notifications. When not set, PEYGIR_PREFIX:notifications."),
    ROW(PEYGIR_REQUEST_TTL, SECONDS(1, YEAR_S), .fallback = "1800", .programs = ALMOST_ALL,
        .help = "How long a request lives after its last change."),

    ROW(PEYGIR_SERVICES_DIR, .type = SETTING_PATH, .programs = ALMOST_ALL,
        .help = "Directory of the service definitions. When not set, the installed one."),
    ROW(PEYGIR_JOBS_DIR, .type = SETTING_PATH, .programs = ALMOST_ALL,
        .help = "Directory of the job types. When not set, the installed one."),
    ROW(PEYGIR_SOURCES_DIR, .type = SETTING_PATH, .programs = ALMOST_ALL,
        .help = "Directory of the sources of external data. When not set, the installed one."),
    ROW(PEYGIR_NOTIFICATIONS_DIR, .type = SETTING_PATH, .programs = PROGRAM_WEB | PROGRAM_WORKER,
        .help = "Directory of what users are notified of. When not set, the installed one."),
    ROW(PEYGIR_TEMPLATES_DIR, .type = SETTING_PATH, .programs = PROGRAM_WEB | PROGRAM_WORKER | PROGRAM_CLI,
        .help = "Directory of the page templates. When not set, the installed one."),
    ROW(PEYGIR_LOCALES_DIR, .type = SETTING_PATH, .programs = ALMOST_ALL,
        .help = "Directory of the texts by language. When not set, the installed one."),
    ROW(PEYGIR_LOCALE, .type = SETTING_TEXT, .fallback = "fa", .programs = ALMOST_ALL, .check = check_locale,
        .accepts = "a language that has a file in PEYGIR_LOCALES_DIR, such as fa or en",
        .help = "Language when the visitor says nothing."),
    ROW(PEYGIR_SECRET_FILE, .type = SETTING_PATH, .programs = ALMOST_ALL,
        .help = "File of secret keys, one a line: the first makes, all open. Mode 0600, the same on every host. "
                "peygir-web and peygir-push do not start without, nor does peygir-worker when a service seals its values."),
    ROW(PEYGIR_SITE_URL, .type = SETTING_URL, .programs = PROGRAM_WORKER, .check = check_http_url, .accepts = HTTP_SCHEMES,
        .help = "Address of the site as visitors know it, such as https://peygir.example.org, to which links in e-mail lead."),
    ROW(PEYGIR_LIMIT_FACTOR, .type = SETTING_NUMBER, .min = 0, .max = 1000000, .fallback = "1",
        .programs = PROGRAM_WEB | PROGRAM_PUSH | PROGRAM_RUN,
        .help = "Multiplies every rate limit; 0 switches them off."),
    ROW(PEYGIR_INTERNAL_FROM, .type = SETTING_TEXT, .fallback = "127.0.0.0/8,::1,unix:", .programs = PROGRAM_WEB | PROGRAM_PUSH,
        .check = check_addresses, .accepts = "addresses and networks such as 10.1.0.0/16 with commas between them",
        .help = "Addresses from which /api/internal may be used; for others it does not exist. unix: is a socket of nginx."),
    ROW(PEYGIR_LOG_LEVEL, WORDS("error warn info debug"), .fallback = "info",
        .help = "The least important kind of event that is logged."),
    ROW(PEYGIR_LOG_FORMAT, WORDS("text json"), .fallback = "text",
        .help = "How an event is written to standard error, one line each."),
    ROW(WEB_THREADS, WHOLE(1, 1024), .programs = PROGRAM_WEB,
        .help = "Threads of the responder. When not set, twice the cores and at least 4."),

    ROW(WORKER_QUEUES, .type = SETTING_TEXT, .programs = PROGRAM_WORKER, .check = check_queues,
        .accepts = "names of queues with commas between them (letters, digits, _ and -; not stats, schedule, worker, "
                   "lock, notifications, session, user_sessions, cache, limit, presence)",
        .help = "Queues that are worked on, the most urgent first; operands of the command line win. "
                "When not set, every queue that a job type names, task first."),
    ROW(WORKER_CONCURRENCY, WHOLE(1, 100000), .fallback = "1000", .programs = PROGRAM_WORKER, .flag = "concurrency",
        .help = "How many jobs one process carries out at once."),
    ROW(WORKER_TRIES, WHOLE(1, 1000), .fallback = "3", .programs = PROGRAM_WORKER, .flag = "tries",
        .help = "How often a job is tried in all, where its type does not say."),
    ROW(WORKER_TIMEOUT, SECONDS(1, DAY_S), .fallback = "300", .programs = PROGRAM_WORKER, .flag = "timeout",
        .help = "Longest time for one try of a job, where its type does not say."),
    ROW(WORKER_BACKOFF, SECONDS(0, DAY_S), .fallback = "60", .programs = PROGRAM_WORKER, .flag = "backoff",
        .help = "Wait before a job is tried again, where its type does not say."),
    ROW(WORKER_SLEEP, SECONDS(1, 3600), .fallback = "3", .programs = PROGRAM_WORKER, .flag = "sleep",
        .help = "Longest time between two looks at the queues when no wake-up arrives."),
    ROW(WORKER_MAX_TIME, SECONDS(1, YEAR_S), .fallback = "3600", .programs = PROGRAM_WORKER, .flag = "max-time",
        .help = "Time after which the worker finishes what it has and exits, for its supervisor to start it again."),
    ROW(WORKER_MAX_JOBS, WHOLE(0, 1000000000), .fallback = "0", .programs = PROGRAM_WORKER, .flag = "max-jobs",
        .help = "Number of jobs after which the worker exits likewise; 0 means no limit."),
    ROW(WORKER_DRAIN, SECONDS(1, DAY_S), .fallback = "30", .programs = PROGRAM_WORKER, .flag = "drain",
        .help = "How long running jobs may go on after SIGTERM before they are given back."),

    ROW(SESSION_TTL, SECONDS(1, YEAR_S), .fallback = "604800", .programs = PROGRAM_WEB | PROGRAM_PUSH | PROGRAM_CLI,
        .help = "Longest life of a session."),
    ROW(SESSION_IDLE, SECONDS(1, YEAR_S), .fallback = "1800", .programs = PROGRAM_WEB | PROGRAM_PUSH | PROGRAM_CLI,
        .help = "Time without activity after which a session ends."),
    ROW(SESSION_MAX_PER_USER, WHOLE(1, 10000), .fallback = "10", .programs = PROGRAM_WEB | PROGRAM_CLI,
        .help = "Sessions that one user may have; the oldest is dropped."),
    ROW(SESSION_KEYS, WORDS("hashed plain"), .fallback = "hashed", .programs = PROGRAM_WEB | PROGRAM_PUSH | PROGRAM_CLI,
        .help = "Whether a session's key holds the SHA-256 of its token or the token itself."),

    ROW(ADMIN_IDLE, SECONDS(1, DAY_S), .fallback = "900", .programs = PROGRAM_WEB,
        .help = "Time after which an administrator who asked for nothing is signed out."),
    ROW(ADMIN_TTL, SECONDS(1, DAY_S * 30), .fallback = "28800", .programs = PROGRAM_WEB,
        .help = "Time after which an administrator signs in again in any case."),

    ROW(CRYPTO_API_URL, .type = SETTING_URL, .fallback = "https://api.coingecko.com/api/v3", .programs = ALMOST_ALL,
        .check = check_source_url, .accepts = HTTP_SCHEMES ", without a user", .help = "Base address of the source crypto."),
    ROW(CRYPTO_API_KEY_FILE, .type = SETTING_PATH, .programs = PROGRAM_WORKER | PROGRAM_CLI,
        .help = "File that holds the API key of the source crypto, where one is needed."),
    ROW(STOCK_API_URL, .type = SETTING_URL, .fallback = "https://finnhub.io/api/v1", .programs = ALMOST_ALL,
        .check = check_source_url, .accepts = HTTP_SCHEMES ", without a user", .help = "Base address of the source stock."),
    ROW(STOCK_API_KEY_FILE, .type = SETTING_PATH, .programs = PROGRAM_WORKER | PROGRAM_CLI,
        .help = "File that holds the API key of the source stock, where one is needed."),
    ROW(RESPONSE_REMINDER_HOURS, .type = SETTING_TEXT, .fallback = "8,24,48,168", .programs = PROGRAM_WEB,
        .check = check_hours, .accepts = "whole numbers of hours from 1 to 9999 with commas between them",
        .help = "Hours after a message when its vendor is reminded to answer it."),
    ROW(COMMISSION_RATE, .type = SETTING_NUMBER, .min = 0, .max = 1, .fallback = "0.10", .programs = PROGRAM_WEB,
        .help = "Share of a sale that is the commission."),
    ROW(MAIL_URL, .type = SETTING_URL, .fallback = "smtp://127.0.0.1:25", .programs = PROGRAM_WORKER, .secret = true,
        .check = check_mail_url, .accepts = "a URL that begins with smtp:// or smtps://",
        .help = "Server that mail is handed to: smtp://[user@]host:port or smtps://[user@]host:port. smtp:// needs STARTTLS, but not on "
                "this machine's own addresses; ?starttls=no or ?starttls=yes behind it says otherwise."),
    ROW(MAIL_PASSWORD_FILE, .type = SETTING_PATH, .programs = PROGRAM_WORKER,
        .help = "File that holds the password of the user in MAIL_URL. Mode 0600."),
    ROW(MAIL_CA_FILE, .type = SETTING_PATH, .programs = PROGRAM_WORKER,
        .help = "File of the certificates (PEM) that the mail server's is checked against. When not set, the system's."),
    ROW(MAIL_FROM, .type = SETTING_TEXT, .programs = PROGRAM_WORKER, .check = check_mail_from,
        .accepts = "one e-mail address, such as peygir@example.org", .help = "Address that mail is sent from."),
};

/* --- what follows from several options --- */

bool options_list_next(const char **rest, struct span *item)
{
    const char *at = *rest;
    if (!at)
        return false;
    size_t n = strcspn(at, ",");
    *rest = at[n] ? at + n + 1 : NULL;
    while (n > 0 && *at == ' ') {
        at++;
        n--;
    }
    while (n > 0 && at[n - 1] == ' ')
        n--;
    *item = (struct span){ at, n };
    return true;
}

static char *url_from_parts(const struct settings *s)
{
    struct str url = STR_INIT;
    const char *password = settings_text(s, OPT_REDIS_PASSWORD);
    const char *host = settings_text(s, OPT_REDIS_HOST);
    bool ipv6 = strchr(host, ':') != NULL;
    str_adds(&url, "redis://");
    if (password && strcmp(password, "null") != 0) {
        str_addc(&url, ':');
        str_add_url(&url, password, strlen(password));
        str_addc(&url, '@');
    }
    str_addf(&url, ipv6 ? "[%s]:%s/%s" : "%s:%s/%s", host, settings_text(s, OPT_REDIS_PORT),
             settings_text(s, OPT_REDIS_DB));
    return str_take(&url, NULL);
}

/* Where a URL names its database: the path of redis:// and rediss://, the second part of the path of
 * redis+sentinel:// (the first is the master's name), the parameter db of unix://. A cluster has none. */
enum db_place { DB_NOWHERE, DB_FIRST, DB_SECOND, DB_PARAMETER };

static enum db_place db_place(const char *url)
{
    static const struct {
        const char *scheme;
        enum db_place place;
    } schemes[] = { { "redis://", DB_FIRST },
                    { "rediss://", DB_FIRST },
                    { "redis+sentinel://", DB_SECOND },
                    { "unix://", DB_PARAMETER } };
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0)
            return schemes[i].place;
    return DB_NOWHERE;
}

/* The next parameter of a query; *query moves behind it. */
static bool next_parameter(const char **query, struct span *parameter)
{
    while (**query == '?' || **query == '&')
        ++*query;
    *parameter = (struct span){ *query, strcspn(*query, "&") };
    *query += parameter->len;
    return parameter->len > 0;
}

static bool is_db_parameter(struct span parameter)
{
    return parameter.len > 3 && memcmp(parameter.s, "db=", 3) == 0;
}

/* The slash before the database in the path, or the end of the path when there is none. NULL: not even a master. */
static const char *db_slash(const char *url, enum db_place place)
{
    const char *start = strstr(url, "://") + 3;
    const char *end = start + strcspn(start, "?");
    for (int slashes = place == DB_FIRST ? 1 : 2; slashes > 0; slashes--) {
        const char *slash = memchr(start, '/', (size_t)(end - start));
        if (!slash)
            return slashes == 1 ? end : NULL;
        start = slash + 1;
    }
    return start - 1;
}

static bool names_db(const char *url)
{
    enum db_place place = db_place(url);
    if (place == DB_NOWHERE)
        return true;
    if (place != DB_PARAMETER) {
        const char *slash = db_slash(url, place);
        return !slash || (slash[0] == '/' && slash[1] && slash[1] != '?');
    }
    struct span parameter;
    for (const char *query = url + strcspn(url, "?"); next_parameter(&query, &parameter);)
        if (is_db_parameter(parameter))
            return true;
    return false;
}

/* The URL with database `db` in place of whatever it names. */
static char *with_db(const char *url, const char *db)
{
    enum db_place place = db_place(url);
    const char *slash = place == DB_FIRST || place == DB_SECOND ? db_slash(url, place) : NULL;
    struct str out = STR_INIT;
    size_t path = strcspn(url, "?");
    if (place == DB_PARAMETER) {
        struct span parameter;
        str_add(&out, url, path);
        str_addf(&out, "?db=%s", db);
        for (const char *query = url + path; next_parameter(&query, &parameter);)
            if (!is_db_parameter(parameter))
                str_addf(&out, "&%.*s", (int)parameter.len, parameter.s);
    } else if (slash) {
        str_add(&out, url, (size_t)(slash - url));
        str_addf(&out, "/%s%s", db, url + path);
    } else {
        str_adds(&out, url);
    }
    return str_take(&out, NULL);
}

char *options_redis_url(const struct settings *s, enum redis_role role)
{
    static const struct {
        enum option_id url, db;
    } ids[] = { [REDIS_MAIN] = { OPT_REDIS_URL, OPT_REDIS_DB },
                [REDIS_CACHE] = { OPT_REDIS_CACHE_URL, OPT_REDIS_CACHE_DB },
                [REDIS_SESSION] = { OPT_REDIS_SESSION_URL, OPT_REDIS_SESSION_DB } };
    const char *own = settings_text(s, ids[role].url);
    const char *db = settings_text(s, ids[role].db);
    if (own) /* a default number is not forced on a server that was named without one */
        return names_db(own) || s->source[ids[role].db] == FROM_DEFAULT ? xstrdup(own) : with_db(own, db);
    if (role == REDIS_MAIN)
        return url_from_parts(s);
    char *main_url = options_redis_url(s, REDIS_MAIN);
    char *url = with_db(main_url, db);
    free(main_url);
    return url;
}

/* Options without a fixed default, and what stands for it. */
struct derived {
    enum option_id id;
    const char *text;
};

static const char *find_derived(const struct derived *list, size_t count, enum option_id id)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].id == id)
            return list[i].text;
    return NULL;
}

static const struct derived installed_dirs[] = {
    { OPT_PEYGIR_SERVICES_DIR, PKGSYSCONFDIR "/services" }, { OPT_PEYGIR_JOBS_DIR, PKGSYSCONFDIR "/jobs" },
    { OPT_PEYGIR_SOURCES_DIR, PKGSYSCONFDIR "/sources" },   { OPT_PEYGIR_TEMPLATES_DIR, PKGDATADIR "/templates" },
    { OPT_PEYGIR_LOCALES_DIR, PKGDATADIR "/locales" },      { OPT_PEYGIR_NOTIFICATIONS_DIR, PKGSYSCONFDIR "/notifications" },
};

const char *options_dir(const struct settings *s, enum option_id id)
{
    const char *set = settings_text(s, id);
    return set ? set : find_derived(installed_dirs, ARRAY_LEN(installed_dirs), id);
}

static const struct derived key_ends[] = {
    { OPT_REDIS_TASK_QUEUE_PREFIX, ":task:queue" },
    { OPT_REDIS_TASK_DATA_PREFIX, ":task:data" },
    { OPT_REDIS_SESSION_PREFIX, ":session" },
    { OPT_REDIS_PUBSUB_CHANNEL, ":notifications" },
};

char *options_key(const struct settings *s, enum option_id id)
{
    const char *set = settings_text(s, id);
    if (set)
        return xstrdup(set);
    return xasprintf("%s%s", settings_text(s, OPT_PEYGIR_PREFIX), find_derived(key_ends, ARRAY_LEN(key_ends), id));
}

int options_threads(const struct settings *s)
{
    if (settings_text(s, OPT_WEB_THREADS))
        return (int)settings_int(s, OPT_WEB_THREADS);
    long threads = 2 * sysconf(_SC_NPROCESSORS_ONLN);
    return threads < 4 ? 4 : threads > 1024 ? 1024 : (int)threads;
}

/* The text in force, not yet masked; NULL when there is none. */
static char *in_force(const struct settings *s, enum option_id id)
{
    if (id == OPT_REDIS_URL)
        return options_redis_url(s, REDIS_MAIN);
    if (id == OPT_REDIS_CACHE_URL)
        return options_redis_url(s, REDIS_CACHE);
    if (id == OPT_REDIS_SESSION_URL)
        return options_redis_url(s, REDIS_SESSION);
    if (id == OPT_WEB_THREADS)
        return xasprintf("%d", options_threads(s));
    if (find_derived(key_ends, ARRAY_LEN(key_ends), id))
        return options_key(s, id);
    if (find_derived(installed_dirs, ARRAY_LEN(installed_dirs), id))
        return xstrdup(options_dir(s, id));
    const char *text = settings_text(s, id);
    return text ? xstrdup(text) : NULL;
}

char *options_shown(const struct settings *s, enum option_id id)
{
    char *text = in_force(s, id);
    char *shown = text ? settings_masked(&s->table[id], text) : NULL;
    free(text);
    return shown;
}
