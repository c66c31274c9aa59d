/* test_notice.c: what users are told: the files, and their words with what is told filled in. */
#include "tests/unit/unit.h"

#include "base/json.h"
#include "core/notice.h"
#include "tests/unit/files.h"

static struct locales *locales;

static int set_up(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    return locales_load(files_source("www/locales"), "fa", &locales, &err);
}

static int tear_down(void **state)
{
    (void)state;
    locales_free(locales);
    return 0;
}

static struct notices *open_with(const char *text)
{
    struct err err = ERR_INIT;

    files_put("x.json", text);
    struct notices *all = notices_open(files_dir(), &err);
    if (!all)
        fail_msg("%s", err.text);
    return all;
}

/* The text of x.json, in `language`, with `data`. */
static const char *words_of(struct notices *all, const char *language, const char *data, size_t max)
{
    static struct str out;
    struct json_object *json;
    const struct notice *n = notices_find(all, SPAN("x"));

    assert_int_equal(json_parse(data, strlen(data), &json, NULL), 0);
    str_reset(&out);
    str_addc(&out, '>'); /* what stands before it stays */
    notice_add_words(&out, n->text, locales_find(locales, span_of(language)), json, max);
    json_object_put(json);
    assert_int_equal(strlen(out.s), out.len);
    return out.s + 1;
}

/* "{a}" and so on, in one language. */
static const char *filled(const char *text, const char *language, const char *data)
{
    static char copy[256];
    char *file = xasprintf("{\"title\":\"t\",\"text\":\"%s\"}", text);
    struct notices *all = open_with(file);

    snprintf(copy, sizeof copy, "%s", words_of(all, language, data, NOTICE_TEXT_MAX));
    notices_free(all);
    free(file);
    return copy;
}

static void the_smallest_file_is_for_a_user_without_mail(void **state)
{
    struct notices *all = open_with("{\"title\":\"t\",\"text\":\"x\"}");
    const struct notice *n = notices_find(all, SPAN("x"));

    (void)state;
    assert_string_equal(n->event, "x");
    assert_string_equal(n->to, "user_id");
    assert_null(n->mail);
    assert_int_equal(notices_count(all), 1);
    assert_ptr_equal(notices_at(all, 0), n);
    assert_null(notices_find(all, SPAN("y")));
    assert_null(notices_find(NULL, SPAN("x")));
    notices_free(all);
}

static void the_shipped_files_are_good_and_have_both_languages(void **state)
{
    struct err err = ERR_INIT;
    struct notices *all = notices_open(files_source("etc/notifications"), &err);

    (void)state;
    assert_non_null(all);
    assert_string_equal(notices_find(all, SPAN("vendor_cart_add"))->to, "vendor_id");
    assert_string_equal(notices_find(all, SPAN("vendor_wishlist_add"))->to, "vendor_id");
    assert_string_equal(notices_find(all, SPAN("response_reminder"))->mail, "reminder");
    assert_string_equal(notices_find(all, SPAN("alternative_vendor_recommendation"))->to, "client_id");
    for (size_t i = 0; i < notices_count(all); i++) {
        const struct notice *n = notices_at(all, i);
        bool same = strcmp(text_in(n->text, locales_find(locales, SPAN("fa"))), text_in(n->text, locales_find(locales, SPAN("en")))) == 0;
        assert_int_equal(same, strcmp(n->event, "message") == 0);
    }
    notices_free(all);
}

static void a_wrong_file_is_refused_with_file_place_and_reason(void **state)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        { "{", "x.json" },
        { "[]", "x.json: must be an object" },
        { "{\"text\":\"x\"}", "x.json: title: is missing" },
        { "{\"title\":\"t\"}", "x.json: text: is missing" },
        { "{\"title\":7,\"text\":\"x\"}", "x.json: title: must be a text" },
        { "{\"title\":\"t\",\"text\":{}}", "x.json: text: must have a text" },
        { "{\"title\":\"t\",\"text\":\"x\",\"to\":\"admin\"}", "x.json: to: unknown value \"admin\"; known are: user_id, vendor_id, client_id." },
        { "{\"title\":\"t\",\"text\":\"x\",\"mail\":\"../x\"}", "x.json: mail: must be the name of a mail's template" },
        { "{\"title\":\"t\",\"text\":\"x\",\"colour\":1}", "x.json: colour: is not known here" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        files_put("x.json", rows[i].text);
        assert_null(notices_open(files_dir(), &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, rows[i].reason))
            fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].reason);
    }
    struct err err = ERR_INIT;
    files_put("x.json", "{\"title\":\"t\",\"text\":\"x\"}");
    files_put("A b.json", "{\"title\":\"t\",\"text\":\"x\"}");
    assert_null(notices_open(files_dir(), &err));
    assert_non_null(strstr(err.text, "the file's name is the event's"));
    assert_null(notices_open("/nowhere", &err));
    assert_non_null(strstr(err.text, "/nowhere cannot be read"));
}

static void names_in_braces_are_filled_in(void **state)
{
    (void)state;
    assert_string_equal(filled("{a} and {b_2}{a}", "en", "{\"a\":\"x\",\"b_2\":\"y\"}"), "x and yx");
    assert_string_equal(filled("{a}", "en", "{\"a\":\"<b>\\\"&\"}"), "<b>\"&");
    assert_string_equal(filled("{a}", "en", "{\"a\":\"{a}\"}"), "{a}");
}

static void what_is_missing_or_is_no_value_leaves_a_gap(void **state)
{
    (void)state;
    assert_string_equal(filled("[{a}{b}{c}{d}{e}]", "en", "{\"a\":null,\"b\":true,\"c\":{\"x\":1},\"d\":[]}"), "[]");
    assert_string_equal(filled("[{a}]", "en", "{\"a\":[null,{},\"x\"]}"), "[, , x]");
}

static void of_two_words_one_stands_where_the_number_is_one(void **state)
{
    (void)state;
    assert_string_equal(filled("{n} {n|hour|hours}.", "en", "{\"n\":1}"), "1 hour.");
    assert_string_equal(filled("{n|hour|hours}", "en", "{\"n\":\"1\"}"), "hour");
    assert_string_equal(filled("{n|hour|hours}{m|a|b}{l||s}", "en", "{\"n\":0,\"m\":11,\"l\":[1]}"), "hoursbs");
    assert_string_equal(filled("{n|hour|hours}", "en", "{}"), "hours");
    assert_string_equal(filled("{n|a} {n|a|b|c} {|a|b} {n|a|b {n|a{n}|b}", "en", "{\"n\":1}"), "{n|a} {n|a|b|c} {|a|b} {n|a|b {n|a1|b}");
    assert_string_equal(filled("{n|", "en", "{\"n\":1}"), "{n|");
}

static void other_braces_are_text(void **state)
{
    (void)state;
    assert_string_equal(filled("{", "en", "{}"), "{");
    assert_string_equal(filled("{} {A} {a b} {a", "en", "{\"a\":\"x\"}"), "{} {A} {a b} {a");
    assert_string_equal(filled("{{a}}", "en", "{\"a\":\"x\"}"), "{x}");
}

static void numbers_and_lists_are_written_as_the_language_writes_them(void **state)
{
    static const char data[] = "{\"n\":1234567,\"d\":-0.50,\"big\":18446744073709551615,\"l\":[\"x\",2]}";

    (void)state;
    assert_string_equal(filled("{n} {d} {l}", "en", data), "1,234,567 -0.50 x, 2");
    assert_string_equal(filled("{n} {l}", "fa", data), "۱٬۲۳۴٬۵۶۷ x، ۲");
    assert_string_equal(filled("{big}", "en", data), "18,446,744,073,709,551,615");
}

static void control_characters_become_blanks(void **state)
{
    (void)state;
    assert_string_equal(filled("{a}", "en", "{\"a\":\"x\\r\\n\\u0001y\\u007f\"}"), "x   y ");
}

static void long_words_are_cut_between_characters(void **state)
{
    struct notices *all = open_with("{\"title\":\"t\",\"text\":\"{a}\"}");

    (void)state;
    assert_string_equal(words_of(all, "en", "{\"a\":\"ééé\"}", 5), "éé");
    assert_string_equal(words_of(all, "en", "{\"a\":\"ééé\"}", 6), "ééé");
    notices_free(all);
}

static void a_link_leads_to_a_path_or_to_an_address_of_the_web(void **state)
{
    static const char *const places[] = { "/", "/requests?a=b#c", "https://site.example/x", "http://site.example" };
    static const char *const none[] = { "", "requests", "//evil.example", "/\\evil.example", "/\t/evil.example", "https://a\nb", "/a b", "javascript:alert(1)", "HTTPS" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        assert_true(notice_is_place(places[i]));
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_false(notice_is_place(none[i]));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, files_setup, files_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_smallest_file_is_for_a_user_without_mail),
        TEST(the_shipped_files_are_good_and_have_both_languages),
        TEST(a_wrong_file_is_refused_with_file_place_and_reason),
        TEST(names_in_braces_are_filled_in),
        TEST(what_is_missing_or_is_no_value_leaves_a_gap),
        TEST(of_two_words_one_stands_where_the_number_is_one),
        TEST(other_braces_are_text),
        TEST(numbers_and_lists_are_written_as_the_language_writes_them),
        TEST(control_characters_become_blanks),
        TEST(long_words_are_cut_between_characters),
        TEST(a_link_leads_to_a_path_or_to_an_address_of_the_web),
    };
    return cmocka_run_group_tests_name("notice", tests, set_up, tear_down);
}
