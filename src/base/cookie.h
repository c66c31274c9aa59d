/* cookie.h: cookies as browsers send them. Pure text. */
#ifndef PEYGIR_COOKIE_H
#define PEYGIR_COOKIE_H

#include "base/str.h"

/* The value of a cookie in a Cookie header, the first of that name, without quotes around it; absent: .s NULL. */
struct span cookie_find(struct span header, const char *name);

#endif
