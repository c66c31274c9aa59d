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

static struct admit entered(struct asker asker, struct admit a)
{
    a.asker = &asker;
    a.views.languages = 1;
    a.views.place = true;
    a.views.language[0] = locales_default(house_app()->house->locales);
    admit_enter(house_app(), &a);
    a.asker = NULL;
    return a;
}

static struct admit asked(struct span hash, const char *cookie, int64_t after)
{
    struct admit a = { .views = { .after = after } };
    memcpy(a.views.hash, hash.s, HASH_LEN);
    return entered((struct asker){ .cookie = (char *)cookie }, a);
}

static struct admit asked_by_program(struct span hash, const char *token)
{
    struct admit a = { .views = { .after = VIEWS_PRESENT } };
    memcpy(a.views.hash, hash.s, HASH_LEN);
    return entered((struct asker){ .bearer = (char *)token, .cookie = (char *)"not looked at" }, a);
}

static struct admit asked_for_task(const char *id, const char *cookie)
{
    struct admit a = { .what = ADMIT_TASK };
    snprintf(a.task, sizeof a.task, "%s", id);
    return entered((struct asker){ .cookie = (char *)cookie }, a);
}

static struct admit asked_for_notifications(const char *cookie)
{
    return entered((struct asker){ .cookie = (char *)cookie }, (struct admit){ .what = ADMIT_NOTIFICATIONS });
}

static void signed_in(const char *user, char token[SESSION_TOKEN_LEN + 1])
{
    char ticket[SESSION_TICKET_LEN + 1];
    assert_int_equal(session_create(house_app(), &(struct session_new){ .user_id = span_of(user) }, token, ticket, &err), 0);
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
    assert_int_equal(a.answer, ADMIT_YES);
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
    assert_int_equal(a.answer, ADMIT_YES);
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
        assert_int_equal(a.answer, ADMIT_NOT_FOUND);
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
    assert_int_equal(a.answer, ADMIT_YES);
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
        assert_int_equal(a.answer, i < limits[LIMIT_STREAM].burst ? ADMIT_YES : ADMIT_TOO_OFTEN);
        admit_clear(&a);
    }
}

static void an_api_client_sees_what_its_token_made_and_nothing_else(void **state)
{
    char hash[HASH_SIZE], foreign_hash[HASH_SIZE], token[TOKEN_LEN + 1], other[TOKEN_LEN + 1], bot[TOKEN_LEN + 1], owner[TOKEN_OWNER_LEN + 1];
    struct span h = house_processing("k", hash), foreign = house_processing("l", foreign_hash);
    (void)state;
    assert_int_equal(token_create(house_app(), &(struct token_new){ .role = TOKEN_API, .name = "one" }, token, &err), 0);
    assert_int_equal(token_create(house_app(), &(struct token_new){ .role = TOKEN_API, .name = "other" }, other, &err), 0);
    assert_int_equal(token_create(house_app(), &(struct token_new){ .role = TOKEN_BOT, .name = "bot" }, bot, &err), 0);
    token_owner(span_of(token), owner);
    free(house_cli("HSET", key_guard(h).s, "owner", owner, NULL));
    const struct {
        struct span hash;
        const char *token;
        enum admit_answer answer;
    } rows[] = { { h, token, ADMIT_YES },          { h, other, ADMIT_NOT_FOUND },  { foreign, token, ADMIT_NOT_FOUND },
                 { h, bot, ADMIT_WRONG_ROLE },     { h, "pgt_", ADMIT_NO_TOKEN } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct admit a = asked_by_program(rows[i].hash, rows[i].token);
        assert_int_equal(a.answer, rows[i].answer);
        assert_int_equal(a.views.count, rows[i].answer == ADMIT_YES);
        admit_clear(&a);
    }
    struct admitted list[] = { { .ended = true }, { .ended = true } };
    memcpy(list[0].token, token, sizeof token);
    memcpy(list[0].hash, hash, sizeof hash);
    list[1] = list[0];
    memcpy(list[1].token, other, sizeof other);
    assert_int_equal(admit_again(house_app(), list, 2, &err), 0);
    assert_false(list[0].ended);
    assert_true(list[1].ended);
    assert_int_equal(token_revoke(house_app(), "one", &err), 1);
    assert_int_equal(admit_again(house_app(), list, 1, &err), 0);
    assert_true(list[0].ended);
}

static void a_task_is_for_its_user_and_for_whoever_made_its_request(void **state)
{
    char hash[HASH_SIZE], leg[HASH_SIZE + 8], sara[SESSION_TOKEN_LEN + 1], ali[SESSION_TOKEN_LEN + 1];
    struct session mine = stored(true), other = stored(false);
    house_processing("k", hash);
    (void)state;
    signed_in("sara", sara);
    signed_in("ali", ali);
    snprintf(leg, sizeof leg, "%s.1", hash);
    free(house_cli("HSET", "peygir:task:data:job-1", "status", "pending", "user_id", "sara", NULL));
    free(house_cli("HSET", "peygir:task:data:job-2", "status", "pending", "request_hash", hash, NULL));
    free(house_cli("HSET", "peygir:task:data:job-3", "status", "pending", NULL));
    const struct {
        const char *id, *cookie;
        enum admit_answer answer;
    } rows[] = { { "job-1", sara, ADMIT_YES },       { "job-1", ali, ADMIT_NOT_FOUND },         { "job-1", mine.token, ADMIT_NOT_FOUND },
                 { "job-2", mine.token, ADMIT_YES }, { "job-2", other.token, ADMIT_NOT_FOUND }, { "job-3", sara, ADMIT_NOT_FOUND },
                 { hash, mine.token, ADMIT_YES },    { leg, mine.token, ADMIT_YES },            { leg, sara, ADMIT_NOT_FOUND },
                 { "job-4", sara, ADMIT_NOT_FOUND }, { "job-1", NULL, ADMIT_NOT_FOUND } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(asked_for_task(rows[i].id, rows[i].cookie).answer, rows[i].answer);
    assert_string_equal(asked_for_task(leg, mine.token).hash, hash);
    assert_string_equal(asked_for_task("job-1", sara).hash, "");
}

static void notifications_are_for_whoever_has_signed_in(void **state)
{
    char sara[SESSION_TOKEN_LEN + 1];
    struct session visitor = stored(true);
    (void)state;
    signed_in("sara", sara);
    struct admit a = asked_for_notifications(sara);
    assert_int_equal(a.answer, ADMIT_YES);
    assert_string_equal(a.user_id, "sara");
    assert_int_equal(asked_for_notifications(visitor.token).answer, ADMIT_SIGN_IN);
    assert_int_equal(asked_for_notifications(NULL).answer, ADMIT_SIGN_IN);
    struct admitted list[] = { { .ended = true } };
    memcpy(list[0].token, sara, sizeof sara);
    assert_int_equal(admit_again(house_app(), list, 1, &err), 0);
    assert_false(list[0].ended);
    assert_int_equal(session_revoke(house_app(), span_of(sara), &err), 1);
    assert_int_equal(admit_again(house_app(), list, 1, &err), 0);
    assert_true(list[0].ended);
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
        cmocka_unit_test_setup(an_api_client_sees_what_its_token_made_and_nothing_else, house_fresh),
        cmocka_unit_test_setup(a_task_is_for_its_user_and_for_whoever_made_its_request, house_fresh),
        cmocka_unit_test_setup(notifications_are_for_whoever_has_signed_in, house_fresh),
        cmocka_unit_test_setup(a_look_in_a_row_finds_each_whose_session_or_request_is_gone, house_fresh),
    };
    return cmocka_run_group_tests(tests, house_setup, house_teardown);
}
