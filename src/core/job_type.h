/* job_type.h: job types: one JSON file each, etc/jobs/{type}.json (contract 6). Read once at the start, shared
 * read-only. A wrong file stops the start-up with file, path inside it and reason.
 *
 *   { "title": {"en": "…", "fa": "…"},                           optional
 *     "handler": "http" | "exec" | "fetch" | "notify" | "mail" | "none" | "maintenance" | "webhook",
 *     "path": "/api/jobs/default",                               http: below LOCAL_API_URL; default /api/jobs/{type}
 *     "command": ["program", "argument", …],                     exec: absolute, or found in PATH; no shell
 *     "directory": "/…",                                         exec: where it runs; default /
 *     "environment": {"NAME": "value"},                          exec: beside PATH, LANG, TZ of the worker
 *     "queue": "task", "priority": 5,
 *     "tries": 3, "timeout": 60,                                 seconds for one attempt
 *     "backoff": [10, 60, 300] | {"exponential": {"base": 5, "cap": 600}},
 *     "limits": {"at_once": 2, "per": {"jobs": 10, "seconds": 60}},
 *     "unique": {"by": ["document"], "seconds": 60},             members of the payload; neither: one job of the type
 *     "schedule": {"cron": "0 * * * *", "time_zone": "UTC", "missed": "run" | "skip", "payload": {…}} }
 *
 * Anything else in it is refused. `notify` needs nothing more: its payload is {"user_id", "message", "data"}. Nor does `fetch`: {"source",
 * "method", "params"}; nor `mail`: {"to", "template", "locale", "data"}; where it names no limits, four are sent at once. `maintenance` does what
 * has the type's name in core/maintenance.c; `webhook` calls an API client (core/webhook.h). */
#ifndef PEYGIR_JOB_TYPE_H
#define PEYGIR_JOB_TYPE_H

#include "base/cron.h"
#include "core/job.h"

#define BACKOFF_MAX 16

struct backoff {
    int64_t list_s[BACKOFF_MAX]; /* the last one counts for all that follow */
    size_t count;                /* 0 and no base: by policy */
    int64_t base_s, cap_s; /* base_s > 0: exponential: base * 2^attempts up to cap, jittered between half and whole */
};
#define BACKOFF_MAX_S 86400
/* Milliseconds before the next attempt, after `attempts` (1: the first failed). -1: by policy. */
int64_t backoff_ms(const struct backoff *backoff, int64_t attempts);
/* "30" or "10,60,300", as in a job's field: at most BACKOFF_MAX numbers from 0 to BACKOFF_MAX_S. 0, or -1 (*out is
 * empty). */
int backoff_parse(struct backoff *out, struct span text);

struct schedule {
    char *line, *zone_name; /* as written; "UTC" when not */
    struct cron cron;
    struct zone *zone;
    bool run_missed;        /* true: a missed tick (or many) runs once when a worker is there again; false: is skipped.
                               "missed" is "run" when not written */
    char *payload;          /* JSON object; NULL: {} */
};

/* Of jobs of one type whose payloads agree in these members, a push beside one that waits or runs, or within `ms` of its push, changes
 * nothing. */
struct job_unique {
    char **by;  /* NULL-terminated; NULL: whatever the payload */
    int64_t ms; /* 0: while it waits or runs */
};

struct job_type {
    char *name, *file;
    char *handler;           /* checked to be a name of job_handlers */
    char *path;              /* http; never NULL there */
    char **command;          /* exec: NULL-terminated */
    char *directory;         /* exec; NULL: / */
    char **environment;      /* exec: "NAME=value", NULL-terminated; NULL: none */
    char *queue;             /* never NULL */
    int priority;            /* -1: none */
    int64_t tries, timeout_s; /* 0: by policy */
    struct backoff backoff;
    struct job_limit limit;  /* .type NULL: none */
    struct job_unique *unique; /* NULL: none */
    struct schedule *schedule; /* NULL: none */
};
/* Names of handlers that a type may name; NULL at the end. */
extern const char *const job_handlers[];

struct job_types;
/* All *.json of the directory (not below it). A type `default` must be among them. NULL: *err names file, place and
 * reason. */
struct job_types *job_types_open(const char *dir, struct err *err);
void job_types_free(struct job_types *types);
const struct job_type *job_types_find(const struct job_types *types, struct span name); /* NULL: none */
size_t job_types_count(const struct job_types *types);
const struct job_type *job_types_at(const struct job_types *types, size_t i); /* in order of name */
/* Every queue that a type names, the default one first; without types (NULL) that alone. The names are borrowed; free() the array. */
char **job_types_queues(const struct job_types *types, size_t *count);
#define JOB_UNIQUE_SIZE (64 + 1 + 32 + 1)
/* Where the type says when a job is the same as another, and *job has no unique key of its own, it gets one, which lies in key[]. */
void job_type_set_unique(const struct job_type *type, struct job_new *job, char key[JOB_UNIQUE_SIZE]);
/* Does its handler tell people or clients something? Such jobs are the house's: bots neither push nor see them. */
bool job_type_tells(const struct job_type *type);
/* Check one file alone. 0 or -1. */
int job_type_check(const char *file, struct err *err);

#endif
