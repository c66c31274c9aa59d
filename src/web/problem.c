/* problem.c: the table of problems, and what core's errors are. */
#include "web/problem.h"

#define ROW(name, status, retry_s) { name, status, "http." name ".title", "http." name ".text", retry_s }

const struct problem_row problems[PROBLEMS] = {
    [PROBLEM_NONE] = ROW("none", 200, 0),
    [PROBLEM_BAD_REQUEST] = ROW("bad_request", 400, 0),
    [PROBLEM_UNAUTHORIZED] = ROW("unauthorized", 401, 0),
    [PROBLEM_FORBIDDEN] = ROW("forbidden", 403, 0),
    [PROBLEM_NOT_FOUND] = ROW("not_found", 404, 0),
    [PROBLEM_METHOD] = ROW("method", 405, 0),
    [PROBLEM_CONFLICT] = ROW("conflict", 409, 0),
    [PROBLEM_GONE] = ROW("gone", 410, 0),
    [PROBLEM_TOO_LARGE] = ROW("too_large", 413, 0),
    [PROBLEM_MEDIA_TYPE] = ROW("media_type", 415, 0),
    [PROBLEM_INVALID] = ROW("invalid", 422, 0),
    [PROBLEM_TOO_MANY] = ROW("too_many", 429, 0),
    [PROBLEM_INTERNAL] = ROW("internal", 500, 0),
    [PROBLEM_AWAY] = ROW("away", 503, 5),
    [PROBLEM_FULL] = ROW("full", 503, 30),
    [PROBLEM_BUSY] = ROW("busy", 503, 2),
    [PROBLEM_CLOSED] = ROW("closed", 503, 300),
};

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 303, "See Other" }, { 400, "Bad Request" },
    { 401, "Unauthorized" }, { 403, "Forbidden" },
    { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 409, "Conflict" }, { 410, "Gone" },
    { 413, "Content Too Large" }, { 415, "Unsupported Media Type" }, { 422, "Unprocessable Content" },
    { 429, "Too Many Requests" },
    { 500, "Internal Server Error" }, { 503, "Service Unavailable" },
};

const char *problem_reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

/* Foreign and unknown look the same from outside. */
static const enum problem of_kind[] = {
    [ERR_NONE] = PROBLEM_INTERNAL,
    [ERR_FAILED] = PROBLEM_INTERNAL,
    [ERR_INVALID] = PROBLEM_INVALID,
    [ERR_NOT_FOUND] = PROBLEM_NOT_FOUND,
    [ERR_FOREIGN] = PROBLEM_NOT_FOUND,
    [ERR_FINAL] = PROBLEM_CONFLICT,
    [ERR_STALE] = PROBLEM_CONFLICT,
    [ERR_STATE] = PROBLEM_CONFLICT,
    [ERR_EXPIRED] = PROBLEM_GONE,
    [ERR_TOO_MANY] = PROBLEM_TOO_MANY,
    [ERR_AWAY] = PROBLEM_AWAY,
    [ERR_FULL] = PROBLEM_FULL,
    [ERR_CONFIG] = PROBLEM_INTERNAL,
};

enum problem problem_of(enum err_kind kind)
{
    return (size_t)kind < ARRAY_LEN(of_kind) ? of_kind[kind] : PROBLEM_INTERNAL;
}
