/* ws.h: what is said on a WebSocket, as text: JSON objects, one a message (contract 5.2; API.md has the list). Knows no connection. */
#ifndef PEYGIR_WS_H
#define PEYGIR_WS_H

#include "base/json.h"

#define WS_TOPICS_AT_ONCE 64 /* that one message may name */

/* {"subscribe": ["request:HASH", "task:ID", "notifications"], "unsubscribe": [...], "ping": anything}, at least one of them. */
struct ws_order {
    bool leave;          /* unsubscribe */
    const char *topic;   /* borrowed from the message; valid UTF-8 */
};
struct ws_message {
    struct json_object *root; /* owned */
    struct ws_order order[2 * WS_TOPICS_AT_ONCE];
    size_t count;             /* those of unsubscribe first */
    struct json_object *ping; /* borrowed; NULL: none, or null */
    bool pings;
};
/* 0, or -1 with a sentence for programmers. ws_clear() in both cases. */
int ws_read(struct span text, struct ws_message *out, struct err *err);
void ws_clear(struct ws_message *message);

/* What a topic's name says. */
enum ws_kind { WS_REQUEST, WS_TASK, WS_NOTIFICATIONS, WS_UNKNOWN };
/* *id: what follows the colon. */
enum ws_kind ws_kind(const char *topic, struct span *id);

void ws_add_word(struct str *out, const char *word, const char *topic); /* {"subscribed": "request:HASH"} */
void ws_add_refused(struct str *out, const char *topic, int status, struct span detail);
void ws_add_error(struct str *out, const char *detail);
void ws_add_pong(struct str *out, struct json_object *ping);
/* `data` is JSON. */
void ws_add_update(struct str *out, const char *topic, int64_t id, struct span data);
void ws_add_message(struct str *out, const char *topic, struct span data);

#endif
