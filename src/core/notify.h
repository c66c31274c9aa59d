/* notify.h: messages to users (contract 4.2): published on the general channel and the user's own. Nobody may be listening: a message is
 * a hint, not a mailbox. */
#ifndef PEYGIR_NOTIFY_H
#define PEYGIR_NOTIFY_H

#include "core/app.h"

#define NOTIFY_MAX 16384 /* bytes of a message that sockets pass on */

struct notification {
    const char *task_id; /* NULL: null */
    struct span user_id; /* absent: everybody, on the general channel only */
    struct span message; /* text */
    struct span data;
};
/* {"type": "notification", "task_id", "user_id", "message", "data", "timestamp"}; `data` is JSON or absent. 0 or -1. One round trip. */
int notify_send(struct app *app, const struct notification *n, struct err *err);

/* Append the message up to its timestamp, which is the last member, for whoever has more to say in between. */
void notify_add_open(struct str *out, const struct notification *n);

#endif
