/* parse.c: reads a verb, its flags and operands by the table */
#include "cli/parse.h"

#include "core/options.h"

#include <errno.h>

/* Does argv begin with the words of `name`? How many they are, or 0. */
static int matches(const char *name, int argc, char **argv)
{
    size_t first = strcspn(name, " ");
    if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0)
        return 0;
    if (name[first] == '\0')
        return 1;
    return argc >= 2 && strcmp(argv[1], name + first + 1) == 0 ? 2 : 0;
}

const struct verb *parse_verb(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < verb_count; i++)
        if ((*words = matches(verbs[i].name, argc, argv)) > 0)
            return &verbs[i];
    return NULL;
}

/* --- values --- */

/* Decimal digits (a minus may come first) up to `end`. */
static bool read_whole(const char *text, const char *end, int64_t *out)
{
    char *stop;
    if (text == end || (*text != '-' && (*text < '0' || *text > '9')))
        return false;
    errno = 0;
    *out = strtoll(text, &stop, 10);
    return stop == end && errno == 0;
}

static int take_number(const struct flag *flag, const char *text, struct flag_value *value, struct err *err)
{
    if (read_whole(text, text + strlen(text), &value->number) && value->number >= flag->min && value->number <= flag->max)
        return 0;
    return err_set(err, ERR_INVALID, "--%s must be a whole number from %lld to %lld, not \"%.40s\"", flag->name,
                   (long long)flag->min, (long long)flag->max, text);
}

static int take_rate(const struct flag *flag, const char *text, struct flag_value *value, struct err *err)
{
    const char *slash = strchr(text, '/');
    if (slash && read_whole(text, slash, &value->number) &&
        read_whole(slash + 1, slash + 1 + strlen(slash + 1), &value->per) && value->number >= flag->min &&
        value->number <= flag->max && value->per >= flag->min && value->per <= flag->max)
        return 0;
    return err_set(err, ERR_INVALID,
                   "--%s must be two whole numbers from %lld to %lld, as in 10/60 for ten a minute, not \"%.40s\"",
                   flag->name, (long long)flag->min, (long long)flag->max, text);
}

static int take_word(const struct flag *flag, const char *text, struct flag_value *value, struct err *err)
{
    size_t len = strlen(text);
    (void)value;
    for (const char *word = flag->words; *word; word += strcspn(word, " "), word += *word == ' ')
        if (len > 0 && strcspn(word, " ") == len && strncmp(word, text, len) == 0)
            return 0;
    return err_set(err, ERR_INVALID, "--%s must be one of: %s; not \"%.40s\"", flag->name, flag->words, text);
}

static int take_queue(const struct flag *flag, const char *text, struct flag_value *value, struct err *err)
{
    (void)value;
    if (options_queue_name(span_of(text)))
        return 0;
    return err_set(err, ERR_INVALID, "--%s must be the name of a queue (letters, digits, _ and -), not \"%.40s\"",
                   flag->name, text);
}

static int take_text(const struct flag *flag, const char *text, struct flag_value *value, struct err *err)
{
    (void)value;
    return *text ? 0 : err_set(err, ERR_INVALID, "--%s must not be empty", flag->name);
}

typedef int (*taker)(const struct flag *flag, const char *text, struct flag_value *value, struct err *err);
static const taker takers[] = {
    [FLAG_NUMBER] = take_number, [FLAG_TEXT] = take_text, [FLAG_WORD] = take_word, [FLAG_QUEUE] = take_queue, [FLAG_RATE] = take_rate
};

/* --- arguments --- */

static const struct flag *find_flag(const struct verb *verb, const char *name, size_t len, size_t *index)
{
    for (*index = 0; verb->flags && verb->flags[*index].name; (*index)++)
        if (strlen(verb->flags[*index].name) == len && strncmp(verb->flags[*index].name, name, len) == 0)
            return &verb->flags[*index];
    return NULL;
}

/* The flag at argv[*i], and its value, which may be the next argument. */
static int take_flag(struct cli *cli, int argc, char **argv, int *i, struct err *err)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name), index;
    const struct flag *flag = strncmp(argv[*i], "--", 2) == 0 ? find_flag(cli->verb, name, len, &index) : NULL;
    if (!flag)
        return err_set(err, ERR_INVALID, "%.60s is not a flag of peygir %s", argv[*i], cli->verb->name);
    struct flag_value *value = &cli->value[index];
    value->given = true;
    if (flag->kind == FLAG_SWITCH)
        return equals ? err_set(err, ERR_INVALID, "--%s takes no value", flag->name) : 0;
    if (!equals && *i + 1 >= argc)
        return err_set(err, ERR_INVALID, "--%s needs a value: --%s=%s", flag->name, flag->name, flag->value);
    value->text = equals ? equals + 1 : argv[++*i];
    if (flag->many && value->times == FLAG_TIMES)
        return err_set(err, ERR_INVALID, "--%s may be given at most %d times", flag->name, FLAG_TIMES);
    if (flag->many)
        value->texts[value->times++] = value->text;
    return takers[flag->kind](flag, value->text, value, err);
}

static int check_counts(const struct cli *cli, struct err *err)
{
    const struct verb *verb = cli->verb;
    for (size_t i = 0; verb->flags && verb->flags[i].name; i++)
        if (verb->flags[i].needed && !cli->value[i].given)
            return err_set(err, ERR_INVALID, "peygir %s needs --%s", verb->name, verb->flags[i].name);
    if (cli->operand_count < verb->least)
        return err_set(err, ERR_INVALID, "peygir %s needs %s", verb->name, verb->operands);
    if (verb->most >= 0 && cli->operand_count > verb->most)
        return err_set(err, ERR_INVALID, "\"%.60s\" is more than peygir %s takes", cli->operands[verb->most], verb->name);
    return 0;
}

int parse_arguments(struct cli *cli, int argc, char **argv, struct err *err)
{
    bool flags = true;
    cli->operands = argv;
    cli->operand_count = 0;
    for (size_t i = 0; cli->verb->flags && cli->verb->flags[i].name; i++)
        cli->value[i] = (struct flag_value){ .number = cli->verb->flags[i].fallback };
    for (int i = 0; i < argc; i++) {
        if (flags && strcmp(argv[i], "--") == 0)
            flags = false;
        else if (flags && strcmp(argv[i], "--help") == 0)
            return 1;
        else if (!flags || argv[i][0] != '-' || argv[i][1] == '\0')
            cli->operands[cli->operand_count++] = argv[i];
        else if (take_flag(cli, argc, argv, &i, err) < 0)
            return -1;
    }
    return check_counts(cli, err);
}
