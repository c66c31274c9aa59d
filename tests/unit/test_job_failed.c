/* test_job_failed.c: failed jobs are shown, tried once more, forgotten */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "tests/unit/jobs.h"

static struct err err;

/* --- showing --- */

struct seen {
    char ids[400][40];
    size_t count;
    char error[100], payload[100], history[300];
    enum job_place place;
    double score;
};

static void see(void *ctx, const struct job_view *view)
{
    struct seen *s = ctx;

    snprintf(s->ids[s->count++], sizeof s->ids[0], "%s", view->id);
    snprintf(s->error, sizeof s->error, "%s", view->error ? view->error : "");
    snprintf(s->payload, sizeof s->payload, "%s", view->payload ? view->payload : "");
    snprintf(s->history, sizeof s->history, "%s", view->history ? view->history : "");
    s->place = view->place;
    s->score = view->score;
}

static void failed_jobs_are_shown_newest_first_with_what_is_known(void **state)
{
    struct seen s = { .count = 0 };

    (void)state;
    jobs_fail(&(struct job_new){ .id = "a", .payload = "{\"x\":1}" }, "it broke");
    REDIS_RUN("ZADD", JOBS_FAILED, "2000", "a", "3000", "b", "1000", "c");
    assert_int_equal(job_failed_each(house_app(), NULL, 0, see, &s, &err), 0);
    assert_int_equal(s.count, 3);
    assert_string_equal(s.ids[0], "b");
    assert_string_equal(s.ids[1], "a");
    assert_string_equal(s.ids[2], "c");
    s.count = 0;
    REDIS_RUN("ZADD", JOBS_FAILED, "4000", "a");
    assert_int_equal(job_failed_each(house_app(), NULL, 1, see, &s, &err), 0);
    assert_int_equal(s.count, 1);
    assert_string_equal(s.ids[0], "a");
    assert_string_equal(s.error, "it broke");
    assert_string_equal(s.payload, "{\"x\":1}");
    assert_non_null(strstr(s.history, "it broke"));
    assert_int_equal(s.place, JOB_IN_FAILED);
    assert_int_equal((int)s.score, 4000);
}

static void more_than_one_page_of_them_is_shown(void **state)
{
    struct seen *s = calloc(1, sizeof *s);

    (void)state;
    REDIS_RUN("EVAL", "for i = 1, 250 do redis.call('ZADD', KEYS[1], i, 'j' .. i) end", "1", JOBS_FAILED);
    assert_int_equal(job_failed_each(house_app(), NULL, 0, see, s, &err), 0);
    assert_int_equal(s->count, 250);
    assert_string_equal(s->ids[0], "j250");
    assert_string_equal(s->ids[249], "j1");
    s->count = 0;
    assert_int_equal(job_failed_each(house_app(), NULL, 120, see, s, &err), 0);
    assert_int_equal(s->count, 120);
    free(s);
}

/* --- once more --- */

static void a_failed_job_waits_again_as_if_it_had_never_been_tried(void **state)
{
    struct job job;
    struct job_take t = { .worker_id = "one", .jobs = &job, .max = 1 };

    (void)state;
    jobs_push(&(struct job_new){ .id = "a", .payload = "{\"x\":1}" });
    jobs_take("a");
    jobs_end("a", 1, JOB_AGAIN, "first");
    REDIS_RUN("ZADD", JOBS_DELAYED, "1", "a");
    jobs_take("a");
    jobs_end("a", 2, JOB_FAILED, "second");
    assert_int_equal(job_failed_retry(house_app(), NULL, "a", &err), 1);
    assert_redis("0", "ZCARD", JOBS_FAILED);
    assert_redis("pending", "HGET", JOBS_DATA("a"), "status");
    assert_redis("-1", "TTL", JOBS_DATA("a"));
    assert_redis("0", "HEXISTS", JOBS_DATA("a"), "error");
    assert_redis("0", "HEXISTS", JOBS_DATA("a"), "completed_at");
    assert_int_equal(job_take(house_app(), &t, &err), 1);
    assert_int_equal(job.run, 3);
    assert_int_equal(job.attempts, 0);
    assert_int_equal(job.deaths, 0);
    assert_string_equal(job.payload, "{\"x\":1}");
    job_clear(&job);
    char *history = jobs_field("a", "history");
    assert_non_null(strstr(history, "second"));
    free(history);
    assert_int_equal(job_failed_retry(house_app(), NULL, "a", &err), 0);
    assert_int_equal(job_failed_retry(house_app(), NULL, "nobody", &err), 0);
}

static void it_goes_back_under_its_priority_and_its_unique_key(void **state)
{
    const struct job_new job = { .id = "a", .priority = 9, .unique_key = "k" };
    char *other = NULL;

    (void)state;
    jobs_fail(&job, "it broke");
    assert_redis("0", "EXISTS", "peygir:task:unique:k");
    assert_int_equal(job_failed_retry(house_app(), NULL, "a", &err), 1);
    assert_redis("0", "LLEN", JOBS_LIST);
    assert_int_equal(REDIS_NUMBER("ZSCORE", JOBS_PRIORITY, "a"), 8);
    assert_int_equal(job_push(house_app(), &(struct job_new){ .id = "b", .unique_key = "k" }, &other, &err),
                     JOB_NOT_UNIQUE);
    assert_string_equal(other, "a");
    free(other);
}

static void a_unique_key_that_somebody_took_meanwhile_stays_theirs(void **state)
{
    (void)state;
    jobs_fail(&(struct job_new){ .id = "a", .unique_key = "k" }, "it broke");
    jobs_push(&(struct job_new){ .id = "b", .unique_key = "k" });
    assert_int_equal(job_failed_retry(house_app(), NULL, "a", &err), 1);
    assert_redis("b", "GET", "peygir:task:unique:k");
    assert_redis("2", "LLEN", JOBS_LIST);
}

static void users_hear_that_it_waits_again(void **state)
{
    (void)state;
    jobs_fail(&(struct job_new){ .id = "a", .user_id = "7" }, "it broke");
    REDIS_RUN("CONFIG", "RESETSTAT");
    assert_int_equal(job_failed_retry(house_app(), NULL, "a", &err), 1);
    char *calls = server_cli((const char *const[]){ "INFO", "commandstats", NULL });
    assert_non_null(strstr(calls, "cmdstat_publish:calls=3,"));
    free(calls);
}

static void it_is_put_back_when_redis_is_full_as_well(void **state)
{
    (void)state;
    jobs_fail(&(struct job_new){ .id = "a" }, "it broke");
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    int done = job_failed_retry(house_app(), NULL, "a", &err);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_int_equal(done, 1);
    assert_redis("1", "LLEN", JOBS_LIST);
}

/* --- jobs of requests --- */

static struct span failed_request(const char *key, char hash[HASH_SIZE])
{
    struct span h = house_processing(key, hash);

    assert_int_equal(jobs_take(hash), 1);
    assert_int_equal(request_fail(house_app(), h, 1, &(struct request_error){ "timeout", "errors.timeout", true },
                                  &err),
                     1);
    jobs_end(hash, 1, JOB_FAILED, "timeout");
    return h;
}

static void a_requests_job_reopens_its_request_under_the_next_run(void **state)
{
    char hash[HASH_SIZE];
    struct span h = failed_request("key", hash);
    struct request rq;

    (void)state;
    assert_int_equal(job_failed_retry(house_app(), NULL, hash, &err), 1);
    rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_PENDING);
    assert_int_equal(rq.guard.run, 2);
    assert_int_equal(jobs_take(hash), 2);
    assert_int_equal(request_progress(house_app(), h, 1, 10, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_STALE);
    assert_int_equal(request_progress(house_app(), h, 2, 10, NULL, NULL, &err), 1);
}

static void one_whose_request_has_expired_stays_among_the_failed(void **state)
{
    char hash[HASH_SIZE], document[64];

    (void)state;
    failed_request("key", hash);
    snprintf(document, sizeof document, "local_request:%s", hash);
    REDIS_RUN("DEL", document);
    assert_int_equal(job_failed_retry(house_app(), NULL, hash, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_redis("1", "ZCARD", JOBS_FAILED);
    assert_redis("0", "LLEN", JOBS_LIST);
}

static void one_whose_request_has_ended_otherwise_is_left(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("key", hash);

    (void)state;
    jobs_take(hash);
    jobs_end(hash, 1, JOB_FAILED, "late");
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    assert_int_equal(job_failed_retry(house_app(), NULL, hash, &err), -1);
    assert_int_equal(err.kind, ERR_FINAL);
    assert_redis("1", "ZCARD", JOBS_FAILED);
}

static void what_has_been_forgotten_is_not_made_up_again(void **state)
{
    (void)state;
    REDIS_RUN("ZADD", JOBS_FAILED, "1", "ghost");
    assert_int_equal(job_failed_retry(house_app(), NULL, "ghost", &err), 0);
    assert_redis("0", "ZCARD", JOBS_FAILED);
    assert_redis("0", "LLEN", JOBS_LIST);
    assert_redis("0", "EXISTS", JOBS_DATA("ghost"));
}

static void a_retry_that_was_cut_off_after_reopening_is_finished_by_the_next(void **state)
{
    char hash[HASH_SIZE];
    struct span h = failed_request("key", hash);

    (void)state;
    assert_int_equal(request_reopen(house_app(), h, 2, &err), 1);
    assert_int_equal(job_failed_retry(house_app(), NULL, hash, &err), 1);
    assert_redis("0", "ZCARD", JOBS_FAILED);
    int64_t run = jobs_take(hash);
    assert_true(run >= 2);
    assert_int_equal(request_progress(house_app(), h, run, 10, NULL, NULL, &err), 1);
}

/* The first leg asked for the code and ended; the leg that took the code failed. */
static void a_failed_leg_of_a_code_begins_its_request_from_the_first_leg(void **state)
{
    char hash[HASH_SIZE], leg[HASH_SIZE + 8], key[128];
    struct span h = house_processing("key", hash);

    (void)state;
    snprintf(leg, sizeof leg, "%s.1", hash);
    snprintf(key, sizeof key, "peygir:task:data:%s", leg);
    jobs_take(hash);
    jobs_end(hash, 1, JOB_COMPLETED, NULL);
    jobs_fail(&(struct job_new){ .id = leg, .type = "service", .request_hash = hash, .code = 1, .run = 1 }, "timeout");
    assert_int_equal(request_fail(house_app(), h, 1, &(struct request_error){ "timeout", "errors.timeout", true },
                                  &err),
                     1);

    assert_int_equal(job_failed_retry(house_app(), NULL, leg, &err), 1);
    assert_redis("0", "ZCARD", JOBS_FAILED);
    assert_redis("0", "EXISTS", key);
    assert_redis("1", "LLEN", JOBS_LIST);
    assert_field("pending", hash, "status");
    assert_int_equal(house_read(h).status, REQUEST_PENDING);
    int64_t run = jobs_take(hash);
    assert_true(run > 1);
    assert_int_equal(request_progress(house_app(), h, run, 10, NULL, NULL, &err), 1);
}

static void a_failed_call_on_the_side_is_tried_again_by_itself(void **state)
{
    char hash[HASH_SIZE], call[HASH_SIZE + 16];
    struct span h = house_processing("key", hash);

    (void)state;
    snprintf(call, sizeof call, "%s.resend.1", hash);
    jobs_take(hash);
    jobs_fail(&(struct job_new){ .id = call, .type = "service", .request_hash = hash, .call = "resend-otp" },
              "timeout");
    assert_int_equal(job_failed_retry(house_app(), NULL, call, &err), 1);
    assert_int_equal(house_read(h).status, REQUEST_PROCESSING);
    jobs_take(call);
}

/* --- many --- */

static void fail_five(void)
{
    static const char *const ids[] = { "a", "b", "c", "d", "e" };
    char score[NUMBER_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        jobs_fail(&(struct job_new){ .id = ids[i] }, "it broke");
        snprintf(score, sizeof score, "%lld", (long long)clock_ms() - 100000 + (long long)(10000 * i));
        REDIS_RUN("ZADD", JOBS_FAILED, score, ids[i]);
    }
}

static void all_are_retried_oldest_first_but_those_whose_request_expired(void **state)
{
    char hash[HASH_SIZE], document[64];
    int64_t left = -1;

    (void)state;
    failed_request("key", hash);
    snprintf(document, sizeof document, "local_request:%s", hash);
    REDIS_RUN("DEL", document);
    fail_five();
    REDIS_RUN("ZADD", JOBS_FAILED, "1", hash);
    assert_int_equal(job_failed_retry_all(house_app(), NULL, 0, true, &left, &err), 5);
    assert_int_equal(left, 1);
    assert_redis("6", "ZCARD", JOBS_FAILED);
    assert_int_equal(job_failed_retry_all(house_app(), NULL, 100000, false, &left, &err), 5);
    assert_int_equal(left, 1);
    assert_redis(hash, "ZRANGE", JOBS_FAILED, "0", "-1");
    assert_redis("a", "LINDEX", JOBS_LIST, "-1");
    assert_redis("e", "LINDEX", JOBS_LIST, "0");
}

static void they_are_paced(void **state)
{
    int64_t before_ms, left;

    (void)state;
    fail_five();
    before_ms = clock_mono_ms();
    assert_int_equal(job_failed_retry_all(house_app(), NULL, 200, false, &left, &err), 5);
    assert_true(clock_mono_ms() - before_ms >= 20); /* the first at once, the others 5 ms after each other */
}

static void one_is_forgotten_with_its_data(void **state)
{
    (void)state;
    fail_five();
    assert_int_equal(job_failed_forget(house_app(), NULL, "b", &err), 1);
    assert_redis("4", "ZCARD", JOBS_FAILED);
    assert_redis("0", "EXISTS", JOBS_DATA("b"));
    assert_int_equal(job_failed_forget(house_app(), NULL, "b", &err), 0);
    jobs_push(&(struct job_new){ .id = "waits" });
    assert_int_equal(job_failed_forget(house_app(), NULL, "waits", &err), 0);
    assert_redis("1", "EXISTS", JOBS_DATA("waits"));
}

static void all_are_forgotten_and_nothing_else(void **state)
{
    (void)state;
    REDIS_RUN("EVAL",
              "for i = 1, 2500 do redis.call('ZADD', KEYS[1], i, 'j' .. i) "
              "redis.call('HSET', 'peygir:task:data:j' .. i, 'status', 'failed') end",
              "1", JOBS_FAILED);
    jobs_push(&(struct job_new){ .id = "waits" });
    assert_int_equal(job_failed_flush(house_app(), NULL, true, &err), 2500);
    assert_redis("2500", "ZCARD", JOBS_FAILED);
    assert_int_equal(job_failed_flush(house_app(), NULL, false, &err), 2500);
    assert_redis("0", "EXISTS", JOBS_FAILED);
    assert_redis("0", "EXISTS", JOBS_DATA("j1"));
    assert_redis("0", "EXISTS", JOBS_DATA("j2500"));
    assert_redis("1", "EXISTS", JOBS_DATA("waits"));
}

#define T(name) cmocka_unit_test_setup(name, house_fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(failed_jobs_are_shown_newest_first_with_what_is_known),
        T(more_than_one_page_of_them_is_shown),
        T(a_failed_job_waits_again_as_if_it_had_never_been_tried),
        T(it_goes_back_under_its_priority_and_its_unique_key),
        T(a_unique_key_that_somebody_took_meanwhile_stays_theirs),
        T(users_hear_that_it_waits_again),
        T(it_is_put_back_when_redis_is_full_as_well),
        T(a_requests_job_reopens_its_request_under_the_next_run),
        T(one_whose_request_has_expired_stays_among_the_failed),
        T(one_whose_request_has_ended_otherwise_is_left),
        T(what_has_been_forgotten_is_not_made_up_again),
        T(a_retry_that_was_cut_off_after_reopening_is_finished_by_the_next),
        T(a_failed_leg_of_a_code_begins_its_request_from_the_first_leg),
        T(a_failed_call_on_the_side_is_tried_again_by_itself),
        T(all_are_retried_oldest_first_but_those_whose_request_expired),
        T(they_are_paced),
        T(one_is_forgotten_with_its_data),
        T(all_are_forgotten_and_nothing_else),
    };

    return cmocka_run_group_tests_name("job_failed", tests, house_setup, house_teardown);
}
