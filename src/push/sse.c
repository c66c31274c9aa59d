/* sse.c: Server-Sent Events as text */
#include "push/sse.h"

#include "base/raw.h"

void sse_add_head(struct str *out, int retry_ms)
{
    str_adds(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" SSE_DATA_HEADERS "\r\n");
    str_addf(out, "retry: %d\n\n", retry_ms);
}

void sse_add_no_more(struct str *out)
{
    str_adds(out, "HTTP/1.1 204 No Content\r\n" SSE_DATA_HEADERS "\r\n");
}

void sse_add_update(struct str *out, int64_t id, struct span data)
{
    str_adds(out, "id: ");
    str_add_int(out, id);
    str_adds(out, "\nevent: update\ndata: ");
    size_t start = out->len;
    str_add_span(out, data);
    for (char *p = out->s + start; p < out->s + out->len; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    str_adds(out, "\n\n");
}

void sse_add_ping(struct str *out)
{
    str_adds(out, ": ping\n\n");
}

int64_t sse_last_id(struct span header)
{
    for (size_t i = 0; i < header.len; i++)
        if (header.s[i] < '0' || header.s[i] > '9')
            return -1;
    return header.len > 0 ? raw_int(header, -1) : -1;
}
