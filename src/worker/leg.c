/* leg.c: what core is asked before the call, and the job's end */
#include "worker/leg.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/otp.h"
#include "worker/leg_part.h"

void leg_init(struct leg *leg, const struct policy *policy, struct job *job)
{
    *leg = (struct leg){ .policy = policy, .job = *job, .run = job->run };
    *job = (struct job){ .queue = NULL };
}

void leg_clear(struct leg *leg)
{
    job_clear(&leg->job);
    str_free(&leg->path);
    str_free(&leg->body);
    str_free(&leg->answer);
}

static int64_t first_set(int64_t a, int64_t b, int64_t c)
{
    return a > 0 ? a : b > 0 ? b : c;
}

int64_t leg_attempt_ms(const struct leg *leg)
{
    return 1000 * first_set(leg->job.timeout_s, leg->service ? leg->service->timeout_s : 0, leg->policy->timeout_s);
}

int64_t leg_call_ms(const struct leg *leg)
{
    return 1000 * first_set(leg->service ? leg->service->call_timeout_s : 0, leg->policy->call_timeout_s, 0);
}

int64_t leg_tries(const struct leg *leg)
{
    return first_set(leg->job.max_attempts, leg->service ? leg->service->tries : 0, leg->policy->tries);
}

int64_t leg_backoff_ms(const struct leg *leg)
{
    bool own = leg->service && leg->service->backoff_s >= 0;
    return 1000 * (own ? leg->service->backoff_s : leg->policy->backoff_s);
}

bool leg_wait(const struct err *err)
{
    return err->kind == ERR_AWAY || err->kind == ERR_FULL;
}

struct span leg_hash(const struct leg *leg)
{
    return span_of(leg->job.request_hash);
}

/* --- decisions --- */

void leg_decide(struct leg *leg, enum leg_end end, enum job_outcome outcome, const char *error)
{
    leg->end = end;
    leg->outcome = outcome;
    snprintf(leg->error, sizeof leg->error, "%.*s", (int)sizeof leg->error - 1, error ? error : "");
}

int leg_ends(struct leg *leg, enum job_outcome outcome, const char *error)
{
    leg_decide(leg, LEG_FINISH, outcome, error);
    return 0;
}

int leg_ends_like(struct leg *leg, enum request_status status)
{
    static const enum job_outcome outcomes[REQUEST_STATUSES] = { [REQUEST_COMPLETED] = JOB_COMPLETED,
                                                                 [REQUEST_FAILED] = JOB_FAILED,
                                                                 [REQUEST_CANCELLED] = JOB_CANCELLED };
    leg->push_code = false;
    return leg_ends(leg, outcomes[status], status == REQUEST_FAILED ? "its request has failed" : NULL);
}

int leg_tries_again(struct leg *leg, const char *error)
{
    leg_decide(leg, LEG_AGAIN, JOB_FAILED, error);
    leg->delay_ms = leg_backoff_ms(leg);
    return 0;
}

/* An error of core that says nothing about the request: a try is used up for it, so that it cannot go on for ever. */
static int broke(struct leg *leg, const struct err *err)
{
    const char *const fields[] = { "job", leg->job.id, NULL, NULL };
    log_event(LOG_ERROR, fields, "%s", err->text);
    if (leg->job.attempts + 1 < leg_tries(leg))
        return leg_tries_again(leg, err->text);
    return leg_ends(leg, JOB_FAILED, err->text);
}

static int ended_otherwise(struct app *app, struct leg *leg, struct err *err)
{
    enum request_status status;
    int64_t until_ms;
    int found = leg_look(app, leg_hash(leg), &status, &until_ms, err);
    if (found < 0)
        return leg_wait(err) ? -1 : broke(leg, err);
    if (found == 0)
        return leg_ends(leg, JOB_CANCELLED, "expired");
    return request_is_final(status) ? leg_ends_like(leg, status) : leg_ends(leg, JOB_CANCELLED, "stale");
}

int leg_refused(struct app *app, struct leg *leg, struct err *err)
{
    if (leg_wait(err))
        return -1;
    if (err->kind == ERR_NOT_FOUND)
        return leg_ends(leg, JOB_CANCELLED, "expired");
    if (err->kind == ERR_STALE)
        return leg_ends(leg, JOB_CANCELLED, "stale");
    return err->kind == ERR_FINAL ? ended_otherwise(app, leg, err) : broke(leg, err);
}

int leg_fails(struct app *app, struct leg *leg, int64_t run, const struct request_error *error, struct err *err)
{
    if (request_fail(app, leg_hash(leg), run, error, err) < 0)
        return leg_refused(app, leg, err);
    leg_ends(leg, JOB_FAILED, NULL);
    leg->push_code = false;
    snprintf(leg->error, sizeof leg->error, "%s%s%s", error->code, leg->detail[0] ? ": " : "", leg->detail);
    return 0;
}

int leg_is_interrupted(struct app *app, struct leg *leg, int64_t run, struct err *err)
{
    return leg_fails(app, leg, run, &(struct request_error){ "interrupted", "errors.interrupted", true }, err);
}

/* --- looking --- */

bool leg_past_repeat(const struct leg *leg, const struct request *rq)
{
    struct str step = STR_INIT;
    bool past = false;
    if (leg->service && rq->doc.field[DOC_STEP].s && raw_string(rq->doc.field[DOC_STEP], &step)) {
        int reached = service_step_index(leg->service, (struct span){ step.s, step.len });
        for (int i = 0; i <= reached; i++)
            past = past || !leg->service->steps[i].repeat;
    }
    str_free(&step);
    return past;
}

int leg_look(struct app *app, struct span hash, enum request_status *status, int64_t *code_until_ms, struct err *err)
{
    struct request rq;
    int found = request_read(app, hash, &rq, err);
    if (found <= 0)
        return found;
    *status = rq.status;
    *code_until_ms = rq.status == REQUEST_OTP_REQUIRED ? rq.guard.code_until_ms : 0;
    return 1;
}

/* --- beginning --- */

static void add_path(struct leg *leg, const char *under, struct span name)
{
    str_reset(&leg->path);
    str_adds(&leg->path, under);
    str_add_url(&leg->path, name.s, name.len);
    if (leg->job.call) {
        str_addc(&leg->path, '/');
        str_add_url(&leg->path, leg->job.call, strlen(leg->job.call));
    }
}

/* A job without a request: its payload goes to LOCAL_API_URL/api/jobs/{type}. */
static int begin_plain(struct leg *leg)
{
    const struct job *job = &leg->job;
    if (job->deaths >= JOB_DEATHS_MAX)
        return leg_ends(leg, JOB_FAILED, "poison");
    if (strcmp(job->type, "default") != 0) {
        leg_decide(leg, LEG_FINISH, JOB_FAILED, NULL);
        snprintf(leg->error, sizeof leg->error, "unknown job type %.100s", job->type);
        return 0;
    }
    leg->handler = &handler_http;
    add_path(leg, "/api/jobs/", span_of(job->type));
    str_reset(&leg->body);
    str_adds(&leg->body, "{\"job\":{\"id\":");
    str_add_json(&leg->body, job->id, strlen(job->id));
    str_adds(&leg->body, ",\"type\":");
    str_add_json(&leg->body, job->type, strlen(job->type));
    str_addf(&leg->body, ",\"attempt\":%lld,\"run\":%lld},\"payload\":", (long long)job->attempts + 1,
             (long long)job->run);
    str_adds(&leg->body, job->payload);
    str_addc(&leg->body, '}');
    return 1;
}

/* A leg that was begun before: may it be run again? 1: yes; 0: no, decided; -1. */
static int look_at_repeat(struct app *app, struct leg *leg, struct err *err)
{
    static const struct request_error poison = { "poison", "errors.poison", false };
    struct request rq;
    if (leg->job.deaths >= JOB_DEATHS_MAX)
        return leg_fails(app, leg, 0, &poison, err);
    int found = request_read(app, leg_hash(leg), &rq, err);
    if (found < 0)
        return leg_refused(app, leg, err);
    if (found == 0)
        return leg_ends(leg, JOB_CANCELLED, "expired");
    leg->service = services_find(app->house->services, request_slug(&rq));
    /* While a code is waited for or judged, or a later leg is at work, nothing of it is repeated. */
    if (rq.status != REQUEST_PROCESSING || rq.guard.taken > leg->job.code)
        return 1;
    if (leg_past_repeat(leg, &rq))
        return leg_is_interrupted(app, leg, 0, err);
    /* The leg that took this code died after it had reported progress: the visitor needs another code. */
    if (leg->job.code > 0 && rq.guard.taken >= leg->job.code)
        return otp_expired(app, leg->service, leg_hash(leg), 0, NULL, err) < 0 ? leg_refused(app, leg, err)
                                                                               : leg_ends(leg, JOB_COMPLETED, NULL);
    return 1;
}

/* What request_begin says is to be done. 1: call; 0: decided. */
static int begun(struct app *app, struct leg *leg, enum request_begin what, enum request_status status,
                 struct span slug, struct err *err)
{
    static const struct request_error unknown = { "service_unknown", "errors.bot_unavailable", false };
    if (what == BEGIN_GONE)
        return leg_ends(leg, JOB_CANCELLED, "expired");
    if (what == BEGIN_ENDED)
        return leg_ends_like(leg, status);
    leg->push_code = !leg->job.call;
    if (what == BEGIN_NOTHING)
        return leg_ends(leg, JOB_COMPLETED, NULL);
    leg->service = services_find(app->house->services, slug);
    leg->handler = leg->service ? handler_find(leg->service->handler) : NULL;
    if (!leg->handler && leg->job.call)
        return leg_ends(leg, JOB_FAILED, unknown.code);
    if (!leg->handler)
        return leg_fails(app, leg, leg->job.run, &unknown, err);
    add_path(leg, "/api/services/", slug);
    return 1;
}

/* A call on the side is no run of its own: the bot reports under the run that the request has. */
static int side_run(struct app *app, struct leg *leg, struct err *err)
{
    struct request rq;
    int found = request_read(app, leg_hash(leg), &rq, err);
    if (found > 0)
        leg->run = rq.guard.run;
    return found < 0 ? leg_refused(app, leg, err) : 1;
}

int leg_begin(struct app *app, struct leg *leg, struct err *err)
{
    enum request_begin what;
    enum request_status status;
    struct str slug = STR_INIT;
    int result = 1;
    if (!leg->job.request_hash)
        return begin_plain(leg);
    if (leg->job.call && leg->job.deaths >= JOB_DEATHS_MAX)
        return leg_ends(leg, JOB_FAILED, "poison");
    if (leg->job.call)
        result = side_run(app, leg, err);
    else if (leg->job.deaths > 0 || leg->job.attempts > 0)
        result = look_at_repeat(app, leg, err);
    if (result <= 0)
        return result;
    if (request_begin(app, &leg->job, &what, &status, &slug, &leg->body, err) < 0)
        result = leg_refused(app, leg, err);
    else
        result = begun(app, leg, what, status, (struct span){ slug.s, slug.len }, err);
    str_free(&slug);
    return result;
}

int leg_connecting(struct app *app, struct leg *leg, struct err *err)
{
    if (!leg->job.request_hash || leg->job.call)
        return 0;
    int said = request_progress(app, leg_hash(leg), leg->job.run, -1, NULL, "messages.connecting", err);
    return said < 0 && leg_wait(err) ? -1 : 0; /* whatever else is wrong shows when the leg is judged */
}

/* --- the end --- */

int leg_finish(struct app *app, struct leg *leg, struct err *err)
{
    const struct job *job = &leg->job;
    const char *error = leg->error[0] ? leg->error : NULL;
    int done;
    if (leg->end == LEG_AGAIN)
        done = job_retry(app, job->queue, job->id, job->run, leg->delay_ms, error, err);
    else if (leg->end == LEG_GIVE_BACK)
        done = job_give_back(app, job->queue, job->id, job->run, err);
    else
        done = job_finish(app, job->queue, job->id, job->run, leg->outcome, error, err);
    if (done < 0 && leg_wait(err))
        return -1;
    if (done < 0)
        log_event(LOG_ERROR, LOG_FIELDS("job", job->id), "%s", err->text);
    /* Should this fail, request_watch pushes it. */
    if (done > 0 && leg->end == LEG_FINISH && leg->push_code)
        otp_push_leg(app, leg_hash(leg), NULL);
    return done > 0;
}
