/* test_service.c: service files: what is read, what is refused and with which words, and validation. */
#include "tests/unit/unit.h"

#include "core/service.h"
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

/* A good service with one part more. */
#define SERVICE(slug, fields, more) \
    "{\"slug\":\"" slug "\",\"title\":\"T\",\"estimated_duration\":5,\"fields\":" fields more "}"

static struct service *load(const char *text)
{
    struct err err = ERR_INIT;
    struct service *s = NULL;

    if (service_load(files_put("x.json", text), &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static void the_smallest_service_has_defaults(void **state)
{
    struct service *s = load(SERVICE("x", "[]", ""));

    (void)state;
    assert_string_equal(s->slug, "x");
    assert_string_equal(text_in(s->title, en), "T");
    assert_string_equal(text_in(s->summary, en), "");
    assert_string_equal(s->handler, "http");
    assert_int_equal(s->estimated_duration_s, 5);
    assert_false(s->code.used);
    assert_int_equal(s->code.length, 5);
    assert_int_equal(s->timeout_s + s->call_timeout_s + s->tries, 0);
    assert_int_equal(s->backoff_s, -1);
    assert_false(s->calls_cancel || s->calls_resend);
    service_free(s);
}

static void every_member_is_read(void **state)
{
    struct service *s = load(SERVICE("x",
        "[{\"name\":\"a\",\"label\":{\"fa\":\"ا\",\"en\":\"A\"},\"hint\":\"h\",\"placeholder\":\"p\",\"type\":\"tel\","
        "\"autocomplete\":\"tel\",\"personal\":true,\"rules\":\"required\"},"
        "{\"name\":\"b\",\"label\":\"B\",\"type\":\"select\",\"choices\":[{\"value\":\"v\",\"label\":\"V\"}]}]",
        ",\"$schema\":\"s\",\"summary\":\"S\",\"submit\":\"Go\",\"handler\":\"http\","
        "\"steps\":[{\"id\":\"one\",\"label\":\"1\",\"progress\":0},"
        "{\"id\":\"two\",\"label\":\"2\",\"progress\":100,\"repeat\":false}],"
        "\"code\":{\"length\":6,\"seconds\":30,\"tries_per_code\":2,\"tries_per_request\":4,"
        "\"resend_cooldown\":9,\"resends\":0},"
        "\"calls\":[\"cancel\",\"resend-otp\"],\"result\":[{\"path\":\"a.b\",\"label\":\"R\",\"format\":\"money\"},"
        "{\"path\":\"c\",\"label\":\"C\"}],\"timeout\":7,\"call_timeout\":6,\"tries\":2,\"backoff\":0,\"seal\":\"strict\""));

    (void)state;
    assert_int_equal(s->field_count, 2);
    assert_string_equal(text_in(s->fields[0].label, fa), "ا");
    assert_string_equal(text_in(s->fields[0].hint, fa), "h");
    assert_string_equal(text_in(s->fields[0].placeholder, fa), "p");
    assert_string_equal(s->fields[0].type, "tel");
    assert_string_equal(s->fields[0].autocomplete, "tel");
    assert_true(s->fields[0].personal && !s->fields[1].personal);
    assert_true(rules_required(s->fields[0].rules) && !rules_required(s->fields[1].rules));
    assert_int_equal(s->fields[1].choice_count, 1);
    assert_string_equal(s->fields[1].choices[0].value, "v");
    assert_string_equal(text_in(s->submit, en), "Go");
    assert_int_equal(s->step_count, 2);
    assert_true(s->steps[0].repeat && !s->steps[1].repeat);
    assert_int_equal(service_step_index(s, SPAN("two")), 1);
    assert_int_equal(service_step_index(s, SPAN("three")), -1);
    assert_true(s->code.used && s->code.length == 6 && s->code.seconds == 30 && s->code.tries_code == 2);
    assert_true(s->code.tries_request == 4 && s->code.cooldown_s == 9 && s->code.resends == 0);
    assert_true(s->calls_cancel && s->calls_resend);
    assert_int_equal(s->results[0].format, RESULT_MONEY);
    assert_int_equal(s->results[1].format, RESULT_TEXT);
    assert_string_equal(service_format_name(RESULT_LINK), "link");
    assert_true(s->timeout_s == 7 && s->call_timeout_s == 6 && s->tries == 2 && s->backoff_s == 0);
    assert_int_equal(s->seal, SERVICE_SEAL_STRICT);
    service_free(s);
}

/* Long, for it is the table of the mistakes. */
static void a_wrong_file_is_refused_with_file_place_and_reason(void **state)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        { "[]", "x.json: must be an object." },
        { "{\"slug\":\"x\",\"slug\":\"x\"}", "x.json: " },
        { "{\"title\":\"T\"}", "x.json: slug: is missing." },
        { SERVICE("y", "[]", ""), "slug: is \"y\"; it must be the file's name, \"x\"." },
        { SERVICE("X", "[]", ""), "slug: \"X\" must be lower-case" },
        { SERVICE("x", "[]", ",\"stepz\":[]"), "stepz: is not known here; known are: $schema, slug," },
        { "{\"slug\":\"x\",\"title\":\"T\",\"fields\":[]}", "estimated_duration: is missing." },
        { "{\"slug\":\"x\",\"title\":\"T\",\"estimated_duration\":0,\"fields\":[]}",
          "estimated_duration: must be a whole number" },
        { "{\"slug\":\"x\",\"title\":{},\"estimated_duration\":1,\"fields\":[]}",
          "title: must have a text in one language" },
        { "{\"slug\":\"x\",\"title\":{\"fa\":\" \"},\"estimated_duration\":1,\"fields\":[]}",
          "title.fa: is an empty text." },
        { "{\"slug\":\"x\",\"title\":{\"farsi\":\"a\"},\"estimated_duration\":1,\"fields\":[]}",
          "title.farsi: is no language" },
        { "{\"slug\":\"x\",\"title\":5,\"estimated_duration\":1,\"fields\":[]}",
          "title: must be a text, or texts by language" },
        { "{\"slug\":\"x\",\"title\":\"T\",\"estimated_duration\":1}", "fields: is missing" },
        { SERVICE("x", "{}", ""), "fields: must be a list." },
        { SERVICE("x", "[5]", ""), "fields[0]: must be an object." },
        { SERVICE("x", "[null]", ""), "fields[0]: is missing" },
        { SERVICE("x", "[{}]", ""), "fields[0].name: is missing." },
        { SERVICE("x", "[{\"name\":\"a\"}]", ""), "fields[0].label: is missing." },
        { SERVICE("x", "[{\"name\":\"a\",\"label\":\"A\",\"size\":3}]", ""), "fields[0].size: is not known here" },
        { SERVICE("x", "[{\"name\":\"otp\",\"label\":\"A\"}]", ""), "fields[0].name: \"otp\" is reserved" },
        { SERVICE("x", "[{\"name\":\"requestHash\",\"label\":\"A\"}]", ""), "\"requestHash\" is reserved" },
        { SERVICE("x", "[{\"name\":\"otpData\",\"label\":\"A\"}]", ""), "\"otpData\" is reserved" },
        { SERVICE("x", "[{\"name\":\"sealed\",\"label\":\"A\"}]", ""), "\"sealed\" is reserved" },
        { SERVICE("x", "[]", ",\"seal\":\"on.\""), "seal: unknown value \"on.\"; known are: on, off, strict." },
        { SERVICE("x", "[]", ",\"seal\":false"), "seal: must be" },
        { SERVICE("x", "[{\"name\":\"9a\",\"label\":\"A\"}]", ""), "fields[0].name: \"9a\" must be" },
        { SERVICE("x", "[{\"name\":\"a\",\"label\":\"A\"},{\"name\":\"a\",\"label\":\"A\"}]", ""),
          "fields[1].name: another field is called \"a\" already." },
        { SERVICE("x", "[{\"name\":\"a\",\"label\":\"A\",\"type\":\"file\"}]", ""),
          "fields[0].type: unknown value \"file\"; known are: text," },
        { SERVICE("x", "[{\"name\":\"a\",\"label\":\"A\",\"rules\":[\"digit\"]}]", ""),
          "x.json: fields[0].rules[0]: unknown rule \"digit\"; known are: required, string" },
        { SERVICE("x", "[{\"name\":\"a\",\"label\":\"A\",\"type\":\"select\"}]", ""),
          "fields[0].choices: is missing or empty" },
        { SERVICE("x", "[{\"name\":\"a\",\"label\":\"A\",\"choices\":[]}]", ""), "only the type select has choices" },
        { SERVICE("x",
          "[{\"name\":\"a\",\"label\":\"A\",\"type\":\"select\",\"choices\":[{\"value\":\"v\",\"label\":\"V\"},"
                       "{\"value\":\"v\",\"label\":\"W\"}]}]", ""),
          "fields[0].choices[1]: the value \"v\" stands here twice." },
        { SERVICE("x", "[{\"name\":\"a\",\"label\":\"A\",\"autocomplete\":\"<\"}]", ""),
          "fields[0].autocomplete: must be HTML" },
        { SERVICE("x", "[{\"name\":\"a\",\"label\":\"A\",\"personal\":\"yes\"}]", ""),
          "fields[0].personal: must be true or false." },
        { SERVICE("x", "[]", ",\"steps\":[{\"id\":\"a\",\"label\":\"A\"}]"), "steps[0].progress: is missing." },
        { SERVICE("x", "[]", ",\"steps\":[{\"id\":\"a\",\"label\":\"A\",\"progress\":101}]"),
          "steps[0].progress: must be a whole" },
        { SERVICE("x", "[]",
          ",\"steps\":[{\"id\":\"a\",\"label\":\"A\",\"progress\":5},{\"id\":\"b\",\"label\":\"B\",\"progress\":5}]"),
          "steps[1].progress: is 5; it must be more than the step before has, 5." },
        { SERVICE("x", "[]",
          ",\"steps\":[{\"id\":\"a\",\"label\":\"A\",\"progress\":5},{\"id\":\"a\",\"label\":\"B\",\"progress\":6}]"),
          "steps[1].id: another step is called \"a\" already." },
        { SERVICE("x", "[]", ",\"steps\":[{\"id\":\"A b\",\"label\":\"A\",\"progress\":5}]"),
          "steps[0].id: \"A b\" must be" },
        { SERVICE("x", "[]", ",\"code\":{\"length\":2}"), "code.length: must be a whole number from 3 to 12." },
        { SERVICE("x", "[]", ",\"code\":{\"tries_per_code\":6}"),
          "code.tries_per_request: is 5; it must be tries_per_code, 6," },
        { SERVICE("x", "[]", ",\"code\":{\"expiry\":6}"), "code.expiry: is not known here" },
        { SERVICE("x", "[]", ",\"code\":true"), "code: must be an object." },
        { SERVICE("x", "[]", ",\"calls\":[\"stop\"]"),
          "calls[0]: unknown call \"stop\"; known are: resend-otp, cancel." },
        { SERVICE("x", "[]", ",\"calls\":[\"resend-otp\"]"),
          "calls[0]: resend-otp is of use only to a service with a code." },
        { SERVICE("x", "[]", ",\"result\":[{\"path\":\"a\",\"label\":\"A\",\"format\":\"bold\"}]"),
          "result[0].format: unknown value \"bold\"" },
        { SERVICE("x", "[]", ",\"result\":[{\"path\":\"a..b\",\"label\":\"A\"}]"),
          "result[0].path: \"a..b\" must be names" },
        { SERVICE("x", "[]", ",\"result\":[{\"path\":\"a$\",\"label\":\"A\",\"format\":\"text\"}]"), /* nothing of it stays in memory */
          "result[0].path: \"a$\" must be names" },
        { SERVICE("x", "[]", ",\"handler\":\"soap\""), "handler: unknown value \"soap\"; known are: http." },
        { SERVICE("x", "[]", ",\"tries\":0"), "tries: must be a whole number from 1 to 100." },
    };
    struct service *s = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(service_load(files_put("x.json", rows[i].text), &s, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.text, files_dir()));
        if (!strstr(err.text, rows[i].part))
            fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].part);
    }
}

static void a_form_has_at_most_64_fields(void **state)
{
    struct str text = STR_INIT;
    struct err err = ERR_INIT;
    struct service *s = NULL;

    (void)state;
    for (int count = 64; count <= 65; count++) {
        str_reset(&text);
        str_adds(&text, "{\"slug\":\"x\",\"title\":\"T\",\"estimated_duration\":5,\"fields\":[");
        for (int i = 0; i < count; i++)
            str_addf(&text, "%s{\"name\":\"f%d\",\"label\":\"F\"}", i ? "," : "", i);
        str_adds(&text, "]}");
        assert_int_equal(service_load(files_put("x.json", text.s), &s, &err), count == 64 ? 0 : -1);
    }
    assert_non_null(strstr(err.text, "fields: has 65 items; at most 64 are possible."));
    service_free(s);
    str_free(&text);
}

static void a_text_falls_back_to_another_language(void **state)
{
    struct service *s = load("{\"slug\":\"x\",\"title\":{\"de\":\"D\",\"en\":\"E\"},\"summary\":\"S\","
                             "\"estimated_duration\":1,\"fields\":[]}");

    (void)state;
    assert_string_equal(text_in(s->title, en), "E");
    assert_string_equal(text_in(s->title, fa), "D");
    assert_string_equal(text_in(s->title, NULL), "D");
    assert_string_equal(text_in(s->summary, fa), "S");
    assert_string_equal(text_in(NULL, fa), "");
    service_free(s);
}

static void a_third_service_is_one_file(void **state)
{
    struct services *services = NULL;
    struct err err = ERR_INIT;

    (void)state;
    files_put("b.json", SERVICE("b", "[]", ""));
    files_put("a-b.json", SERVICE("a-b", "[]", ""));
    files_put("a.json", SERVICE("a", "[]", ""));
    files_put("README.md", "not a service");
    files_put(".a.json.swp.json", "not a service");
    assert_int_equal(services_load(files_dir(), &services, &err), 0);
    assert_int_equal(services_count(services), 3);
    assert_string_equal(services_at(services, 0)->slug, "a");
    assert_string_equal(services_at(services, 1)->slug, "a-b");
    assert_string_equal(services_find(services, SPAN("b"))->slug, "b");
    assert_null(services_find(services, SPAN("c")));
    services_free(services);
    files_put("c.json", SERVICE("d", "[]", ""));
    assert_int_equal(services_load(files_dir(), &services, &err), -1);
    assert_non_null(strstr(err.text, "/c.json: slug:"));
}

/* Values as "name=value" lines. */
static struct span line_value(void *ctx, const char *field)
{
    const char *lines = ctx;
    size_t len = strlen(field);

    for (; *lines; lines += strcspn(lines, "\n"), lines += *lines == '\n')
        if (strncmp(lines, field, len) == 0 && lines[len] == '=')
            return (struct span){ lines + len + 1, strcspn(lines + len + 1, "\n") };
    return (struct span){ NULL, 0 };
}

static void note_broken(void *ctx, const struct service_field *field, const char *sentence)
{
    str_addf(ctx, "%s: %s\n", field->name, sentence);
}

/* What is stored, or what is wrong; valid until the next call. */
static const char *validated(const struct service *s, const char *lines)
{
    static char text[1024];
    struct str data = STR_INIT, wrong = STR_INIT;
    int good = service_validate(s, line_value, (void *)lines, en, note_broken, &wrong, &data);

    assert_int_equal(good, wrong.len == 0);
    assert_int_equal(good, data.len > 0);
    snprintf(text, sizeof(text), "%s", good ? data.s : wrong.s);
    str_free(&data);
    str_free(&wrong);
    return text;
}

static void good_values_become_the_stored_object(void **state)
{
    struct service *s = load(SERVICE("x",
        "[{\"name\":\"mobile\",\"label\":\"M\",\"rules\":\"required|iranian_mobile\"},"
        "{\"name\":\"note\",\"label\":\"N\"},"
        "{\"name\":\"word\",\"label\":\"W\",\"rules\":\"confirmed\"}]", ""));

    (void)state;
    assert_string_equal(validated(s, "note= a \"b\" \nextra=1\nmobile=۰۹۱۲۱۲۳۴۵۶۷\nword=x\nword_confirmation=x"),
                        "{\"mobile\":\"09121234567\",\"note\":\"a \\\"b\\\"\",\"word\":\"x\"}");
    assert_string_equal(validated(s, "mobile=09121234567\nnote=  "), "{\"mobile\":\"09121234567\"}");
    service_free(s);
}

static void every_broken_field_is_told(void **state)
{
    struct service *s = load(SERVICE("x",
        "[{\"name\":\"a\",\"label\":\"A\",\"rules\":\"required\"},"
        "{\"name\":\"b\",\"label\":\"B\",\"rules\":\"digits:3\"},"
        "{\"name\":\"c\",\"label\":\"C\"}]", ""));

    (void)state;
    assert_string_equal(validated(s, "b=12\nc=1"), "a: A is required.\nb: B must have 3 digits.\n");
    service_free(s);
}

static void a_select_takes_nothing_but_its_choices(void **state)
{
    struct service *s = load(SERVICE("x",
        "[{\"name\":\"a\",\"label\":\"A\",\"type\":\"select\",\"choices\":[{\"value\":\"v\",\"label\":\"V\"}]}]", ""));

    (void)state;
    assert_string_equal(validated(s, "a=v"), "{\"a\":\"v\"}");
    assert_string_equal(validated(s, "a=w"), "a: A must be one of the listed choices.\n");
    assert_string_equal(validated(s, ""), "{}");
    service_free(s);
}

static void an_address_for_news_is_checked_and_is_no_value(void **state)
{
    static const char lines[] = "a=1\nto= ali@example.org ";
    struct service *s = load(SERVICE("x",
        "[{\"name\":\"a\",\"label\":\"A\"},{\"name\":\"to\",\"label\":\"T\",\"type\":\"notify_email\",\"rules\":\"email\"}]", ""));
    struct str to = STR_INIT;

    (void)state;
    assert_string_equal(validated(s, lines), "{\"a\":\"1\"}");
    service_news_to(s, line_value, (void *)(uintptr_t)lines, &to);
    assert_string_equal(to.s, "ali@example.org");
    assert_string_equal(service_news_field(s)->name, "to");
    assert_non_null(strstr(validated(s, "a=1\nto=ali"), "to: "));
    str_free(&to);
    service_free(s);
}

static void the_demonstration_services_are_as_promised(void **state)
{
    static const char *const steps[] = { "initializing", "authentication", "captcha_solving", "sending_otp",
                                         "verifying_otp", "completed" };
    static const int progress[] = { 0, 30, 50, 70, 80, 100 };
    struct services *services = NULL;
    const struct service *s;
    struct err err = ERR_INIT;

    (void)state;
    if (services_load(files_source("etc/services"), &services, &err) < 0)
        fail_msg("%s", err.text);
    s = services_find(services, SPAN("credit-score-rating"));
    assert_non_null(s);
    assert_int_equal(s->step_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(s->steps[i].id, steps[i]);
        assert_int_equal(s->steps[i].progress, progress[i]);
    }
    assert_false(s->steps[4].repeat);
    assert_true(s->code.used && s->code.length == 5 && s->code.seconds == 120 && s->code.tries_code == 3);
    assert_true(s->code.tries_request == 5 && s->code.cooldown_s == 60 && s->code.resends == 3);
    assert_true(s->fields[0].personal && s->fields[1].personal);
    assert_true(s->calls_resend && s->calls_cancel);
    assert_true(s->tries == 0 && s->timeout_s == 0 && s->backoff_s == -1);
    assert_string_equal(validated(s, "mobile=09121234567\nnational_code=0499370899"),
                        "{\"mobile\":\"09121234567\",\"national_code\":\"0499370899\"}");
    s = services_find(services, SPAN("document-ocr"));
    assert_non_null(s);
    assert_false(s->code.used);
    assert_string_equal(validated(s, "file_id=scan-1.pdf\nlanguage=fa"),
                        "{\"file_id\":\"scan-1.pdf\",\"language\":\"fa\"}");
    assert_string_not_equal(validated(s, "file_id=../etc\nlanguage=de"), "");
    assert_non_null(strstr(validated(s, "file_id=../etc\nlanguage=de"), "language: "));
    services_free(services);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_smallest_service_has_defaults, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(every_member_is_read, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(a_wrong_file_is_refused_with_file_place_and_reason, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(a_form_has_at_most_64_fields, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(a_text_falls_back_to_another_language, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(a_third_service_is_one_file, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(good_values_become_the_stored_object, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(every_broken_field_is_told, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(a_select_takes_nothing_but_its_choices, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(an_address_for_news_is_checked_and_is_no_value, files_setup, files_teardown),
        cmocka_unit_test(the_demonstration_services_are_as_promised),
    };

    return cmocka_run_group_tests_name("service", tests, load_shipped, free_shipped);
}
