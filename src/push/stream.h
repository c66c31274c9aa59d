/* stream.h: one visitor's stream of events, from its first byte to its last. */
#ifndef PEYGIR_STREAM_H
#define PEYGIR_STREAM_H

#include "push/lws.h"
#include "push/push.h"

/* What libwebsockets calls for each connection; the context's user data is the struct push. */
int stream_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
/* The hub has something for a viewer. */
void stream_wake(void *ctx, struct viewer *v);
/* Some of p->partings are ready. */
void stream_part(struct push *p);
/* Once a second: pings those whose time has come, and drops those that have not taken their last one. */
void stream_ping(struct push *p);
/* Look whether those who look still may, all of them in batches; does nothing while an earlier round is under way. */
void stream_check(struct push *p);

#endif
