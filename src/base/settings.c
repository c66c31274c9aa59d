/* settings.c: values of an option table from its defaults, a file, the environment and the command line. Help and
 * manual pages are in settings_print.c. */
#include "base/settings.h"

#include "base/str.h"
#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <sys/stat.h>

enum { SHOWN_BYTES = 100, FILE_MAX_BYTES = 1 << 20 };

static const char own_names[] = "PEYGIR_";

void settings_init(struct settings *s, const struct setting *table, size_t count)
{
    s->table = table;
    s->count = count;
    s->value = xcalloc(count ? count : 1, sizeof *s->value);
    s->source = xcalloc(count ? count : 1, sizeof *s->source);
    s->file = NULL;
}

void settings_free(struct settings *s)
{
    for (size_t i = 0; s->value && i < s->count; i++)
        free(s->value[i]);
    free(s->value);
    free(s->source);
    free(s->file);
    *s = (struct settings){ 0 };
}

size_t settings_find(const struct settings *s, const char *name)
{
    size_t i = 0;
    while (i < s->count && strcmp(s->table[i].name, name) != 0)
        i++;
    return i;
}

/* --- what a row accepts --- */

/* Decimal digits, at most 18 of them, with an optional minus. */
static bool parse_int(const char *text, int64_t *out)
{
    const char *p = text + (*text == '-');
    size_t digits = strspn(p, "0123456789");
    if (digits == 0 || digits > 18 || p[digits])
        return false;
    *out = strtoll(text, NULL, 10);
    return true;
}

/* 12 or 12.5; by hand because strtod looks at the locale's decimal point. */
static bool parse_number(const char *text, double *out)
{
    int64_t digits = 0;
    double scale = 1;
    size_t count = 0;
    bool fraction = false;
    for (const char *p = text; *p; p++) {
        if (*p == '.' && !fraction && p > text && p[1]) {
            fraction = true;
        } else if (isdigit((unsigned char)*p) && ++count <= 15) {
            digits = digits * 10 + (*p - '0');
            scale *= fraction ? 10 : 1;
        } else {
            return false;
        }
    }
    *out = (double)digits / scale;
    return count > 0;
}

/* Place of `word` among space-separated choices; -1 when it is none of them. */
static int find_word(const char *choices, const char *word)
{
    size_t len = strlen(word);
    int index = 0;
    for (const char *p = choices; *p; index++) {
        size_t n = strcspn(p, " ");
        if (n == len && memcmp(p, word, n) == 0)
            return index;
        p += n;
        p += strspn(p, " ");
    }
    return -1;
}

static bool has_scheme(const char *url)
{
    size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyz+");
    return n > 0 && strncmp(url + n, "://", 3) == 0 && url[n + 3] && !strpbrk(url, " \"<>\\");
}

static bool type_accepts(const struct setting *row, const char *value)
{
    int64_t n;
    double d;
    switch (row->type) {
    case SETTING_INT:
        return parse_int(value, &n) && n >= row->min && n <= row->max;
    case SETTING_NUMBER:
        return parse_number(value, &d) && d >= (double)row->min && d <= (double)row->max;
    case SETTING_WORD:
        return find_word(row->choices, value) >= 0;
    case SETTING_URL:
        return has_scheme(value);
    case SETTING_TEXT:
    case SETTING_PATH:
        break;
    }
    return true;
}

static void add_choices(struct str *out, const char *choices)
{
    const char *p = choices;
    while (*p) {
        size_t n = strcspn(p, " ");
        const char *next = p + n + strspn(p + n, " ");
        str_adds(out, p == choices ? "" : *next ? ", " : " or ");
        str_add(out, p, n);
        p = next;
    }
}

void settings_add_accepts(struct str *out, const struct setting *row)
{
    if (row->accepts) {
        str_adds(out, row->accepts);
        return;
    }
    switch (row->type) {
    case SETTING_INT:
    case SETTING_NUMBER:
        str_addf(out, "%s%s%s from %lld to %lld", row->type == SETTING_INT ? "a whole number" : "a number",
                 row->unit ? " of " : "", row->unit ? row->unit : "", (long long)row->min, (long long)row->max);
        break;
    case SETTING_WORD:
        add_choices(out, row->choices);
        break;
    case SETTING_PATH:
        str_adds(out, "a path");
        break;
    case SETTING_URL:
        str_adds(out, "a URL");
        break;
    case SETTING_TEXT:
        str_adds(out, "text without control characters");
        break;
    }
}

static bool has_control(const char *value)
{
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return true;
    return false;
}

int settings_check(const struct setting *row, const char *value, struct err *err)
{
    struct err detail = ERR_INIT;
    if (!has_control(value) && type_accepts(row, value) && (!row->check || row->check(value, &detail) == 0))
        return 0;
    struct str accepts = STR_INIT;
    settings_add_accepts(&accepts, row);
    err_set(err, ERR_CONFIG, "it must be %s%s%s.", accepts.s, detail.text[0] ? "; " : "", detail.text);
    str_free(&accepts);
    return -1;
}

/* --- giving values --- */

/* An unknown name may be a known one misspelt, so a value that may be a password is not repeated. */
static bool sounds_secret(const char *name)
{
    static const char *const words[] = { "SECRET", "PASS", "KEY", "TOKEN", "CREDENTIAL" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(name, words[i]))
            return true;
    return false;
}

/* NAME="value", or NAME alone for a secret; safe to print, not too long. */
static void add_assignment(struct str *out, const char *name, const char *value, bool secret)
{
    str_add_log(out, name, utf8_clip(name, strlen(name), SHOWN_BYTES));
    if (secret)
        return;
    size_t len = strlen(value);
    size_t shown = utf8_clip(value, len, SHOWN_BYTES);
    str_adds(out, "=\"");
    str_add_log(out, value, shown);
    str_adds(out, shown < len ? "...\"" : "\"");
}

static const char *where(enum setting_source source)
{
    return source == FROM_ENVIRONMENT ? " in the environment" : source == FROM_ARGUMENT ? " on the command line" : "";
}

/* Edits (insert, delete, replace) that make b out of a; at least `limit` when the names are too long to try. */
static size_t edits(const char *a, const char *b, size_t limit)
{
    size_t row[64];
    size_t width = strlen(b);
    if (width >= ARRAY_LEN(row))
        return limit;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[width];
}

static const char *nearest_name(const struct settings *s, const char *name)
{
    const char *best = NULL;
    size_t fewest = 5;
    for (size_t i = 0; i < s->count; i++) {
        size_t n = edits(name, s->table[i].name, fewest);
        if (n < fewest) {
            fewest = n;
            best = s->table[i].name;
        }
    }
    return best;
}

static int unknown_name(const struct settings *s, const char *name, const char *value, enum setting_source source,
                        struct err *err)
{
    struct str given = STR_INIT;
    add_assignment(&given, name, value, sounds_secret(name));
    const char *near = nearest_name(s, name);
    err_set(err, ERR_CONFIG, "%s%s is not an option of Peygir; %s%s.", given.s, where(source),
            near ? "the nearest name it accepts is " : "--help lists the names it accepts", near ? near : "");
    str_free(&given);
    return -1;
}

int settings_assign(struct settings *s, const char *name, const char *value, enum setting_source source,
                    struct err *err)
{
    size_t id = settings_find(s, name);
    if (id == s->count)
        return unknown_name(s, name, value, source, err);
    const struct setting *row = &s->table[id];
    struct err reason = ERR_INIT;
    if (*value && settings_check(row, value, &reason) != 0) {
        struct str given = STR_INIT;
        add_assignment(&given, name, value, row->secret);
        err_set(err, ERR_CONFIG, "%s%s is not accepted: %s", given.s, where(source), reason.text);
        str_free(&given);
        return -1;
    }
    free(s->value[id]);
    s->value[id] = *value ? xstrdup(value) : NULL;
    s->source[id] = *value ? source : FROM_DEFAULT;
    return 0;
}

/* As settings_assign for a source that also carries names of others, and where empty means not set. */
static int assign_known(struct settings *s, const char *name, const char *value, enum setting_source source,
                        struct err *err)
{
    bool known = settings_find(s, name) < s->count;
    if (known ? !*value : strncmp(name, own_names, sizeof own_names - 1) != 0)
        return 0;
    return settings_assign(s, name, value, source, err);
}

int settings_load_environment(struct settings *s, char *const envp[], struct err *err)
{
    for (size_t i = 0; envp[i]; i++) {
        const char *equals = strchr(envp[i], '=');
        if (!equals)
            continue;
        char *name = xmemdupz(envp[i], (size_t)(equals - envp[i]));
        int rc = assign_known(s, name, equals + 1, FROM_ENVIRONMENT, err);
        free(name);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

/* Quotes around the whole value go; an opening one without a closing one is a mistake. */
static char *unquote(char *value, struct err *err)
{
    size_t len = strlen(value);
    if (*value != '"' && *value != '\'')
        return value;
    if (len < 2 || value[len - 1] != *value) {
        err_set(err, ERR_CONFIG, "a value begins with %s and does not end with it.",
                *value == '"' ? "a double quote" : "a single quote");
        return NULL;
    }
    value[len - 1] = '\0';
    return value + 1;
}

static int load_line(struct settings *s, char *line, struct err *err)
{
    line = trim(line);
    if (*line == '\0' || *line == '#')
        return 0;
    if (strncmp(line, "export ", 7) == 0)
        line = trim(line + 7);
    size_t name_len = 0;
    while (isalnum((unsigned char)line[name_len]) || line[name_len] == '_')
        name_len++;
    if (name_len == 0 || line[name_len] != '=')
        return err_set(err, ERR_CONFIG, "the line is not of the form NAME=value.");
    line[name_len] = '\0';
    char *value = unquote(trim(line + name_len + 1), err);
    return value ? assign_known(s, line, value, FROM_FILE, err) : -1;
}

static int load_lines(struct settings *s, FILE *in, const char *file, struct err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int rc = 0;
    for (unsigned number = 1; rc == 0 && (len = getline(&line, &cap, in)) >= 0; number++) {
        rc = strlen(line) == (size_t)len ? load_line(s, line, err) : err_set(err, ERR_CONFIG, "it has a NUL byte.");
        if (rc != 0)
            err_prefix(err, "%s:%u", file, number);
    }
    free(line);
    if (rc == 0 && ferror(in))
        rc = err_set(err, ERR_CONFIG, "%s cannot be read: %s.", file, strerror(errno));
    return rc;
}

int settings_load_file(struct settings *s, const char *file, struct err *err)
{
    FILE *in = fopen(file, "re");
    if (!in)
        return err_set(err, ERR_CONFIG, "%s cannot be read: %s.", file, strerror(errno));
    struct stat st;
    int rc;
    if (fstat(fileno(in), &st) == 0 && st.st_size > FILE_MAX_BYTES)
        rc = err_set(err, ERR_CONFIG, "%s is larger than 1 MiB; a file of NAME=value lines is expected.", file);
    else
        rc = load_lines(s, in, file, err);
    fclose(in);
    if (rc == 0) {
        free(s->file);
        s->file = xstrdup(file);
    }
    return rc;
}

/* --- reading values --- */

const char *settings_text(const struct settings *s, size_t id)
{
    return s->value[id] ? s->value[id] : s->table[id].fallback;
}

int64_t settings_int(const struct settings *s, size_t id)
{
    const char *text = settings_text(s, id);
    int64_t n = 0;
    return text && parse_int(text, &n) ? n : 0;
}

double settings_number(const struct settings *s, size_t id)
{
    const char *text = settings_text(s, id);
    double d = 0;
    return text && parse_number(text, &d) ? d : 0;
}

int settings_word(const struct settings *s, size_t id)
{
    const char *text = settings_text(s, id);
    int index = text ? find_word(s->table[id].choices, text) : 0;
    return index < 0 ? 0 : index;
}

const char *settings_source_name(enum setting_source source)
{
    static const char *const names[] = { "default", "file", "environment", "command line" };
    return names[source];
}

/* What stands before the last @ may be a name and password; a query other than a database number may hold one too. */
static char *masked_url(const char *url)
{
    const char *query = strchr(url, '?');
    const char *start = strstr(url, "://");
    if (!start || (query && (strncmp(query, "?db=", 4) != 0 || query[4 + strspn(query + 4, "0123456789")])))
        return xstrdup("***");
    start += 3;
    const char *at = strrchr(start, '@');
    return at ? xasprintf("%.*s***%s", (int)(start - url), url, at) : xstrdup(url);
}

char *settings_masked(const struct setting *row, const char *value)
{
    if (!row->secret)
        return xstrdup(value);
    return row->type == SETTING_URL ? masked_url(value) : xstrdup("***");
}
