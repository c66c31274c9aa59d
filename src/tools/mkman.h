/* mkman.h: what the maker of manual pages asks of the command line's table of verbs. */
#ifndef PEYGIR_MKMAN_H
#define PEYGIR_MKMAN_H

#include <stdio.h>

/* Print the verbs of peygir(1) as roff, one .TP paragraph each: a line with the bold verb and its arguments, a line
 * of text, and its flags indented below. Escape - as \- and \ as \(rs; no line of text begins with . or '. */
void mkman_verbs(FILE *out);
/* Print the completion of bash for peygir. */
void mkman_completion(FILE *out);

#endif
