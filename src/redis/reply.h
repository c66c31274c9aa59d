/* reply.h: what error replies mean. Inside src/redis only. */
#ifndef PEYGIR_REPLY_H
#define PEYGIR_REPLY_H

#include "redis/redis.h"

/* The kind of error that an error reply stands for: ERR_AWAY, ERR_FULL or ERR_FAILED. */
enum err_kind reply_error_kind(struct span text);
bool reply_is_error(const struct reply *reply, const char *code); /* an error whose first word is `code` */

#endif
