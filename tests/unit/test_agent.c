/* test_agent.c: a browser in words. */
#include "tests/unit/unit.h"

#include "base/xmalloc.h"
#include "web/agent.h"

static void common_browsers_are_told_apart(void **state)
{
    static const struct {
        const char *header, *browser, *system;
    } rows[] = {
        { "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox", "Linux" },
        { "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome",
          "Windows" },
        { "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0", "Edge", "Windows" },
        { "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36",
          "Samsung Internet", "Android" },
        { "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile Safari/604.1",
          "Safari", "iPhone" },
        { "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 OPR/111.0",
          "Opera", "macOS" },
        { "curl/8.8.0", "curl", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct agent a = agent_read(rows[i].header);

        assert_string_equal(a.browser, rows[i].browser);
        if (rows[i].system)
            assert_string_equal(a.system, rows[i].system);
        else
            assert_null(a.system);
    }
}

static void what_is_not_known_is_not_guessed(void **state)
{
    static const char *const headers[] = { NULL, "", "<script>", "\xff\xfe" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct agent a = agent_read(headers[i]);

        assert_null(a.browser);
        assert_null(a.system);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_browsers_are_told_apart),
        cmocka_unit_test(what_is_not_known_is_not_guessed),
    };
    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
