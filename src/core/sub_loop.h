/* sub_loop.h: a subscription carried by a libuv loop. Call everything here on the loop's thread. */
#ifndef PEYGIR_SUB_LOOP_H
#define PEYGIR_SUB_LOOP_H

#include "redis/sub.h"

#include <uv.h>

struct sub_loop;

/* Connects when the loop runs. The loop is borrowed, the subscription taken over. Never NULL. */
struct sub_loop *sub_loop_new(uv_loop_t *loop, struct sub *sub);
/* Call it after sub_add and sub_remove: the subscription may have something to send. */
void sub_loop_drive(struct sub_loop *l);
/* Frees the subscription now, the rest when the loop has let go of it; no function of the handler is called any more. */
void sub_loop_close(struct sub_loop *l);

#endif
