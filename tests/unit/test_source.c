/* test_source.c: files of sources: what is read, what is refused and with which words; parameters, names and addresses with hostile values. */
#include "tests/unit/unit.h"

#include "core/options.h"
#include "core/source.h"
#include "tests/unit/files.h"

#define SYMBOL "{\"name\":\"symbol\",\"rules\":[\"required\",\"max:40\"]}"
#define METHOD(members) "{\"path\":\"/q\",\"fresh\":60,\"stale\":600," members "}"
#define SOURCE(method) "{\"title\":\"X\",\"address\":\"https://api.example.org/v1/\",\"methods\":{\"quote\":" method "}}"

static struct settings settings;

static int setup(void **state)
{
    settings_init(&settings, options_table, OPT_COUNT);
    return files_setup(state);
}

static int teardown(void **state)
{
    settings_free(&settings);
    return files_teardown(state);
}

static void set(const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (settings_assign(&settings, name, value, FROM_ARGUMENT, &err) < 0)
        fail_msg("%s", err.text);
}

static struct source *load(const char *text)
{
    struct source *s = NULL;
    struct err err = ERR_INIT;

    if (source_load(files_put("x.json", text), &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static void refused(const char *text, const char *words)
{
    struct source *s = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(source_load(files_put("x.json", text), &s, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    if (!strstr(err.text, "x.json") || !strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static struct source_call call_of(const struct source *s, const char *name, const char *value)
{
    const struct source_given given[] = { { span_of(name), span_of(value) } };
    struct source_call call;

    assert_int_equal(source_call_read(&call, &s->methods[0], given, name ? 1 : 0, NULL, NULL, NULL), 1);
    return call;
}

/* What is asked for at 1000 s, without the base. */
static char *path_of(const struct source *s, const char *name, const char *value)
{
    struct source_call call = call_of(s, name, value);
    struct source_request request;
    struct err err = ERR_INIT;
    const char *base = "https://api.example.org/v1";
    char *path;

    if (source_request(&call, &settings, 1000, &request, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(strncmp(request.url.s, base, strlen(base)), 0);
    path = xstrdup(request.url.s + strlen(base));
    source_request_free(&request);
    source_call_clear(&call);
    return path;
}

static void asks_for(const struct source *s, const char *name, const char *value, const char *wanted)
{
    char *path = path_of(s, name, value);

    assert_string_equal(path, wanted);
    free(path);
}

static void every_member_is_read(void **state)
{
    struct source *s = load("{\"title\":{\"en\":\"X\"},\"address\":{\"option\":\"STOCK_API_URL\"},\"private\":true,"
                            "\"key\":{\"option\":\"STOCK_API_KEY_FILE\",\"header\":\"Authorization\",\"scheme\":\"Bearer\"},"
                            "\"headers\":{\"X-A\":\"b c\"},\"limit\":{\"fetches\":5,\"seconds\":60},"
                            "\"methods\":{\"a\":{\"path\":\"/a/{id}\",\"query\":{\"o p\":\"q&r\"},\"times\":{\"to\":-5},"
                            "\"parameters\":[{\"name\":\"n\",\"as\":\"nn[]\",\"rules\":\"in:1,2\",\"default\":\"2\"},{\"name\":\"id\",\"rules\":[\"required\",\"max:9\"]}],"
                            "\"fresh\":7,\"stale\":8,\"tags\":[\"t\"],\"refresh\":[{\"id\":\"z\"}]}}}");
    const struct source_method *m = source_find_method(s, SPAN("a"));

    (void)state;
    assert_string_equal(s->name, "x");
    assert_int_equal(s->address_option, OPT_STOCK_API_URL);
    assert_true(s->private_network && s->per_count == 5 && s->per_s == 60);
    assert_string_equal(s->headers[0], "X-A: b c");
    assert_null(s->headers[1]);
    assert_true(m && m->fresh_s == 7 && m->stale_s == 8 && m->parameter_count == 2 && m->refresh_count == 1);
    assert_string_equal(m->parameters[0].name, "id"); /* in order of name */
    assert_true(m->parameters[0].in_path && !m->parameters[1].in_path);
    assert_string_equal(m->query, "o%20p=q%26r");
    assert_string_equal(m->tags[0], "t");
    assert_string_equal(m->refresh[0].value[0], "z");
    assert_string_equal(m->refresh[0].value[1], "2");
    assert_null(source_find_method(s, SPAN("b")));
    source_free(s);
}

static void wrong_files_are_refused_with_place_and_reason(void **state)
{
    (void)state;
    refused("[]", "must be an object");
    refused("{\"title\":\"X\",\"address\":\"https://a\",\"methods\":{},\"more\":1}", "more: is not known here");
    refused("{\"title\":\"X\",\"address\":\"https://a\",\"methods\":{}}", "methods: must have at least one");
    refused("{\"title\":\"X\",\"methods\":{}}", "address: is missing");
    refused("{\"title\":\"X\",\"address\":\"ftp://a\"}", "address: must be http");
    refused("{\"title\":\"X\",\"address\":\"https://user:pw@a\"}", "without a user");
    refused("{\"title\":\"X\",\"address\":\"https://a?b\"}", "address: ");
    refused("{\"title\":\"X\",\"address\":{\"option\":\"PEYGIR_LOCALE\"}}", "there is no option \"PEYGIR_LOCALE\"");
    refused("{\"title\":\"X\",\"address\":\"https://a\",\"key\":{\"header\":\"A\"}}", "either option or file");
    refused("{\"title\":\"X\",\"address\":\"https://a\",\"key\":{\"file\":\"/k\"}}", "either header or query");
    refused("{\"title\":\"X\",\"address\":\"https://a\",\"key\":{\"file\":\"k\",\"query\":\"a\"}}", "absolute path");
    refused("{\"title\":\"X\",\"address\":\"https://a\",\"headers\":{\"A\":\"b\\nC: d\"}}", "headers.A: must be a header");
    refused(SOURCE("{\"fresh\":1,\"stale\":1}"), "methods.quote.path: is missing");
    refused(SOURCE("{\"path\":\"/a?b\",\"fresh\":1,\"stale\":1}"), "without ? and #");
    refused(SOURCE("{\"path\":\"/{a}\",\"fresh\":1,\"stale\":1}"), "none of its parameters");
    refused(SOURCE("{\"path\":\"/{a\",\"fresh\":1,\"stale\":1}"), "without the other");
    refused(SOURCE("{\"path\":\"/a\",\"stale\":1}"), "methods.quote.fresh: is missing");
    refused(SOURCE("{\"path\":\"/a\",\"fresh\":0,\"stale\":1}"), "whole number from 1");
    refused(SOURCE(METHOD("\"refresh\":[{\"b\":\"1\"}]")), "refresh[0]: breaks the rules");
    refused(SOURCE(METHOD("\"tags\":[\"a b\"]")), "tags[0]: must be letters");
}

static void a_parameter_without_bounds_is_refused(void **state)
{
    (void)state;
    refused(SOURCE(METHOD("\"parameters\":[{\"name\":\"symbol\",\"rules\":[\"required\",\"string\"]}]")), "parameters[0].rules: must have in, regex or max");
    refused(SOURCE(METHOD("\"parameters\":[{\"name\":\"symbol\"}]")), "must have in, regex or max");
    refused(SOURCE(METHOD("\"parameters\":[{\"name\":\"n\",\"rules\":[\"in:a\"],\"default\":\"b\"}]")), "default: breaks the parameter's own rules");
    refused(SOURCE(METHOD("\"parameters\":[" SYMBOL "," SYMBOL "]")), "stands here twice");
    refused("{\"title\":\"X\",\"address\":\"https://a\",\"methods\":{\"m\":{\"path\":\"/{n}\",\"fresh\":1,\"stale\":1,"
            "\"parameters\":[{\"name\":\"n\",\"rules\":[\"max:3\"]}]}}}", "it stands in the path");
    source_free(load(SOURCE(METHOD("\"parameters\":[{\"name\":\"n\",\"rules\":[\"integer\",\"between:1,5\"]}]"))));
}

/* Each broken parameter, and how many. */
static void note(void *ctx, struct span name, const char *sentence)
{
    assert_non_null(sentence);
    str_addf(ctx, "%.*s:%s;", (int)name.len, name.s, sentence);
}

static void broken_and_undeclared_parameters_are_told(void **state)
{
    const struct source_given given[] = { { SPAN("bogus"), SPAN("1") }, { SPAN("id"), SPAN("..") } };
    struct source *s = load("{\"title\":\"X\",\"address\":\"https://a\",\"methods\":{\"m\":{\"path\":\"/{id}\",\"fresh\":1,\"stale\":1,"
                            "\"parameters\":[{\"name\":\"id\",\"rules\":[\"required\",\"max:200\"]}," SYMBOL "]}}}");
    struct locales *locales = NULL;
    struct err err = ERR_INIT;
    struct str said = STR_INIT;
    struct source_call call;
    char long_value[SOURCE_VALUE_MAX + 2];

    (void)state;
    assert_int_equal(locales_load(files_source("www/locales"), "en", &locales, &err), 0);
    assert_int_equal(source_call_read(&call, &s->methods[0], given, 2, locales_default(locales), note, &said), 0);
    assert_string_equal(said.s, "bogus:There is no such parameter here; known are: id, symbol.;"
                                "id:id is not written in the right form.;symbol:symbol is required.;");
    memset(long_value, 'a', sizeof long_value);
    str_reset(&said);
    assert_int_equal(source_call_read(&call, &s->methods[0], (struct source_given[]){ { SPAN("id"), { long_value, SOURCE_VALUE_MAX + 1 } }, { SPAN("symbol"), SPAN("a") } },
                                      2, locales_default(locales), note, &said), 0);
    assert_string_equal(said.s, "id:id must have at most 128 characters.;");
    locales_free(locales);
    str_free(&said);
    source_free(s);
}

static void values_cannot_leave_their_place(void **state)
{
    struct source *s = load("{\"title\":\"X\",\"address\":\"https://api.example.org/v1/\",\"methods\":{\"m\":{\"path\":\"/a/{id}/b\",\"fresh\":1,\"stale\":1,"
                            "\"parameters\":[{\"name\":\"id\",\"rules\":[\"required\",\"max:40\"]}]}}}");

    (void)state;
    asks_for(s, "id", "bitcoin", "/a/bitcoin/b");
    asks_for(s, "id", "../../admin?x=1#y", "/a/..%2F..%2Fadmin%3Fx%3D1%23y/b");
    asks_for(s, "id", "a\r\nHost: evil", "/a/a%0AHost%3A%20evil/b");
    asks_for(s, "id", "%2e%2e", "/a/%252e%252e/b");
    asks_for(s, "id", "@evil.example", "/a/%40evil.example/b");
    source_free(s);
}

static void the_query_has_what_is_fixed_moments_and_values(void **state)
{
    struct source *s = load(SOURCE("{\"path\":\"/q\",\"fresh\":1,\"stale\":1,\"query\":{\"o\":\"1\"},\"times\":{\"from\":-60},"
                                   "\"parameters\":[{\"name\":\"symbol\",\"as\":\"s\",\"rules\":\"max:9\"}]}"));
    struct source *plain = load(SOURCE(METHOD("\"parameters\":[{\"name\":\"symbol\",\"rules\":\"max:9\"}]")));

    (void)state;
    asks_for(s, "symbol", "a&b=c", "/q?o=1&from=940&s=a%26b%3Dc");
    asks_for(s, NULL, NULL, "/q?o=1&from=940");
    asks_for(plain, NULL, NULL, "/q");
    asks_for(plain, "symbol", " \xdb\xb1\xdb\xb2 ", "/q?symbol=12"); /* digits are normalised, as in forms */
    source_free(plain);
    source_free(s);
}

static void the_name_in_the_cache_has_the_parameters_in_order_and_no_moments(void **state)
{
    struct source *s = load(SOURCE("{\"path\":\"/q\",\"fresh\":1,\"stale\":1,\"times\":{\"from\":-60},"
                                   "\"parameters\":[{\"name\":\"z\",\"rules\":\"max:100\"},{\"name\":\"a\",\"rules\":\"max:9\",\"default\":\"d\"},{\"name\":\"n\",\"rules\":\"max:100\"}]}"));
    struct source_call call = call_of(s, "z", "x_y&");
    struct str name = STR_INIT;
    const struct source_given many[] = { { SPAN("z"), SPAN("0123456789012345678901234567890123456789012345678901234567890123456789") },
                                         { SPAN("n"), SPAN("0123456789012345678901234567890123456789012345678901234567890123456789") } };

    (void)state;
    source_add_name(&call, &name);
    assert_string_equal(name.s, "x_quote_a=d,z=x_y%26");
    str_reset(&name);
    source_add_payload(&call, &name);
    assert_string_equal(name.s, "{\"source\":\"x\",\"method\":\"quote\",\"params\":{\"a\":\"d\",\"z\":\"x_y&\"}}");
    source_call_clear(&call);
    assert_int_equal(source_call_read(&call, &s->methods[0], many, 2, NULL, NULL, NULL), 1);
    str_reset(&name);
    source_add_name(&call, &name);
    assert_int_equal(name.len, strlen("x_quote_") + 32); /* long ones end in a digest */
    source_call_clear(&call);
    source_free(s);
    s = load(SOURCE(METHOD("\"tags\":[]")));
    call = call_of(s, NULL, NULL);
    str_reset(&name);
    source_add_name(&call, &name);
    assert_string_equal(name.s, "x_quote");
    str_free(&name);
    source_call_clear(&call);
    source_free(s);
}

static void the_key_comes_from_its_file_and_goes_where_the_source_says(void **state)
{
    char *key = xstrdup(files_put("key", "s3cret &\nmore\n"));
    char *header = xasprintf("{\"title\":\"X\",\"address\":\"https://a\",\"key\":{\"file\":\"%s\",\"header\":\"Authorization\",\"scheme\":\"Bearer\"},\"methods\":{\"m\":" METHOD("\"tags\":[]") "}}", key);
    char *query = xasprintf("{\"title\":\"X\",\"address\":\"https://a\",\"key\":{\"file\":\"%s\",\"query\":\"token\"},\"methods\":{\"m\":" METHOD("\"tags\":[]") "}}", key);
    struct source_request request;
    struct err err = ERR_INIT;
    struct source *s = load(header);
    struct source_call call = call_of(s, NULL, NULL);

    (void)state;
    assert_int_equal(source_request(&call, &settings, 0, &request, &err), 0);
    assert_string_equal(request.header.s, "Authorization: Bearer s3cret &");
    assert_string_equal(request.url.s, "https://a/q");
    source_request_free(&request);
    source_call_clear(&call);
    source_free(s);
    s = load(query);
    call = call_of(s, NULL, NULL);
    assert_int_equal(source_request(&call, &settings, 0, &request, &err), 0);
    assert_string_equal(request.url.s, "https://a/q?token=s3cret%20%26");
    source_request_free(&request);
    files_put("key", "");
    assert_int_equal(source_request(&call, &settings, 0, &request, &err), -1);
    assert_non_null(strstr(err.text, "holds no API key"));
    assert_null(strstr(err.text, "s3cret"));
    source_request_free(&request);
    source_call_clear(&call);
    source_free(s);
    free(key);
    free(header);
    free(query);
}

static void payloads_are_read_like_queries(void **state)
{
    static const struct {
        const char *payload, *words;
    } wrong[] = {
        { "[]", "must be an object" },
        { "{\"source\":\"nix\",\"method\":\"quote\"}", "no source" },
        { "{\"source\":\"stock\",\"method\":\"nix\"}", "no method of the source stock" },
        { "{\"source\":\"stock\",\"method\":\"quote\",\"params\":[]}", "must be an object" },
        { "{\"source\":\"stock\",\"method\":\"quote\",\"params\":{\"symbol\":{}}}", "texts and numbers" },
        { "{\"source\":\"stock\",\"method\":\"quote\"}", "\"symbol\" of the payload: symbol is required" },
        { "{\"source\":\"stock\",\"method\":\"quote\",\"params\":{\"symbol\":\"A\",\"b\":1}}", "\"b\" of the payload: There is no such parameter" },
    };
    struct sources *sources = NULL;
    struct locales *locales = NULL;
    struct source_call call;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(locales_load(files_source("www/locales"), "en", &locales, &err), 0);
    if (sources_load(files_source("etc/sources"), &sources, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(sources_count(sources), 2);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(source_call_of_payload(&call, sources, span_of(wrong[i].payload), locales_default(locales), &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.text, wrong[i].words))
            fail_msg("%s: %s", wrong[i].payload, err.text);
    }
    assert_int_equal(source_call_of_payload(&call, sources, SPAN("{\"source\":\"crypto\",\"method\":\"chart\",\"params\":{\"id\":\"bitcoin\",\"days\":30}}"),
                                            locales_default(locales), &err), 0);
    assert_string_equal(call.value[0], "30");
    source_call_clear(&call);
    locales_free(locales);
    sources_free(sources);
}

static void an_address_that_the_administrator_set_counts_as_set_and_may_be_private(void **state)
{
    struct source *s = NULL;
    struct err err = ERR_INIT;
    struct str address = STR_INIT;

    (void)state;
    assert_int_equal(source_load(files_source("etc/sources/crypto.json"), &s, &err), 0);
    assert_false(source_is_set(s, &settings) || source_may_be_private(s, &settings));
    set("CRYPTO_API_URL", "http://127.0.0.1:1/m//");
    assert_true(source_is_set(s, &settings) && source_may_be_private(s, &settings));
    source_add_address(s, &settings, &address);
    assert_string_equal(address.s, "http://127.0.0.1:1/m");
    source_free(s);
    s = load(SOURCE(METHOD("\"tags\":[]")));
    assert_true(source_is_set(s, &settings));
    assert_false(source_may_be_private(s, &settings));
    source_free(s);
    str_free(&address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_member_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_files_are_refused_with_place_and_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_parameter_without_bounds_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_and_undeclared_parameters_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(values_cannot_leave_their_place, setup, teardown),
        cmocka_unit_test_setup_teardown(the_query_has_what_is_fixed_moments_and_values, setup, teardown),
        cmocka_unit_test_setup_teardown(the_name_in_the_cache_has_the_parameters_in_order_and_no_moments, setup, teardown),
        cmocka_unit_test_setup_teardown(the_key_comes_from_its_file_and_goes_where_the_source_says, setup, teardown),
        cmocka_unit_test_setup_teardown(payloads_are_read_like_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_that_the_administrator_set_counts_as_set_and_may_be_private, setup, teardown),
    };

    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
