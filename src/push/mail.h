/* mail.h: a bot waits for the visitor's code, or for another word in the mailbox of a request (contract 6). */
#ifndef PEYGIR_MAIL_H
#define PEYGIR_MAIL_H

#include "push/door.h"

/* /api/internal/local-requests/{hash}/otp?wait=25 */
void mail_begin(const struct arrival *a);

#endif
