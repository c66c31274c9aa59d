/* smtp_reply.h: what mail servers say (RFC 5321, section 4.2). Whatever they say. */
#ifndef PEYGIR_SMTP_REPLY_H
#define PEYGIR_SMTP_REPLY_H

#include "base/str.h"

#include <sys/types.h>

#define SMTP_REPLY_BYTES_MAX (64 * 1024)

/* Length of the whole reply that `heard` begins with; 0: more is to come; -1: it is none, or too long. A reply is at least four bytes,
 * three digits first. */
ssize_t smtp_reply_length(struct span heard);
/* Append it as people and logs may see it: one line of UTF-8, cut after some 200 bytes, and *** for each word with an @, which may be
 * somebody's address. */
void smtp_add_words(struct str *out, struct span said);

#endif
