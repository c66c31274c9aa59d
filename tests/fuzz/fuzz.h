/* fuzz.h: what fuzz targets share. A target is one function for one input of any bytes, which must neither crash nor break what the
 * headers promise. libFuzzer calls it (make fuzz); with any other compiler main.c does, with the inputs of tests/fuzz/corpus/TARGET. */
#ifndef PEYGIR_FUZZ_H
#define PEYGIR_FUZZ_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* FUZZ(input) { ... }: the target; `input` is a struct span, not NUL-terminated. */
#define FUZZ(input)                                                 \
    static void fuzz_one(struct span input);                        \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)    \
    {                                                               \
        fuzz_one((struct span){ size ? (const char *)data : "", size }); \
        return 0;                                                   \
    }                                                               \
    static void fuzz_one(struct span input)

/* A promise, as a condition. */
#define PROMISE(condition)                                                                        \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);       \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

/* What is before the first NUL, and *rest what is behind it: two parts in one input. */
static inline struct span fuzz_cut(struct span input, struct span *rest)
{
    const char *nul = memchr(input.s, '\0', input.len);
    size_t len = nul ? (size_t)(nul - input.s) : input.len;

    *rest = nul ? (struct span){ nul + 1, input.len - len - 1 } : (struct span){ "", 0 };
    return (struct span){ input.s, len };
}

/* A copy of exactly that size, NUL-terminated; NUL bytes inside are gone. free(). */
static inline char *fuzz_text(struct span input)
{
    char *text = xmalloc(input.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < input.len; i++)
        if (input.s[i])
            text[len++] = input.s[i];
    text[len] = '\0';
    return text;
}

#endif
