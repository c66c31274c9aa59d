/* templates.h: the template files, read and checked at start (page.h tells what they are). */
#ifndef PEYGIR_WEB_TEMPLATES_H
#define PEYGIR_WEB_TEMPLATES_H

#include "base/mustache.h"
#include "core/service.h"

struct pages; /* read-only after loading, shared by threads */

/* 0, or -1 (ERR_CONFIG) with the file and what is wrong. Overrides are looked for by the slugs of `services`. */
int pages_load(const char *dir, const struct services *services, struct pages **out, struct err *err);
void pages_free(struct pages *p);
/* The service's own template of that name, else the common one; NULL: none. `slug` may be NULL. */
const struct mustache *pages_find(const struct pages *p, const char *slug, const char *name);

#endif
