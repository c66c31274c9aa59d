/* socket.h: a WebSocket (RFC 6455), on which a client subscribes to topics and hears of them (ws.h). */
#ifndef PEYGIR_SOCKET_H
#define PEYGIR_SOCKET_H

#include "push/door.h"

/* /ws, whose upgrade goes on. */
void socket_begin(const struct arrival *a);
int socket_open(struct peer *c);
/* A piece of a message. 0; -1 closes. */
int socket_receive(struct peer *c, struct span piece);
int socket_pong(struct peer *c);

#endif
