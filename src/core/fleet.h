/* fleet.h: which workers are alive (contract 4.2, `P:worker:{id}`). */
#ifndef PEYGIR_FLEET_H
#define PEYGIR_FLEET_H

#include "core/app.h"

#define FLEET_BEAT_MS 5000
#define FLEET_TTL_MS 15000

/* "host-pid-xxxxxx", at most 63 characters. */
void fleet_new_id(char out[64]);
/* Say that worker `id` lives: a hash {host, pid, started_at, beat_at, running, concurrency, queues} with TTL, and its place in the set. */
struct fleet_beat {
    const char *id, *queues;
    int64_t started_ms;
    int running, concurrency;
};
int fleet_beat(struct app *app, const struct fleet_beat *beat, struct err *err);
int fleet_leave(struct app *app, const char *id, struct err *err);
/* Workers whose last beat is younger than FLEET_TTL_MS, by Redis's clock. Number, or -1. One round trip. */
int fleet_count(struct app *app, struct err *err);

#endif
