/* test_handler_exec.c: real programs, carried out on a loop of the test. Names of requirements are those of OWASP ASVS 4.0.3. */
#include "tests/unit/unit.h"

#include "base/log.h"
#include "core/job_type.h"
#include "worker/handler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 300
#define TOGETHER 40

static uv_loop_t loop;
static const struct workshop shop = { .loop = &loop };

/* One call and what came of it. */
struct trial {
    struct job_type type;
    struct span body;
    void *call;
    int times;
    enum call_end end;
    bool errors_only;
    char *answer, *detail;
    struct str told;      /* "50:message " a progress line */
    int told_times;
    long said;            /* the number that the last message begins with */
    bool cancel_when_told;
    struct trial *next;   /* to be started by its end */
};

static void begin(struct trial *t);

static void on_progress(void *ctx, int progress, const char *message)
{
    struct trial *t = ctx;
    t->told_times++;
    t->said = message ? strtol(message, NULL, 10) : 0;
    if (t->told_times < 10)
        str_addf(&t->told, "%d:%s ", progress, message ? message : "(none)");
    if (t->cancel_when_told)
        handler_exec.cancel(t->call);
}

static void on_done(void *ctx, const struct call_result *r)
{
    struct trial *t = ctx;
    t->times++;
    t->end = r->end;
    t->errors_only = r->errors_only;
    t->answer = xmemdupz(r->answer.s ? r->answer.s : "", r->answer.len);
    t->detail = xstrdup(r->detail);
    if (t->next)
        begin(t->next);
}

static void begin(struct trial *t)
{
    const struct order order = { .job_id = "job_1", .run = 7, .body = t->body.s ? t->body : SPAN("{}"),
                                 .type = &t->type, .progress = on_progress };
    t->type.name = (char *)"trial";
    t->call = handler_exec.start(&shop, &order, on_done, t);
    assert_non_null(t->call);
    assert_int_equal(t->times, 0);
}

static void run(struct trial *t)
{
    begin(t);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(t->times, 1);
    assert_false(t->errors_only);
}

static void clear(struct trial *t)
{
    free(t->answer);
    free(t->detail);
    str_free(&t->told);
}

#define WORDS(...) (char **)(const char *const[]){ __VA_ARGS__, NULL }
#define TRIAL(...) { .type = { .command = WORDS(__VA_ARGS__) } }
#define SCRIPT(text) TRIAL("/bin/sh", "-c", text)

static void assert_answers(const char *script, const char *answer)
{
    struct trial t = SCRIPT(script);
    run(&t);
    if (t.end != CALL_ANSWERED)
        fail_msg("%s: %s", script, t.detail);
    assert_string_equal(t.answer, answer);
    assert_string_equal(t.detail, "");
    clear(&t);
}

static void assert_fails(struct trial *t, enum call_end end, const char *detail)
{
    run(t);
    assert_string_equal(t->detail, detail);
    assert_int_equal(t->end, end);
    assert_string_equal(t->answer, "");
    clear(t);
}

/* --- seams --- */

/* What the log says from log_begin to log_end (free()). */
static int log_file, log_stderr;

static void log_begin(void)
{
    log_file = memfd_create("log", MFD_CLOEXEC);
    log_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(log_file, STDERR_FILENO);
}

static char *log_end(void)
{
    static char text[512 * 1024];
    ssize_t n = pread(log_file, text, sizeof text - 1, 0);
    dup2(log_stderr, STDERR_FILENO);
    close(log_stderr);
    close(log_file);
    return xmemdupz(text, n > 0 ? (size_t)n : 0);
}

static int count_in(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

/* Each timer is due now. */
static void hurry(uv_handle_t *handle, void *ctx)
{
    int *count = ctx;
    uv_timer_t *timer = (uv_timer_t *)handle;
    if (handle->type != UV_TIMER || !uv_is_active(handle))
        return;
    ++*count;
    uv_timer_start(timer, timer->timer_cb, 0, 0);
}

/* The test inherits what programs leave behind: how did this one end? */
static int end_of_orphan(long pid)
{
    int status = 0;
    assert_true(pid > 1);
    assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/* Waits until nobody is left. */
static void bury_all(void)
{
    while (waitpid(-1, NULL, 0) > 0)
        ;
    assert_int_equal(errno, ECHILD);
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    log_setup("test", LOG_INFO, false);
    return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    return uv_loop_close(&loop);
}

/* --- results --- */

static void a_result_becomes_the_data_of_a_success(void **state)
{
    (void)state;
    assert_answers("echo '{\"result\":{\"pages\":3}}'", "{\"status\":\"success\",\"data\":{\"pages\":3}}");
}

static void silence_is_a_success_without_data(void **state)
{
    (void)state;
    assert_answers(":", "{\"status\":\"success\"}");
    assert_answers("echo '{\"result\":null}'", "{\"status\":\"success\"}");
}

static void a_result_that_is_no_object_becomes_a_value(void **state)
{
    (void)state;
    assert_answers("echo '{\"result\":[1,2]}'", "{\"status\":\"success\",\"data\":{\"value\":[1,2]}}");
    assert_answers("echo '{\"result\":\"text\"}'", "{\"status\":\"success\",\"data\":{\"value\":\"text\"}}");
}

static void the_last_result_counts_also_without_a_line_end(void **state)
{
    (void)state;
    assert_answers("echo '{\"result\":1}'; echo; printf '{\"result\":2}'",
                   "{\"status\":\"success\",\"data\":{\"value\":2}}");
}

static void an_error_counts_whatever_else_is_said(void **state)
{
    static const char error[] = "{\"status\":\"error\",\"code\":\"no_page\",\"message\":\"None\",\"retryable\":true}";
    (void)state;
    assert_answers("echo '{\"error\":{\"retryable\":true,\"code\":\"no_page\",\"message\":\"None\",\"x\":1}}'; exit 3",
                   error);
    assert_answers("echo '{\"error\":{\"code\":\"no_page\",\"message\":\"None\",\"retryable\":true}}';"
                   "echo '{\"result\":{}}'", error);
    assert_answers("echo '{\"error\":{}}'; kill -9 $$", "{\"status\":\"error\"}");
}

static void progress_is_told_as_it_comes(void **state)
{
    struct trial t = SCRIPT("echo '{\"progress\":10}'; echo '{\"message\":\"half\"}';"
                            "echo '{\"progress\":100,\"message\":\"all\"}';"
                            "echo '{\"progress\":50,\"message\":null,\"result\":1}'");
    (void)state;
    run(&t);
    assert_string_equal(t.told.s, "10:(none) -1:half 100:all 50:(none) ");
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"value\":1}}");
    clear(&t);
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    struct trial t = SCRIPT("printf '{\"message\":\"%0499dس\"}' 5");
    (void)state;
    run(&t);
    assert_int_equal(t.told.len, strlen("-1: ") + 499);
    clear(&t);
}

static void all_that_was_written_before_the_end_is_read(void **state)
{
    struct trial t = SCRIPT("yes '{\"progress\":1}' | head -n 30000; echo '{\"result\":{}}'");
    (void)state;
    run(&t);
    assert_int_equal(t.told_times, 30000);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{}}");
    clear(&t);
}

/* --- what is no such line --- */

static void other_lines_are_ignored_and_logged_once_without_their_text(void **state)
{
    struct trial t = SCRIPT("echo SECRET; echo '[]'; echo '{\"other\":1}'; echo '{\"progress\":101}';"
                            "echo '{\"progress\":\"x\"}'; echo '{\"message\":5}'; echo '{\"error\":\"text\"}';"
                            "echo '{\"result\":1'; printf '\\377\\n\\000\\n';"
                            "echo '{\"result\":3,\"progress\":-1}'; echo '{\"result\":2}'");
    (void)state;
    log_begin();
    run(&t);
    char *log = log_end();
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"value\":2}}");
    assert_int_equal(t.told_times, 0);
    assert_int_equal(count_in(log, "\n"), 1);
    assert_non_null(strstr(log, " warn test: the program wrote a line that is no JSON object"));
    assert_non_null(strstr(log, " job=job_1\n"));
    assert_null(strstr(log, "SECRET"));
    free(log);
    clear(&t);
}

static void a_line_has_at_most_64_kib(void **state)
{
    struct trial just = SCRIPT("printf '{\"result\":\"%065523d\"}\\n' 0");
    struct trial over = SCRIPT("printf '{\"result\":\"%065524d\"}\\n' 0");
    (void)state;
    run(&just);
    assert_int_equal(strlen(just.answer), strlen("{\"status\":\"success\",\"data\":{\"value\":\"\"}}") + 65523);
    log_begin();
    run(&over);
    char *log = log_end();
    assert_string_equal(over.answer, "{\"status\":\"success\"}");
    assert_int_equal(count_in(log, "longer than 65536 bytes"), 1);
    free(log);
    clear(&just);
    clear(&over);
}

static void what_it_writes_to_stderr_is_logged_line_by_line_and_escaped(void **state)
{
    struct trial t = SCRIPT("printf 'one\\r\\nt\\033[31mwo \\000 \\302\\233\\n\\nlast' >&2");
    (void)state;
    log_begin();
    run(&t);
    char *log = log_end();
    assert_int_equal(count_in(log, " info test: the program says: "), 4);
    assert_int_equal(count_in(log, " job=job_1\n"), 4);
    assert_non_null(strstr(log, "says: one job="));
    assert_non_null(strstr(log, "says: t\\x1b[31mwo   \\xc2\\x9b job="));
    assert_non_null(strstr(log, "says: last job="));
    free(log);
    clear(&t);
}

/* What a program says may name people. */
static void a_long_number_in_it_is_masked_asvs_7_1_1(void **state)
{
    struct trial t = SCRIPT("echo 'no answer for 09121234567, 1234567 left' >&2");
    (void)state;
    log_begin();
    run(&t);
    char *log = log_end();
    assert_non_null(strstr(log, "says: no answer for ***67, 1234567 left job="));
    free(log);
    clear(&t);
}

static void the_log_takes_100_lines_of_1_kib(void **state)
{
    struct trial t = SCRIPT("exec >&2; printf '%03000d\\n' 0 | tr 0 x; yes line | head -n 150");
    (void)state;
    log_begin();
    run(&t);
    char *log = log_end();
    assert_int_equal(count_in(log, "the program says: "), 100);
    assert_int_equal(count_in(log, "\n"), 101);
    assert_int_equal(count_in(log, "more than 100 lines"), 1);
    ptrdiff_t longest = strstr(log, " job=") - strstr(log, "says: ") - 6;
    assert_true(longest > 1000 && longest <= 1024);
    free(log);
    clear(&t);
}

static void more_than_1_mib_is_not_listened_to(void **state)
{
    struct trial t = SCRIPT("trap '' TERM; sleep 1000 & yes");
    (void)state;
    log_begin();
    run(&t);
    free(log_end());
    assert_int_equal(t.end, CALL_INVALID);
    assert_string_equal(t.detail, "The program wrote more than 1048576 bytes to stdout.");
    bury_all();
    clear(&t);
}

/* --- its end --- */

static void a_status_other_than_0_is_a_break(void **state)
{
    struct trial t = SCRIPT("echo '{\"result\":{}}'; exit 3");
    (void)state;
    assert_fails(&t, CALL_BROKEN, "The program ended with status 3.");
}

static void a_signal_is_a_break(void **state)
{
    struct trial t = SCRIPT("kill -9 $$");
    (void)state;
    assert_fails(&t, CALL_BROKEN, "The program was ended by signal 9.");
}

static void what_cannot_be_started_is_named(void **state)
{
    struct trial nowhere = TRIAL("no-such-program"), missing = TRIAL("/nowhere/program"), closed = TRIAL("/etc/passwd");
    struct trial outside = TRIAL("true"), empty = { .times = 0 };
    (void)state;
    outside.type.directory = (char *)"/nowhere";
    assert_fails(&nowhere, CALL_INVALID, "The program no-such-program of the job type trial was not found in PATH.");
    assert_fails(&missing, CALL_INVALID, "The program /nowhere/program of the job type trial cannot be started: no "
                                         "such file or directory.");
    assert_fails(&closed, CALL_INVALID, "The program /etc/passwd of the job type trial cannot be started: permission "
                                        "denied.");
    assert_fails(&outside, CALL_INVALID, "The directory /nowhere of the job type trial cannot be entered.");
    assert_fails(&empty, CALL_INVALID, "There is no program to start: exec is for job types that name a command.");
}

static void a_lack_of_descriptors_is_harmless_to_repeat(void **state)
{
    struct trial t = SCRIPT(":");
    struct rlimit was, low;
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    (void)state;
    close(lowest);
    getrlimit(RLIMIT_NOFILE, &was);
    low = was;
    for (rlim_t more = 0; more < 8; more++) {
        struct trial lacking = t;
        low.rlim_cur = (rlim_t)lowest + more;
        setrlimit(RLIMIT_NOFILE, &low);
        begin(&lacking);
        setrlimit(RLIMIT_NOFILE, &was);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(lacking.end, CALL_REFUSED);
        assert_non_null(strstr(lacking.detail, "too many open files"));
        clear(&lacking);
    }
    run(&t);
    assert_int_equal(t.end, CALL_ANSWERED);
    clear(&t);
}

/* --- what it is given --- */

static void the_body_is_one_line_and_then_the_end(void **state)
{
    struct trial t = SCRIPT("IFS= read -r line; read -r more && exit 9; printf '{\"result\":%s}\\n' \"$line\"");
    (void)state;
    t.body = SPAN("{\"job\":\n{\"id\":\"1\"},\r\n\"payload\":{}}");
    run(&t);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"job\": {\"id\":\"1\"},  \"payload\":{}}}");
    clear(&t);
}

static void a_large_body_may_be_read_or_not(void **state)
{
    struct trial reads = SCRIPT("printf '{\"result\":%d}' $(wc -c)"), ends = SCRIPT(":");
    struct trial ignores = SCRIPT("exec <&-; echo '{\"result\":1}'");
    char *body = xmalloc(1024 * 1024);
    (void)state;
    memset(body, '1', 1024 * 1024);
    reads.body = ignores.body = ends.body = (struct span){ body, 1024 * 1024 };
    run(&reads);
    run(&ignores);
    run(&ends);
    assert_string_equal(reads.answer, "{\"status\":\"success\",\"data\":{\"value\":1048577}}");
    assert_string_equal(ignores.answer, "{\"status\":\"success\",\"data\":{\"value\":1}}");
    assert_string_equal(ends.answer, "{\"status\":\"success\"}");
    free(body);
    clear(&reads);
    clear(&ignores);
    clear(&ends);
}

static void its_arguments_pass_no_shell(void **state)
{
    struct trial t = TRIAL("echo", "{\"result\":\"$HOME `id` ; * $(id)\"}");
    (void)state;
    run(&t);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"value\":\"$HOME `id` ; * $(id)\"}}");
    clear(&t);
}

static void it_knows_its_job_and_the_variables_of_its_type(void **state)
{
    struct trial t = SCRIPT("printf '{\"result\":\"%s %s %s %s %s\"}'"
                            " \"$PEYGIR_JOB\" \"$PEYGIR_RUN\" \"$PEYGIR_TYPE\" \"$GREETING\" \"$TZ\"");
    (void)state;
    setenv("TZ", "Asia/Tehran", 1);
    t.type.environment = WORDS("GREETING=hello=you", "TZ=UTC", "PEYGIR_RUN=8");
    run(&t);
    unsetenv("TZ");
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"value\":\"job_1 7 trial hello=you UTC\"}}");
    clear(&t);
}

static void it_knows_nothing_else_of_the_worker(void **state)
{
    struct trial t = TRIAL("awk", "BEGIN { for (n in ENVIRON)"
                                  "  if (n !~ /^(PATH|LANG|LC_.*|TZ|HOME|PEYGIR_(JOB|RUN|TYPE)|AWK.*)$/) bad = bad n;"
                                  " print \"{\\\"result\\\":\\\"\" bad \"\\\"}\" }");
    (void)state;
    setenv("REDIS_PASSWORD", "hidden", 1);
    run(&t);
    unsetenv("REDIS_PASSWORD");
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"value\":\"\"}}");
    clear(&t);
}

static void it_runs_where_its_type_says(void **state)
{
    struct trial root = SCRIPT("echo \"{\\\"result\\\":\\\"$(pwd)\\\"}\""), usr = root;
    (void)state;
    usr.type.directory = (char *)"/usr";
    run(&root);
    run(&usr);
    assert_string_equal(root.answer, "{\"status\":\"success\",\"data\":{\"value\":\"/\"}}");
    assert_string_equal(usr.answer, "{\"status\":\"success\",\"data\":{\"value\":\"/usr\"}}");
    clear(&root);
    clear(&usr);
}

static void parts_of_path_that_depend_on_the_directory_do_not_count(void **state)
{
    struct trial here = TRIAL("true"), there = here;
    (void)state;
    here.type.directory = there.type.directory = (char *)"/bin";
    here.type.environment = WORDS("PATH=:.:bin:");
    there.type.environment = WORDS("PATH=.::/nowhere:/bin");
    run(&here);
    assert_int_equal(here.end, CALL_INVALID);
    run(&there);
    assert_int_equal(there.end, CALL_ANSWERED);
    clear(&here);
    clear(&there);
}

static void signals_are_as_a_program_expects_them(void **state)
{
    /* 1 to 31; the C library ignores two of its own above them in what make starts. */
    struct trial t = TRIAL("awk", "/^Sig(Ign|Blk)/ && substr($2, 9) !~ /^[08]0+$/ { bad = 1 }"
                                  "END { print \"{\\\"result\\\":\" (bad ? 1 : 0) \"}\" }", "/proc/self/status");
    (void)state;
    run(&t);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"value\":0}}");
    clear(&t);
}

static void its_pipes_can_be_opened_by_name(void **state)
{
    (void)state;
    assert_answers("echo '{\"result\":1}' > /dev/stdout", "{\"status\":\"success\",\"data\":{\"value\":1}}");
}

/* --- cancelling --- */

static void a_cancelled_program_may_tidy_up(void **state)
{
    struct trial t = SCRIPT("trap 'echo tidied >&2; exit 0' TERM; sleep 1000 & echo '{\"progress\":1}'; wait");
    (void)state;
    t.cancel_when_told = true;
    log_begin();
    run(&t);
    char *log = log_end();
    assert_int_equal(t.end, CALL_CANCELLED);
    assert_string_equal(t.detail, "The program was ended.");
    assert_string_equal(t.answer, "");
    assert_non_null(strstr(log, "the program says: tidied"));
    free(log);
    clear(&t);
}

static void a_program_that_ignores_it_is_killed(void **state)
{
    struct trial t = SCRIPT("trap '' TERM; echo '{\"progress\":1}'; while :; do sleep 1000; done");
    int timers = 0;
    (void)state;
    t.cancel_when_told = true;
    begin(&t);
    while (t.told_times == 0)
        uv_run(&loop, UV_RUN_ONCE);
    handler_exec.cancel(t.call);
    assert_int_equal(t.times, 0);
    uv_walk(&loop, hurry, &timers);
    assert_int_equal(timers, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(t.end, CALL_CANCELLED);
    assert_int_equal(t.times, 1);
    bury_all();
    clear(&t);
}

/* The child ignores SIGTERM, says its number and lives on. */
#define DEAF "sh -c 'trap \"\" TERM; echo \"{\\\"message\\\":\\\"$$\\\"}\" >&3; exec 3>&-; exec sleep 1000' 3>&1 "

static void its_children_end_with_it_also_those_that_ignore_sigterm(void **state)
{
    struct trial t = SCRIPT(DEAF ">/dev/null 2>&1 & wait");
    (void)state;
    t.cancel_when_told = true;
    run(&t);
    assert_int_equal(t.end, CALL_CANCELLED);
    assert_int_equal(end_of_orphan(t.said), SIGKILL);
    clear(&t);
}

static void children_that_hold_its_pipes_have_time_to_tidy_up(void **state)
{
    struct trial t = SCRIPT("echo \"{\\\"message\\\":\\\"$$\\\"}\"; " DEAF "& wait");
    int timers = 0;
    long leader = 0;
    (void)state;
    begin(&t);
    for (; t.told_times < 2; uv_run(&loop, UV_RUN_ONCE))
        leader = t.told_times == 1 ? t.said : leader;
    if (leader == 0)
        leader = strtol(t.told.s + strlen("-1:"), NULL, 10);
    handler_exec.cancel(t.call);
    while (kill((pid_t)leader, 0) == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(t.times, 0);
    assert_int_equal(kill((pid_t)t.said, 0), 0);
    uv_walk(&loop, hurry, &timers);
    assert_int_equal(timers, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(t.times, 1);
    assert_int_equal(t.end, CALL_CANCELLED);
    assert_int_equal(end_of_orphan(t.said), SIGKILL);
    clear(&t);
}

static void what_has_ended_by_itself_is_not_cancelled(void **state)
{
    struct trial t = SCRIPT("sleep 1000 & echo \"{\\\"message\\\":\\\"$!\\\"}\";"
                            "echo \"{\\\"message\\\":\\\"$$\\\",\\\"result\\\":1}\"");
    (void)state;
    begin(&t);
    while (t.told_times < 2)
        uv_run(&loop, UV_RUN_ONCE);
    while (kill((pid_t)t.said, 0) == 0)
        uv_run(&loop, UV_RUN_ONCE);
    handler_exec.cancel(t.call);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(t.times, 1);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{\"value\":1}}");
    assert_int_equal(end_of_orphan(strtol(t.told.s + strlen("-1:"), NULL, 10)), SIGKILL);
    clear(&t);
}

/* --- what it leaves behind --- */

static void children_that_hold_its_pipes_do_not_hold_up_the_end(void **state)
{
    struct trial t = SCRIPT("sleep 1000 & echo \"{\\\"message\\\":\\\"$!\\\",\\\"result\\\":{}}\"");
    (void)state;
    run(&t);
    assert_string_equal(t.answer, "{\"status\":\"success\",\"data\":{}}");
    assert_int_equal(end_of_orphan(t.said), SIGKILL);
    clear(&t);
}

static void children_in_the_background_end_with_it(void **state)
{
    struct trial t = SCRIPT("sleep 1000 <&- >/dev/null 2>&1 & echo \"{\\\"message\\\":\\\"$!\\\"}\"");
    (void)state;
    run(&t);
    assert_int_equal(t.end, CALL_ANSWERED);
    assert_int_equal(end_of_orphan(t.said), SIGKILL);
    clear(&t);
}

static void a_child_that_left_the_group_is_let_go(void **state)
{
    struct trial t = SCRIPT("setsid"
                            " sh -c 'echo \"{\\\"message\\\":\\\"$$\\\"}\" >&3; exec 3>&-; exec sleep 1000' 3>&1 &"
                            "read -r x; wait");
    (void)state;
    t.cancel_when_told = true;
    run(&t);
    assert_int_equal(t.end, CALL_CANCELLED);
    assert_int_equal(kill((pid_t)t.said, SIGTERM), 0);
    assert_int_equal(end_of_orphan(t.said), SIGTERM);
    clear(&t);
}

static void it_has_no_descriptor_of_the_worker_or_of_another_program(void **state)
{
    struct trial t[TOGETHER];
    const struct trial look = SCRIPT("read -r line; for f in /proc/$$/fd/*; do"
                                     "  [ ${f##*/} -gt 2 ] && [ -e $f ] && bad=$bad${f##*/}; done;"
                                     "echo \"{\\\"result\\\":\\\"$bad\\\"}\"");
    (void)state;
    int careless = fcntl(STDERR_FILENO, F_DUPFD, 3);
    for (size_t i = 0; i < TOGETHER; i++) {
        t[i] = look;
        begin(&t[i]);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < TOGETHER; i++) {
        assert_int_equal(t[i].times, 1);
        assert_string_equal(t[i].answer, "{\"status\":\"success\",\"data\":{\"value\":\"\"}}");
        clear(&t[i]);
    }
    close(careless);
}

static void many_runs_leave_no_descriptor_and_no_process(void **state)
{
    static struct trial t[MANY];
    const struct trial ends = TRIAL("true"), missing = TRIAL("/nowhere/program"),
                       cancelled = SCRIPT("echo '{\"progress\":1}'; exec sleep 1000");
    (void)state;
    int before = open_descriptors();
    for (size_t i = 0; i < MANY; i++) {
        t[i] = i % 10 == 3 ? missing : i % 10 == 6 ? cancelled : ends;
        t[i].cancel_when_told = true;
        t[i].next = i + 1 < MANY ? &t[i + 1] : NULL;
    }
    begin(&t[0]);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(t[i].times, 1);
        assert_int_equal(t[i].end, i % 10 == 3 ? CALL_INVALID : i % 10 == 6 ? CALL_CANCELLED : CALL_ANSWERED);
        clear(&t[i]);
    }
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_becomes_the_data_of_a_success),
        cmocka_unit_test(silence_is_a_success_without_data),
        cmocka_unit_test(a_result_that_is_no_object_becomes_a_value),
        cmocka_unit_test(the_last_result_counts_also_without_a_line_end),
        cmocka_unit_test(an_error_counts_whatever_else_is_said),
        cmocka_unit_test(progress_is_told_as_it_comes),
        cmocka_unit_test(a_long_message_is_cut_at_a_character),
        cmocka_unit_test(all_that_was_written_before_the_end_is_read),
        cmocka_unit_test(other_lines_are_ignored_and_logged_once_without_their_text),
        cmocka_unit_test(a_line_has_at_most_64_kib),
        cmocka_unit_test(what_it_writes_to_stderr_is_logged_line_by_line_and_escaped),
        cmocka_unit_test(a_long_number_in_it_is_masked_asvs_7_1_1),
        cmocka_unit_test(the_log_takes_100_lines_of_1_kib),
        cmocka_unit_test(more_than_1_mib_is_not_listened_to),
        cmocka_unit_test(a_status_other_than_0_is_a_break),
        cmocka_unit_test(a_signal_is_a_break),
        cmocka_unit_test(what_cannot_be_started_is_named),
        cmocka_unit_test(a_lack_of_descriptors_is_harmless_to_repeat),
        cmocka_unit_test(the_body_is_one_line_and_then_the_end),
        cmocka_unit_test(a_large_body_may_be_read_or_not),
        cmocka_unit_test(its_arguments_pass_no_shell),
        cmocka_unit_test(it_knows_its_job_and_the_variables_of_its_type),
        cmocka_unit_test(it_knows_nothing_else_of_the_worker),
        cmocka_unit_test(it_runs_where_its_type_says),
        cmocka_unit_test(parts_of_path_that_depend_on_the_directory_do_not_count),
        cmocka_unit_test(signals_are_as_a_program_expects_them),
        cmocka_unit_test(its_pipes_can_be_opened_by_name),
        cmocka_unit_test(a_cancelled_program_may_tidy_up),
        cmocka_unit_test(a_program_that_ignores_it_is_killed),
        cmocka_unit_test(its_children_end_with_it_also_those_that_ignore_sigterm),
        cmocka_unit_test(children_that_hold_its_pipes_have_time_to_tidy_up),
        cmocka_unit_test(what_has_ended_by_itself_is_not_cancelled),
        cmocka_unit_test(children_that_hold_its_pipes_do_not_hold_up_the_end),
        cmocka_unit_test(children_in_the_background_end_with_it),
        cmocka_unit_test(a_child_that_left_the_group_is_let_go),
        cmocka_unit_test(it_has_no_descriptor_of_the_worker_or_of_another_program),
        cmocka_unit_test(many_runs_leave_no_descriptor_and_no_process),
    };
    return cmocka_run_group_tests_name("handler_exec", tests, set_up, tear_down);
}
