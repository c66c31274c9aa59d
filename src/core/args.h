/* args.h: what scripts answer: Redis's time. Inside core only. */
#ifndef PEYGIR_ARGS_H
#define PEYGIR_ARGS_H

#include "redis/redis.h"

/* The reply to TIME in milliseconds since 1970; 0 when it is none. */
static inline int64_t args_time_ms(const struct reply *time)
{
    if (time->type != REPLY_ARRAY || time->count != 2)
        return 0;
    return reply_int(&time->item[0], 0) * 1000 + reply_int(&time->item[1], 0) / 1000;
}

#endif
