/* test_cache_compute.c: what many ask for at once is computed once; and bad days of the cache (contract 4.3). */
#include "tests/unit/unit.h"

#include "tests/unit/cachehouse.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- computing once --- */

static atomic_int computed;
struct work {
    const char *value, *error;
    int waiters; /* so many are to wait for it before it is done */
};

static void await_waiters(int count)
{
    char *wanted = xasprintf("blocked_clients:%d\r", count);
    const struct reply *clients;

    do
        assert_non_null(clients = redis_do(other.redis, NULL, "INFO clients"));
    while (!strstr(clients->text.s, wanted));
    free(wanted);
}

static int work(void *arg, struct str *value, struct err *e)
{
    const struct work *w = arg;

    atomic_fetch_add(&computed, 1);
    if (w->waiters > 0)
        await_waiters(w->waiters);
    if (w->error)
        return err_set(e, ERR_FAILED, "%s", w->error);
    str_adds(value, w->value);
    return 0;
}

static int get_or_set(struct app *a, const char *key, const struct work *w, struct str *out, struct err *e)
{
    const struct cache_policy policy = { .fresh_ms = 60000, .stale_ms = 60000, .claim_ms = CLAIM_MS, .tags = &no_tags };

    return cache_get_or_set(a, span_of(key), &policy, work, (void *)w, out, e);
}

static void a_value_is_computed_when_there_is_none(void **state)
{
    struct str out = STR_INIT;

    (void)state;
    atomic_store(&computed, 0);
    assert_int_equal(get_or_set(&app, "a", &(struct work){ .value = "1" }, &out, &err), 0);
    assert_string_equal(out.s, "1");
    assert_int_equal(get_or_set(&app, "a", &(struct work){ .value = "2" }, &out, &err), 1);
    assert_string_equal(out.s, "1");
    assert_int_equal(atomic_load(&computed), 1);
    str_free(&out);
}

#define THREADS 50
struct asker {
    pthread_t thread;
    struct app app;
    const struct work *work;
    struct str out;
    struct err err;
    int result;
};

static void *ask(void *arg)
{
    struct asker *a = arg;

    a->result = get_or_set(&a->app, "a", a->work, &a->out, &a->err);
    return NULL;
}

static void ask_all(struct asker askers[THREADS], const struct work *w)
{
    atomic_store(&computed, 0);
    for (size_t i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){ .work = w };
        app_open(&askers[i].app, &house);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
}

static void forget_all(struct asker askers[THREADS])
{
    for (size_t i = 0; i < THREADS; i++) {
        app_close(&askers[i].app);
        str_free(&askers[i].out);
    }
}

static void of_fifty_who_ask_at_once_one_computes_and_all_have_the_value(void **state)
{
    struct asker askers[THREADS];

    (void)state;
    ask_all(askers, &(struct work){ .value = "once", .waiters = THREADS - 1 });
    for (size_t i = 0; i < THREADS; i++) {
        assert_true(askers[i].result >= 0);
        assert_string_equal(askers[i].out.s, "once");
    }
    assert_int_equal(atomic_load(&computed), 1);
    forget_all(askers);
}

static void when_computing_fails_those_who_wait_fail_with_it(void **state)
{
    struct asker askers[THREADS];

    (void)state;
    ask_all(askers, &(struct work){ .error = "no such coin", .waiters = THREADS - 1 });
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(askers[i].result, -1);
        assert_non_null(strstr(askers[i].err.text, "no such coin"));
    }
    assert_int_equal(atomic_load(&computed), 1);
    forget_all(askers);
}

static void a_stale_value_is_served_while_one_computes(void **state)
{
    struct str out = STR_INIT;
    const struct work w = { .value = "new" };

    (void)state;
    put_for_a_minute("a", "old", NULL);
    make_stale("a");
    struct cache_entry mine = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    atomic_store(&computed, 0);
    assert_int_equal(get_or_set(&other, "a", &w, &out, &err), 1);
    assert_string_equal(out.s, "old");
    assert_int_equal(atomic_load(&computed), 0);
    assert_int_equal(cache_release(&app, SPAN("a"), mine.claim, SPAN(""), 0, &err), 1);
    assert_int_equal(get_or_set(&other, "a", &w, &out, &err), 0);
    assert_string_equal(out.s, "new");
    make_stale("a");
    assert_int_equal(get_or_set(&other, "a", &(struct work){ .error = "broken" }, &out, &err), 1);
    assert_string_equal(out.s, "new");
    put_for_a_minute("empty", "", NULL);
    make_stale("empty");
    assert_int_equal(get_or_set(&other, "empty", &(struct work){ .error = "broken" }, &out, &err), 1);
    assert_string_equal(out.s, "");
    str_free(&out);
}

static void when_whoever_computes_dies_another_does(void **state)
{
    struct str out = STR_INIT;
    const struct cache_want want = { .claim = CACHE_CLAIM_STALE, .claim_ms = 50 };
    struct cache_entry entry;

    (void)state;
    assert_int_equal(cache_look(&app, SPAN("a"), &want, &entry, &err), 0);
    assert_true(*entry.claim);
    assert_int_equal(get_or_set(&other, "a", &(struct work){ .value = "1" }, &out, &err), 0);
    assert_string_equal(out.s, "1");
    str_free(&out);
}

static void nobody_waits_for_ever(void **state)
{
    const struct cache_policy policy = { .fresh_ms = 60000, .claim_ms = 30 };
    struct str out = STR_INIT;

    (void)state;
    claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    assert_int_equal(cache_get_or_set(&other, SPAN("a"), &policy, work, NULL, &out, &err), -1);
    assert_int_equal(err.kind, ERR_STATE);
    str_free(&out);
}

/* --- bad days --- */

static void a_full_cache_is_read_and_computed_past(void **state)
{
    struct str out = STR_INIT;

    (void)state;
    put_for_a_minute("a", "1", NULL);
    CACHE_RUN("CONFIG", "SET", "maxmemory", "1");
    value_is("a", "1");
    assert_int_equal(put("b", "1", 60000, 0, NULL, NULL), -1);
    assert_int_equal(err.kind, ERR_FULL);
    atomic_store(&computed, 0);
    assert_int_equal(get_or_set(&app, "b", &(struct work){ .value = "2" }, &out, &err), 0);
    assert_string_equal(out.s, "2");
    assert_int_equal(get_or_set(&app, "b", &(struct work){ .value = "3" }, &out, &err), 0);
    assert_int_equal(atomic_load(&computed), 2);
    CACHE_RUN("CONFIG", "SET", "maxmemory", "0");
    str_free(&out);
}

static void where_the_cache_does_not_take_the_value_nobody_waits_for_it(void **state)
{
    struct str out = STR_INIT;
    struct cache_entry mine;

    (void)state;
    mine = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    assert_int_equal(cache_release(&app, SPAN("a"), mine.claim, SPAN(""), 60000, &err), 1);
    atomic_store(&computed, 0);
    assert_int_equal(get_or_set(&other, "a", &(struct work){ .value = "1" }, &out, &err), 0);
    assert_int_equal(get_or_set(&other, "a", &(struct work){ .value = "2" }, &out, &err), 0);
    assert_string_equal(out.s, "2");
    assert_int_equal(atomic_load(&computed), 2);
    str_free(&out);
}

static void what_others_wrote_under_its_keys_is_an_error_and_no_value(void **state)
{
    struct cache_entry entry;
    struct str out = STR_INIT;

    (void)state;
    put_for_a_minute("a", "1", NULL);
    CACHE_RUN("DEL", "peygir:cache:a");
    CACHE_RUN("RPUSH", "peygir:cache:a", "x");
    assert_int_equal(cache_look(&app, SPAN("a"), NULL, &entry, &err), -1);
    assert_int_equal(get_or_set(&app, "a", &(struct work){ .value = "1" }, &out, &err), 0);
    assert_string_equal(out.s, "1");
    CACHE_RUN("DEL", "peygir:cache:a", "peygir:cache:fresh:a");
    CACHE_RUN("SET", "peygir:cache:a", "x");
    value_is("a", NULL);
    str_free(&out);
}

static void a_cache_that_is_away_is_remembered_so_and_costs_no_waiting(void **state)
{
    struct str out = STR_INIT;
    struct cache_entry entry;

    (void)state;
    put_for_a_minute("a", "1", NULL);
    server_kill();
    atomic_store(&computed, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(get_or_set(&app, "a", &(struct work){ .value = "2" }, &out, &err), 0);
    assert_string_equal(out.s, "2");
    assert_int_equal(atomic_load(&computed), 1000);
    assert_int_equal(cache_look(&app, SPAN("a"), NULL, &entry, &err), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_null(entry.value.s);
    str_free(&out);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_computed_when_there_is_none),
        TEST(of_fifty_who_ask_at_once_one_computes_and_all_have_the_value),
        TEST(when_computing_fails_those_who_wait_fail_with_it),
        TEST(a_stale_value_is_served_while_one_computes),
        TEST(when_whoever_computes_dies_another_does),
        TEST(nobody_waits_for_ever),
        TEST(a_full_cache_is_read_and_computed_past),
        TEST(where_the_cache_does_not_take_the_value_nobody_waits_for_it),
        TEST(what_others_wrote_under_its_keys_is_an_error_and_no_value),
        TEST(a_cache_that_is_away_is_remembered_so_and_costs_no_waiting),
    };
    return cmocka_run_group_tests_name("cache_compute", tests, open_house, close_house);
}
