/* push.h: the jobs that a program wants to push, read from the body of its request. */
#ifndef PEYGIR_WEB_PUSH_H
#define PEYGIR_WEB_PUSH_H

#include "core/job_type.h"
#include "web/exchange.h"

/* One job to push; zero at first. Its texts are borrowed from x->json. */
struct push {
    struct job_new job;
    const struct job_type *type;
    char id[JOB_ID_SIZE];
    char unique[JOB_UNIQUE_SIZE];
    struct str payload, backoff;
    char *existing; /* after the push: the job that is there already; NULL: this one is new */
};

/* Read x->json into pushes[0], or, with `list`, each of its items into pushes[]. True; false: *errors says by member, as JSON objects
 * {"field", "detail"} with commas between them, what is wrong. The sentences are English and repeat no value. */
bool push_read(struct exchange *x, struct json_object *list, struct push pushes[], struct str *errors);
/* Release what they hold, and the array. */
void push_free(struct push pushes[], size_t count);

#endif
