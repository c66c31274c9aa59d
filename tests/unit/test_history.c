/* test_history.c: what a request was, revision by revision */
#include "tests/unit/unit.h"

#include "core/history.h"
#include "core/otp.h"
#include "core/view.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

static struct err err;

/* What was told, as "revision status progress expires,attempts_left,length" lines. */
struct told {
    struct str text;
};

static void note(void *ctx, const struct request *then)
{
    struct told *told = ctx;
    struct str view = STR_INIT;
    view_add(&view, then, house_service("credit-score-rating"), NULL);
    struct span text = { view.s, view.len }, otp = raw_get(text, "otp");
    str_add_span(&told->text, raw_get(text, "revision"));
    str_addf(&told->text, " %s ", request_status_name(then->status));
    str_add_span(&told->text, raw_get(text, "progress"));
    if (otp.s[0] == '{') {
        str_adds(&told->text, " left ");
        str_add_span(&told->text, raw_get(otp, "attempts_left"));
        str_adds(&told->text, " of length ");
        str_add_span(&told->text, raw_get(otp, "length"));
    }
    str_addc(&told->text, '\n');
    assert_int_equal(then->guard.revision, raw_int(raw_get(text, "revision"), -1));
    str_free(&view);
}

/* History and request read together, as push does. */
static int tell(struct span hash, int newest, int64_t after, struct told *told)
{
    struct app *app = house_app();
    const struct reply *replies;
    struct request rq;
    size_t count;
    bool foreign;
    request_queue(app, hash);
    history_queue(app, hash, newest);
    assert_int_equal(redis_exchange(app->redis, &replies, &count, &err), 0);
    assert_int_equal(request_take(app, hash, replies, &rq, &foreign, &err), 1);
    str_reset(&told->text);
    return history_since(replies + REQUEST_REPLIES, &rq, after, note, told);
}

static void make_five_revisions(struct span hash)
{
    const struct service *service = house_service("credit-score-rating");
    assert_int_equal(request_progress(house_app(), hash, 1, 50, NULL, NULL, &err), 1);
    assert_int_equal(otp_require(house_app(), service, hash, 1, &(struct otp_ask){ .length = 6 }, &err), 1);
    assert_int_equal(request_fail(house_app(), hash, 1, &(struct request_error){ "x", "errors.interrupted", false }, &err), 1);
}

static void each_revision_after_the_one_that_is_known_is_told_as_it_was(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct told told = { STR_INIT };
    struct span h = house_processing("k", hash);
    make_five_revisions(h);
    assert_int_equal(tell(h, HISTORY_KEPT, 0, &told), 5);
    assert_string_equal(told.text.s, "1 pending 0\n2 processing 0\n3 processing 50\n4 otp_required 50 left 3 of length 6\n5 failed 50\n");
    assert_int_equal(tell(h, HISTORY_KEPT, 3, &told), 2);
    assert_string_equal(told.text.s, "4 otp_required 50 left 3 of length 6\n5 failed 50\n");
    assert_int_equal(tell(h, HISTORY_KEPT, 5, &told), 0);
    str_free(&told.text);
}

static void what_is_not_among_the_entries_is_not_told_by_halves(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct told told = { STR_INIT };
    struct span h = house_processing("k", hash);
    make_five_revisions(h);
    assert_int_equal(tell(h, 2, 1, &told), -1);
    assert_string_equal(told.text.s, "");
    assert_int_equal(tell(h, 2, 3, &told), 2);
    assert_int_equal(tell(h, HISTORY_KEPT, 6, &told), -1);
    str_free(&told.text);
}

static void count(void *ctx, const struct request *then)
{
    (void)then;
    ++*(int *)ctx;
}

static void what_has_changed_since_the_request_was_read_is_told_the_next_time(void **state)
{
    (void)state;
    char hash[HASH_SIZE];
    struct app *app = house_app();
    const struct reply *replies;
    struct request rq;
    size_t replied;
    bool foreign;
    int told = 0;
    struct span h = house_processing("k", hash);
    make_five_revisions(h);
    request_queue(app, h);
    history_queue(app, h, HISTORY_KEPT);
    assert_int_equal(redis_exchange(app->redis, &replies, &replied, &err), 0);
    assert_int_equal(request_take(app, h, replies, &rq, &foreign, &err), 1);
    rq.guard.revision = 4; /* the fifth came between the two readings */
    assert_int_equal(history_since(replies + REQUEST_REPLIES, &rq, 2, count, &told), 2);
    assert_int_equal(told, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_revision_after_the_one_that_is_known_is_told_as_it_was, house_fresh),
        cmocka_unit_test_setup(what_is_not_among_the_entries_is_not_told_by_halves, house_fresh),
        cmocka_unit_test_setup(what_has_changed_since_the_request_was_read_is_told_the_next_time, house_fresh),
    };
    return cmocka_run_group_tests(tests, house_setup, house_teardown);
}
