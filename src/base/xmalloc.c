/* xmalloc.c: memory that is there or ends the process. */
#include "base/xmalloc.h"

#include "base/daemon.h"

#include <stdint.h>
#include <unistd.h>

/* _exit, not exit: other threads may be inside code whose exit handlers must not run now. */
static _Noreturn void out_of_memory(void)
{
    static const char text[] = "out of memory; the program ends with status 71\n";

    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(EXIT_OSERR);
    _exit(EXIT_OSERR);
}

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xrealloc(void *ptr, size_t size)
{
    void *p = realloc(ptr, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xreallocarray(void *ptr, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        out_of_memory();
    return xrealloc(ptr, count * size);
}

char *xstrdup(const char *s)
{
    return xmemdupz(s, strlen(s));
}

char *xmemdupz(const void *data, size_t len)
{
    char *p;

    if (len == SIZE_MAX)
        out_of_memory();
    p = xmalloc(len + 1);
    if (len)
        memcpy(p, data, len);
    p[len] = '\0';
    return p;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *p;

    va_start(ap, fmt);
    p = xvasprintf(fmt, ap);
    va_end(ap);
    return p;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char *p;

    if (vasprintf(&p, fmt, ap) < 0)
        out_of_memory();
    return p;
}
