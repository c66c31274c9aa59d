/* inbox.h: the notifications of a user, kept until they are read or old. Three keys each, which change together:
 *
 *   P:notifications:kept:{user_id}    hash: by id {"event", "texts", "data"}
 *   P:notifications:order:{user_id}   sorted set: ids by when they were kept (ms, each later than the one before)
 *   P:notifications:unread:{user_id}  set: ids that are not read
 *
 * There are the newest INBOX_MOST, none older than INBOX_DAYS; the keys go with the last one. All in the main database. */
#ifndef PEYGIR_INBOX_H
#define PEYGIR_INBOX_H

#include "core/notify.h"

#define INBOX_MOST 100
#define INBOX_DAYS 30

struct inbox_new {
    struct notification told;    /* task_id is its id; user_id is there; data is an object */
    const char *event;
    struct span title;           /* like told.message */
    struct span texts;           /* JSON: {"en": {"title", "text"}, …} */
    struct span unless_answered; /* absent, or the message of a reminder (reminder.h) */
};
enum { INBOX_ANSWERED = -2, INBOX_EXISTS = 0, INBOX_KEPT = 1 };
/* Keep it, unread, and publish it, as notify_send does, with "id", "event", "title", "texts" (none where the message would
 * have more than NOTIFY_MAX bytes) and "unread", their number. INBOX_KEPT;
 * INBOX_EXISTS: one of this id is kept already, and nothing is published; INBOX_ANSWERED: the message was answered, likewise;
 * -1 (ERR_FULL, ERR_AWAY...). One round trip. */
int inbox_add(struct app *app, const struct inbox_new *n, struct err *err);

struct inbox_item {
    struct span id, json; /* {"event", "texts", "data"} */
    int64_t at_ms;
    bool unread;
};
struct inbox_page {
    struct inbox_item item[INBOX_MOST]; /* newest first; borrowed until the connection's next exchange */
    size_t count;
    bool more;      /* older ones follow */
    int64_t unread; /* of all */
};
/* The first `limit` (at most INBOX_MOST), or those after the one whose id is `after`; after an id that is gone there are none. 0 or -1.
 * One round trip. */
int inbox_list(struct app *app, struct span user, struct span after, size_t limit, struct inbox_page *out, struct err *err);
/* One is read, or with an absent id all are; *unread is how many are left that are not. 1; 0: there is none of this id; -1. */
int inbox_read(struct app *app, struct span user, struct span id, int64_t *unread, struct err *err);

#endif
