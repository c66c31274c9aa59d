/* server.c: a private redis-server for a unit test program. */
#include "base/xmalloc.h"

#include "tests/unit/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TRIES 2000 /* of 5 ms */

static char directory[64];
static char socket_path[96];
static char url[128];
static pid_t pid;

static void die(const char *what)
{
    fprintf(stderr, "The private redis-server %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The system's own functions may be called between fork and exec. */
static void become_server(void)
{
    int log;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chdir(directory) < 0)
        _exit(127);
    log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--unixsocketperm", "700",
           "--save", "", "--appendonly", "no", "--dir", directory, (char *)NULL);
    _exit(127);
}

static bool answers(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char reply[8];
    bool ok;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, socket_path, strlen(socket_path));
    ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 &&
         recv(fd, reply, sizeof(reply), 0) > 0 && memcmp(reply, "+PONG", 5) == 0;
    close(fd);
    return ok;
}

static void make_directory(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(directory, sizeof(directory), "%s/peygir-unit-XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
    if (!mkdtemp(directory))
        die("got no directory");
    snprintf(socket_path, sizeof(socket_path), "%s/redis.sock", directory);
    snprintf(url, sizeof(url), "unix://%s?db=0", socket_path);
    atexit(server_stop);
}

void server_start(void)
{
    if (pid)
        return;
    if (!*directory)
        make_directory();
    pid = fork();
    if (pid < 0)
        die("cannot be started");
    if (pid == 0)
        become_server();
    for (int tries = 0; !answers(); tries++) {
        if (tries == START_TRIES || waitpid(pid, NULL, WNOHANG) == pid) {
            pid = 0;
            die("does not answer (is the package redis-server installed?)");
        }
        usleep(5000);
    }
}

const char *server_url(void)
{
    return url;
}

static void send_signal(int number)
{
    if (pid && kill(pid, number) < 0)
        die("gets no signal");
}

void server_freeze(void)
{
    send_signal(SIGSTOP);
    waitpid(pid, NULL, WUNTRACED); /* it has stopped when this returns */
}

void server_thaw(void)
{
    send_signal(SIGCONT);
}

void server_kill(void)
{
    if (!pid)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pid = 0;
}

void server_stop(void)
{
    char path[96];

    server_kill();
    if (!*directory)
        return;
    unlink(socket_path);
    snprintf(path, sizeof(path), "%s/log", directory);
    unlink(path);
    rmdir(directory);
    *directory = '\0';
}

static void become_client(const char *const words[], int out)
{
    const char *argv[64] = { "redis-cli", "-s", socket_path };
    size_t count = 3;

    for (; *words && count < ARRAY_LEN(argv) - 1; words++)
        argv[count++] = *words;
    dup2(out, STDOUT_FILENO);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

char *server_cli(const char *const words[])
{
    char *answer = xmalloc(65536);
    size_t len = 0;
    ssize_t n = 0;
    int pipes[2];
    pid_t client = -1;

    if (pipe2(pipes, O_CLOEXEC) < 0 || (client = fork()) < 0)
        die("has no client");
    if (client == 0)
        become_client(words, pipes[1]);
    close(pipes[1]);
    while (len < 65535 && (n = read(pipes[0], answer + len, 65535 - len)) > 0)
        len += (size_t)n;
    close(pipes[0]);
    waitpid(client, NULL, 0);
    while (len > 0 && answer[len - 1] == '\n')
        len--;
    answer[len] = '\0';
    return answer;
}

void server_flush(void)
{
    free(server_cli((const char *const[]){ "FLUSHALL", "SYNC", NULL }));
}
