/* wire.c: writing commands in RESP2. */
#include "redis/wire.h"

#include <stdbool.h>

#define WORDS_MAX 64

/* In one piece, from its end: a script has twenty of them. */
static void add_header(struct str *out, char type, size_t n)
{
    char text[1 + NUMBER_SIZE + 2], *end = text + sizeof text, *at = end;

    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    *--at = type;
    str_add(out, at, (size_t)(end - at));
}

void wire_begin(struct str *out, int words)
{
    add_header(out, '*', (size_t)words);
}

void wire_add_words(struct str *out, int count, const struct span words[])
{
    for (int i = 0; i < count; i++) {
        add_header(out, '$', words[i].len);
        str_add(out, words[i].s ? words[i].s : "", words[i].len);
        str_add(out, "\r\n", 2);
    }
}

void wire_add(struct str *out, int argc, const struct span argv[])
{
    wire_begin(out, argc);
    wire_add_words(out, argc, argv);
}

/* A format on its way to words. The va_list sits in a struct so that its address may be passed on. */
struct format {
    const char *at;
    struct str *text;        /* the words, one after the other */
    size_t end[WORDS_MAX];   /* where each word ends in text */
    int count;
    bool open;               /* a word has begun, even if it is empty so far */
    va_list ap;
};

static void bug(const char *what)
{
    fprintf(stderr, "redis: %s in the format of a command\n", what);
    abort();
}

static void end_word(struct format *f)
{
    if (!f->open)
        return;
    if (f->count == WORDS_MAX)
        bug("too many words");
    f->end[f->count++] = f->text->len;
    f->open = false;
}

static void add_signed(struct format *f, int longs)
{
    str_add_int(f->text, longs == 0 ? va_arg(f->ap, int) : longs == 1 ? va_arg(f->ap, long) : va_arg(f->ap, long long));
}

static void add_unsigned(struct format *f, int longs)
{
    str_addf(f->text, "%llu", longs == 0   ? va_arg(f->ap, unsigned)
                              : longs == 1 ? va_arg(f->ap, unsigned long)
                                           : va_arg(f->ap, unsigned long long));
}

static void add_bytes(struct format *f)
{
    const char *s = va_arg(f->ap, const char *);
    size_t len = va_arg(f->ap, size_t);

    str_add(f->text, s ? s : "", len);
}

/* The conversion behind a '%'; f->at stands on the character after it. */
static void convert(struct format *f)
{
    int precision = 6;
    int longs = 0;

    if (*f->at == '.') {
        precision = 0;
        while (*++f->at >= '0' && *f->at <= '9')
            precision = precision * 10 + (*f->at - '0');
    }
    for (; *f->at == 'l' || *f->at == 'z'; f->at++)
        longs++;
    switch (*f->at++) {
    case 's': str_adds(f->text, va_arg(f->ap, const char *)); break;
    case 'b': add_bytes(f); break;
    case 'c': str_addc(f->text, (char)va_arg(f->ap, int)); break;
    case 'd':
    case 'i': add_signed(f, longs); break;
    case 'u': add_unsigned(f, longs); break;
    case 'g': str_addf(f->text, "%.*g", precision, va_arg(f->ap, double)); break;
    case 'f': str_addf(f->text, "%.*f", precision, va_arg(f->ap, double)); break;
    case '%': str_addc(f->text, '%'); break;
    default: bug("an unknown conversion");
    }
}

static void split(struct format *f)
{
    while (*f->at) {
        char c = *f->at++;
        if (c == ' ') {
            end_word(f);
            continue;
        }
        f->open = true;
        if (c == '%')
            convert(f);
        else
            str_addc(f->text, c);
    }
    end_word(f);
}

void wire_addv(struct str *out, struct str *scratch, const char *fmt, va_list ap)
{
    struct format f = { .at = fmt, .text = scratch };
    struct span words[WORDS_MAX];
    size_t start = 0;

    str_reset(scratch);
    va_copy(f.ap, ap);
    split(&f);
    va_end(f.ap);
    for (int i = 0; i < f.count; i++) {
        words[i] = (struct span){ scratch->s + start, f.end[i] - start };
        start = f.end[i];
    }
    wire_add(out, f.count, words);
}

void wire_addf(struct str *out, struct str *scratch, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    wire_addv(out, scratch, fmt, ap);
    va_end(ap);
}
