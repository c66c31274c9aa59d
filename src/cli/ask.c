/* ask.c: asking for a password */
#include "cli/ask.h"

#include "core/user.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 1024 };

static struct termios before;

/* What ends the program while it asks must not leave a terminal that shows nothing. */
static void restore_and_end(int number)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    signal(number, SIG_DFL);
    raise(number);
}

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void catch_signals(bool on, struct sigaction old[ARRAY_LEN(ending)])
{
    struct sigaction action = { .sa_handler = restore_and_end };
    for (size_t i = 0; i < ARRAY_LEN(ending); i++)
        sigaction(ending[i], on ? &action : &old[i], on ? &old[i] : NULL);
}

/* One line without its end. Byte by byte: what follows is not ours. False: there is none, or it is too long. */
static bool read_line(struct str *out)
{
    char c;
    ssize_t n;
    str_reset(out);
    str_grow(out, LINE_BYTES_MAX + 1); /* it never moves, so that no copy is left behind */
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 || (n < 0 && errno == EINTR)) {
        if (n == 1 && c == '\n')
            return true;
        if (n == 1 && out->len >= LINE_BYTES_MAX)
            return false;
        if (n == 1)
            str_addc(out, c);
    }
    return n == 0 && out->len > 0;
}

/* The prompt goes to standard error, so that --json stays alone on standard output. */
static bool read_hidden(const char *prompt, struct str *out)
{
    struct termios silent = before;
    struct sigaction old[ARRAY_LEN(ending)];
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
    silent.c_lflag |= ECHONL;
    silent.c_cc[VSUSP] = _POSIX_VDISABLE;
    fputs(prompt, stderr);
    catch_signals(true, old);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    bool read = read_line(out);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    catch_signals(false, old);
    return read;
}

static int ask_twice(struct str *out, struct err *err)
{
    struct str again = STR_INIT, prompt = STR_INIT;
    str_addf(&prompt, "New password (%d to %d characters): ", USER_PASSWORD_MIN, USER_PASSWORD_MAX);
    bool read = read_hidden(prompt.s, out) && read_hidden("The same again: ", &again);
    bool same = read && out->len == again.len && memcmp(out->s, again.s, again.len) == 0;
    ask_wipe(&again);
    str_free(&prompt);
    if (!read)
        return err_set(err, ERR_INVALID, "no password was typed; nothing was changed");
    return same ? 0 : err_set(err, ERR_INVALID, "the two passwords are not the same; nothing was changed");
}

int ask_password(struct str *out, struct err *err)
{
    if (tcgetattr(STDIN_FILENO, &before) == 0)
        return ask_twice(out, err);
    if (!read_line(out))
        return err_set(err, ERR_INVALID, "the password is one line of standard input of at most %d bytes, and there is none", LINE_BYTES_MAX);
    return 0;
}

void ask_wipe(struct str *out)
{
    if (out->s)
        explicit_bzero(out->s, out->len);
    str_free(out);
}
