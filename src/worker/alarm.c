/* alarm.c: thousands of alarms on one timer: a binary heap, the nearest at place 1 */
#include "worker/alarm.h"

#include "base/clock.h"

enum { RINGS_MAX = 1000 }; /* in one turn, so that an alarm that sets itself does not hold up the loop */

struct alarms {
    uv_timer_t timer;
    struct alarm **heap; /* from 1 on */
    size_t count, room;
    bool ringing, closed;
};

static void put(struct alarms *all, struct alarm *alarm, size_t place)
{
    all->heap[place] = alarm;
    alarm->place = place;
}

/* Find the place for an alarm, beginning at one that is free. */
static void settle(struct alarms *all, struct alarm *alarm, size_t place)
{
    for (; place > 1 && alarm->due_ms < all->heap[place / 2]->due_ms; place /= 2)
        put(all, all->heap[place / 2], place);
    for (size_t child; (child = 2 * place) <= all->count; place = child) {
        if (child < all->count && all->heap[child + 1]->due_ms < all->heap[child]->due_ms)
            child++;
        if (alarm->due_ms <= all->heap[child]->due_ms)
            break;
        put(all, all->heap[child], place);
    }
    put(all, alarm, place);
}

static void ring_due(uv_timer_t *timer);

static void wind(struct alarms *all)
{
    if (all->ringing || all->closed)
        return;
    if (all->count == 0) {
        uv_timer_stop(&all->timer);
        return;
    }
    int64_t left_ms = all->heap[1]->due_ms - clock_mono_ms();
    uv_update_time(all->timer.loop); /* libuv counts from the beginning of the loop's turn */
    uv_timer_start(&all->timer, ring_due, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

static void ring_due(uv_timer_t *timer)
{
    struct alarms *all = timer->data;
    int64_t now_ms = clock_mono_ms();
    all->ringing = true;
    for (int i = 0; i < RINGS_MAX && all->count > 0 && all->heap[1]->due_ms <= now_ms; i++) {
        struct alarm *alarm = all->heap[1];
        alarm_stop(all, alarm);
        alarm->ring(alarm);
    }
    all->ringing = false;
    wind(all);
}

void alarm_set(struct alarms *all, struct alarm *alarm, int64_t after_ms, void (*ring)(struct alarm *alarm))
{
    alarm_stop(all, alarm);
    alarm->due_ms = clock_mono_ms() + (after_ms > 0 ? after_ms : 0);
    alarm->ring = ring;
    if (++all->count >= all->room) {
        all->room = all->room ? all->room * 2 : 64;
        all->heap = xreallocarray(all->heap, all->room, sizeof *all->heap);
    }
    settle(all, alarm, all->count);
    if (alarm->place == 1)
        wind(all);
}

void alarm_stop(struct alarms *all, struct alarm *alarm)
{
    size_t place = alarm->place;
    if (place == 0)
        return;
    struct alarm *last = all->heap[all->count--];
    alarm->place = 0;
    if (last != alarm)
        settle(all, last, place);
    if (place == 1 && all->count == 0)
        wind(all); /* a timer that is wound too early rings in vain, once */
}

bool alarm_is_set(const struct alarm *alarm)
{
    return alarm->place > 0;
}

struct alarms *alarms_new(uv_loop_t *loop)
{
    struct alarms *all = xcalloc(1, sizeof *all);
    uv_timer_init(loop, &all->timer);
    all->timer.data = all;
    return all;
}

static void closed(uv_handle_t *handle)
{
    struct alarms *all = handle->data;
    free(all->heap);
    free(all);
}

void alarms_close(struct alarms *all)
{
    all->closed = true;
    uv_close((uv_handle_t *)&all->timer, closed);
}
