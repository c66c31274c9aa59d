/* fuzz_request.c: the variables of a request: address with query, Content-Type, Content-Length, cookies, languages. NUL bytes stand
 * between them. */
#include "tests/fuzz/fuzz.h"

#include "base/utf8.h"
#include "web/exchange.h"

static const char *const names[] = { "REQUEST_URI", "REQUEST_METHOD", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_COOKIE", "HTTP_ACCEPT_LANGUAGE",
                                     "HTTP_AUTHORIZATION", "REMOTE_ADDR" };

FUZZ(input)
{
    static struct exchange x;
    char *lines[ARRAY_LEN(names)];
    const char *vars[ARRAY_LEN(names) + 1] = { NULL };
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct span rest, part = fuzz_cut(input, &rest);

        lines[i] = xasprintf("%s=%.*s", names[i], (int)part.len, part.s);
        vars[i] = lines[i];
        input = rest;
    }
    if (exchange_begin(&x, vars, &err) == 0) {
        PROMISE(x.segment_count <= EXCHANGE_SEGMENTS && x.path.len > 0 && x.path.s[0] == '/');
        for (size_t i = 0; i < x.segment_count; i++)
            PROMISE(utf8_valid(x.segment[i].s, x.segment[i].len) && !memchr(x.segment[i].s, '\0', x.segment[i].len));
    }
    PROMISE(exchange_declared(&x) >= -1);
    form_is_type(x.param[PARAM_CONTENT_TYPE], "application/json");
    exchange_header(&x, "Location", x.param[PARAM_URI]);
    PROMISE(x.headers.len >= 2 && !memchr(x.headers.s, '\n', x.headers.len - 1));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        free(lines[i]);
}
