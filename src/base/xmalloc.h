/* xmalloc.h: memory. Running out of it ends the process (exit 71, EX_OSERR): the supervisor starts it again
 * and Redis still has the work. So no caller checks for NULL. Included first by every file. */
#ifndef PEYGIR_XMALLOC_H
#define PEYGIR_XMALLOC_H

#include "base/banned.h"

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
/* Resize to count*size bytes; a product that overflows ends the process. */
void *xreallocarray(void *ptr, size_t count, size_t size);
char *xstrdup(const char *s);
char *xmemdupz(const void *data, size_t len); /* copy of len bytes plus a NUL */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
