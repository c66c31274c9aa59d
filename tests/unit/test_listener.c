/* test_listener.c: who listens to a request is told once of each code that is needed and of each end */
#include "tests/unit/unit.h"

#include "core/listener.h"
#include "core/otp.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

static struct err err;

/* A request that somebody listens to, taken up under run 1. */
static struct span listened(char hash[HASH_SIZE])
{
    struct str lines = STR_INIT, slug = STR_INIT, body = STR_INIT;
    struct request_new n = { .service = house_service("credit-score-rating"),
                             .data = SPAN("{\"mobile\":\"09120000000\",\"national_code\":\"0012345679\"}"),
                             .owner = HOUSE_OWNER,
                             .locale = "fa",
                             .key = SPAN("listened") };
    struct job job = { .id = hash, .request_hash = hash, .run = 1 };
    enum request_begin what;
    enum request_status status;
    listener_add(&lines, LISTENER_WEBHOOK, SPAN("{\"to\":1}"));
    n.listeners = (struct span){ lines.s, lines.len };
    if (request_create(house_app(), &n, hash, &err) != 1 || request_begin(house_app(), &job, &what, &status, &slug, &body, NULL, &err) < 0)
        fail_msg("%s", err.text);
    str_free(&lines);
    str_free(&slug);
    str_free(&body);
    return span_of(hash);
}

static void ask_for_code(struct span h, int64_t run)
{
    struct otp_ask ask = { .message = "sent" };
    if (otp_require(house_app(), house_service("credit-score-rating"), h, run, &ask, &err) != 1)
        fail_msg("%s", err.text);
}

static int64_t number(char *text)
{
    int64_t n = strtoll(text, NULL, 10);
    free(text);
    return n;
}

/* These jobs of the kind wait, each named after HASH.TYPE, and no others. */
static void assert_told(struct span h, const char *const words[], size_t count)
{
    int64_t list = number(house_cli("LLEN", "peygir:webhook:queue", NULL)), first = number(house_cli("ZCARD", "peygir:webhook:priority", NULL));
    for (size_t i = 0; i < count; i++) {
        char *key = xasprintf("peygir:webhook:data:%s.webhook.%s", h.s, words[i]);
        if (number(house_cli("EXISTS", key, NULL)) != 1)
            fail_msg("%s was not told", words[i]);
        free(key);
    }
    assert_int_equal(list + first, count);
}

static void a_code_that_is_needed_is_told_before_whatever_waits(void **state)
{
    char hash[HASH_SIZE];
    struct job jobs[2] = { { .queue = NULL } };
    struct job_take take = { .queue = "webhook", .worker_id = "w", .jobs = jobs, .max = 2 };
    (void)state;
    assert_int_equal(job_push(house_app(), &(struct job_new){ .queue = "webhook", .id = "bulk", .type = "webhook" }, NULL, &err), JOB_PUSHED);
    ask_for_code(listened(hash), 1);
    assert_int_equal(job_take(house_app(), &take, &err), 2);
    assert_non_null(strstr(jobs[0].id, ".otp_required0"));
    assert_string_equal(jobs[1].id, "bulk");
    job_clear(&jobs[0]);
    job_clear(&jobs[1]);
}

static void a_listener_gets_a_job_of_its_kinds_type_in_that_types_queue(void **state)
{
    char hash[HASH_SIZE];
    struct span h = listened(hash);
    (void)state;
    assert_told(h, NULL, 0);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    assert_told(h, (const char *const[]){ "completed1" }, 1);
    char *key = xasprintf("peygir:webhook:data:%s.webhook.completed1", hash), *payload = house_cli("HGET", key, "payload", NULL);
    assert_non_null(strstr(payload, "{\"listener\":{\"to\":1},\"event\":{\"type\":\"request.completed\",\"timestamp\":\""));
    assert_non_null(strstr(payload, "\"service_slug\":\"credit-score-rating\",\"status\":\"completed\"}}}"));
    assert_null(strstr(payload, "0912"));
    free(key);
    free(payload);
}

static void each_code_that_is_needed_is_told_and_nothing_twice(void **state)
{
    char hash[HASH_SIZE];
    struct span h = listened(hash);
    const struct service *service = house_service("credit-score-rating");
    struct request rq;
    (void)state;
    ask_for_code(h, 1);
    assert_told(h, (const char *const[]){ "otp_required0" }, 1);
    assert_int_equal(request_progress(house_app(), h, 1, 72, NULL, "still waiting", &err), 1);
    rq = house_read(h);
    assert_true(listener_tell_read(house_app(), &rq));
    assert_told(h, (const char *const[]){ "otp_required0" }, 1);
    assert_int_equal(otp_submit(house_app(), service, h, SPAN("11111"), &err), 1);
    assert_int_equal(otp_wrong(house_app(), service, h, 0, NULL, &err), 1);
    assert_told(h, (const char *const[]){ "otp_required1", "otp_required0" }, 2);
    assert_int_equal(request_cancel(house_app(), h, &err), 1);
    assert_int_equal(request_cancel(house_app(), h, &err), 0);
    assert_told(h, (const char *const[]){ "cancelled1", "otp_required1", "otp_required0" }, 3);
}

static void whoever_looks_at_one_that_a_bot_ended_tells(void **state)
{
    static const char bot[] = "local d = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], (string.gsub(d, '\"status\":\"processing\"', "
                              "'\"status\":\"completed\"')), 'KEEPTTL')";
    char hash[HASH_SIZE];
    struct span h = listened(hash);
    struct request rq;
    (void)state;
    free(house_cli("EVAL", bot, "1", key_document(h).s, NULL));
    rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_COMPLETED);
    assert_true(listener_tell_read(house_app(), &rq));
    assert_told(h, (const char *const[]){ "completed1" }, 1);
}

/* Is it still among those to look at? */
static void assert_watched(struct span h, bool watched)
{
    house_read(h); /* what was posted goes out with it */
    char *due = house_cli("ZSCORE", "peygir:requests:watch", h.s, NULL);
    assert_int_equal(due[strspn(due, "\n")] != '\0', watched);
    free(due);
}

/* A program died between its write and its push: what is left is the entry among those to look at. */
static void what_nobody_told_is_told_by_the_look_that_forgets_nothing(void **state)
{
    char hash[HASH_SIZE];
    struct span h = listened(hash);
    char *job = xasprintf("peygir:webhook:data:%s.webhook.completed1", hash);
    (void)state;
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    assert_watched(h, false);
    free(house_cli("DEL", "peygir:webhook:queue", job, NULL));
    free(house_cli("ZADD", "peygir:requests:watch", "1", hash, NULL));
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    assert_told(h, (const char *const[]){ "completed1" }, 1);
    assert_watched(h, false);
    free(job);
}

static void a_full_redis_is_told_later(void **state)
{
    char hash[HASH_SIZE];
    struct span h = listened(hash);
    (void)state;
    free(house_cli("CONFIG", "SET", "maxmemory", "1", NULL));
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    free(house_cli("CONFIG", "SET", "maxmemory", "0", NULL));
    assert_told(h, NULL, 0);
    assert_watched(h, true);
    free(house_cli("ZADD", "peygir:requests:watch", "1", hash, NULL));
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    assert_told(h, (const char *const[]){ "completed1" }, 1);
}

static void what_others_write_into_the_guard_pushes_nothing_but_the_kinds(void **state)
{
    static const char *const forged[] = { "exec exec {}", "default {}", "webhook", "webhook ", "webhook {\"a\":1},\"b\":{}", "webhook\n{}", "../x {}", "" };
    char hash[HASH_SIZE];
    struct span h = listened(hash);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
        free(house_cli("HSET", key_guard(h).s, "listeners", forged[i], NULL));
        struct request rq = house_read(h);
        rq.status = REQUEST_COMPLETED;
        assert_true(listener_tell_read(house_app(), &rq));
    }
    char *queues = house_cli("KEYS", "peygir:*:queue", NULL);
    queues[strcspn(queues, "\n")] = '\0';
    assert_string_equal(queues, "peygir:task:queue");
    free(queues);
}

static void a_code_that_a_reopened_request_needs_is_told_as_well(void **state)
{
    char hash[HASH_SIZE];
    struct span h = listened(hash);
    struct job job = { .id = hash, .request_hash = hash, .run = 2 };
    enum request_begin what;
    enum request_status status;
    struct str slug = STR_INIT, body = STR_INIT;
    (void)state;
    ask_for_code(h, 1);
    assert_int_equal(request_fail(house_app(), h, 1, &(struct request_error){ "x", "errors.failed", true }, &err), 1);
    assert_int_equal(request_reopen(house_app(), h, 2, &err), 1);
    assert_int_equal(request_begin(house_app(), &job, &what, &status, &slug, &body, NULL, &err), 0);
    assert_int_equal(what, BEGIN_CALL);
    ask_for_code(h, 2);
    assert_told(h, (const char *const[]){ "otp_required1", "failed1", "otp_required0" }, 3);
    str_free(&slug);
    str_free(&body);
}

static uint64_t trips_to_complete(struct span h)
{
    uint64_t before = redis_round_trips(house_app()->redis);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    return redis_round_trips(house_app()->redis) - before;
}

static void a_request_nobody_listens_to_costs_nothing(void **state)
{
    char hash[HASH_SIZE], other[HASH_SIZE], *guard;
    struct span h = house_processing("k", hash), listened_to = listened(other);
    (void)state;
    assert_int_equal(trips_to_complete(h), 2);
    assert_int_equal(trips_to_complete(listened_to), 3);
    free(house_cli("DEL", "peygir:webhook:queue", NULL));
    guard = house_cli("HGETALL", key_guard(h).s, NULL);
    assert_null(strstr(guard, "listeners"));
    free(guard);
    assert_told(h, NULL, 0);
}

#define FRESH(name) cmocka_unit_test_setup(name, house_fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_listener_gets_a_job_of_its_kinds_type_in_that_types_queue),
        FRESH(each_code_that_is_needed_is_told_and_nothing_twice),
        FRESH(whoever_looks_at_one_that_a_bot_ended_tells),
        FRESH(what_nobody_told_is_told_by_the_look_that_forgets_nothing),
        FRESH(a_full_redis_is_told_later),
        FRESH(a_code_that_is_needed_is_told_before_whatever_waits),
        FRESH(what_others_write_into_the_guard_pushes_nothing_but_the_kinds),
        FRESH(a_code_that_a_reopened_request_needs_is_told_as_well),
        FRESH(a_request_nobody_listens_to_costs_nothing),
    };
    return cmocka_run_group_tests_name("listener", tests, house_setup, house_teardown);
}
