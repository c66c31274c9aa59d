/* output.h: what verbs print: the same data as a table for people or as JSON for scripts. */
#ifndef PEYGIR_OUTPUT_H
#define PEYGIR_OUTPUT_H

#include "cli/verbs.h"

/* A column of a table: which member of each object, under which heading. The list ends with a NULL member. */
struct column {
    const char *member;
    const char *heading;
};
/* Print a JSON array of objects: as it is, or as a table of the columns. Control bytes in values are shown as \xNN. Releases list. */
void output_list(const struct cli *cli, struct json_object *list, const struct column columns[], const char *when_empty);
/* Print one object: as it is, or a line "name  value" a member (nested values as JSON). Releases object. */
void output_object(const struct cli *cli, struct json_object *object);

#endif
