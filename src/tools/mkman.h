/* mkman.h: what the maker of manual pages asks of the command line's table of verbs. */
#ifndef PEYGIR_MKMAN_H
#define PEYGIR_MKMAN_H

#include <stdio.h>

/* Print the verbs of peygir(1) as roff, one .TP paragraph each: a line with the bold verb and its arguments, then a
 * line of text. Escape - as \- and \ as \(rs; no line of text begins with . or '. */
void mkman_verbs(FILE *out);

#endif
