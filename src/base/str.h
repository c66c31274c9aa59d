/* str.h: a growing byte buffer that is always NUL-terminated, and the escapings, named by destination.
 * Appends never fail. `s` stays valid until the next append. Bytes may include NUL. */
#ifndef PEYGIR_STR_H
#define PEYGIR_STR_H

#include "base/xmalloc.h"

struct str {
    char *s;     /* never NULL after the first append or str_reset; "" when empty */
    size_t len;  /* bytes without the final NUL */
    size_t cap;
};
#define STR_INIT { NULL, 0, 0 }

void str_free(struct str *b);            /* releases and makes it STR_INIT again */
void str_reset(struct str *b);           /* length 0, memory kept */
void str_grow(struct str *b, size_t extra); /* room for `extra` more bytes */
char *str_take(struct str *b, size_t *len); /* hands the memory to the caller (free()); len may be NULL */

/* These three are most of what an answer is made with: inline, so that the length of a literal costs nothing. */
static inline void str_add(struct str *b, const void *data, size_t len) /* raw */
{
    if (len >= b->cap - b->len) /* also when nothing is allocated: 0 >= 0 */
        str_grow(b, len);
    if (len)
        memcpy(b->s + b->len, data, len);
    b->len += len;
    b->s[b->len] = '\0';
}
static inline void str_adds(struct str *b, const char *s) /* raw, NUL-terminated */
{
    str_add(b, s, strlen(s));
}
static inline void str_addc(struct str *b, char c)
{
    str_add(b, &c, 1);
}
void str_addf(struct str *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_add_int(struct str *b, long long n); /* decimal; faster than str_addf */

void str_add_html(struct str *b, const char *s, size_t len); /* & < > " ' : text and attribute values */
/* A JSON string with its quotes (RFC 8259 7). NUL and bytes that are no UTF-8 become U+FFFD, so that it always passes
 * json_check. */
void str_add_json(struct str *b, const char *s, size_t len);
void str_add_url(struct str *b, const char *s, size_t len);  /* percent-encoded, RFC 3986 2.3 unreserved kept */
void str_add_log(struct str *b, const char *s, size_t len);  /* control bytes, quotes and backslash as \xNN */

/* A borrowed run of bytes, not NUL-terminated. s == NULL means absent. */
struct span {
    const char *s;
    size_t len;
};
#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })
#define SPAN_INIT(literal) { (literal), sizeof(literal) - 1 } /* in static tables */
static inline struct span span_of(const char *s) { return (struct span){ s, s ? strlen(s) : 0 }; }
static inline int span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}
static inline int span_is(struct span a, const char *s) { return a.s && span_eq(a, span_of(s)); }
int span_has_control(struct span s); /* bytes below a blank, or DEL */
/* n in decimal, borrowed from `digits`. */
#define NUMBER_SIZE 24
struct span span_number(char digits[NUMBER_SIZE], long long n);
static inline void str_add_span(struct str *b, struct span a) { str_add(b, a.s, a.len); }

#endif
