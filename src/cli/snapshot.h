/* snapshot.h: how queues and workers stand at one moment (core/overview.h), for `queue stats` and `queue monitor`. */
#ifndef PEYGIR_SNAPSHOT_H
#define PEYGIR_SNAPSHOT_H

#include "cli/jobs.h"

/* {"at", "queues": [{"queue", "waiting", "delayed", "active", "failed", "paused", "pause_reason", "oldest_waiting_ms", "at_once", "per",
 * "workers"}], "workers": [{"id", "host", "pid", "queues", "running", "concurrency", "started_at", "beat_at"}], "today": {"total",
 * "completed", "failed", "average_ms"}, "totals": {"total", "completed", "failed", "retried", "cancelled"}}. A few round trips a queue, no scan.
 * NULL: *err says why. */
struct json_object *snapshot_take(struct cli *cli, const struct queues *queues, struct err *err);
/* The same as text. */
void snapshot_print(FILE *out, const struct cli *cli, struct json_object *snapshot);

#endif
