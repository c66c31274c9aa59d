/* notice.h: what users are told, by event: one JSON file each, etc/notifications/{event}.json. Read once at the start, shared read-only. A
 * wrong file stops the start-up with file, path inside it and reason.
 *
 *   { "title": {"en": "A new answer", "fa": "…"},               a text by language, or one for all
 *     "text": {"en": "{vendor} has answered.", "fa": "…"},
 *     "to": "user_id" | "vendor_id" | "client_id",              which member of a job's payload names the user; user_id when not written
 *     "mail": "reminder" }                                      optional: the template of a mail that is sent as well
 *
 * {name} stands for the member of that name of what is told: a text, a number in the language's digits, or a list of these. What is
 * missing leaves a gap. {name|one|many} is the word `one` where the member is 1, else `many`. Names are lower-case letters, digits and _; other
 * braces are text.
 *
 * A notification is kept for its user and published (inbox.h) by a job of the handler notify; its payload is
 *
 *   {"event", "user_id", "data", "email", "locale", "unless_answered"}
 *
 * without `event` the job's type is one. Every other member is told along with those of `data`, which win. A mail goes to `email`, in
 * the language `locale`, if both the address and the event's template are there; a path in `link` leads to PEYGIR_SITE_URL there. `unless_answered` names a message (reminder.h): once it
 * was answered nothing is told any more. */
#ifndef PEYGIR_NOTICE_H
#define PEYGIR_NOTICE_H

#include "core/job.h"
#include "core/text.h"

#define NOTICE_TITLE_MAX 200 /* bytes of a language's words */
#define NOTICE_TEXT_MAX 1000
#define NOTICE_DATA_MAX 4096 /* bytes of JSON */
#define NOTICE_USER_MAX 128
#define NOTICE_TYPE "notification" /* the job type of POST /api/internal/notifications */
#define NOTICE_MAIL_TYPE "mail"

struct notice {
    char *event;
    struct text *title, *text; /* never NULL */
    char *to;                  /* never NULL */
    char *mail;                /* NULL: none */
};

struct notices;
/* Every *.json of the directory. NULL: *err names file, place and reason (ERR_CONFIG). */
struct notices *notices_open(const char *dir, struct err *err);
void notices_free(struct notices *n);
const struct notice *notices_find(const struct notices *n, struct span event); /* NULL: none, or no notices at all */
size_t notices_count(const struct notices *n);
const struct notice *notices_at(const struct notices *n, size_t i); /* by name, ascending */

/* Append the words in a language with what `data` (an object) has, in one line of at most `max` bytes. */
void notice_add_words(struct str *out, const struct text *words, const struct locale *locale, struct json_object *data, size_t max);

/* Does `link` of what is told lead somewhere? A path of this site, or a place of any by its whole address. */
bool notice_is_place(const char *link);

/* The event of a job of the handler notify; NULL: it has none, and is a plain message. `payload` is its JSON object. */
const struct notice *notice_of_job(const struct house *house, const struct job *job, struct json_object *payload);
/* Keep and publish what the job tells, and push its mail. Doing it again tells nothing twice. 1; 0: the message was answered, nothing was
 * told; -1 (ERR_INVALID: the payload is wrong, and doing it again would not help). */
int notice_tell(struct app *app, const struct notice *notice, const struct job *job, struct json_object *payload, struct err *err);
/* The mail that this job pushed is not sent any more, unless it was. 0, also where there is none; -1. One round trip. */
int notice_withdraw_mail(struct app *app, const char *job_id, struct err *err);

#endif
