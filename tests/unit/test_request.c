/* test_request.c: requests in Redis, as section 4.1 of the contract promises */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "core/change.h"
#include "core/otp.h"
#include "core/view.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

#include <pthread.h>

#define NOBODY ((struct span){ NULL, 0 })

static struct err err;

static void expect_field(struct span hash, enum document_field field, const char *json)
{
    char *value = house_field(hash, field);
    assert_string_equal(value, json);
    free(value);
}

static void expect_cli(const char *answer, char *got)
{
    got[strcspn(got, "\n")] = '\0';
    assert_string_equal(got, answer);
    free(got);
}

/* --- the states --- */

static void only_the_drawn_ways_lead_from_state_to_state(void **state)
{
    (void)state;
    assert_true(request_may(REQUEST_PENDING, REQUEST_PROCESSING));
    assert_false(request_may(REQUEST_PENDING, REQUEST_OTP_REQUIRED));
    assert_true(request_may(REQUEST_OTP_VERIFYING, REQUEST_OTP_REQUIRED));
    assert_false(request_may(REQUEST_OTP_REQUIRED, REQUEST_PROCESSING));
    for (int from = 0; from < REQUEST_STATUSES; from++)
        for (int to = 0; to < REQUEST_STATUSES; to++)
            if (request_is_final((enum request_status)from))
                assert_int_equal(request_may((enum request_status)from, (enum request_status)to), from == to);
            else if (request_is_final((enum request_status)to))
                assert_true(request_may((enum request_status)from, (enum request_status)to));
}

/* --- making --- */

static void a_new_request_is_pending_and_its_job_waits(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_request("k1", hash);
    assert_true(keys_is_hash(h));
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_PENDING);
    assert_int_equal(rq.guard.revision, 1);
    assert_true(request_belongs(&rq, HOUSE_OWNER, (struct span){ NULL, 0 }));
    assert_false(request_belongs(&rq, SPAN("somebody"), (struct span){ NULL, 0 }));
    expect_cli(hash, house_cli("LRANGE", "peygir:task:queue", "0", "-1", NULL));
    expect_cli(hash, house_cli("LRANGE", "local_requests_list", "0", "-1", NULL));
}

static void a_writer_elsewhere_finds_what_the_service_says(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct service other = *house_service("credit-score-rating");
    const struct request_new n = { .service = &other, .data = SPAN("{}"), .owner = HOUSE_OWNER, .locale = "fa", .key = SPAN("k2") };
    house_request("k1", hash);
    expect_cli("0", house_cli("HEXISTS", key_guard(span_of(hash)).s, "terms", NULL)); /* what most say is not stored */
    other.code.length = 6;
    other.seal = SERVICE_SEAL_STRICT;
    assert_int_equal(request_create(house_app(), &n, hash, &err), 1);
    expect_cli("6 120 3 5 60 3 1 completed", house_cli("HGET", key_guard(span_of(hash)).s, "terms", NULL));
}

static void a_waiting_request_knows_its_place(void **state)
{
    (void)state;
    char first[HASH_SIZE], second[HASH_SIZE];
    house_request("k1", first);
    struct span h = house_request("k2", second);
    const struct reply *replies;
    size_t count;
    struct request rq = house_read(h);
    assert_int_equal(rq.ahead, -1);
    request_queue_place(house_app(), h);
    assert_int_equal(redis_exchange(house_app()->redis, &replies, &count, &err), 0);
    request_take_place(replies, &rq);
    assert_int_equal(rq.ahead, 1);
    assert_false(rq.beyond);
}

/* Of what Redis says: `others` wait in the list behind which the request came, `urgent` jobs go before them all. */
static struct request place_behind(int others, int urgent)
{
    char hash[HASH_SIZE], count[NUMBER_SIZE], at[NUMBER_SIZE];
    const struct reply *replies;
    size_t n;
    static const char fill[] = "for i = 1, ARGV[1] do redis.call('LPUSH', KEYS[1], i) end "
                               "for i = 1, ARGV[2] do redis.call('ZADD', KEYS[2], 6, 'urgent' .. i) end";
    snprintf(count, sizeof count, "%d", others);
    snprintf(at, sizeof at, "%d", urgent);
    free(house_cli("DEL", "peygir:task:queue", "peygir:task:priority", NULL));
    free(house_cli("ZADD", "peygir:task:priority", "5", "patient", NULL));
    free(house_cli("EVAL", fill, "2", "peygir:task:queue", "peygir:task:priority", count, at, NULL));
    snprintf(count, sizeof count, "k%d.%d", others, urgent);
    struct span h = house_request(count, hash);
    request_queue_place(house_app(), h);
    assert_int_equal(redis_exchange(house_app()->redis, &replies, &n, &err), 0);
    struct request place = { .ahead = -1 };
    request_take_place(replies, &place);
    struct request rq = house_read(h);
    rq.ahead = place.ahead;
    rq.beyond = place.beyond;
    return rq;
}

static void expect_view(const struct request *rq, const char *text)
{
    struct str view = STR_INIT;
    view_add(&view, rq, house_service("credit-score-rating"), NULL);
    if (!strstr(view.s, text))
        fail_msg("no %s in %s", text, view.s);
    str_free(&view);
}

static void a_place_is_exact_to_one_thousand_and_beyond_it_is_told_in_words(void **state)
{
    (void)state;
    struct request rq = place_behind(999, 0);
    assert_false(rq.beyond);
    expect_view(&rq, "\"queue_position\":1000,");
    expect_view(&rq, "\"current_message\":\"messages.queued\"");
    rq = place_behind(1000, 0);
    assert_true(rq.beyond);
    expect_view(&rq, "\"queue_position\":null,");
    expect_view(&rq, "\"current_message\":\"messages.beyond_thousand\"");
}

static void jobs_that_go_before_the_list_count_for_the_place(void **state)
{
    (void)state;
    struct request rq = place_behind(3, 2);
    assert_int_equal(rq.ahead, 5);
    rq = place_behind(997, 2);
    expect_view(&rq, "\"queue_position\":1000,");
    rq = place_behind(998, 2);
    assert_true(rq.beyond);
    expect_view(&rq, "\"queue_position\":null,");
}

static void a_paused_queue_is_seen_with_the_place_in_one_round_trip(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_request("k", hash);
    const struct reply *replies;
    size_t count;
    struct request rq = house_read(h);
    uint64_t before = redis_round_trips(house_app()->redis);
    free(house_cli("SET", "peygir:task:paused", "{\"reason\":\"r\"}", NULL));
    request_queue_place(house_app(), h);
    assert_int_equal(redis_exchange(house_app()->redis, &replies, &count, &err), 0);
    assert_int_equal(count, PLACE_REPLIES);
    request_take_place(replies, &rq);
    assert_true(span_is(rq.paused, "{\"reason\":\"r\"}"));
    assert_int_equal(redis_round_trips(house_app()->redis), before + 1);
    free(house_cli("DEL", "peygir:task:paused", NULL));
    request_queue_place(house_app(), h);
    assert_int_equal(redis_exchange(house_app()->redis, &replies, &count, &err), 0);
    request_take_place(replies, &rq);
    assert_null(rq.paused.s);
}

static void a_submission_that_comes_again_is_listed_once_also_when_the_lists_were_lost(void **state)
{
    (void)state;
    char hash[HASH_SIZE], own[64];
    struct request_new n = { .service = house_service("document-ocr"), .data = SPAN("{\"file_id\":\"a\"}"), .owner = HOUSE_OWNER,
                             .locale = "en", .key = SPAN("key") };
    snprintf(own, sizeof own, "peygir:owner:%.*s", (int)HOUSE_OWNER.len, HOUSE_OWNER.s);
    const char *const lists[] = { KEY_REQUEST_LIST, own };
    assert_int_equal(request_create(house_app(), &n, hash, &err), 1);
    assert_int_equal(request_create(house_app(), &n, hash, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        expect_cli(hash, house_cli("LRANGE", lists[i], "0", "-1", NULL));
        free(house_cli("DEL", lists[i], NULL));
    }
    assert_int_equal(request_create(house_app(), &n, hash, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        char *ttl = house_cli("TTL", lists[i], NULL);
        expect_cli(hash, house_cli("LRANGE", lists[i], "0", "-1", NULL));
        assert_true(strtol(ttl, NULL, 10) > 0);
        free(ttl);
    }
}

static void the_same_submission_makes_the_same_request(void **state)
{
    (void)state;
    char first[HASH_SIZE], second[HASH_SIZE];
    struct request_new n = { .service = house_service("document-ocr"), .data = SPAN("{\"file_id\":\"a\"}"), .owner = HOUSE_OWNER,
                             .locale = "en", .key = SPAN("key") };
    assert_int_equal(request_create(house_app(), &n, first, &err), 1);
    assert_int_equal(request_create(house_app(), &n, second, &err), 0);
    assert_string_equal(first, second);
    n.data = SPAN("{\"file_id\":\"b\"}");
    assert_int_equal(request_create(house_app(), &n, second, &err), 1);
    assert_string_not_equal(first, second);
    expect_cli("2", house_cli("LLEN", "peygir:task:queue", NULL));
}

static void an_exclusive_key_is_refused_for_other_values(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct request_new n = { .service = house_service("document-ocr"), .data = SPAN("{\"file_id\":\"a\"}"), .owner = HOUSE_OWNER,
                             .locale = "en", .key = SPAN("key"), .key_is_exclusive = true };
    assert_int_equal(request_create(house_app(), &n, hash, &err), 1);
    assert_int_equal(request_create(house_app(), &n, hash, &err), 0);
    n.data = SPAN("{\"file_id\":\"b\"}");
    assert_int_equal(request_create(house_app(), &n, hash, &err), -1);
    assert_int_equal(err.kind, ERR_STATE);
}

static void a_repeated_submission_pushes_a_missing_job_again(void **state)
{
    (void)state;
    char hash[HASH_SIZE], data[128];
    house_request("k1", hash);
    snprintf(data, sizeof data, "peygir:task:data:%s", hash);
    free(house_cli("DEL", "peygir:task:queue", data, NULL));
    struct request_new n = { .service = house_service("credit-score-rating"),
                             .data = SPAN("{\"mobile\":\"09120000000\",\"national_code\":\"0012345679\"}"),
                             .owner = HOUSE_OWNER, .locale = "fa", .key = SPAN("k1") };
    assert_int_equal(request_create(house_app(), &n, hash, &err), 0);
    expect_cli(hash, house_cli("LRANGE", "peygir:task:queue", "0", "-1", NULL));
}

static void a_submission_repeated_after_its_request_expired_is_carried_out_again(void **state)
{
    (void)state;
    char hash[HASH_SIZE], document[64], guard[64], data[128];
    house_request("k1", hash);
    snprintf(document, sizeof document, "local_request:%s", hash);
    snprintf(guard, sizeof guard, "{local_request:%s}:guard", hash);
    snprintf(data, sizeof data, "peygir:task:data:%s", hash);
    free(house_cli("DEL", document, guard, "peygir:task:queue", NULL));
    free(house_cli("HSET", data, "status", "completed", "run", "4", NULL));
    house_request("k1", hash);
    expect_cli(hash, house_cli("LRANGE", "peygir:task:queue", "0", "-1", NULL));
    expect_cli("4", house_cli("HGET", data, "run", NULL)); /* runs go on: an old one stays an old one */
}

static void add_hash(void *ctx, const struct request *rq)
{
    str_adds(ctx, rq->hash);
    str_addc(ctx, ' ');
}

static void an_owner_finds_the_requests_newest_first(void **state)
{
    (void)state;
    char oldest[HASH_SIZE], newest[HASH_SIZE], expected[2 * HASH_SIZE + 2];
    house_request("k1", oldest);
    house_request("k2", newest);
    snprintf(expected, sizeof expected, "%s %s ", newest, oldest);
    struct str seen = STR_INIT;
    assert_int_equal(request_each_of(house_app(), HOUSE_OWNER, NOBODY, add_hash, &seen, &err), 0);
    assert_string_equal(seen.s, expected);
    str_reset(&seen);
    assert_int_equal(request_each_of(house_app(), SPAN("ZZZZZZZZZZZZZZZZZZZZZZZZZZ"), NOBODY, add_hash, &seen, &err), 0);
    assert_int_equal(seen.len, 0);
    str_free(&seen);
}

/* --- progress --- */

static void progress_moves_the_bar_and_makes_a_revision_each(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    int64_t before = house_read(h).guard.revision;
    assert_int_equal(request_progress(house_app(), h, 1, 30, "authentication", "در حال ورود", &err), 1);
    struct request rq = house_read(h);
    assert_int_equal(rq.guard.revision, before + 1);
    assert_int_equal(rq.status, REQUEST_PROCESSING);
    expect_field(h, DOC_PROGRESS, "30");
    expect_field(h, DOC_STEP, "\"authentication\"");
    expect_field(h, DOC_MESSAGE, "\"در حال ورود\"");
}

static void progress_never_goes_back_within_a_run(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    assert_int_equal(request_progress(house_app(), h, 1, 50, NULL, NULL, &err), 1);
    assert_int_equal(request_progress(house_app(), h, 1, 20, NULL, "still there", &err), 1);
    expect_field(h, DOC_PROGRESS, "50");
    expect_field(h, DOC_MESSAGE, "\"still there\"");
}

static void the_same_progress_again_writes_nothing(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    assert_int_equal(request_progress(house_app(), h, 1, 50, "s", "m", &err), 1);
    int64_t revision = house_read(h).guard.revision;
    assert_int_equal(request_progress(house_app(), h, 1, 50, "s", "m", &err), 0);
    assert_int_equal(house_read(h).guard.revision, revision);
}

static void a_run_that_is_over_cannot_write(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    assert_int_equal(request_progress(house_app(), h, 7, 50, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_STALE);
    assert_int_equal(request_complete(house_app(), h, 7, SPAN("{}"), &err), -1);
    assert_int_equal(err.kind, ERR_STALE);
}

static void what_a_writer_does_not_set_stays_byte_for_byte(void **state)
{
    (void)state;
    char hash[HASH_SIZE], key[64];
    struct span h = house_processing("k", hash);
    snprintf(key, sizeof key, "local_request:%s", hash);
    char *doc = house_cli("GET", key, NULL);
    doc[strlen(doc) - 1] = '\0';
    doc[strlen(doc) - 1] = '\0';
    char *with = xasprintf("%s,\"x_empty\":[], \"x_big\" : 9007199254740993, \"x_f\":1.0}", doc);
    free(house_cli("SET", key, with, "KEEPTTL", NULL));
    assert_int_equal(request_progress(house_app(), h, 1, 60, NULL, NULL, &err), 1);
    struct request rq = house_read(h);
    assert_non_null(memmem(rq.doc.text.s, rq.doc.text.len, ",\"x_empty\":[], \"x_big\" : 9007199254740993, \"x_f\":1.0", 52));
    free(doc);
    free(with);
}

struct writer {
    struct app app;
    struct span hash;
    int number;
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    struct err e = ERR_INIT;
    for (int i = 0; i < 10; i++) {
        char message[32];
        snprintf(message, sizeof message, "writer %d says %d", w->number, i);
        if (request_progress(&w->app, w->hash, 0, -1, NULL, message, &e) != 1)
            return w;
    }
    return NULL;
}

static void writers_at_once_lose_nothing(void **state)
{
    (void)state;
    char hash[HASH_SIZE], events[64];
    struct span h = house_processing("k", hash);
    int64_t before = house_read(h).guard.revision;
    pthread_t thread[6];
    struct writer writer[6];
    for (int i = 0; i < 6; i++) {
        writer[i] = (struct writer){ .hash = h, .number = i };
        app_open(&writer[i].app, house_app()->house);
        assert_int_equal(pthread_create(&thread[i], NULL, write_many, &writer[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
        app_close(&writer[i].app);
    }
    assert_int_equal(house_read(h).guard.revision, before + 60);
    snprintf(events, sizeof events, "{local_request:%s}:events", hash);
    char length[16];
    snprintf(length, sizeof length, "%d", (int)before + 60);
    expect_cli(length, house_cli("LLEN", events, NULL));
}

/* --- the ends --- */

static void an_ended_request_stays_as_it_ended(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{\"score\":700,\"list\":[]}"), &err), 1);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{\"score\":1}"), &err), 0);
    assert_int_equal(request_cancel(house_app(), h, &err), -1);
    assert_int_equal(err.kind, ERR_FINAL);
    assert_int_equal(request_progress(house_app(), h, 1, 10, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_FINAL);
    expect_field(h, DOC_RESULT, "{\"score\":700,\"list\":[]}");
    expect_field(h, DOC_STATUS, "\"completed\"");
    expect_field(h, DOC_PROGRESS, "100");
}

static void a_failure_says_what_happened(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    assert_int_equal(request_fail(house_app(), h, 1, &(struct request_error){ "no_account", "حسابی نیست \"x\"", false }, &err), 1);
    expect_field(h, DOC_ERROR, "{\"code\":\"no_account\",\"message\":\"حسابی نیست \\\"x\\\"\",\"retryable\":false}");
    expect_field(h, DOC_STATUS, "\"failed\"");
}

static void cancelling_tells_a_waiting_bot(void **state)
{
    (void)state;
    char hash[HASH_SIZE], mailbox[64];
    struct span h = house_processing("k", hash);
    assert_int_equal(request_cancel(house_app(), h, &err), 1);
    snprintf(mailbox, sizeof mailbox, "{local_request:%s}:otp", hash);
    expect_cli("{\"cancelled\":true}", house_cli("LPOP", mailbox, NULL));
}

static void a_request_that_expired_is_not_found(void **state)
{
    (void)state;
    char hash[HASH_SIZE], key[64];
    struct span h = house_processing("k", hash);
    snprintf(key, sizeof key, "local_request:%s", hash);
    free(house_cli("DEL", key, NULL));
    assert_int_equal(request_progress(house_app(), h, 1, 10, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    struct request rq;
    assert_int_equal(request_read(house_app(), h, &rq, &err), 0);
}

static void history_keeps_the_newest_hundred_entries(void **state)
{
    (void)state;
    char hash[HASH_SIZE], events[64], message[16];
    struct span h = house_processing("k", hash);
    for (int i = 0; i < 110; i++) {
        snprintf(message, sizeof message, "m%d", i);
        assert_int_equal(request_progress(house_app(), h, 1, -1, NULL, message, &err), 1);
    }
    snprintf(events, sizeof events, "{local_request:%s}:events", hash);
    expect_cli("100", house_cli("LLEN", events, NULL));
}

/* --- bots that write by themselves --- */

/* GET, change, SETEX, as a bot of the seeds does it. */
static void write_as_bot(const char *hash, const char *from, const char *to)
{
    char key[64];
    snprintf(key, sizeof key, "local_request:%s", hash);
    char *doc = house_cli("GET", key, NULL);
    doc[strcspn(doc, "\n")] = '\0';
    char *place = strstr(doc, from);
    assert_non_null(place);
    char *changed = xasprintf("%.*s%s%s", (int)(place - doc), doc, to, place + strlen(from));
    free(house_cli("SETEX", key, "1800", changed, NULL));
    free(doc);
    free(changed);
}

static void what_a_bot_wrote_by_itself_is_recorded_by_who_finds_it(void **state)
{
    (void)state;
    char hash[HASH_SIZE], events[64];
    struct span h = house_processing("k", hash);
    int64_t before = house_read(h).guard.revision;
    write_as_bot(hash, "\"progress\":0", "\"progress\":44");
    struct request rq = house_read(h);
    assert_int_equal(rq.guard.revision, before + 1);
    assert_true(span_is(rq.doc.field[DOC_PROGRESS], "44"));
    snprintf(events, sizeof events, "{local_request:%s}:events", hash);
    char *entry = house_cli("LINDEX", events, "-1", NULL);
    assert_non_null(strstr(entry, ",44,"));
    free(entry);
    assert_int_equal(house_read(h).guard.revision, before + 1);
}

static void a_stale_bot_cannot_revive_an_ended_request(void **state)
{
    (void)state;
    char hash[HASH_SIZE], key[64];
    struct span h = house_processing("k", hash);
    snprintf(key, sizeof key, "local_request:%s", hash);
    char *old = house_cli("GET", key, NULL);
    old[strcspn(old, "\n")] = '\0';
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{\"score\":700}"), &err), 1);
    free(house_cli("SETEX", key, "1800", old, NULL));
    free(old);
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_COMPLETED);
    assert_true(span_is(rq.doc.field[DOC_STATUS], "\"completed\""));
    assert_true(span_is(rq.doc.field[DOC_PROGRESS], "100"));
    expect_field(h, DOC_RESULT, "{\"score\":700}");
}

static void what_a_bot_wrote_never_spoils_the_view(void **state)
{
    (void)state;
    static const char *const written[][2] = { { "\"step\":\"initializing\"", "\"step\":[1,}" },
                                              { "\"progress\":0", "\"progress\":\"ten\"" },
                                              { "\"messages.started\"", "{\"a\":1}" },
                                              { "\"error_data\":null", "\"error_data\":{\"code\":nil}" } };
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    struct str view = STR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(written); i++) {
        write_as_bot(hash, written[i][0], written[i][1]);
        struct request rq = house_read(h);
        str_reset(&view);
        view_add(&view, &rq, NULL, NULL);
        if (json_check(view.s, view.len, &err) < 0)
            fail_msg("%s: %s", written[i][1], err.text);
    }
    expect_field(h, DOC_STEP, "null");
    expect_field(h, DOC_MESSAGE, "null");
    expect_field(h, DOC_PROGRESS, "0");
    str_free(&view);
}

static void a_bot_cannot_give_a_request_to_somebody_else(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    write_as_bot(hash, "\"owner\":\"0123", "\"owner\":\"9999");
    write_as_bot(hash, "\"progress\":0", "\"progress\":5");
    struct request rq = house_read(h);
    assert_true(request_belongs(&rq, HOUSE_OWNER, (struct span){ NULL, 0 }));
    assert_true(span_is(rq.doc.field[DOC_OWNER], "\"0123456789ABCDEFGHJKMNPQRS\""));
}

static void a_bot_that_asks_for_the_code_by_itself_gets_the_gaps_filled(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    write_as_bot(hash, "\"otp_data\":null", "\"otp_data\":{\"hash\":\"h1\",\"expiry\":300,\"message\":\"sent\"}");
    write_as_bot(hash, "\"status\":\"processing\"", "\"status\":\"otp_required\"");
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_OTP_REQUIRED);
    struct otp_state otp;
    otp_look(&rq, house_service("credit-score-rating"), &otp);
    assert_in_range(otp.expires_in_s, 295, 300);
    assert_int_equal(otp.length, 5);
    assert_true(span_is(document_otp(&rq.doc, "hash"), "\"h1\""));
}

static void a_bot_may_ask_for_the_code_before_any_progress_was_seen(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_request("k", hash);
    write_as_bot(hash, "\"status\":\"pending\"", "\"status\":\"otp_required\"");
    assert_int_equal(house_read(h).status, REQUEST_OTP_REQUIRED);
}

static void a_bot_cannot_write_a_way_that_is_not_drawn(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    write_as_bot(hash, "\"status\":\"processing\"", "\"status\":\"pending\"");
    assert_int_equal(house_read(h).status, REQUEST_PROCESSING);
    expect_field(h, DOC_STATUS, "\"processing\"");
}

/* --- bad days --- */

static void when_redis_is_full_new_work_is_refused_and_running_work_goes_on(void **state)
{
    (void)state;
    char hash[HASH_SIZE], other[HASH_SIZE];
    struct span h = house_processing("k", hash);
    free(house_cli("CONFIG", "SET", "maxmemory", "1", NULL));
    struct request_new n = { .service = house_service("document-ocr"), .data = SPAN("{}"), .owner = HOUSE_OWNER, .locale = "en",
                             .key = SPAN("x") };
    assert_int_equal(request_create(house_app(), &n, other, &err), -1);
    assert_int_equal(err.kind, ERR_FULL);
    assert_int_equal(request_progress(house_app(), h, 1, 80, NULL, NULL, &err), 1);
    assert_int_equal(request_complete(house_app(), h, 1, SPAN("{}"), &err), 1);
    free(house_cli("CONFIG", "SET", "maxmemory", "0", NULL));
}

static void a_look_of_its_owner_renews_the_time_to_live(void **state)
{
    (void)state;
    char hash[HASH_SIZE], key[64], guard[64];
    struct span h = house_processing("k", hash);
    snprintf(key, sizeof key, "local_request:%s", hash);
    snprintf(guard, sizeof guard, "{local_request:%s}:guard", hash);
    free(house_cli("EXPIRE", key, "100", NULL));
    free(house_cli("EXPIRE", guard, "100", NULL));
    struct request rq = house_read(h);
    request_touch(house_app(), &rq);
    house_read(h);
    expect_cli("1800", house_cli("TTL", key, NULL));
    expect_cli("1800", house_cli("TTL", guard, NULL));
}

/* --- the worker's side --- */

static void a_recovered_job_starts_again_at_the_beginning_under_its_own_run(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    assert_int_equal(request_progress(house_app(), h, 1, 50, NULL, NULL, &err), 1);
    struct job job = { .id = hash, .request_hash = hash, .run = 2 };
    enum request_begin what;
    enum request_status status;
    struct str slug = STR_INIT, body = STR_INIT;
    assert_int_equal(request_begin(house_app(), &job, &what, &status, &slug, &body, NULL, &err), 0);
    assert_int_equal(what, BEGIN_CALL);
    assert_string_equal(slug.s, "credit-score-rating");
    assert_non_null(strstr(body.s, "\"mobile\":\"09120000000\""));
    assert_non_null(strstr(body.s, "\"requestHash\":\"req_"));
    expect_field(h, DOC_PROGRESS, "0");
    expect_field(h, DOC_MESSAGE, "\"messages.retrying\"");
    assert_int_equal(request_progress(house_app(), h, 1, 60, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_STALE);
    job.run = 1;
    assert_int_equal(request_begin(house_app(), &job, &what, &status, &slug, &body, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_STALE);
    str_free(&slug);
    str_free(&body);
}

static enum request_begin begin(const char *hash, const char *id, int64_t code, int64_t run, struct str *body)
{
    struct job job = { .id = (char *)id, .request_hash = (char *)hash, .run = run, .code = code };
    enum request_begin what = BEGIN_CALL;
    enum request_status status;
    struct str slug = STR_INIT;
    if (request_begin(house_app(), &job, &what, &status, &slug, body, NULL, &err) < 0)
        fail_msg("%s", err.text);
    str_free(&slug);
    return what;
}

static void an_ended_or_expired_request_is_not_called_for(void **state)
{
    (void)state;
    char hash[HASH_SIZE], key[64];
    struct span h = house_request("k", hash);
    struct str body = STR_INIT;
    assert_int_equal(request_cancel(house_app(), h, &err), 1);
    assert_int_equal(begin(hash, hash, 0, 1, &body), BEGIN_ENDED);
    snprintf(key, sizeof key, "local_request:%s", hash);
    free(house_cli("DEL", key, NULL));
    assert_int_equal(begin(hash, hash, 0, 1, &body), BEGIN_GONE);
    str_free(&body);
}

static void the_watch_pushes_a_missing_job(void **state)
{
    (void)state;
    char hash[HASH_SIZE], data[128];
    house_request("k", hash);
    snprintf(data, sizeof data, "peygir:task:data:%s", hash);
    free(house_cli("DEL", "peygir:task:queue", data, NULL));
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 0);
    clock_test_offset(16000);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    expect_cli(hash, house_cli("LRANGE", "peygir:task:queue", "0", "-1", NULL));
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 0);
}

/* Requests whose jobs are missing, looked at by the watch. */
static void make_jobless(char hash[][HASH_SIZE], int count)
{
    for (int i = 0; i < count; i++) {
        char key[16], data[128];
        snprintf(key, sizeof key, "k%d", i);
        house_request(key, hash[i]);
        snprintf(data, sizeof data, "peygir:task:data:%s", hash[i]);
        free(house_cli("DEL", "peygir:task:queue", data, NULL));
    }
    clock_test_offset(16000);
}

static void a_document_that_cannot_be_read_does_not_stop_the_watch(void **state)
{
    (void)state;
    char hash[3][HASH_SIZE], document[128];
    make_jobless(hash, 3);
    for (int i = 0; i < 2; i++) {
        snprintf(document, sizeof document, "local_request:%s", hash[i]);
        free(house_cli("SET", document, "no JSON", NULL));
    }
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), -1);
    assert_non_null(strstr(err.text, "not a JSON object"));
    expect_cli(hash[2], house_cli("LRANGE", "peygir:task:queue", "0", "-1", NULL));
}

static void the_watch_goes_on_when_redis_is_full(void **state)
{
    (void)state;
    char hash[2][HASH_SIZE], waiting[HASH_SIZE];
    make_jobless(hash, 2);
    clock_test_offset(0);
    struct span h = house_processing("w", waiting);
    assert_int_equal(otp_require(house_app(), house_service("credit-score-rating"), h, 1, &(struct otp_ask){ .length = 5 }, &err), 1);
    clock_test_offset(200000);
    free(house_cli("CONFIG", "SET", "maxmemory", "1", NULL));
    int first = request_watch(house_app(), house_app()->house->services, &err);
    int second = request_watch(house_app(), house_app()->house->services, &err);
    free(house_cli("CONFIG", "SET", "maxmemory", "0", NULL));
    assert_int_equal(first, 3); /* a push that is refused is no failure of the watch */
    assert_int_equal(second, 0);
    assert_int_equal(house_read(h).status, REQUEST_FAILED);
}

static void a_request_that_nobody_works_on_any_more_fails(void **state)
{
    (void)state;
    char hash[HASH_SIZE], data[128];
    struct span h = house_processing("k", hash);
    clock_test_offset(80000);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    expect_field(h, DOC_STATUS, "\"processing\"");
    snprintf(data, sizeof data, "peygir:task:data:%s", hash);
    free(house_cli("HSET", data, "status", "failed", NULL));
    clock_test_offset(160000);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    struct request rq = house_read(h);
    assert_int_equal(rq.status, REQUEST_FAILED);
    assert_non_null(memmem(rq.doc.field[DOC_ERROR].s, rq.doc.field[DOC_ERROR].len, "\"interrupted\"", 13));
}

static void a_request_whose_job_ended_before_it_was_begun_fails(void **state)
{
    (void)state;
    char hash[HASH_SIZE], data[128];
    struct span h = house_request("k", hash);
    snprintf(data, sizeof data, "peygir:task:data:%s", hash);
    free(house_cli("HSET", data, "status", "failed", NULL));
    free(house_cli("DEL", "peygir:task:queue", NULL));
    clock_test_offset(16000);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    expect_field(h, DOC_STATUS, "\"failed\"");
}

static void what_a_bot_works_on_without_a_job_is_left_to_it(void **state)
{
    (void)state;
    char hash[HASH_SIZE], data[128];
    struct span h = house_request("k", hash);
    snprintf(data, sizeof data, "peygir:task:data:%s", hash);
    free(house_cli("DEL", "peygir:task:queue", data, NULL));
    assert_int_equal(request_progress(house_app(), h, 0, 10, NULL, NULL, &err), 1);
    clock_test_offset(80000);
    assert_int_equal(request_watch(house_app(), house_app()->house->services, &err), 1);
    expect_field(h, DOC_STATUS, "\"processing\"");
}

static void what_was_written_past_the_guard_is_recorded_once_however_many_find_it(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct err why = ERR_INIT;
    struct span h = house_processing("k", hash);
    write_as_bot(hash, "\"progress\":0", "\"progress\":44");
    assert_int_equal(request_adopt(house_app(), h, &why), 0);
    assert_int_equal(request_adopt(house_app(), h, &why), 0);
    assert_int_equal(house_read(h).guard.revision, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, house_fresh)
    const struct CMUnitTest tests[] = {
        TEST(only_the_drawn_ways_lead_from_state_to_state),
        TEST(a_new_request_is_pending_and_its_job_waits),
        TEST(a_writer_elsewhere_finds_what_the_service_says),
        TEST(a_waiting_request_knows_its_place),
        TEST(a_place_is_exact_to_one_thousand_and_beyond_it_is_told_in_words),
        TEST(jobs_that_go_before_the_list_count_for_the_place),
        TEST(a_paused_queue_is_seen_with_the_place_in_one_round_trip),
        TEST(a_submission_that_comes_again_is_listed_once_also_when_the_lists_were_lost),
        TEST(the_same_submission_makes_the_same_request),
        TEST(an_exclusive_key_is_refused_for_other_values),
        TEST(a_repeated_submission_pushes_a_missing_job_again),
        TEST(a_submission_repeated_after_its_request_expired_is_carried_out_again),
        TEST(an_owner_finds_the_requests_newest_first),
        TEST(progress_moves_the_bar_and_makes_a_revision_each),
        TEST(progress_never_goes_back_within_a_run),
        TEST(the_same_progress_again_writes_nothing),
        TEST(a_run_that_is_over_cannot_write),
        TEST(what_a_writer_does_not_set_stays_byte_for_byte),
        TEST(writers_at_once_lose_nothing),
        TEST(an_ended_request_stays_as_it_ended),
        TEST(a_failure_says_what_happened),
        TEST(cancelling_tells_a_waiting_bot),
        TEST(a_request_that_expired_is_not_found),
        TEST(history_keeps_the_newest_hundred_entries),
        TEST(what_a_bot_wrote_by_itself_is_recorded_by_who_finds_it),
        TEST(a_stale_bot_cannot_revive_an_ended_request),
        TEST(what_a_bot_wrote_never_spoils_the_view),
        TEST(a_bot_cannot_give_a_request_to_somebody_else),
        TEST(a_bot_that_asks_for_the_code_by_itself_gets_the_gaps_filled),
        TEST(a_bot_may_ask_for_the_code_before_any_progress_was_seen),
        TEST(a_bot_cannot_write_a_way_that_is_not_drawn),
        TEST(when_redis_is_full_new_work_is_refused_and_running_work_goes_on),
        TEST(a_look_of_its_owner_renews_the_time_to_live),
        TEST(a_recovered_job_starts_again_at_the_beginning_under_its_own_run),
        TEST(an_ended_or_expired_request_is_not_called_for),
        TEST(the_watch_pushes_a_missing_job),
        TEST(a_document_that_cannot_be_read_does_not_stop_the_watch),
        TEST(the_watch_goes_on_when_redis_is_full),
        TEST(a_request_that_nobody_works_on_any_more_fails),
        TEST(a_request_whose_job_ended_before_it_was_begun_fails),
        TEST(what_a_bot_works_on_without_a_job_is_left_to_it),
        TEST(what_was_written_past_the_guard_is_recorded_once_however_many_find_it),
    };
    return cmocka_run_group_tests_name("request", tests, house_setup, house_teardown);
}
