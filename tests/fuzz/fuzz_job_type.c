/* fuzz_job_type.c: job type files */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "core/job_type_read.h"

FUZZ(input)
{
    struct json_object *root = NULL;
    struct err err = ERR_INIT;
    struct job_type *t;
    struct jread at;

    if (json_parse(input.s, input.len, &root, &err) < 0)
        return;
    t = xcalloc(1, sizeof(*t));
    at = jread_root("fuzz.json", root);
    if (job_type_read(t, &at, "fuzz", &err) == 0) {
        PROMISE(t->queue && t->handler && t->priority >= -1 && t->priority <= JOB_PRIORITY_MAX);
        PROMISE(backoff_ms(&t->backoff, 1) >= -1 && backoff_ms(&t->backoff, INT64_MAX) >= -1);
    } else {
        PROMISE(err.kind == ERR_CONFIG && strncmp(err.text, "fuzz.json", 9) == 0);
    }
    job_type_free(t);
    json_object_put(root);
}
