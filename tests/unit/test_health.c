/* test_health.c: how queues and workers stand, and whether Peygir is able to work. */
#include "tests/unit/unit.h"

#include "core/closure.h"
#include "core/fleet.h"
#include "core/health.h"
#include "tests/unit/jobhouse.h"

static struct app app;
static struct err err;

static int open_house(void **state)
{
    (void)state;
    house_start();
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_stop();
    return 0;
}

static int enter(void **state)
{
    (void)state;
    server_flush();
    house_enter(0);
    app_open(&app, &house);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    app_close(&app);
    house_leave();
    return 0;
}

static void beat(const char *id, const char *queues)
{
    assert_int_equal(fleet_beat(&app, &(struct fleet_beat){ .id = id, .queues = queues, .jobs = "[]", .running = 2, .concurrency = 9 }, &err), 0);
}

/* What was found, by check: "warning task moving 3". */
struct found {
    char text[HEALTH_CHECKS][128];
    enum grade worst;
};

static void find(void *ctx, const struct health_finding *f)
{
    struct found *found = ctx;

    snprintf(found->text[f->check], sizeof found->text[0], "%s %.*s %.*s %lld", grade_names[f->grade], (int)f->subject.len,
             f->subject.s ? f->subject.s : "", (int)f->words.len, f->words.s ? f->words.s : "", (long long)f->number[0]);
    if (f->grade > found->worst)
        found->worst = f->grade;
}

static struct found look(void)
{
    struct found found = { .worst = GRADE_OK };
    struct overview o;

    assert_int_equal(overview_take(&app, NULL, 0, &o, &err), 0);
    assert_int_equal(health_work(&app, &o, find, &found, &err), 0);
    overview_clear(&o);
    return found;
}

static void queues_are_those_that_the_default_and_living_workers_name(void **state)
{
    struct overview o;

    (void)state;
    beat("one", "task,mail");
    beat("two", "mail, scans");
    assert_int_equal(overview_take(&app, NULL, 0, &o, &err), 0);
    assert_int_equal(o.queue_count, 3);
    assert_string_equal(o.queue[0].name, "task");
    assert_string_equal(o.queue[1].name, "mail");
    assert_string_equal(o.queue[2].name, "scans");
    assert_int_equal(o.queue[0].workers, 1);
    assert_int_equal(o.queue[1].workers, 2);
    assert_int_equal(o.worker_count, 2);
    assert_string_equal(o.worker[0].id, "one");
    assert_int_equal(o.worker[0].running, 2);
    assert_int_equal(o.worker[0].concurrency, 9);
    overview_clear(&o);
}

static void named_queues_are_looked_at_once_each(void **state)
{
    char first[] = "mail", again[] = "mail", *names[] = { first, again };
    struct overview o;

    (void)state;
    REDIS_RUN("LPUSH", "peygir:mail:queue", "a", "b");
    assert_int_equal(overview_take(&app, names, ARRAY_LEN(names), &o, &err), 0);
    assert_int_equal(o.queue_count, 1);
    assert_int_equal(o.queue[0].counts.waiting, 2);
    assert_null(o.queue[0].pause_reason);
    overview_clear(&o);
}

static void without_a_worker_nothing_works(void **state)
{
    struct found found = look();

    (void)state;
    assert_string_equal(found.text[HEALTH_WORKERS], "failed   0");
    assert_int_equal(found.worst, GRADE_FAILED);
    beat("one", "task");
    found = look();
    assert_string_equal(found.text[HEALTH_WORKERS], "ok   1");
    assert_string_equal(found.text[HEALTH_QUEUE], "ok task  0");
    assert_int_equal(found.worst, GRADE_OK);
}

static void a_pause_a_closed_service_and_failed_jobs_are_warnings(void **state)
{
    struct found found;

    (void)state;
    beat("one", "task");
    assert_int_equal(job_pause(&app, "task", "moving", &err), 1);
    assert_int_equal(closure_set(&app, "ocr", "Back at noon", &err), 0);
    REDIS_RUN("ZADD", "peygir:task:failed", "1", "x", "2", "y");
    found = look();
    assert_string_equal(found.text[HEALTH_PAUSED], "warning task moving 0");
    assert_string_equal(found.text[HEALTH_CLOSED], "warning ocr Back at noon 0");
    assert_string_equal(found.text[HEALTH_FAILED_JOBS], "warning task  2");
    assert_int_equal(found.worst, GRADE_WARNING);
}

static void the_server_is_judged_by_what_it_may_lose(void **state)
{
    struct found found = { .worst = GRADE_OK };

    (void)state;
    assert_int_equal(health_redis(&app, find, &found, &err), 0);
    assert_string_equal(found.text[HEALTH_ADVICE + ADVICE_EVICTION], "ok noeviction  0");
    assert_memory_equal(found.text[HEALTH_ADVICE + ADVICE_MEMORY], "ok ", 3);
    assert_memory_equal(found.text[HEALTH_ADVICE + ADVICE_PERSISTENCE], "warning ", 8); /* a unit test's server keeps nothing */
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1000000000", "maxmemory-policy", "allkeys-lru");
    assert_int_equal(health_redis(&app, find, &found, &err), 0);
    assert_string_equal(found.text[HEALTH_ADVICE + ADVICE_EVICTION], "warning allkeys-lru  0");
    assert_memory_equal(found.text[HEALTH_ADVICE + ADVICE_MEMORY], "ok ", 3);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction");
    assert_int_equal(health_redis(&app, find, &found, &err), 0);
    assert_memory_equal(found.text[HEALTH_ADVICE + ADVICE_MEMORY], "warning ", 8);
    REDIS_RUN("CONFIG", "SET", "maxmemory", "0");
}

static void a_server_that_is_away_has_no_health(void **state)
{
    struct found found = { .worst = GRADE_OK };
    struct overview o;

    (void)state;
    server_freeze();
    assert_int_equal(health_redis(&app, find, &found, &err), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_int_equal(overview_take(&app, NULL, 0, &o, &err), -1);
    overview_clear(&o);
    server_thaw();
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(queues_are_those_that_the_default_and_living_workers_name),
        TEST(named_queues_are_looked_at_once_each),
        TEST(without_a_worker_nothing_works),
        TEST(a_pause_a_closed_service_and_failed_jobs_are_warnings),
        TEST(the_server_is_judged_by_what_it_may_lose),
        TEST(a_server_that_is_away_has_no_health),
    };
    return cmocka_run_group_tests_name("health", tests, open_house, close_house);
}
