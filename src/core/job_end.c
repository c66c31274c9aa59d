/* job_end.c: how jobs end. */
#include "core/job_part.h"

#include "scripts.h"

#define CANCEL_LOOK 10000 /* the longest list in which a cancelled job's entry is looked for */
#define END_ARGS 7        /* args of one job */

/* As job_end.lua names them. */
static const char *const outcomes[] = { [JOB_COMPLETED] = "completed",
                                        [JOB_FAILED] = "failed",
                                        [JOB_CANCELLED] = "cancelled",
                                        [JOB_AGAIN] = "again",
                                        [JOB_GIVE_BACK] = "back" };

/* How many of ends[] from the first on go into one script. */
static size_t end_group(const struct job_end ends[], size_t count)
{
    size_t n = 1;

    while (n < count && n < JOB_BATCH && span_eq(job_part_queue(ends[n].queue), job_part_queue(ends[0].queue)))
        n++;
    return n;
}

/* A result that is too long is not kept: half of it would be no JSON. */
static struct span result_text(const struct job_end *end)
{
    struct span text = span_of(end->result ? end->result : "");

    return end->outcome == JOB_COMPLETED && text.len <= JOB_RESULT_MAX ? text : SPAN("");
}

static void queue_ends(struct app *app, const struct job_end ends[], size_t count)
{
    struct span args[JOB_PART_ARGS + END_ARGS * JOB_BATCH];
    char digits[2 * JOB_BATCH][NUMBER_SIZE];
    struct str mended[JOB_BATCH];
    int n = JOB_PART_ARGS;

    for (size_t i = 0; i < count; i++) {
        mended[i] = (struct str)STR_INIT;
        args[n++] = span_of(ends[i].id);
        args[n++] = span_number(digits[2 * i], ends[i].run);
        args[n++] = span_of(outcomes[ends[i].outcome]);
        args[n++] = span_number(digits[2 * i + 1], ends[i].delay_ms > 0 ? ends[i].delay_ms : 0);
        args[n++] = job_part_error(ends[i].error, &mended[i]);
        args[n++] = result_text(&ends[i]);
        args[n++] = span_of(ends[i].limited ? ends[i].limited : "");
    }
    job_part_script(app, ends[0].queue, &script_job_end, args, n);
    for (size_t i = 0; i < count; i++)
        str_free(&mended[i]);
}

int job_end(struct app *app, struct job_end ends[], size_t count, struct err *err)
{
    for (size_t first = 0, size; first < count; first += size) {
        size = end_group(ends + first, count - first);
        queue_ends(app, ends + first, size);
    }
    return count == 0 ? 0 : job_part_verdicts(app, &ends->over, sizeof(*ends), count, err);
}

int job_end_one(struct app *app, const struct job_end *end, struct err *err)
{
    struct job_end one = *end;

    return job_end(app, &one, 1, err) < 0 ? -1 : !one.over;
}

int job_cancel(struct app *app, const char *queue, const char *id, struct err *err)
{
    const struct key workers = key_worker(app->house, SPAN(""));
    char digits[NUMBER_SIZE];
    struct span args[JOB_PART_ARGS + 3];
    const struct reply *reply;
    int64_t result;

    args[JOB_PART_ARGS] = span_of(id);
    args[JOB_PART_ARGS + 1] = key_span(&workers);
    args[JOB_PART_ARGS + 2] = span_number(digits, CANCEL_LOOK);
    job_part_script(app, queue, &script_job_cancel, args, ARRAY_LEN(args));
    reply = job_part_exchange(app, err);
    if (!reply)
        return -1;
    result = reply_int(reply, 0);
    if (result < 0)
        return err_set(err, ERR_NOT_FOUND, "There is no job %s in the queue %s.", id, queue ? queue : JOB_QUEUE_DEFAULT);
    return (int)result;
}
