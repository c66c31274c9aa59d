/* test_alarm.c: many alarms on one timer. The clock is the test's: nothing here waits. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "worker/alarm.h"

#define MANY 500

struct bell {
    struct alarm alarm; /* first, so that an alarm is its bell */
    int number, rings;
};

static uv_loop_t loop;
static struct alarms *all;
static int order[MANY], rung;
static struct bell *stopped_by_ring;

static void ring(struct alarm *alarm)
{
    struct bell *bell = (struct bell *)(void *)alarm;

    bell->rings++;
    order[rung++] = bell->number;
    if (stopped_by_ring)
        alarm_stop(all, &stopped_by_ring->alarm);
}

static void ring_again(struct alarm *alarm)
{
    struct bell *bell = (struct bell *)(void *)alarm;

    if (++bell->rings < 3)
        alarm_set(all, alarm, 0, ring_again);
}

static int set_up(void **state)
{
    (void)state;
    clock_test_offset(0);
    assert_int_equal(uv_loop_init(&loop), 0);
    all = alarms_new(&loop);
    rung = 0;
    stopped_by_ring = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    alarms_close(all);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    clock_test_offset(0);
    return 0;
}

/* The clock goes on so far. One that is due at once has made the loop look, for its own timer knows nothing of our clock. */
static void later(int64_t ms)
{
    static struct bell now = { .number = -1 };

    alarm_set(all, &now.alarm, 0, ring);
    clock_test_offset(ms);
    for (int before = now.rings; now.rings == before;)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void alarms_ring_in_the_order_of_their_time(void **state)
{
    struct bell bells[MANY] = { 0 };
    int last = -1, heard = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        bells[i].number = i * 7919 % MANY; /* each number once, in no order */
        alarm_set(all, &bells[i].alarm, 100000 + bells[i].number * 10, ring);
    }
    for (int i = 0; i < MANY; i += 5)
        alarm_stop(all, &bells[i].alarm);
    later(200000);
    for (int i = 0; i < rung; i++) {
        if (order[i] < 0)
            continue;
        assert_true(order[i] > last);
        last = order[i];
        heard++;
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(bells[i].rings, i % 5 ? 1 : 0);
    assert_int_equal(heard, MANY - MANY / 5);
}

static void an_alarm_does_not_ring_before_its_time(void **state)
{
    struct bell bell = { .number = 1 };

    (void)state;
    alarm_set(all, &bell.alarm, 60000, ring);
    later(50000);
    assert_int_equal(bell.rings, 0);
    assert_true(alarm_is_set(&bell.alarm));
    later(70000);
    assert_int_equal(bell.rings, 1);
    assert_false(alarm_is_set(&bell.alarm));
}

static void an_alarm_set_anew_forgets_its_first_time(void **state)
{
    struct bell bell = { .number = 1 };

    (void)state;
    alarm_set(all, &bell.alarm, 10000, ring);
    alarm_set(all, &bell.alarm, 60000, ring);
    later(20000);
    assert_int_equal(bell.rings, 0);
    later(70000);
    assert_int_equal(bell.rings, 1);
}

static void one_that_rings_may_stop_another(void **state)
{
    struct bell first = { .number = 1 }, second = { .number = 2 };

    (void)state;
    stopped_by_ring = &second;
    alarm_set(all, &first.alarm, 1000, ring);
    alarm_set(all, &second.alarm, 1001, ring);
    later(5000);
    assert_int_equal(first.rings, 1);
    assert_int_equal(second.rings, 0);
}

static void one_that_rings_may_set_itself_again(void **state)
{
    struct bell bell = { .number = 1 };

    (void)state;
    alarm_set(all, &bell.alarm, 0, ring_again);
    while (bell.rings < 3)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_false(alarm_is_set(&bell.alarm));
}

#define on_a_loop(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_a_loop(alarms_ring_in_the_order_of_their_time),
        on_a_loop(an_alarm_does_not_ring_before_its_time),
        on_a_loop(an_alarm_set_anew_forgets_its_first_time),
        on_a_loop(one_that_rings_may_stop_another),
        on_a_loop(one_that_rings_may_set_itself_again),
    };
    return cmocka_run_group_tests_name("alarm", tests, NULL, NULL);
}
