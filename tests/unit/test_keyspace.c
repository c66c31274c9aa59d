/* test_keyspace.c: how many keys of which kind there are, and what is counted in the process first */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/keyspace.h"
#include "core/keys.h"
#include "core/tally.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

static struct err err;

static void a_key_is_known_by_its_name(void **state)
{
    static const struct {
        const char *key, *family;
    } cases[] = {
        { "local_request:req_1", "requests" },        { "{local_request:req_1}:guard", "guards" },
        { "{local_request:req_1}:events", "histories" }, { "{local_request:req_1}:otp", "mailboxes" },
        { "local_requests_list", "lists" },           { "peygir:session:abc", "sessions" },
        { "peygir:task:data:req_1", "jobs" },         { "peygir:mail:data:x:y", "jobs" },
        { "peygir:task:queue", "queues" },            { "peygir:mail:delayed", "queues" },
        { "peygir:mail:unique:x", "queues" },         { "peygir:limit:read:x", "limit" },
        { "peygir:cache:crypto_list_", "cache" },     { "peygir:stats:daily:2026-01-01", "stats" },
        { "peygir:workers", "workers" },              { "peygir2:task:queue", "other" },
        { "peygir:cache:data:x", "cache" },           { "peygir:limit:queue", "limit" },
        { "peygir:\xff:x", "other" },                 { "peygir:spa ce", "other" },
        { "peygir", "other" },                        { "", "other" },
        { "peygir:a-name-that-is-far-longer-than-thirty-one-bytes:x", "a-name-that-is-far-longer-than-" },
    };
    char family[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        keyspace_family(house_app()->house, span_of(cases[i].key), family);
        assert_string_equal(family, cases[i].family);
    }
}

static int64_t guessed(const struct keyspace *k, const char *family)
{
    for (size_t i = 0; i < k->families; i++)
        if (strcmp(k->family[i].name, family) == 0)
            return k->family[i].count;
    return 0;
}

static void kinds_are_guessed_and_the_total_is_counted(void **state)
{
    static const char fill[] = "for i = 1, 3000 do redis.call('SET', 'local_request:' .. i, 1) end for i = 1, 1000 do redis.call('SET', 'peygir:limit:' .. i, 1) end";
    struct keyspace k;
    int64_t sum = 0;

    (void)state;
    assert_int_equal(keyspace_guess(house_app(), &k, &err), 0);
    assert_int_equal(k.total, 0);
    assert_int_equal(k.families, 0);
    free(house_cli("EVAL", fill, "0", NULL));
    free(house_cli("-n", "2", "SET", "peygir:cache:x", "1", NULL));
    assert_int_equal(keyspace_guess(house_app(), &k, &err), 0);
    assert_int_equal(k.total, 4001);
    assert_string_equal(k.family[0].name, "requests");
    assert_in_range(guessed(&k, "requests"), 2300, 3600); /* eight times what it is off by usually */
    assert_in_range(guessed(&k, "limit"), 400, 1700);
    assert_int_equal(guessed(&k, "cache"), 1);
    for (size_t i = 0; i < k.families; i++)
        sum += k.family[i].count;
    assert_in_range(sum, 3998, 4004);
}

static void what_is_rare_is_told_at_once_and_brings_along_what_was_counted(void **state)
{
    int64_t count[TALLIES];

    (void)state;
    for (int i = 0; i < 5; i++)
        tally_count(house_app(), TALLY_SESSIONS_CHECKED);
    tally_count(house_app(), TALLY_SESSIONS_MADE);
    assert_int_equal(tally_read(house_app(), count, &err), 0);
    assert_int_equal(count[TALLY_SESSIONS_MADE], 1);
    assert_int_equal(count[TALLY_SESSIONS_CHECKED], 5);
    clock_test_offset(2000);
    tally_count(house_app(), TALLY_SESSIONS_CHECKED);
    assert_int_equal(tally_read(house_app(), count, &err), 0);
    assert_int_equal(count[TALLY_SESSIONS_CHECKED], 6);
}

#define FRESH(name) cmocka_unit_test_setup(name, house_fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_key_is_known_by_its_name),
        FRESH(kinds_are_guessed_and_the_total_is_counted),
        FRESH(what_is_rare_is_told_at_once_and_brings_along_what_was_counted),
    };
    return cmocka_run_group_tests_name("keyspace", tests, house_setup, house_teardown);
}
