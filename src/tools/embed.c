/* embed.c: build tool. `embed scripts.h scripts.c FILE.lua...` writes the Lua files as C: one `const struct script`
 * each, with the SHA-1 by which Redis knows it, and a list of all in order of name. Redis's scripts cannot call each other, so
 * what several of them need stands in a part that they include. The output depends on names and
 * contents only, not on where the files are. */
#include "base/banned.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lua {
    const char *path;
    char name[64];
    unsigned char *body;
    size_t len, cap;
    char sha1[41];
};

static void die(const char *what, const char *path)
{
    fprintf(stderr, "embed: %s: %s\n", path, what);
    exit(1);
}

/* --- SHA-1 (RFC 3174): not for secrets, but it is the name that Redis gives to a script --- */

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static uint32_t mix(int t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return ((b & c) | (~b & d)) + 0x5A827999;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ED9EBA1;
    if (t < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC;
    return (b ^ c ^ d) + 0xCA62C1D6;
}

static void sha1_block(uint32_t h[5], const unsigned char *p)
{
    uint32_t w[80];
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)p[4 * t] << 24 | (uint32_t)p[4 * t + 1] << 16 | (uint32_t)p[4 * t + 2] << 8 | p[4 * t + 3];
    for (int t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (int t = 0; t < 80; t++) {
        uint32_t next = rotate(a, 5) + mix(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

static void sha1_hex(const unsigned char *data, size_t len, char hex[41])
{
    uint32_t h[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
    unsigned char tail[128] = { 0 };
    size_t whole = len / 64 * 64;
    size_t rest = len - whole;
    size_t tail_len = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)len * 8;

    for (size_t i = 0; i < whole; i += 64)
        sha1_block(h, data + i);
    if (rest)
        memcpy(tail, data + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[tail_len - 1 - (size_t)i] = (unsigned char)(bits >> (8 * i));
    for (size_t i = 0; i < tail_len; i += 64)
        sha1_block(h, tail + i);
    for (size_t i = 0; i < 5; i++)
        snprintf(hex + 8 * i, 9, "%08x", h[i]);
}

/* --- files --- */

/* The file's name without directory and ".lua"; it becomes part of a C name. */
static void take_name(struct lua *l)
{
    const char *slash = strrchr(l->path, '/');
    const char *base = slash ? slash + 1 : l->path;
    size_t len = strlen(base);

    if (len < 5 || strcmp(base + len - 4, ".lua") != 0 || len - 4 >= sizeof(l->name))
        die("a script's file must be called noun_verb.lua", l->path);
    if (strspn(base, "abcdefghijklmnopqrstuvwxyz0123456789_") != len - 4)
        die("a script's name has only a-z, 0-9 and _", l->path);
    memcpy(l->name, base, len - 4);
}

static void add_bytes(struct lua *l, const char *bytes, size_t len)
{
    if (l->len + len > l->cap) {
        l->cap = 2 * (l->len + len) + 4096;
        l->body = realloc(l->body, l->cap);
        if (!l->body)
            die("out of memory", l->path);
    }
    memcpy(l->body + l->len, bytes, len);
    l->len += len;
}

static void add_file(struct lua *l, const char *path, bool is_part);

/* A line "-- include part_x.lua" stands for what that file beside the script says; a part includes nothing. */
static void add_line(struct lua *l, const char *path, bool is_part, char *line, size_t len)
{
    static const char word[] = "-- include ";
    const char *slash = strrchr(path, '/');
    char part[4096];

    if (is_part || strncmp(line, word, sizeof(word) - 1) != 0) {
        add_bytes(l, line, len);
        return;
    }
    line[strcspn(line, "\r\n")] = '\0';
    snprintf(part, sizeof(part), "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, line + sizeof(word) - 1);
    add_file(l, part, true);
}

static void add_file(struct lua *l, const char *path, bool is_part)
{
    FILE *f = fopen(path, "rb");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (!f)
        die(strerror(errno), path);
    while ((len = getline(&line, &cap, f)) > 0)
        add_line(l, path, is_part, line, (size_t)len);
    if (ferror(f))
        die("cannot be read", path);
    free(line);
    fclose(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct lua *)a)->name, ((const struct lua *)b)->name);
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f)
        die(strerror(errno), path);
    return f;
}

static void finish(FILE *f, const char *path)
{
    bool failed = ferror(f);

    if (fclose(f) != 0 || failed)
        die("cannot be written", path);
}

static void write_header(const char *path, const struct lua *lua, size_t count)
{
    FILE *f = create(path);

    fprintf(f, "/* scripts.h: made by embed from src/lua. */\n#ifndef PEYGIR_SCRIPTS_H\n#define PEYGIR_SCRIPTS_H\n\n"
               "#include \"redis/redis.h\"\n\n");
    for (size_t i = 0; i < count; i++)
        fprintf(f, "extern const struct script script_%s;\n", lua[i].name);
    fprintf(f, "extern const struct script *const scripts_all[]; /* in order of name */\n"
               "extern const size_t scripts_count;\n\n#endif\n");
    finish(f, path);
}

/* As characters: compilers need not take string literals over 4095 bytes. */
static void write_body(FILE *f, const struct lua *l)
{
    fprintf(f, "static const char body_%s[] = {", l->name);
    for (size_t i = 0; i < l->len; i++) {
        unsigned char c = l->body[i];
        fprintf(f, i % 16 ? " " : "\n    ");
        fprintf(f, c < ' ' || c > '~' || c == '\'' || c == '\\' ? "'\\%03o'," : "'%c',", c);
    }
    fprintf(f, "\n    '\\0'\n};\n");
}

static void write_source(const char *path, const struct lua *lua, size_t count)
{
    FILE *f = create(path);

    fprintf(f, "/* scripts.c: made by embed from src/lua. */\n#include \"scripts.h\"\n\n");
    for (size_t i = 0; i < count; i++) {
        write_body(f, &lua[i]);
        fprintf(f, "const struct script script_%s = { \"%s\", body_%s, %zu, \"%s\" };\n", lua[i].name, lua[i].name,
                lua[i].name, lua[i].len, lua[i].sha1);
    }
    fprintf(f, "\nconst struct script *const scripts_all[] = {\n");
    for (size_t i = 0; i < count; i++)
        fprintf(f, "    &script_%s,\n", lua[i].name);
    fprintf(f, "};\nconst size_t scripts_count = %zu;\n", count);
    finish(f, path);
}

int main(int argc, char **argv)
{
    size_t count = argc > 3 ? (size_t)argc - 3 : 0;
    struct lua *lua;

    if (count == 0) {
        fprintf(stderr, "usage: embed scripts.h scripts.c FILE.lua...\n");
        return 2;
    }
    lua = calloc(count, sizeof(*lua));
    if (!lua) {
        perror("embed");
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        lua[i].path = argv[i + 3];
        take_name(&lua[i]);
        add_file(&lua[i], lua[i].path, false);
        sha1_hex(lua[i].body, lua[i].len, lua[i].sha1);
    }
    qsort(lua, count, sizeof(*lua), by_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(lua[i].name, lua[i - 1].name) == 0)
            die("two scripts have this name", lua[i].path);
    write_header(argv[1], lua, count);
    write_source(argv[2], lua, count);
    for (size_t i = 0; i < count; i++)
        free(lua[i].body);
    free(lua);
    return 0;
}
