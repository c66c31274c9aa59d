/* text.h: a text by language, as definition files hold it: {"fa": "...", "en": "..."}, or one string for all. Read-only after
 * reading. */
#ifndef PEYGIR_TEXT_H
#define PEYGIR_TEXT_H

#include "base/jread.h"
#include "core/locale.h"

struct text;

/* 1: *out is set (text_free); 0: absent, *out untouched; -1 (ERR_CONFIG). */
int text_read(const struct jread *at, struct text **out, struct err *err);
void text_free(struct text *t);
const char *text_in(const struct text *t, const struct locale *locale); /* falls back to any language; "" for NULL */

#endif
