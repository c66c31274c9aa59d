/* settings_print.c: an option table as --help and as a part of a manual page. */
#include "base/settings.h"

#include <ctype.h>

static bool concerns(const struct setting *row, unsigned programs, bool with_flag)
{
    return (row->programs == 0 || (row->programs & programs)) && (row->flag != NULL) == with_flag;
}

/* What stands for the value: SECONDS, NUMBER, PATH, on|off. */
static void add_placeholder(struct str *out, const struct setting *row)
{
    static const char *const names[] = { "TEXT", "N", "NUMBER", "WORD", "PATH", "URL" };
    const char *text = row->type == SETTING_INT && row->unit ? row->unit : names[row->type];
    if (row->type == SETTING_WORD)
        text = row->choices;
    for (const char *p = text; *p; p++)
        str_addc(out, row->type == SETTING_WORD ? (*p == ' ' ? '|' : *p) : (char)toupper((unsigned char)*p));
}

/* "Help. Accepted: ... Default: ..." */
static void add_help(struct str *out, const struct setting *row)
{
    str_addf(out, "%s Accepted: ", row->help);
    settings_add_accepts(out, row);
    str_addf(out, ".%s%s%s", row->fallback ? " Default: " : "", row->fallback ? row->fallback : "",
             row->fallback ? "." : "");
}

/* Wrapped at 79 columns, each line indented by 8. */
static void print_wrapped(const char *text, FILE *out)
{
    size_t column = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " ");
        if (column > 0 && column + 1 + n > 71) {
            fputc('\n', out);
            column = 0;
        }
        fprintf(out, "%s%.*s", column ? " " : "        ", (int)n, p);
        column += n + (column ? 1 : 0);
        p += n;
        p += strspn(p, " ");
    }
    fputc('\n', out);
}

void settings_print_help(const struct settings *s, unsigned programs, bool with_flag, FILE *out)
{
    for (const struct setting *row = s->table; row < s->table + s->count; row++) {
        if (!concerns(row, programs, with_flag))
            continue;
        struct str value = STR_INIT, help = STR_INIT;
        add_placeholder(&value, row);
        add_help(&help, row);
        if (row->flag)
            fprintf(out, "  --%s=%s, ", row->flag, value.s);
        fprintf(out, "%s%s=%s\n", row->flag ? "" : "  ", row->name, value.s);
        print_wrapped(help.s, out);
        str_free(&value);
        str_free(&help);
    }
}

/* Text for troff: no byte of it is taken for a request or an escape. */
static void print_roff_text(const char *text, FILE *out)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what was appended to is never NULL (str.h) */
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (const char *p = text; *p; p++) {
        if (*p == '\\')
            fputs("\\(rs", out);
        else if (*p == '-')
            fputs("\\-", out);
        else
            fputc(*p, out);
    }
}

static void print_roff_assignment(const char *prefix, const char *name, const char *value, FILE *out)
{
    fputs("\\fB", out);
    print_roff_text(prefix, out);
    print_roff_text(name, out);
    fputs("\\fR=\\fI", out);
    print_roff_text(value, out);
    fputs("\\fR", out);
}

void settings_print_roff(const struct settings *s, unsigned programs, bool with_flag, FILE *out)
{
    for (const struct setting *row = s->table; row < s->table + s->count; row++) {
        if (!concerns(row, programs, with_flag))
            continue;
        struct str value = STR_INIT, help = STR_INIT;
        add_placeholder(&value, row);
        add_help(&help, row);
        fputs(".TP\n", out);
        if (row->flag) {
            print_roff_assignment("--", row->flag, value.s, out);
            fputs(", ", out);
        }
        print_roff_assignment("", row->name, value.s, out);
        fputc('\n', out);
        print_roff_text(help.s, out);
        fputc('\n', out);
        str_free(&value);
        str_free(&help);
    }
}
