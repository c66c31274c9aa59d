/* test_exchange.c: reading CGI variables, and putting answers together. */
#include "tests/unit/unit.h"

#include "web/exchange.h"

#include "core/locale.h"

static struct exchange x;
static struct locales *locales;
static struct err err;

/* Begin with REQUEST_URI and at most one further variable. */
static int begin(const char *uri, const char *more)
{
    char line[512];
    const char *vars[] = { "REQUEST_METHOD=GET", line, more, NULL };

    snprintf(line, sizeof line, "REQUEST_URI=%s", uri);
    err = (struct err)ERR_INIT;
    return exchange_begin(&x, vars, &err);
}

static void a_path_is_cut_and_each_segment_decoded(void **state)
{
    (void)state;
    assert_int_equal(begin("/services/%D9%BE/a%2Fb?x=1", NULL), 0);
    assert_int_equal(x.method, METHOD_GET);
    assert_int_equal(x.segment_count, 3);
    assert_true(span_is(x.segment[0], "services"));
    assert_true(span_is(x.segment[1], "\xd9\xbe"));
    assert_true(span_is(x.segment[2], "a/b"));
    assert_true(span_is(form_get(&x.query, "x"), "1"));
}

static void a_plus_in_a_path_is_a_plus(void **state)
{
    (void)state;
    assert_int_equal(begin("/a+b", NULL), 0);
    assert_true(span_is(x.segment[0], "a+b"));
}

static void the_root_has_no_segment_and_a_final_slash_an_empty_one(void **state)
{
    (void)state;
    assert_int_equal(begin("/", NULL), 0);
    assert_int_equal(x.segment_count, 0);
    assert_int_equal(begin("/?a=1", NULL), 0);
    assert_int_equal(x.segment_count, 0);
    assert_int_equal(begin("/a/", NULL), 0);
    assert_int_equal(x.segment_count, 2);
    assert_int_equal(x.segment[1].len, 0);
    assert_int_equal(begin("//a", NULL), 0);
    assert_int_equal(x.segment_count, 2);
}

static void a_bad_request_line_is_refused(void **state)
{
    static const char *const bad[] = { "", "a", "*", "/%", "/%00", "/%ff", "/a?b=%zz", "/a?b=1&b=2", "/a?%c0%80" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(begin(bad[i], NULL), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void a_path_of_any_length_is_taken(void **state)
{
    (void)state;
    assert_int_equal(begin("/a/b/c/d/e/f/g/h/i/j/k/l", NULL), 0);
    assert_int_equal(x.segment_count, EXCHANGE_SEGMENTS);
}

static void the_first_of_two_variables_of_a_name_counts(void **state)
{
    const char *vars[] = { "REQUEST_METHOD=POST", "REQUEST_METHOD=GET", "REQUEST_URI=/", "HTTPS=on",
                           "HTTP_COOKIE=a=b",     "NOISE",              NULL };

    (void)state;
    assert_int_equal(exchange_begin(&x, vars, &err), 0);
    assert_int_equal(x.method, METHOD_POST);
    assert_true(x.https);
    assert_true(span_is(x.param[PARAM_COOKIE], "a=b"));
    assert_null(x.param[PARAM_CSRF].s);
}

static void an_unknown_method_is_no_get(void **state)
{
    const char *vars[] = { "REQUEST_METHOD=get", "REQUEST_URI=/", NULL };

    (void)state;
    assert_int_equal(exchange_begin(&x, vars, &err), 0);
    assert_int_equal(x.method, METHOD_OTHER);
}

static void nothing_is_left_of_the_request_before(void **state)
{
    (void)state;
    assert_int_equal(begin("/a/b?c=d", "HTTP_X_CSRF_TOKEN=secret"), 0);
    x.has_owner = x.has_request = true;
    x.session.known = true;
    x.detail = "otp.error_form";
    exchange_header(&x, "X", SPAN("y"));
    assert_int_equal(begin("/", NULL), 0);
    assert_null(x.param[PARAM_CSRF].s);
    assert_int_equal(x.query.count, 0);
    assert_int_equal(x.headers.len, 0);
    assert_false(x.has_owner || x.has_request || x.session.known);
    assert_null(x.detail);
}

static int64_t declared(const char *variable)
{
    begin("/", variable);
    return exchange_declared(&x);
}

static void a_declared_length_is_a_plain_number(void **state)
{
    (void)state;
    assert_int_equal(declared(NULL), 0);
    assert_int_equal(declared("CONTENT_LENGTH="), 0);
    assert_int_equal(declared("CONTENT_LENGTH=65536"), 65536);
    assert_int_equal(declared("CONTENT_LENGTH=-1"), -1);
    assert_int_equal(declared("CONTENT_LENGTH=1x"), -1);
    assert_int_equal(declared("CONTENT_LENGTH= 1"), -1);
    assert_int_equal(declared("CONTENT_LENGTH=99999999999999999999999"), -1);
}

static void an_answer_has_status_headers_and_body(void **state)
{
    (void)state;
    begin("/", NULL);
    x.status = 404;
    exchange_header_int(&x, "Retry-After", 5);
    str_adds(&x.answer, "hello");
    exchange_finish(&x);
    assert_memory_equal(x.out.s, "Status: 404 Not Found\r\n", 23);
    assert_non_null(strstr(x.out.s, "\r\nContent-Length: 5\r\n"));
    assert_non_null(strstr(x.out.s, "\r\nRetry-After: 5\r\n"));
    assert_non_null(strstr(x.out.s, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(x.out.s, "\r\nContent-Security-Policy: default-src 'none';"));
    assert_string_equal(x.out.s + x.out.len - 9, "\r\n\r\nhello");
}

static void an_answer_to_head_has_no_body_but_its_length(void **state)
{
    const char *vars[] = { "REQUEST_METHOD=HEAD", "REQUEST_URI=/", NULL };

    (void)state;
    exchange_begin(&x, vars, &err);
    str_adds(&x.answer, "hello");
    exchange_finish(&x);
    assert_non_null(strstr(x.out.s, "\r\nContent-Length: 5\r\n"));
    assert_string_equal(x.out.s + x.out.len - 4, "\r\n\r\n");
}

static void a_header_value_makes_no_second_line(void **state)
{
    (void)state;
    begin("/", NULL);
    exchange_header(&x, "Location", SPAN("/a\r\nSet-Cookie: b=c\n\x7f"));
    assert_string_equal(x.headers.s, "Location: /aSet-Cookie: b=c\r\n");
}

static void every_kind_of_error_is_a_problem_with_a_status(void **state)
{
    static const struct {
        enum err_kind kind;
        int status;
    } rows[] = { { ERR_NOT_FOUND, 404 }, { ERR_FOREIGN, 404 }, { ERR_INVALID, 422 }, { ERR_FINAL, 409 },
                 { ERR_STALE, 409 }, { ERR_STATE, 409 }, { ERR_EXPIRED, 410 }, { ERR_TOO_MANY, 429 },
                 { ERR_AWAY, 503 }, { ERR_FULL, 503 },
                 { ERR_FAILED, 500 }, { ERR_CONFIG, 500 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(problems[problem_of(rows[i].kind)].status, rows[i].status);
    for (int i = 0; i < PROBLEMS; i++)
        assert_string_not_equal(problem_reason(problems[i].status), "Unknown");
}

static void every_problem_has_its_words(void **state)
{
    (void)state;
    for (int i = PROBLEM_BAD_REQUEST; i < PROBLEMS; i++)
        for (size_t l = 0; l < locales_count(locales); l++) {
            assert_non_null(locale_find(locales_at(locales, l), span_of(problems[i].title)));
            assert_non_null(locale_find(locales_at(locales, l), span_of(problems[i].text)));
        }
}

static void a_problem_can_be_said_with_words_of_its_own(void **state)
{
    struct str out = STR_INIT;

    (void)state;
    begin("/", NULL);
    x.problem = exchange_say_with(&x, PROBLEM_INVALID, "otp.error_form", "length", "77");
    exchange_add_sentence(&x, &out);
    assert_non_null(strstr(out.s, "77"));
    str_free(&out);
}

static int open_all(void **state)
{
    const char *source = getenv("TOP_SOURCE");
    char *dir = xasprintf("%s/www/locales", source ? source : ".");
    int rc = locales_load(dir, "en", &locales, &err);

    (void)state;
    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    else
        x.locale = locales_default(locales);
    free(dir);
    return rc;
}

static int close_all(void **state)
{
    (void)state;
    exchange_free(&x);
    locales_free(locales);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_cut_and_each_segment_decoded),
        cmocka_unit_test(a_plus_in_a_path_is_a_plus),
        cmocka_unit_test(the_root_has_no_segment_and_a_final_slash_an_empty_one),
        cmocka_unit_test(a_bad_request_line_is_refused),
        cmocka_unit_test(a_path_of_any_length_is_taken),
        cmocka_unit_test(the_first_of_two_variables_of_a_name_counts),
        cmocka_unit_test(an_unknown_method_is_no_get),
        cmocka_unit_test(nothing_is_left_of_the_request_before),
        cmocka_unit_test(a_declared_length_is_a_plain_number),
        cmocka_unit_test(an_answer_has_status_headers_and_body),
        cmocka_unit_test(an_answer_to_head_has_no_body_but_its_length),
        cmocka_unit_test(a_header_value_makes_no_second_line),
        cmocka_unit_test(every_kind_of_error_is_a_problem_with_a_status),
        cmocka_unit_test(every_problem_has_its_words),
        cmocka_unit_test(a_problem_can_be_said_with_words_of_its_own),
    };
    return cmocka_run_group_tests_name("exchange", tests, open_all, close_all);
}
