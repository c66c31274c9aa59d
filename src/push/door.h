/* door.h: what comes in by libwebsockets, led to whoever serves it. */
#ifndef PEYGIR_DOOR_H
#define PEYGIR_DOOR_H

#include "core/keys.h"
#include "push/peer.h"
#include "push/head.h"
#include "push/refusal.h"

/* A request that has come: whoever serves it makes a connection (peer_new) of it before it returns. */
struct arrival {
    struct push *push;
    struct lws *wsi;
    struct span path;
    char hash[HASH_SIZE];
};
/* What libwebsockets calls for each connection; the context's user data is the struct push. */
int door_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
/* Refuse it. */
void door_refuse(const struct arrival *a, enum refusal why);

#endif
