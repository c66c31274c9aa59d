/* test_request_forget.c: a request deleted at the wish of whoever made it: nothing of it stays */
#include "tests/unit/unit.h"

#include "core/keys.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

#define NOBODY ((struct span){ NULL, 0 })

static struct err err;

static void assert_answer(const char *want, char *got)
{
    got[strcspn(got, "\n")] = '\0';
    assert_string_equal(got, want);
    free(got);
}

/* Nothing in Redis, neither key nor value, speaks of it. */
static void assert_forgotten(struct span hash)
{
    char *keys = house_cli("--scan", "--pattern", "*", NULL), *rest = keys, *key;

    assert_null(strstr(keys, hash.s));
    while ((key = strsep(&rest, "\n"))) {
        static const char *const reads[] = { "GET", "HGETALL", "LRANGE", "ZRANGE" };
        for (size_t i = 0; *key && i < ARRAY_LEN(reads); i++) {
            char *value = i < 2 ? house_cli(reads[i], key, NULL) : house_cli(reads[i], key, "0", "-1", NULL);
            assert_null(strstr(value, hash.s));
            free(value);
        }
    }
    free(keys);
}

static void one_that_has_ended_is_gone_with_its_jobs_and_its_places_in_lists(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k1", hash);
    struct job_take take = { .worker_id = "w", .jobs = &(struct job){ .queue = NULL }, .max = 1 };

    (void)state;
    assert_int_equal(job_take(house_app(), &take, &err), 1);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{\"score\":742}"), &err), 1);
    assert_int_equal(job_end_one(house_app(), &(struct job_end){ .id = hash, .run = take.jobs->run, .outcome = JOB_COMPLETED }, &err), 1);
    job_clear(take.jobs);
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    assert_forgotten(h);
    assert_int_equal(request_forget(house_app(), h, &err), 0);
}

static void one_that_failed_leaves_the_failed_jobs(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k1", hash);
    struct job_take take = { .worker_id = "w", .jobs = &(struct job){ .queue = NULL }, .max = 1 };

    (void)state;
    assert_int_equal(job_take(house_app(), &take, &err), 1);
    assert_int_equal(request_fail(house_app(), h, 1, &(struct request_error){ "x", "errors.failed", true }, &err), 1);
    assert_int_equal(
        job_end_one(house_app(), &(struct job_end){ .id = hash, .run = take.jobs->run, .outcome = JOB_FAILED, .error = "x" }, &err), 1);
    job_clear(take.jobs);
    assert_answer(hash, house_cli("ZRANGE", "peygir:task:failed", "0", "-1", NULL));
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    assert_forgotten(h);
}

static void one_that_waits_is_cancelled_first_and_leaves_the_queue(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_request("k1", hash);

    (void)state;
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    assert_answer("0", house_cli("LLEN", "peygir:task:queue", NULL));
    /* what stays for a minute is a word for a bot that may be listening */
    assert_answer("{\"cancelled\":true}", house_cli("LRANGE", key_mailbox(h).s, "0", "-1", NULL));
    free(house_cli("DEL", key_mailbox(h).s, NULL));
    assert_forgotten(h);
}

/* Its entry in a very long list is not looked for, and its job stays until a take drops it: with nothing that anybody said. */
static void one_that_waits_in_a_long_list_leaves_an_empty_job(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_request("k1", hash);
    const struct key job = key_job(house_app()->house, SPAN(JOB_QUEUE_DEFAULT), h);

    (void)state;
    free(house_cli("EVAL", "for i = 1, 10001 do redis.call('LPUSH', 'peygir:task:queue', i) end", "0", NULL));
    free(house_cli("HSET", job.s, "error", "No SMS to 09127654321.", "message", "Sending to 09127654321", "history", "[09127654321]", NULL));
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    char *left = house_cli("HGETALL", job.s, NULL);
    assert_non_null(strstr(left, "cancelled"));
    assert_null(strstr(left, "09127654321"));
    free(left);
}

static void the_run_of_one_that_is_carried_out_is_over(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k1", hash);
    struct job_take take = { .worker_id = "w", .jobs = &(struct job){ .queue = NULL }, .max = 1 };

    (void)state;
    assert_int_equal(job_take(house_app(), &take, &err), 1);
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    struct job_ref ref = { .id = hash, .run = take.jobs->run };
    assert_int_equal(job_renew(house_app(), &ref, (const char *const[]){ hash }, 1, &err), 0);
    assert_true(ref.lost);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    job_clear(take.jobs);
}

/* Seed-style: it had read the document before it was deleted. */
static void what_a_bot_writes_back_afterwards_goes_as_well(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k1", hash);

    (void)state;
    char *text = house_cli("GET", key_document(h).s, NULL);
    text[strcspn(text, "\n")] = '\0';
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    free(house_cli("SETEX", key_document(h).s, "1800", text, NULL));
    free(house_cli("ZADD", "peygir:requests:watch", "XX", "1", hash, NULL)); /* the moment is over */
    assert_int_equal(request_watch(house_app(), NULL, &err), 1);
    assert_answer("0", house_cli("EXISTS", key_document(h).s, key_guard(h).s, key_events(h).s, NULL));
    assert_answer("0", house_cli("ZCARD", "peygir:requests:watch", NULL));
    free(text);
}

static void the_same_submission_may_be_made_again_afterwards(void **state)
{
    char hash[HASH_SIZE], again[HASH_SIZE];
    struct span h = house_request("k1", hash);

    (void)state;
    assert_int_equal(request_forget(house_app(), h, &err), 1);
    house_request("k1", again);
    assert_string_equal(again, hash);
    assert_answer(hash, house_cli("LRANGE", "peygir:task:queue", "0", "-1", NULL));
    assert_int_equal(house_read(h).status, REQUEST_PENDING);
}

static struct span user_request(const char *key, const char *owner, const char *user, char hash[HASH_SIZE])
{
    struct request_new n = { .service = house_service("document-ocr"), .data = SPAN("{\"file_id\":\"f\",\"language\":\"fa\"}"),
                             .owner = span_of(owner), .user_id = span_of(user), .locale = "fa", .key = span_of(key) };

    assert_int_equal(request_create(house_app(), &n, hash, &err), 1);
    return span_of(hash);
}

static void add_hash(void *ctx, const struct request *rq)
{
    str_adds(ctx, rq->hash);
    str_addc(ctx, ' ');
}

static void a_user_finds_the_requests_of_all_devices_and_those_made_before_signing_in(void **state)
{
    char before[HASH_SIZE], here[HASH_SIZE], there[HASH_SIZE], foreign[HASH_SIZE], want[3 * HASH_SIZE + 1];
    struct str seen = STR_INIT;

    (void)state;
    house_request("k1", before);
    user_request("k2", "0123456789ABCDEFGHJKMNPQRS", "u", here);
    user_request("k3", "ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "u", there);
    user_request("k4", "YYYYYYYYYYYYYYYYYYYYYYYYYY", "v", foreign);
    assert_int_equal(request_each_of(house_app(), HOUSE_OWNER, SPAN("u"), add_hash, &seen, &err), 0);
    assert_int_equal(seen.len, 3 * HASH_SIZE);
    assert_non_null(strstr(seen.s, before));
    assert_non_null(strstr(seen.s, here));
    snprintf(want, sizeof want, "%s ", there);
    assert_non_null(strstr(seen.s, want));
    str_reset(&seen);
    assert_int_equal(request_each_of(house_app(), HOUSE_OWNER, NOBODY, add_hash, &seen, &err), 0);
    assert_null(strstr(seen.s, there));
    assert_null(strstr(seen.s, here)); /* who only has the owner id is not the user */
    str_free(&seen);
}

static void all_of_mine_go_and_nobody_elses(void **state)
{
    char mine[HASH_SIZE], there[HASH_SIZE], foreign[HASH_SIZE];

    (void)state;
    house_request("k1", mine);
    user_request("k3", "ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "u", there);
    user_request("k4", "YYYYYYYYYYYYYYYYYYYYYYYYYY", "v", foreign);
    assert_int_equal(request_forget_all(house_app(), HOUSE_OWNER, SPAN("u"), &err), 2);
    assert_answer("0", house_cli("EXISTS", key_document(span_of(mine)).s, key_document(span_of(there)).s, NULL));
    assert_answer("1", house_cli("EXISTS", key_document(span_of(foreign)).s, NULL));
    assert_answer("0", house_cli("EXISTS", "peygir:requests:user:u", NULL));
    assert_int_equal(request_forget_all(house_app(), HOUSE_OWNER, SPAN("u"), &err), 0);
}

static void also_when_they_are_more_than_are_listed_at_once(void **state)
{
    enum { EACH = REQUEST_LISTED / 2 + 10 };
    static const char no_limits[] = "for _, key in ipairs(redis.call('KEYS', 'peygir:limit:*')) do redis.call('DEL', key) end";
    char hash[HASH_SIZE], key[16];

    (void)state;
    for (int i = 0; i < EACH; i++) {
        snprintf(key, sizeof key, "v%d", i);
        house_request(key, hash);
        snprintf(key, sizeof key, "u%d", i);
        user_request(key, "ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "u", hash);
        free(house_cli("EVAL", no_limits, "0", NULL));
    }
    assert_int_equal(request_forget_all(house_app(), HOUSE_OWNER, SPAN("u"), &err), 2 * EACH);
    assert_answer("0", house_cli("EXISTS", "local_requests_list", NULL));
}

#define FRESH(name) cmocka_unit_test_setup(name, house_fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(one_that_has_ended_is_gone_with_its_jobs_and_its_places_in_lists),
        FRESH(one_that_failed_leaves_the_failed_jobs),
        FRESH(one_that_waits_is_cancelled_first_and_leaves_the_queue),
        FRESH(one_that_waits_in_a_long_list_leaves_an_empty_job),
        FRESH(the_run_of_one_that_is_carried_out_is_over),
        FRESH(what_a_bot_writes_back_afterwards_goes_as_well),
        FRESH(the_same_submission_may_be_made_again_afterwards),
        FRESH(a_user_finds_the_requests_of_all_devices_and_those_made_before_signing_in),
        FRESH(all_of_mine_go_and_nobody_elses),
        FRESH(also_when_they_are_more_than_are_listed_at_once),
    };
    return cmocka_run_group_tests_name("request_forget", tests, house_setup, house_teardown);
}
