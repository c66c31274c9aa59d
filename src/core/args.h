/* args.h: what scripts are given and answer: numbers as text, Redis's time. Inside core only. */
#ifndef PEYGIR_ARGS_H
#define PEYGIR_ARGS_H

#include "redis/redis.h"

#define NUMBER_SIZE 24

/* n in decimal, in the caller's buffer. */
static inline struct span args_number(char buffer[NUMBER_SIZE], int64_t n)
{
    int len = snprintf(buffer, NUMBER_SIZE, "%lld", (long long)n);

    return (struct span){ buffer, (size_t)len };
}

/* The reply to TIME in milliseconds since 1970; 0 when it is none. */
static inline int64_t args_time_ms(const struct reply *time)
{
    if (time->type != REPLY_ARRAY || time->count != 2)
        return 0;
    return reply_int(&time->item[0], 0) * 1000 + reply_int(&time->item[1], 0) / 1000;
}

#endif
