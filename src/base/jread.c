/* jread.c: reading definition files. */
#include "base/jread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1024 * 1024)

/* All of fd into text. The size is counted while reading: a file may grow, and a pipe has none. */
static int read_all(int fd, struct str *text, const char *file, struct err *err)
{
    char part[16384];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_CONFIG, "%s: cannot be read: %s.", file, strerror(errno));
        str_add(text, part, (size_t)n);
        if (text->len > FILE_MAX_BYTES)
            return err_set(err, ERR_CONFIG, "%s: is larger than 1 MiB; a definition must be smaller.", file);
    }
    return 0;
}

static int parse(const struct str *text, const char *file, struct json_object **root, struct err *err)
{
    struct err why = ERR_INIT;

    if (json_parse(text->s ? text->s : "", text->len, root, &why) < 0)
        return err_set(err, ERR_CONFIG, "%s: %s", file, why.text);
    if (!*root)
        return err_set(err, ERR_CONFIG, "%s: holds only null; a definition must be an object.", file);
    return 0;
}

int jread_file(const char *file, struct json_object **root, struct err *err)
{
    struct str text = STR_INIT;
    int fd = open(file, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0)
        return err_set(err, ERR_CONFIG, "%s: cannot be opened: %s.", file, strerror(errno));
    rc = read_all(fd, &text, file, err);
    close(fd);
    if (rc == 0)
        rc = parse(&text, file, root, err);
    str_free(&text);
    return rc;
}

struct jread jread_root(const char *file, struct json_object *root)
{
    return (struct jread){ .file = file, .path = "", .obj = root };
}

/* A path too long for its place is cut: the file and the beginning still find the spot. */
static void extend(char *path, size_t size, const char *a, const char *b)
{
    size_t len = strlen(path);

    for (; *a && len + 1 < size; a++)
        path[len++] = *a;
    for (; *b && len + 1 < size; b++)
        path[len++] = *b;
    path[len] = '\0';
}

struct jread jread_member(const struct jread *at, const char *key)
{
    struct jread to = *at;

    to.obj = NULL;
    extend(to.path, sizeof(to.path), at->path[0] ? "." : "", key);
    if (json_object_is_type(at->obj, json_type_object))
        json_object_object_get_ex(at->obj, key, &to.obj);
    return to;
}

struct jread jread_item(const struct jread *at, size_t index)
{
    struct jread to = *at;
    char number[32];

    snprintf(number, sizeof(number), "[%zu]", index);
    extend(to.path, sizeof(to.path), number, "");
    to.obj = index < jread_length(at) ? json_object_array_get_idx(at->obj, index) : NULL;
    return to;
}

size_t jread_length(const struct jread *at)
{
    return json_object_is_type(at->obj, json_type_array) ? json_object_array_length(at->obj) : 0;
}

int jread_fail(const struct jread *at, struct err *err, const char *fmt, ...)
{
    struct str text = STR_INIT;
    va_list ap;
    char *reason;

    va_start(ap, fmt);
    reason = xvasprintf(fmt, ap);
    va_end(ap);
    str_addf(&text, "%s: ", at->file);
    if (at->path[0])
        str_addf(&text, "%s: ", at->path);
    str_adds(&text, reason);
    err_set(err, ERR_CONFIG, "%s", text.s);
    str_free(&text);
    free(reason);
    return -1;
}

/* 1: there and of the type; 0: absent; -1 with "must be <what>". */
static int expect(const struct jread *at, enum json_type type, const char *what, struct err *err)
{
    if (!at->obj)
        return 0;
    if (json_object_is_type(at->obj, type))
        return 1;
    return jread_fail(at, err, "must be %s.", what);
}

int jread_string(const struct jread *at, const char **out, struct err *err)
{
    int rc = expect(at, json_type_string, "a text in double quotes", err);

    if (rc > 0)
        *out = json_object_get_string(at->obj);
    return rc;
}

/* json-c keeps numbers above INT64_MAX apart and clamps them when asked for an int64. */
static bool above_int64(struct json_object *obj)
{
    return json_object_get_int64(obj) == INT64_MAX && json_object_get_uint64(obj) > INT64_MAX;
}

int jread_int(const struct jread *at, int64_t min, int64_t max, int64_t *out, struct err *err)
{
    int64_t n;

    if (!at->obj)
        return 0;
    if (json_object_is_type(at->obj, json_type_int)) {
        n = json_object_get_int64(at->obj);
        if (n >= min && n <= max && !above_int64(at->obj)) {
            *out = n;
            return 1;
        }
    }
    return jread_fail(at, err, "must be a whole number from %" PRId64 " to %" PRId64 ".", min, max);
}

int jread_bool(const struct jread *at, bool *out, struct err *err)
{
    int rc = expect(at, json_type_boolean, "true or false", err);

    if (rc > 0)
        *out = json_object_get_boolean(at->obj);
    return rc;
}

int jread_list(const struct jread *at, size_t *length, struct err *err)
{
    int rc = expect(at, json_type_array, "a list", err);

    if (rc > 0)
        *length = jread_length(at);
    return rc;
}

int jread_object(const struct jread *at, struct err *err)
{
    return expect(at, json_type_object, "an object", err);
}

static bool listed(const char *key, const char *const allowed[])
{
    for (; *allowed; allowed++)
        if (strcmp(key, *allowed) == 0)
            return true;
    return false;
}

static int unknown(const struct jread *at, const char *key, const char *const allowed[], struct err *err)
{
    struct jread wrong = jread_member(at, key);
    struct str names = STR_INIT;
    size_t i;

    for (i = 0; allowed[i]; i++)
        str_addf(&names, "%s%s", i ? ", " : "", allowed[i]);
    jread_fail(&wrong, err, "is not known here; known are: %s.", names.s ? names.s : "none");
    str_free(&names);
    return -1;
}

int jread_only(const struct jread *at, const char *const allowed[], struct err *err)
{
    struct json_object_iterator i, end;

    if (!json_object_is_type(at->obj, json_type_object))
        return 0;
    end = json_object_iter_end(at->obj);
    for (i = json_object_iter_begin(at->obj); !json_object_iter_equal(&i, &end); json_object_iter_next(&i))
        if (!listed(json_object_iter_peek_name(&i), allowed))
            return unknown(at, json_object_iter_peek_name(&i), allowed, err);
    return 0;
}

int jread_missing(const struct jread *at, struct err *err)
{
    return jread_fail(at, err, "is missing.");
}

int jread_expect(const struct jread *at, const char *const allowed[], struct err *err)
{
    int rc = jread_object(at, err);

    if (rc == 0)
        return jread_fail(at, err, "is missing; it must be an object.");
    return rc < 0 ? -1 : jread_only(at, allowed, err);
}

int jread_copy(const struct jread *at, char **out, struct err *err)
{
    const char *text;
    int rc = jread_string(at, &text, err);

    if (rc <= 0)
        return rc;
    if (!*text)
        return jread_fail(at, err, "is empty.");
    *out = xstrdup(text);
    return 1;
}

bool jread_made_of(const char *s, const char *bytes, size_t max)
{
    size_t len = strlen(s);

    return len >= 1 && len <= max && strspn(s, bytes) == len;
}
