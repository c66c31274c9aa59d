/* parse.h: reads a verb and what follows it, by the table of verbs.h. Asks nobody. */
#ifndef PEYGIR_PARSE_H
#define PEYGIR_PARSE_H

#include "cli/verbs.h"

/* The verb that argv begins with and how many words it has; NULL: none. */
const struct verb *parse_verb(int argc, char **argv, int *words);
/* What follows cli->verb: flags (--name=value, --name value; behind -- none) into cli->value, the rest into cli->operands, which are
 * put to the front of argv. 0; 1: --help was asked for; -1: *err says what is wrong. */
int parse_arguments(struct cli *cli, int argc, char **argv, struct err *err);

#endif
