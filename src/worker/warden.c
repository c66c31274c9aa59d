/* warden.c: ends the programs of a worker that was killed. What it is told are numbers on a pipe: of a group that is there, and negative
 * of one that is gone. */
#include "worker/warden.h"

#include "base/log.h"
#include "base/xmalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 20, AT_ONCE = 128 };

struct warden {
    pid_t pid;
    int pipe;
    bool complained;
};

/* --- the warden's own process --- */

struct groups {
    pid_t *at;
    size_t count, room;
};

static void note(struct groups *g, pid_t told)
{
    size_t i = 0;
    while (i < g->count && g->at[i] != (told < 0 ? -told : told))
        i++;
    if (told < 0 && i < g->count) {
        g->at[i] = g->at[--g->count];
    } else if (told > 1 && i == g->count) {
        if (g->count == g->room) {
            g->room = g->room ? g->room * 2 : AT_ONCE;
            g->at = xreallocarray(g->at, g->room, sizeof *g->at);
        }
        g->at[g->count++] = told;
    }
}

/* Those that are left. */
static size_t signal_all(struct groups *g, int number)
{
    for (size_t i = 0; i < g->count;)
        if (kill(-g->at[i], number) < 0 && errno == ESRCH)
            g->at[i] = g->at[--g->count];
        else
            i++;
    return g->count;
}

static void end_all(struct groups *g)
{
    const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
    signal_all(g, SIGTERM);
    for (int waited_ms = 0; waited_ms < WARDEN_PATIENCE_MS && signal_all(g, 0) > 0; waited_ms += LOOK_MS)
        nanosleep(&pause, NULL);
    signal_all(g, SIGKILL);
}

/* A group of its own, so that what ends the worker's ends it not; no descriptor but the pipe, so that nobody waits for it. */
static void stand_aside(int pipe)
{
    static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    setsid();
    prctl(PR_SET_NAME, "peygir-warden");
    dup2(pipe, STDIN_FILENO);
    close_range(STDIN_FILENO + 1, ~0U, 0);
    if (chdir("/") < 0)
        _exit(1);
}

static void watch(const int ends[2])
{
    struct groups groups = { .at = NULL };
    pid_t told[AT_ONCE];
    ssize_t n;
    close(ends[1]);
    stand_aside(ends[0]);
    while ((n = read(STDIN_FILENO, told, sizeof told)) > 0 || (n < 0 && errno == EINTR))
        for (ssize_t i = 0; i < n / (ssize_t)sizeof *told; i++)
            note(&groups, told[i]);
    end_all(&groups);
    _exit(0);
}

/* --- the worker's side --- */

struct warden *warden_new(struct err *err)
{
    int ends[2];
    pid_t pid = -1;
    if (pipe2(ends, O_CLOEXEC) == 0 && (pid = fork()) == 0)
        watch(ends);
    if (pid < 0) {
        err_set(err, ERR_FAILED, "No process that ends programs after a worker's death can be started: %s.", strerror(errno));
        return NULL;
    }
    close(ends[0]);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    struct warden *w = xcalloc(1, sizeof *w);
    *w = (struct warden){ .pid = pid, .pipe = ends[1] };
    return w;
}

void warden_free(struct warden *w)
{
    if (!w)
        return;
    close(w->pipe);
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(w);
}

static void tell(struct warden *w, pid_t number)
{
    if (!w || write(w->pipe, &number, sizeof number) == (ssize_t)sizeof number || w->complained)
        return;
    w->complained = true;
    log_warn("The process that ends programs after this worker's death is not there any more: should the worker be killed, they run on.");
}

void warden_add(struct warden *w, pid_t group)
{
    tell(w, group);
}

void warden_remove(struct warden *w, pid_t group)
{
    tell(w, -group);
}
