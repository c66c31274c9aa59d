/* test_request_seal.c: the personal values of a request lie sealed, and everything works as if they did not. Names of
 * requirements are those of OWASP ASVS 4.0.3. */
#include "tests/unit/unit.h"

#include "core/change.h"
#include "core/seal.h"
#include "tests/unit/files.h"
#include "tests/unit/jobhouse.h"

#include <sys/stat.h>

#define SERVICE(slug, more) "{\"slug\":\"" slug "\",\"title\":\"T\",\"estimated_duration\":5,\"fields\":[],\"code\":{}" more "}"
#define OWNER SPAN("0123456789ABCDEFGHJKMNPQRS")
#define FORM "{\"mobile\":\"09127654321\"}"
#define RESULT "{\"score\":700,\"list\":[],\"big\":12345678901234567890}"
#define KEY_ONE "11111111111111111111111111111111\n"
#define KEY_TWO "22222222222222222222222222222222\n"

static struct app app;
static struct err err;
static char hash[HASH_SIZE], document[64], guard[64];

/* --- the house --- */

static void write_keys(const char *keys)
{
    const char *file = files_put("secret", keys);
    assert_int_equal(chmod(file, 0600), 0);
    house_set("PEYGIR_SECRET_FILE", file);
}

static void enter(unsigned what)
{
    house_enter(HOUSE_SERVICES | what);
    app_open(&app, &house);
}

static void leave(void)
{
    app_close(&app);
    house_leave();
}

/* The same house with other keys. */
static void change_keys(const char *keys)
{
    leave();
    write_keys(keys);
    enter(HOUSE_SECRET);
}

static int open_house(void **state)
{
    if (files_setup(state) != 0)
        return -1;
    house_start();
    files_put("sealed.json", SERVICE("sealed", ""));
    files_put("plain.json", SERVICE("plain", ",\"seal\":\"off\""));
    files_put("strict.json", SERVICE("strict", ",\"seal\":\"strict\""));
    house_set("PEYGIR_SERVICES_DIR", files_dir());
    return 0;
}

static int close_house(void **state)
{
    house_stop();
    return files_teardown(state);
}

static int fresh(void **state)
{
    (void)state;
    server_flush();
    write_keys(KEY_ONE);
    enter(HOUSE_SECRET);
    return 0;
}

static int done(void **state)
{
    (void)state;
    leave();
    return 0;
}

/* --- one request --- */

static int submit(const char *slug, const char *form, bool exclusive)
{
    struct request_new n = { .service = services_find(house.services, span_of(slug)),
                             .data = span_of(form),
                             .owner = OWNER,
                             .locale = "fa",
                             .key = SPAN("key"),
                             .key_is_exclusive = exclusive };
    int result = request_create(&app, &n, hash, &err);
    snprintf(document, sizeof document, "local_request:%s", hash);
    snprintf(guard, sizeof guard, "{local_request:%s}:guard", hash);
    return result;
}

static enum request_begin begin(struct str *body)
{
    struct job job = { .id = hash, .request_hash = hash, .run = 1 };
    enum request_begin what;
    enum request_status status;
    struct str slug = STR_INIT;
    if (request_begin(&app, &job, &what, &status, &slug, body, NULL, &err) < 0)
        fail_msg("%s", err.text);
    str_free(&slug);
    return what;
}

/* Submitted and taken up. */
static void working(const char *slug)
{
    struct str body = STR_INIT;
    assert_int_equal(submit(slug, FORM, false), 1);
    assert_int_equal(begin(&body), BEGIN_CALL);
    str_free(&body);
}

static struct request look(void)
{
    struct request rq;
    if (request_read(&app, span_of(hash), &rq, &err) != 1)
        fail_msg("%s", err.text);
    return rq;
}

static void expect_opened(enum document_field field, const char *value)
{
    struct request rq = look();
    struct str out = STR_INIT;
    assert_true(seal_is(rq.doc.field[field]));
    if (request_open(&app, &rq, field, &out, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(out.s, value);
    str_free(&out);
}

/* Does what lies in Redis hold this text? */
static bool lies_there(const char *text)
{
    char *one = REDIS_CLI("GET", document), *two = REDIS_CLI("HGETALL", guard);
    bool there = strstr(one, text) || strstr(two, text);
    free(one);
    free(two);
    return there;
}

/* Write the document as a bot by itself does: `from` becomes `to`. */
static void rewrite(const char *from, const char *to)
{
    char *text = REDIS_CLI("GET", document), *at = strstr(text, from);
    struct str next = STR_INIT;
    if (!at)
        fail_msg("there is no %s in %s", from, text);
    str_add(&next, text, (size_t)(at - text));
    str_adds(&next, to);
    str_add(&next, at + strlen(from), strcspn(at + strlen(from), "\n"));
    REDIS_RUN("SETEX", document, "1800", next.s);
    free(text);
    str_free(&next);
}

static void expect_error(const char *code)
{
    struct request rq = look();
    char error[64];
    snprintf(error, sizeof error, "{\"code\":\"%s\"", code);
    assert_int_equal(rq.status, REQUEST_FAILED);
    assert_non_null(strstr(rq.doc.field[DOC_ERROR].s, error));
}

/* --- the form --- */

static void the_form_lies_sealed_and_the_bot_gets_it_plain_asvs_6_1_1(void **state)
{
    struct str body = STR_INIT;
    (void)state;
    assert_int_equal(submit("sealed", FORM, false), 1);
    assert_false(lies_there("mobile"));
    expect_opened(DOC_DATA, FORM);
    assert_int_equal(begin(&body), BEGIN_CALL);
    assert_non_null(strstr(body.s, "\"mobile\":\"09127654321\""));
    assert_non_null(strstr(body.s, hash));
    assert_false(lies_there("mobile"));
    str_free(&body);
}

static void the_same_submission_still_makes_the_same_request(void **state)
{
    char first[HASH_SIZE];
    (void)state;
    assert_int_equal(submit("sealed", FORM, true), 1);
    memcpy(first, hash, HASH_SIZE);
    char *before = REDIS_CLI("GET", document);
    assert_int_equal(submit("sealed", FORM, true), 0);
    assert_string_equal(hash, first);
    char *after = REDIS_CLI("GET", document);
    assert_string_equal(before, after);
    assert_int_equal(submit("sealed", "{\"mobile\":\"09120000000\"}", true), -1);
    assert_int_equal(err.kind, ERR_STATE);
    free(before);
    free(after);
}

static void a_service_may_say_that_nothing_is_sealed(void **state)
{
    struct request rq;
    (void)state;
    working("plain");
    rq = look();
    assert_true(span_is(rq.doc.field[DOC_DATA], FORM));
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 1);
    rq = look();
    assert_true(span_is(rq.doc.field[DOC_RESULT], RESULT));
}

/* --- the result --- */

static void the_bots_answer_lies_sealed_in_document_and_guard_asvs_6_1_1(void **state)
{
    (void)state;
    working("sealed");
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 1);
    assert_false(lies_there("score"));
    expect_opened(DOC_RESULT, RESULT);
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 0);
}

static void a_bot_that_reverts_an_end_loses_against_the_sealed_result(void **state)
{
    (void)state;
    working("sealed");
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 1);
    rewrite("\"status\":\"completed\"", "\"status\":\"processing\"");
    assert_int_equal(look().status, REQUEST_COMPLETED);
    expect_opened(DOC_RESULT, RESULT);
    assert_false(lies_there("score"));
}

static void a_result_written_by_a_bot_itself_is_sealed_by_whoever_looks_first(void **state)
{
    (void)state;
    working("sealed");
    rewrite("\"result_data\":null", "\"result_data\":" RESULT);
    rewrite("\"status\":\"processing\"", "\"status\":\"completed\",\"mine\":[1.50,{}]");
    assert_int_equal(look().status, REQUEST_COMPLETED);
    assert_false(lies_there("score"));
    expect_opened(DOC_RESULT, RESULT);
    expect_opened(DOC_DATA, FORM);
    assert_true(lies_there("\"mine\":[1.50,{}]"));
}

/* As a writer that uses the same scripts does: nothing in the history differs. */
static void a_result_that_was_recorded_plain_is_sealed_too(void **state)
{
    struct request rq;
    (void)state;
    working("plain");
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 1);
    rewrite("\"service_slug\":\"plain\"", "\"service_slug\":\"sealed\"");
    assert_true(lies_there("score") && lies_there("mobile"));
    rq = look();
    assert_int_equal(rq.status, REQUEST_COMPLETED);
    assert_false(lies_there("score") || lies_there("mobile"));
    expect_opened(DOC_RESULT, RESULT);
    expect_opened(DOC_DATA, FORM);
    assert_int_equal(look().guard.revision, rq.guard.revision);
}

static void so_is_one_beside_a_change_that_somebody_else_makes(void **state)
{
    (void)state;
    working("sealed");
    rewrite("\"result_data\":null", "\"result_data\":" RESULT);
    assert_int_equal(request_progress(&app, span_of(hash), 1, 40, NULL, "messages.started", &err), 1);
    assert_false(lies_there("score"));
    expect_opened(DOC_RESULT, RESULT);
}

static void a_request_that_another_program_made_is_sealed_at_the_first_look(void **state)
{
    static const char made[] = "{\"hash\":\"req_0123456789ABCDEFGHJKMNPQRS\",\"service_slug\":\"sealed\",\"status\":\"pending\","
                               "\"progress\":0,\"request_data\":" FORM ",\"result_data\":null}";
    (void)state;
    memcpy(hash, "req_0123456789ABCDEFGHJKMNPQRS", HASH_SIZE);
    snprintf(document, sizeof document, "local_request:%s", hash);
    snprintf(guard, sizeof guard, "{local_request:%s}:guard", hash);
    REDIS_RUN("SETEX", document, "1800", made);
    assert_int_equal(look().status, REQUEST_PENDING);
    assert_false(lies_there("mobile"));
    expect_opened(DOC_DATA, FORM);
}

/* --- strict --- */

static void a_strict_service_takes_the_bots_answer(void **state)
{
    (void)state;
    working("strict");
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 1);
    expect_opened(DOC_RESULT, RESULT);
}

static void and_refuses_a_result_that_was_written_plain(void **state)
{
    (void)state;
    working("strict");
    rewrite("\"result_data\":null", "\"result_data\":" RESULT);
    rewrite("\"status\":\"processing\"", "\"status\":\"completed\"");
    expect_error("plain_result");
    assert_true(span_is(look().doc.field[DOC_RESULT], "null"));
    assert_false(lies_there("score"));
}

static void also_in_two_steps_and_in_the_guise_of_a_sealed_one(void **state)
{
    (void)state;
    working("strict");
    rewrite("\"result_data\":null", "\"result_data\":" RESULT);
    assert_true(span_is(look().doc.field[DOC_RESULT], "null"));
    rewrite("\"result_data\":null", "\"result_data\":{\"sealed\":\"v1:00000000:AAAA\"}");
    rewrite("\"status\":\"processing\"", "\"status\":\"completed\"");
    expect_error("plain_result");
}

/* --- keys --- */

static void after_a_rotation_everything_opens(void **state)
{
    struct str body = STR_INIT;
    (void)state;
    assert_int_equal(submit("sealed", FORM, false), 1);
    change_keys(KEY_TWO KEY_ONE);
    assert_int_equal(begin(&body), BEGIN_CALL);
    assert_non_null(strstr(body.s, "09127654321"));
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 1);
    expect_opened(DOC_DATA, FORM);
    expect_opened(DOC_RESULT, RESULT);
    str_free(&body);
}

static void a_request_whose_key_is_gone_fails_and_says_so(void **state)
{
    struct str body = STR_INIT;
    (void)state;
    assert_int_equal(submit("sealed", FORM, false), 1);
    change_keys(KEY_TWO);
    assert_int_equal(begin(&body), BEGIN_ENDED);
    expect_error("unreadable");
    assert_true(seal_is(look().doc.field[DOC_DATA]));
    str_free(&body);
}

static void a_result_whose_key_is_gone_stays_and_does_not_open(void **state)
{
    struct str out = STR_INIT;
    (void)state;
    working("sealed");
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 1);
    change_keys(KEY_TWO);
    struct request rq = look();
    assert_int_equal(rq.status, REQUEST_COMPLETED);
    assert_int_equal(request_open(&app, &rq, DOC_RESULT, &out, &err), -1);
    assert_int_equal(err.kind, ERR_FAILED);
    assert_int_equal(out.len, 0);
    str_free(&out);
}

static void values_of_another_request_are_of_no_use_asvs_8_3_7(void **state)
{
    struct str body = STR_INIT, theirs = STR_INIT, own = STR_INIT;
    (void)state;
    assert_int_equal(submit("sealed", FORM, false), 1);
    str_add_span(&theirs, look().doc.field[DOC_DATA]);
    assert_int_equal(submit("sealed", "{\"mobile\":\"09120000000\"}", false), 1);
    str_add_span(&own, look().doc.field[DOC_DATA]);
    rewrite(own.s, theirs.s);
    assert_int_equal(begin(&body), BEGIN_ENDED);
    expect_error("unreadable");
    str_free(&body);
    str_free(&theirs);
    str_free(&own);
}

/* --- programs --- */

static void a_program_without_the_secret_leaves_values_as_they_are(void **state)
{
    (void)state;
    working("sealed");
    rewrite("\"result_data\":null", "\"result_data\":" RESULT);
    leave();
    enter(0);
    assert_int_equal(look().status, REQUEST_PROCESSING);
    assert_int_equal(request_cancel(&app, span_of(hash), &err), 1);
    assert_true(lies_there("score"));
    assert_false(lies_there("mobile"));
}

/* Which key sealed it nobody can tell there, but that it lies sealed. */
static void and_refuses_no_sealed_result_of_a_strict_service_but_a_plain_one(void **state)
{
    (void)state;
    working("strict");
    assert_int_equal(request_complete(&app, span_of(hash), 1, SPAN(RESULT), &err), 1);
    REDIS_RUN("DEL", guard); /* as in a Redis that was brought back from elsewhere */
    leave();
    enter(0);
    assert_int_equal(look().status, REQUEST_COMPLETED);
    leave();
    enter(HOUSE_SECRET);
    expect_opened(DOC_RESULT, RESULT);
    assert_int_equal(submit("strict", "{\"mobile\":\"09120000000\"}", false), 1);
    rewrite("\"result_data\":null", "\"result_data\":" RESULT);
    rewrite("\"status\":\"pending\"", "\"status\":\"completed\"");
    leave();
    enter(0);
    expect_error("plain_result");
}

static void whoever_carries_sealed_requests_out_needs_the_secret(void **state)
{
    struct house other;
    struct settings without;
    (void)state;
    settings_init(&without, options_table, OPT_COUNT);
    settings_assign(&without, "REDIS_URL", server_url(), FROM_ARGUMENT, &err);
    settings_assign(&without, "PEYGIR_SERVICES_DIR", files_dir(), FROM_ARGUMENT, &err);
    assert_int_equal(house_open(&other, &without, HOUSE_SERVICES | HOUSE_SEALS, "unit-test", 2000, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "The service sealed seals its values"));
    assert_non_null(strstr(err.text, "PEYGIR_SECRET_FILE is not set"));
    settings_free(&without);
}

static void who_carries_out_none_does_without(void **state)
{
    struct house other;
    struct settings without;
    (void)state;
    remove(files_put("sealed.json", ""));
    remove(files_put("strict.json", ""));
    settings_init(&without, options_table, OPT_COUNT);
    settings_assign(&without, "REDIS_URL", server_url(), FROM_ARGUMENT, &err);
    settings_assign(&without, "PEYGIR_SERVICES_DIR", files_dir(), FROM_ARGUMENT, &err);
    if (house_open(&other, &without, HOUSE_SERVICES | HOUSE_SEALS, "unit-test", 2000, &err) < 0)
        fail_msg("%s", err.text);
    assert_null(other.secret);
    house_close(&other);
    settings_assign(&without, "PEYGIR_SECRET_FILE", "/nonexistent/secret", FROM_ARGUMENT, &err);
    assert_int_equal(house_open(&other, &without, HOUSE_SERVICES | HOUSE_SEALS, "unit-test", 2000, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent/secret"));
    settings_free(&without);
    files_put("sealed.json", SERVICE("sealed", ""));
    files_put("strict.json", SERVICE("strict", ",\"seal\":\"strict\""));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(the_form_lies_sealed_and_the_bot_gets_it_plain_asvs_6_1_1),
        STORY(the_same_submission_still_makes_the_same_request),
        STORY(a_service_may_say_that_nothing_is_sealed),
        STORY(the_bots_answer_lies_sealed_in_document_and_guard_asvs_6_1_1),
        STORY(a_bot_that_reverts_an_end_loses_against_the_sealed_result),
        STORY(a_result_written_by_a_bot_itself_is_sealed_by_whoever_looks_first),
        STORY(a_result_that_was_recorded_plain_is_sealed_too),
        STORY(so_is_one_beside_a_change_that_somebody_else_makes),
        STORY(a_request_that_another_program_made_is_sealed_at_the_first_look),
        STORY(a_strict_service_takes_the_bots_answer),
        STORY(and_refuses_a_result_that_was_written_plain),
        STORY(also_in_two_steps_and_in_the_guise_of_a_sealed_one),
        STORY(after_a_rotation_everything_opens),
        STORY(a_request_whose_key_is_gone_fails_and_says_so),
        STORY(a_result_whose_key_is_gone_stays_and_does_not_open),
        STORY(values_of_another_request_are_of_no_use_asvs_8_3_7),
        STORY(a_program_without_the_secret_leaves_values_as_they_are),
        STORY(and_refuses_no_sealed_result_of_a_strict_service_but_a_plain_one),
        STORY(whoever_carries_sealed_requests_out_needs_the_secret),
        STORY(who_carries_out_none_does_without),
    };
    return cmocka_run_group_tests(tests, open_house, close_house);
}
