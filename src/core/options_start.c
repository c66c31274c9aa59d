/* options_start.c: the start-up that every program shares: command line, file, environment, help, log. */
#include "core/options.h"

#include "base/daemon.h"
#include "base/log.h"

#include <unistd.h>

static const char default_file[] = "/etc/peygir/peygir.env";

enum { GO_ON = -1 };

/* What the command line says, before anything is applied. */
struct line {
    struct settings *s;
    const struct options_program *program;
    char **argv;
    int argc;
    int at;             /* the argument being read */
    const char *file;   /* --config; NULL: the default file */
    struct {
        char *name;     /* owned */
        const char *value;
    } *given;           /* options in order */
    int givens;
    char **taken, **kept; /* argv in two: what was used up, and operands */
    int takens, keeps;
};

__attribute__((format(printf, 2, 3))) static int usage_error(const struct line *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s: %s\n", l->program->name, text);
    free(text);
    return EXIT_USAGE;
}

/* --- help --- */

static void print_usage(const struct options_program *p)
{
    printf("Usage: %s [FLAG...]%s%s\n%s\n\nFlags:\n", p->name, p->operands ? " " : "", p->operands ? p->operands : "",
           p->summary);
    puts("  --config=FILE\n"
         "        File of NAME=value lines. Default: /etc/peygir/peygir.env, if it exists.\n"
         "  --set=NAME=VALUE\n"
         "        Set an option of the list below; wins over environment and file.\n"
         "  --help, --version\n"
         "        Print this, or the version.");
    for (const struct options_flag *f = p->flags; f && f->name; f++)
        printf("  --%s\n        %s\n", f->name, f->help);
}

static int print_help(const struct line *l)
{
    const struct options_program *p = l->program;
    print_usage(p);
    settings_print_help(l->s, p->bit, true, stdout);
    if (p->more_help)
        p->more_help(stdout);
    puts("\nOptions, by environment, file or --set:");
    settings_print_help(l->s, p->bit, false, stdout);
    return 0;
}

/* --- command line --- */

static void give(struct line *l, char *name, const char *value)
{
    l->given[l->givens].name = name;
    l->given[l->givens++].value = value;
}

/* The value of the flag being read: behind its = or the next argument. NULL when there is none. */
static const char *flag_value(struct line *l, const char *equals)
{
    if (equals)
        return equals + 1;
    if (l->at + 1 >= l->argc || strncmp(l->argv[l->at + 1], "--", 2) == 0)
        return NULL;
    l->taken[l->takens++] = l->argv[++l->at];
    return l->argv[l->at];
}

static int take_set(struct line *l, const char *equals)
{
    const char *value = flag_value(l, equals);
    const char *inner = value ? strchr(value, '=') : NULL;
    if (!inner || inner == value)
        return usage_error(l, "--set needs NAME=VALUE.");
    give(l, xmemdupz(value, (size_t)(inner - value)), inner + 1);
    return GO_ON;
}

static int take_config(struct line *l, const char *equals)
{
    l->file = flag_value(l, equals);
    return l->file && *l->file ? GO_ON : usage_error(l, "--config needs the name of a file.");
}

static const struct setting *find_option_flag(const struct line *l, const char *name)
{
    for (size_t i = 0; i < l->s->count; i++) {
        const struct setting *row = &l->s->table[i];
        if (row->flag && (row->programs & l->program->bit) && strcmp(row->flag, name) == 0)
            return row;
    }
    return NULL;
}

static const struct options_flag *find_switch(const struct line *l, const char *name)
{
    for (const struct options_flag *f = l->program->flags; f && f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* A flag of the program itself. GO_ON when it was one and *known is true, or *known is false. */
static int take_own_flag(struct line *l, const char *name, const char *equals, bool *known)
{
    const struct options_flag *toggle = find_switch(l, name);
    const struct setting *row = toggle ? NULL : find_option_flag(l, name);
    *known = toggle || row;
    if (toggle && equals)
        return usage_error(l, "--%s takes no value.", name);
    if (toggle)
        *toggle->set = true;
    if (!row)
        return GO_ON;
    const char *value = flag_value(l, equals);
    if (!value || !*value)
        return usage_error(l, "--%s needs a value.", name);
    give(l, xstrdup(row->name), value);
    return GO_ON;
}

/* One argument that begins with --. With verbs and a verb seen, what is not known is left to the verb. */
static int take_flag(struct line *l, char *arg, bool verb_seen)
{
    char *equals = strchr(arg, '=');
    char *name = xmemdupz(arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));
    bool known = true;
    int rc;
    int place = l->takens++; /* before a value of its own that follows */
    l->taken[place] = arg;
    if (strcmp(name, "config") == 0)
        rc = take_config(l, equals);
    else if (strcmp(name, "set") == 0)
        rc = take_set(l, equals);
    else
        rc = take_own_flag(l, name, equals, &known);
    if (!known && verb_seen) {
        l->takens = place;
        l->kept[l->keeps++] = arg;
    } else if (!known && strcmp(arg, "--help") == 0) {
        rc = print_help(l);
    } else if (!known && strcmp(arg, "--version") == 0) {
        printf("%s %s\n", l->program->name, PACKAGE_VERSION);
        rc = 0;
    } else if (!known) {
        rc = usage_error(l, "--%s is not one of its flags; --help lists them.", name);
    }
    free(name);
    return rc;
}

static int take_operand(struct line *l, char *arg, bool dash_allowed)
{
    if (arg[0] == '-' && arg[1] && !dash_allowed)
        return usage_error(l, "%s is not one of its flags; --help lists them.", arg);
    if (!l->program->operands)
        return usage_error(l, "it takes no operand, and \"%s\" is one; --help lists its flags.", arg);
    l->kept[l->keeps++] = arg;
    return GO_ON;
}

/* From "--" on everything is an operand; a verb sees the "--" too. */
static int take_rest(struct line *l, bool verb_seen)
{
    if (!verb_seen)
        l->taken[l->takens++] = l->argv[l->at++];
    int rc = GO_ON;
    for (; rc == GO_ON && l->at < l->argc; l->at++)
        rc = take_operand(l, l->argv[l->at], true);
    return rc;
}

static int read_line(struct line *l)
{
    int rc = GO_ON;
    for (l->at = 1; rc == GO_ON && l->at < l->argc; l->at++) {
        char *arg = l->argv[l->at];
        bool verb_seen = l->program->verbs && l->keeps > 0;
        if (strcmp(arg, "--") == 0)
            return take_rest(l, verb_seen);
        rc = strncmp(arg, "--", 2) == 0 ? take_flag(l, arg, verb_seen) : take_operand(l, arg, verb_seen);
    }
    return rc;
}

/* --- values --- */

static int load(struct line *l, struct err *err)
{
    if (l->file || access(default_file, F_OK) == 0)
        if (settings_load_file(l->s, l->file ? l->file : default_file, err) != 0)
            return -1;
    if (settings_load_environment(l->s, environ, err) != 0)
        return -1;
    for (int i = 0; i < l->givens; i++)
        if (settings_assign(l->s, l->given[i].name, l->given[i].value, FROM_ARGUMENT, err) != 0)
            return -1;
    return 0;
}

static int apply(struct line *l)
{
    struct err err = ERR_INIT;
    if (load(l, &err) != 0) {
        fprintf(stderr, "%s: %s\n", l->program->name, err.text);
        return EXIT_CONFIG;
    }
    static const char family[] = "peygir-";
    const char *name = l->program->name;
    name += strncmp(name, family, sizeof family - 1) == 0 ? sizeof family - 1 : 0;
    log_setup(name, (enum log_level)settings_word(l->s, OPT_PEYGIR_LOG_LEVEL),
              settings_word(l->s, OPT_PEYGIR_LOG_FORMAT) == 1);
    return GO_ON;
}

int options_start(struct settings *s, const struct options_program *program, int argc, char **argv,
                  int *first_operand)
{
    struct line l = { .s = s, .program = program, .argv = argv, .argc = argc };
    settings_init(s, options_table, OPT_COUNT);
    l.given = xcalloc((size_t)argc + 1, sizeof *l.given);
    l.taken = xcalloc((size_t)argc + 1, sizeof *l.taken);
    l.kept = xcalloc((size_t)argc + 1, sizeof *l.kept);
    int rc = read_line(&l);
    if (rc == GO_ON)
        rc = apply(&l);
    if (rc == GO_ON && argc > 0) {
        memcpy(argv + 1, l.taken, (size_t)l.takens * sizeof *argv);
        memcpy(argv + 1 + l.takens, l.kept, (size_t)l.keeps * sizeof *argv);
        *first_operand = 1 + l.takens;
    }
    for (int i = 0; i < l.givens; i++)
        free(l.given[i].name);
    free(l.given);
    free(l.taken);
    free(l.kept);
    return rc;
}
