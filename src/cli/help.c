/* help.c: the table of verbs as usage, help, manual page and completion of bash */
#include "cli/help.h"

#include "base/daemon.h"
#include "base/str.h"
#include "tools/mkman.h"

enum { LINE_CHARACTERS = 100 };

/* --name, --name=VALUE; in brackets unless it is needed. A word's choices stand with | between them. */
static void add_flag(struct str *out, const struct flag *flag, bool brackets)
{
    brackets = brackets && !flag->needed;
    str_addf(out, "%s--%s%s", brackets ? "[" : "", flag->name, flag->value ? "=" : "");
    for (const char *p = flag->value; p && *p; p++)
        str_addc(out, flag->kind == FLAG_WORD && *p == ' ' ? '|' : *p);
    str_adds(out, brackets ? "]" : "");
    str_adds(out, flag->many ? "..." : "");
}

void help_usage(FILE *out, const struct verb *verb)
{
    struct str part = STR_INIT;
    int column = fprintf(out, "usage: peygir %s%s%s", verb->name, *verb->operands ? " " : "", verb->operands);
    for (const struct flag *flag = verb->flags; flag && flag->name; flag++) {
        str_reset(&part);
        add_flag(&part, flag, true);
        if (column + 1 + (int)part.len > LINE_CHARACTERS)
            column = fprintf(out, "\n         ") - 1;
        column += fprintf(out, " %s", part.s);
    }
    putc('\n', out);
    str_free(&part);
}

void help_verb(FILE *out, const struct verb *verb)
{
    struct str part = STR_INIT;
    help_usage(out, verb);
    fprintf(out, "%s\n", verb->help);
    for (const struct flag *flag = verb->flags; flag && flag->name; flag++) {
        str_reset(&part);
        add_flag(&part, flag, false);
        fprintf(out, "  %s\n      %s\n", part.s, flag->help);
    }
    str_free(&part);
}

void verbs_help(FILE *out)
{
    fprintf(out, "\nVerbs (peygir VERB --help tells more):\n");
    for (size_t i = 0; i < verb_count; i++)
        fprintf(out, "  %s%s%s%s\n      %s\n", verbs[i].name, *verbs[i].operands ? " " : "", verbs[i].operands,
                verbs[i].flags ? " [FLAG...]" : "", verbs[i].help);
}

static bool begins_like(const struct verb *verb, const char *word)
{
    return strncmp(verb->name, word, strlen(word)) == 0;
}

int help_unknown(int argc, char **argv)
{
    const char *first = argc > 0 ? argv[0] : "", *second = argc > 1 ? argv[1] : "";
    const char *between = "; those that begin so are: ";
    if (strcmp(second, "--help") == 0)
        second = "";
    fprintf(stderr, "peygir: there is no verb \"%s%s%s\"", first, *second ? " " : "", second);
    for (size_t i = 0; i < verb_count; i++)
        if (begins_like(&verbs[i], first)) {
            fprintf(stderr, "%s%s", between, verbs[i].name);
            between = ", ";
        }
    fprintf(stderr, "; see peygir --help\n");
    return EXIT_USAGE;
}

/* --- manual page --- */

static void print_roff(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, *text == '-' ? "\\-" : *text == '\\' ? "\\(rs" : "%c", *text);
}

static void print_term(FILE *out, const char *bold, const char *rest)
{
    fprintf(out, ".TP\n\\fB");
    print_roff(out, bold);
    fprintf(out, "\\fR%s", *rest ? " " : "");
    print_roff(out, rest);
    fprintf(out, "\n");
}

static void print_flags(FILE *out, const struct flag *flags)
{
    struct str part = STR_INIT;
    fprintf(out, ".RS\n");
    for (const struct flag *flag = flags; flag->name; flag++) {
        str_reset(&part);
        add_flag(&part, flag, false);
        print_term(out, part.s, "");
        print_roff(out, flag->help);
        fprintf(out, "\n");
    }
    fprintf(out, ".RE\n");
    str_free(&part);
}

void mkman_verbs(FILE *out)
{
    for (size_t i = 0; i < verb_count; i++) {
        print_term(out, verbs[i].name, verbs[i].operands);
        print_roff(out, verbs[i].help);
        fprintf(out, "\n");
        if (verbs[i].flags)
            print_flags(out, verbs[i].flags);
    }
}

/* --- completion of bash --- */

/* What stands for the flags of every verb: NAME, or NAME= when a value follows. */
static const char common_flags[] = "--config= --set= --json --help --version";

static void print_flag_lists(FILE *out)
{
    fprintf(out, "    local -A flags=(\n");
    for (size_t i = 0; i < verb_count; i++) {
        fprintf(out, "        ['%s']='", verbs[i].name);
        for (const struct flag *flag = verbs[i].flags; flag && flag->name; flag++)
            fprintf(out, "%s--%s%s", flag == verbs[i].flags ? "" : " ", flag->name, flag->value ? "=" : "");
        fprintf(out, "'\n");
    }
    fprintf(out, "    )\n");
}

/* Of flags that take one of some words, and of operands that are words. */
static void print_words(FILE *out)
{
    fprintf(out, "    local -A words=(\n");
    for (size_t i = 0; i < verb_count; i++) {
        const char *last = strrchr(verbs[i].operands, '|');
        if (last)
            fprintf(out, "        ['%s']='%s'\n", verbs[i].name, last + 1);
        for (const struct flag *flag = verbs[i].flags; flag && flag->name; flag++)
            if (flag->kind == FLAG_WORD)
                fprintf(out, "        ['%s --%s']='%s'\n", verbs[i].name, flag->name, flag->words);
    }
    fprintf(out, "    )\n");
}

static void print_file_verbs(FILE *out)
{
    fprintf(out, "    local files='");
    for (size_t i = 0; i < verb_count; i++)
        if (strstr(verbs[i].operands, "FILE"))
            fprintf(out, "<%s>", verbs[i].name);
    fprintf(out, "'\n");
}

/* Readline cuts words at = as well: "--state=wa" is three. */
static const char completion_rest[] =
    "    local word last='' verb='' at list='' cur=${COMP_WORDS[COMP_CWORD]}\n"
    "    local -a said=() parts=()\n"
    "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
    "        word=${COMP_WORDS[at]}\n"
    "        if [[ $word == '=' ]]; then\n"
    "            continue\n"
    "        elif [[ $last ]]; then\n"
    "            last=\n"
    "        elif [[ $word == -* ]]; then\n"
    "            [[ \" $common ${flags[${verb:-none}]-} \" != *\" $word= \"* ]] || last=$word\n"
    "        else\n"
    "            said+=(\"$word\")\n"
    "            [[ ! $verb && ${flags[${said[*]}]+known} ]] && verb=${said[*]}\n"
    "        fi\n"
    "    done\n"
    "    COMPREPLY=()\n"
    "    [[ $cur != '=' ]] || cur=\n"
    "    if [[ $last == --config || ( ! $last && $cur != -* && $verb && $files == *\"<$verb>\"* ) ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "        return\n"
    "    elif [[ $last ]]; then\n"
    "        list=${words[\"$verb $last\"]-}\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        list=\"${flags[${verb:-none}]-} $common\"\n"
    "    elif [[ ! $verb ]]; then\n"
    "        for word in \"${!flags[@]}\"; do\n"
    "            read -ra parts <<<\"$word\"\n"
    "            [[ ${#said[@]} -gt 0 && ${parts[0]} != \"${said[0]}\" ]] || list+=\" ${parts[${#said[@]}]-}\"\n"
    "        done\n"
    "    else\n"
    "        list=${words[$verb]-}\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$list\" -- \"$cur\" | sort -u)\n"
    "    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null\n"
    "}\n"
    "complete -F _peygir peygir\n";

void mkman_completion(FILE *out)
{
    fprintf(out,
            "# peygir: completion of bash for peygir(1), made of its table of verbs\n_peygir() {\n    local common='%s'\n",
            common_flags);
    print_flag_lists(out);
    print_words(out);
    print_file_verbs(out);
    fputs(completion_rest, out);
}
