/* link.h: sockets to Redis. */
#ifndef PEYGIR_LINK_H
#define PEYGIR_LINK_H

#include "redis/redisurl.h"

/* Begin to connect, without waiting (a host name is looked up first, which may wait for the name server). `which`
 * picks among the addresses of a name, *addresses says how many there are. The descriptor (non-blocking,
 * close-on-exec) and *pending: poll it for POLLOUT and ask link_connected(); or -1 with *err saying why. */
int link_start(const struct redisurl *url, unsigned which, unsigned *addresses, bool *pending, struct err *err);
/* After POLLOUT: 0 or -1. */
int link_connected(int fd, struct err *err);
/* Connect within connect_ms for each address. A blocking descriptor whose sends and receives end with EAGAIN after
 * command_ms; or -1. */
int link_open(const struct redisurl *url, int connect_ms, int command_ms, struct err *err);
/* Change how long a receive waits. */
void link_set_wait(int fd, int receive_ms);
/* Nothing to read and not closed by the other side: fit for a new command. `owed`: replies may be there. One system
 * call. */
bool link_alive(int fd, bool owed);

#endif
