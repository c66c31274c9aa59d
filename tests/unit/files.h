/* files.h: a fresh directory with small files for one test. */
#ifndef PEYGIR_UNIT_FILES_H
#define PEYGIR_UNIT_FILES_H

#include "base/xmalloc.h"

/* cmocka setup and teardown: make the directory; remove it with all that files_put wrote. */
int files_setup(void **state);
int files_teardown(void **state);
const char *files_dir(void);
/* Write dir/name; the path is valid until the next call. */
const char *files_put(const char *name, const char *text);
/* A path of the source tree, whose place make check tells; valid until the next call. */
const char *files_source(const char *path);

#endif
