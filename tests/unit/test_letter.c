/* test_letter.c: e-mail from templates and words, with the templates and catalogues that ship. */
#include "tests/unit/unit.h"

#include "core/locale.h"
#include "tests/unit/files.h"
#include "worker/letter.h"

static struct locales *locales;
static struct letters *letters;

static int load(void **state)
{
    struct err err = ERR_INIT;
    (void)state;
    if (locales_load(files_source("www/locales"), "fa", &locales, &err) == 0 &&
        letters_load(files_source("www/templates/mail"), locales, &letters, &err) == 0)
        return 0;
    print_error("%s\n", err.text);
    return -1;
}

static int unload(void **state)
{
    (void)state;
    letters_free(letters);
    locales_free(locales);
    return 0;
}

static struct letter letter(const char *template, const char *locale, const char *data)
{
    return (struct letter){ .from = "peygir@example.org", .to = "ali@example.org", .template = template, .locale = locale,
                            .data = span_of(data), .job_id = "job_1", .now_ms = 0 };
}

static char *write_it(struct letter l)
{
    struct str out = STR_INIT;
    struct err err = ERR_INIT;
    if (letters_write(letters, &l, &out, &err) < 0)
        fail_msg("%s", err.text);
    return str_take(&out, NULL);
}

static void assert_refused(struct letter l, const char *sentence)
{
    struct str out = STR_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(letters_write(letters, &l, &out, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.text, sentence));
    assert_int_equal(out.len, 0);
    str_free(&out);
}

static void assert_has(const char *mail, const char *what)
{
    if (!strstr(mail, what))
        fail_msg("\"%s\" is not in:\n%s", what, mail);
}

static void what_ships_is_there_in_every_language(void **state)
{
    static const char *const templates[] = { "result-ready", "code-needed", "reminder" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
        for (size_t k = 0; k < locales_count(locales); k++) {
            const struct locale *l = locales_at(locales, k);
            char *mail = write_it(letter(templates[i], locale_code(l), "{\"link\":\"https:\\/\\/x.example\\/\"}"));
            assert_has(mail, locale_is_rtl(l) ? "dir=3D\"rtl\"" : "dir=3D\"ltr\"");
            assert_has(mail, "Content-Type: text/plain; charset=utf-8\r\n");
            assert_has(mail, "Content-Type: text/html; charset=utf-8\r\n");
            assert_has(mail, "\r\n--=_peygir--\r\n");
            for (const char *at = mail, *end; (end = strstr(at, "\r\n")); at = end + 2)
                assert_true(end - at <= 76);
            free(mail);
        }
    }
}

static void the_headers_are_those_of_a_letter_from_a_machine(void **state)
{
    (void)state;
    char *mail = write_it(letter("reminder", "en", "{}"));
    assert_int_equal(strncmp(mail, "From: peygir@example.org\r\nTo: ali@example.org\r\nSubject: Something waits for your answer\r\n"
                                   "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <peygir.job_1@example.org>\r\n"
                                   "Auto-Submitted: auto-generated\r\nContent-Language: en\r\nMIME-Version: 1.0\r\n"
                                   "Content-Type: multipart/alternative; boundary=\"=_peygir\"\r\n\r\n--=_peygir\r\n", 220), 0);
    free(mail);
}

static void an_id_cannot_break_out_of_its_header(void **state)
{
    (void)state;
    struct letter l = letter("reminder", "en", NULL);
    l.job_id = "a>\r\nBcc: b@c";
    char *mail = write_it(l);
    assert_has(mail, "Message-ID: <peygir.a%3E%0D%0ABcc%3A%20b%40c@example.org>\r\n");
    free(mail);
}

static void missing_data_leave_gaps(void **state)
{
    static const char *const nothing[] = { NULL, "{}", "{\"about\":null}", "{\"about\":{\"a\":1}}", "{\"about\":true}" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
        char *mail = write_it(letter("reminder", "en", nothing[i]));
        assert_has(mail, "This still waits for your answer:=20\r\n");
        assert_null(strchr(mail, '{'));
        free(mail);
    }
}

static void numbers_have_the_digits_of_the_language(void **state)
{
    (void)state;
    char *mail = write_it(letter("reminder", "fa", "{\"about\": 12345}"));
    assert_has(mail, "=DB=B1=DB=B2=D9=AC=DB=B3=DB=B4=DB=B5"); /* 12,345 in Persian */
    free(mail);
}

static void values_are_escaped_in_html_alone(void **state)
{
    (void)state;
    char *mail = write_it(letter("reminder", "en", "{\"about\":\"<i>{about}</i>\"}"));
    assert_has(mail, "answer: <i>{about}</i>\r\n");
    assert_has(mail, "&lt;i&gt;{about}&lt;/i&gt;</p>");
    free(mail);
}

static void what_is_not_there_is_named(void **state)
{
    (void)state;
    assert_refused(letter("invoice", "en", "{}"), "There is no template \"invoice\"");
    assert_refused(letter("_head", "en", "{}"), "no name of one");
    assert_refused(letter("../form", "en", "{}"), "no name of one");
    assert_refused(letter("", "en", "{}"), "no name of one");
    assert_refused(letter("reminder", "de", "{}"), "There is no language \"de\"");
    assert_refused(letter("reminder", "../en", "{}"), "no name of a language");
    assert_refused(letter("reminder", "en", "[1]"), "must be a JSON object");
    assert_refused(letter("reminder", "en", "{\"n\":123456789012345678901234567890}"), "must be a JSON object");
}

static void a_template_that_is_wrong_stops_the_start(void **state)
{
    struct letters *l = NULL;
    struct err err = ERR_INIT;
    (void)state;
    files_put("bad.txt.mustache", "{{#a}}");
    assert_int_equal(letters_load(files_dir(), locales, &l, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "bad.txt.mustache"));
    files_put("bad.txt.mustache", "{{> nowhere}}");
    assert_int_equal(letters_load(files_dir(), locales, &l, &err), -1);
    assert_non_null(strstr(err.text, "nowhere"));
}

static void a_folder_that_is_absent_has_no_templates(void **state)
{
    struct letters *l = NULL;
    struct str out = STR_INIT;
    struct letter wanted = letter("reminder", "en", "{}");
    (void)state;
    assert_int_equal(letters_load("/nowhere/at/all", locales, &l, NULL), 0);
    assert_int_equal(letters_write(l, &wanted, &out, NULL), -1);
    letters_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ships_is_there_in_every_language),
        cmocka_unit_test(the_headers_are_those_of_a_letter_from_a_machine),
        cmocka_unit_test(an_id_cannot_break_out_of_its_header),
        cmocka_unit_test(missing_data_leave_gaps),
        cmocka_unit_test(numbers_have_the_digits_of_the_language),
        cmocka_unit_test(values_are_escaped_in_html_alone),
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test_setup_teardown(a_template_that_is_wrong_stops_the_start, files_setup, files_teardown),
        cmocka_unit_test(a_folder_that_is_absent_has_no_templates),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
