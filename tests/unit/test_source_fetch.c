/* test_source_fetch.c: whether to fetch, and what an answer means: for the cache, for visitors who wait, and for all who want more of the source. */
#include "tests/unit/unit.h"

#include "core/source_fetch.h"
#include "tests/unit/cachehouse.h"
#include "tests/unit/files.h"

#define PAYLOAD "{\"source\":\"x\",\"method\":\"thing\",\"params\":{\"id\":\"a\"}}"
#define KEY "x_thing_id=a"

static const char definition[] =
    "{\"title\":\"X\",\"address\":\"https://api.example.org\",\"limit\":{\"fetches\":3,\"seconds\":60},\"methods\":{\"thing\":{\"path\":\"/{id}\","
    "\"parameters\":[{\"name\":\"id\",\"rules\":\"required|max:9\"}],\"fresh\":100,\"stale\":1000,\"tags\":[\"prices\"],\"refresh\":[{\"id\":\"a\"},{\"id\":\"b\"}]}}}";

static const char keyed[] = "{\"title\":\"Keyed\",\"address\":\"https://api.example.org\",\"key\":{\"file\":\"/nowhere/key\",\"header\":\"X-Key\"},"
                            "\"methods\":{\"thing\":{\"path\":\"/t\",\"fresh\":100,\"stale\":1000,\"tags\":[\"prices\"]}}}";

static const char timed[] = "{\"title\":\"Timed\",\"address\":\"https://api.example.org\",\"methods\":{\"thing\":{\"path\":\"/t\",\"times\":{\"to\":0},"
                            "\"fresh\":100,\"stale\":1000}}}";

static int start(void **state)
{
    files_setup(state);
    house_start();
    files_put("keyed.json", keyed);
    files_put("timed.json", timed);
    files_put("x.json", definition);
    house_set("PEYGIR_SOURCES_DIR", files_dir());
    house_set("PEYGIR_LOCALES_DIR", files_source("www/locales"));
    house_set("PEYGIR_LOCALE", "en");
    house_set("PEYGIR_JOBS_DIR", files_source("etc/jobs"));
    return 0;
}

static int stop(void **state)
{
    house_stop();
    return files_teardown(state);
}

static int come_in(void **state)
{
    (void)state;
    server_start();
    server_flush();
    house_enter(HOUSE_SOURCES | HOUSE_LOCALES | HOUSE_JOB_TYPES);
    app_open(&app, &house);
    app_open(&other, &house);
    err = (struct err)ERR_INIT;
    return 0;
}

static struct source_fetch begun(int expected)
{
    struct source_fetch f;

    assert_int_equal(source_fetch_begin(&app, &f, SPAN(PAYLOAD), 0), expected);
    return f;
}

static enum source_verdict ended(struct source_fetch *f, const struct source_answer *a)
{
    source_fetch_end(&app, f, a);
    source_fetch_clear(f);
    return f->verdict;
}

static enum source_verdict answered(enum source_word word, const char *body)
{
    struct source_fetch f = begun(1);

    return ended(&f, &(struct source_answer){ .word = word, .body = span_of(body), .etag = SPAN("\"1\""), .wait_s = 30, .detail = "answered" });
}

/* A visitor's look, whose claim it would be. */
static struct cache_entry visit(struct app *a)
{
    return claim_for(a, KEY, CACHE_CLAIM_STALE, &one_tag);
}

static void a_good_answer_is_stored_for_the_visitor_whose_claim_it_is(void **state)
{
    struct cache_entry mine = visit(&app);

    (void)state;
    assert_true(mine.claim[0] != '\0');
    assert_int_equal(answered(SOURCE_SAYS_DATA, " {\"a\":1}"), SOURCE_STORED);
    value_is(KEY, " {\"a\":1}");
    assert_true(look(KEY).fresh_ms > 80000);
}

static void what_is_kept_is_asked_for_again_with_its_validators(void **state)
{
    struct source_fetch f;

    (void)state;
    assert_int_equal(answered(SOURCE_SAYS_DATA, "[1]"), SOURCE_STORED);
    make_stale(KEY);
    f = begun(1);
    assert_string_equal(f.etag.s, "\"1\"");
    assert_string_equal(f.request.url.s, "https://api.example.org/a");
    assert_int_equal(ended(&f, &(struct source_answer){ .word = SOURCE_SAYS_SAME }), SOURCE_UNCHANGED);
    value_is(KEY, "[1]");
    assert_true(look(KEY).fresh_ms > 80000);
}

static void what_is_asked_for_with_another_url_each_time_has_no_validators(void **state)
{
    const struct span payload = SPAN("{\"source\":\"timed\",\"method\":\"thing\",\"params\":{}}");
    struct source_fetch f;

    (void)state;
    assert_int_equal(source_fetch_begin(&app, &f, payload, 0), 1);
    assert_int_equal(ended(&f, &(struct source_answer){ .word = SOURCE_SAYS_DATA, .body = SPAN("[1]"), .etag = SPAN("\"1\""), .modified = SPAN("today") }),
                     SOURCE_STORED);
    make_stale("timed_thing");
    assert_int_equal(source_fetch_begin(&app, &f, payload, 0), 1);
    assert_true(f.etag.len == 0 && f.modified.len == 0);
    source_fetch_clear(&f);
}

static void what_is_wrong_leaves_what_is_kept_and_tells_visitors(void **state)
{
    static const char *const bodies[] = { "", "[1", "\"text\"", "12", "<p>" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        server_flush();
        put_for_a_minute(KEY, "[1]", &one_tag);
        make_stale(KEY);
        assert_int_equal(answered(SOURCE_SAYS_DATA, bodies[i]), SOURCE_FAILED);
        value_is(KEY, "[1]");
        assert_true(span_is(visit(&other).failed, SOURCE_NOTE_AWAY));
    }
}

static void nothing_there_is_told_as_such(void **state)
{
    struct cache_entry e;

    (void)state;
    assert_int_equal(answered(SOURCE_SAYS_NOTHING, NULL), SOURCE_NOT_FOUND);
    e = visit(&other);
    assert_true(!e.value.s && span_is(e.failed, SOURCE_NOTE_NOT_FOUND) && e.wait_ms <= 100000);
}

static void what_was_invalidated_while_it_was_fetched_is_not_stored(void **state)
{
    const struct span tag = SPAN("prices");
    struct source_fetch f = begun(1);

    (void)state;
    assert_int_equal(cache_invalidate(&other, &tag, 1, &err), 1);
    assert_int_equal(ended(&f, &(struct source_answer){ .word = SOURCE_SAYS_DATA, .body = SPAN("[1]") }), SOURCE_LATER);
    value_is(KEY, NULL);
    assert_int_equal(answered(SOURCE_SAYS_DATA, "[2]"), SOURCE_STORED);
}

static void a_rest_holds_for_all_and_for_an_hour_at_most(void **state)
{
    struct source_fetch f = begun(1);

    (void)state;
    assert_int_equal(ended(&f, &(struct source_answer){ .word = SOURCE_SAYS_WAIT, .wait_s = 1000000 }), SOURCE_LATER);
    assert_int_equal(f.wait_ms, 3600000);
    f = begun(0);
    assert_int_equal(f.verdict, SOURCE_LATER);
    assert_true(f.wait_ms > 3500000);
    source_fetch_clear(&f);
    assert_true(visit(&other).wait_ms > 3500000);
}

static void the_pace_of_the_file_holds(void **state)
{
    struct source_fetch f;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(answered(SOURCE_SAYS_DATA, "[]"), SOURCE_STORED);
    f = begun(0);
    assert_int_equal(f.verdict, SOURCE_LATER);
    assert_true(f.wait_ms > 0 && f.wait_ms <= 20000);
    assert_non_null(strstr(f.why.text, "as often as its file allows"));
    source_fetch_clear(&f);
}

static void a_key_that_cannot_be_read_is_told_to_visitors_and_costs_no_turn(void **state)
{
    struct cache_entry mine = claim_for(&other, "keyed_thing", CACHE_CLAIM_STALE, &one_tag), e;
    struct source_fetch f;

    (void)state;
    assert_true(mine.claim[0] != '\0');
    assert_int_equal(source_fetch_begin(&app, &f, SPAN("{\"source\":\"keyed\",\"method\":\"thing\",\"params\":{}}"), 0), 0);
    assert_int_equal(f.verdict, SOURCE_FAILED);
    assert_string_equal(f.code, "key_missing");
    assert_false(f.retryable);
    source_fetch_clear(&f);
    e = claim_for(&other, "keyed_thing", CACHE_CLAIM_STALE, &one_tag);
    assert_string_equal(e.claim, "");
    assert_int_equal(e.held.len, 0);
    assert_true(span_is(e.failed, SOURCE_NOTE_AWAY) && e.wait_ms > 0);
    assert_redis("0", "EXISTS", "peygir:source:keyed:pace");
}

static void what_was_fetched_since_the_push_is_not_fetched_again(void **state)
{
    struct source_fetch f;
    int64_t pushed_ms = house_now_ms(&house) - 60000;

    (void)state;
    assert_int_equal(answered(SOURCE_SAYS_DATA, "[1]"), SOURCE_STORED);
    assert_int_equal(source_fetch_begin(&app, &f, SPAN(PAYLOAD), pushed_ms), 0);
    assert_int_equal(f.verdict, SOURCE_THERE);
    source_fetch_clear(&f);
    assert_int_equal(source_fetch_begin(&app, &f, SPAN(PAYLOAD), house_now_ms(&house) + 60000), 1);
    source_fetch_clear(&f);
}

static void what_is_marked_is_pushed_once_and_the_warm_up_leaves_out_what_is_fresh(void **state)
{
    int64_t pushed = 0;

    (void)state;
    assert_int_equal(source_refresh(&app, "x", false, &pushed, &err), 0);
    assert_int_equal(pushed, 2);
    assert_int_equal(source_refresh(&app, NULL, false, &pushed, &err), 0); /* they wait already */
    assert_int_equal(source_refresh(&app, "y", false, &pushed, &err), 0);
    assert_int_equal(pushed, 2);
    server_flush();
    put_for_a_minute(KEY, "[1]", &one_tag);
    pushed = 0;
    assert_int_equal(source_refresh(&app, NULL, true, &pushed, &err), 0);
    assert_int_equal(pushed, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, come_in, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_answer_is_stored_for_the_visitor_whose_claim_it_is),
        TEST(what_is_kept_is_asked_for_again_with_its_validators),
        TEST(what_is_asked_for_with_another_url_each_time_has_no_validators),
        TEST(what_is_wrong_leaves_what_is_kept_and_tells_visitors),
        TEST(nothing_there_is_told_as_such),
        TEST(what_was_invalidated_while_it_was_fetched_is_not_stored),
        TEST(a_rest_holds_for_all_and_for_an_hour_at_most),
        TEST(the_pace_of_the_file_holds),
        TEST(a_key_that_cannot_be_read_is_told_to_visitors_and_costs_no_turn),
        TEST(what_was_fetched_since_the_push_is_not_fetched_again),
        TEST(what_is_marked_is_pushed_once_and_the_warm_up_leaves_out_what_is_fresh),
    };

    return cmocka_run_group_tests_name("source_fetch", tests, start, stop);
}
