/* mustache_set.h: the templates of directories, each a file NAME.mustache, read and checked at the start. A directory may be a group of
 * its own, whose templates come before the common ones of the same name. */
#ifndef PEYGIR_MUSTACHE_SET_H
#define PEYGIR_MUSTACHE_SET_H

#include "base/mustache.h"

#include <stdbool.h>

#define MUSTACHE_SUFFIX ".mustache"

struct mustache_set; /* read-only after loading, shared by threads */

struct mustache_set *mustache_set_new(void);
void mustache_set_free(struct mustache_set *set);
/* Add all templates of a directory to `group` (NULL: the common ones); one that does not exist has none when it may be `absent`.
 * 0, or -1 (ERR_CONFIG) with the file and what is wrong. */
int mustache_set_load(struct mustache_set *set, const char *dir, const char *group, bool absent, struct err *err);
/* Does every partial exist that a template names? `given` is a name that whoever renders gives a meaning to; NULL: none. */
int mustache_set_check(const struct mustache_set *set, const char *given, struct err *err);
/* The group's own template of that name, else the common one; NULL: none. `group` may be NULL. */
const struct mustache *mustache_set_find(const struct mustache_set *set, const char *group, const char *name);

#endif
