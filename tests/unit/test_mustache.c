/* test_mustache.c: the template engine's promises, section by section of the Mustache specification. */
#include "tests/unit/unit.h"

#include "base/mustache.h"

struct book {
    const char *name[4];
    const char *text[4];
    struct mustache *parsed[4];
};

static const struct mustache *find_partial(void *ctx, const char *name)
{
    const struct book *book = ctx;
    for (size_t i = 0; i < ARRAY_LEN(book->name) && book->name[i]; i++)
        if (strcmp(book->name[i], name) == 0)
            return book->parsed[i];
    return NULL;
}

static struct mustache *parsed(const char *text)
{
    struct err err = ERR_INIT;
    struct mustache *m = NULL;
    if (mustache_parse("page", text, strlen(text), &m, &err) != 0)
        fail_msg("%s", err.text);
    return m;
}

static void shows_with(struct book *book, const char *template, const char *json, const char *expected)
{
    struct json_object *data = json_tokener_parse(json);
    struct mustache *m = parsed(template);
    struct str out = STR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(book->name) && book->name[i]; i++)
        book->parsed[i] = parsed(book->text[i]);
    mustache_render(m, &data, 1, find_partial, book, &out);
    assert_string_equal(out.s, expected);
    for (size_t i = 0; i < ARRAY_LEN(book->name) && book->name[i]; i++)
        mustache_free(book->parsed[i]);
    str_free(&out);
    mustache_free(m);
    json_object_put(data);
}

static void shows(const char *template, const char *json, const char *expected)
{
    shows_with(&(struct book){ { NULL }, { NULL }, { NULL } }, template, json, expected);
}

static void refuses(const char *template, const char *place, const char *reason)
{
    struct err err = ERR_INIT;
    struct mustache *m = NULL;
    assert_int_equal(mustache_parse("page", template, strlen(template), &m, &err), -1);
    assert_null(m);
    assert_int_equal(err.kind, ERR_CONFIG);
    if (strncmp(err.text, place, strlen(place)) != 0 || !strstr(err.text, reason))
        fail_msg("unexpected: %s", err.text);
}

static void text_without_tags_stays(void **state)
{
    (void)state;
    shows("", "{}", "");
    shows("a } b { c }}\n", "{}", "a } b { c }}\n");
}

static void values_are_escaped_unless_told(void **state)
{
    (void)state;
    shows("{{a}}", "{\"a\":\"<i>&\\\"\"}", "&lt;i&gt;&amp;&quot;");
    shows("{{{a}}} {{& a }}", "{\"a\":\"<i>&\"}", "<i>& <i>&");
    shows("{{ a }}|{{  a}}", "{\"a\":\"x\"}", "x|x");
}

static void values_print_as_json_prints_them(void **state)
{
    (void)state;
    shows("{{i}} {{n}} {{d}} {{t}} {{f}}", "{\"i\":42,\"n\":-7,\"d\":1.50,\"t\":true,\"f\":false}",
          "42 -7 1.50 true false");
    shows("{{big}}", "{\"big\":18446744073709551615}", "18446744073709551615");
    shows("{{{list}}}", "{\"list\":[1,{\"a\":\"b/c\"}]}", "[1,{\"a\":\"b/c\"}]");
}

static void absent_and_null_print_nothing(void **state)
{
    (void)state;
    shows("[{{a}}{{b}}{{c.d}}{{{b}}}]", "{\"b\":null,\"c\":1}", "[]");
}

static void a_dotted_name_is_looked_up_inside_its_first_part_only(void **state)
{
    (void)state;
    shows("{{a.b.c}}", "{\"a\":{\"b\":{\"c\":\"x\"}}}", "x");
    shows("{{#in}}{{a.b}}{{/in}}", "{\"a\":{\"b\":\"outer\"},\"in\":{\"a\":{}}}", "");
    shows("{{#in}}{{a.b}}{{/in}}", "{\"a\":{\"b\":\"outer\"},\"in\":{\"x\":1}}", "outer");
}

static void a_null_hides_the_same_key_further_out(void **state)
{
    (void)state;
    shows("{{#in}}[{{a}}]{{/in}}", "{\"a\":\"outer\",\"in\":{\"a\":null}}", "[]");
}

static void sections_show_for_true_values(void **state)
{
    (void)state;
    static const char template[] = "{{#v}}yes{{/v}}{{^v}}no{{/v}}";
    shows(template, "{\"v\":true}", "yes");
    shows(template, "{\"v\":0}", "yes");
    shows(template, "{\"v\":\"x\"}", "yes");
    shows(template, "{\"v\":{}}", "yes");
    shows(template, "{\"v\":false}", "no");
    shows(template, "{\"v\":null}", "no");
    shows(template, "{\"v\":\"\"}", "no");
    shows(template, "{\"v\":[]}", "no");
    shows(template, "{}", "no");
}

static void a_list_runs_its_section_once_an_item(void **state)
{
    (void)state;
    shows("{{#l}}({{n}}{{s}}){{/l}}", "{\"s\":\"!\",\"l\":[{\"n\":1},{\"n\":2}]}", "(1!)(2!)");
    shows("{{#l}}{{.}},{{/l}}", "{\"l\":[\"<\",2,2.5,null]}", "&lt;,2,2.5,,");
    shows("{{#l}}{{#.}}{{.}}{{/.}};{{/l}}", "{\"l\":[[1,2],[3]]}", "12;3;");
    shows("{{#.}}{{a}}{{/.}}", "[{\"a\":1},{\"a\":2}]", "12");
}

static void inner_contexts_win_over_outer_ones(void **state)
{
    (void)state;
    shows("{{#a}}{{#b}}{{x}}{{y}}{{z}}{{/b}}{{/a}}",
          "{\"x\":1,\"y\":1,\"z\":1,\"a\":{\"y\":2,\"z\":2,\"b\":{\"z\":3}}}", "123");
}

static void the_last_of_the_stack_is_looked_at_first(void **state)
{
    (void)state;
    struct json_object *stack[] = { json_tokener_parse("{\"a\":\"outer\",\"b\":\"kept\"}"),
                                    json_tokener_parse("{\"a\":\"inner\"}") };
    struct mustache *m = parsed("{{a}} {{b}}");
    struct str out = STR_INIT;
    str_adds(&out, "> ");
    mustache_render(m, stack, 2, NULL, NULL, &out);
    assert_string_equal(out.s, "> inner kept");
    str_reset(&out);
    mustache_render(m, NULL, 0, NULL, NULL, &out);
    assert_string_equal(out.s, " ");
    str_free(&out);
    mustache_free(m);
    json_object_put(stack[0]);
    json_object_put(stack[1]);
}

static void comments_show_nothing(void **state)
{
    (void)state;
    shows("a{{! any {{ thing\n at all }}b", "{}", "ab");
    shows("a\n  {{! alone }}\nb\n", "{}", "a\nb\n");
    shows("a {{! not alone }}\nb", "{}", "a \nb");
}

static void a_tag_alone_on_its_line_takes_the_line_away(void **state)
{
    (void)state;
    shows("1\n  {{#v}}  \n2\n\t{{/v}}\n3", "{\"v\":true}", "1\n2\n3");
    shows("1\r\n{{^v}}\r\n2\r\n{{/v}}\r\n3", "{}", "1\r\n2\r\n3");
    shows("{{#v}}\nx\n{{/v}}", "{\"v\":1}", "x\n");
    shows(" {{#v}} {{/v}}\n", "{\"v\":1}", "  \n");
    shows("  {{v}}\n", "{\"v\":1}", "  1\n");
}

static void delimiters_change_until_changed_again(void **state)
{
    (void)state;
    shows("{{=<% %>=}}<%a%> {{a}} <%={{ }}=%>{{a}}", "{\"a\":1}", "1 {{a}} 1");
    shows("{{= | | =}}\n|#a|\n|&b|\n|/a|\n", "{\"a\":1,\"b\":\"<\"}", "<\n");
    shows("{{=| |=}}|{b}|", "{\"b\":\"<\"}", "<");
}

static void partials_see_the_present_context(void **state)
{
    (void)state;
    struct book book = { { "p", "q" }, { "<{{x}}{{>q}}>", "{{=| |=}}|y|" }, { NULL } };
    shows_with(&book, "{{#in}}{{>p}}{{/in}}{{y}}", "{\"y\":2,\"in\":{\"x\":1}}", "<12>2");
    shows_with(&book, "[{{> missing }}]", "{}", "[]");
}

static void every_line_of_an_indented_partial_is_indented(void **state)
{
    (void)state;
    struct book book = { { "p" }, { "a\n{{{v}}}\n{{#s}}\nb\n{{/s}}\n\nc" }, { NULL } };
    shows_with(&book, "(\n  {{>p}}\n)", "{\"v\":\"1\\n2\",\"s\":1}", "(\n  a\n  1\n2\n  b\n  \n  c)");
    shows_with(&book, "( {{>p}}\n)", "{\"v\":\"1\",\"s\":0}", "( a\n1\nb\n\nc\n)");
}

static void indentations_of_nested_partials_add_up(void **state)
{
    (void)state;
    struct book book = { { "p", "q" }, { "1\n {{>q}}\n{{>q}}\n{{v}}{{>q}}\n", "2\n3\n" }, { NULL } };
    shows_with(&book, "\t{{>p}}\n", "{\"v\":\"-\"}", "\t1\n\t 2\n\t 3\n\t2\n\t3\n\t-2\n3\n\n");
}

static void a_partial_may_use_itself_as_deep_as_the_data(void **state)
{
    (void)state;
    struct book book = { { "node" }, { "{{n}}{{#kids}}({{>node}}){{/kids}}" }, { NULL } };
    shows_with(&book, "{{>node}}",
               "{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[]},{\"n\":3,\"kids\":[{\"n\":4,\"kids\":[]}]}]}",
               "1(2)(3(4))");
}

static void a_partial_without_end_stops_at_32(void **state)
{
    (void)state;
    struct book book = { { "loop" }, { "x{{>loop}}" }, { NULL } };
    shows_with(&book, "{{>loop}}", "{}", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void a_partial_that_doubles_without_end_stops_too(void **state)
{
    (void)state;
    struct mustache *loop = parsed("x{{>loop}}{{>loop}}");
    struct book book = { { "loop" }, { NULL }, { loop } };
    struct str out = STR_INIT;
    mustache_render(loop, NULL, 0, find_partial, &book, &out);
    assert_int_equal(out.len, 100001);
    str_free(&out);
    mustache_free(loop);
}

static void nest(char *out, int levels)
{
    struct str text = STR_INIT;
    for (int i = 0; i < levels; i++)
        str_adds(&text, "{{#a}}");
    str_adds(&text, "x");
    for (int i = 0; i < levels; i++)
        str_adds(&text, "{{/a}}");
    memcpy(out, text.s, text.len + 1);
    str_free(&text);
}

static void sections_nest_64_deep_and_no_deeper(void **state)
{
    (void)state;
    char template[2048];
    nest(template, 64);
    shows(template, "{\"a\":true}", "x");
    nest(template, 65);
    refuses(template, "page:1: ", "64");
}

static void mistakes_are_told_with_their_line(void **state)
{
    (void)state;
    refuses("a\n{{b", "page:2: ", "not closed");
    refuses("{{{b}}", "page:1: ", "}}}");
    refuses("{{#b}}\n\n", "page:3: ", "\"b\"");
    refuses("\n{{/b}}", "page:2: ", "\"b\"");
    refuses("{{#a}}{{#b}}{{/a}}{{/b}}", "page:1: ", "\"a\"");
    refuses("{{}}", "page:1: ", "no name");
    refuses("{{# }}{{/}}", "page:1: ", "no name");
    refuses("{{a b}}", "page:1: ", "white space");
    refuses("{{a..b}}", "page:1: ", "empty part");
    refuses("{{.a}}", "page:1: ", "empty part");
    refuses("{{=<% =}}", "page:1: ", "delimiters");
    refuses("{{=<% % %>=}}", "page:1: ", "delimiters");
    refuses("{{=123456789 %>=}}", "page:1: ", "delimiters");
}

static void collect(void *ctx, const char *name)
{
    str_adds(ctx, name);
    str_addc(ctx, ' ');
}

static void all_partials_are_named(void **state)
{
    (void)state;
    struct mustache *m = parsed("{{>a}}{{#x}}{{> b.c/d }}{{/x}}{{y}}");
    struct str names = STR_INIT;
    mustache_partials(m, collect, &names);
    assert_string_equal(names.s, "a b.c/d ");
    str_free(&names);
    mustache_free(m);
    mustache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_tags_stays),
        cmocka_unit_test(values_are_escaped_unless_told),
        cmocka_unit_test(values_print_as_json_prints_them),
        cmocka_unit_test(absent_and_null_print_nothing),
        cmocka_unit_test(a_dotted_name_is_looked_up_inside_its_first_part_only),
        cmocka_unit_test(a_null_hides_the_same_key_further_out),
        cmocka_unit_test(sections_show_for_true_values),
        cmocka_unit_test(a_list_runs_its_section_once_an_item),
        cmocka_unit_test(inner_contexts_win_over_outer_ones),
        cmocka_unit_test(the_last_of_the_stack_is_looked_at_first),
        cmocka_unit_test(comments_show_nothing),
        cmocka_unit_test(a_tag_alone_on_its_line_takes_the_line_away),
        cmocka_unit_test(delimiters_change_until_changed_again),
        cmocka_unit_test(partials_see_the_present_context),
        cmocka_unit_test(every_line_of_an_indented_partial_is_indented),
        cmocka_unit_test(indentations_of_nested_partials_add_up),
        cmocka_unit_test(a_partial_may_use_itself_as_deep_as_the_data),
        cmocka_unit_test(a_partial_without_end_stops_at_32),
        cmocka_unit_test(a_partial_that_doubles_without_end_stops_too),
        cmocka_unit_test(sections_nest_64_deep_and_no_deeper),
        cmocka_unit_test(mistakes_are_told_with_their_line),
        cmocka_unit_test(all_partials_are_named),
    };
    return cmocka_run_group_tests_name("mustache", tests, NULL, NULL);
}
