/* stream.h: a visitor's stream of events (Server-Sent Events). */
#ifndef PEYGIR_STREAM_H
#define PEYGIR_STREAM_H

#include "push/door.h"

/* /api/local-requests/{hash}/events */
void stream_begin(const struct arrival *a);

#endif
