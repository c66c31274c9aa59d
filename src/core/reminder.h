/* reminder.h: a vendor who has not answered a message is reminded, RESPONSE_REMINDER_HOURS after it; an hour after the last reminder others are
 * recommended to the client. Each is a delayed job with an id of its own, made from the message's:
 *
 *   reminder:MESSAGE:8             response_reminder, after 8 hours
 *   reminder:MESSAGE:alternatives  alternative_vendor_recommendation
 *
 *   P:notifications:reminder:{message_id}   "waiting MS HOURS" or "answered MS HOURS": since when, after which hours; for a week after the last
 *
 * The state decides: what it is not waiting for any more is not told, whatever became of the jobs (unless_answered in notice.h). */
#ifndef PEYGIR_REMINDER_H
#define PEYGIR_REMINDER_H

#include "core/keys.h"

#define REMINDER_MESSAGE_MAX 64
#define REMINDER_TYPE "response_reminder"
#define REMINDER_LAST_TYPE "alternative_vendor_recommendation"
#define REMINDER_HOURS_MAX 64 /* as many of the option count */

/* May a message have this id? 1 to REMINDER_MESSAGE_MAX letters, digits, _ . : and -. */
bool reminder_message_ok(struct span id);

struct reminder_new {
    struct span message_id;
    struct span payload;      /* JSON object: what both types are told */
    struct span email;        /* of the vendor; absent: none */
    struct span alternatives; /* JSON list, for the client alone; absent: none */
};
struct reminder_hours {
    int hour[REMINDER_HOURS_MAX];
    size_t count;
};
enum { REMINDER_ANSWERED = -2, REMINDER_EXISTS = 0, REMINDER_MADE = 1 };
/* Remind of it from now on; *hours says when. REMINDER_EXISTS: that was asked for already; only jobs that are missing and not yet due are
 * pushed, as when the first asking broke off. REMINDER_ANSWERED: it was answered, and nothing is done. -1 (ERR_CONFIG: the administrator took the
 * job type away; ERR_FULL, ERR_AWAY...). Two round trips. */
int reminder_make(struct app *app, const struct reminder_new *n, struct reminder_hours *hours, struct err *err);
/* It was answered: no more reminders. *cancelled jobs waited and are ended, and so are mails that wait, which are not counted. 1; 0: nobody asked to be
 * reminded of it; -1. A round trip, and two for each reminder. */
int reminder_answer(struct app *app, struct span message_id, int *cancelled, struct err *err);
/* 1: it waits for its answer; 0: not any more, or nobody asked; -1. One round trip. */
int reminder_waits(struct app *app, struct span message_id, struct err *err);

#endif
