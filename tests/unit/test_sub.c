/* test_sub.c: subscriptions, driven by a loop of the test. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "redis/sub.h"
#include "tests/unit/server.h"

#include <fcntl.h>
#include <poll.h>

#define TURNS_MAX 3000

struct place {
    struct redis_server *server;
    struct redis *r;
    struct sub *sub;
    struct str told; /* "+channel " for subscribed, "channel=payload " for a message */
    const char *add_on_subscribed;
};

static void on_message(void *ctx, struct span channel, struct span payload)
{
    struct place *p = ctx;

    str_addf(&p->told, "%.*s=%.*s ", (int)channel.len, channel.s, (int)payload.len, payload.s);
}

static void on_subscribed(void *ctx, struct span channel)
{
    struct place *p = ctx;

    str_addf(&p->told, "+%.*s ", (int)channel.len, channel.s);
    if (p->add_on_subscribed)
        sub_add(p->sub, p->add_on_subscribed);
    p->add_on_subscribed = NULL;
}

static void on_changed(void *ctx, struct span key)
{
    struct place *p = ctx;

    str_addf(&p->told, "~%.*s ", key.s ? (int)key.len : 1, key.s ? key.s : "*");
}

static void on_tracked(void *ctx, const char *refused)
{
    struct place *p = ctx;

    str_adds(&p->told, refused ? "refused " : "tracked ");
}

/* One turn of the loop. */
static void turn(struct place *p)
{
    int timeout_ms = sub_timeout_ms(p->sub);
    struct pollfd fd = { .fd = sub_fd(p->sub), .events = sub_events(p->sub) };

    poll(&fd, 1, timeout_ms < 50 ? timeout_ms : 50);
    if (fd.revents)
        sub_ready(p->sub, fd.revents);
    if (sub_timeout_ms(p->sub) == 0)
        sub_tick(p->sub);
}

static void until_told(struct place *p, const char *what)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        if (p->told.s && strstr(p->told.s, what)) {
            str_reset(&p->told);
            return;
        }
        turn(p);
    }
    fail_msg("never told \"%s\", but \"%s\"", what, p->told.s ? p->told.s : "");
}

static void until_down(struct place *p)
{
    for (int i = 0; sub_fd(p->sub) >= 0; i++) {
        if (i == TURNS_MAX)
            fail_msg("the connection stays up");
        turn(p);
    }
}

static void publish(struct place *p, const char *channel, const char *payload)
{
    struct err err = ERR_INIT;

    if (!redis_do(p->r, &err, "PUBLISH %s %s", channel, payload))
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));
    struct redisurl url;

    server_start();
    assert_int_equal(redisurl_parse(server_url(), &url, NULL), 0);
    p->server = redis_server_new(&url, "unit", 500, 5000);
    p->r = redis_new(p->server);
    p->sub = sub_new(&url, "unit-sub", (struct sub_handler){ on_message, on_subscribed, p, on_changed, on_tracked });
    redisurl_free(&url);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    sub_free(p->sub);
    redis_free(p->r);
    redis_server_free(p->server);
    str_free(&p->told);
    free(p);
    clock_test_offset(0);
    return 0;
}

static void a_message_arrives_after_the_confirmation(void **state)
{
    struct place *p = *state;

    assert_false(sub_add(p->sub, "news"));
    until_told(p, "+news ");
    publish(p, "news", "a b\r\nc");
    until_told(p, "news=a b\r\nc ");
}

static void a_channel_may_be_added_while_connected(void **state)
{
    struct place *p = *state;

    sub_add(p->sub, "one");
    until_told(p, "+one ");
    assert_false(sub_add(p->sub, "two"));
    until_told(p, "+two ");
    assert_true(sub_add(p->sub, "two"));
    publish(p, "two", "x");
    until_told(p, "two=x ");
}

static void a_handler_may_add_channels(void **state)
{
    struct place *p = *state;

    p->add_on_subscribed = "two";
    sub_add(p->sub, "one");
    until_told(p, "+two ");
}

static void a_channel_lives_until_it_was_removed_as_often_as_added(void **state)
{
    struct place *p = *state;

    sub_add(p->sub, "one");
    sub_add(p->sub, "one");
    sub_add(p->sub, "mark");
    until_told(p, "+mark ");
    sub_remove(p->sub, "one");
    publish(p, "one", "still");
    until_told(p, "one=still ");
    sub_remove(p->sub, "one");
    sub_remove(p->sub, "never added");
    sub_add(p->sub, "end");
    until_told(p, "+end ");
    publish(p, "one", "gone");
    publish(p, "mark", "x");
    for (int i = 0; !p->told.len && i < TURNS_MAX; i++)
        turn(p);
    assert_string_equal(p->told.s, "mark=x ");
}

static void a_channel_removed_and_added_again_is_confirmed_again(void **state)
{
    struct place *p = *state;

    sub_add(p->sub, "one");
    until_told(p, "+one ");
    sub_remove(p->sub, "one");
    assert_false(sub_add(p->sub, "one"));
    until_told(p, "+one ");
    publish(p, "one", "x");
    until_told(p, "one=x ");
}

static void all_channels_are_subscribed_again_after_a_restart(void **state)
{
    struct place *p = *state;

    sub_add(p->sub, "one");
    sub_add(p->sub, "two");
    until_told(p, "+two ");
    server_kill();
    until_down(p);
    sub_add(p->sub, "three");
    sub_remove(p->sub, "one");
    server_start();
    until_told(p, "+two ");
    publish(p, "two", "x");
    until_told(p, "two=x ");
    publish(p, "three", "y");
    until_told(p, "three=y ");
}

static void a_lost_connection_is_made_again(void **state)
{
    struct place *p = *state;

    sub_add(p->sub, "one");
    until_told(p, "+one ");
    assert_non_null(redis_do(p->r, NULL, "CLIENT KILL TYPE pubsub"));
    until_told(p, "+one ");
}

static void on_close(void *ctx)
{
    struct place *p = ctx;

    assert_int_not_equal(fcntl(sub_fd(p->sub), F_GETFD), -1);
    str_adds(&p->told, "closing ");
}

static void whoever_waits_for_the_descriptor_is_told_while_it_is_still_open(void **state)
{
    struct place *p = *state;

    sub_on_close(p->sub, on_close, p);
    sub_add(p->sub, "one");
    until_told(p, "+one ");
    assert_non_null(redis_do(p->r, NULL, "CLIENT KILL TYPE pubsub"));
    until_told(p, "closing ");
    assert_int_equal(sub_fd(p->sub), -1);
}

static void a_server_that_does_not_answer_is_left_and_found_again(void **state)
{
    struct place *p = *state;

    sub_add(p->sub, "one");
    until_told(p, "+one ");
    turn(p);
    server_freeze();
    clock_test_offset(10000);
    assert_int_equal(sub_timeout_ms(p->sub), 0);
    turn(p);
    assert_true(sub_fd(p->sub) >= 0);
    clock_test_offset(20000);
    turn(p);
    assert_int_equal(sub_fd(p->sub), -1);
    server_thaw();
    until_told(p, "+one ");
}

static void silence_is_broken_by_a_ping_and_its_answer_counts(void **state)
{
    struct place *p = *state;

    sub_add(p->sub, "one");
    until_told(p, "+one ");
    for (int i = 1; i <= 5; i++) {
        clock_test_offset(i * 11000);
        turn(p);
        for (int turns = 0; sub_timeout_ms(p->sub) < 5000; turns++) {
            if (turns == TURNS_MAX)
                fail_msg("the PING was not answered");
            turn(p);
        }
    }
    assert_true(sub_fd(p->sub) >= 0);
    publish(p, "one", "x");
    until_told(p, "one=x ");
}

static void many_channels_share_the_connection(void **state)
{
    struct place *p = *state;
    char name[32];

    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "channel-%d", i);
        sub_add(p->sub, name);
    }
    until_told(p, "+channel-4999 ");
    publish(p, "channel-2500", "x");
    until_told(p, "channel-2500=x ");
}

static void track(struct place *p)
{
    sub_track(p->sub, (const char *const[]){ "q:list", "other:", "q:list:more" }, 3);
}

static void run(struct place *p, const char *command)
{
    if (!redis_do(p->r, NULL, command))
        fail_msg("Redis refuses \"%s\"", command);
}

static void a_change_of_a_tracked_key_is_told_whoever_makes_it(void **state)
{
    struct place *p = *state;

    track(p);
    until_told(p, "tracked ");
    run(p, "LPUSH q:list id");
    until_told(p, "~q:list ");
    run(p, "LPUSH unseen id");
    run(p, "ZADD other:set 1 id");
    until_told(p, "~other:set ");
    run(p, "RPOP q:list");
    until_told(p, "~q:list ");
    run(p, "FLUSHALL");
    until_told(p, "~* ");
}

static void a_prefix_within_another_is_told_once(void **state)
{
    struct place *p = *state;

    track(p);
    until_told(p, "tracked ");
    run(p, "SET q:list:more x");
    run(p, "SET other:mark x");
    for (int i = 0; i < TURNS_MAX && !(p->told.s && strstr(p->told.s, "mark")); i++)
        turn(p);
    assert_string_equal(p->told.s, "~q:list:more ~other:mark ");
}

static void channels_and_tracking_share_the_connection(void **state)
{
    struct place *p = *state;

    track(p);
    sub_add(p->sub, "news");
    until_told(p, "+news ");
    publish(p, "news", "x");
    until_told(p, "news=x ");
    run(p, "LPUSH q:list id");
    until_told(p, "~q:list ");
}

static void tracking_begins_again_with_each_connection(void **state)
{
    struct place *p = *state;

    track(p);
    until_told(p, "tracked ");
    server_kill();
    until_down(p);
    server_start();
    until_told(p, "tracked ");
    run(p, "LPUSH q:list id");
    until_told(p, "~q:list ");
}

/* Each of the three steps may be what a user of Redis may not do. */
static void who_may_not_track_is_told_so_and_may_subscribe(void **state)
{
    struct place *p = *state;
    static const char *const refusals[] = { "ACL SETUSER default -client|id", "ACL SETUSER default +client|id -client|tracking",
                                            "ACL SETUSER default +client|tracking resetchannels &news" };

    track(p);
    sub_add(p->sub, "news");
    until_told(p, "+news ");
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        run(p, refusals[i]);
        run(p, "CLIENT KILL TYPE pubsub");
        until_down(p);
        until_told(p, "refused +news ");
    }
    run(p, "ACL SETUSER default +@all allchannels");
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_server(a_message_arrives_after_the_confirmation),
        with_server(a_channel_may_be_added_while_connected),
        with_server(a_handler_may_add_channels),
        with_server(a_channel_lives_until_it_was_removed_as_often_as_added),
        with_server(a_channel_removed_and_added_again_is_confirmed_again),
        with_server(all_channels_are_subscribed_again_after_a_restart),
        with_server(a_lost_connection_is_made_again),
        with_server(whoever_waits_for_the_descriptor_is_told_while_it_is_still_open),
        with_server(a_server_that_does_not_answer_is_left_and_found_again),
        with_server(silence_is_broken_by_a_ping_and_its_answer_counts),
        with_server(many_channels_share_the_connection),
        with_server(a_change_of_a_tracked_key_is_told_whoever_makes_it),
        with_server(a_prefix_within_another_is_told_once),
        with_server(channels_and_tracking_share_the_connection),
        with_server(tracking_begins_again_with_each_connection),
        with_server(who_may_not_track_is_told_so_and_may_subscribe),
    };

    log_setup("unit", LOG_ERROR, false);
    return cmocka_run_group_tests_name("sub", tests, NULL, NULL);
}
