/* fuzz_ws.c: messages of a WebSocket. What is accepted is said back, as one JSON object each. */
#include "tests/fuzz/fuzz.h"

#include "base/utf8.h"
#include "core/job.h"
#include "push/ws.h"

static void check(struct str *out)
{
    PROMISE(out->s[0] == '{' && json_check(out->s, out->len, NULL) == 0);
    str_reset(out);
}

static void say_back(const char *topic, struct str *out)
{
    struct span id;
    enum ws_kind kind = ws_kind(topic, &id);
    PROMISE(utf8_valid(topic, strlen(topic)));
    PROMISE(kind == WS_UNKNOWN || (id.s && id.len <= JOB_ID_MAX && !span_has_control(id)));
    ws_add_word(out, "subscribed", topic);
    check(out);
    ws_add_refused(out, topic, 404, span_of(topic));
    check(out);
    ws_add_update(out, topic, 7, SPAN("{\"a\":1}"));
    check(out);
    ws_add_message(out, topic, SPAN("{}"));
    check(out);
}

FUZZ(input)
{
    struct err err = ERR_INIT;
    struct ws_message message;
    struct str out = STR_INIT;
    if (ws_read(input, &message, &err) < 0) {
        PROMISE(err.kind == ERR_INVALID && err.text[0]);
        ws_add_error(&out, err.text);
        check(&out);
    } else {
        PROMISE(message.count <= ARRAY_LEN(message.order) && (message.count > 0 || message.pings));
        for (size_t i = 0; i < message.count; i++) {
            PROMISE(i == 0 || message.order[i - 1].leave || !message.order[i].leave);
            say_back(message.order[i].topic, &out);
        }
        ws_add_pong(&out, message.ping);
        check(&out);
    }
    ws_clear(&message);
    str_free(&out);
}
