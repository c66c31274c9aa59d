/* checked.h: checking definition files, for the verbs `service check` and `job check`. */
#ifndef PEYGIR_CHECKED_H
#define PEYGIR_CHECKED_H

#include "cli/verbs.h"

/* Check the files that are the verb's operands, or all of the directory, and print one line each. 0: all are good; 1: some are not;
 * -1: the directory cannot be read. */
int checked_files(struct cli *cli, const char *dir, int (*check)(const char *file, struct err *err), const char *when_empty,
                  struct err *err);

#endif
