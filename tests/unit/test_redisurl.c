/* test_redisurl.c: addresses of Redis. */
#include "tests/unit/unit.h"

#include "redis/redisurl.h"

static struct redisurl parsed(const char *text)
{
    struct redisurl u;
    struct err err = ERR_INIT;

    if (redisurl_parse(text, &u, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return u;
}

static void a_plain_address_has_port_6379_and_database_0(void **state)
{
    struct redisurl u = parsed("redis://redis.example");

    (void)state;
    assert_string_equal(u.host, "redis.example");
    assert_int_equal(u.port, 6379);
    assert_int_equal(u.db, 0);
    assert_null(u.path);
    assert_null(u.user);
    assert_null(u.password);
    redisurl_free(&u);
}

static void every_part_of_a_tcp_address_is_read(void **state)
{
    struct redisurl u = parsed("redis://al%40ice:p%3a%2Fss@127.0.0.1:7000/3");

    (void)state;
    assert_string_equal(u.user, "al@ice");
    assert_string_equal(u.password, "p:/ss");
    assert_string_equal(u.host, "127.0.0.1");
    assert_int_equal(u.port, 7000);
    assert_int_equal(u.db, 3);
    redisurl_free(&u);
}

static void a_password_may_come_without_a_user(void **state)
{
    struct redisurl u = parsed("redis://:secret@localhost/");

    (void)state;
    assert_null(u.user);
    assert_string_equal(u.password, "secret");
    assert_string_equal(u.host, "localhost");
    redisurl_free(&u);
}

static void an_ipv6_address_stands_in_brackets(void **state)
{
    struct redisurl u = parsed("redis://[::1]:7001/2");
    char *shown = redisurl_show(&u);

    (void)state;
    assert_string_equal(u.host, "::1");
    assert_int_equal(u.port, 7001);
    assert_string_equal(shown, "redis://[::1]:7001/2");
    free(shown);
    redisurl_free(&u);
}

static void every_part_of_a_socket_address_is_read(void **state)
{
    struct redisurl u = parsed("unix:///run/red%20is.sock?db=12&user=bob&password=a%26b");

    (void)state;
    assert_string_equal(u.path, "/run/red is.sock");
    assert_null(u.host);
    assert_int_equal(u.db, 12);
    assert_string_equal(u.user, "bob");
    assert_string_equal(u.password, "a&b");
    redisurl_free(&u);
}

static void a_wrong_address_is_refused_with_a_sentence(void **state)
{
    static const struct wrong {
        const char *text;
        const char *says;
    } wrong[] = {
        { "", "must begin with" },
        { "127.0.0.1:6379", "must begin with" },
        { "http://127.0.0.1", "must begin with" },
        { "redis://", "names no host" },
        { "redis://:6379", "names no host" },
        { "redis://h:0", "port" },
        { "redis://h:65536", "port" },
        { "redis://h:99999999999999999999", "port" },
        { "redis://h:6x", "port" },
        { "redis://h:", "port" },
        { "redis://h/x", "database" },
        { "redis://h/-1", "database" },
        { "redis://h/10000", "database" },
        { "redis://h?colour=red", "unknown option" },
        { "redis://[::1", "bracket" },
        { "redis://u:%zz@h", "password" },
        { "redis://u:%00@h", "password" },
        { "redis://u:%4@h", "password" },
        { "redis://u@h", "without a password" },
        { "unix://relative.sock", "whole path" },
        { "unix:///", "whole path" },
        { "unix:///a?db=", "database" },
        { "rediss://h", "TLS" },
        { "redis+sentinel://h/m", "Sentinel" },
        { "redis+cluster://h", "Cluster" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct redisurl u;
        struct err err = ERR_INIT;
        assert_int_equal(redisurl_parse(wrong[i].text, &u, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, wrong[i].says))
            fail_msg("%s: %s", wrong[i].text, err.text);
    }
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
    char text[200] = "unix:///";
    struct redisurl u;

    (void)state;
    memset(text + 8, 'x', 110);
    assert_int_equal(redisurl_parse(text, &u, NULL), -1);
}

static void errors_and_logs_never_show_the_password(void **state)
{
    struct redisurl u = parsed("redis://bob:hunter2@h/1");
    char *shown = redisurl_show(&u);
    struct err err = ERR_INIT;
    struct redisurl other;

    (void)state;
    assert_string_equal(shown, "redis://bob@h:6379/1");
    assert_int_equal(redisurl_parse("redis://bob:hunter2@h/x", &other, &err), -1);
    assert_null(strstr(err.text, "hunter2"));
    free(shown);
    redisurl_free(&u);
}

static bool same(const char *a, const char *b)
{
    struct redisurl x = parsed(a);
    struct redisurl y = parsed(b);
    bool equal = redisurl_same_server(&x, &y);

    redisurl_free(&x);
    redisurl_free(&y);
    return equal;
}

static void the_same_server_may_have_other_databases(void **state)
{
    (void)state;
    assert_true(same("redis://h/1", "redis://h:6379/2"));
    assert_true(same("unix:///s?db=1", "unix:///s?db=2"));
    assert_false(same("redis://h", "redis://h:6380"));
    assert_false(same("redis://h", "redis://i"));
    assert_false(same("redis://h", "redis://:x@h"));
    assert_false(same("redis://h", "unix:///h"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_address_has_port_6379_and_database_0),
        cmocka_unit_test(every_part_of_a_tcp_address_is_read),
        cmocka_unit_test(a_password_may_come_without_a_user),
        cmocka_unit_test(an_ipv6_address_stands_in_brackets),
        cmocka_unit_test(every_part_of_a_socket_address_is_read),
        cmocka_unit_test(a_wrong_address_is_refused_with_a_sentence),
        cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
        cmocka_unit_test(errors_and_logs_never_show_the_password),
        cmocka_unit_test(the_same_server_may_have_other_databases),
    };

    return cmocka_run_group_tests_name("redisurl", tests, NULL, NULL);
}
