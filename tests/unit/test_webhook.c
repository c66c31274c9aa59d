/* test_webhook.c: where API clients are called, and what they check. */
#include "tests/unit/unit.h"

#include "core/webhook.h"

#include <fcntl.h>
#include <unistd.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct secret *load(const char *keys)
{
    char file[] = "/tmp/peygir-webhook-XXXXXX";
    struct err err = ERR_INIT;
    struct secret *s = NULL;
    int fd = mkstemp(file);

    if (fd < 0 || write(fd, keys, strlen(keys)) < 0)
        fail_msg("cannot write %s", file);
    close(fd);
    if (secret_load(file, &s, &err) < 0)
        fail_msg("%s", err.text);
    unlink(file);
    return s;
}

static void addresses_are_urls_of_a_host_and_a_path(void **state)
{
    static const char *const good[] = { "https://client.example/", "http://10.0.0.7:8080/hooks/peygir", "HTTPS://x/y?token=1&a=..%2f", "https://[::1]:8/a.b/..c/" };
    static const char *const bad[] = {
        "", "client.example/", "ftp://client.example/", "https://client.example", "https:///x", "https://:80/x", "https://user@client.example/",
        "https://client.example/a/../b", "https://client.example/.", "https://client.example/%2E%2e/x", "https://client.example/a#b",
        "https://client.example/a b", "https://client.example/\r\nHost: x", "https://client.example\\@evil.example/", "https://client.example/\xd9\xbe",
        "https://a/,https://b/", "https://client.example?x=/", "https://client.example/\"",
    };
    char *longest = xcalloc(WEBHOOK_URL_MAX + 2, 1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_null(webhook_url_wrong(span_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (!webhook_url_wrong(span_of(bad[i])))
            fail_msg("\"%s\" counts as good", bad[i]);
    memset(longest, 'a', WEBHOOK_URL_MAX + 1);
    memcpy(longest, "https://x/", 10);
    assert_non_null(webhook_url_wrong(span_of(longest)));
    longest[WEBHOOK_URL_MAX] = '\0';
    assert_null(webhook_url_wrong(span_of(longest)));
    free(longest);
}

static void only_what_was_allowed_is_called(void **state)
{
    static const struct {
        const char *url;
        bool allowed;
    } cases[] = {
        { "https://a.example/hooks/", true },      { "https://a.example/hooks/one?x=1", true }, { "https://a.example/hooks", false },
        { "https://a.example/other", false },      { "https://b.example/exact", true },         { "https://b.example/exact/more", false },
        { "https://b.example/exact?x", false },    { "https://a.example.evil/hooks/", false },  { "http://a.example/hooks/", false },
        { "https://a.example:444/hooks/", false },
    };
    struct str kept = STR_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(webhook_addresses(&kept, SPAN("https://a.example/hooks/,https://b.example/exact"), &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (webhook_allows((struct span){ kept.s, kept.len }, span_of(cases[i].url)) != cases[i].allowed)
            fail_msg("%s", cases[i].url);
    assert_false(webhook_allows(SPAN(""), SPAN("https://a.example/")));
    str_free(&kept);
}

static void a_list_with_a_wrong_address_is_refused_and_says_which(void **state)
{
    struct str kept = STR_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(webhook_addresses(&kept, SPAN("https://a.example/,nonsense"), &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.text, "nonsense"));
    str_reset(&kept);
    assert_int_equal(webhook_addresses(&kept, SPAN("https://a.example/,"), &err), -1);
    str_free(&kept);
}

static void each_key_of_the_file_signs_and_each_token_has_its_own_secret(void **state)
{
    struct secret *two = load("22222222222222222222222222222222\n11111111111111111111111111111111\n"),
                  *one = load("11111111111111111111111111111111\n");
    struct str secret = STR_INIT, same = STR_INIT, other = STR_INIT, signs = STR_INIT, alone = STR_INIT;

    (void)state;
    webhook_add_secret(&secret, one, 0, DIGEST);
    webhook_add_secret(&same, two, 1, DIGEST);
    webhook_add_secret(&other, one, 0, "f" DIGEST);
    assert_string_equal(secret.s, same.s);
    assert_string_not_equal(secret.s, other.s);
    assert_int_equal(strncmp(secret.s, "whsec_", 6), 0);
    webhook_add_signatures(&signs, two, DIGEST, "msg_1", 1700000000, SPAN("{}"));
    webhook_add_signatures(&alone, one, DIGEST, "msg_1", 1700000000, SPAN("{}"));
    assert_int_equal(signs.len, 2 * alone.len + 1);
    assert_string_equal(signs.s + alone.len + 1, alone.s);
    str_reset(&alone);
    webhook_add_signatures(&alone, one, DIGEST, "msg_2", 1700000000, SPAN("{}"));
    assert_null(strstr(signs.s, alone.s));
    secret_free(two);
    secret_free(one);
    str_free(&secret);
    str_free(&same);
    str_free(&other);
    str_free(&signs);
    str_free(&alone);
}

static void what_is_left_alone_is_the_host_of_an_address(void **state)
{
    static const char *const cases[][2] = { { "https://client.example/a/b?c", "https://client.example" }, { "http://10.0.0.7:8080/", "http://10.0.0.7:8080" },
                                            { "https://[::1]:8/x", "https://[::1]:8" } };
    struct str origin = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_reset(&origin);
        webhook_add_origin(&origin, span_of(cases[i][0]));
        assert_string_equal(origin.s, cases[i][1]);
    }
    str_free(&origin);
}

static void what_a_request_remembers_is_read_back(void **state)
{
    struct str json = STR_INIT, url = STR_INIT, digest = STR_INIT;

    (void)state;
    webhook_add_listener(&json, SPAN("https://a.example/hooks/x?y=1"), DIGEST);
    assert_true(webhook_read_listener((struct span){ json.s, json.len }, &url, &digest));
    assert_string_equal(url.s, "https://a.example/hooks/x?y=1");
    assert_string_equal(digest.s, DIGEST);
    assert_false(webhook_read_listener(SPAN("{\"url\":\"file:///etc/passwd\",\"token\":\"x\"}"), &url, &digest));
    assert_false(webhook_read_listener(SPAN("{\"url\":7}"), &url, &digest));
    str_free(&json);
    str_free(&url);
    str_free(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_urls_of_a_host_and_a_path),
        cmocka_unit_test(only_what_was_allowed_is_called),
        cmocka_unit_test(a_list_with_a_wrong_address_is_refused_and_says_which),
        cmocka_unit_test(each_key_of_the_file_signs_and_each_token_has_its_own_secret),
        cmocka_unit_test(what_is_left_alone_is_the_host_of_an_address),
        cmocka_unit_test(what_a_request_remembers_is_read_back),
    };
    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
