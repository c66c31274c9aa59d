/* test_reopen.c: the one way out of an end: a failed request waits again under a new run */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/otp.h"
#include "tests/unit/jobs.h"

static struct err err;

static struct span failed_request(char hash[HASH_SIZE])
{
    struct span h = house_processing("key", hash);

    assert_int_equal(request_progress(house_app(), h, 1, 30, "authentication", "messages.connecting", &err), 1);
    assert_int_equal(request_fail(house_app(), h, 1, &(struct request_error){ "timeout", "errors.timeout", true },
                                  &err),
                     1);
    return h;
}

static void expect_field(struct span hash, enum document_field field, const char *json)
{
    char *value = house_field(hash, field);

    assert_string_equal(value, json);
    free(value);
}

static struct request_begin_result {
    enum request_begin what;
    enum request_status status;
} begin(const char *id, const char *hash, int64_t code, int64_t run)
{
    struct job job = { .id = (char *)id, .request_hash = (char *)hash, .code = code, .run = run };
    struct request_begin_result r;
    struct str slug = STR_INIT, body = STR_INIT;

    if (request_begin(house_app(), &job, &r.what, &r.status, &slug, &body, NULL, &err) < 0)
        fail_msg("request_begin: %s", err.text);
    str_free(&slug);
    str_free(&body);
    return r;
}

static void a_failed_request_waits_again_as_if_it_were_new(void **state)
{
    char hash[HASH_SIZE];
    struct span h = failed_request(hash);
    struct request before = house_read(h), rq;
    int64_t revision = before.guard.revision;

    (void)state;
    assert_int_equal(request_reopen(house_app(), h, 2, &err), 1);
    rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_PENDING);
    assert_int_equal(rq.guard.revision, revision + 1);
    assert_int_equal(rq.guard.run, 2);
    expect_field(h, DOC_STATUS, "\"pending\"");
    expect_field(h, DOC_MESSAGE, "\"messages.queued\"");
    expect_field(h, DOC_STEP, "\"initializing\"");
    expect_field(h, DOC_PROGRESS, "0");
    expect_field(h, DOC_ERROR, "null");
    expect_field(h, DOC_OTP, "null");
    expect_field(h, DOC_COMPLETED, "null");
    expect_field(h, DOC_DATA, "{\"mobile\":\"09120000000\",\"national_code\":\"0012345679\"}");
}

static void it_is_recorded_published_and_watched_and_lives_on(void **state)
{
    char hash[HASH_SIZE], document[64], events[64];
    struct span h = failed_request(hash);
    const struct reply *list;

    (void)state;
    snprintf(document, sizeof document, "local_request:%s", hash);
    snprintf(events, sizeof events, "{local_request:%s}:events", hash);
    REDIS_RUN("PEXPIRE", document, "5000");
    house_read(h); /* what was posted goes along */
    assert_redis("", "ZSCORE", "peygir:requests:watch", hash);
    assert_int_equal(request_reopen(house_app(), h, 2, &err), 1);
    assert_true(REDIS_NUMBER("PTTL", document) > 1000000);
    assert_true(REDIS_NUMBER("ZSCORE", "peygir:requests:watch", hash) > clock_ms());
    list = redis_do(house_app()->redis, &err, "LRANGE %s -1 -1", events);
    assert_non_null(list);
    assert_non_null(strstr(list->item[0].text.s, "\"pending\""));
}

static void writers_of_the_run_before_are_stale(void **state)
{
    char hash[HASH_SIZE];
    struct span h = failed_request(hash);

    (void)state;
    assert_int_equal(request_reopen(house_app(), h, 2, &err), 1);
    assert_int_equal(request_progress(house_app(), h, 1, 50, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_STALE);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), -1);
    assert_int_equal(err.kind, ERR_STALE);
}

static void the_next_run_takes_it_up_and_ends_it(void **state)
{
    char hash[HASH_SIZE];
    struct span h = failed_request(hash);
    struct request_begin_result r;

    (void)state;
    assert_int_equal(request_reopen(house_app(), h, 2, &err), 1);
    r = begin(hash, hash, 0, 2);
    assert_int_equal(r.what, BEGIN_CALL);
    assert_int_equal(house_read(h).status, REQUEST_PROCESSING);
    assert_int_equal(request_complete(house_app(), h, 2, SPAN("{\"a\":1}"), &err), 1);
    assert_int_equal(house_read(h).status, REQUEST_COMPLETED);
}

static void only_a_failed_one_is_reopened_and_one_that_waits_stays_as_it_is(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_request("key", hash);

    (void)state;
    assert_int_equal(request_reopen(house_app(), h, 5, &err), 0);
    assert_int_equal(house_read(h).guard.revision, 1);
    begin(hash, hash, 0, 1);
    assert_int_equal(request_reopen(house_app(), h, 5, &err), -1);
    assert_int_equal(err.kind, ERR_STATE);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    assert_int_equal(request_reopen(house_app(), h, 5, &err), -1);
    assert_int_equal(err.kind, ERR_FINAL);
    assert_int_equal(house_read(h).status, REQUEST_COMPLETED);
    assert_int_equal(request_reopen(house_app(), SPAN("req_0123456789ABCDEFGHJKMNPQRS"), 5, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* A request that failed while its code was judged: codes, tries and resends begin anew, their numbers go on. */
static void codes_begin_anew_and_no_leg_of_before_is_taken_for_one_of_now(void **state)
{
    const struct service *service = house_service("credit-score-rating");
    char hash[HASH_SIZE], leg[HASH_SIZE + 8];
    struct span h = house_processing("key", hash);
    struct request rq;

    (void)state;
    snprintf(leg, sizeof leg, "%s.1", hash);
    assert_int_equal(otp_require(house_app(), service, h, 1, &(struct otp_ask){ .length = 5 }, &err), 1);
    assert_int_equal(otp_submit(house_app(), service, h, SPAN("12345"), &err), 1);
    assert_int_equal(begin(leg, hash, 1, 2).what, BEGIN_CALL);
    assert_int_equal(otp_wrong(house_app(), service, h, 2, NULL, &err), 1);
    assert_int_equal(request_fail(house_app(), h, 2, &(struct request_error){ "failed", "errors.failed", true }, &err),
                     1);

    assert_int_equal(request_reopen(house_app(), h, 3, &err), 1);
    rq = house_read(h);
    assert_int_equal(rq.guard.tries, 0);
    assert_int_equal(rq.guard.code_tries, 0);
    assert_int_equal(rq.guard.resends, 0);
    assert_int_equal(rq.guard.code_until_ms, 0);
    assert_int_equal(begin(leg, hash, 1, 3).what, BEGIN_NOTHING);
    assert_int_equal(begin(hash, hash, 0, 3).what, BEGIN_CALL);
    assert_int_equal(otp_require(house_app(), service, h, 3, &(struct otp_ask){ .length = 5 }, &err), 1);
    assert_int_equal(otp_submit(house_app(), service, h, SPAN("12345"), &err), 1);
    snprintf(leg, sizeof leg, "%s.3", hash);
    assert_int_equal(begin(leg, hash, 3, 4).what, BEGIN_CALL);
}

/* What a crash between reopening a request and putting back its job leaves: nobody waits for ever. */
static void one_whose_job_was_not_put_back_ends_again_at_the_next_look(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_request("key", hash);

    (void)state;
    assert_int_equal(jobs_take(hash), 1);
    begin(hash, hash, 0, 1);
    assert_int_equal(request_fail(house_app(), h, 1, &(struct request_error){ "timeout", "errors.timeout", true },
                                  &err),
                     1);
    jobs_end(hash, 1, JOB_FAILED, "timeout");
    assert_int_equal(request_reopen(house_app(), h, 2, &err), 1);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 0);
    assert_int_equal(house_read(h).status, REQUEST_PENDING);
    clock_test_offset(20000);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    assert_int_equal(house_read(h).status, REQUEST_FAILED);
}

#define T(name) cmocka_unit_test_setup(name, house_fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_failed_request_waits_again_as_if_it_were_new),
        T(it_is_recorded_published_and_watched_and_lives_on),
        T(writers_of_the_run_before_are_stale),
        T(the_next_run_takes_it_up_and_ends_it),
        T(only_a_failed_one_is_reopened_and_one_that_waits_stays_as_it_is),
        T(codes_begin_anew_and_no_leg_of_before_is_taken_for_one_of_now),
        T(one_whose_job_was_not_put_back_ends_again_at_the_next_look),
    };

    return cmocka_run_group_tests_name("reopen", tests, house_setup, house_teardown);
}
