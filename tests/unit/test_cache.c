/* test_cache.c: values kept for a while, where any key may be evicted at any time (contract 4.3). */
#include "tests/unit/unit.h"

#include "tests/unit/cachehouse.h"

/* --- names --- */

static void keys_are_checked_and_ours_cannot_be_named(void **state)
{
    static const char *const good[] = { "a", "crypto_list", "crypto_chart_days=7_id=bitcoin", "a-b.c:d,e+f@g~h%20", "freshness", "tags" };
    static const char *const bad[] = { "", "a b", "a/b", "a*", "a\n", "{a}", "\xd8\xb3", "fresh:a", "claim:a", "done:1-a", "tag:a" };
    char longest[CACHE_KEY_MAX + 2] = "";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(cache_check_key(span_of(good[i]), &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(cache_check_key(span_of(bad[i]), &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
    assert_int_equal(cache_check_key((struct span){ "a\0b", 3 }, &err), -1);
    memset(longest, 'k', CACHE_KEY_MAX);
    assert_int_equal(cache_check_key(span_of(longest), &err), 0);
    put_for_a_minute(longest, "long", NULL);
    value_is(longest, "long");
    longest[CACHE_KEY_MAX - 1] = 'l';
    value_is(longest, NULL);
    longest[CACHE_KEY_MAX] = 'k';
    assert_int_equal(cache_check_key(span_of(longest), &err), -1);
    assert_int_equal(cache_check_tag(SPAN("tag:a"), &err), 0);
    assert_int_equal(cache_check_tag(SPAN("a b"), &err), -1);
    assert_int_equal(cache_check_tag(SPAN("a,b"), &err), -1);
}

/* --- putting and looking --- */

static void a_value_is_found_as_it_was_put_and_lies_raw_in_its_own_database(void **state)
{
    const struct cache_new n = { .value = { "a\0\xff", 3 }, .fresh_ms = 60000, .stale_ms = 40000, .etag = SPAN("\"v1\""),
                                 .modified = SPAN("Sat, 28 Nov 2026 00:00:00 GMT"), .type = SPAN("text/plain") };
    struct cache_entry entry;
    long long left;

    (void)state;
    assert_int_equal(cache_put(&app, SPAN("page:1"), &n, &err), 1);
    entry = look("page:1");
    assert_int_equal(entry.value.len, 3);
    assert_memory_equal(entry.value.s, "a\0\xff", 3);
    assert_true(span_is(entry.etag, "\"v1\"") && span_is(entry.modified, "Sat, 28 Nov 2026 00:00:00 GMT") && span_is(entry.type, "text/plain"));
    assert_true(entry.age_ms >= 0 && entry.age_ms < 60000);
    assert_true(entry.fresh_ms > 0 && entry.fresh_ms <= 60000);
    assert_true(entry.ends_ms > 60000 && entry.ends_ms <= 100000);
    assert_string_equal(entry.claim, "");
    put_for_a_minute("crypto_list", "[1]", NULL);
    assert_cached("[1]", "GET", "peygir:cache:crypto_list");
    left = CACHE_NUMBER("PTTL", "peygir:cache:crypto_list");
    assert_true(left > 60000 && left <= 120000);
    assert_redis("0", "DBSIZE");
    value_is("nothing", NULL);
}

static void a_value_without_a_claim_lives_exactly_as_long_as_was_said(void **state)
{
    (void)state;
    put_for_a_minute("a", "1", NULL);
    assert_int_equal(CACHE_NUMBER("HGET", "peygir:cache:fresh:a", "fresh") - CACHE_NUMBER("HGET", "peygir:cache:fresh:a", "at"), 60000);
    assert_int_equal(CACHE_NUMBER("PEXPIRETIME", "peygir:cache:a"), CACHE_NUMBER("PEXPIRETIME", "peygir:cache:fresh:a"));
}

static void what_came_together_does_not_go_together(void **state)
{
    long long shortest = 60000, longest = 0;
    char key[32];

    (void)state;
    for (int i = 0; i < 40; i++) {
        char *beside = xasprintf("peygir:cache:fresh:%d", i);
        long long fresh;

        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(put(key, "1", 60000, 0, NULL, claim_for(&app, key, CACHE_CLAIM_STALE, NULL).claim), 1);
        fresh = CACHE_NUMBER("HGET", beside, "fresh") - CACHE_NUMBER("HGET", beside, "at");
        shortest = fresh < shortest ? fresh : shortest;
        longest = fresh > longest ? fresh : longest;
        free(beside);
    }
    assert_true(shortest >= 54000 && longest <= 60000 && longest - shortest > 1000);
}

static void a_stale_value_is_served_until_it_ends(void **state)
{
    struct cache_entry entry;

    (void)state;
    put_for_a_minute("a", "1", NULL);
    make_stale("a");
    entry = look("a");
    assert_true(span_is(entry.value, "1"));
    assert_true(entry.fresh_ms <= 0 && entry.ends_ms > 0);
}

static void the_new_value_takes_everything_of_the_old_with_it(void **state)
{
    const struct cache_new n = { .value = SPAN("1"), .fresh_ms = 60000, .etag = SPAN("x"), .type = SPAN("text/html"), .tags = &one_tag };

    (void)state;
    assert_int_equal(cache_put(&app, SPAN("a"), &n, &err), 1);
    put_for_a_minute("a", "2", NULL);
    assert_int_equal(look("a").etag.len, 0);
    assert_int_equal(look("a").type.len, 0);
    CACHE_RUN("DEL", "peygir:cache:tag:prices");
    value_is("a", "2");
}

static void a_value_may_have_a_megabyte_and_of_a_source_four(void **state)
{
    char *bytes = xcalloc(1, CACHE_SOURCE_MAX + 1);
    struct cache_new n = { .value = { bytes, CACHE_VALUE_MAX }, .fresh_ms = 60000 };

    (void)state;
    assert_int_equal(cache_put(&app, SPAN("a"), &n, &err), 1);
    n.value.len++;
    assert_int_equal(cache_put(&app, SPAN("b"), &n, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    n.source = true;
    n.value.len = CACHE_SOURCE_MAX;
    assert_int_equal(cache_put(&app, SPAN("c"), &n, &err), 1);
    assert_int_equal(look("c").value.len, CACHE_SOURCE_MAX);
    n.value.len++;
    assert_int_equal(cache_put(&app, SPAN("d"), &n, &err), -1);
    free(bytes);
}

static void many_are_put_and_found_in_one_round_trip_each(void **state)
{
    struct cache_pair pairs[50];
    struct cache_entry found[51];
    struct span keys[51];
    char names[51][32];
    uint64_t before;

    (void)state;
    look("first"); /* the script is loaded, the database known */
    put_for_a_minute("first", "", NULL);
    for (size_t i = 0; i < 51; i++) {
        snprintf(names[i], sizeof names[i], "k%zu", i);
        keys[i] = span_of(names[i]);
        if (i < 50)
            pairs[i] = (struct cache_pair){ keys[i], { .value = keys[i], .fresh_ms = 60000 } };
    }
    before = redis_round_trips(app.cache_redis);
    assert_int_equal(cache_put_many(&app, pairs, 50, &err), 0);
    assert_int_equal(redis_round_trips(app.cache_redis), before + 1);
    assert_int_equal(cache_look_many(&app, keys, 51, NULL, found, &err), 0);
    assert_int_equal(redis_round_trips(app.cache_redis), before + 2);
    for (size_t i = 0; i < 50; i++)
        assert_true(span_eq(found[i].value, keys[i]));
    assert_null(found[50].value.s);
    assert_int_equal(cache_look_many(&app, keys, 0, NULL, found, &err), 0);
    assert_int_equal(cache_put_many(&app, pairs, 0, &err), 0);
}

static void a_server_that_has_lost_its_scripts_gives_values_and_claims_all_the_same(void **state)
{
    const struct cache_want want = { .claim = CACHE_CLAIM_STALE, .claim_ms = CLAIM_MS };
    const struct span keys[] = { SPAN("a"), SPAN("b") };
    struct cache_entry found[2];

    (void)state;
    put_for_a_minute("a", "1", NULL);
    put_for_a_minute("b", "2", NULL);
    value_is("a", "1");
    CACHE_RUN("SCRIPT", "FLUSH");
    value_is("a", "1");
    CACHE_RUN("SCRIPT", "FLUSH");
    assert_int_equal(cache_look_many(&app, keys, 2, NULL, found, &err), 0);
    assert_true(span_is(found[0].value, "1") && span_is(found[1].value, "2"));
    make_stale("a");
    CACHE_RUN("SCRIPT", "FLUSH");
    assert_int_equal(cache_look(&app, SPAN("a"), &want, &found[0], &err), 1);
    assert_true(*found[0].claim && found[0].held.len == 0);
    assert_int_equal(put("a", "3", 60000, 0, NULL, found[0].claim), 1);
    value_is("a", "3");
}

static void several_are_claimed_at_once_each_with_its_tags_also_when_the_scripts_are_lost(void **state)
{
    const struct cache_want wants[] = { { CACHE_CLAIM_STALE, CLAIM_MS, &one_tag, false }, { CACHE_CLAIM_STALE, CLAIM_MS, NULL, false },
                                        { CACHE_CLAIM_STALE, CLAIM_MS, NULL, false } };
    const struct span keys[] = { SPAN("a"), SPAN("b"), SPAN("c") }, tag = SPAN("prices");
    struct cache_entry found[3];

    (void)state;
    put_for_a_minute("b", "2", NULL);
    put_for_a_minute("c", "3", NULL);
    make_stale("c");
    CACHE_RUN("SCRIPT", "FLUSH");
    assert_int_equal(cache_look_many(&app, keys, 3, wants, found, &err), 0);
    assert_true(!found[0].value.s && span_is(found[1].value, "2") && span_is(found[2].value, "3"));
    assert_true(*found[0].claim && !*found[1].claim && *found[2].claim && found[0].held.len == 0 && found[2].held.len == 0);
    assert_int_equal(put("c", "4", 60000, 0, NULL, found[2].claim), 1);
    assert_int_equal(cache_invalidate(&other, &tag, 1, &err), 1);
    assert_int_equal(put("a", "1", 60000, 0, &one_tag, found[0].claim), 0);
}

/* --- claims --- */

static void of_all_who_look_one_gets_the_claim_in_the_same_round_trip(void **state)
{
    struct cache_entry mine, theirs;
    char claim[CACHE_CLAIM_SIZE];
    uint64_t before;

    (void)state;
    look("a");
    before = redis_round_trips(app.cache_redis);
    mine = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    assert_int_equal(redis_round_trips(app.cache_redis), before + 1);
    assert_true(*mine.claim);
    theirs = claim_for(&other, "a", CACHE_CLAIM_STALE, NULL);
    assert_string_equal(theirs.claim, "");
    assert_true(span_is(theirs.held, mine.claim));
    assert_true(theirs.wait_ms > 0 && theirs.wait_ms <= CLAIM_MS);
    memcpy(claim, mine.claim, sizeof claim);
    assert_int_equal(put("a", "1", 60000, 0, NULL, claim), 1);
    assert_cached("0", "EXISTS", "peygir:cache:claim:a");
    value_is("a", "1");
    assert_string_equal(claim_for(&app, "a", CACHE_CLAIM_STALE, NULL).claim, "");
    assert_true(*claim_for(&app, "a", CACHE_CLAIM_ALWAYS, NULL).claim);
}

static void a_stale_value_is_served_to_the_one_who_makes_it_anew_and_to_the_others(void **state)
{
    (void)state;
    put_for_a_minute("a", "1", NULL);
    make_stale("a");
    struct cache_entry mine = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL), theirs = claim_for(&other, "a", CACHE_CLAIM_STALE, NULL);
    assert_true(*mine.claim && span_is(mine.value, "1"));
    assert_true(!*theirs.claim && span_is(theirs.value, "1"));
}

static void whoever_is_late_does_not_overwrite_what_came_later(void **state)
{
    (void)state;
    struct cache_entry first = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    CACHE_RUN("DEL", "peygir:cache:claim:a"); /* its time is over */
    struct cache_entry second = claim_for(&other, "a", CACHE_CLAIM_STALE, NULL);
    assert_true(*second.claim);
    assert_int_equal(put("a", "late", 60000, 0, NULL, first.claim), 0);
    value_is("a", NULL);
    assert_int_equal(put("a", "second", 60000, 0, NULL, second.claim), 1);
    assert_int_equal(put("a", "late", 60000, 0, NULL, first.claim), 0);
    value_is("a", "second");
    struct cache_entry third = claim_for(&app, "a", CACHE_CLAIM_ALWAYS, NULL);
    put_for_a_minute("a", "told", NULL);
    assert_int_equal(put("a", "late", 60000, 0, NULL, third.claim), 0);
    value_is("a", "told");
}

static void a_claim_that_is_taken_over_lasts_as_long_as_a_new_one(void **state)
{
    struct cache_entry mine, taken;
    char claim[CACHE_CLAIM_SIZE];

    (void)state;
    mine = claim_for(&app, "a", CACHE_CLAIM_STALE, &one_tag);
    memcpy(claim, mine.claim, sizeof claim);
    CACHE_RUN("PEXPIRE", "peygir:cache:claim:a", "5000");
    CACHE_RUN("PEXPIRE", "peygir:cache:tag:prices", "5000");
    assert_true(claim_for(&other, "a", CACHE_CLAIM_STALE, &one_tag).wait_ms <= 5000);
    taken = claim_for(&other, "a", CACHE_CLAIM_ALWAYS, &one_tag);
    assert_true(span_is(taken.held, claim) && taken.wait_ms > 5000 && taken.wait_ms <= CLAIM_MS);
    assert_true(CACHE_NUMBER("PTTL", "peygir:cache:tag:prices") > 5000);
    assert_int_equal(put("a", "1", 60000, 0, &one_tag, claim), 1);
    mine = claim_for(&app, "b", CACHE_CLAIM_STALE, NULL);
    assert_int_equal(cache_release(&app, SPAN("b"), mine.claim, SPAN("away"), 5000, &err), 1);
    assert_true(claim_for(&app, "b", CACHE_CLAIM_ALWAYS, NULL).wait_ms <= 5000); /* a note does not last longer */
}

static void a_failure_leaves_the_good_value_and_is_told_for_a_while(void **state)
{
    struct cache_entry entry;

    (void)state;
    put_for_a_minute("a", "1", NULL);
    make_stale("a");
    entry = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    assert_int_equal(cache_release(&app, SPAN("a"), entry.claim, SPAN("the source is away"), 30000, &err), 1);
    assert_int_equal(cache_release(&app, SPAN("a"), entry.claim, SPAN("again"), 30000, &err), 0);
    entry = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    assert_true(span_is(entry.value, "1") && span_is(entry.failed, "the source is away"));
    assert_true(!*entry.claim && entry.held.len == 0 && entry.wait_ms > 20000 && entry.wait_ms <= 30000);
    CACHE_RUN("DEL", "peygir:cache:claim:a");
    entry = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    assert_true(*entry.claim);
    assert_int_equal(cache_release(&app, SPAN("a"), entry.claim, SPAN(""), 0, &err), 1);
    assert_true(*claim_for(&app, "a", CACHE_CLAIM_STALE, NULL).claim);
}

static void a_value_that_is_still_good_is_fresh_again(void **state)
{
    const struct cache_new put_new = { .value = SPAN("1"), .fresh_ms = 1000, .stale_ms = 1000, .etag = SPAN("x"), .tags = &one_tag };
    struct cache_new again = { .fresh_ms = 60000, .stale_ms = 60000, .modified = SPAN("today") };
    struct cache_entry entry;
    char claim[CACHE_CLAIM_SIZE];

    (void)state;
    assert_int_equal(cache_put(&app, SPAN("a"), &put_new, &err), 1);
    make_stale("a");
    memcpy(claim, claim_for(&app, "a", CACHE_CLAIM_STALE, &one_tag).claim, sizeof claim);
    again.claim = claim;
    assert_int_equal(cache_renew(&app, SPAN("a"), &again, &err), 1);
    entry = look("a");
    assert_true(span_is(entry.value, "1") && span_is(entry.etag, "x") && span_is(entry.modified, "today"));
    assert_true(entry.fresh_ms >= 53000 && entry.ends_ms >= 113000);
    assert_true(CACHE_NUMBER("PTTL", "peygir:cache:tag:prices") >= 113000);
    assert_int_equal(cache_renew(&app, SPAN("a"), &again, &err), -1);
    assert_int_equal(err.kind, ERR_STALE);
    memcpy(claim, claim_for(&app, "a", CACHE_CLAIM_ALWAYS, NULL).claim, sizeof claim);
    CACHE_RUN("DEL", "peygir:cache:a");
    assert_int_equal(cache_renew(&app, SPAN("a"), &again, &err), 0);
    assert_int_equal(put("a", "2", 60000, 0, NULL, claim), 1);
}

/* --- tags --- */

static int64_t invalidate(const char *tag)
{
    const struct span t = span_of(tag);

    return cache_invalidate(&app, &t, 1, &err);
}

static void invalidating_a_tag_ends_all_that_bears_it_and_nothing_else(void **state)
{
    (void)state;
    put_for_a_minute("a", "1", &one_tag);
    put_for_a_minute("b", "2", &two_tags);
    put_for_a_minute("c", "3", NULL);
    assert_int_equal(invalidate("coins"), 1);
    value_is("a", "1");
    value_is("b", NULL);
    assert_int_equal(invalidate("prices"), 1);
    value_is("a", NULL);
    value_is("c", "3");
    assert_int_equal(invalidate("unknown"), 0);
    assert_cached("0", "EXISTS", "peygir:cache:tag:unknown");
    put_for_a_minute("a", "4", &one_tag);
    value_is("a", "4");
}

static void invalidating_costs_the_same_however_many_bear_the_tag(void **state)
{
    char key[32];
    uint64_t before;

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "%d", i);
        put_for_a_minute(key, "1", &one_tag);
    }
    before = redis_round_trips(app.cache_redis);
    CACHE_RUN("CONFIG", "RESETSTAT");
    assert_int_equal(invalidate("prices"), 1);
    assert_true(redis_round_trips(app.cache_redis) <= before + 2); /* one more loads the script */
    char *stats = CACHED("INFO", "commandstats");
    assert_null(strstr(stats, "cmdstat_scan"));
    assert_null(strstr(stats, "cmdstat_del"));
    assert_non_null(strstr(stats, "cmdstat_set:calls=1,"));
    free(stats);
    value_is("0", NULL);
    value_is("99", NULL);
}

static void what_is_made_while_its_tag_is_invalidated_is_not_kept(void **state)
{
    (void)state;
    struct cache_entry mine = claim_for(&app, "a", CACHE_CLAIM_STALE, &one_tag);
    assert_int_equal(invalidate("prices"), 1);
    assert_int_equal(put("a", "of before", 60000, 0, &one_tag, mine.claim), 0);
    value_is("a", NULL);
    mine = claim_for(&app, "a", CACHE_CLAIM_STALE, &one_tag);
    assert_true(*mine.claim);
    assert_int_equal(put("a", "of after", 60000, 0, &one_tag, mine.claim), 1);
    value_is("a", "of after");
    mine = claim_for(&app, "a", CACHE_CLAIM_ALWAYS, &one_tag);
    assert_int_equal(invalidate("prices"), 1);
    CACHE_RUN("DEL", "peygir:cache:tag:prices"); /* and the stamp is evicted */
    assert_int_equal(put("a", "of before", 60000, 0, &one_tag, mine.claim), 0);
    value_is("a", NULL);
}

static void a_tag_outlives_all_that_bears_it(void **state)
{
    (void)state;
    assert_int_equal(put("long", "1", 500000, 500000, &one_tag, NULL), 1);
    assert_int_equal(put("short", "1", 1000, 0, &one_tag, NULL), 1);
    assert_true(CACHE_NUMBER("PTTL", "peygir:cache:tag:prices") > 900000);
    assert_int_equal(invalidate("prices"), 1);
    assert_true(CACHE_NUMBER("PTTL", "peygir:cache:tag:prices") > 900000);
}

/* --- eviction --- */

static void an_entry_of_which_any_key_is_evicted_is_no_entry(void **state)
{
    static const char *const keys[] = { "peygir:cache:a", "peygir:cache:fresh:a", "peygir:cache:tag:prices", "peygir:cache:tag:coins" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        put_for_a_minute("a", "1", &two_tags);
        value_is("a", "1");
        assert_cached("1", "DEL", keys[i]);
        value_is("a", NULL);
        if (i >= 2) { /* a stamp that is made anew is another one */
            put_for_a_minute("b", "1", &two_tags);
            value_is("a", NULL);
        }
    }
    counted("a:evictions", "4"); /* a stamp that was made anew tells nothing of the one before */
    put_for_a_minute("a", "2", &two_tags);
    assert_cached("1", "DEL", "peygir:stats:cache");
    value_is("a", "2");
    counted("a:hits", "1");
}

static void a_claim_that_is_evicted_is_given_to_the_next(void **state)
{
    (void)state;
    struct cache_entry first = claim_for(&app, "a", CACHE_CLAIM_STALE, NULL);
    assert_cached("1", "DEL", "peygir:cache:claim:a");
    assert_int_equal(put("a", "1", 60000, 0, NULL, first.claim), 0);
    assert_int_equal(cache_release(&app, SPAN("a"), first.claim, SPAN("x"), 1000, &err), 0);
    assert_true(*claim_for(&app, "a", CACHE_CLAIM_STALE, NULL).claim);
}

/* --- counting --- */

static void hits_misses_and_sets_are_counted_by_prefix_without_a_round_trip(void **state)
{
    const struct cache_want uncounted = { .uncounted = true };
    struct cache_entry entry;

    (void)state;
    put_for_a_minute("crypto_list", "1", NULL);
    put_for_a_minute("crypto:other", "1", NULL);
    look("crypto_list");
    look("crypto_none");
    look("alone");
    assert_int_equal(cache_look(&app, SPAN("crypto_list"), &uncounted, &entry, &err), 1);
    counted("crypto:sets", "2");
    counted("crypto:hits", "1");
    counted("crypto:misses", "1");
    counted("alone:misses", "1");
    counted("crypto:evictions", "");
    look("_x");
    counted("*:misses", "1");
}

static void counters_have_a_bound(void **state)
{
    static char names[1100][32];
    static struct span keys[ARRAY_LEN(names)];
    static struct cache_entry found[ARRAY_LEN(names)];

    (void)state;
    look("last_x"); /* the script is loaded */
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(names[i], sizeof names[i], "p%zu_x", i);
        keys[i] = span_of(names[i]);
    }
    assert_int_equal(cache_look_many(&app, keys, ARRAY_LEN(keys), NULL, found, &err), 0);
    look("last_x");
    assert_int_equal(CACHE_NUMBER("HLEN", "peygir:stats:cache"), 1001);
    counted("*:misses", "101");
    look("p0_x");
    counted("p0:misses", "2");
}

/* --- looking after it --- */

static void what_is_forgotten_is_gone_and_who_makes_it_is_too_late(void **state)
{
    const struct span keys[] = { SPAN("a"), SPAN("b"), SPAN("none") };

    (void)state;
    put_for_a_minute("a", "1", NULL);
    put_for_a_minute("b", "1", NULL);
    put_for_a_minute("c", "1", NULL);
    struct cache_entry mine = claim_for(&app, "a", CACHE_CLAIM_ALWAYS, NULL);
    assert_int_equal(cache_forget(&app, keys, ARRAY_LEN(keys), &err), 2);
    assert_int_equal(put("a", "late", 60000, 0, NULL, mine.claim), 0);
    value_is("a", NULL);
    value_is("b", NULL);
    value_is("c", "1");
    counted("a:evictions", "");
}

static void clearing_a_prefix_leaves_the_others_and_clearing_all_leaves_nothing(void **state)
{
    char key[32];

    (void)state;
    for (int i = 0; i < 1200; i++) { /* more than a step */
        snprintf(key, sizeof key, "page:%d", i);
        put_for_a_minute(key, "1", &one_tag);
    }
    put_for_a_minute("fresh", "1", &one_tag);
    put_for_a_minute("user:1", "1", &one_tag);
    claim_for(&app, "user:2", CACHE_CLAIM_STALE, &two_tags);
    CACHE_RUN("SET", "peygir:queue", "of somebody else");
    assert_int_equal(cache_clear(&app, SPAN("page:"), true, &err), 1200);
    value_is("page:7", "1");
    assert_int_equal(cache_clear(&app, SPAN("page:"), false, &err), 1200);
    value_is("page:7", NULL);
    assert_int_equal(cache_clear(&app, SPAN("f"), false, &err), 1);
    value_is("user:1", "1");
    assert_int_equal(cache_clear(&app, SPAN(""), false, &err), 1);
    assert_cached("2", "DBSIZE");
    assert_cached("of somebody else", "GET", "peygir:queue");
    assert_true(CACHE_NUMBER("HLEN", "peygir:stats:cache") > 0);
}

static void append(void *ctx, const struct cache_counts *c)
{
    str_addf(ctx, "%.*s %lld %lld %lld %lld;", (int)c->prefix.len, c->prefix.s, (long long)c->hits, (long long)c->misses, (long long)c->sets,
             (long long)c->evictions);
}

static void counters_are_told_by_prefix(void **state)
{
    struct str told = STR_INIT;

    (void)state;
    put_for_a_minute("user:1", "1", NULL);
    value_is("user:1", "1");
    value_is("user:2", NULL);
    value_is("crypto_list", NULL);
    put_for_a_minute("user:1", "1", NULL);
    CACHE_RUN("DEL", "peygir:cache:fresh:user:1");
    value_is("user:1", NULL);
    CACHE_RUN("HSET", "peygir:stats:cache", "nonsense", "1", "a:b", "2");
    assert_int_equal(cache_stats(&app, append, &told, &err), 0);
    assert_string_equal(told.s, "crypto 0 1 0 0;user 1 2 2 1;");
    str_free(&told);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(keys_are_checked_and_ours_cannot_be_named),
        TEST(a_value_is_found_as_it_was_put_and_lies_raw_in_its_own_database),
        TEST(a_value_without_a_claim_lives_exactly_as_long_as_was_said),
        TEST(what_came_together_does_not_go_together),
        TEST(a_stale_value_is_served_until_it_ends),
        TEST(the_new_value_takes_everything_of_the_old_with_it),
        TEST(a_value_may_have_a_megabyte_and_of_a_source_four),
        TEST(many_are_put_and_found_in_one_round_trip_each),
        TEST(a_server_that_has_lost_its_scripts_gives_values_and_claims_all_the_same),
        TEST(several_are_claimed_at_once_each_with_its_tags_also_when_the_scripts_are_lost),
        TEST(of_all_who_look_one_gets_the_claim_in_the_same_round_trip),
        TEST(a_stale_value_is_served_to_the_one_who_makes_it_anew_and_to_the_others),
        TEST(whoever_is_late_does_not_overwrite_what_came_later),
        TEST(a_claim_that_is_taken_over_lasts_as_long_as_a_new_one),
        TEST(a_failure_leaves_the_good_value_and_is_told_for_a_while),
        TEST(a_value_that_is_still_good_is_fresh_again),
        TEST(invalidating_a_tag_ends_all_that_bears_it_and_nothing_else),
        TEST(invalidating_costs_the_same_however_many_bear_the_tag),
        TEST(what_is_made_while_its_tag_is_invalidated_is_not_kept),
        TEST(a_tag_outlives_all_that_bears_it),
        TEST(an_entry_of_which_any_key_is_evicted_is_no_entry),
        TEST(a_claim_that_is_evicted_is_given_to_the_next),
        TEST(hits_misses_and_sets_are_counted_by_prefix_without_a_round_trip),
        TEST(counters_have_a_bound),
        TEST(what_is_forgotten_is_gone_and_who_makes_it_is_too_late),
        TEST(clearing_a_prefix_leaves_the_others_and_clearing_all_leaves_nothing),
        TEST(counters_are_told_by_prefix),
    };
    return cmocka_run_group_tests_name("cache", tests, open_house, close_house);
}
