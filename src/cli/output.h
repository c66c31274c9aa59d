/* output.h: what verbs print: the same data as a table for people or as JSON for scripts. */
#ifndef PEYGIR_OUTPUT_H
#define PEYGIR_OUTPUT_H

#include "cli/verbs.h"

/* How people read a value. JSON has it as it is. */
enum column_kind {
    COLUMN_PLAIN,
    COLUMN_TIME,     /* RFC 3339: "12 s ago", "in 5 min" */
    COLUMN_AGE       /* milliseconds: "12 s" */
};
/* A column of a table: which member of each object, under which heading. The list ends with COLUMN_END. */
struct column {
    const char *member;
    const char *heading;
    enum column_kind kind;
    size_t most;     /* characters; longer values end in …; 0: any */
};
#define COLUMN(member, heading) { member, heading, COLUMN_PLAIN, 0 }
#define COLUMN_CUT(member, heading, most) { member, heading, COLUMN_PLAIN, most }
#define COLUMN_WHEN(member, heading) { member, heading, COLUMN_TIME, 0 }
#define COLUMN_SPAN(member, heading) { member, heading, COLUMN_AGE, 0 }
#define COLUMN_END { NULL, NULL, COLUMN_PLAIN, 0 }

/* Print a JSON array of objects: as it is, or as a table of the columns. Control bytes in values are shown as \xNN. Releases list. */
void output_list(const struct cli *cli, struct json_object *list, const struct column columns[], const char *when_empty);
/* Print one object: as it is, or a line "name  value" a member (nested values as JSON, times with how long ago that is). Releases
 * object. */
void output_object(const struct cli *cli, struct json_object *object);
/* The table alone, for a view that is made of several. The list stays the caller's. */
void output_table(FILE *out, const struct cli *cli, struct json_object *list, const struct column columns[]);

/* A text for a terminal: control bytes as \xNN. */
void output_add_text(struct str *out, const char *text, size_t len);
/* "12 s ago", "in 5 min", "now": `ms` since 1970 as seen at now_ms. */
void output_add_when(struct str *out, int64_t ms, int64_t now_ms);
/* "850 ms", "12 s", "3 min", "5 h", "2 d": a length of time, rounded down. */
void output_add_age(struct str *out, int64_t ms);

/* Members: text, null for NULL; a time as RFC 3339, null for 0 and less. */
void output_set_text(struct json_object *object, const char *name, const char *text);
void output_set_masked(struct json_object *object, const char *name, const char *text); /* what others said or are named: mask_numbers() */
void output_set_number(struct json_object *object, const char *name, int64_t number);
void output_set_bool(struct json_object *object, const char *name, bool value);
void output_set_time(struct json_object *object, const char *name, int64_t ms);

#endif
