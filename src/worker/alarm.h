/* alarm.h: thousands of alarms on one timer of the loop: an alarm is a few bytes within what it wakes, and setting it touches no
 * handle. To the millisecond. */
#ifndef PEYGIR_ALARM_H
#define PEYGIR_ALARM_H

#include "base/xmalloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct alarms;

struct alarm {
    int64_t due_ms; /* monotonic */
    size_t place;   /* 0: not set */
    void (*ring)(struct alarm *alarm);
};

struct alarms *alarms_new(uv_loop_t *loop);
/* Closes the timer; the loop frees it. Nothing rings any more. */
void alarms_close(struct alarms *all);
/* Ring once, in after_ms at the earliest; set anew when it was set. `alarm` stays where it is until it rang or was stopped. */
void alarm_set(struct alarms *all, struct alarm *alarm, int64_t after_ms, void (*ring)(struct alarm *alarm));
/* Harmless when it is not set. */
void alarm_stop(struct alarms *all, struct alarm *alarm);
bool alarm_is_set(const struct alarm *alarm);

#endif
