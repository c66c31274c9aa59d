/* jobs.h: what verbs about queues and jobs share: which queues, where a job is, and jobs as JSON. */
#ifndef PEYGIR_CLI_JOBS_H
#define PEYGIR_CLI_JOBS_H

#include "cli/output.h"
#include "core/job_admin.h"

/* The verb's operand [QUEUE], or the default one. Borrowed. 0, or -1: no queue can have that name. */
int jobs_queue(const struct cli *cli, const char **queue, struct err *err);
/* Say on stderr when nothing has used or named this queue yet: its name may be mistyped. 0 or -1. */
int jobs_warn_unknown_queue(struct cli *cli, const char *queue, struct err *err);

/* Names of queues; jobs_queues_free in any case. */
struct queues {
    char **name;
    size_t count;
};
/* The verb's operands; else that of --queue, if it has such a flag; else all, which scans. 0 or -1. */
int jobs_queues(struct cli *cli, struct queues *out, struct err *err);
void jobs_queues_free(struct queues *queues);

/* The job of that id: in --queue, or wherever it is. 0, or -1 (ERR_NOT_FOUND). job_view_clear in any case. */
int jobs_find(struct cli *cli, const char *id, struct job_view *out, struct err *err);

/* Members at_once (or null) and per ({"jobs", "seconds"} or null). */
void jobs_set_limit(struct json_object *object, const struct job_limit *limit);

/* A line of a list: id, queue, type, place, status, attempts, times, error. */
struct json_object *jobs_row(const struct job_view *view);
/* Sort rows of failed jobs of several queues, newest first, and keep at most so many. */
void jobs_newest_failures(struct json_object *rows, size_t most);
/* Everything; the values of its payload masked, its result left out. */
struct json_object *jobs_object(const struct job_view *view);
/* jobs_object as a verb's answer: with a history below for people, and a note on what is masked. */
void jobs_print(const struct cli *cli, const struct job_view *view);

#endif
