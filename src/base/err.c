/* err.c: errors as sentences. */
#include "base/err.h"

#include "base/utf8.h"

/* Formatting may have cut a character at the end, and arguments may be anybody's bytes: what stays is one line of
 * UTF-8. */
static void tidy(char *text, bool cut)
{
    size_t len = strlen(text), i, n;

    for (i = 0; i < len; i += n ? n : 1) {
        n = utf8_char(text + i, len - i);
        if (n == 0 && cut && len - i < 4) {
            text[i] = '\0';
            return;
        }
        if (n == 0)
            text[i] = '?';
        else if (n == 1 && ((unsigned char)text[i] < 0x20 || text[i] == 0x7f))
            text[i] = ' ';
    }
}

/* Into a buffer of its own first, because the arguments may point into err->text. */
static __attribute__((format(printf, 2, 0))) void store(struct err *err, const char *fmt, va_list ap)
{
    char text[sizeof(err->text)];
    int n = vsnprintf(text, sizeof(text), fmt, ap);

    if (n < 0)
        text[0] = '\0';
    tidy(text, n >= (int)sizeof(text));
    memcpy(err->text, text, strlen(text) + 1);
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -1;
    va_start(ap, fmt);
    store(err, fmt, ap);
    va_end(ap);
    err->kind = kind;
    err->retry_after_s = 0;
    return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    struct err old;
    va_list ap;
    size_t len, rest;

    if (!err)
        return -1;
    old = *err;
    va_start(ap, fmt);
    store(err, fmt, ap);
    va_end(ap);
    len = strlen(err->text);
    if (len + 2 >= sizeof(err->text))
        return -1;
    memcpy(err->text + len, ": ", 2);
    len += 2;
    rest = utf8_clip(old.text, strlen(old.text), sizeof(err->text) - len - 1);
    memcpy(err->text + len, old.text, rest);
    err->text[len + rest] = '\0';
    return -1;
}
