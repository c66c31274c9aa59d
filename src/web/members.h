/* members.h: the body of a program's request, an object: each member is read by a row of a table. Sentences are English and repeat no value. */
#ifndef PEYGIR_WEB_MEMBERS_H
#define PEYGIR_WEB_MEMBERS_H

#include "core/locale.h"

#define MEMBERS_ID_MAX 100  /* bytes of a job's id, so that a key fits that has prefix, queue and id in it */
#define MEMBERS_TEXT_MAX 128

struct member {
    const char *name;
    bool required;
    /* NULL when the value, which is not null, is good; else the sentence that says what would be. */
    const char *(*read)(void *ctx, struct json_object *value);
};
/* Read each member of `body`; null is as absent. What is wrong is appended to *errors as api_add_error does, each field behind `at` ("jobs[3]."
 * or ""); `unknown` is said of a member that no row has. */
void members_read(struct json_object *body, const struct member rows[], size_t count, void *ctx, const char *at, const char *unknown, struct str *errors);

/* A text of 1 to max bytes without control characters; NULL: it is none. */
const char *members_text(struct json_object *value, int max);
/* A user's id: such a text of MEMBERS_TEXT_MAX bytes, or a whole number as it is written; NULL: it is none. */
const char *members_user(struct json_object *value);
#define MEMBERS_NO_USER "It must be a number, or a text of 1 to 128 bytes without control characters."

/* Each is NULL and *out, or what is wrong: a job's id; an address; a language that there is; an object, whose text of at most `max` bytes is
 * appended to *out. */
const char *members_job_id(struct json_object *value, const char **out);
const char *members_email(struct json_object *value, const char **out);
const char *members_locale(struct json_object *value, const struct locales *locales, const char **out);
const char *members_object(struct json_object *value, size_t max, struct str *out);

#endif
