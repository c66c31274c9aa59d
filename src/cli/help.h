/* help.h: what the table of verbs says to people: usage, --help. The manual page and the completion of bash are asked for by
 * tools/mkman.h. */
#ifndef PEYGIR_HELP_H
#define PEYGIR_HELP_H

#include "cli/verbs.h"

/* "usage: peygir queue push TYPE [--queue=QUEUE] ...", in lines of at most 100 characters. */
void help_usage(FILE *out, const struct verb *verb);
/* Usage, what it does, and each flag: for peygir VERB --help. */
void help_verb(FILE *out, const struct verb *verb);
/* Say on stderr which verbs begin like argv[0]. The exit status of a wrong verb. */
int help_unknown(int argc, char **argv);

#endif
