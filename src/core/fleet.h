/* fleet.h: which workers are alive (contract 4.2, `P:worker:{id}`), and telling all of them to start anew. */
#ifndef PEYGIR_FLEET_H
#define PEYGIR_FLEET_H

#include "core/app.h"

#define FLEET_BEAT_MS 5000
#define FLEET_TTL_MS 15000
#define FLEET_JOBS_MAX 20 /* of a worker's running jobs, named in its entry */

/* "host-pid-xxxxxx", at most 63 characters. */
void fleet_new_id(char out[64]);
/* Say that worker `id` lives: a hash {host, pid, started_at, beat_at, running, concurrency, queues, jobs, bots_away} with TTL, and its place in
 * the set. 1: `peygir queue restart` was given since it began, so it is to stop; 0; -1. One round trip. */
struct fleet_beat {
    const char *id, *queues; /* queues: with commas */
    const char *jobs;        /* JSON: [{"id","type","queue"}], at most FLEET_JOBS_MAX of those that run */
    const char *bots_away;   /* what is not called at the moment, for it fails: addresses with blanks between them */
    int64_t age_ms;          /* since it began: Redis's clock says when that was */
    int running, concurrency;
};
int fleet_beat(struct app *app, const struct fleet_beat *beat, struct err *err);
/* Its entry goes. No beat of the same worker may be under way. */
int fleet_leave(struct app *app, const char *id, struct err *err);
/* Workers whose last beat is younger than FLEET_TTL_MS, by Redis's clock. Number, or -1. One round trip. */
int fleet_count(struct app *app, struct err *err);

/* One living worker, borrowed for the call. Texts are never NULL. */
struct fleet_view {
    const char *id, *host, *queues, *jobs, *bots_away; /* as in fleet_beat; jobs is "[]" when none runs */
    int64_t pid, running, concurrency, started_ms, beat_ms;
    int64_t now_ms; /* Redis's clock */
};
/* Each living worker, by id. Number, or -1. Two round trips. */
int fleet_each(struct app *app, void (*fn)(void *ctx, const struct fleet_view *view), void *ctx, struct err *err);

/* Every worker that lives now finishes what it has and exits with 0, for its supervisor to start it again: they hear of it at once, or with
 * their next beat. 0 or -1. */
int fleet_restart(struct app *app, struct err *err);

#endif
