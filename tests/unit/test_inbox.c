/* test_inbox.c: a user's notifications: kept, bounded, read, forgotten. */
#include "tests/unit/unit.h"

#include "core/inbox.h"
#include "tests/unit/ear.h"

#include <pthread.h>

#define DAY_MS INT64_C(86400000)
#define KEPT "peygir:notifications:kept:sara"
#define ORDER "peygir:notifications:order:sara"
#define UNREAD "peygir:notifications:unread:sara"
#define THREADS 4

static struct app app;
static struct err err;
static struct inbox_page page;

static int open_house(void **state)
{
    (void)state;
    house_start();
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_stop();
    return 0;
}

static int enter(void **state)
{
    (void)state;
    server_flush();
    house_enter(0);
    app_open(&app, &house);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    app_close(&app);
    house_leave();
    return 0;
}

static int add_by(struct app *a, const char *id, struct span unless_answered)
{
    struct err own = ERR_INIT;
    const struct inbox_new n = { .told = { .task_id = id, .user_id = SPAN("sara"), .message = SPAN("words"), .data = SPAN("{\"a\": [1]}") },
                                 .event = "x", .title = SPAN("title"), .texts = SPAN("{\"en\":{}}"), .unless_answered = unless_answered };

    int rc = inbox_add(a, &n, &own);
    if (rc == -1)
        err = own;
    return rc;
}

static int add(const char *id)
{
    return add_by(&app, id, (struct span){ NULL, 0 });
}

static void add_many(int from, int to)
{
    char id[16];

    for (int i = from; i < to; i++) {
        snprintf(id, sizeof id, "n%d", i);
        assert_int_equal(add(id), INBOX_KEPT);
    }
}

static void look(const char *after, size_t limit)
{
    assert_int_equal(inbox_list(&app, SPAN("sara"), span_of(after), limit, &page, &err), 0);
}

static int64_t read_one(const char *id)
{
    int64_t unread = -1;

    assert_int_equal(inbox_read(&app, SPAN("sara"), span_of(id), &unread, &err), 1);
    return unread;
}

/* The three keys tell of the same ones. */
static void assert_agree(long long count, long long unread)
{
    assert_int_equal(REDIS_NUMBER("HLEN", KEPT), count);
    assert_int_equal(REDIS_NUMBER("ZCARD", ORDER), count);
    assert_int_equal(REDIS_NUMBER("SCARD", UNREAD), unread);
}

/* --- keeping --- */

static void what_is_kept_is_found_newest_first(void **state)
{
    (void)state;
    add_many(0, 3);
    look(NULL, 10);
    assert_int_equal(page.count, 3);
    assert_true(span_is(page.item[0].id, "n2") && span_is(page.item[2].id, "n0"));
    assert_true(span_is(page.item[0].json, "{\"event\":\"x\",\"texts\":{\"en\":{}},\"data\":{\"a\": [1]}}"));
    assert_true(page.item[0].at_ms > page.item[1].at_ms && page.item[1].at_ms > page.item[2].at_ms);
    assert_int_equal(page.unread, 3);
    assert_false(page.more);
}

static void somebody_without_any_has_none(void **state)
{
    int64_t unread;

    (void)state;
    look(NULL, 10);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.unread, 0);
    assert_int_equal(inbox_read(&app, SPAN("sara"), SPAN("x"), &unread, &err), 0);
    assert_int_equal(inbox_read(&app, SPAN("sara"), (struct span){ NULL, 0 }, &unread, &err), 1);
    assert_redis("0", "DBSIZE");
}

static void the_same_one_is_kept_and_told_once(void **state)
{
    (void)state;
    ear_open();
    ear_add("peygir:notifications:user:sara");
    ear_add("peygir:notifications");
    assert_int_equal(add("a"), INBOX_KEPT);
    const char *heard = ear_hear(), *own = strstr(heard, "peygir:notifications:user:sara {");
    assert_non_null(own);
    assert_non_null(strstr(heard, "peygir:notifications {"));
    assert_non_null(strstr(own, "{\"type\":\"notification\",\"task_id\":\"a\",\"user_id\":\"sara\",\"message\":\"words\",\"data\":{\"a\": [1]},\"id\":\"a\","
                                "\"event\":\"x\",\"title\":\"title\",\"texts\":{\"en\":{}},\"timestamp\":1"));
    assert_non_null(strstr(own, ",\"unread\":1}"));
    assert_int_equal(read_one("a"), 0);
    assert_int_equal(add("a"), INBOX_EXISTS);
    assert_string_equal(ear_hear(), "");
    assert_agree(1, 0);
    ear_close();
}

/* How long what is published is that has texts of `size` bytes; *told is it. */
static size_t told_with_texts(const char *id, int size, const char **told)
{
    char *texts = xasprintf("{\"en\":\"%0*d\"}", size - 9, 0);
    const struct inbox_new n = { .told = { .task_id = id, .user_id = SPAN("sara"), .message = SPAN("words"), .data = SPAN("{}") },
                                 .event = "x", .title = SPAN("title"), .texts = span_of(texts) };

    assert_int_equal(inbox_add(&app, &n, &err), INBOX_KEPT);
    free(texts);
    look(NULL, 1);
    assert_true(page.item[0].json.len > (size_t)size);
    *told = strchr(ear_hear(), '{');
    return strcspn(*told, "\n");
}

static void what_is_published_leaves_out_the_words_that_sockets_would_not_pass_on(void **state)
{
    const char *told;

    (void)state;
    ear_open();
    ear_add("peygir:notifications:user:sara");
    size_t rest = told_with_texts("a", 9000, &told) - 9000;
    assert_null(strstr(told, "\"texts\":{}"));
    assert_true(told_with_texts("b", NOTIFY_MAX - (int)rest + 1, &told) <= NOTIFY_MAX);
    assert_non_null(strstr(told, "\"title\":\"title\",\"texts\":{},\"timestamp\""));
    ear_close();
}

static void the_newest_hundred_are_kept(void **state)
{
    (void)state;
    add_many(0, INBOX_MOST + 7);
    look(NULL, INBOX_MOST);
    assert_int_equal(page.count, INBOX_MOST);
    assert_true(span_is(page.item[INBOX_MOST - 1].id, "n7"));
    assert_int_equal(page.unread, INBOX_MOST);
    assert_agree(INBOX_MOST, INBOX_MOST);
}

static void a_user_may_have_the_longest_id_and_any_letters(void **state)
{
    char longest[129] = { 0 };
    struct inbox_new n = { .told = { .task_id = "a", .message = SPAN("m"), .data = SPAN("{}") }, .event = "x", .title = SPAN("t"), .texts = SPAN("{}") };

    (void)state;
    memset(longest, 'u', 128);
    const struct span users[] = { span_of(longest), SPAN("سارا {a}: b\"") };
    for (size_t i = 0; i < ARRAY_LEN(users); i++) {
        n.told.user_id = users[i];
        assert_int_equal(inbox_add(&app, &n, &err), INBOX_KEPT);
        assert_int_equal(inbox_list(&app, users[i], (struct span){ NULL, 0 }, 1, &page, &err), 0);
        assert_int_equal(page.count, 1);
    }
    longest[127] = 'v';
    assert_int_equal(inbox_list(&app, span_of(longest), (struct span){ NULL, 0 }, 1, &page, &err), 0);
    assert_int_equal(page.count, 0);
}

/* --- not for ever --- */

static void the_keys_live_thirty_days_after_the_last(void **state)
{
    static const char *const keys[] = { KEPT, ORDER, UNREAD };

    (void)state;
    add("a");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        long long left = REDIS_NUMBER("PTTL", keys[i]);
        assert_true(left > 29 * DAY_MS && left <= 30 * DAY_MS);
    }
}

static void an_old_one_goes_at_the_next_look_whatever_it_is(void **state)
{
    char old[NUMBER_SIZE + 1];
    int64_t unread;

    (void)state;
    snprintf(old, sizeof old, "%lld", (long long)(house_now_ms(&house) - 30 * DAY_MS - 1000));
    add_many(0, 3);
    REDIS_RUN("ZADD", ORDER, "XX", old, "n0");
    look(NULL, 10);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.unread, 2);
    assert_agree(2, 2);
    REDIS_RUN("ZADD", ORDER, "XX", old, "n1");
    assert_int_equal(inbox_read(&app, SPAN("sara"), SPAN("n1"), &unread, &err), 0);
    assert_int_equal(unread, 1);
    REDIS_RUN("ZADD", ORDER, "XX", old, "n2");
    add("new");
    assert_agree(1, 1);
}

/* --- pages --- */

static void pages_follow_each_other_without_gap(void **state)
{
    char after[16] = "";
    int n = 10;

    (void)state;
    add_many(0, 10);
    do {
        look(after, 3);
        for (size_t i = 0; i < page.count; i++) {
            char expected[16];
            snprintf(expected, sizeof expected, "n%d", --n);
            assert_true(span_is(page.item[i].id, expected));
            snprintf(after, sizeof after, "%s", expected);
        }
        assert_int_equal(page.more, n > 0);
    } while (page.more);
    assert_int_equal(n, 0);
    look("n0", 3);
    assert_int_equal(page.count, 0);
}

static void after_one_that_is_gone_there_is_nothing(void **state)
{
    (void)state;
    add_many(0, 3);
    look("gone", 3);
    assert_int_equal(page.count, 0);
    assert_false(page.more);
    assert_int_equal(page.unread, 3);
}

/* --- reading --- */

static void what_is_read_is_counted_no_more_and_stays(void **state)
{
    (void)state;
    add_many(0, 3);
    assert_int_equal(read_one("n1"), 2);
    assert_int_equal(read_one("n1"), 2);
    look(NULL, 3);
    assert_true(page.item[0].unread && !page.item[1].unread && page.item[2].unread);
    assert_int_equal(read_one(NULL), 0);
    look(NULL, 3);
    assert_int_equal(page.count, 3);
    assert_int_equal(page.unread, 0);
    add("new");
    look(NULL, 1);
    assert_int_equal(page.unread, 1);
    assert_true(page.more);
}

/* --- at once --- */

struct adder {
    struct app app;
    int from, step, kept;
};

static void *add_hundred(void *arg)
{
    struct adder *a = arg;

    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", a->from + i * a->step);
        a->kept += add_by(&a->app, id, (struct span){ NULL, 0 }) == INBOX_KEPT;
    }
    return NULL;
}

static int add_in_threads(bool same)
{
    struct adder adders[THREADS];
    pthread_t thread[THREADS];
    int kept = 0;

    for (int i = 0; i < THREADS; i++) {
        adders[i] = (struct adder){ .from = same ? 0 : i, .step = same ? 1 : THREADS };
        app_open(&adders[i].app, &house);
        assert_int_equal(pthread_create(&thread[i], NULL, add_hundred, &adders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        kept += adders[i].kept;
        app_close(&adders[i].app);
    }
    return kept;
}

static void many_at_once_lose_none_and_grow_not(void **state)
{
    (void)state;
    assert_int_equal(add_in_threads(false), 100 * THREADS);
    assert_agree(INBOX_MOST, INBOX_MOST);
}

static void the_same_at_once_are_kept_once(void **state)
{
    (void)state;
    assert_int_equal(add_in_threads(true), 100);
    assert_agree(100, 100);
}

/* --- bad days --- */

static void a_full_redis_keeps_no_new_ones_and_lets_old_ones_be_read(void **state)
{
    (void)state;
    add_many(0, 2);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    int rc = add("x");
    look(NULL, 10);
    int64_t left = read_one("n0");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_int_equal(rc, -1);
    assert_int_equal(err.kind, ERR_FULL);
    assert_int_equal(page.count, 2);
    assert_int_equal(left, 1);
    assert_int_equal(add("x"), INBOX_KEPT);
}

static void what_others_wrote_under_its_keys_is_an_error_and_no_answer(void **state)
{
    int64_t unread;

    (void)state;
    REDIS_RUN("SET", ORDER, "x");
    assert_int_equal(add("a"), -1);
    assert_int_equal(err.kind, ERR_FAILED);
    assert_int_equal(inbox_list(&app, SPAN("sara"), (struct span){ NULL, 0 }, 1, &page, &err), -1);
    assert_int_equal(inbox_read(&app, SPAN("sara"), SPAN("a"), &unread, &err), -1);
}

static void without_redis_nothing_is_said_to_be_kept(void **state)
{
    int64_t unread;

    (void)state;
    add("a");
    server_kill();
    assert_int_equal(add("b"), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_int_equal(inbox_list(&app, SPAN("sara"), (struct span){ NULL, 0 }, 1, &page, &err), -1);
    assert_int_equal(inbox_read(&app, SPAN("sara"), SPAN("a"), &unread, &err), -1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(what_is_kept_is_found_newest_first),
        TEST(somebody_without_any_has_none),
        TEST(the_same_one_is_kept_and_told_once),
        TEST(what_is_published_leaves_out_the_words_that_sockets_would_not_pass_on),
        TEST(the_newest_hundred_are_kept),
        TEST(a_user_may_have_the_longest_id_and_any_letters),
        TEST(the_keys_live_thirty_days_after_the_last),
        TEST(an_old_one_goes_at_the_next_look_whatever_it_is),
        TEST(pages_follow_each_other_without_gap),
        TEST(after_one_that_is_gone_there_is_nothing),
        TEST(what_is_read_is_counted_no_more_and_stays),
        TEST(many_at_once_lose_none_and_grow_not),
        TEST(the_same_at_once_are_kept_once),
        TEST(a_full_redis_keeps_no_new_ones_and_lets_old_ones_be_read),
        TEST(what_others_wrote_under_its_keys_is_an_error_and_no_answer),
        TEST(without_redis_nothing_is_said_to_be_kept), /* takes Redis away: the last */
    };
    return cmocka_run_group_tests_name("inbox", tests, open_house, close_house);
}
