/* settings.h: the engine under the option table (core/options.h): built-in default, then file, environment,
 * command line. It knows types and sources, no option by name. */
#ifndef PEYGIR_SETTINGS_H
#define PEYGIR_SETTINGS_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum setting_type {
    SETTING_TEXT,   /* any text, checked by `check` when there is one */
    SETTING_INT,    /* min..max */
    SETTING_NUMBER, /* decimal number, min..max */
    SETTING_WORD,   /* one of choices, space-separated */
    SETTING_PATH,
    SETTING_URL     /* scheme://..., checked by `check` when there is one */
};

/* One row of the table. A row's place in the table is its id. */
struct setting {
    const char *name;     /* environment name, e.g. "PEYGIR_REQUEST_TTL" */
    enum setting_type type;
    const char *fallback; /* text of the default; NULL: none */
    int64_t min, max;     /* SETTING_INT, SETTING_NUMBER */
    const char *unit;     /* "seconds", "requests"; NULL: none */
    const char *choices;  /* SETTING_WORD: "error warn info debug" */
    const char *help;     /* one sentence */
    const char *flag;     /* long flag of the programs below, without --; NULL: only by --set NAME=VALUE */
    unsigned programs;    /* bits of the programs whose flag it is and whose --help shows it; 0: every program */
    bool secret;          /* the value never appears in errors; for people it goes through settings_masked */
    int (*check)(const char *value, struct err *err); /* optional further check: 0 or -1; *err may add a detail */
    const char *accepts;  /* what `check` accepts, to follow "it must be"; NULL: told from type, range and choices */
};

enum setting_source { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_ARGUMENT };

struct settings {
    const struct setting *table;
    size_t count;
    char **value;                /* text per row; NULL: not set */
    enum setting_source *source; /* per row */
    char *file;                  /* the file that was read, or NULL */
};

void settings_init(struct settings *s, const struct setting *table, size_t count);
void settings_free(struct settings *s);
/* The three below: 0, or -1 with a sentence of kind ERR_CONFIG that names option, value and what is accepted. Load in
 * this order: what comes later wins. An unknown name is an error when it starts with "PEYGIR_", otherwise ignored.
 * An empty value means not set: what was there before counts. */
/* NAME=value lines; # comments, blank lines, optional quotes around the value, optional `export `. Errors begin
 * with file:line. */
int settings_load_file(struct settings *s, const char *file, struct err *err);
int settings_load_environment(struct settings *s, char *const envp[], struct err *err);
/* One value; here any unknown name is an error. An empty value brings the default back. */
int settings_assign(struct settings *s, const char *name, const char *value, enum setting_source source,
                    struct err *err);

size_t settings_find(const struct settings *s, const char *name); /* the row's id, or s->count */
/* Does `value` suit the row? 0, or -1 with "it must be ...". */
int settings_check(const struct setting *row, const char *value, struct err *err);

const char *settings_text(const struct settings *s, size_t id); /* the default when not set; NULL when there is none */
int64_t settings_int(const struct settings *s, size_t id);      /* 0 when not set and without default; so below */
double settings_number(const struct settings *s, size_t id);
/* Index of the word within choices. */
int settings_word(const struct settings *s, size_t id);

/* Append what the row accepts, to follow "it must be": "a whole number of seconds from 1 to 60". */
void settings_add_accepts(struct str *out, const struct setting *row);
/* "default", "file", "environment", "command line" */
const char *settings_source_name(enum setting_source source);
/* `value` of `row` as people may see it: secrets are ***, in a URL only what stands before @. The caller frees. */
char *settings_masked(const struct setting *row, const char *value);

/* One paragraph a row that concerns one of the `programs` (bits): for --help, and roff for the manual page. Rows that
 * have a flag (`with_flag`) and those that have none are printed by separate calls. */
void settings_print_help(const struct settings *s, unsigned programs, bool with_flag, FILE *out);
void settings_print_roff(const struct settings *s, unsigned programs, bool with_flag, FILE *out);

#endif
