/* jread.h: reading definition files, with the place inside the file in every error
 * ("etc/services/x.json: fields[2].rules: must be a list"). */
#ifndef PEYGIR_JREAD_H
#define PEYGIR_JREAD_H

#include "base/json.h"

/* A value and the way to it. Copies are cheap; `file` and `obj` are borrowed. */
struct jread {
    const char *file;
    char path[160];
    struct json_object *obj; /* NULL: absent or null */
};

/* Read and check the file. 0 and *root (put with json_object_put when done), or -1. Refuses files over 1 MiB. */
int jread_file(const char *file, struct json_object **root, struct err *err);
struct jread jread_root(const char *file, struct json_object *root);
struct jread jread_member(const struct jread *at, const char *key);
struct jread jread_item(const struct jread *at, size_t index);
size_t jread_length(const struct jread *at); /* of a list; 0 for anything else */

/* Typed reads. 1: present and right, *out set (strings borrowed from obj); 0: absent, *out untouched;
 * -1: wrong type or outside min..max, *err says file, path and what is accepted. */
int jread_string(const struct jread *at, const char **out, struct err *err);
int jread_int(const struct jread *at, int64_t min, int64_t max, int64_t *out, struct err *err);
int jread_bool(const struct jread *at, bool *out, struct err *err);
int jread_list(const struct jread *at, size_t *length, struct err *err);
int jread_object(const struct jread *at, struct err *err);
/* -1 with file and path before the sentence. Always -1. */
int jread_fail(const struct jread *at, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int jread_missing(const struct jread *at, struct err *err); /* the same, that it is missing */
/* A string that is not empty, copied (free()): 1; 0: absent, *out untouched; -1. */
int jread_copy(const struct jread *at, char **out, struct err *err);
/* Is s 1 to max bytes, all of them among `bytes`? */
bool jread_made_of(const char *s, const char *bytes, size_t max);
/* Every member of the object at `at` must be one of allowed[] (NULL-terminated). 0 or -1. */
int jread_only(const struct jread *at, const char *const allowed[], struct err *err);
/* The same for an object that must be there. */
int jread_expect(const struct jread *at, const char *const allowed[], struct err *err);

#endif
