/* leg.c: policy, decisions, and what core is asked before the call of a request's job */
#include "worker/leg.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/listener.h"
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
    str_free(&leg->path_text);
    str_free(&leg->body);
    str_free(&leg->locale);
    str_free(&leg->answer);
    free(leg->detail);
    free(leg->error);
    free(leg->result);
}

bool leg_is_plain(const struct leg *leg)
{
    return !leg->job.request_hash;
}

static void set_text(char **at, const char *text)
{
    char *copy = text && text[0] ? xstrdup(text) : NULL; /* before the old one goes: it may be the same */
    free(*at);
    *at = copy;
}

void leg_set_detail(struct leg *leg, const char *detail)
{
    set_text(&leg->detail, detail);
}

/* --- policy: the job's own word, its type's, its service's, the worker's --- */

static int64_t first_set(int64_t a, int64_t b, int64_t c, int64_t d)
{
    return a > 0 ? a : b > 0 ? b : c > 0 ? c : d;
}

int64_t leg_attempt_ms(const struct leg *leg)
{
    return 1000 * first_set(leg->job.timeout_s, leg->type ? leg->type->timeout_s : 0, leg->service ? leg->service->timeout_s : 0,
                            leg->policy->timeout_s);
}

/* LOCAL_API_TIMEOUT is about bots, and about those of whom nothing else is said. */
int64_t leg_call_ms(const struct leg *leg)
{
    bool said = leg->job.timeout_s > 0 || (leg->type && leg->type->timeout_s > 0);
    if (leg_is_plain(leg) && (said || leg->handler != &handler_http))
        return leg_attempt_ms(leg);
    return 1000 * first_set(leg->service ? leg->service->call_timeout_s : 0, leg->policy->call_timeout_s, 0, 0);
}

int64_t leg_tries(const struct leg *leg)
{
    return first_set(leg->job.max_attempts, leg->type ? leg->type->tries : 0, leg->service ? leg->service->tries : 0,
                     leg->policy->tries);
}

int64_t leg_backoff_ms(const struct leg *leg)
{
    int64_t failed = leg->job.attempts + 1, ms = -1;
    struct backoff own;
    if (leg->job.backoff && backoff_parse(&own, span_of(leg->job.backoff)) == 0)
        ms = backoff_ms(&own, failed);
    if (ms < 0 && leg->type)
        ms = backoff_ms(&leg->type->backoff, failed);
    if (ms < 0 && leg->service && leg->service->backoff_s >= 0)
        ms = 1000 * (int64_t)leg->service->backoff_s;
    return ms >= 0 ? ms : 1000 * leg->policy->backoff_s;
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

void leg_decide(struct leg *leg, enum job_outcome outcome, const char *error)
{
    leg->outcome = outcome;
    set_text(&leg->error, error);
}

int leg_ends(struct leg *leg, enum job_outcome outcome, const char *error)
{
    leg_decide(leg, outcome, error);
    return 0;
}

struct job_end leg_end(const struct leg *leg)
{
    bool limited = leg->type && leg->type->limit.type && leg->type->limit.at_once > 0;
    return (struct job_end){ .queue = leg->job.queue,
                             .id = leg->job.id,
                             .run = leg->job.run,
                             .outcome = leg->outcome,
                             .delay_ms = leg->outcome == JOB_AGAIN || leg->outcome == JOB_GIVE_BACK ? leg->delay_ms : 0,
                             .error = leg->error,
                             .result = leg->outcome == JOB_COMPLETED ? leg->result : NULL,
                             .limited = limited ? leg->type->limit.type : NULL };
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
    leg->delay_ms = leg_backoff_ms(leg);
    return leg_ends(leg, JOB_AGAIN, error);
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
    struct str text = STR_INIT;
    str_adds(&text, error->code);
    if (leg->detail)
        str_addf(&text, ": %s", leg->detail);
    leg->push_code = false;
    leg_ends(leg, JOB_FAILED, text.s);
    str_free(&text);
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
    listener_tell_read(app, &rq);
    return 1;
}

/* --- beginning --- */

static void add_path(struct leg *leg, struct span slug)
{
    str_reset(&leg->path_text);
    str_adds(&leg->path_text, "/api/services/");
    str_add_url(&leg->path_text, slug.s, slug.len);
    if (leg->job.call) {
        str_addc(&leg->path_text, '/');
        str_add_url(&leg->path_text, leg->job.call, strlen(leg->job.call));
    }
    leg->path = leg->path_text.s;
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
    add_path(leg, slug);
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
    if (leg->job.call && leg->job.deaths >= JOB_DEATHS_MAX)
        return leg_ends(leg, JOB_FAILED, "poison");
    if (leg->job.call)
        result = side_run(app, leg, err);
    else if (leg->job.deaths > 0 || leg->job.attempts > 0)
        result = look_at_repeat(app, leg, err);
    if (result <= 0)
        return result;
    if (request_begin(app, &leg->job, &what, &status, &slug, &leg->body, &leg->locale, err) < 0)
        result = leg_refused(app, leg, err);
    else
        result = begun(app, leg, what, status, (struct span){ slug.s, slug.len }, err);
    str_free(&slug);
    return result;
}

int leg_prove(struct app *app, struct leg *leg, struct err *err)
{
    struct job_ref ref = { .queue = leg->job.queue, .id = leg->job.id, .run = leg->job.run };
    const char *hash = leg->job.request_hash;
    return job_renew(app, &ref, &hash, 1, err) < 0 ? -1 : !ref.lost;
}

int leg_connecting(struct app *app, struct leg *leg, struct err *err)
{
    if (leg->job.call)
        return 0;
    const char *message = leg->barred ? "messages.bot_away" : "messages.connecting";
    int said = request_progress(app, leg_hash(leg), leg->job.run, -1, NULL, message, err);
    return said < 0 && leg_wait(err) ? -1 : 0; /* whatever else is wrong shows when the leg is judged */
}
