/* ask.h: asking for a password. It is never an argument, where other users of the machine would see it. */
#ifndef PEYGIR_ASK_H
#define PEYGIR_ASK_H

#include "base/err.h"
#include "base/str.h"

/* From a terminal: twice, without showing it. From anything else: the first line of standard input. Wipe *out with ask_wipe() in
 * any case. 0, or -1 (ERR_INVALID): the two were not the same, or there was none. */
int ask_password(struct str *out, struct err *err);
void ask_wipe(struct str *out);

#endif
