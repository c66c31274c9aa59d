/* exec_start.c: how a program is begun: environment, PATH, pipes, a process group of its own */
#include "core/job_type.h"
#include "worker/exec_part.h"
#include "worker/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the program gets of the worker's environment. */
static bool is_kept(const char *entry)
{
    static const char *const names[] = { "PATH=", "LANG=", "LC_", "TZ=", "HOME=" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* NULL-terminated "NAME=value", borrowed. */
struct variables {
    char **entry;
    size_t count;
};

/* The later one of a name counts. */
static void set_variable(struct variables *v, char *entry)
{
    size_t name_len = strcspn(entry, "=") + 1, i = 0;
    while (i < v->count && strncmp(v->entry[i], entry, name_len) != 0)
        i++;
    if (i == v->count) {
        v->entry = xreallocarray(v->entry, v->count + 2, sizeof *v->entry);
        v->entry[++v->count] = NULL;
    }
    v->entry[i] = entry;
}

static const char *get_variable(const struct variables *v, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < v->count; i++)
        if (strncmp(v->entry[i], name, len) == 0 && v->entry[i][len] == '=')
            return v->entry[i] + len + 1;
    return NULL;
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Where the program is (free()); NULL: not in PATH. Parts of PATH that depend on the directory do not count. */
static char *find_program(const char *name, const char *path)
{
    if (strchr(name, '/'))
        return xstrdup(name);
    const char *part = path ? path : "/usr/local/bin:/usr/bin:/bin";
    for (size_t len; *part; part += len + (part[len] == ':')) {
        len = strcspn(part, ":");
        char *program = xasprintf("%.*s/%s", (int)len, part, name);
        if (*part == '/' && is_program(program))
            return program;
        free(program);
    }
    return NULL;
}

/* Ours becomes the stream's; the program's end is returned, or a negative error of libuv. */
static int make_pipe(uv_pipe_t *pipe, bool it_reads)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int failed = uv_pipe_open(pipe, ends[it_reads ? 1 : 0]);
    if (failed == 0)
        return ends[it_reads ? 0 : 1];
    close(ends[0]);
    close(ends[1]);
    return failed;
}

/* Pipes of our own making: libuv's are sockets, and /dev/stdout cannot be opened on those. Nothing but these goes to the
 * program: libcurl opens sockets that would (a kernel before 5.11 lets them). 0 or libuv's error. */
static int spawn(struct exec_call *call, const struct job_type *type, char *program, char **environment)
{
    uv_pipe_t *const ours[] = { &call->input, &call->out.pipe, &call->log.pipe };
    uv_stdio_container_t theirs[ARRAY_LEN(ours)];
    size_t count = 0;
    int failed = 0;
    for (; count < ARRAY_LEN(ours) && failed == 0; count++) {
        int fd = make_pipe(ours[count], count == 0);
        theirs[count] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = fd };
        failed = fd < 0 ? fd : 0;
    }
    if (failed == 0) {
        close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        failed = uv_spawn(call->loop, &call->process, &(uv_process_options_t){
            .exit_cb = exec_ended, .file = program, .args = type->command, .env = environment,
            .cwd = type->directory ? type->directory : "/", .flags = UV_PROCESS_DETACHED,
            .stdio_count = ARRAY_LEN(theirs), .stdio = theirs });
        call->handles++;
    }
    while (count-- > 0)
        if (theirs[count].data.fd >= 0)
            close(theirs[count].data.fd);
    if (failed == 0) {
        call->group = call->warded = call->process.pid;
        warden_add(call->warden, call->warded);
    }
    return failed;
}

/* A lack of processes or descriptors goes by, and nothing was started: that is harmless to repeat soon. Anything else
 * waits for somebody to put it right, as long as the job's own policy allows. */
static void explain(struct exec_call *call, const struct job_type *type, int failed)
{
    static const int passing[] = { UV_EAGAIN, UV_ENOMEM, UV_EMFILE, UV_ENFILE, UV_ETXTBSY };
    const char *directory = type->directory ? type->directory : "/";
    struct stat st;
    enum call_end end = CALL_INVALID;
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (failed == passing[i])
            end = CALL_REFUSED;
    if (end == CALL_INVALID && (stat(directory, &st) < 0 || !S_ISDIR(st.st_mode) || access(directory, X_OK) < 0))
        exec_decide(call, end, "The directory %.100s of the job type %.60s cannot be entered.", directory, type->name);
    else
        exec_decide(call, end, "The program %.100s of the job type %.60s cannot be started: %.60s.", type->command[0],
                    type->name, uv_strerror(failed));
}

void exec_start(struct exec_call *call, const struct order *order)
{
    const struct job_type *type = order->type;
    struct variables v = { NULL, 0 };
    char *own[] = { xasprintf("PEYGIR_JOB=%s", order->job_id), xasprintf("PEYGIR_RUN=%lld", (long long)order->run),
                    xasprintf("PEYGIR_TYPE=%s", type->name) };
    for (char **entry = environ; *entry; entry++)
        if (is_kept(*entry))
            set_variable(&v, *entry);
    for (char **entry = type->environment; entry && *entry; entry++)
        set_variable(&v, *entry);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        set_variable(&v, own[i]);
    char *program = find_program(type->command[0], get_variable(&v, "PATH"));
    int failed = program ? spawn(call, type, program, v.entry) : 0;
    if (!program)
        exec_decide(call, CALL_INVALID, "The program %.100s of the job type %.60s was not found in PATH.",
                    type->command[0], type->name);
    else if (failed < 0)
        explain(call, type, failed);
    free(program);
    free(v.entry);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        free(own[i]);
}
