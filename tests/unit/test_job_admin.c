/* test_job_admin.c: one job looked at and explained; queues paused, limited, cleared, listed */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/fleet.h"
#include "tests/unit/jobs.h"

static struct err err;

static struct job_view look(const char *id)
{
    struct job_view view;

    if (job_look(house_app(), NULL, id, &view, &err) != 1)
        fail_msg("job_look found no %s: %s", id, err.text);
    return view;
}

static void expect_place(const char *id, enum job_place place)
{
    struct job_view view = look(id);

    assert_string_equal(job_places[view.place], job_places[place]);
    job_view_clear(&view);
}

/* --- looking --- */

static void a_job_is_seen_with_all_that_is_stored_in_one_round_trip(void **state)
{
    struct job_view view = { .queue = NULL };
    uint64_t before = 0;

    (void)state;
    jobs_push(&(struct job_new){ .id = "a",
                                 .type = "ocr",
                                 .payload = "{\"x\":[]}",
                                 .user_id = "7",
                                 .parent = "p",
                                 .max_attempts = 5,
                                 .timeout_s = 60,
                                 .unique_key = "k" });
    for (int round = 0; round < 2; round++) { /* in the first the script is loaded */
        job_view_clear(&view);
        before = redis_round_trips(house_app()->redis);
        view = look("a");
    }
    assert_int_equal(redis_round_trips(house_app()->redis) - before, 1);
    assert_string_equal(view.queue, "task");
    assert_string_equal(view.id, "a");
    assert_string_equal(view.type, "ocr");
    assert_string_equal(view.status, "pending");
    assert_string_equal(view.payload, "{\"x\":[]}");
    assert_string_equal(view.user_id, "7");
    assert_string_equal(view.parent, "p");
    assert_string_equal(view.unique_key, "k");
    assert_null(view.error);
    assert_null(view.request_hash);
    assert_null(view.history);
    assert_int_equal(view.max_attempts, 5);
    assert_int_equal(view.timeout_s, 60);
    assert_int_equal(view.ttl_ms, -1);
    assert_true(view.created_ms > 0 && view.created_ms <= view.now_ms);
    assert_int_equal(view.place, JOB_IN_LIST);
    assert_int_equal(view.ahead, 0);
    job_view_clear(&view);
}

static void each_place_is_told(void **state)
{
    struct job_view view;

    (void)state;
    jobs_push(&(struct job_new){ .id = "done" });
    jobs_end("done", jobs_take("done"), JOB_COMPLETED, NULL);
    jobs_fail(&(struct job_new){ .id = "failed" }, "it broke");
    jobs_push(&(struct job_new){ .id = "active" });
    jobs_take("active");
    jobs_push(&(struct job_new){ .id = "first" });
    jobs_push(&(struct job_new){ .id = "second" });
    jobs_push(&(struct job_new){ .id = "priority", .priority = 9 });
    jobs_push(&(struct job_new){ .id = "delayed", .delay_ms = 60000 });
    REDIS_RUN("HSET", JOBS_DATA("lost"), "status", "pending");
    expect_place("done", JOB_IS_DONE);
    expect_place("failed", JOB_IN_FAILED);
    expect_place("active", JOB_IN_ACTIVE);
    expect_place("priority", JOB_IN_PRIORITY);
    expect_place("delayed", JOB_IN_DELAYED);
    expect_place("lost", JOB_IS_NOWHERE);
    view = look("second");
    assert_int_equal(view.place, JOB_IN_LIST);
    assert_int_equal(view.ahead, 1);
    job_view_clear(&view);
    view = look("failed");
    assert_string_equal(view.error, "it broke");
    assert_in_range(view.ttl_ms, 604000000, 604800000);
    assert_true(view.score > 0);
    job_view_clear(&view);
}

static void what_is_not_there_is_not_found_and_a_bare_id_is(void **state)
{
    struct job_view view;

    (void)state;
    assert_int_equal(job_look(house_app(), NULL, "nobody", &view, &err), 0);
    REDIS_RUN("LPUSH", JOBS_LIST, "bare");
    view = look("bare");
    assert_null(view.type);
    assert_int_equal(view.place, JOB_IN_LIST);
    job_view_clear(&view);
    REDIS_RUN("SET", JOBS_DATA("odd"), "text");
    assert_int_equal(job_look(house_app(), NULL, "odd", &view, &err), 0);
}

static void one_far_back_in_a_long_list_is_there_without_a_number(void **state)
{
    struct job_view view;

    (void)state;
    jobs_push(&(struct job_new){ .id = "near" });
    REDIS_RUN("EVAL", "for i = 1, 10000 do redis.call('LPUSH', KEYS[1], 'j' .. i) end", "1", JOBS_LIST);
    jobs_push(&(struct job_new){ .id = "far" });
    view = look("far");
    assert_int_equal(view.place, JOB_IN_LIST);
    assert_int_equal(view.ahead, -1);
    job_view_clear(&view);
    view = look("near");
    assert_int_equal(view.ahead, 0);
    job_view_clear(&view);
    assert_int_equal(job_look(house_app(), NULL, "nobody", &view, &err), 0);
}

static void a_job_is_found_in_whichever_queue_it_is(void **state)
{
    char task[] = "task", mail[] = "mail", slow[] = "slow", *const queues[] = { task, mail, slow };
    struct job_view view;

    (void)state;
    jobs_push(&(struct job_new){ .queue = "mail", .id = "a" });
    assert_int_equal(job_find(house_app(), queues, 3, "a", &view, &err), 1);
    assert_string_equal(view.queue, "mail");
    job_view_clear(&view);
    assert_int_equal(job_find(house_app(), queues, 3, "b", &view, &err), 0);
    assert_int_equal(job_find(house_app(), queues, 0, "a", &view, &err), 0);
}

/* What job_find_owner says in the queues task, mail and slow. */
static int owner_of(const char *id, struct job_owner *out)
{
    char task[] = "task", mail[] = "mail", slow[] = "slow", *const queues[] = { task, mail, slow };

    return job_find_owner(house_app(), queues, ARRAY_LEN(queues), id, out, &err);
}

static void a_jobs_owner_is_found_in_whichever_queue_it_is_by_one_round_trip(void **state)
{
    static const char hash[] = "req_0123456789ABCDEFGHJKMNPQRS";
    struct job_owner owner;
    uint64_t before;

    (void)state;
    jobs_push(&(struct job_new){ .queue = "mail", .id = "a", .user_id = "sara" });
    jobs_push(&(struct job_new){ .queue = "slow", .id = "a", .user_id = "ali" });
    jobs_push(&(struct job_new){ .queue = "slow", .id = "b", .request_hash = hash });
    before = redis_round_trips(house_app()->redis);
    assert_int_equal(owner_of("a", &owner), 1);
    assert_int_equal(redis_round_trips(house_app()->redis) - before, 1);
    assert_string_equal(owner.user_id, "sara");
    assert_string_equal(owner.hash, "");
    assert_int_equal(owner_of("b", &owner), 1);
    assert_string_equal(owner.user_id, "");
    assert_string_equal(owner.hash, hash);
    jobs_push(&(struct job_new){ .id = "done", .user_id = "sara" });
    jobs_end("done", jobs_take("done"), JOB_COMPLETED, NULL);
    assert_int_equal(owner_of("done", &owner), 1);
    assert_string_equal(owner.user_id, "sara");
}

static void a_job_of_nobody_is_found_and_one_that_is_not_there_is_not(void **state)
{
    struct job_owner owner;

    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    assert_int_equal(owner_of("a", &owner), 1);
    assert_string_equal(owner.user_id, "");
    assert_string_equal(owner.hash, "");
    memset(&owner, 'x', sizeof(owner));
    assert_int_equal(owner_of("b", &owner), 0);
    assert_string_equal(owner.user_id, "");
    assert_string_equal(owner.hash, "");
    assert_int_equal(job_find_owner(house_app(), NULL, 0, "a", &owner, &err), 0);
}

static void an_owner_that_no_rule_allows_is_none(void **state)
{
    char user[130];
    struct job_owner owner;

    (void)state;
    memset(user, 'u', sizeof(user));
    user[128] = '\0';
    REDIS_RUN("HSET", JOBS_DATA("longest"), "user_id", user);
    user[128] = 'u';
    user[129] = '\0';
    REDIS_RUN("HSET", JOBS_DATA("too-long"), "user_id", user, "request_hash", "req_short");
    assert_int_equal(owner_of("longest", &owner), 1);
    assert_int_equal(strlen(owner.user_id), 128);
    assert_int_equal(owner_of("too-long", &owner), 1);
    assert_string_equal(owner.user_id, "");
    assert_string_equal(owner.hash, "");
    REDIS_RUN("SET", JOBS_DATA("odd"), "text");
    assert_int_equal(owner_of("odd", &owner), -1);
}

/* --- explaining --- */

static void expect_sentence(const char *id, const char *sentence)
{
    struct job_view view = look(id);
    struct str out = STR_INIT;

    if (job_explain(house_app(), &view, &out, &err) < 0)
        fail_msg("job_explain: %s", err.text);
    if (!strstr(out.s, sentence))
        fail_msg("\"%s\" is not in:\n%s", sentence, out.s);
    str_free(&out);
    job_view_clear(&view);
}

static void let_a_worker_live(const char *queues)
{
    struct fleet_beat beat = { .id = "one", .queues = queues };

    assert_true(fleet_beat(house_app(), &beat, &err) >= 0);
}

static void a_waiting_jobs_place_is_explained(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_push(&(struct job_new){ .id = "b" });
    jobs_push(&(struct job_new){ .id = "urgent", .priority = 9 });
    jobs_push(&(struct job_new){ .id = "later", .priority = 3 });
    expect_sentence("b", "It waits at place 2 of queue task (1 job before it).\n");
    expect_sentence("b", "1 job of priority 6 or more goes before these.\n");
    expect_sentence("urgent", "It waits with priority 8 in queue task; 0 jobs go before it.\n");
    expect_sentence("later", "It waits with priority 2 in queue task; 3 jobs go before it.\n");
}

static void a_missing_worker_is_named(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    expect_sentence("a", "No worker is alive.\n");
    let_a_worker_live("mail,tasks");
    expect_sentence("a", "No worker that is alive serves queue task.\n");
    let_a_worker_live("mail,task");
    struct job_view view = look("a");
    struct str out = STR_INIT;
    assert_int_equal(job_explain(house_app(), &view, &out, &err), 0);
    assert_string_equal(out.s, "It waits at place 1 of queue task (0 jobs before it).\n");
    str_free(&out);
    job_view_clear(&view);
}

static void a_pause_and_a_limit_of_its_queue_are_explained(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    assert_int_equal(job_pause(house_app(), NULL, "the bot moves house", &err), 1);
    expect_sentence("a", "Queue task is paused since 20");
    expect_sentence("a", "Z: the bot moves house.\n");
    assert_int_equal(job_resume(house_app(), NULL, &err), 1);
    assert_int_equal(job_pause(house_app(), NULL, NULL, &err), 1);
    expect_sentence("a", "Z: Work is paused for ");
    assert_int_equal(job_limit_queue(house_app(), NULL,
                                     &(struct job_limit){ .at_once = 2, .per_count = 10, .per_ms = 60000 }, &err),
                     0);
    expect_sentence("a", "Queue task runs at most 2 at once and 0 run now.\n");
    expect_sentence("a", "Queue task begins at most 10 in 60 s.\n");
}

static void a_delay_and_the_attempt_before_are_explained(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_take("a");
    jobs_end("a", 1, JOB_AGAIN, "The bot answered with status 503.");
    expect_sentence("a", "It is due in 42 s (second attempt after: The bot answered with status 503.).\n");
    REDIS_RUN("ZADD", JOBS_DELAYED, "1", "a");
    expect_sentence("a", "It is due now (second attempt");
}

static void a_job_that_its_types_limit_holds_back_is_explained(void **state)
{
    const struct job_limit limit = { .type = "ocr", .at_once = 1 };
    struct job jobs[2];
    struct job_take t = { .worker_id = "one", .jobs = jobs, .max = 2, .limits = &limit, .limit_count = 1 };

    (void)state;
    jobs_push(&(struct job_new){ .id = "a", .type = "ocr" });
    jobs_push(&(struct job_new){ .id = "b", .type = "ocr" });
    assert_int_equal(job_take(house_app(), &t, &err), 1);
    job_clear(&jobs[0]);
    expect_sentence("b", "The limit of type ocr holds it back.\n");
}

static void a_running_job_is_explained(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_take("a");
    assert_int_equal(job_progress(house_app(), NULL, "a", 1, 30, "half of it is read", &err), 1);
    REDIS_RUN("HINCRBY", JOBS_DATA("a"), "started_at", "-12000");
    expect_sentence("a", "Worker one carries it out since 12 s; its lease ends in 15 s.\n");
    expect_sentence("a", "It is at 30 %: half of it is read.\n");
    REDIS_RUN("ZADD", JOBS_ACTIVE, "1", "a");
    expect_sentence("a", "its lease ran out");
}

static void an_end_is_explained(void **state)
{
    (void)state;
    jobs_fail(&(struct job_new){ .id = "a" }, "poison");
    expect_sentence("a", "It failed for good 0 s ago: poison.\n");
    expect_sentence("a", "It failed 1 time; peygir failed retry a tries it again.\n");
    expect_sentence("a", "It is forgotten in 7 days.\n");
    jobs_push(&(struct job_new){ .id = "b" });
    jobs_end("b", jobs_take("b"), JOB_CANCELLED, "expired");
    expect_sentence("b", "It is cancelled since 0 s: expired.\n");
    expect_sentence("b", "Its data goes in 24 h.\n");
}

static void a_job_that_is_nowhere_is_explained(void **state)
{
    (void)state;
    REDIS_RUN("HSET", JOBS_DATA("a"), "status", "pending");
    expect_sentence("a", "peygir queue check task --repair puts it right.\n");
}

/* --- pausing --- */

static void a_paused_queue_hands_out_nothing_and_tells_why(void **state)
{
    struct job job;
    struct job_take t = { .worker_id = "one", .jobs = &job, .max = 1 };
    struct str reason = STR_INIT;

    (void)state;
    jobs_push(&(struct job_new){ .id = "a" });
    assert_int_equal(job_is_paused(house_app(), NULL, &reason, &err), 0);
    assert_int_equal(job_pause(house_app(), NULL, "say \"why\"\n", &err), 1);
    assert_int_equal(job_pause(house_app(), NULL, "another", &err), 0);
    assert_int_equal(job_is_paused(house_app(), NULL, &reason, &err), 1);
    assert_string_equal(reason.s, "say \"why\"\n");
    assert_int_equal(job_take(house_app(), &t, &err), 0);
    assert_true(t.paused);
    assert_int_equal(job_is_paused(house_app(), "mail", &reason, &err), 0);
    assert_int_equal(job_resume(house_app(), NULL, &err), 1);
    assert_int_equal(job_resume(house_app(), NULL, &err), 0);
    jobs_take("a");
    str_free(&reason);
}

static void a_queue_can_be_paused_when_redis_is_full(void **state)
{
    (void)state;
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1");
    int done = job_pause(house_app(), NULL, NULL, &err);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
    assert_int_equal(done, 1);
}

/* --- limits --- */

static void a_queues_limit_holds_at_once_and_can_be_lifted(void **state)
{
    struct job_limit limit = { .at_once = 1, .per_count = 5, .per_ms = 1000 };
    struct job job;
    struct job_take t = { .worker_id = "one", .jobs = &job, .max = 1 };

    (void)state;
    assert_int_equal(job_limit_queue(house_app(), NULL, &limit, &err), 0);
    limit = (struct job_limit){ .at_once = 9 };
    assert_int_equal(job_limit_read(house_app(), NULL, &limit, &err), 0);
    assert_int_equal(limit.at_once, 1);
    assert_int_equal(limit.per_count, 5);
    assert_int_equal(limit.per_ms, 1000);
    jobs_push(&(struct job_new){ .id = "a" });
    jobs_push(&(struct job_new){ .id = "b" });
    jobs_take("a");
    assert_int_equal(job_take(house_app(), &t, &err), 0);
    assert_int_equal(job_limit_queue(house_app(), NULL, &(struct job_limit){ .at_once = 0 }, &err), 0);
    assert_redis("0", "EXISTS", "peygir:task:limits");
    jobs_take("b");
    assert_int_equal(job_limit_queue(house_app(), NULL, &(struct job_limit){ .per_count = 2 }, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
}

/* --- clearing --- */

static void what_waits_is_thrown_away_and_what_runs_or_failed_stays(void **state)
{
    (void)state;
    jobs_fail(&(struct job_new){ .id = "failed" }, "it broke");
    jobs_push(&(struct job_new){ .id = "active" });
    jobs_take("active");
    jobs_push(&(struct job_new){ .id = "a", .payload = "{\"x\":1}", .unique_key = "k" });
    jobs_push(&(struct job_new){ .id = "b", .priority = 9 });
    jobs_push(&(struct job_new){ .id = "c", .delay_ms = 60000 });
    REDIS_RUN("LPUSH", JOBS_LIST, "bare");
    assert_int_equal(job_clear_queue(house_app(), NULL, true, &err), 4);
    assert_redis("2", "LLEN", JOBS_LIST);
    assert_int_equal(job_clear_queue(house_app(), NULL, false, &err), 4);
    assert_redis("0", "EXISTS", JOBS_LIST, JOBS_PRIORITY, JOBS_DELAYED, "peygir:task:unique:k");
    assert_redis("1", "ZCARD", JOBS_ACTIVE);
    assert_redis("1", "ZCARD", JOBS_FAILED);
    assert_redis("cancelled", "HGET", JOBS_DATA("a"), "status");
    assert_redis("cleared", "HGET", JOBS_DATA("a"), "error");
    assert_redis("0", "HEXISTS", JOBS_DATA("a"), "payload");
    assert_in_range(REDIS_NUMBER("TTL", JOBS_DATA("c")), 86000, 86400);
    assert_redis("4", "GET", "peygir:stats:tasks:cancelled");
    expect_place("a", JOB_IS_DONE);
    assert_int_equal(job_clear_queue(house_app(), NULL, false, &err), 0);
}

static void a_thrown_away_jobs_request_fails_and_says_so(void **state)
{
    char hash[HASH_SIZE], running[HASH_SIZE];
    struct span h = house_request("one", hash), r;

    (void)state;
    REDIS_RUN("RPOP", JOBS_LIST);
    r = house_processing("two", running);
    jobs_take(running);
    jobs_push(&(struct job_new){ .id = "call", .type = "service", .request_hash = running, .call = "resend-otp" });
    REDIS_RUN("LPUSH", JOBS_LIST, hash);
    assert_int_equal(job_clear_queue(house_app(), NULL, false, &err), 2);
    char *error = house_field(h, DOC_ERROR);
    assert_string_equal(error, "{\"code\":\"cleared\",\"message\":\"errors.cleared\",\"retryable\":true}");
    free(error);
    assert_int_equal(house_read(h).status, REQUEST_FAILED);
    assert_int_equal(house_read(r).status, REQUEST_PROCESSING); /* a call on the side is not its end */
}

static void a_long_queue_is_cleared_in_pieces(void **state)
{
    (void)state;
    REDIS_RUN("EVAL", "for i = 1, 2500 do redis.call('LPUSH', KEYS[1], 'j' .. i) end", "1", JOBS_LIST);
    assert_int_equal(job_clear_queue(house_app(), NULL, false, &err), 2500);
    assert_redis("0", "EXISTS", JOBS_LIST);
}

static void one_that_is_listed_but_runs_or_has_ended_is_only_taken_off(void **state)
{
    (void)state;
    jobs_push(&(struct job_new){ .id = "active" });
    jobs_take("active");
    REDIS_RUN("LPUSH", JOBS_LIST, "active");
    jobs_push(&(struct job_new){ .id = "ended" });
    REDIS_RUN("HSET", JOBS_DATA("ended"), "status", "cancelled");
    assert_int_equal(job_clear_queue(house_app(), NULL, false, &err), 0);
    assert_redis("0", "EXISTS", JOBS_LIST);
    assert_redis("processing", "HGET", JOBS_DATA("active"), "status");
    assert_true(REDIS_NUMBER("TTL", JOBS_DATA("ended")) > 0);
}

/* --- listing --- */

static int times(char *const names[], int count, const char *name)
{
    int found = 0;

    for (int i = 0; i < count; i++)
        found += strcmp(names[i], name) == 0;
    return found;
}

/* Beside those that job types name. */
static void every_queue_with_a_key_is_listed_the_default_first(void **state)
{
    static const char *const there[] = { "data", "later", "mail", "zeal" }, *const none[] = { "limited", "stats", "other", "failed" };
    char **names;
    int count;

    (void)state;
    jobs_push(&(struct job_new){ .queue = "mail", .id = "a" });
    jobs_push(&(struct job_new){ .queue = "later", .id = "a", .delay_ms = 60000 });
    jobs_push(&(struct job_new){ .queue = "data", .id = "queue" });
    REDIS_RUN("ZADD", "peygir:zeal:failed", "1", "x");
    REDIS_RUN("ZADD", "peygir:task:limited:failed", "1", "x");
    REDIS_RUN("LPUSH", "other:mail:queue", "x");
    REDIS_RUN("LPUSH", "peygir:stats:service:x:runs", "x");
    count = job_queues(house_app(), &names, &err);
    assert_string_equal(names[0], "task");
    for (int i = 2; i < count; i++)
        assert_true(strcmp(names[i - 1], names[i]) < 0);
    for (size_t i = 0; i < ARRAY_LEN(there); i++) {
        assert_int_equal(times(names, count, there[i]), 1);
        assert_int_equal(times(names, count, none[i]), 0);
    }
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

#define T(name) cmocka_unit_test_setup(name, house_fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_job_is_seen_with_all_that_is_stored_in_one_round_trip),
        T(each_place_is_told),
        T(what_is_not_there_is_not_found_and_a_bare_id_is),
        T(one_far_back_in_a_long_list_is_there_without_a_number),
        T(a_job_is_found_in_whichever_queue_it_is),
        T(a_jobs_owner_is_found_in_whichever_queue_it_is_by_one_round_trip),
        T(a_job_of_nobody_is_found_and_one_that_is_not_there_is_not),
        T(an_owner_that_no_rule_allows_is_none),
        T(a_waiting_jobs_place_is_explained),
        T(a_missing_worker_is_named),
        T(a_pause_and_a_limit_of_its_queue_are_explained),
        T(a_delay_and_the_attempt_before_are_explained),
        T(a_job_that_its_types_limit_holds_back_is_explained),
        T(a_running_job_is_explained),
        T(an_end_is_explained),
        T(a_job_that_is_nowhere_is_explained),
        T(a_paused_queue_hands_out_nothing_and_tells_why),
        T(a_queue_can_be_paused_when_redis_is_full),
        T(a_queues_limit_holds_at_once_and_can_be_lifted),
        T(what_waits_is_thrown_away_and_what_runs_or_failed_stays),
        T(a_thrown_away_jobs_request_fails_and_says_so),
        T(a_long_queue_is_cleared_in_pieces),
        T(one_that_is_listed_but_runs_or_has_ended_is_only_taken_off),
        T(every_queue_with_a_key_is_listed_the_default_first),
    };

    return cmocka_run_group_tests_name("job_admin", tests, house_setup, house_teardown);
}
