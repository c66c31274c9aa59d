/* test_advice.c: what the settings of a server of Redis mean for Peygir */
#include "tests/unit/unit.h"

#include "base/str.h"
#include "core/advice.h"

#define GOOD                                                                                                                    \
    "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1000\r\nmaxmemory:100000\r\nmaxmemory_policy:noeviction\r\n" \
    "# Persistence\r\naof_enabled:1\r\naof_last_write_status:ok\r\n# Replication\r\nrole:master\r\n"

struct told {
    struct str all;
};

static void note(void *ctx, const struct advice *a)
{
    struct told *t = ctx;

    if (a->grade != GRADE_OK)
        str_addf(&t->all, "%s %s: %s\n", a->check, grade_names[a->grade], a->detail);
}

/* What is complained about. The caller frees it. */
static char *complaints(const char *info, const char *url)
{
    struct told t = { STR_INIT };
    struct redisurl parsed;

    assert_int_equal(redisurl_parse(url, &parsed, NULL), 0);
    str_reset(&t.all);
    advice_judge(span_of(info), &parsed, note, &t);
    redisurl_free(&parsed);
    return str_take(&t.all, NULL);
}

static void complains(const char *info, const char *url, const char *expected)
{
    char *text = complaints(info, url);

    if (!*expected)
        assert_string_equal(text, "");
    else if (!strstr(text, expected))
        fail_msg("expected \"%s\" in \"%s\"", expected, text);
    free(text);
}

static void a_server_as_it_should_be_is_not_complained_about(void **state)
{
    (void)state;
    complains(GOOD, "unix:///run/redis.sock?db=0", "");
    complains(GOOD, "redis://127.0.0.1", "");
    complains(GOOD, "redis://localhost:6380/2", "");
    complains(GOOD, "redis://peygir-web:secret@redis.example", "");
}

static void what_drops_keys_is_a_warning(void **state)
{
    (void)state;
    complains("redis_version:7.0.0\nmaxmemory:1\nused_memory:0\nmaxmemory_policy:allkeys-lru\naof_enabled:1\n", "unix:///s",
              "eviction warning: maxmemory-policy is allkeys-lru");
    complains("redis_version:7.0.0\nmaxmemory:1\nused_memory:0\nmaxmemory_policy:volatile-ttl\naof_enabled:1\n", "unix:///s",
              "eviction warning: maxmemory-policy is volatile-ttl");
    complains("redis_version:7.0.0\nmaxmemory:0\nmaxmemory_policy:allkeys-lru\naof_enabled:1\n", "unix:///s", "");
}

static void what_forgets_is_a_warning(void **state)
{
    (void)state;
    complains("redis_version:7.0.0\naof_enabled:0\n", "unix:///s", "persistence warning: appendonly is off");
    complains("redis_version:7.0.0\naof_enabled:1\naof_last_write_status:err\n", "unix:///s", "persistence warning: Redis cannot write");
}

static void a_server_nearly_full_is_a_warning(void **state)
{
    (void)state;
    complains("redis_version:7.0.0\naof_enabled:1\nmaxmemory:100\nused_memory:95\nmaxmemory_policy:noeviction\n", "unix:///s",
              "memory warning: 95 of 100 bytes are used");
}

static void an_old_server_and_a_replica_are_of_no_use(void **state)
{
    (void)state;
    complains("redis_version:6.2.14\naof_enabled:1\n", "unix:///s", "version failed: Redis 6.2.14 is too old");
    complains("redis_version:10.1.0\naof_enabled:1\n", "unix:///s", "");
    complains("redis_version:7.0.0\naof_enabled:1\nrole:slave\n", "unix:///s", "role failed: it is a replica");
}

static void an_open_door_is_a_warning(void **state)
{
    (void)state;
    complains(GOOD, "redis://10.0.0.7", "access warning: TCP to 10.0.0.7 without a password");
    complains(GOOD, "redis://redis.example:6379", "access warning");
}

static void a_strange_answer_does_no_harm(void **state)
{
    (void)state;
    complains("", "unix:///s", "version failed");
    complains("redis_version:", "unix:///s", "version failed");
    complains("redis_version\nmaxmemory:99999999999999999999999999\nrole", "unix:///s", "version failed");
}

static void cache_at(const char *info, const char *url, const char *expected)
{
    struct told t = { STR_INIT };
    struct redisurl parsed;

    assert_int_equal(redisurl_parse(url, &parsed, NULL), 0);
    str_reset(&t.all);
    advice_judge_cache(span_of(info), &parsed, note, &t);
    redisurl_free(&parsed);
    if (!*expected)
        assert_string_equal(t.all.s, "");
    else if (!strstr(t.all.s, expected))
        fail_msg("expected \"%s\" in \"%s\"", expected, t.all.s);
    str_free(&t.all);
}

static void cache_is(const char *info, const char *expected)
{
    cache_at(info, "unix:///s", expected);
}

static void a_server_of_the_cache_may_evict_and_forget(void **state)
{
    (void)state;
    cache_is("redis_version:7.0.0\nmaxmemory:1\nmaxmemory_policy:allkeys-lru\naof_enabled:0\nrole:master\n", "");
    cache_is("redis_version:7.0.0\nmaxmemory:0\nmaxmemory_policy:noeviction\n", "");
    cache_is("redis_version:7.0.0\nmaxmemory:1\nmaxmemory_policy:noeviction\n", "cache warning: its server has maxmemory-policy noeviction");
    cache_is("redis_version:7.0.0\nrole:slave\n", "cache failed: its server is a replica");
    cache_is("redis_version:6.2.0\n", "cache failed: its Redis 6.2.0 is too old");
}

static void an_open_door_to_the_cache_is_a_warning(void **state)
{
    (void)state;
    cache_at(GOOD, "redis://10.0.0.7", "cache warning: TCP to 10.0.0.7 without a password");
    cache_at(GOOD, "redis://redis.example:6379/2", "cache warning: TCP to redis.example without a password");
    cache_at("redis_version:7.0.0\nmaxmemory:1\nmaxmemory_policy:allkeys-lru\n", "redis://127.0.0.1", "");
    cache_at("redis_version:7.0.0\nmaxmemory:1\nmaxmemory_policy:allkeys-lru\n", "redis://peygir-web:secret@redis.example", "");
    cache_at("redis_version:7.0.0\nrole:slave\n", "redis://10.0.0.7", "cache failed: its server is a replica");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_as_it_should_be_is_not_complained_about),
        cmocka_unit_test(what_drops_keys_is_a_warning),
        cmocka_unit_test(what_forgets_is_a_warning),
        cmocka_unit_test(a_server_of_the_cache_may_evict_and_forget),
        cmocka_unit_test(a_server_nearly_full_is_a_warning),
        cmocka_unit_test(an_old_server_and_a_replica_are_of_no_use),
        cmocka_unit_test(an_open_door_is_a_warning),
        cmocka_unit_test(an_open_door_to_the_cache_is_a_warning),
        cmocka_unit_test(a_strange_answer_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
