/* secret.c: the keys of PEYGIR_SECRET_FILE. */
#include "core/secret.h"

#include "base/rnd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MIN 32
#define FILE_MAX_BYTES 65536

struct secret {
    uint8_t (*keys)[DIGEST_BYTES];
    size_t count;
};

/* --- loading --- */

static int check_file(const char *file, int fd, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_set(err, ERR_CONFIG, "The secret file %s cannot be examined: %s.", file, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_CONFIG, "The secret file %s is not a regular file.", file);
    if (st.st_mode & 077)
        return err_set(err, ERR_CONFIG, "The secret file %s may be used by others than its owner (mode %04o): run "
                       "`chmod 600 %s`.", file, (unsigned)(st.st_mode & 07777), file);
    if (st.st_size > FILE_MAX_BYTES)
        return err_set(err, ERR_CONFIG, "The secret file %s is larger than %d bytes.", file, FILE_MAX_BYTES);
    return 0;
}

/* What it holds, at most FILE_MAX_BYTES, into out. 0 or -1. */
static int read_file(const char *file, char out[FILE_MAX_BYTES], size_t *len, struct err *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 1;
    int rc;

    if (fd < 0)
        return err_set(err, ERR_CONFIG, "The secret file %s cannot be read: %s.", file, strerror(errno));
    rc = check_file(file, fd, err);
    for (*len = 0; rc == 0 && n > 0 && *len < FILE_MAX_BYTES; *len += n > 0 ? (size_t)n : 0)
        n = read(fd, out + *len, FILE_MAX_BYTES - *len);
    if (n < 0)
        rc = err_set(err, ERR_CONFIG, "The secret file %s cannot be read: %s.", file, strerror(errno));
    close(fd);
    return rc;
}

static int add_line(struct secret *s, const char *file, int number, struct span line, struct err *err)
{
    while (line.len > 0 && strchr(" \t\r", line.s[line.len - 1]))
        line.len--;
    if (line.len == 0 || line.s[0] == '#')
        return 0;
    if (line.len < LINE_MIN)
        return err_set(err, ERR_CONFIG, "Line %d of the secret file %s has %zu characters: a key needs at least %d.",
                       number, file, line.len, LINE_MIN);
    s->keys = xreallocarray(s->keys, s->count + 1, sizeof(*s->keys));
    digest_sha256(line.s, line.len, s->keys[s->count++]);
    return 0;
}

static int add_lines(struct secret *s, const char *file, const char *text, size_t len, struct err *err)
{
    const char *end = text + len, *stop;

    for (int number = 1; text < end; number++, text = stop + 1) {
        stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop)
            stop = end;
        if (add_line(s, file, number, (struct span){ text, (size_t)(stop - text) }, err) < 0)
            return -1;
    }
    if (s->count == 0)
        return err_set(err, ERR_CONFIG, "The secret file %s holds no key: write a line of at least %d random "
                       "characters into it.", file, LINE_MIN);
    return 0;
}

int secret_load(const char *file, struct secret **out, struct err *err)
{
    struct secret *s;
    char *text;
    size_t len = 0;
    int rc;

    if (!file)
        return err_set(err, ERR_CONFIG, "PEYGIR_SECRET_FILE is not set: name a file of mode 0600 with a key of at "
                       "least %d characters in a line.", LINE_MIN);
    text = xmalloc(FILE_MAX_BYTES);
    s = xcalloc(1, sizeof(*s));
    rc = read_file(file, text, &len, err);
    if (rc == 0)
        rc = add_lines(s, file, text, len, err);
    explicit_bzero(text, FILE_MAX_BYTES);
    free(text);
    if (rc < 0)
        secret_free(s);
    else
        *out = s;
    return rc;
}

void secret_free(struct secret *s)
{
    if (!s)
        return;
    if (s->keys)
        explicit_bzero(s->keys, s->count * sizeof(*s->keys));
    free(s->keys);
    free(s);
}

/* --- signing --- */

/* The purpose makes a key of its own, so that no choice of parts reaches another purpose. */
static void sign(const uint8_t key[DIGEST_BYTES], const char *purpose, const struct digest_part *parts, size_t count,
                 uint8_t out[DIGEST_BYTES])
{
    const struct digest_part name = { purpose, strlen(purpose) };
    uint8_t own[DIGEST_BYTES];

    digest_hmac(key, &name, 1, own);
    digest_hmac(own, parts, count, out);
    explicit_bzero(own, sizeof(own));
}

size_t secret_count(const struct secret *s)
{
    return s->count;
}

void secret_derive(const struct secret *s, size_t index, const char *purpose, uint8_t out[DIGEST_BYTES])
{
    sign(s->keys[index], purpose, NULL, 0, out);
}

void secret_sign(const struct secret *s, const char *purpose, const struct digest_part *parts, size_t count,
                 uint8_t out[DIGEST_BYTES])
{
    sign(s->keys[0], purpose, parts, count, out);
}

bool secret_verify(const struct secret *s, const char *purpose, const struct digest_part *parts, size_t count,
                   const uint8_t mac[DIGEST_BYTES])
{
    uint8_t right[DIGEST_BYTES];
    bool found = false;

    for (size_t i = 0; i < s->count; i++) {
        sign(s->keys[i], purpose, parts, count, right);
        found |= digest_equal(right, mac, DIGEST_BYTES);
    }
    return found;
}

void secret_sign_hex(const struct secret *s, const char *purpose, struct span text, char out[DIGEST_HEX_SIZE])
{
    const struct digest_part part = { text.s, text.len };
    uint8_t mac[DIGEST_BYTES];

    secret_sign(s, purpose, &part, 1, mac);
    rnd_hex(mac, sizeof(mac), out);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool secret_verify_hex(const struct secret *s, const char *purpose, struct span text, struct span hex)
{
    const struct digest_part part = { text.s, text.len };
    uint8_t mac[DIGEST_BYTES];

    if (hex.len != 2 * DIGEST_BYTES)
        return false;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = hex_digit(hex.s[2 * i]), low = hex_digit(hex.s[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
    }
    return secret_verify(s, purpose, &part, 1, mac);
}
