/* test_route.c: finding rows of the table, and what the table must be like. */
#include "tests/unit/unit.h"

#include "web/route.h"

static struct route_names names;
static enum problem problem;

/* Segments of a path without leading slash, as exchange_begin cuts them; "" is the root. */
static size_t cut(const char *path, struct span segments[EXCHANGE_SEGMENTS])
{
    size_t count = 0;

    while (*path && count < EXCHANGE_SEGMENTS) {
        size_t len = strcspn(path, "/");
        segments[count++] = (struct span){ path, len };
        path += len;
        if (*path == '/' && *++path == '\0')
            segments[count++] = SPAN("");
    }
    return count;
}

static const struct route *find(enum method method, const char *path)
{
    struct span segments[EXCHANGE_SEGMENTS + 1];

    return route_find(method, segments, cut(path, segments), &names, &problem);
}

static void every_row_is_found_by_its_own_pattern(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        assert_ptr_equal(find(routes[i].method, routes[i].pattern + 1), &routes[i]);
        assert_int_equal(names.slug.s != NULL, strstr(routes[i].pattern, "{service}") != NULL);
        assert_int_equal(names.hash.s != NULL, strstr(routes[i].pattern, "{hash}") != NULL);
        assert_int_equal(names.id.s != NULL, strstr(routes[i].pattern, "{id}") != NULL);
    }
}

static void placeholders_are_handed_over(void **state)
{
    const struct route *route = find(METHOD_POST, "services/document-ocr/otp/req_X");

    (void)state;
    assert_ptr_equal(route->function, page_otp_submit);
    assert_true(span_is(names.slug, "document-ocr"));
    assert_true(span_is(names.hash, "req_X"));
    assert_ptr_equal(find(METHOD_GET, "api/local-requests/req_Y/status")->function, api_request_status);
    assert_null(names.slug.s);
    assert_true(span_is(names.hash, "req_Y"));
    assert_ptr_equal(find(METHOD_POST, "api/internal/jobs/job_Z/cancel")->function, api_job_cancel);
    assert_true(span_is(names.id, "job_Z"));
    assert_null(names.hash.s);
}

static void only_programs_and_the_looks_of_machines_are_without_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        const struct route *r = &routes[i];
        bool free_of = (r->flags & ROUTE_ALWAYS) || route_is_for_programs(r);

        assert_int_equal(r->limit == LIMIT_NONE, free_of);
        if (!free_of)
            assert_int_equal(limits[r->limit].open, r->method == METHOD_GET && r->limit != LIMIT_SIGN_IN); /* who acts waits for Redis */
    }
}

static void what_shares_a_round_trip_only_looks(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++)
        if (routes[i].flags & ROUTE_LOOKS) {
            assert_int_equal(routes[i].method, METHOD_GET);
            assert_true(routes[i].flags & (DEMAND_REQUEST | DEMAND_DATA));
            assert_false(routes[i].flags & (DEMAND_OPEN | DEMAND_NEWCOMER));
        }
}

static void head_is_served_as_get(void **state)
{
    (void)state;
    assert_ptr_equal(find(METHOD_HEAD, "")->function, page_home);
}

static void an_unknown_path_is_not_found(void **state)
{
    static const char *const paths[] = {
        "x", "services", "services/", "services/a/", "services/a/b", "services/a/progress", "services/a/progress/b/c",
        "services//progress/b", "requests/", "api", "api/local-requests/a",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_null(find(METHOD_GET, paths[i]));
        assert_int_equal(problem, PROBLEM_NOT_FOUND);
        assert_null(names.slug.s);
        assert_null(names.hash.s);
    }
}

static void another_method_is_told_apart_from_an_unknown_path(void **state)
{
    (void)state;
    assert_null(find(METHOD_POST, ""));
    assert_int_equal(problem, PROBLEM_METHOD);
    assert_null(find(METHOD_OTHER, "services/a"));
    assert_int_equal(problem, PROBLEM_METHOD);
    assert_null(find(METHOD_GET, "services/a/cancel/b"));
    assert_int_equal(problem, PROBLEM_METHOD);
}

static void assert_allowed(const char *path, const char *wanted)
{
    struct span segments[EXCHANGE_SEGMENTS + 1];
    struct str allowed = STR_INIT;

    str_reset(&allowed);
    route_allowed(segments, cut(path, segments), &allowed);
    assert_string_equal(allowed.s, wanted);
    str_free(&allowed);
}

static void allowed_methods_come_from_the_table(void **state)
{
    (void)state;
    assert_allowed("", "GET, HEAD");
    assert_allowed("services/a", "GET, HEAD, POST");
    assert_allowed("services/a/cancel/b", "POST");
    assert_allowed("api/internal/reminders/m1", "DELETE");
    assert_allowed("nothing", "");
}

/* Rules of the house that a new row could break. */
static void what_changes_something_demands_a_csrf_token_or_a_bearer_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++)
        if (routes[i].method != METHOD_GET)
            assert_true((routes[i].flags & DEMAND_CSRF) || route_is_for_programs(&routes[i]));
}

static void what_is_internal_demands_a_token_and_knows_no_cookies(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        bool internal = strncmp(routes[i].pattern, "/api/internal/", 14) == 0;
        assert_int_equal(internal, route_is_for_programs(&routes[i]));
        if (internal)
            assert_int_equal(routes[i].flags & (DEMAND_SESSION | DEMAND_NEWCOMER | DEMAND_CSRF | DEMAND_PERSON), 0);
    }
}

static void an_api_client_may_do_what_scripts_of_pages_do_with_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        bool requests = strncmp(routes[i].pattern, "/api/local-requests", 19) == 0;
        assert_int_equal(requests, (routes[i].flags & DEMAND_TOKEN(TOKEN_API)) != 0);
        if (requests) {
            assert_int_equal(routes[i].flags & DEMAND_SOME_TOKEN, DEMAND_TOKEN(TOKEN_API));
            assert_true(routes[i].flags & ROUTE_API);
            assert_int_equal(routes[i].flags & (DEMAND_NEWCOMER | DEMAND_USER), 0); /* who would get a cookie, or need one */
        }
    }
}

static void each_role_has_a_flag_of_its_own(void **state)
{
    unsigned all = 0;

    (void)state;
    for (int i = 0; i < TOKEN_ROLES; i++) {
        assert_int_equal(all & DEMAND_TOKEN(i), 0);
        all |= DEMAND_TOKEN(i);
    }
    assert_int_equal(all, DEMAND_SOME_TOKEN);
    assert_int_equal(all & (DEMAND_USER * 2 - 1), 0); /* nor does any of them stand for something else */
}

/* Looking whether a service is open ends what was read of a request. */
static void a_request_goes_on_when_its_service_is_closed(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++)
        assert_int_not_equal(routes[i].flags & (DEMAND_OPEN | DEMAND_REQUEST), DEMAND_OPEN | DEMAND_REQUEST);
}

/* Programs of the house are not asked whose it is: what bots may do needs a bot's token, and nothing else will do. */
static void what_names_a_request_demands_that_it_is_theirs_or_a_bots_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        bool internal = strstr(routes[i].pattern, "/api/internal/") != NULL;
        unsigned theirs = DEMAND_REQUEST | DEMAND_SESSION, demanded = DEMAND_SOME_TOKEN | theirs;
        if (strstr(routes[i].pattern, "{hash}") && internal)
            assert_int_equal(routes[i].flags & demanded, DEMAND_TOKEN(TOKEN_BOT));
        else if (strstr(routes[i].pattern, "{hash}"))
            assert_int_equal(routes[i].flags & theirs, theirs);
    }
}

static void accounts_and_notifications_are_for_users_alone(void **state)
{
    static const char *const places[] = { "/account/", "/notifications", "/api/notifications" };

    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        bool own = false;
        for (size_t j = 0; j < ARRAY_LEN(places); j++)
            own = own || strncmp(routes[i].pattern, places[j], strlen(places[j])) == 0;
        assert_int_equal(own, (routes[i].flags & DEMAND_USER) != 0);
        if (own)
            assert_true(routes[i].flags & DEMAND_SESSION);
    }
}

static void the_administrators_area_is_for_administrators_and_knows_no_visitor(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        bool area = strcmp(routes[i].pattern, "/admin") == 0 || strncmp(routes[i].pattern, "/admin/", 7) == 0;
        bool door = strcmp(routes[i].pattern, "/admin/sign-in") == 0;
        assert_int_equal(area, (routes[i].flags & ROUTE_ADMIN) != 0);
        assert_int_equal(area && !door, (routes[i].flags & DEMAND_ADMIN) != 0);
        if (area)
            assert_int_equal(routes[i].flags & (DEMAND_SESSION | DEMAND_NEWCOMER | DEMAND_REQUEST | DEMAND_SOME_TOKEN), 0);
        if (area && !door)
            assert_ptr_equal(routes[i].refused, page_sign_in_first);
    }
}

static void what_lies_under_api_answers_problems_as_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++)
        if (strncmp(routes[i].pattern, "/api/", 5) == 0)
            assert_true(routes[i].flags & ROUTE_API);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_own_pattern),
        cmocka_unit_test(placeholders_are_handed_over),
        cmocka_unit_test(only_programs_and_the_looks_of_machines_are_without_limit),
        cmocka_unit_test(what_shares_a_round_trip_only_looks),
        cmocka_unit_test(head_is_served_as_get),
        cmocka_unit_test(an_unknown_path_is_not_found),
        cmocka_unit_test(another_method_is_told_apart_from_an_unknown_path),
        cmocka_unit_test(allowed_methods_come_from_the_table),
        cmocka_unit_test(what_changes_something_demands_a_csrf_token_or_a_bearer_token),
        cmocka_unit_test(what_is_internal_demands_a_token_and_knows_no_cookies),
        cmocka_unit_test(an_api_client_may_do_what_scripts_of_pages_do_with_requests),
        cmocka_unit_test(each_role_has_a_flag_of_its_own),
        cmocka_unit_test(a_request_goes_on_when_its_service_is_closed),
        cmocka_unit_test(what_names_a_request_demands_that_it_is_theirs_or_a_bots_token),
        cmocka_unit_test(accounts_and_notifications_are_for_users_alone),
        cmocka_unit_test(the_administrators_area_is_for_administrators_and_knows_no_visitor),
        cmocka_unit_test(what_lies_under_api_answers_problems_as_json),
    };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
