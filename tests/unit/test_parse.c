/* test_parse.c: verbs and their flags are read by the table, and wrong ones are told in a sentence. */
#include "tests/unit/unit.h"

#include "cli/help.h"
#include "cli/parse.h"
#include "tools/mkman.h"

enum { ARGS_MAX = 16 };

static struct cli cli;
static struct err err;
static char *arguments[ARGS_MAX];

/* The verb and its arguments, up to a NULL. */
static int parse(const char *first, ...)
{
    int argc = 0, words;
    va_list ap;
    va_start(ap, first);
    for (const char *arg = first; arg; arg = va_arg(ap, const char *))
        arguments[argc++] = (char *)arg;
    va_end(ap);
    cli = (struct cli){ .json = false };
    err = (struct err)ERR_INIT;
    cli.verb = parse_verb(argc, arguments, &words);
    assert_non_null(cli.verb);
    return parse_arguments(&cli, argc - words, arguments + words, &err);
}

static void a_verb_has_one_or_two_words(void **state)
{
    int words;
    char *one[] = { (char *)"health" }, *two[] = { (char *)"queue", (char *)"push", (char *)"x" }, *none[] = { (char *)"queue" };
    (void)state;
    assert_string_equal(parse_verb(1, one, &words)->name, "health");
    assert_int_equal(words, 1);
    assert_string_equal(parse_verb(3, two, &words)->name, "queue push");
    assert_int_equal(words, 2);
    assert_null(parse_verb(1, none, &words));
    assert_null(parse_verb(0, NULL, &words));
}

static void a_value_stands_behind_the_equals_sign_or_follows(void **state)
{
    (void)state;
    assert_int_equal(parse("queue", "push", "--queue=mail", "--priority", "7", "default", NULL), 0);
    assert_string_equal(cli_flag(&cli, "queue")->text, "mail");
    assert_int_equal(cli_flag(&cli, "priority")->number, 7);
    assert_true(cli_flag(&cli, "priority")->given);
    assert_false(cli_flag(&cli, "delay")->given);
    assert_int_equal(cli.operand_count, 1);
    assert_string_equal(cli.operands[0], "default");
}

static void a_value_may_begin_with_a_dash_or_hold_equals_signs(void **state)
{
    (void)state;
    assert_int_equal(parse("queue", "push", "x", "--payload", "-", "--unique", "a=b=c", NULL), 0);
    assert_string_equal(cli_flag(&cli, "payload")->text, "-");
    assert_string_equal(cli_flag(&cli, "unique")->text, "a=b=c");
    assert_int_equal(parse("queue", "pause", "--message=--not a flag", NULL), 0);
    assert_string_equal(cli_flag(&cli, "message")->text, "--not a flag");
}

static void a_number_that_is_not_given_has_its_fallback(void **state)
{
    (void)state;
    assert_int_equal(parse("request", "list", NULL), 0);
    assert_int_equal(cli_flag(&cli, "limit")->number, 50);
    assert_int_equal(parse("queue", "push", "x", NULL), 0);
    assert_int_equal(cli_flag(&cli, "priority")->number, -1);
}

static void behind_two_dashes_all_are_operands(void **state)
{
    (void)state;
    assert_int_equal(parse("failed", "forget", "--queue=q", "--", "--queue", "-x", NULL), 0);
    assert_int_equal(cli.operand_count, 2);
    assert_string_equal(cli.operands[0], "--queue");
    assert_string_equal(cli.operands[1], "-x");
}

static void a_rate_is_two_numbers(void **state)
{
    (void)state;
    assert_int_equal(parse("queue", "limit", "--per=10/60", NULL), 0);
    assert_int_equal(cli_flag(&cli, "per")->number, 10);
    assert_int_equal(cli_flag(&cli, "per")->per, 60);
    static const char *const wrong[] = { "--per=10", "--per=10/", "--per=/60", "--per=0/60", "--per=1/x", "--per=1/2/3", "--per=" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(parse("queue", "limit", wrong[i], NULL), -1);
        assert_non_null(strstr(err.text, "--per"));
    }
}

static void a_flag_may_come_many_times_where_its_row_says_so(void **state)
{
    (void)state;
    assert_int_equal(parse("cache", "set", "k", "--tag=a", "--tag", "b", "v", NULL), 0);
    assert_int_equal(cli_flag(&cli, "tag")->times, 2);
    assert_string_equal(cli_flag(&cli, "tag")->texts[0], "a");
    assert_string_equal(cli_flag(&cli, "tag")->texts[1], "b");
    assert_int_equal(parse("cache", "set", "k", NULL), 0);
    assert_int_equal(cli_flag(&cli, "tag")->times, 0);
    char *many[2 + FLAG_TIMES + 1] = { (char *)"k" };
    for (int i = 0; i <= FLAG_TIMES; i++)
        many[1 + i] = (char *)"--tag=x";
    assert_int_equal(parse_arguments(&cli, 1 + FLAG_TIMES, many, &err), 0);
    assert_int_equal(parse_arguments(&cli, 2 + FLAG_TIMES, many, &err), -1);
    assert_non_null(strstr(err.text, "--tag may be given at most 16 times"));
}

static void what_is_wrong_is_told_in_a_sentence_that_names_it(void **state)
{
    static const struct {
        const char *verb[2], *args[3], *said;
    } cases[] = {
        { { "request", "list" }, { "--nothing" }, "--nothing is not a flag of peygir request list" },
        { { "request", "list" }, { "-l" }, "-l is not a flag" },
        { { "request", "list" }, { "--limit" }, "--limit needs a value" },
        { { "request", "list" }, { "--limit=x" }, "--limit must be a whole number from 1 to 10000, not \"x\"" },
        { { "request", "list" }, { "--limit=0" }, "from 1 to 10000" },
        { { "request", "list" }, { "--limit= 5" }, "not \" 5\"" },
        { { "request", "list" }, { "--limit=99999999999999999999" }, "from 1 to 10000" },
        { { "queue", "clear" }, { "--dry-run=yes" }, "--dry-run takes no value" },
        { { "queue", "clear" }, { "a", "b" }, "\"b\" is more than peygir queue clear takes" },
        { { "queue", "push" }, { "x", "--priority=11" }, "from 0 to 10" },
        { { "queue", "push" }, { "x", "--queue=a:b" }, "the name of a queue" },
        { { "queue", "push" }, { NULL }, "peygir queue push needs TYPE" },
        { { "queue", "list" }, { "--state=wait" }, "one of: waiting delayed active failed; not \"wait\"" },
        { { "queue", "list" }, { "--state=" }, "one of:" },
        { { "token", "create" }, { "bot1" }, "needs --role" },
        { { "token", "create" }, { "bot1", "--role=admin" }, "bot api site" },
        { { "service", "close" }, { "x", "--message=" }, "--message must not be empty" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(parse(cases[i].verb[0], cases[i].verb[1], cases[i].args[0], cases[i].args[1], cases[i].args[2], NULL), -1);
        if (!strstr(err.text, cases[i].said))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].said);
    }
}

static void help_is_asked_for_by_any_verb(void **state)
{
    (void)state;
    assert_int_equal(parse("token", "create", "--help", NULL), 1);
    assert_int_equal(parse("failed", "forget", "--", "--help", NULL), 0);
}

static void each_row_of_the_table_holds_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < verb_count; i++) {
        size_t flags = 0;
        assert_true(i == 0 || strcmp(verbs[i - 1].name, verbs[i].name) < 0);
        assert_non_null(verbs[i].run);
        assert_true(verbs[i].help[strlen(verbs[i].help) - 1] == '.');
        assert_true((verbs[i].least > 0) == (*verbs[i].operands && verbs[i].operands[0] != '['));
        for (const struct flag *flag = verbs[i].flags; flag && flag->name; flag++, flags++) {
            assert_true((flag->kind == FLAG_SWITCH) == (flag->value == NULL));
            assert_true((flag->kind == FLAG_WORD) == (flag->words != NULL));
            assert_true(flag->kind != FLAG_NUMBER || flag->min < flag->max);
            assert_true(flag->help[strlen(flag->help) - 1] == '.');
        }
        assert_true(flags <= FLAGS_MAX);
    }
}

static void usage_names_every_flag_in_short_lines(void **state)
{
    char *text = NULL;
    size_t len = 0;
    (void)state;
    for (size_t i = 0; i < verb_count; i++) {
        FILE *out = open_memstream(&text, &len);
        help_usage(out, &verbs[i]);
        fclose(out);
        assert_non_null(strstr(text, verbs[i].name));
        for (const struct flag *flag = verbs[i].flags; flag && flag->name; flag++)
            assert_non_null(strstr(text, flag->name));
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 110);
        free(text);
    }
}

static void the_completion_knows_every_verb_and_flag(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    (void)state;
    mkman_completion(out);
    fclose(out);
    for (size_t i = 0; i < verb_count; i++) {
        char *row = xasprintf("['%s']='", verbs[i].name), *at = strstr(text, row);
        assert_non_null(at);
        for (const struct flag *flag = verbs[i].flags; flag && flag->name; flag++) {
            char *found = strstr(at, flag->name);
            assert_true(found && found < strchr(at, '\n'));
        }
        free(row);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verb_has_one_or_two_words),
        cmocka_unit_test(a_value_stands_behind_the_equals_sign_or_follows),
        cmocka_unit_test(a_value_may_begin_with_a_dash_or_hold_equals_signs),
        cmocka_unit_test(a_number_that_is_not_given_has_its_fallback),
        cmocka_unit_test(behind_two_dashes_all_are_operands),
        cmocka_unit_test(a_rate_is_two_numbers),
        cmocka_unit_test(a_flag_may_come_many_times_where_its_row_says_so),
        cmocka_unit_test(what_is_wrong_is_told_in_a_sentence_that_names_it),
        cmocka_unit_test(help_is_asked_for_by_any_verb),
        cmocka_unit_test(each_row_of_the_table_holds_together),
        cmocka_unit_test(usage_names_every_flag_in_short_lines),
        cmocka_unit_test(the_completion_knows_every_verb_and_flag),
    };
    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
