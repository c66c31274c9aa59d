/* daemon.c: manners of a long-running program. */
#include "base/xmalloc.h"

#include "base/clock.h"
#include "base/daemon.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A closed 0, 1 or 2 would be given to the next socket, and a stray line of output would go to a peer. */
static void open_stdio(void)
{
    int fd;

    for (fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) < 0)
            _exit(EXIT_OSERR);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warn("The limit of open files could not be raised: %s.", strerror(errno));
}

void daemon_init(void)
{
    open_stdio();
    if (sodium_init() < 0) {
        log_error("libsodium did not start: the system gives no random bytes.");
        exit(EXIT_OSERR);
    }
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    umask(027);
}

static void fill_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

void daemon_block_signals(void)
{
    sigset_t set;

    fill_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int daemon_wait(int timeout_ms)
{
    int64_t end_ms = clock_mono_ms() + timeout_ms, left_ms = timeout_ms;
    struct timespec left;
    sigset_t set;
    int sig;

    fill_signals(&set);
    for (;;) {
        left.tv_sec = left_ms / 1000;
        left.tv_nsec = left_ms % 1000 * 1000000;
        sig = timeout_ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &left);
        if (sig > 0)
            return sig;
        if (errno != EINTR)
            return 0;
        left_ms = end_ms - clock_mono_ms();
        if (left_ms < 0)
            left_ms = 0;
    }
}
