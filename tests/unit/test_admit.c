/* test_admit.c: who may look at what */
#include "tests/unit/unit.h"

#include "core/keys.h"
#include "core/secret.h"
#include "push/admit.h"
#include "tests/unit/house.h"
#include "tests/unit/server.h"

static struct err err;

/* A stored session of the owner of the requests that the house makes, or of somebody else. */
static struct session stored(bool owner)
{
    char cookie[SESSION_COOKIE_MAX];
    struct app *app = house_app();
    const struct reply *replies;
    struct session s;
    size_t count;
    session_fresh(app, &s, cookie);
    if (owner)
        memcpy(s.owner, HOUSE_OWNER.s, SESSION_OWNER_LEN);
    session_store_queue(app, &s, &(struct session_about){ "127.0.0.1", "test" });
    assert_int_equal(redis_exchange(app->session_redis, &replies, &count, &err), 0);
    return s;
}

static struct admit asked(struct span hash, const char *cookie, int64_t after)
{
    struct admit a = { .views = { .after = after, .languages = 1, .place = true } };
    memcpy(a.views.hash, hash.s, HASH_LEN);
    a.views.language[0] = locales_default(house_app()->house->locales);
    a.cookie = cookie ? xstrdup(cookie) : NULL;
    admit_enter(house_app(), &a);
    return a;
}

static struct admitted admitted_as(const struct session *s, struct span hash)
{
    struct admitted a = { .ended = true };
    memcpy(a.token, s->token, sizeof a.token);
    memcpy(a.hash, hash.s, HASH_LEN);
    return a;
}

static void the_owner_is_admitted_and_is_told_the_present_state(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    struct session s = stored(true);
    struct admit a = asked(h, s.token, VIEWS_PRESENT);
    (void)state;
    assert_true(a.may);
    assert_string_equal(a.token, s.token);
    assert_int_equal(a.views.count, 1);
    assert_int_equal(a.views.event[0]->revision, 2);
    assert_int_equal(a.views.revision, 2);
    admit_clear(&a);
    a = asked(h, s.token, 0);
    assert_int_equal(a.views.count, 2);
    assert_int_equal(a.views.event[0]->revision, 1);
    admit_clear(&a);
    a = asked(h, s.token, 2);
    assert_true(a.may);
    assert_int_equal(a.views.count, 0);
    admit_clear(&a);
}

static void nobody_else_is_told_anything(void **state)
{
    char hash[HASH_SIZE], cookie[SESSION_COOKIE_MAX];
    struct span h = house_processing("k", hash);
    struct session other = stored(false), fresh;
    (void)state;
    session_fresh(house_app(), &fresh, cookie);
    const char *const cookies[] = { other.token, cookie, NULL, "", "0000000000000000000000000000000000000000000000000000000000000000" };
    for (size_t i = 0; i < ARRAY_LEN(cookies); i++) {
        struct admit a = asked(h, cookies[i], VIEWS_PRESENT);
        assert_false(a.may);
        assert_false(a.too_often);
        assert_true(a.views.found >= 0);
        assert_int_equal(a.views.count, 0);
        admit_clear(&a);
    }
}

static void what_a_bot_wrote_past_the_guard_is_recorded_first(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    struct session s = stored(true);
    struct request rq = house_read(h);
    struct str text = STR_INIT;
    const struct raw_member changed = { "progress", SPAN("44") };
    (void)state;
    raw_set(&text, rq.doc.text, &changed, 1);
    free(house_cli("SET", key_document(h).s, text.s, "KEEPTTL", NULL));
    struct admit a = asked(h, s.token, 2);
    assert_true(a.may);
    assert_int_equal(a.views.count, 1);
    assert_int_equal(a.views.event[0]->revision, 3);
    assert_non_null(memmem(a.views.event[0]->text, a.views.event[0]->len, "\"progress\":44", 13));
    admit_clear(&a);
    str_free(&text);
}

static void more_than_sixty_a_minute_is_too_often(void **state)
{
    char hash[HASH_SIZE];
    struct span h = house_processing("k", hash);
    struct session s = stored(true);
    (void)state;
    for (int i = 0; i <= limits[LIMIT_STREAM].burst; i++) {
        struct admit a = asked(h, s.token, VIEWS_PRESENT);
        assert_int_equal(a.may, i < limits[LIMIT_STREAM].burst);
        assert_int_equal(a.too_often, !a.may);
        admit_clear(&a);
    }
}

static void a_look_in_a_row_finds_each_whose_session_or_request_is_gone(void **state)
{
    char hash[HASH_SIZE], gone_hash[HASH_SIZE], broken_hash[HASH_SIZE];
    struct span h = house_processing("k", hash), gone = house_processing("l", gone_hash), broken = house_processing("m", broken_hash);
    struct session mine = stored(true), revoked = stored(true), other = stored(false);
    struct admitted list[] = { admitted_as(&mine, h), admitted_as(&revoked, h), admitted_as(&other, h), admitted_as(&mine, gone),
                               admitted_as(&mine, broken), admitted_as(&mine, h) };
    const bool ended[] = { false, true, true, true, false, false };
    (void)state;
    assert_int_equal(session_revoke(house_app(), span_of(revoked.token), &err), 1);
    free(house_cli("DEL", key_document(gone).s, NULL));
    free(house_cli("SET", key_document(broken).s, "broken", NULL)); /* nobody knows */
    assert_int_equal(admit_again(house_app(), list, ARRAY_LEN(list), &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        assert_int_equal(list[i].ended, ended[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_owner_is_admitted_and_is_told_the_present_state, house_fresh),
        cmocka_unit_test_setup(nobody_else_is_told_anything, house_fresh),
        cmocka_unit_test_setup(what_a_bot_wrote_past_the_guard_is_recorded_first, house_fresh),
        cmocka_unit_test_setup(more_than_sixty_a_minute_is_too_often, house_fresh),
        cmocka_unit_test_setup(a_look_in_a_row_finds_each_whose_session_or_request_is_gone, house_fresh),
    };
    return cmocka_run_group_tests(tests, house_setup, house_teardown);
}
