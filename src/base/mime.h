/* mime.h: e-mail as text (RFC 5322, 2045, 2047): header lines that nothing can break out of, and bodies in lines that every
 * server takes. All lines end with CRLF and have at most 76 characters, but for words of a header that cannot be parted. */
#ifndef PEYGIR_MIME_H
#define PEYGIR_MIME_H

#include "base/str.h"

#include <stdint.h>

/* A header line of free text: "Subject: ...". Control characters become blanks and bytes that are no UTF-8 U+FFFD; what is not plain
 * ASCII, or too long for one line, goes as encoded words, folded. */
void mime_add_text(struct str *out, const char *name, struct span text);
/* "Date: Sat, 28 Nov 2026 19:40:19 +0000" */
void mime_add_date(struct str *out, int64_t ms);
/* Text in quoted-printable; its line breaks, LF or CRLF, stay line breaks, and the last line ends. No line of it holds "=_", so
 * that a boundary which begins so is in no body. */
void mime_add_quoted(struct str *out, struct span text);

#endif
