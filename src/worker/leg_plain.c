/* leg_plain.c: jobs that are no service request: by their type, and about nothing but themselves */
#include "base/log.h"
#include "base/rnd.h"
#include "worker/leg_part.h"

enum { LATER_LEAST_MS = 2000 };

#define DEFAULT_TYPE "default"
#define DEFAULT_PATH "/api/jobs/default"

static const struct job_type *find_type(const struct house *house, const char *name)
{
    const struct job_type *type = house->job_types ? job_types_find(house->job_types, span_of(name)) : NULL;
    if (!type && house->job_types)
        type = job_types_find(house->job_types, SPAN(DEFAULT_TYPE));
    return type;
}

static void add_member(struct str *out, const char *name, const char *value)
{
    if (!value)
        return;
    str_adds(out, name);
    str_add_json(out, value, strlen(value));
}

static void add_body(struct leg *leg)
{
    const struct job *job = &leg->job;
    struct str *out = &leg->body;
    str_reset(out);
    add_member(out, "{\"job\":{\"id\":", job->id);
    add_member(out, ",\"type\":", job->type);
    add_member(out, ",\"queue\":", job->queue);
    str_adds(out, ",\"attempt\":");
    str_add_int(out, job->attempts + 1);
    str_adds(out, ",\"run\":");
    str_add_int(out, job->run);
    add_member(out, ",\"user_id\":", job->user_id);
    str_adds(out, ",\"created_at\":");
    str_add_int(out, job->created_ms);
    str_adds(out, "},\"payload\":");
    str_adds(out, job->payload ? job->payload : "{}");
    str_addc(out, '}');
}

int leg_begin_plain(const struct house *house, struct leg *leg)
{
    leg->type = find_type(house, leg->job.type); /* first: also the end of a poisoned one makes room for its type */
    if (leg->job.deaths >= JOB_DEATHS_MAX)
        return leg_ends(leg, JOB_FAILED, "poison");
    leg->handler = leg->type ? handler_find(leg->type->handler) : &handler_http;
    if (!leg->handler)
        return leg_ends(leg, JOB_FAILED, "handler_unknown");
    leg->path = leg->type && leg->type->path ? leg->type->path : DEFAULT_PATH;
    add_body(leg);
    return 1;
}

static void keep_result(struct leg *leg, struct span data)
{
    if (data.len > JOB_RESULT_MAX)
        log_event(LOG_WARN, LOG_FIELDS("job", leg->job.id), "the result has %zu bytes and is not kept, for %d is the most",
                  data.len, JOB_RESULT_MAX);
    else if (data.s)
        leg->result = xmemdupz(data.s, data.len);
}

/* Those that wait for the same thing do not come back together, nor again and again while somebody tries whether it is well. */
static int64_t apart(int64_t wait_ms)
{
    int64_t least_ms = wait_ms > LATER_LEAST_MS ? wait_ms : LATER_LEAST_MS;
    return least_ms + rnd_below((uint32_t)least_ms / 2);
}

void leg_judge_plain(struct leg *leg)
{
    struct answer answer;
    if (leg->call_end == CALL_LATER) {
        leg->delay_ms = apart(leg->later_ms);
        leg_ends(leg, JOB_GIVE_BACK, leg->detail);
    } else if (leg_read_answer(leg, &answer) < 0) {
        leg_again_or_failed(leg, true);
    } else if (answer.kind >= ANSWER_CODE_WRONG) {
        struct str said = STR_INIT;
        str_addf(&said, "error %s%s%s", answer.code, answer.message[0] ? ": " : "", answer.message);
        leg_set_detail(leg, said.s);
        str_free(&said);
        leg_again_or_failed(leg, answer.retryable);
    } else {
        leg_ends(leg, JOB_COMPLETED, NULL);
        keep_result(leg, answer.data);
    }
}
