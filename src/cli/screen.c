/* screen.c: a terminal that a live view is drawn on */
#include "cli/screen.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/utf8.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { DEFAULT_ROWS = 24, DEFAULT_COLUMNS = 80 };
#define BEGIN_VIEW "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define END_VIEW "\033[?25h\033[?1049l"
#define TO_TOP "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

struct screen {
    struct termios before;
};

static volatile sig_atomic_t asked_to_end;

static void note_end(int signal_number)
{
    (void)signal_number;
    asked_to_end = 1;
}

static void note_nothing(int signal_number)
{
    (void)signal_number;
}

/* Without SA_RESTART: a signal ends the wait. It is let through only while waiting, so that none is missed before. */
void screen_catch_signals(void)
{
    static const struct {
        int number;
        void (*handler)(int);
    } caught[] = { { SIGINT, note_end }, { SIGTERM, note_end }, { SIGHUP, note_end }, { SIGWINCH, note_nothing } };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(caught); i++) {
        struct sigaction action = { .sa_handler = caught[i].handler };
        sigaction(caught[i].number, &action, NULL);
        sigaddset(&set, caught[i].number);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void put(const char *s, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, s, len);
        if (n < 0 && errno != EINTR)
            return;
        s += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

struct screen *screen_open(void)
{
    const char *term = getenv("TERM");
    struct screen *screen = xcalloc(1, sizeof *screen);
    if (!isatty(STDOUT_FILENO) || !term || !*term || strcmp(term, "dumb") == 0 ||
        tcgetattr(STDIN_FILENO, &screen->before) < 0) {
        free(screen);
        return NULL;
    }
    struct termios raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped view would leave the terminal as it is */
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    put(BEGIN_VIEW, sizeof BEGIN_VIEW - 1);
    return screen;
}

void screen_close(struct screen *screen)
{
    if (!screen)
        return;
    put(END_VIEW, sizeof END_VIEW - 1);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->before);
    free(screen);
}

static size_t cut_bytes(const char *line, size_t len, size_t columns)
{
    size_t at = 0, size;
    for (size_t i = 0; i < columns && at < len; i++) {
        size = utf8_char(line + at, len - at);
        at += size > 0 ? size : 1;
    }
    return at;
}

void screen_draw(const struct screen *screen, const char *text, size_t len)
{
    struct winsize size = { .ws_row = 0 };
    struct str out = STR_INIT;
    (void)screen;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){ .ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLUMNS };
    str_adds(&out, TO_TOP);
    for (unsigned row = 0; row < size.ws_row && len > 0; row++) {
        const char *stop = memchr(text, '\n', len);
        size_t line = stop ? (size_t)(stop - text) : len;
        str_adds(&out, row > 0 ? "\r\n" : "");
        str_add(&out, text, cut_bytes(text, line, size.ws_col));
        str_adds(&out, CLEAR_LINE);
        len -= stop ? line + 1 : len;
        text = stop ? stop + 1 : text;
    }
    str_adds(&out, CLEAR_BELOW);
    put(out.s, out.len);
    str_free(&out);
}

static bool key_ends(void)
{
    char key[16];
    ssize_t n = read(STDIN_FILENO, key, sizeof key);
    return n == 0 || (n > 0 && memchr(key, 'q', (size_t)n)); /* 0: the terminal has gone */
}

bool screen_wait(const struct screen *screen, int ms)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    struct timespec wait = { ms / 1000, (long)(ms % 1000) * 1000000 };
    sigset_t none;
    sigemptyset(&none);
    if (ms < 0)
        wait = (struct timespec){ 0, 0 };
    int ready = ppoll(&in, screen ? 1 : 0, &wait, &none);
    return asked_to_end || (ready > 0 && key_ends());
}
