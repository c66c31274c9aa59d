/* job_type_read.c: from a file's JSON to struct job_type. Each object of the file has one function here, which lists
 * the members it knows. */
#include "core/job_type_read.h"

#include "core/maintenance.h"
#include "core/options.h"
#include "core/text.h"

#define KNOWN(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define NAME_MAX_BYTES 64
#define PATH_MAX_BYTES 1024
#define WORDS_MAX 256
#define TRIES_MAX 1000
#define DAY_S 86400
#define YEAR_S (366 * DAY_S)
#define UNIQUE_MAX 16 /* members */
#define LIMIT_MAX 1000000
#define MAILS_AT_ONCE 4 /* where a type says nothing: connections that a mail server is used to from one client */

const char *const job_handlers[] = { "http", "exec", "notify", "mail", "none", "webhook", "fetch", "maintenance", NULL };

/* --- pieces --- */

static int read_number(const struct jread *in, const char *key, int64_t min, int64_t max, int64_t *out, struct err *err)
{
    struct jread at = jread_member(in, key);

    return jread_int(&at, min, max, out, err);
}

/* --- what the handlers need --- */

static bool is_listed(const char *const list[], const char *word)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

static int read_handler(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "handler");
    struct str names = STR_INIT;
    int rc = jread_copy(&at, &t->handler, err);

    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&at, err);
    if (strcmp(t->handler, "maintenance") == 0 && !maintenance_find(t->name))
        return jread_fail(&at, err, "maintenance is only for the types that Peygir brings along, not for %s.", t->name);
    if (is_listed(job_handlers, t->handler))
        return 0;
    for (int i = 0; job_handlers[i]; i++)
        str_addf(&names, "%s%s", i ? ", " : "", job_handlers[i]);
    jread_fail(&at, err, "unknown value \"%s\"; known are: %s.", t->handler, names.s);
    str_free(&names);
    return -1;
}

/* A member that only one handler has. */
static int only_for(const struct jread *at, const struct job_type *t, const char *handler, struct err *err)
{
    if (at->obj && strcmp(t->handler, handler) != 0)
        return jread_fail(at, err, "is for the handler %s; this is %s.", handler, t->handler);
    return 0;
}

static int read_path(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "path");

    if (only_for(&at, t, "http", err) < 0 || jread_copy(&at, &t->path, err) < 0)
        return -1;
    if (t->path && (t->path[0] != '/' || !jread_made_of(t->path, UPPER LOWER DIGIT "/-._~%!$&'()*+,;=:@", PATH_MAX_BYTES)))
        return jread_fail(&at, err, "must begin with / and hold only what a path of a URL may, without ? and #.");
    if (!t->path && strcmp(t->handler, "http") == 0)
        t->path = xasprintf("/api/jobs/%s", t->name);
    return 0;
}

static int read_words(const struct jread *at, size_t length, char ***out, struct err *err)
{
    const char *word;

    *out = xcalloc(length + 1, sizeof(char *));
    for (size_t i = 0; i < length; i++) {
        struct jread item = jread_item(at, i);
        if (jread_string(&item, &word, err) <= 0)
            return item.obj ? -1 : jread_fail(&item, err, "must be a text in double quotes.");
        (*out)[i] = xstrdup(word);
    }
    return 0;
}

static int read_command(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "command"), item;
    bool exec = strcmp(t->handler, "exec") == 0;
    size_t length = 0;

    if (only_for(&at, t, "exec", err) < 0 || jread_list(&at, &length, err) < 0)
        return -1;
    if (!exec)
        return 0;
    if (length == 0 || length > WORDS_MAX)
        return jread_fail(&at, err, "must be a list of the program and its arguments, at most %d.", WORDS_MAX);
    if (read_words(&at, length, &t->command, err) < 0)
        return -1;
    item = jread_item(&at, 0);
    if (!*t->command[0] || (strchr(t->command[0], '/') && t->command[0][0] != '/'))
        return jread_fail(&item, err, "must be an absolute path, or a name that is looked for in PATH.");
    return 0;
}

static int read_directory(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "directory");

    if (only_for(&at, t, "exec", err) < 0 || jread_copy(&at, &t->directory, err) < 0)
        return -1;
    return t->directory && t->directory[0] != '/' ? jread_fail(&at, err, "must be an absolute path.") : 0;
}

static int read_variable(const struct jread *in, const char *name, char **out, struct err *err)
{
    struct jread at = jread_member(in, name);
    const char *value;
    int rc;

    if (!jread_made_of(name, UPPER LOWER DIGIT "_", NAME_MAX_BYTES) || strchr(DIGIT, name[0]))
        return jread_fail(&at, err, "is no name of a variable; it must be letters, digits and _, no digit first.");
    rc = jread_string(&at, &value, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_fail(&at, err, "must be a text in double quotes.");
    *out = xasprintf("%s=%s", name, value);
    return 0;
}

static int read_environment(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "environment");
    struct json_object_iterator i, end;
    size_t count = 0;

    if (only_for(&at, t, "exec", err) < 0 || jread_object(&at, err) < 0)
        return -1;
    if (!at.obj)
        return 0;
    t->environment = xcalloc((size_t)json_object_object_length(at.obj) + 1, sizeof(char *));
    end = json_object_iter_end(at.obj);
    for (i = json_object_iter_begin(at.obj); !json_object_iter_equal(&i, &end); json_object_iter_next(&i))
        if (read_variable(&at, json_object_iter_peek_name(&i), &t->environment[count++], err) < 0)
            return -1;
    return 0;
}

/* --- queue, tries, limits --- */

static int read_queue(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "queue");
    int64_t priority = -1;

    if (jread_copy(&at, &t->queue, err) < 0)
        return -1;
    if (t->queue && !options_queue_name(span_of(t->queue)))
        return jread_fail(
            &at, err,
            "\"%s\" cannot be a queue's name; it must be letters, digits, _ and -, at most 64, and none of the "
            "names that Peygir keeps for itself.",
            t->queue);
    if (!t->queue)
        t->queue = xstrdup(JOB_QUEUE_DEFAULT);
    if (read_number(root, "priority", 0, JOB_PRIORITY_MAX, &priority, err) < 0)
        return -1;
    t->priority = (int)priority;
    return 0;
}

static int read_waits(const struct jread *at, struct backoff *b, struct err *err)
{
    size_t length = jread_length(at);
    struct jread item;
    int rc;

    if (length == 0 || length > BACKOFF_MAX)
        return jread_fail(at, err, "must have from 1 to %d numbers.", BACKOFF_MAX);
    for (b->count = 0; b->count < length; b->count++) {
        item = jread_item(at, b->count);
        rc = jread_int(&item, 0, BACKOFF_MAX_S, &b->list_s[b->count], err);
        if (rc <= 0)
            return rc < 0 ? -1 : jread_missing(&item, err);
    }
    return 0;
}

static int read_exponential(const struct jread *in, struct backoff *b, struct err *err)
{
    struct jread at = jread_member(in, "exponential"), base = jread_member(&at, "base"), cap = jread_member(&at, "cap");
    int rc;

    if (jread_only(in, KNOWN("exponential"), err) < 0 || jread_expect(&at, KNOWN("base", "cap"), err) < 0)
        return -1;
    rc = jread_int(&base, 1, BACKOFF_MAX_S, &b->base_s, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&base, err);
    rc = jread_int(&cap, 1, BACKOFF_MAX_S, &b->cap_s, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&cap, err);
    return b->cap_s < b->base_s ? jread_fail(&cap, err, "must be base or more.") : 0;
}

static int read_backoff(const struct jread *root, struct backoff *b, struct err *err)
{
    struct jread at = jread_member(root, "backoff");

    if (!at.obj)
        return 0;
    if (json_object_is_type(at.obj, json_type_array))
        return read_waits(&at, b, err);
    if (json_object_is_type(at.obj, json_type_object))
        return read_exponential(&at, b, err);
    return jread_fail(&at, err,
                      "must be a list of seconds like [10, 60], or {\"exponential\": {\"base\": 5, \"cap\": 600}}.");
}

static int read_tries(const struct jread *root, struct job_type *t, struct err *err)
{
    return read_number(root, "tries", 1, TRIES_MAX, &t->tries, err) < 0 ||
                   read_number(root, "timeout", 1, DAY_S, &t->timeout_s, err) < 0
               ? -1
               : read_backoff(root, &t->backoff, err);
}

static int read_per(const struct jread *limits, struct job_limit *limit, struct err *err)
{
    struct jread at = jread_member(limits, "per"), jobs = jread_member(&at, "jobs"),
                 seconds = jread_member(&at, "seconds");
    int64_t per_s = 0;
    int rc;

    if (!at.obj)
        return 0;
    if (jread_expect(&at, KNOWN("jobs", "seconds"), err) < 0)
        return -1;
    rc = jread_int(&jobs, 1, LIMIT_MAX, &limit->per_count, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&jobs, err);
    rc = jread_int(&seconds, 1, DAY_S, &per_s, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&seconds, err);
    limit->per_ms = per_s * 1000;
    return 0;
}

static int read_limits(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "limits");

    if (!at.obj && strcmp(t->handler, "mail") == 0)
        t->limit = (struct job_limit){ .type = t->name, .at_once = MAILS_AT_ONCE };
    if (!at.obj)
        return 0;
    if (jread_expect(&at, KNOWN("at_once", "per"), err) < 0 ||
        read_number(&at, "at_once", 1, LIMIT_MAX, &t->limit.at_once, err) < 0 || read_per(&at, &t->limit, err) < 0)
        return -1;
    if (!t->limit.at_once && !t->limit.per_count)
        return jread_fail(&at, err, "limits nothing; it must have at_once or per.");
    t->limit.type = t->name;
    return 0;
}

static int read_unique(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "unique"), by = jread_member(&at, "by");
    int64_t seconds = 0;
    size_t length = 0;

    if (!at.obj)
        return 0;
    if (jread_expect(&at, KNOWN("by", "seconds"), err) < 0 || jread_list(&by, &length, err) < 0 ||
        read_number(&at, "seconds", 1, YEAR_S, &seconds, err) < 0)
        return -1;
    if (by.obj && (length == 0 || length > UNIQUE_MAX))
        return jread_fail(&by, err, "must name from 1 to %d members of the payload.", UNIQUE_MAX);
    t->unique = xcalloc(1, sizeof(*t->unique));
    t->unique->ms = seconds * 1000;
    return by.obj ? read_words(&by, length, &t->unique->by, err) : 0;
}

/* --- schedule --- */

static int read_cron(const struct jread *in, struct schedule *s, struct err *err)
{
    struct jread at = jread_member(in, "cron");
    struct err why = ERR_INIT;
    int rc = jread_copy(&at, &s->line, err);

    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&at, err);
    return cron_parse(&s->cron, s->line, &why) < 0 ? jread_fail(&at, err, "%s", why.text) : 0;
}

static int read_zone(const struct jread *in, struct schedule *s, struct err *err)
{
    struct jread at = jread_member(in, "time_zone");
    struct err why = ERR_INIT;

    if (jread_copy(&at, &s->zone_name, err) < 0)
        return -1;
    if (!s->zone_name)
        s->zone_name = xstrdup("UTC");
    s->zone = zone_open(s->zone_name, &why);
    return s->zone ? 0 : jread_fail(&at, err, "%s", why.text);
}

static int read_missed(const struct jread *in, struct schedule *s, struct err *err)
{
    struct jread at = jread_member(in, "missed");
    const char *word = "run";

    if (jread_string(&at, &word, err) < 0)
        return -1;
    s->run_missed = strcmp(word, "run") == 0;
    if (!s->run_missed && strcmp(word, "skip") != 0)
        return jread_fail(&at, err, "unknown value \"%s\"; known are: run, skip.", word);
    return 0;
}

static int read_payload(const struct jread *in, struct schedule *s, struct err *err)
{
    struct jread at = jread_member(in, "payload");
    struct str text = STR_INIT;
    int rc = jread_object(&at, err);

    if (rc <= 0)
        return rc;
    json_add(&text, at.obj);
    s->payload = str_take(&text, NULL);
    return 0;
}

static int read_schedule(const struct jread *root, struct job_type *t, struct err *err)
{
    struct jread at = jread_member(root, "schedule");

    if (!at.obj)
        return 0;
    if (jread_expect(&at, KNOWN("cron", "time_zone", "missed", "payload"), err) < 0)
        return -1;
    t->schedule = xcalloc(1, sizeof(*t->schedule));
    return read_cron(&at, t->schedule, err) < 0 || read_zone(&at, t->schedule, err) < 0 ||
                   read_missed(&at, t->schedule, err) < 0
               ? -1
               : read_payload(&at, t->schedule, err);
}

/* --- the whole --- */

static int read_name(const struct jread *root, struct job_type *t, const char *name, struct err *err)
{
    t->name = xstrdup(name);
    t->file = xstrdup(root->file);
    if (!jread_made_of(name, LOWER DIGIT "_-", NAME_MAX_BYTES))
        return jread_fail(root, err,
                          "the file's name is the type's: lower-case letters, digits, _ and -, at most %d, and .json.",
                          NAME_MAX_BYTES);
    if (strcmp(name, "service") == 0)
        return jread_fail(root, err, "the jobs of requests are of the type service; another file's name is needed.");
    return 0;
}

/* Shown nowhere yet by a program: it tells people who read the file what the type is for, and must be right all the
 * same. */
static int check_title(const struct jread *root, struct err *err)
{
    struct jread at = jread_member(root, "title");
    struct text *title = NULL;
    int rc = text_read(&at, &title, err);

    text_free(title);
    return rc < 0 ? -1 : 0;
}

int job_type_read(struct job_type *t, const struct jread *root, const char *name, struct err *err)
{
    t->priority = -1;
    if (read_name(root, t, name, err) < 0 ||
        jread_expect(root,
                      KNOWN("title", "handler", "path", "command", "directory", "environment", "queue", "priority",
                            "tries", "timeout", "backoff", "limits", "unique", "schedule"),
                      err) < 0 ||
        check_title(root, err) < 0 || read_handler(root, t, err) < 0 || read_path(root, t, err) < 0 ||
        read_command(root, t, err) < 0 || read_directory(root, t, err) < 0 || read_environment(root, t, err) < 0 ||
        read_queue(root, t, err) < 0 || read_tries(root, t, err) < 0 || read_limits(root, t, err) < 0 ||
        read_unique(root, t, err) < 0)
        return -1;
    return read_schedule(root, t, err);
}

static void free_words(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

static void free_unique(struct job_unique *u)
{
    if (u)
        free_words(u->by);
    free(u);
}

static void free_schedule(struct schedule *s)
{
    if (!s)
        return;
    free(s->line);
    free(s->zone_name);
    zone_free(s->zone);
    free(s->payload);
    free(s);
}

void job_type_free(struct job_type *t)
{
    if (!t)
        return;
    free(t->name);
    free(t->file);
    free(t->handler);
    free(t->path);
    free_words(t->command);
    free(t->directory);
    free_words(t->environment);
    free(t->queue);
    free_unique(t->unique);
    free_schedule(t->schedule);
    free(t);
}
