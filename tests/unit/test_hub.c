/* test_hub.c: who looks at what, and what waits for whom */
#include "tests/unit/unit.h"

#include "push/hub.h"

static const char en[] = "en", fa[] = "fa";
static int woken, opened, closed, house;
static void *last_ctx, *last_owner;

static void count_wake(void *ctx, struct viewer *v)
{
    last_ctx = ctx;
    last_owner = v->owner;
    woken++;
}

static void count_opened(void *ctx, struct topic *t)
{
    (void)ctx;
    (void)t;
    opened++;
}

static void count_closed(void *ctx, struct topic *t)
{
    (void)ctx;
    (void)t;
    closed++;
}

static int setup(void **state)
{
    woken = opened = closed = 0;
    last_ctx = last_owner = NULL;
    *state = hub_new((struct hub_handler){ count_wake, count_opened, count_closed, &house });
    return 0;
}

static int teardown(void **state)
{
    hub_free(*state);
    return 0;
}

/* To all of a topic, in one language. */
static void publish(struct hub *h, struct topic *t, const void *language, int64_t revision, bool last)
{
    struct event *e = event_new(language, revision, last, SPAN("view"));
    hub_publish(h, t, &e, 1);
    event_drop(e);
}

static void expect(struct viewer *v, int64_t revision)
{
    struct event *e = hub_take(v);
    assert_non_null(e);
    assert_int_equal(e->revision, revision);
    event_drop(e);
}

static void a_topic_is_opened_by_its_first_viewer_and_closed_by_its_last(void **state)
{
    struct hub *h = *state;
    struct viewer one = { .language = en }, two = { .language = fa };
    assert_true(hub_join(h, "a", &one));
    assert_false(hub_join(h, "a", &two));
    assert_int_equal(opened, 1);
    assert_ptr_equal(hub_find(h, SPAN("a")), one.topic);
    assert_null(hub_find(h, SPAN("b")));
    hub_leave(h, &one);
    assert_int_equal(closed, 0);
    hub_leave(h, &one);
    hub_leave(h, &two);
    assert_int_equal(closed, 1);
    assert_null(hub_find(h, SPAN("a")));
}

static void each_revision_is_offered_once_in_the_viewers_language(void **state)
{
    struct hub *h = *state;
    struct viewer one = { .language = en, .seen = 3 }, two = { .language = fa, .seen = 4 };
    hub_join(h, "a", &one);
    hub_join(h, "a", &two);
    assert_int_equal(hub_seen(one.topic), 3);
    for (int64_t revision = 4; revision <= 6; revision++) {
        publish(h, one.topic, en, revision, false);
        publish(h, one.topic, fa, revision, false);
        publish(h, one.topic, en, revision, false);
    }
    assert_int_equal(one.count, 3);
    assert_int_equal(two.count, 2);
    expect(&one, 4);
    expect(&one, 5);
    expect(&two, 5);
    expect(&one, 6);
    assert_null(hub_take(&one));
    assert_null(one.waiting);
    assert_int_equal(hub_seen(one.topic), 6);
    hub_leave(h, &one);
    hub_leave(h, &two);
}

static void nothing_follows_the_last_event(void **state)
{
    struct hub *h = *state;
    struct viewer v = { .language = en };
    hub_join(h, "a", &v);
    publish(h, v.topic, en, 1, true);
    publish(h, v.topic, en, 2, false);
    assert_true(v.over);
    expect(&v, 1);
    assert_null(hub_take(&v));
    hub_leave(h, &v);
}

static void one_who_does_not_keep_up_gets_the_newest_in_place_of_all_that_waits(void **state)
{
    struct hub *h = *state;
    struct viewer slow = { .language = en }, quick = { .language = en };
    hub_join(h, "a", &slow);
    hub_join(h, "a", &quick);
    for (int64_t revision = 1; revision <= HUB_WAITING + 3; revision++) {
        publish(h, slow.topic, en, revision, false);
        assert_true(slow.count <= HUB_WAITING);
        expect(&quick, revision);
    }
    expect(&slow, HUB_WAITING + 1);
    expect(&slow, HUB_WAITING + 2);
    expect(&slow, HUB_WAITING + 3);
    assert_null(hub_take(&slow));
    hub_leave(h, &slow);
    hub_leave(h, &quick);
}

static void whoever_may_not_look_any_more_is_told_nothing_that_waits(void **state)
{
    struct hub *h = *state;
    struct viewer one = { .language = en }, two = { .language = en };
    hub_join(h, "a", &one);
    hub_join(h, "a", &two);
    publish(h, one.topic, en, 1, false);
    hub_cut(h, &one);
    assert_true(one.over);
    assert_null(hub_take(&one));
    publish(h, one.topic, en, 2, false);
    assert_null(hub_take(&one));
    assert_int_equal(two.count, 2);
    hub_end(h, two.topic);
    assert_true(two.over);
    assert_null(hub_take(&two));
    hub_leave(h, &one);
    hub_leave(h, &two);
}

static void a_held_topic_outlives_its_viewers(void **state)
{
    struct hub *h = *state;
    struct viewer v = { .language = en }, later = { .language = en };
    hub_join(h, "a", &v);
    struct topic *t = v.topic;
    hub_hold(t);
    hub_leave(h, &v);
    assert_ptr_equal(hub_find(h, SPAN("a")), t);
    assert_true(hub_join(h, "a", &later));
    assert_ptr_equal(later.topic, t);
    hub_leave(h, &later);
    assert_int_equal(closed, 2);
    hub_let_go(t);
    assert_null(hub_find(h, SPAN("a")));
}

static void what_waits_goes_with_the_viewer(void **state)
{
    struct hub *h = *state;
    struct viewer v = { .language = en };
    struct event *e = event_new(en, 1, false, SPAN("view"));
    hub_offer(h, &v, &e, 1); /* before it looks at anything */
    assert_int_equal(e->refs, 2);
    assert_int_equal(woken, 1);
    hub_leave(h, &v);
    assert_int_equal(e->refs, 1);
    event_drop(e);
}

static void one_who_waits_without_a_language_is_woken_and_told_nothing(void **state)
{
    struct hub *h = *state;
    struct viewer waits = { .seen = INT64_MAX }, looks = { .language = en, .seen = 3 };
    hub_join(h, "a", &waits);
    hub_join(h, "a", &looks);
    assert_int_equal(hub_seen(waits.topic), 3);
    publish(h, waits.topic, en, 4, false);
    assert_int_equal(woken, 1);
    assert_null(hub_take(&waits));
    hub_poke(h, waits.topic);
    assert_int_equal(woken, 2);
    assert_false(waits.over);
    hub_leave(h, &looks);
    hub_poke(h, waits.topic);
    assert_int_equal(woken, 3);
    hub_leave(h, &waits);
}

static void what_has_no_language_is_for_those_who_look_without_one(void **state)
{
    struct hub *h = *state;
    struct viewer plain = { .seen = -1 }, looks = { .language = en, .seen = -1 };
    hub_join(h, "a", &plain);
    hub_join(h, "a", &looks);
    publish(h, plain.topic, NULL, 1, false);
    publish(h, plain.topic, NULL, 2, false);
    assert_int_equal(looks.count, 0);
    expect(&plain, 1);
    expect(&plain, 2);
    hub_leave(h, &plain);
    hub_leave(h, &looks);
}

static void a_viewer_keeps_as_many_as_it_says(void **state)
{
    struct hub *h = *state;
    struct viewer few = { .language = en, .keeps = 2 }, many = { .language = en };
    hub_join(h, "a", &few);
    hub_join(h, "a", &many);
    for (int64_t revision = 1; revision <= 5; revision++)
        publish(h, few.topic, en, revision, false);
    assert_int_equal(few.count, 1);
    assert_int_equal(many.count, 5);
    expect(&few, 5);
    publish(h, few.topic, en, 6, false);
    publish(h, few.topic, en, 7, false);
    expect(&few, 6);
    expect(&few, 7);
    assert_null(hub_take(&few));
    hub_leave(h, &few);
    hub_leave(h, &many);
}

static void whoever_is_woken_is_told_to_the_house_with_its_owner(void **state)
{
    struct hub *h = *state;
    int one_owner, two_owner;
    struct viewer one = { .language = en, .owner = &one_owner }, two = { .owner = &two_owner };
    hub_join(h, "a", &one);
    hub_join(h, "a", &two);
    publish(h, one.topic, en, 1, false);
    assert_ptr_equal(last_ctx, &house);
    assert_ptr_equal(last_owner, &one_owner);
    hub_poke(h, two.topic);
    assert_ptr_equal(last_owner, &two_owner);
    hub_cut(h, &one);
    assert_ptr_equal(last_owner, &one_owner);
    assert_int_equal(woken, 3);
    hub_leave(h, &one);
    hub_leave(h, &two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_topic_is_opened_by_its_first_viewer_and_closed_by_its_last, setup, teardown),
        cmocka_unit_test_setup_teardown(each_revision_is_offered_once_in_the_viewers_language, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_follows_the_last_event, setup, teardown),
        cmocka_unit_test_setup_teardown(one_who_does_not_keep_up_gets_the_newest_in_place_of_all_that_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_may_not_look_any_more_is_told_nothing_that_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_held_topic_outlives_its_viewers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_goes_with_the_viewer, setup, teardown),
        cmocka_unit_test_setup_teardown(one_who_waits_without_a_language_is_woken_and_told_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_language_is_for_those_who_look_without_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_viewer_keeps_as_many_as_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_is_woken_is_told_to_the_house_with_its_owner, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
