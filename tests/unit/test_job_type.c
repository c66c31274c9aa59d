/* test_job_type.c: job type files: what is read, what is refused and with which words; waits between attempts. */
#include "tests/unit/unit.h"

#include "core/job_type.h"
#include "tests/unit/files.h"

#define GOOD_DEFAULT "{\"handler\":\"http\"}"

static struct job_types *open_all(void)
{
    struct err err = ERR_INIT;
    struct job_types *types;

    files_put("default.json", GOOD_DEFAULT);
    types = job_types_open(files_dir(), &err);
    if (!types)
        fail_msg("%s", err.text);
    return types;
}

/* The types of a directory with default.json and x.json. */
static struct job_types *open_with(const char *text)
{
    files_put("x.json", text);
    return open_all();
}

static const struct job_type *find(const struct job_types *types, const char *name)
{
    const struct job_type *t = job_types_find(types, span_of(name));

    assert_non_null(t);
    return t;
}

static void the_smallest_type_has_defaults(void **state)
{
    struct job_types *types = open_with("{\"handler\":\"http\"}");
    const struct job_type *t = find(types, "x");

    (void)state;
    assert_string_equal(t->name, "x");
    assert_non_null(strstr(t->file, "/x.json"));
    assert_string_equal(t->handler, "http");
    assert_string_equal(t->path, "/api/jobs/x");
    assert_string_equal(t->queue, "task");
    assert_int_equal(t->priority, -1);
    assert_true(t->tries == 0 && t->timeout_s == 0 && t->backoff.count == 0 && t->backoff.base_s == 0);
    assert_true(!t->limit.type && !t->schedule && !t->command && !t->directory && !t->environment);
    assert_int_equal(backoff_ms(&t->backoff, 1), -1);
    job_types_free(types);
}

static void every_member_of_an_http_type_is_read(void **state)
{
    struct job_types *types = open_with(
        "{\"title\":{\"en\":\"X\",\"fa\":\"ایکس\"},\"handler\":\"http\",\"path\":\"/a/b%20c\",\"queue\":\"slow-1\","
        "\"priority\":10,\"tries\":4,\"timeout\":90,\"backoff\":[10,60,300],"
        "\"limits\":{\"at_once\":2,\"per\":{\"jobs\":10,\"seconds\":60}},"
        "\"unique\":{\"by\":[\"document\",\"page\"],\"seconds\":60},"
        "\"schedule\":{\"cron\":\"0 4 * * *\",\"time_zone\":\"Asia/Tehran\",\"missed\":\"skip\","
        "\"payload\":{\"a\":[1,\"é\"]}}}");
    const struct job_type *t = find(types, "x");

    (void)state;
    assert_string_equal(t->path, "/a/b%20c");
    assert_string_equal(t->queue, "slow-1");
    assert_int_equal(t->priority, 10);
    assert_true(t->tries == 4 && t->timeout_s == 90);
    assert_true(t->backoff.count == 3 && t->backoff.list_s[2] == 300);
    assert_string_equal(t->limit.type, "x");
    assert_true(t->limit.at_once == 2 && t->limit.per_count == 10 && t->limit.per_ms == 60000);
    assert_string_equal(t->unique->by[1], "page");
    assert_null(t->unique->by[2]);
    assert_int_equal(t->unique->ms, 60000);
    assert_string_equal(t->schedule->line, "0 4 * * *");
    assert_string_equal(t->schedule->zone_name, "Asia/Tehran");
    assert_false(t->schedule->run_missed);
    assert_string_equal(t->schedule->payload, "{\"a\":[1,\"é\"]}");
    assert_int_equal(zone_offset_s(t->schedule->zone, 1750000000), 12600);
    assert_true(t->schedule->cron.hours == 1 << 4);
    job_types_free(types);
}

static void every_member_of_an_exec_type_is_read(void **state)
{
    struct job_types *types =
        open_with("{\"handler\":\"exec\",\"command\":[\"/bin/echo\",\"a b\",\"\",\"$HOME\"],\"directory\":\"/tmp\","
                  "\"environment\":{\"A_1\":\"x=y\",\"EMPTY\":\"\"},\"backoff\":{\"exponential\":{\"base\":5,"
                  "\"cap\":600}},\"limits\":{\"at_once\":1},\"schedule\":{\"cron\":\"@hourly\"}}");
    const struct job_type *t = find(types, "x");

    (void)state;
    assert_null(t->path);
    assert_string_equal(t->command[0], "/bin/echo");
    assert_string_equal(t->command[1], "a b");
    assert_string_equal(t->command[2], "");
    assert_string_equal(t->command[3], "$HOME");
    assert_null(t->command[4]);
    assert_string_equal(t->directory, "/tmp");
    assert_string_equal(t->environment[0], "A_1=x=y");
    assert_string_equal(t->environment[1], "EMPTY=");
    assert_null(t->environment[2]);
    assert_true(t->backoff.count == 0 && t->backoff.base_s == 5 && t->backoff.cap_s == 600);
    assert_true(t->limit.at_once == 1 && t->limit.per_count == 0);
    assert_string_equal(t->schedule->line, "@hourly");
    assert_string_equal(t->schedule->zone_name, "UTC");
    assert_true(t->schedule->run_missed);
    assert_null(t->schedule->payload);
    job_types_free(types);
}

static void four_mails_of_a_type_go_at_once_where_it_says_nothing_else(void **state)
{
    struct job_types *types = open_with("{\"handler\":\"mail\"}");

    (void)state;
    assert_string_equal(find(types, "x")->limit.type, "x");
    assert_int_equal(find(types, "x")->limit.at_once, 4);
    job_types_free(types);
    types = open_with("{\"handler\":\"mail\",\"limits\":{\"per\":{\"jobs\":1,\"seconds\":1}}}");
    assert_int_equal(find(types, "x")->limit.at_once, 0);
    job_types_free(types);
}

static void handlers_are_those_of_the_table(void **state)
{
    static const char *const texts[] = { "{\"handler\":\"http\"}", "{\"handler\":\"exec\",\"command\":[\"true\"]}",
                                         "{\"handler\":\"notify\"}", "{\"handler\":\"mail\"}", "{\"handler\":\"none\"}",
                                         "{\"handler\":\"webhook\"}", "{\"handler\":\"fetch\"}" };
    const size_t last = ARRAY_LEN(texts); /* maintenance, which only types of certain names may have */
    struct job_types *types;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        types = open_with(texts[i]);
        assert_string_equal(find(types, "x")->handler, job_handlers[i]);
        job_types_free(types);
    }
    assert_string_equal(job_handlers[last], "maintenance");
    assert_null(job_handlers[last + 1]);
}

/* Long, for it is the table of the mistakes. */
static void a_wrong_file_is_refused_with_file_place_and_reason(void **state)
{
#define HTTP(more) "{\"handler\":\"http\"," more "}"
#define EXEC(more) "{\"handler\":\"exec\"," more "}"
#define TICK(more) HTTP("\"schedule\":{" more "}")
    static const struct {
        const char *text, *part;
    } rows[] = {
        { "", "x.json: " },
        { "null", "x.json: holds only null" },
        { "[]", "x.json: must be an object." },
        { "{}", "x.json: handler: is missing." },
        { "{\"handler\":\"\"}", "x.json: handler: is empty." },
        { "{\"handler\":7}", "x.json: handler: must be a text in double quotes." },
        { "{\"handler\":\"smoke\"}", "x.json: handler: unknown value \"smoke\"; known are: http, exec, notify, mail, none, webhook, fetch, maintenance." },
        { "{\"handler\":\"maintenance\"}", "x.json: handler: maintenance is only for the types that Peygir brings along, not for x." },
        { "{\"handler\":\"http\",\"handler\":\"http\"}", "x.json: " },
        { HTTP("\"quene\":\"a\""), "x.json: quene: is not known here; known are: title, handler, path, command," },
        { HTTP("\"title\":{\"farsi\":\"a\"}"), "x.json: title.farsi: is no language code" },
        { HTTP("\"path\":\"api\""), "x.json: path: must begin with /" },
        { HTTP("\"path\":\"/a?b=c\""), "x.json: path: must begin with /" },
        { HTTP("\"path\":\"/a b\""), "x.json: path: must begin with /" },
        { HTTP("\"path\":\"\""), "x.json: path: is empty." },
        { HTTP("\"command\":[\"true\"]"), "x.json: command: is for the handler exec; this is http." },
        { HTTP("\"directory\":\"/\""), "x.json: directory: is for the handler exec; this is http." },
        { HTTP("\"environment\":{}"), "x.json: environment: is for the handler exec; this is http." },
        { "{\"handler\":\"none\",\"path\":\"/\"}", "x.json: path: is for the handler http; this is none." },
        { "{\"handler\":\"exec\"}", "x.json: command: must be a list of the program and its arguments" },
        { EXEC("\"command\":[]"), "x.json: command: must be a list of the program" },
        { EXEC("\"command\":\"true\""), "x.json: command: must be a list." },
        { EXEC("\"command\":[\"\"]"), "x.json: command[0]: must be an absolute path, or a name" },
        { EXEC("\"command\":[\"bin/true\"]"), "x.json: command[0]: must be an absolute path" },
        { EXEC("\"command\":[\"true\",7]"), "x.json: command[1]: must be a text in double quotes." },
        { EXEC("\"command\":[\"true\",null]"), "x.json: command[1]: must be a text in double quotes." },
        { EXEC("\"command\":[\"true\"],\"directory\":\"tmp\""), "x.json: directory: must be an absolute path." },
        { EXEC("\"command\":[\"true\"],\"environment\":[]"), "x.json: environment: must be an object." },
        { EXEC("\"command\":[\"true\"],\"environment\":{\"A B\":\"\"}"),
          "x.json: environment.A B: is no name of a variable" },
        { EXEC("\"command\":[\"true\"],\"environment\":{\"1A\":\"\"}"),
          "x.json: environment.1A: is no name of a variable" },
        { EXEC("\"command\":[\"true\"],\"environment\":{\"A\":1}"),
          "x.json: environment.A: must be a text in double quotes." },
        { EXEC("\"command\":[\"true\"],\"environment\":{\"A\":null}"),
          "x.json: environment.A: must be a text in double quotes." },
        { HTTP("\"queue\":\"stats\""), "x.json: queue: \"stats\" cannot be a queue's name" },
        { HTTP("\"queue\":\"a:b\""), "x.json: queue: \"a:b\" cannot be a queue's name" },
        { HTTP("\"priority\":11"), "x.json: priority: must be a whole number from 0 to 10." },
        { HTTP("\"priority\":-1"), "x.json: priority: must be a whole number from 0 to 10." },
        { HTTP("\"tries\":0"), "x.json: tries: must be a whole number from 1 to 1000." },
        { HTTP("\"timeout\":0"), "x.json: timeout: must be a whole number from 1 to 86400." },
        { HTTP("\"timeout\":1.5"), "x.json: timeout: must be a whole number from 1 to 86400." },
        { HTTP("\"backoff\":5"), "x.json: backoff: must be a list of seconds" },
        { HTTP("\"backoff\":[]"), "x.json: backoff: must have from 1 to 16 numbers." },
        { HTTP("\"backoff\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]"),
          "x.json: backoff: must have from 1 to 16 numbers." },
        { HTTP("\"backoff\":[1,-1]"), "x.json: backoff[1]: must be a whole number from 0 to 86400." },
        { HTTP("\"backoff\":[null]"), "x.json: backoff[0]: is missing." },
        { HTTP("\"backoff\":{}"), "x.json: backoff.exponential: is missing; it must be an object." },
        { HTTP("\"backoff\":{\"exponential\":{\"base\":5}}"), "x.json: backoff.exponential.cap: is missing." },
        { HTTP("\"backoff\":{\"exponential\":{\"cap\":5}}"), "x.json: backoff.exponential.base: is missing." },
        { HTTP("\"backoff\":{\"exponential\":{\"base\":5,\"cap\":4}}"),
          "x.json: backoff.exponential.cap: must be base or more." },
        { HTTP("\"backoff\":{\"exponential\":{\"base\":5,\"cap\":9,\"max\":1}}"),
          "x.json: backoff.exponential.max: is not known" },
        { HTTP("\"backoff\":{\"exponential\":{\"base\":5,\"cap\":9},\"list\":[]}"),
          "x.json: backoff.list: is not known" },
        { HTTP("\"unique\":true"), "x.json: unique: must be an object." },
        { HTTP("\"unique\":{\"key\":\"a\"}"), "x.json: unique.key: is not known" },
        { HTTP("\"unique\":{\"by\":\"a\"}"), "x.json: unique.by: must be a list" },
        { HTTP("\"unique\":{\"by\":[]}"), "x.json: unique.by: must name from 1 to 16 members of the payload." },
        { HTTP("\"unique\":{\"by\":[\"a\",1]}"), "x.json: unique.by[1]: must be a text" },
        { HTTP("\"unique\":{\"seconds\":0}"), "x.json: unique.seconds: must be a whole number from 1" },
        { HTTP("\"limits\":{}"), "x.json: limits: limits nothing; it must have at_once or per." },
        { HTTP("\"limits\":[]"), "x.json: limits: must be an object." },
        { HTTP("\"limits\":{\"at_once\":0}"), "x.json: limits.at_once: must be a whole number from 1" },
        { HTTP("\"limits\":{\"per\":{\"jobs\":1}}"), "x.json: limits.per.seconds: is missing." },
        { HTTP("\"limits\":{\"per\":{\"seconds\":1}}"), "x.json: limits.per.jobs: is missing." },
        { HTTP("\"limits\":{\"per\":{\"jobs\":1,\"minutes\":1}}"), "x.json: limits.per.minutes: is not known" },
        { HTTP("\"schedule\":\"@hourly\""), "x.json: schedule: must be an object." },
        { HTTP("\"schedule\":{}"), "x.json: schedule.cron: is missing." },
        { TICK("\"cron\":\"61 * * * *\""), "x.json: schedule.cron: The field minute, \"61\", is wrong" },
        { TICK("\"cron\":\"0 0 30 2 *\""), "x.json: schedule.cron: The cron line \"0 0 30 2 *\" never comes" },
        { TICK("\"cron\":\"@hourly\",\"time_zone\":\"Tehran\""),
          "x.json: schedule.time_zone: There is no time zone \"Tehran\"" },
        { TICK("\"cron\":\"@hourly\",\"time_zone\":\"../../etc/passwd\""),
          "x.json: schedule.time_zone: There is no time zone" },
        { TICK("\"cron\":\"@hourly\",\"missed\":\"all\""),
          "x.json: schedule.missed: unknown value \"all\"; known are: run, skip." },
        { TICK("\"cron\":\"@hourly\",\"payload\":[]"), "x.json: schedule.payload: must be an object." },
        { TICK("\"cron\":\"@hourly\",\"at\":\"5\""),
          "x.json: schedule.at: is not known here; known are: cron, time_zone, missed, payload." },
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        err = (struct err)ERR_INIT;
        if (job_type_check(files_put("x.json", rows[i].text), &err) == 0)
            fail_msg("accepted: %s", rows[i].text);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, rows[i].part))
            fail_msg("%s: %s", rows[i].text, err.text);
    }
}

static void the_name_of_the_file_is_the_name_of_the_type(void **state)
{
    static const char *const good[] = { "a.json", "send_mail-2.json", "0.json" };
    static const char *const bad[] = { "A.json", "a b.json", "a.b.json", "service.json" };
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(job_type_check(files_put(good[i], GOOD_DEFAULT), NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err = (struct err)ERR_INIT;
        assert_int_equal(job_type_check(files_put(bad[i], GOOD_DEFAULT), &err), -1);
        assert_non_null(strstr(err.text, bad[i]));
        assert_non_null(strstr(err.text, "name"));
    }
    assert_int_equal(job_type_check(files_put("x", GOOD_DEFAULT), NULL), 0);
    assert_int_equal(job_type_check("/nowhere/x.json", NULL), -1);
}

static void types_are_in_order_of_name_and_found_by_it(void **state)
{
    struct job_types *types;

    (void)state;
    files_put("a-b.json", GOOD_DEFAULT);
    files_put("a.json", GOOD_DEFAULT);
    files_put("zz.json", GOOD_DEFAULT);
        files_put("notes.txt", "wrong");
    types = open_all();
    assert_int_equal(job_types_count(types), 4);
    assert_string_equal(job_types_at(types, 0)->name, "a");
    assert_string_equal(job_types_at(types, 1)->name, "a-b");
    assert_string_equal(job_types_at(types, 2)->name, "default");
    assert_string_equal(job_types_at(types, 3)->name, "zz");
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(job_types_find(types, span_of(job_types_at(types, i)->name)), job_types_at(types, i));
    assert_null(job_types_find(types, SPAN("")));
    assert_null(job_types_find(types, SPAN("aa")));
    assert_null(job_types_find(types, SPAN("a-")));
    assert_null(job_types_find(types, SPAN("zzz")));
    assert_null(job_types_find(types, SPAN("notes")));
    job_types_free(types);
}

static void each_queue_of_the_types_is_told_once_the_default_one_first(void **state)
{
    struct job_types *types;
    char **queues;
    size_t count;

    (void)state;
    files_put("a.json", "{\"handler\":\"none\",\"queue\":\"mail\"}");
    files_put("b.json", "{\"handler\":\"none\",\"queue\":\"slow\"}");
    files_put("c.json", "{\"handler\":\"none\",\"queue\":\"mail\"}");
    files_put("z.json", "{\"handler\":\"none\",\"queue\":\"task\"}");
    types = open_all();
    queues = job_types_queues(types, &count);
    assert_int_equal(count, 3);
    assert_string_equal(queues[0], "task");
    assert_string_equal(queues[1], "mail");
    assert_string_equal(queues[2], "slow");
    free(queues);
    job_types_free(types);
}

static void without_types_there_is_the_default_queue(void **state)
{
    char **queues;
    size_t count;

    (void)state;
    queues = job_types_queues(NULL, &count);
    assert_int_equal(count, 1);
    assert_string_equal(queues[0], "task");
    free(queues);
}

static void a_directory_without_default_is_refused(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    files_put("x.json", GOOD_DEFAULT);
    assert_null(job_types_open(files_dir(), &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "there is no default.json"));
}

static void one_wrong_file_refuses_the_directory(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    files_put("default.json", GOOD_DEFAULT);
    files_put("x.json", "{}");
    assert_null(job_types_open(files_dir(), &err));
    assert_non_null(strstr(err.text, "x.json: handler: is missing."));
    assert_null(job_types_open("/nowhere", &err));
    assert_non_null(strstr(err.text, "/nowhere"));
}

static void what_ships_is_right_and_runs_only_maintenance_by_the_clock(void **state)
{
    static const char *const examples[] = { "update_statuses", "select_winners", "refresh_cache" };
    struct err err = ERR_INIT;
    struct job_types *types = job_types_open(files_source("etc/jobs"), &err);
    const struct job_type *t;
    char name[64];

    (void)state;
    if (!types)
        fail_msg("%s", err.text);
    t = find(types, "default");
    assert_string_equal(t->handler, "http");
    assert_string_equal(t->path, "/api/jobs/default");
    assert_true(t->tries == 0 && t->timeout_s == 0 && t->priority < 0 && backoff_ms(&t->backoff, 1) == -1);
    for (size_t i = 0; i < job_types_count(types); i++)
        assert_true(!job_types_at(types, i)->schedule || strcmp(job_types_at(types, i)->handler, "maintenance") == 0);
    assert_string_equal(find(types, "cleanup_expired_sessions")->schedule->line, "23 * * * *");
    job_types_free(types);
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        snprintf(name, sizeof(name), "etc/jobs/examples/%s.json", examples[i]);
        if (job_type_check(files_source(name), &err) < 0)
            fail_msg("%s", err.text);
    }
}

/* --- waits --- */

static void the_last_wait_of_a_list_counts_for_all_that_follow(void **state)
{
    static const struct {
        int64_t attempts, ms;
    } rows[] = {
        { 0, 10000 }, { 1, 10000 }, { 2, 60000 }, { 3, 0 }, { 4, 300000 }, { 5, 300000 }, { INT64_MAX, 300000 }
    };
    struct backoff b;

    (void)state;
    assert_int_equal(backoff_parse(&b, SPAN("10,60,0,300")), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(backoff_ms(&b, rows[i].attempts), rows[i].ms);
}

static void exponential_waits_double_up_to_the_cap_and_are_spread(void **state)
{
    static const struct {
        int64_t attempts, whole_s;
    } rows[] = { { 1, 10 }, { 2, 20 }, { 3, 40 }, { 7, 600 }, { 60, 600 }, { INT64_MAX, 600 } };
    struct backoff b = { .base_s = 5, .cap_s = 600 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t low = INT64_MAX, high = 0;

        for (int n = 0; n < 400; n++) {
            int64_t ms = backoff_ms(&b, rows[i].attempts);

            low = ms < low ? ms : low;
            high = ms > high ? ms : high;
        }
        assert_true(low >= rows[i].whole_s * 500 && high <= rows[i].whole_s * 1000);
        assert_true(high - low > rows[i].whole_s * 250); /* 400 throws that all miss half of the range: 2^-400 */
    }
}

static void waits_in_a_field_are_numbers_with_commas(void **state)
{
    static const char *const bad[] = { "",
                                       ",",
                                       "1,",
                                       ",1",
                                       "1,,2",
                                       "a",
                                       "1 ",
                                       " 1",
                                       "-1",
                                       "1.5",
                                       "86401",
                                       "99999999999999999999",
                                       "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17" };
    struct backoff b;

    (void)state;
    assert_int_equal(backoff_parse(&b, SPAN("30")), 0);
    assert_true(b.count == 1 && b.list_s[0] == 30 && b.base_s == 0);
    assert_int_equal(backoff_parse(&b, SPAN("0,86400")), 0);
    assert_true(b.count == 2 && b.list_s[0] == 0 && b.list_s[1] == 86400);
    assert_int_equal(backoff_parse(&b, SPAN("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16")), 0);
    assert_int_equal(b.count, BACKOFF_MAX);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (backoff_parse(&b, span_of(bad[i])) == 0)
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_int_equal(backoff_ms(&b, 1), -1);
    }
    assert_int_equal(backoff_parse(&b, (struct span){ NULL, 0 }), -1);
}

/* The unique key of a job with that payload. */
static const char *key_of(const struct job_type *type, const char *payload)
{
    static char keys[8][JOB_UNIQUE_SIZE];
    static size_t n;
    struct job_new job = { .payload = payload };

    job_type_set_unique(type, &job, keys[++n % ARRAY_LEN(keys)]);
    return job.unique_key ? job.unique_key : "";
}

static void a_type_says_which_jobs_are_the_same(void **state)
{
    struct job_types *types = open_with("{\"handler\":\"none\",\"unique\":{\"by\":[\"a\",\"b\"],\"seconds\":5}}");
    const struct job_type *t = find(types, "x");
    const char *key = key_of(t, "{\"a\":{\"n\":[1,2]},\"b\":\"\\u0078\"}");
    struct job_new own = { .unique_key = "own" };
    char room[JOB_UNIQUE_SIZE];

    (void)state;
    assert_int_equal(strlen(key), strlen("x:") + 32);
    assert_string_equal(key_of(t, "{ \"other\": 1, \"b\": \"x\", \"a\": {\"n\": [1, 2]} }"), key);
    assert_string_not_equal(key_of(t, "{\"a\":{\"n\":[1,3]},\"b\":\"x\"}"), key);
    assert_string_not_equal(key_of(t, "{\"a\":\"x\",\"b\":{\"n\":[1,2]}}"), key);
    assert_string_equal(key_of(t, NULL), key_of(t, "{\"c\":1}"));
    assert_string_not_equal(key_of(t, "{\"a\":99999999999999999999,\"c\":1}"), key_of(t, "{\"a\":99999999999999999998}"));
    job_type_set_unique(t, &own, room);
    assert_true(strcmp(own.unique_key, "own") == 0 && own.unique_ms == 0);
    job_types_free(types);
}

static void a_type_may_be_unique_as_a_whole_or_not_at_all(void **state)
{
    struct job_types *types = open_with("{\"handler\":\"none\",\"unique\":{}}");

    (void)state;
    assert_string_equal(key_of(find(types, "x"), "{\"a\":1}"), "x");
    assert_string_equal(key_of(find(types, "default"), "{\"a\":1}"), "");
    job_types_free(types);
}

#define IN_FILES(test) cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FILES(the_smallest_type_has_defaults),
        IN_FILES(every_member_of_an_http_type_is_read),
        IN_FILES(every_member_of_an_exec_type_is_read),
        IN_FILES(a_type_says_which_jobs_are_the_same),
        IN_FILES(a_type_may_be_unique_as_a_whole_or_not_at_all),
        IN_FILES(handlers_are_those_of_the_table),
        IN_FILES(four_mails_of_a_type_go_at_once_where_it_says_nothing_else),
        IN_FILES(a_wrong_file_is_refused_with_file_place_and_reason),
        IN_FILES(the_name_of_the_file_is_the_name_of_the_type),
        IN_FILES(types_are_in_order_of_name_and_found_by_it),
        IN_FILES(each_queue_of_the_types_is_told_once_the_default_one_first),
        cmocka_unit_test(without_types_there_is_the_default_queue),
        IN_FILES(a_directory_without_default_is_refused),
        IN_FILES(one_wrong_file_refuses_the_directory),
        cmocka_unit_test(what_ships_is_right_and_runs_only_maintenance_by_the_clock),
        cmocka_unit_test(the_last_wait_of_a_list_counts_for_all_that_follow),
        cmocka_unit_test(exponential_waits_double_up_to_the_cap_and_are_spread),
        cmocka_unit_test(waits_in_a_field_are_numbers_with_commas),
    };

    return cmocka_run_group_tests_name("job_type", tests, NULL, NULL);
}
