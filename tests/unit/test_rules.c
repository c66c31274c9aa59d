/* test_rules.c: the validation rules. */
#include "tests/unit/unit.h"

#include "core/rules.h"
#include "tests/unit/files.h"

static struct locales *all;
static const struct locale *en, *fa;

static int load_shipped(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    if (locales_load(files_source("www/locales"), "fa", &all, &err) < 0)
        return -1;
    en = locales_find(all, SPAN("en"));
    fa = locales_find(all, SPAN("fa"));
    return 0;
}

static int free_shipped(void **state)
{
    (void)state;
    locales_free(all);
    return 0;
}

/* `json`: the rules, as in a definition file. */
static int parse(const char *json, struct rules **out, struct err *err)
{
    struct json_object *root = json_tokener_parse(json);
    struct jread at = jread_root("x.json", root);
    int rc = rules_parse(&at, out, err);

    json_object_put(root);
    return rc;
}

static struct rules *rules_of(const char *json)
{
    struct err err = ERR_INIT;
    struct rules *r = NULL;

    if (parse(json, &r, &err) < 0)
        fail_msg("%s: %s", json, err.text);
    return r;
}

static struct span repetition(void *ctx, const char *field)
{
    return strcmp(field, "f_confirmation") == 0 ? span_of(ctx) : (struct span){ NULL, 0 };
}

/* The sentence about a value, "" when it is good; valid until the next call. `again`: of f_confirmation. */
static const char *verdict(const char *json, const char *value, const char *again, const struct locale *locale)
{
    static char sentence[512];
    struct str tidy = STR_INIT, message = STR_INIT;
    struct rules *r = rules_of(json);
    int good;

    rules_tidy(r, span_of(value), &tidy);
    good = rules_check(r, "f", "Label", (struct span){ tidy.s, tidy.len }, repetition, (void *)again, locale, &message);
    assert_int_equal(good, message.len == 0);
    snprintf(sentence, sizeof(sentence), "%s", message.s ? message.s : "");
    str_free(&tidy);
    str_free(&message);
    rules_free(r);
    return sentence;
}

struct row {
    const char *rules, *value;
    bool good;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((*verdict(rows[i].rules, rows[i].value, NULL, en) == '\0') != rows[i].good)
            fail_msg("%s should %stake \"%s\"", rows[i].rules, rows[i].good ? "" : "not ", rows[i].value);
}

/* Long, for it is the table of the rules. */
static void each_rule_takes_what_it_should(void **state)
{
    static const struct row rows[] = {
        { "[\"required\"]", "a", true },
        { "[\"required\"]", "", false },
        { "[\"required\"]", " \t\r\n", false },
        { "[\"string\"]", "سلام", true },
        { "[\"min:3\"]", "سلا", true },
        { "[\"min:3\"]", "سل", false },
        { "[\"max:3\"]", "سلا", true },
        { "[\"max:3\"]", "سلام", false },
        { "[\"between:2,3\"]", "a", false },
        { "[\"between:2,3\"]", "ab", true },
        { "[\"between:2,3\"]", "abcd", false },
        { "[\"numeric\",\"min:10\"]", "9", false },
        { "[\"numeric\",\"min:10\"]", "10", true },
        { "[\"max:10\",\"integer\"]", "11", false },
        { "[\"max:10\",\"integer\"]", "-5", true },
        { "[\"numeric\",\"between:0.5,1\"]", "0.75", true },
        { "[\"numeric\",\"between:0.5,1\"]", "0.25", false },
        { "[\"digits:4\"]", "0123", true },
        { "[\"digits:4\"]", "123", false },
        { "[\"digits:4\"]", "12345", false },
        { "[\"digits:4\"]", "12a4", false },
        { "[\"digits_between:2,3\"]", "12", true },
        { "[\"digits_between:2,3\"]", "1", false },
        { "[\"digits_between:2,3\"]", "1234", false },
        { "[\"numeric\"]", "-1.5", true },
        { "[\"numeric\"]", ".5", true },
        { "[\"numeric\"]", "1.", true },
        { "[\"numeric\"]", ".", false },
        { "[\"numeric\"]", "1e5", false },
        { "[\"numeric\"]", "1,5", false },
        { "[\"numeric\"]", "nan", false },
        { "[\"integer\"]", "0", true },
        { "[\"integer\"]", "-12", true },
        { "[\"integer\"]", "012", false },
        { "[\"integer\"]", "-0", false },
        { "[\"integer\"]", "1.0", false },
        { "[\"integer\"]", "9223372036854775807", true },
        { "[\"integer\"]", "9223372036854775808", false },
        { "[\"integer\"]", "99999999999999999999", false },
        { "[\"integer\"]", "-", false },
        { "[\"in:fa,en\"]", "en", true },
        { "[\"in:fa,en\"]", "e", false },
        { "[\"in:fa,en\"]", "fa,en", false },
        { "[\"regex:^[a-z]+$\"]", "abc", true },
        { "[\"regex:^[a-z]+$\"]", "abC", false },
        { "[\"regex:[a-z]\"]", "1a1", true },
        { "[\"email\"]", "a@b", true },
        { "[\"email\"]", "first.last+tag@sub.example.com", true },
        { "[\"email\"]", "@b", false },
        { "[\"email\"]", "a@", false },
        { "[\"email\"]", "a@b..c", false },
        { "[\"email\"]", "a@-b", false },
        { "[\"email\"]", "a@b-", false },
        { "[\"email\"]", "a b@c", false },
        { "[\"email\"]", "a@b@c", false },
        { "[\"email\"]", "آ@b.com", false },
        { "[\"accepted\"]", "on", true },
        { "[\"accepted\"]", "yes", true },
        { "[\"accepted\"]", "1", true },
        { "[\"accepted\"]", "true", true },
        { "[\"accepted\"]", "0", false },
        { "[\"accepted\"]", "", false },
        { "[\"date\"]", "2024-02-29", true },
        { "[\"date\"]", "2023-02-29", false },
        { "[\"date\"]", "1900-02-29", false },
        { "[\"date\"]", "2000-02-29", true },
        { "[\"date\"]", "2024-13-01", false },
        { "[\"date\"]", "2024-00-10", false },
        { "[\"date\"]", "2024-04-31", false },
        { "[\"date\"]", "2024-4-3", false },
        { "[\"date\"]", "0000-01-01", false },
        { "[\"date\"]", "2024/04/30", false },
        { "[\"iranian_mobile\"]", "09121234567", true },
        { "[\"iranian_mobile\"]", "9121234567", false },
        { "[\"iranian_mobile\"]", "0912123456", false },
        { "[\"iranian_mobile\"]", "02112345678", false },
        { "[\"iranian_mobile\"]", "091212345678", false },
        { "[\"iranian_national_code\"]", "0499370899", true },
        { "[\"iranian_national_code\"]", "0790419904", true },
        { "[\"iranian_national_code\"]", "0084575948", true },
        { "[\"iranian_national_code\"]", "0499370898", false },
        { "[\"iranian_national_code\"]", "1111111111", false },
        { "[\"iranian_national_code\"]", "499370899", false },
        { "[\"iranian_national_code\"]", "04993708990", false },
        { "[\"iranian_national_code\"]", "049937089a", false },
        { "[\"iranian_postal_code\"]", "1619735744", true },
        { "[\"iranian_postal_code\"]", "0619735744", false },
        { "[\"iranian_postal_code\"]", "1111111111", false },
        { "[\"iranian_postal_code\"]", "161973574", false },
        { "[\"iranian_iban\"]", "IR580540105180021273113007", true },
        { "[\"iranian_iban\"]", "IR580540105180021273113008", false },
        { "[\"iranian_iban\"]", "DE580540105180021273113007", false },
        { "[\"iranian_iban\"]", "580540105180021273113007", false },
        { "[\"iranian_iban\"]", "IR58054010518002127311300", false },
        { "[\"bank_card\"]", "6037701689095443", true },
        { "[\"bank_card\"]", "6037701689095444", false },
        { "[\"bank_card\"]", "0000000000000000", false },
        { "[\"bank_card\"]", "603770168909544", false },
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void an_empty_value_breaks_only_required_and_accepted(void **state)
{
    static const char *const params[] = { "", ":1", ":1,2" };
    char json[96];
    struct rules *r;
    struct err err = ERR_INIT;
    bool empty_is_bad;

    (void)state;
    for (size_t i = 0; rules_name(i); i++) {
        for (size_t j = 0; j < ARRAY_LEN(params); j++) {
            snprintf(json, sizeof(json), "\"%s%s\"", rules_name(i), params[j]);
            if (parse(json, &r, &err) < 0)
                continue;
            rules_free(r);
            empty_is_bad = strcmp(rules_name(i), "required") == 0 || strcmp(rules_name(i), "accepted") == 0;
            assert_int_equal(*verdict(json, "", NULL, en) != '\0', empty_is_bad);
        }
    }
}

static void confirmed_wants_the_same_value_again(void **state)
{
    (void)state;
    assert_string_equal(verdict("\"confirmed\"", "secret", "secret", en), "");
    assert_string_equal(verdict("\"confirmed\"", "12", " ۱۲ ", en), "");
    assert_string_equal(verdict("\"confirmed\"", "secret", "Secret", en), "Label and its repetition are not the same.");
    assert_string_not_equal(verdict("\"confirmed\"", "secret", NULL, en), "");
}

static void values_are_tidied_before_they_are_checked(void **state)
{
    static const struct {
        const char *rules, *value, *tidy;
    } rows[] = {
        { "\"string\"", "  سلام ۱۲ ٣\u200f\n", "سلام 12 3" },
        { "\"string\"", "\ufeff a-b c\u00a0", "a-b c" },
        { "\"string\"", "one\r\ntwo\rthree", "one\ntwo\rthree" },
        { "\"string\"", "\u200c\u200c", "" },
        { "\"digits:10\"", "۱۲۳-۴۵۶ ۷۸۹۰", "1234567890" },
        { "\"iranian_mobile\"", "+98 912 345 6789", "09123456789" },
        { "\"iranian_mobile\"", "0098-912-345-6789", "09123456789" },
        { "\"iranian_mobile\"", "+98 0912 345 6789", "09123456789" },
        { "\"iranian_mobile\"", "۰۹۱۲ ۳۴۵ ۶۷۸۹", "09123456789" },
        { "\"iranian_iban\"", "ir58 0540 1051 8002 1273 1130 07", "IR580540105180021273113007" },
        { "\"bank_card\"", "\u200e6037-7016-8909-5443", "6037701689095443" },
    };
    struct str out = STR_INIT;
    struct rules *r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        r = rules_of(rows[i].rules);
        str_reset(&out);
        str_adds(&out, "before ");
        rules_tidy(r, span_of(rows[i].value), &out);
        assert_memory_equal(out.s, "before ", 7);
        assert_string_equal(out.s + 7, rows[i].tidy);
        rules_free(r);
    }
    str_free(&out);
}

static void an_absent_value_is_empty(void **state)
{
    struct rules *r = rules_of("[\"required\"]");
    struct str out = STR_INIT, message = STR_INIT;

    (void)state;
    rules_tidy(r, (struct span){ NULL, 0 }, &out);
    assert_int_equal(out.len, 0);
    assert_int_equal(rules_check(r, "f", "Label", (struct span){ NULL, 0 }, NULL, NULL, en, &message), 0);
    assert_string_equal(message.s, "Label is required.");
    str_free(&out);
    str_free(&message);
    rules_free(r);
}

static void the_sentence_names_field_and_parameters(void **state)
{
    (void)state;
    assert_string_equal(verdict("\"min:1000\"", "a", NULL, en), "Label must have at least 1,000 characters.");
    assert_string_equal(verdict("\"numeric|between:1,2.5\"", "9", NULL, en), "Label must be a number from 1 to 2.5.");
    assert_string_equal(verdict("\"digits:10\"", "9", NULL, fa), "Label باید ۱۰ رقم باشد.");
    assert_string_equal(verdict("\"numeric|max:1.5\"", "9", NULL, fa), "Label باید ۱٫۵ یا کمتر باشد.");
}

static void the_first_broken_rule_is_told(void **state)
{
    (void)state;
    assert_string_equal(verdict("[\"required\",\"iranian_mobile\"]", "", NULL, en), "Label is required.");
    assert_string_equal(verdict("[\"max:2\",\"email\"]", "abc", NULL, en), "Label must have at most 2 characters.");
}

static void a_joined_text_is_the_same_as_a_list(void **state)
{
    struct rules *r = rules_of("\"required|digits:10\"");

    (void)state;
    assert_true(rules_required(r));
    rules_free(r);
    assert_string_equal(verdict("\"required|digits:10\"", "1", NULL, en), "Label must have 10 digits.");
}

static void forms_learn_what_they_need(void **state)
{
    static const struct {
        const char *rules;
        bool required, numeric, confirmed;
        int64_t max;
    } rows[] = {
        { "[]", false, false, false, 0 },
        { "[\"required\",\"iranian_mobile\"]", true, true, false, 0 },
        { "[\"accepted\"]", true, false, false, 0 },
        { "[\"max:64\",\"between:1,20\"]", false, false, false, 20 },
        { "[\"integer\",\"max:64\"]", false, true, false, 0 },
        { "[\"confirmed\"]", false, false, true, 0 },
        { "[\"iranian_iban\"]", false, false, false, 0 },
    };
    struct rules *r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        r = rules_of(rows[i].rules);
        assert_int_equal(rules_required(r), rows[i].required);
        assert_int_equal(rules_numeric(r), rows[i].numeric);
        assert_int_equal(rules_confirmed(r), rows[i].confirmed);
        assert_int_equal(rules_max_length(r), rows[i].max);
        rules_free(r);
    }
}

static void wrong_rules_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *json, *part;
    } rows[] = {
        { "[\"digit\"]", "x.json: [0]: unknown rule \"digit\"; known are: required, string, min," },
        { "[\"required\",null]", "x.json: [1]: must be a rule" },
        { "[\"required\",5]", "x.json: [1]: must be a text" },
        { "{}", "must be a list of rules" },
        { "5", "must be a list of rules" },
        { "\"\"", "unknown rule \"\"" },
        { "[\"required:1\"]", "takes no parameter" },
        { "[\"required\",\"required\"]", "stands here twice" },
        { "[\"min\"]", "takes a number" },
        { "[\"min:x\"]", "takes a number" },
        { "[\"min:0x10\"]", "takes a number" },
        { "[\"between:1\"]", "takes two numbers" },
        { "[\"between:1,2,3\"]", "takes two numbers" },
        { "[\"between:5,2\"]", "the smaller number first" },
        { "[\"digits:0\"]", "whole numbers from 1" },
        { "[\"digits:1.5\"]", "whole numbers from 1" },
        { "[\"digits_between:1\"]", "takes two numbers" },
        { "[\"in:\"]", "takes words" },
        { "[\"in:a,,b\"]", "takes words" },
        { "[\"in:a,\"]", "takes words" },
        { "[\"regex\"]", "takes a pattern" },
        { "[\"regex:^[a-z$\"]", "cannot be used" },
        { "[\"regex:/^a$/\"]", "without slashes" },
        { "[\"regex:^\\\\d+$\"]", "knows no \\d" },
        { "[\"regex:^(?:a)$\"]", "knows no (?" },
        { "[\"min:5\",\"max:3\"]", "min is greater than max" },
        { "[\"required\",\"string\",\"min:1\",\"max:2\",\"between:1,2\",\"digits:1\",\"digits_between:1,2\","
          "\"numeric\",\"integer\",\"in:a\",\"regex:a\",\"email\",\"confirmed\","
          "\"accepted\",\"date\",\"iranian_mobile\",\"bank_card\"]",
          "at most 16 rules" },
    };
    struct rules *r = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(parse(rows[i].json, &r, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, rows[i].part))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].json, err.text, rows[i].part);
    }
}

static void absent_rules_let_everything_pass(void **state)
{
    struct jread at = jread_root("x.json", NULL);
    struct err err = ERR_INIT;
    struct rules *r = NULL;
    struct str message = STR_INIT;

    (void)state;
    assert_int_equal(rules_parse(&at, &r, &err), 0);
    assert_int_equal(rules_check(r, "f", "Label", SPAN("anything"), NULL, NULL, en, &message), 1);
    rules_free(r);
    rules_free(NULL);
}

static void the_codes_checks_stand_by_themselves(void **state)
{
    (void)state;
    assert_true(rules_is_national_code(SPAN("0499370899")));
    assert_false(rules_is_national_code(SPAN("")));
    assert_true(rules_is_mobile(SPAN("09121234567")));
    assert_false(rules_is_mobile(SPAN("+989121234567")));
    assert_true(rules_is_iban(SPAN("IR580540105180021273113007")));
    assert_false(rules_is_iban(SPAN("ir580540105180021273113007")));
    assert_true(rules_is_bank_card(SPAN("6037701689095443")));
    assert_false(rules_is_bank_card(SPAN("6037 7016 8909 5443")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_takes_what_it_should),
        cmocka_unit_test(an_empty_value_breaks_only_required_and_accepted),
        cmocka_unit_test(confirmed_wants_the_same_value_again),
        cmocka_unit_test(values_are_tidied_before_they_are_checked),
        cmocka_unit_test(an_absent_value_is_empty),
        cmocka_unit_test(the_sentence_names_field_and_parameters),
        cmocka_unit_test(the_first_broken_rule_is_told),
        cmocka_unit_test(a_joined_text_is_the_same_as_a_list),
        cmocka_unit_test(forms_learn_what_they_need),
        cmocka_unit_test(wrong_rules_are_refused_with_the_reason),
        cmocka_unit_test(absent_rules_let_everything_pass),
        cmocka_unit_test(the_codes_checks_stand_by_themselves),
    };

    return cmocka_run_group_tests_name("rules", tests, load_shipped, free_shipped);
}
