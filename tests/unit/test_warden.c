/* test_warden.c: programs end with a worker that is killed outright. The worker of each test is a process of its own. */
#include "tests/unit/unit.h"

#include "base/log.h"
#include "worker/warden.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A group of two: a program and what it started. */
struct program {
    pid_t leader, member;
};

/* Says the number of its member when both are ready for what comes. */
static struct program begin(const char *prepare)
{
    struct program p = { .leader = -1 };
    char script[200], line[32] = "";
    int ends[2];

    snprintf(script, sizeof script, "%s sleep 1000 & echo $!; wait", prepare);
    assert_int_equal(pipe(ends), 0);
    p.leader = fork();
    if (p.leader == 0) {
        setsid();
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(127);
    }
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    close(ends[0]);
    p.member = (pid_t)strtol(line, NULL, 10);
    return p;
}

#define PLAIN ""
#define DEAF "trap '' TERM;"

/* A process that has the programs, and whose warden knows them; it lives until it is killed. */
static pid_t worker(struct program programs[], const char *const prepare[], size_t count)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        struct err err = ERR_INIT;
        struct warden *w = warden_new(&err);
        for (size_t i = 0; i < count; i++) {
            programs[i] = begin(prepare[i]);
            warden_add(w, programs[i].leader);
        }
        if (write(ends[1], programs, count * sizeof *programs) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], programs, count * sizeof *programs), (ssize_t)(count * sizeof *programs));
    close(ends[0]);
    return pid;
}

/* Everybody's orphans become the test's children: how did this one end? */
static int end_of(pid_t pid)
{
    int status = 0;

    assert_true(pid > 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Nobody is left, the wardens neither. */
static int bury_all(void **state)
{
    (void)state;
    while (waitpid(-1, NULL, 0) > 0)
        ;
    return errno == ECHILD ? 0 : -1;
}

static void whole_groups_end_with_the_worker_that_is_killed_also_the_deaf_ones(void **state)
{
    static const char *const prepare[] = { PLAIN, DEAF };
    struct program programs[2];
    pid_t pid = worker(programs, prepare, 2);

    (void)state;
    assert_int_equal(kill(programs[1].leader, SIGTERM), 0); /* no answer to that */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(end_of(pid), SIGKILL);
    assert_int_equal(end_of(programs[0].leader), SIGTERM);
    assert_int_equal(end_of(programs[0].member), SIGTERM);
    assert_int_equal(end_of(programs[1].leader), SIGKILL);
    assert_int_equal(end_of(programs[1].member), SIGKILL);
}

static void what_ends_the_workers_own_group_leaves_the_warden(void **state)
{
    static const char *const prepare[] = { PLAIN };
    struct program program;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        setpgid(0, 0);
        worker(&program, prepare, 1);
        kill(0, SIGKILL);
        _exit(1);
    }
    assert_int_equal(end_of(pid), SIGKILL);
    assert_int_equal(bury_all(NULL), 0); /* waits for all that there was */
}

static void a_group_that_is_gone_is_no_business_of_the_warden(void **state)
{
    struct err err = ERR_INIT;
    struct warden *w = warden_new(&err);
    struct program kept = begin(PLAIN), others = begin(PLAIN);

    (void)state;
    assert_non_null(w);
    for (int i = 0; i < 1000; i++) {
        warden_add(w, kept.leader);
        warden_add(w, others.leader);
        warden_remove(w, others.leader);
        warden_remove(w, others.leader);
    }
    warden_free(w);
    assert_int_equal(end_of(kept.leader), SIGTERM);
    assert_int_equal(end_of(kept.member), SIGTERM);
    assert_int_equal(kill(others.member, 0), 0);
    assert_int_equal(kill(-others.leader, SIGKILL), 0);
    assert_int_equal(end_of(others.leader), SIGKILL);
}

static pid_t only_child(void)
{
    char path[64], line[64] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    file = fopen(path, "r");
    if (!file)
        skip(); /* a kernel without it */
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    return (pid_t)strtol(line, NULL, 10);
}

static void a_warden_that_is_killed_harms_nobody(void **state)
{
    struct err err = ERR_INIT;
    struct warden *w = warden_new(&err);
    pid_t pid = only_child();

    (void)state;
    assert_int_equal(kill(pid, SIGTERM), 0); /* it is deaf to that */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ .si_pid = 0 }, WEXITED | WNOWAIT), 0);
    warden_add(w, 12345);
    warden_remove(w, 12345);
    warden_free(w);
    warden_add(NULL, 12345);
    warden_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, bury_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_groups_end_with_the_worker_that_is_killed_also_the_deaf_ones),
        TEST(what_ends_the_workers_own_group_leaves_the_warden),
        TEST(a_group_that_is_gone_is_no_business_of_the_warden),
        TEST(a_warden_that_is_killed_harms_nobody),
    };

    return cmocka_run_group_tests_name("warden", tests, NULL, NULL);
}
