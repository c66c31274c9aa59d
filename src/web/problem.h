/* problem.h: what can be wrong with a request, as a table: name, HTTP status. Errors of core become problems here
 * and nowhere else. */
#ifndef PEYGIR_WEB_PROBLEM_H
#define PEYGIR_WEB_PROBLEM_H

#include "base/err.h"

enum problem {
    PROBLEM_NONE,
    PROBLEM_BAD_REQUEST, PROBLEM_UNAUTHORIZED, PROBLEM_FORBIDDEN, PROBLEM_NOT_FOUND, PROBLEM_METHOD, PROBLEM_CONFLICT, PROBLEM_GONE,
    PROBLEM_TOO_LARGE, PROBLEM_MEDIA_TYPE, PROBLEM_INVALID, PROBLEM_TOO_MANY, PROBLEM_INTERNAL, PROBLEM_AWAY,
    PROBLEM_FULL, PROBLEM_BUSY, PROBLEM_CLOSED,
    PROBLEMS
};

struct problem_row {
    const char *name;    /* "not_found": http.{name}.title and .text in the catalogue */
    int status;
    const char *title, *text; /* those keys */
    int retry_after_s;   /* when the error names no time; 0: no Retry-After */
};
extern const struct problem_row problems[PROBLEMS];

/* "Not Found"; never NULL. */
const char *problem_reason(int status);
enum problem problem_of(enum err_kind kind);

#endif
