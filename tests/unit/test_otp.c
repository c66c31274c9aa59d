/* test_otp.c: the one-time code of a request */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/otp.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

static struct err err;

static const struct service *service(void)
{
    return house_service("credit-score-rating");
}

/* A request whose first leg has ended with SMS_SENT. */
static struct span asked(const char *key, char hash[HASH_SIZE])
{
    struct span h = house_processing(key, hash);
    struct otp_ask ask = { .handle = SPAN("\"bot-handle\""), .message = "sent" };
    if (otp_require(house_app(), service(), h, 1, &ask, &err) != 1)
        fail_msg("%s", err.text);
    return h;
}

static struct span entered(const char *key, char hash[HASH_SIZE])
{
    struct span h = asked(key, hash);
    if (otp_submit(house_app(), service(), h, SPAN("12345"), &err) != 1)
        fail_msg("%s", err.text);
    return h;
}

static struct otp_state look(struct span h)
{
    struct request rq = house_read(h);
    struct otp_state state;
    otp_look(&rq, service(), &state);
    return state;
}

/* What the leg for code n is told to do; the body that would be posted. */
static enum request_begin begin_leg(const char *hash, int n, int run, struct str *body)
{
    char id[HASH_SIZE + 8];
    snprintf(id, sizeof id, "%s.%d", hash, n);
    struct job job = { .id = id, .request_hash = (char *)hash, .run = run, .code = n };
    enum request_begin what;
    enum request_status status;
    struct str slug = STR_INIT;
    if (request_begin(house_app(), &job, &what, &status, &slug, body, NULL, &err) < 0)
        fail_msg("%s", err.text);
    str_free(&slug);
    return what;
}

static void a_bot_that_needs_a_code_stops_at_otp_required(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_OTP_REQUIRED);
    assert_true(span_is(document_otp(&rq.doc, "hash"), "\"bot-handle\""));
    struct otp_state now = look(h);
    assert_in_range(now.expires_in_s, 118, 120);
    assert_in_range(now.resend_in_s, 58, 60);
    assert_int_equal(now.attempts_left, 3);
    assert_int_equal(now.length, 5);
}

static void no_second_is_shown_more_than_there_is_where_clocks_differ(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct request rq = house_read(asked("k", hash));
    struct otp_state now;
    rq.now_ms = rq.guard.code_until_ms - 120 * 1000 - 40;
    otp_look(&rq, service(), &now);
    assert_int_equal(now.expires_in_s, 120);
    assert_int_equal(now.resend_in_s, 60);
    rq.now_ms = rq.guard.code_until_ms - 1;
    otp_look(&rq, service(), &now);
    assert_int_equal(now.expires_in_s, 1);
}

static void the_later_word_fills_gaps_only(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    assert_int_equal(otp_require(house_app(), service(), h, 1, &(struct otp_ask){ .message = "first" }, &err), 1);
    struct otp_ask later = { .handle = SPAN("\"h2\""), .message = "second", .length = 9 };
    assert_int_equal(otp_require(house_app(), service(), h, 1, &later, &err), 1);
    struct request rq = house_read(h);
    assert_true(span_is(document_otp(&rq.doc, "hash"), "\"h2\""));
    assert_true(span_is(document_otp(&rq.doc, "message"), "\"first\""));
    assert_true(span_is(document_otp(&rq.doc, "length"), "5"));
    assert_int_equal(otp_require(house_app(), service(), h, 1, &later, &err), 0);
}

static void a_code_goes_to_the_mailbox_and_nowhere_else(void **state)
{
    (void)state;
    char hash[HASH_SIZE], mailbox[64], document[64], events[64];
    struct span h = asked("k", hash);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("98765"), &err), 1);
    snprintf(mailbox, sizeof mailbox, "{local_request:%s}:otp", hash);
    snprintf(document, sizeof document, "local_request:%s", hash);
    snprintf(events, sizeof events, "{local_request:%s}:events", hash);
    char *mail = house_cli("LINDEX", mailbox, "0", NULL), *text = house_cli("GET", document, NULL);
    char *history = house_cli("LRANGE", events, "0", "-1", NULL), *ttl = house_cli("TTL", mailbox, NULL);
    assert_non_null(strstr(mail, "{\"otp\":\"98765\"}"));
    assert_null(strstr(text, "98765"));
    assert_null(strstr(history, "98765"));
    assert_true(strtol(ttl, NULL, 10) > 0 && strtol(ttl, NULL, 10) <= 120);
    free(mail);
    free(text);
    free(history);
    free(ttl);
}

static void persian_digits_and_spaces_between_are_understood(void **state)
{
    (void)state;
    char hash[HASH_SIZE], mailbox[64];
    struct span h = asked("k", hash);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("۱۲ ۳۴۵"), &err), 1);
    snprintf(mailbox, sizeof mailbox, "{local_request:%s}:otp", hash);
    char *mail = house_cli("LINDEX", mailbox, "0", NULL);
    assert_non_null(strstr(mail, "\"12345\""));
    free(mail);
}

static void a_code_of_the_wrong_form_is_refused(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    static const char *const wrong[] = { "", "1234", "123456", "12a45", "\xff\xff\xff\xff\xff" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(otp_submit(house_app(), service(), h, span_of(wrong[i]), &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
    assert_int_equal(house_read(h).status, REQUEST_OTP_REQUIRED);
}

static void a_code_is_only_taken_while_one_is_awaited(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("12345"), &err), -1);
    assert_int_equal(err.kind, ERR_STATE);
    assert_int_equal(request_cancel(house_app(), h, &err), 1);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("12345"), &err), -1);
    assert_int_equal(err.kind, ERR_FINAL);
}

static void an_expired_code_is_refused(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    clock_test_offset(121000);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("12345"), &err), -1);
    assert_int_equal(err.kind, ERR_EXPIRED);
}

static void the_second_leg_gets_the_code_once(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = entered("k", hash);
    struct str body = STR_INIT;
    char *queue = house_cli("LINDEX", "peygir:task:queue", "0", NULL);
    assert_memory_equal(queue + HASH_LEN, ".1", 2);
    free(queue);
    assert_int_equal(begin_leg(hash, 1, 2, &body), BEGIN_CALL);
    assert_non_null(strstr(body.s, "\"otp\":\"12345\""));
    assert_non_null(strstr(body.s, "\"otpData\":{\"hash\":\"bot-handle\""));
    assert_non_null(strstr(body.s, "\"national_code\""));
    assert_int_equal(house_read(h).status, REQUEST_OTP_VERIFYING);
    str_free(&body);
}

static void a_leg_that_died_with_the_code_is_never_called_again(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = entered("k", hash);
    struct str body = STR_INIT;
    assert_int_equal(begin_leg(hash, 1, 2, &body), BEGIN_CALL);
    assert_int_equal(begin_leg(hash, 1, 3, &body), BEGIN_NOTHING);
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_OTP_REQUIRED);
    assert_int_equal(rq.guard.tries, 0);
    assert_true(span_is(rq.doc.field[DOC_MESSAGE], "\"messages.code_lost\""));
    assert_int_equal(look(h).expires_in_s, 0);
    str_free(&body);
}

static void no_leg_is_pushed_while_a_job_of_the_request_is_active(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    free(house_cli("DEL", "peygir:task:queue", NULL));
    free(house_cli("ZADD", "peygir:task:active", "99999999999999", hash, NULL));
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("12345"), &err), 1);
    char *length = house_cli("LLEN", "peygir:task:queue", NULL);
    assert_int_equal(length[0], '0');
    free(length);
    free(house_cli("ZREM", "peygir:task:active", hash, NULL));
    assert_int_equal(otp_push_leg(house_app(), h, &err), 1);
    assert_int_equal(otp_push_leg(house_app(), h, &err), 0);
}

static void wrong_codes_are_counted_until_none_is_left(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = entered("k", hash);
    assert_int_equal(otp_wrong(house_app(), service(), h, 0, NULL, &err), 1);
    assert_int_equal(look(h).attempts_left, 2);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("11111"), &err), 1);
    assert_int_equal(otp_wrong(house_app(), service(), h, 0, "not that one", &err), 1);
    char *message = house_field(h, DOC_MESSAGE);
    assert_string_equal(message, "\"not that one\"");
    free(message);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("22222"), &err), 1);
    assert_int_equal(otp_wrong(house_app(), service(), h, 0, NULL, &err), 1);
    /* three wrong ones: this code is spent, another must be asked for */
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_OTP_REQUIRED);
    assert_true(span_is(rq.doc.field[DOC_MESSAGE], "\"messages.code_ask_new\""));
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("33333"), &err), -1);
    assert_int_equal(err.kind, ERR_TOO_MANY);
    clock_test_offset(61000);
    assert_int_equal(otp_resend(house_app(), service(), h, &err), 1);
    assert_int_equal(look(h).attempts_left, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(otp_submit(house_app(), service(), h, SPAN("44444"), &err), 1);
        assert_int_equal(otp_wrong(house_app(), service(), h, 0, NULL, &err), 1);
    }
    rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_FAILED);
    assert_non_null(memmem(rq.doc.field[DOC_ERROR].s, rq.doc.field[DOC_ERROR].len, "\"otp_tries\"", 11));
}

static void a_code_that_the_bot_calls_expired_uses_no_try(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = entered("k", hash);
    assert_int_equal(otp_expired(house_app(), service(), h, 0, NULL, &err), 1);
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_OTP_REQUIRED);
    assert_int_equal(rq.guard.tries, 0);
}

static void another_code_comes_after_the_cool_down_and_three_times_at_most(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    assert_int_equal(otp_resend(house_app(), service(), h, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_MANY);
    assert_in_range(err.retry_after_s, 58, 60);
    for (int i = 1; i <= 3; i++) {
        clock_test_offset(i * 61000);
        assert_int_equal(otp_resend(house_app(), service(), h, &err), 1);
        assert_in_range(look(h).expires_in_s, 118, 120);
    }
    clock_test_offset(4 * 61000);
    assert_int_equal(look(h).resend_in_s, -1);
    assert_int_equal(otp_resend(house_app(), service(), h, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_MANY);
    assert_int_equal(err.retry_after_s, 0);
}

static void a_resend_calls_the_bot_where_the_service_says_so(void **state)
{
    (void)state;
    char hash[HASH_SIZE], data[128];
    struct span h = asked("k", hash);
    clock_test_offset(61000);
    assert_int_equal(otp_resend(house_app(), service(), h, &err), 1);
    snprintf(data, sizeof data, "peygir:task:data:%s.resend.1", hash);
    char *call = house_cli("HGET", data, "call", NULL);
    assert_memory_equal(call, "resend-otp", 10);
    free(call);
}

static void a_code_that_nobody_renews_fails_the_request_after_a_minute(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    const struct services *services = house_app()->house->services;
    clock_test_offset(121000);
    assert_true(request_watch(house_app(), services, &err) >= 0);
    assert_int_equal(house_read(h).status, REQUEST_OTP_REQUIRED);
    clock_test_offset(181000);
    assert_int_equal(request_watch(house_app(), services, &err), 1);
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_FAILED);
    assert_non_null(memmem(rq.doc.field[DOC_ERROR].s, rq.doc.field[DOC_ERROR].len, "\"otp_expired\"", 13));
}

#define HOUR_MS INT64_C(3600000)

/* Two hosts, one an hour before Redis and one an hour behind: what the one writes means the same to the other. */
static void hosts_whose_clocks_are_wrong_agree_about_a_code(void **state)
{
    (void)state;
    for (int64_t wrong_ms = -HOUR_MS; wrong_ms <= HOUR_MS; wrong_ms += 2 * HOUR_MS) {
        char hash[HASH_SIZE];
        clock_test_offset(0);
        clock_test_wrong(wrong_ms);
        struct span h = asked(wrong_ms < 0 ? "behind" : "before", hash);
        clock_test_wrong(-wrong_ms);
        struct otp_state now = look(h);
        assert_in_range(now.expires_in_s, 118, 120);
        assert_in_range(now.resend_in_s, 58, 60);
        assert_int_equal(otp_resend(house_app(), service(), h, &err), -1);
        assert_in_range(err.retry_after_s, 58, 60);
        assert_int_equal(otp_give_up(house_app(), h, &err), 0);
        assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 0);
        assert_int_equal(otp_submit(house_app(), service(), h, SPAN("12345"), &err), 1);
    }
}

static void hosts_whose_clocks_are_wrong_end_a_code_at_the_same_time(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    clock_test_wrong(HOUR_MS);
    struct span h = asked("k", hash);
    clock_test_offset(121000);
    clock_test_wrong(-HOUR_MS);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("12345"), &err), -1);
    assert_int_equal(err.kind, ERR_EXPIRED);
    clock_test_offset(181000);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    assert_int_equal(house_read(h).status, REQUEST_FAILED);
}

static void a_code_that_no_leg_took_in_time_is_asked_for_again(void **state)
{
    (void)state;
    char hash[HASH_SIZE], mailbox[64];
    struct span h = entered("k", hash);
    snprintf(mailbox, sizeof mailbox, "{local_request:%s}:otp", hash);
    free(house_cli("DEL", mailbox, NULL));
    clock_test_offset(125000);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_OTP_REQUIRED);
    assert_true(span_is(rq.doc.field[DOC_MESSAGE], "\"messages.code_lost\""));
    clock_test_offset(190000); /* and nobody does */
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    assert_int_equal(house_read(h).status, REQUEST_FAILED);
}

static void an_ended_request_keeps_no_code(void **state)
{
    (void)state;
    char hash[HASH_SIZE], mailbox[64];
    struct span h = entered("k", hash);
    snprintf(mailbox, sizeof mailbox, "{local_request:%s}:otp", hash);
    assert_int_equal(request_complete(house_app(), h, 0, SPAN("{}"), &err), 1);
    char *exists = house_cli("EXISTS", mailbox, NULL);
    assert_int_equal(exists[0], '0');
    free(exists);
}

/* What the first leg is told to do when it is taken again. */
static enum request_begin begin_first_again(char *hash, int run)
{
    struct job job = { .id = hash, .request_hash = hash, .run = run, .deaths = 1 };
    enum request_begin what;
    enum request_status status;
    struct str slug = STR_INIT, body = STR_INIT;
    if (request_begin(house_app(), &job, &what, &status, &slug, &body, NULL, &err) < 0)
        fail_msg("%s", err.text);
    str_free(&slug);
    str_free(&body);
    return what;
}

static void an_answer_that_comes_after_the_code_does_not_throw_it_away(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    struct str body = STR_INIT;
    assert_int_equal(otp_require(house_app(), service(), h, 1, &(struct otp_ask){ .message = "reported" }, &err), 1);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("12345"), &err), 1);
    /* the visitor was faster than the bot's answer SMS_SENT */
    assert_int_equal(otp_require(house_app(), service(), h, 1, &(struct otp_ask){ .handle = SPAN("\"h\"") }, &err), 1);
    assert_int_equal(house_read(h).status, REQUEST_OTP_VERIFYING);
    assert_int_equal(begin_leg(hash, 1, 2, &body), BEGIN_CALL);
    assert_non_null(strstr(body.s, "\"otp\":\"12345\""));
    assert_non_null(strstr(body.s, "\"otpData\":{\"hash\":\"h\""));
    str_free(&body);
}

static void a_code_that_nobody_took_is_not_given_to_the_leg_of_the_next(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = entered("k", hash);
    struct str body = STR_INIT;
    /* a bot that held out for the code gave up just before it came */
    assert_int_equal(otp_expired(house_app(), service(), h, 1, NULL, &err), 1);
    clock_test_offset(61000);
    assert_int_equal(otp_resend(house_app(), service(), h, &err), 1);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("67890"), &err), 1);
    assert_int_equal(begin_leg(hash, 2, 2, &body), BEGIN_CALL);
    assert_non_null(strstr(body.s, "\"otp\":\"67890\""));
    str_free(&body);
}

static void a_leg_that_comes_back_late_leaves_the_next_code_alone(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = entered("k", hash);
    struct str body = STR_INIT;
    assert_int_equal(begin_leg(hash, 1, 2, &body), BEGIN_CALL);
    assert_int_equal(otp_wrong(house_app(), service(), h, 2, NULL, &err), 1);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("67890"), &err), 1);
    assert_int_equal(begin_leg(hash, 1, 3, &body), BEGIN_NOTHING); /* its worker had died before it could end it */
    assert_int_equal(house_read(h).status, REQUEST_OTP_VERIFYING);
    assert_int_equal(begin_leg(hash, 2, 3, &body), BEGIN_CALL);
    assert_non_null(strstr(body.s, "\"otp\":\"67890\""));
    str_free(&body);
}

static void a_first_leg_that_comes_back_late_does_not_start_the_work_anew(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = entered("k", hash);
    struct str body = STR_INIT;
    assert_int_equal(begin_leg(hash, 1, 2, &body), BEGIN_CALL);
    assert_int_equal(request_progress(house_app(), h, 2, 85, NULL, "judging", &err), 1);
    assert_int_equal(begin_first_again(hash, 2), BEGIN_NOTHING);
    assert_int_equal(raw_int(house_read(h).doc.field[DOC_PROGRESS], 0), 85);
    str_free(&body);
}

static void when_redis_is_full_a_code_is_taken_all_the_same(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    struct str body = STR_INIT;
    char *before = house_cli("ZSCORE", "peygir:requests:watch", hash, NULL);
    free(house_cli("CONFIG", "SET", "maxmemory", "1", NULL));
    int submitted = otp_submit(house_app(), service(), h, SPAN("12345"), &err);
    enum request_begin what = begin_leg(hash, 1, 2, &body);
    int wrong = otp_wrong(house_app(), service(), h, 2, NULL, &err), resent;
    clock_test_offset(61000);
    resent = otp_resend(house_app(), service(), h, &err);
    free(house_cli("CONFIG", "SET", "maxmemory", "0", NULL));
    char *after = house_cli("ZSCORE", "peygir:requests:watch", hash, NULL);
    assert_int_equal(submitted, 1);
    assert_int_equal(what, BEGIN_CALL);
    assert_int_equal(wrong, 1);
    assert_int_equal(resent, 1);
    assert_string_not_equal(before, after);
    free(before);
    free(after);
    str_free(&body);
}

/* The same submission again, after the request expired: its jobs are still remembered. */
static void a_leg_of_an_earlier_life_of_the_request_is_not_in_the_way(void **state)
{
    (void)state;
    char hash[HASH_SIZE], data[128];
    struct span h = asked("k", hash);
    snprintf(data, sizeof data, "peygir:task:data:%s.1", hash);
    free(house_cli("HSET", data, "status", "completed", "run", "7", NULL));
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("12345"), &err), 1);
    char *status = house_cli("HGET", data, "status", NULL), *first = house_cli("LINDEX", "peygir:task:queue", "0", NULL);
    assert_memory_equal(status, "pending", 7);
    assert_memory_equal(first + HASH_LEN, ".1", 2);
    free(status);
    free(first);
}

static void an_end_takes_the_request_from_the_watch(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    assert_int_equal(request_cancel(house_app(), h, &err), 1);
    house_read(h); /* what was posted goes out with the next exchange */
    char *count = house_cli("ZCARD", "peygir:requests:watch", NULL);
    assert_int_equal(count[0], '0');
    free(count);
}

static void the_answer_to_a_resend_takes_the_place_of_the_old_code(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = asked("k", hash);
    clock_test_offset(61000);
    assert_int_equal(otp_resend(house_app(), service(), h, &err), 1);
    struct otp_ask answer = { .handle = SPAN("\"second-handle\""), .expiry_s = 300, .length = 6, .message = "another one" };
    assert_int_equal(otp_resent(house_app(), service(), h, &answer, &err), 1);
    struct request rq = house_read(h);
    assert_true(span_is(document_otp(&rq.doc, "hash"), "\"second-handle\""));
    assert_true(span_is(rq.doc.field[DOC_MESSAGE], "\"another one\""));
    assert_in_range(look(h).expires_in_s, 298, 300);
    assert_int_equal(look(h).length, 6);
}

static void a_repeated_word_about_an_older_code_does_not_count_for_the_newer(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = entered("k", hash);
    struct str body = STR_INIT;
    assert_int_equal(begin_leg(hash, 1, 2, &body), BEGIN_CALL);
    assert_int_equal(otp_wrong(house_app(), service(), h, 2, NULL, &err), 1);
    assert_int_equal(otp_submit(house_app(), service(), h, SPAN("22222"), &err), 1);
    assert_int_equal(otp_wrong(house_app(), service(), h, 2, NULL, &err), 0);
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_OTP_VERIFYING);
    assert_int_equal(rq.guard.tries, 1);
    str_free(&body);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, house_fresh)
    const struct CMUnitTest tests[] = {
        TEST(a_bot_that_needs_a_code_stops_at_otp_required),
        TEST(no_second_is_shown_more_than_there_is_where_clocks_differ),
        TEST(the_later_word_fills_gaps_only),
        TEST(a_code_goes_to_the_mailbox_and_nowhere_else),
        TEST(persian_digits_and_spaces_between_are_understood),
        TEST(a_code_of_the_wrong_form_is_refused),
        TEST(a_code_is_only_taken_while_one_is_awaited),
        TEST(an_expired_code_is_refused),
        TEST(the_second_leg_gets_the_code_once),
        TEST(a_leg_that_died_with_the_code_is_never_called_again),
        TEST(no_leg_is_pushed_while_a_job_of_the_request_is_active),
        TEST(wrong_codes_are_counted_until_none_is_left),
        TEST(a_code_that_the_bot_calls_expired_uses_no_try),
        TEST(another_code_comes_after_the_cool_down_and_three_times_at_most),
        TEST(a_resend_calls_the_bot_where_the_service_says_so),
        TEST(a_code_that_nobody_renews_fails_the_request_after_a_minute),
        TEST(hosts_whose_clocks_are_wrong_agree_about_a_code),
        TEST(hosts_whose_clocks_are_wrong_end_a_code_at_the_same_time),
        TEST(a_code_that_no_leg_took_in_time_is_asked_for_again),
        TEST(an_ended_request_keeps_no_code),
        TEST(an_answer_that_comes_after_the_code_does_not_throw_it_away),
        TEST(a_code_that_nobody_took_is_not_given_to_the_leg_of_the_next),
        TEST(a_leg_that_comes_back_late_leaves_the_next_code_alone),
        TEST(a_first_leg_that_comes_back_late_does_not_start_the_work_anew),
        TEST(when_redis_is_full_a_code_is_taken_all_the_same),
        TEST(a_leg_of_an_earlier_life_of_the_request_is_not_in_the_way),
        TEST(an_end_takes_the_request_from_the_watch),
        TEST(the_answer_to_a_resend_takes_the_place_of_the_old_code),
        TEST(a_repeated_word_about_an_older_code_does_not_count_for_the_newer),
    };
    return cmocka_run_group_tests_name("otp", tests, house_setup, house_teardown);
}
