/* test_feed.c: what Redis tells, brought to those who look */
#include "tests/unit/unit.h"

#include "base/json.h"
#include "core/keys.h"
#include "core/locale.h"
#include "core/notify.h"
#include "push/feed.h"
#include "tests/unit/jobs.h"

enum { TURN_MS = 20, TURNS_MAX = 3000, MESSAGE_MAX = 16384 };

static struct err err;
static uv_loop_t loop;
static uv_timer_t turn; /* the loop never waits longer for what may not come */
static struct pool *pool;
static struct hub *hub;
static struct feed *feed;

/* Somebody who looks. */
static struct watch {
    struct viewer viewer;
    int woken;
} one, two;

#define UNTIL(condition)                                             \
    do {                                                             \
        for (int turns_ = 0; !(condition); turns_++) {               \
            if (turns_ == TURNS_MAX)                                 \
                fail_msg("this never was so: %s", #condition);       \
            uv_run(&loop, UV_RUN_ONCE);                              \
        }                                                            \
    } while (0)

static void wake(void *ctx, struct viewer *v)
{
    (void)ctx;
    ((struct watch *)v->owner)->woken++;
}

static void opened(void *ctx, struct topic *t)
{
    (void)ctx;
    feed_open(feed, t);
}

static void closed(void *ctx, struct topic *t)
{
    (void)ctx;
    feed_shut(feed, t);
}

static void pass(uv_timer_t *timer)
{
    (void)timer;
}

static int setup(void **state)
{
    house_fresh(state);
    one = two = (struct watch){ .woken = 0 };
    uv_loop_init(&loop);
    uv_timer_init(&loop, &turn);
    uv_timer_start(&turn, pass, TURN_MS, TURN_MS);
    pool = pool_new(&loop, house_app()->house);
    hub = hub_new((struct hub_handler){ .wake = wake, .opened = opened, .closed = closed });
    feed = feed_new(&loop, house_app()->house, pool);
    feed_use(feed, hub);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hub_leave(hub, &one.viewer);
    hub_leave(hub, &two.viewer);
    feed_stop(feed);
    UNTIL(pool_busy(pool) == 0);
    feed_close(feed);
    uv_close((uv_handle_t *)&turn, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    pool_free(pool);
    hub_free(hub);
    return 0;
}

/* --- helpers --- */

static const struct locale *language(void)
{
    return locales_default(house_app()->house->locales);
}

/* Join, and wait until the channel is heard. */
static void join(struct watch *w, struct key topic, const void *in_language, int64_t seen)
{
    w->viewer.language = in_language;
    w->viewer.seen = seen;
    w->viewer.owner = w;
    if (!hub_join(hub, topic.s, &w->viewer))
        feed_catch_up(feed, w->viewer.topic);
    UNTIL(w->viewer.topic->heard);
}

static void join_user(struct watch *w, const char *user)
{
    join(w, key_notifications_user(house_app()->house, span_of(user)), NULL, -1);
}

static void progress(struct span hash, int to)
{
    if (request_progress(house_app(), hash, 1, to, NULL, NULL, &err) != 1)
        fail_msg("%s", err.text);
}

/* user NULL: everybody. */
static void notify(const char *user, const char *message)
{
    const struct notification n = { .user_id = span_of(user), .message = span_of(message) };
    if (notify_send(house_app(), &n, &err) < 0)
        fail_msg("%s", err.text);
}

/* The next event is of that revision. */
static void expect_revision(struct watch *w, int64_t revision)
{
    struct event *e = hub_take(&w->viewer);
    assert_non_null(e);
    assert_int_equal(e->revision, revision);
    event_drop(e);
}

/* The next event has that text as its member. */
static void expect_member(struct watch *w, const char *name, const char *text)
{
    struct event *e = hub_take(&w->viewer);
    assert_non_null(e);
    struct span json = { e->text, e->len };
    if (!raw_is(raw_get(json, name), text))
        fail_msg("%s is not \"%s\": %.*s", name, text, (int)e->len, e->text);
    event_drop(e);
}

/* Whether somebody listens to the general channel. */
static bool general_is_heard(void)
{
    char *answer = REDIS_CLI("PUBSUB", "NUMSUB", house_app()->house->notifications);
    bool heard = strstr(answer, "\n1") != NULL;
    free(answer);
    return heard;
}

/* --- requests --- */

static void one_who_waits_is_woken_when_the_channel_is_heard_and_at_each_message(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    join(&one, key_updates(h), NULL, INT64_MAX);
    assert_string_equal(feed_hash(one.viewer.topic), hash);
    assert_int_equal(one.woken, 1);
    progress(h, 40);
    UNTIL(one.woken == 2);
    progress(h, 50);
    UNTIL(one.woken == 3);
    assert_int_equal(pool_busy(pool), 0); /* nobody wants to see it */
    assert_int_equal(one.viewer.count, 0);
}

static void one_who_looks_gets_each_revision_up_to_the_last(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    join(&one, key_updates(h), language(), 0);
    UNTIL(one.viewer.count == 2);
    expect_revision(&one, 1);
    expect_revision(&one, 2);
    progress(h, 40);
    UNTIL(one.viewer.count == 1);
    expect_revision(&one, 3);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    UNTIL(one.viewer.over);
    expect_revision(&one, 4);
}

static void a_further_viewer_catches_up_and_the_others_get_nothing_twice(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    join(&one, key_updates(h), language(), 0);
    UNTIL(one.viewer.count == 2);
    join(&two, key_updates(h), language(), 1);
    UNTIL(two.viewer.count == 1);
    expect_revision(&two, 2);
    assert_int_equal(one.viewer.count, 2);
}

static void a_request_that_is_deleted_is_over_for_whoever_looks(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    join(&one, key_updates(h), language(), 2);
    join(&two, key_updates(h), NULL, INT64_MAX);
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    UNTIL(one.viewer.over);
    assert_true(two.woken > 0);
}

static void what_changed_while_the_connection_was_lost_is_read_after_it(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    join(&one, key_updates(h), language(), 2);
    join(&two, key_updates(h), NULL, INT64_MAX);
    int woken = two.woken;
    REDIS_RUN("CLIENT", "KILL", "TYPE", "pubsub");
    progress(h, 40);
    progress(h, 50);
    UNTIL(one.viewer.count == 2);
    expect_revision(&one, 3);
    expect_revision(&one, 4);
    UNTIL(two.woken > woken);
}

static void a_look_that_failed_is_made_again_at_the_next_tick(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    const struct key document = key_document(h);
    (void)state;
    join(&one, key_updates(h), language(), 2);
    UNTIL(!one.viewer.topic->looking && pool_busy(pool) == 0);
    progress(h, 40);
    REDIS_RUN("RENAME", document.s, "aside");
    REDIS_RUN("SET", document.s, "broken");
    UNTIL(one.viewer.topic->again && !one.viewer.topic->looking);
    REDIS_RUN("RENAME", "aside", document.s);
    assert_int_equal(one.viewer.count, 0);
    assert_false(one.viewer.over);
    feed_tick(feed);
    UNTIL(one.viewer.count == 1);
    expect_revision(&one, 3);
}

static void once_stopped_no_look_begins(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    (void)state;
    join(&one, key_updates(h), language(), 2);
    UNTIL(!one.viewer.topic->looking && pool_busy(pool) == 0);
    join(&two, key_updates(h), NULL, INT64_MAX);
    UNTIL(!one.viewer.topic->looking && pool_busy(pool) == 0);
    feed_stop(feed);
    progress(h, 40);
    UNTIL(two.woken > 0);
    feed_tick(feed);
    assert_int_equal(pool_busy(pool), 0);
    assert_int_equal(one.viewer.count, 0);
}

/* --- what is told to users --- */

static void a_user_hears_what_is_told_to_them_and_to_everybody_and_no_more(void **state)
{
    (void)state;
    join_user(&one, "sara");
    join_user(&two, "ali");
    notify("sara", "to sara");
    notify(NULL, "to all");
    jobs_push(&(struct job_new){ .id = "a", .user_id = "ali" });
    jobs_push(&(struct job_new){ .id = "b" });
    notify("nobody here", "to nobody here");
    notify("ali", "the end");
    notify("sara", "the end");
    UNTIL(one.viewer.count == 3);
    assert_int_equal(two.viewer.count, 3);
    expect_member(&one, "message", "to sara");
    expect_member(&one, "message", "to all");
    expect_member(&one, "message", "the end");
    expect_member(&two, "message", "to all");
    expect_member(&two, "task_id", "a");
    expect_member(&two, "message", "the end");
}

static void several_who_listen_for_one_user_hear_the_same(void **state)
{
    (void)state;
    join_user(&one, "sara");
    join_user(&two, "sara");
    notify("sara", "to sara");
    notify(NULL, "to all");
    UNTIL(one.viewer.count == 2);
    assert_int_equal(two.viewer.count, 2);
    assert_ptr_equal(one.viewer.waiting[0], two.viewer.waiting[0]);
    assert_ptr_equal(one.viewer.waiting[1], two.viewer.waiting[1]);
}

static void whoever_looks_at_a_task_hears_of_it_alone(void **state)
{
    (void)state;
    join(&one, key_notifications_task(house_app()->house, SPAN("a")), NULL, -1);
    UNTIL(!general_is_heard());
    jobs_push(&(struct job_new){ .id = "b" });
    notify(NULL, "to all");
    jobs_push(&(struct job_new){ .id = "a" });
    UNTIL(one.viewer.count > 0);
    assert_int_equal(one.viewer.count, 1);
    assert_string_equal(feed_hash(one.viewer.topic), "");
    expect_member(&one, "task_id", "a");
}

static void what_is_no_json_object_of_a_reasonable_size_is_not_passed_on(void **state)
{
    static const char *const garbage[] = { "", "x", "null", "[]", "{", "{}}", " {}", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "{\"a\":NaN}" };
    const struct key channel = key_notifications_user(house_app()->house, SPAN("sara"));
    char *large = xasprintf("{\"a\":\"%*s\"}", MESSAGE_MAX - 8, ""), *too_large = xasprintf("{\"a\":\"%*s\"}", MESSAGE_MAX - 7, "");
    (void)state;
    join_user(&one, "sara");
    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        REDIS_RUN("PUBLISH", channel.s, garbage[i]);
        REDIS_RUN("PUBLISH", house_app()->house->notifications, garbage[i]);
    }
    REDIS_RUN("PUBLISH", house_app()->house->notifications, "{\"type\":\"notification\",\"user_id\":null,");
    REDIS_RUN("PUBLISH", house_app()->house->notifications, "{\"type\":\"notification\"} x");
    REDIS_RUN("PUBLISH", channel.s, too_large);
    REDIS_RUN("PUBLISH", channel.s, large);
    UNTIL(one.viewer.count > 0);
    assert_int_equal(one.viewer.count, 1);
    assert_int_equal(one.viewer.waiting[0]->len, MESSAGE_MAX);
    free(large);
    free(too_large);
}

static void the_general_channel_is_heard_as_long_as_a_user_listens(void **state)
{
    (void)state;
    UNTIL(!general_is_heard()); /* the connection of another test may be gone a moment later */
    join_user(&one, "sara");
    join_user(&two, "ali");
    assert_true(general_is_heard());
    hub_leave(hub, &one.viewer);
    notify(NULL, "to all");
    UNTIL(two.viewer.count == 1);
    hub_leave(hub, &two.viewer);
    UNTIL(!general_is_heard());
    join_user(&one, "sara");
    notify(NULL, "to all");
    UNTIL(one.viewer.count == 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_who_waits_is_woken_when_the_channel_is_heard_and_at_each_message),
        T(one_who_looks_gets_each_revision_up_to_the_last),
        T(a_further_viewer_catches_up_and_the_others_get_nothing_twice),
        T(a_request_that_is_deleted_is_over_for_whoever_looks),
        T(what_changed_while_the_connection_was_lost_is_read_after_it),
        T(a_look_that_failed_is_made_again_at_the_next_tick),
        T(once_stopped_no_look_begins),
        T(a_user_hears_what_is_told_to_them_and_to_everybody_and_no_more),
        T(several_who_listen_for_one_user_hear_the_same),
        T(whoever_looks_at_a_task_hears_of_it_alone),
        T(what_is_no_json_object_of_a_reasonable_size_is_not_passed_on),
        T(the_general_channel_is_heard_as_long_as_a_user_listens),
    };
    return cmocka_run_group_tests_name("feed", tests, house_setup, house_teardown);
}
