/* test_settings.c: the settings engine on a table of its own. */
#include "tests/unit/unit.h"

#include "base/settings.h"

#include <unistd.h>

enum { PORT, RATE, LEVEL, DIR, ADDRESS, PASSWORD, TITLE, EVEN, ROWS };

static int check_even(const char *value, struct err *err)
{
    return (value[strlen(value) - 1] - '0') % 2 == 0 ? 0 : err_set(err, ERR_CONFIG, "%s is odd", value);
}

static const struct setting table[ROWS] = {
    [PORT] = { .name = "PEYGIR_PORT", .type = SETTING_INT, .fallback = "80", .min = 1, .max = 100, .unit = "things",
               .help = "A port.", .flag = "port", .programs = 1 },
    [RATE] = { .name = "RATE", .type = SETTING_NUMBER, .fallback = "0.10", .min = 0, .max = 2, .help = "A rate." },
    [LEVEL] = { .name = "PEYGIR_LEVEL", .type = SETTING_WORD, .fallback = "low", .choices = "low mid high",
                .help = "A level." },
    [DIR] = { .name = "PEYGIR_DIR", .type = SETTING_PATH, .help = "A directory." },
    [ADDRESS] = { .name = "ADDRESS_URL", .type = SETTING_URL, .secret = true, .help = ".An address with a \\." },
    [PASSWORD] = { .name = "PASSWORD", .type = SETTING_INT, .min = 1, .max = 9, .secret = true, .help = "A secret.",
                   .programs = 2 },
    [TITLE] = { .name = "TITLE", .type = SETTING_TEXT, .help = "Text." },
    [EVEN] = { .name = "EVEN", .type = SETTING_INT, .min = 0, .max = 99, .check = check_even,
               .accepts = "an even number",
               .help = "Even." },
};

static struct settings fresh(void)
{
    struct settings s;
    settings_init(&s, table, ROWS);
    return s;
}

static void write_file(char path[], const char *text, size_t len)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
}

static int load_text(struct settings *s, const char *text, struct err *err)
{
    char path[] = "/tmp/test_settings.XXXXXX";
    write_file(path, text, strlen(text));
    int rc = settings_load_file(s, path, err);
    unlink(path);
    return rc;
}

static int load_environment(struct settings *s, const char *const envp[], struct err *err)
{
    return settings_load_environment(s, (char *const *)envp, err);
}

static void accepted(size_t id, const char *value)
{
    struct err err = ERR_INIT;
    if (settings_check(&table[id], value, &err) != 0)
        fail_msg("%s=%s: %s", table[id].name, value, err.text);
}

static void refused(size_t id, const char *value, const char *sentence)
{
    struct err err = ERR_INIT;
    assert_int_equal(settings_check(&table[id], value, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_string_equal(err.text, sentence);
}

static void defaults_hold_until_something_is_said(void **state)
{
    (void)state;
    struct settings s = fresh();
    assert_int_equal(settings_int(&s, PORT), 80);
    assert_true(settings_number(&s, RATE) == 0.1);
    assert_int_equal(settings_word(&s, LEVEL), 0);
    assert_null(settings_text(&s, DIR));
    assert_int_equal(settings_int(&s, PASSWORD), 0);
    assert_int_equal(s.source[PORT], FROM_DEFAULT);
    settings_free(&s);
}

static void whole_numbers_are_digits_within_the_range(void **state)
{
    (void)state;
    static const char sentence[] = "it must be a whole number of things from 1 to 100.";
    accepted(PORT, "1");
    accepted(PORT, "100");
    static const char *const wrong[] = { "0",  "101", "-1", "+1", "1.0", "1e1", " 1", "1 ", "0x1", "one",
                                         "99999999999999999999999", "-" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        refused(PORT, wrong[i], sentence);
}

static void numbers_have_digits_on_both_sides_of_the_point(void **state)
{
    (void)state;
    static const char *const right[] = { "0", "2", "1.5", "0.001", "2.0" };
    static const char *const wrong[] = { "", "2.1", "-1", ".5", "5.", "1e0", "nan", "inf", "1,5", "1.2.3", "." };
    for (size_t i = 0; i < ARRAY_LEN(right); i++)
        accepted(RATE, right[i]);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        refused(RATE, wrong[i], "it must be a number from 0 to 2.");
    struct settings s = fresh();
    settings_assign(&s, "RATE", "1.25", FROM_ARGUMENT, NULL);
    assert_true(settings_number(&s, RATE) == 1.25);
    settings_free(&s);
}

static void words_are_those_of_the_row(void **state)
{
    (void)state;
    accepted(LEVEL, "mid");
    refused(LEVEL, "lo", "it must be low, mid or high.");
    refused(LEVEL, "low mid", "it must be low, mid or high.");
    refused(LEVEL, "HIGH", "it must be low, mid or high.");
    struct settings s = fresh();
    settings_assign(&s, "PEYGIR_LEVEL", "high", FROM_FILE, NULL);
    assert_int_equal(settings_word(&s, LEVEL), 2);
    settings_free(&s);
}

static void urls_have_a_scheme_and_more(void **state)
{
    (void)state;
    accepted(ADDRESS, "redis+x://h");
    refused(ADDRESS, "host:80", "it must be a URL.");
    refused(ADDRESS, "http://", "it must be a URL.");
    refused(ADDRESS, "http://a b", "it must be a URL.");
}

static void control_characters_are_refused_everywhere(void **state)
{
    (void)state;
    accepted(TITLE, "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85 #x");
    refused(TITLE, "a\nb", "it must be text without control characters.");
    refused(DIR, "/a\x7f", "it must be a path.");
}

static void a_rows_own_check_adds_its_detail(void **state)
{
    (void)state;
    accepted(EVEN, "4");
    refused(EVEN, "5", "it must be an even number; 5 is odd.");
}

static void a_bad_value_is_told_with_name_value_and_what_is_accepted(void **state)
{
    (void)state;
    struct settings s = fresh();
    struct err err = ERR_INIT;
    assert_int_equal(settings_assign(&s, "PEYGIR_PORT", "x\"y", FROM_ARGUMENT, &err), -1);
    assert_string_equal(err.text, "PEYGIR_PORT=\"x\\x22y\" on the command line is not accepted: "
                                  "it must be a whole number of things from 1 to 100.");
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(settings_int(&s, PORT), 80);
    settings_free(&s);
}

static void a_secret_is_never_repeated(void **state)
{
    (void)state;
    struct settings s = fresh();
    struct err err = ERR_INIT;
    assert_int_equal(settings_assign(&s, "PASSWORD", "hunter2", FROM_ENVIRONMENT, &err), -1);
    assert_string_equal(err.text,
                        "PASSWORD in the environment is not accepted: it must be a whole number from 1 to 9.");
    const char *const envp[] = { "PEYGIR_SECRET=hunter2", NULL };
    assert_int_equal(load_environment(&s, envp, &err), -1);
    assert_null(strstr(err.text, "hunter2"));
    assert_non_null(strstr(err.text, "PEYGIR_SECRET"));
    settings_free(&s);
}

static void a_long_value_is_cut_in_the_message(void **state)
{
    (void)state;
    struct settings s = fresh();
    struct err err = ERR_INIT;
    char value[5000];
    memset(value, '1', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    assert_int_equal(settings_assign(&s, "PEYGIR_PORT", value, FROM_ARGUMENT, &err), -1);
    assert_non_null(strstr(err.text, "111...\" on the command line is not accepted: it must be a whole number"));
    settings_free(&s);
}

static void names_of_others_in_the_environment_are_ignored(void **state)
{
    (void)state;
    struct settings s = fresh();
    const char *const envp[] = { "HOME=/root", "peygir_port=9", "PEYGIR_PORT=90", "TITLE=a=b", "PEYGIR_DIR=", "BROKEN",
                                 NULL };
    assert_int_equal(load_environment(&s, envp, NULL), 0);
    assert_int_equal(settings_int(&s, PORT), 90);
    assert_int_equal(s.source[PORT], FROM_ENVIRONMENT);
    assert_string_equal(settings_text(&s, TITLE), "a=b");
    assert_null(settings_text(&s, DIR));
    settings_free(&s);
}

static void an_unknown_name_of_ours_is_an_error(void **state)
{
    (void)state;
    struct settings s = fresh();
    struct err err = ERR_INIT;
    const char *const envp[] = { "PEYGIR_PROT=90", NULL };
    assert_int_equal(load_environment(&s, envp, &err), -1);
    assert_string_equal(err.text, "PEYGIR_PROT=\"90\" in the environment is not an option of Peygir; "
                                  "the nearest name it accepts is PEYGIR_PORT.");
    const char *const far[] = { "PEYGIR_SOMETHING_ELSE=", NULL };
    assert_int_equal(load_environment(&s, far, &err), -1);
    assert_string_equal(err.text, "PEYGIR_SOMETHING_ELSE=\"\" in the environment is not an option of Peygir; "
                                  "--help lists the names it accepts.");
    assert_int_equal(settings_assign(&s, "UNHEARD_OF_ANYWHERE", "1", FROM_ARGUMENT, &err), -1);
    settings_free(&s);
}

static void what_is_loaded_later_wins(void **state)
{
    (void)state;
    struct settings s = fresh();
    const char *const envp[] = { "PEYGIR_PORT=3", "TITLE=env", "RATE=", NULL };
    assert_int_equal(load_text(&s, "PEYGIR_PORT=2\nTITLE=file\nRATE=2\nPEYGIR_LEVEL=mid\n", NULL), 0);
    assert_int_equal(load_environment(&s, envp, NULL), 0);
    assert_int_equal(settings_assign(&s, "PEYGIR_PORT", "4", FROM_ARGUMENT, NULL), 0);
    assert_int_equal(settings_int(&s, PORT), 4);
    assert_int_equal(s.source[PORT], FROM_ARGUMENT);
    assert_string_equal(settings_text(&s, TITLE), "env");
    assert_true(settings_number(&s, RATE) == 2);
    assert_string_equal(settings_text(&s, LEVEL), "mid");
    assert_int_equal(s.source[LEVEL], FROM_FILE);
    assert_int_equal(settings_assign(&s, "PEYGIR_PORT", "", FROM_ARGUMENT, NULL), 0);
    assert_int_equal(settings_int(&s, PORT), 80);
    assert_int_equal(s.source[PORT], FROM_DEFAULT);
    settings_free(&s);
}

static void a_file_has_comments_quotes_and_export(void **state)
{
    (void)state;
    struct settings s = fresh();
    struct err err = ERR_INIT;
    if (load_text(&s, "# comment\n\n  export PEYGIR_PORT = 7\n", &err) == 0)
        fail_msg("blanks before = are not NAME=value");
    assert_int_equal(load_text(&s,
                               "# comment\n\n  export PEYGIR_PORT=7 \r\nTITLE=\" a # b \"\nPEYGIR_DIR= '/x\"y'\t\n"
                               "LANG=C\nPEYGIR_LEVEL=low\nPEYGIR_LEVEL=high",
                               &err),
                     0);
    assert_int_equal(settings_int(&s, PORT), 7);
    assert_string_equal(settings_text(&s, TITLE), " a # b ");
    assert_string_equal(settings_text(&s, DIR), "/x\"y");
    assert_string_equal(settings_text(&s, LEVEL), "high");
    assert_non_null(strstr(s.file, "test_settings"));
    settings_free(&s);
}

static void a_mistake_in_a_file_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "TITLE=x\nnonsense secret\n", ":2: the line is not of the form NAME=value." },
        { "=x\n", ":1: the line is not" },
        { "\n\nTITLE=\"x\n", ":3: a value begins with a double quote" },
        { "TITLE='\n", ":1: a value begins with a single quote" },
        { "PEYGIR_PORT=0\n", ":1: PEYGIR_PORT=\"0\" is not accepted: it must be a whole number" },
        { "PEYGIR_POTR=1\n",
          ":1: PEYGIR_POTR=\"1\" is not an option of Peygir; the nearest name it accepts is PEYGIR_PORT" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings s = fresh();
        struct err err = ERR_INIT;
        assert_int_equal(load_text(&s, cases[i].text, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, cases[i].part) || strstr(err.text, "secret"))
            fail_msg("unexpected: %s", err.text);
        settings_free(&s);
    }
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct settings s = fresh();
    struct err err = ERR_INIT;
    assert_int_equal(settings_load_file(&s, "/nowhere/x.env", &err), -1);
    assert_string_equal(err.text, "/nowhere/x.env cannot be read: No such file or directory.");
    assert_int_equal(settings_load_file(&s, "/", &err), -1);
    assert_non_null(strstr(err.text, "/ cannot be read"));
    char path[] = "/tmp/test_settings.XXXXXX";
    write_file(path, "TITLE=a\0b\n", 10);
    assert_int_equal(settings_load_file(&s, path, &err), -1);
    assert_non_null(strstr(err.text, "NUL"));
    unlink(path);
    assert_null(s.file);
    settings_free(&s);
}

static void shown(size_t id, const char *value, const char *expected)
{
    char *text = settings_masked(&table[id], value);
    assert_string_equal(text, expected);
    free(text);
}

static void secrets_are_shown_as_stars(void **state)
{
    (void)state;
    shown(TITLE, "a", "a");
    shown(PASSWORD, "5", "***");
    shown(ADDRESS, "redis://h:1/2", "redis://h:1/2");
    shown(ADDRESS, "redis://u:p@ss@h:1/2", "redis://***@h:1/2");
    shown(ADDRESS, "unix:///s?db=3", "unix:///s?db=3");
    shown(ADDRESS, "unix:///s?db=3&password=x", "***");
    shown(ADDRESS, "unix:///s?password=x", "***");
}

static char *printed(void (*print)(const struct settings *, unsigned, bool, FILE *), unsigned programs, bool with_flag)
{
    struct settings s = fresh();
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    print(&s, programs, with_flag, out);
    fclose(out);
    settings_free(&s);
    return text;
}

static void help_shows_the_rows_of_the_program(void **state)
{
    (void)state;
    char *flags = printed(settings_print_help, 1, true);
    assert_string_equal(flags, "  --port=THINGS, PEYGIR_PORT=THINGS\n"
                               "        A port. Accepted: a whole number of things from 1 to 100. Default: 80.\n");
    char *others = printed(settings_print_help, 1, false);
    assert_non_null(strstr(others,
                           "  PEYGIR_LEVEL=low|mid|high\n"
                           "        A level. Accepted: low, mid or high. Default: low.\n"));
    assert_null(strstr(others, "PEYGIR_PORT"));
    assert_null(strstr(others, "PASSWORD"));
    char *two = printed(settings_print_help, 2, false);
    assert_non_null(strstr(two, "PASSWORD=N\n"));
    free(flags);
    free(others);
    free(two);
}

static void roff_takes_no_text_for_a_request(void **state)
{
    (void)state;
    char *flags = printed(settings_print_roff, 1, true);
    assert_string_equal(flags, ".TP\n\\fB\\-\\-port\\fR=\\fITHINGS\\fR, \\fBPEYGIR_PORT\\fR=\\fITHINGS\\fR\n"
                               "A port. Accepted: a whole number of things from 1 to 100. Default: 80.\n");
    char *others = printed(settings_print_roff, 1, false);
    assert_non_null(strstr(others, "\n\\&.An address with a \\(rs. Accepted: a URL.\n"));
    free(flags);
    free(others);
}

static void sources_have_names(void **state)
{
    (void)state;
    assert_string_equal(settings_source_name(FROM_DEFAULT), "default");
    assert_string_equal(settings_source_name(FROM_ARGUMENT), "command line");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_until_something_is_said),
        cmocka_unit_test(whole_numbers_are_digits_within_the_range),
        cmocka_unit_test(numbers_have_digits_on_both_sides_of_the_point),
        cmocka_unit_test(words_are_those_of_the_row),
        cmocka_unit_test(urls_have_a_scheme_and_more),
        cmocka_unit_test(control_characters_are_refused_everywhere),
        cmocka_unit_test(a_rows_own_check_adds_its_detail),
        cmocka_unit_test(a_bad_value_is_told_with_name_value_and_what_is_accepted),
        cmocka_unit_test(a_secret_is_never_repeated),
        cmocka_unit_test(a_long_value_is_cut_in_the_message),
        cmocka_unit_test(names_of_others_in_the_environment_are_ignored),
        cmocka_unit_test(an_unknown_name_of_ours_is_an_error),
        cmocka_unit_test(what_is_loaded_later_wins),
        cmocka_unit_test(a_file_has_comments_quotes_and_export),
        cmocka_unit_test(a_mistake_in_a_file_is_told_with_its_line),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(secrets_are_shown_as_stars),
        cmocka_unit_test(help_shows_the_rows_of_the_program),
        cmocka_unit_test(roff_takes_no_text_for_a_request),
        cmocka_unit_test(sources_have_names),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
