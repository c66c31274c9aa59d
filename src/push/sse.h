/* sse.h: Server-Sent Events as text (WHATWG HTML 9.2). Knows no connection. */
#ifndef PEYGIR_SSE_H
#define PEYGIR_SSE_H

#include "base/str.h"

#include <stdint.h>

/* The head of an answer that goes on, and how long the browser shall wait before it comes back. */
void sse_add_head(struct str *out, int retry_ms);
/* The head of the answer that keeps it from coming back. */
void sse_add_no_more(struct str *out);
/* `data` is JSON, in which a line break between two values is as good as a blank. */
void sse_add_update(struct str *out, int64_t id, struct span data);
void sse_add_ping(struct str *out);
/* The revision that a Last-Event-ID names; -1: none, or not one of ours. */
int64_t sse_last_id(struct span header);

/* What each answer of push says to browsers: it is data. */
#define SSE_DATA_HEADERS                                                      \
    "Cache-Control: no-store\r\n"                                             \
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n" \
    "X-Content-Type-Options: nosniff\r\n"                                     \
    "Cross-Origin-Resource-Policy: same-origin\r\n"                           \
    "Referrer-Policy: no-referrer\r\n"                                        \
    "Connection: close\r\n"

#endif
