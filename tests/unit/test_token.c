/* test_token.c: bearer tokens of programs. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/digest.h"
#include "core/keys.h"
#include "base/rnd.h"
#include "core/token.h"
#include "tests/unit/jobhouse.h"

static struct app app;
static struct err err;

static int open_house(void **state)
{
    (void)state;
    house_start();
    house_enter(0);
    app_open(&app, &house);
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    app_close(&app);
    house_leave();
    house_stop();
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    server_flush();
    err = (struct err)ERR_INIT;
    return 0;
}

static void make(enum token_role role, const char *name, char token[TOKEN_LEN + 1])
{
    if (token_create(&app, &(struct token_new){ .role = role, .name = name }, token, &err) < 0)
        fail_msg("token_create: %s", err.text);
}

static int check(struct span token)
{
    struct token known;

    return token_check(&app, token, &known, &err);
}

static void a_token_is_known_by_its_text_with_its_role_and_name(void **state)
{
    char bot[TOKEN_LEN + 1], site[TOKEN_LEN + 1];
    struct token known;

    (void)state;
    make(TOKEN_BOT, "ocr-bot", bot);
    make(TOKEN_SITE, "shop", site);
    assert_int_equal(token_check(&app, span_of(bot), &known, &err), 1);
    assert_int_equal(known.role, TOKEN_BOT);
    assert_string_equal(known.name, "ocr-bot");
    assert_int_equal(token_check(&app, span_of(site), &known, &err), 1);
    assert_int_equal(known.role, TOKEN_SITE);
    assert_string_equal(known.name, "shop");
}

static void a_token_is_256_random_bits_in_characters_that_need_no_escape(void **state)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char a[TOKEN_LEN + 1], b[TOKEN_LEN + 1];

    (void)state;
    make(TOKEN_API, "a", a);
    make(TOKEN_API, "b", b);
    assert_int_equal(strlen(a), TOKEN_LEN);
    assert_memory_equal(a, "pgt_", 4);
    assert_int_equal(strspn(a + 4, good), 43);
    assert_non_null(strchr("AEIMQUYcgkosw048", a[TOKEN_LEN - 1])); /* the last one carries four bits */
    assert_string_not_equal(a, b);
}

static void redis_never_holds_the_token_itself(void **state)
{
    char token[TOKEN_LEN + 1], hex[DIGEST_HEX_SIZE], *all;

    (void)state;
    make(TOKEN_BOT, "hidden", token);
    digest_sha256_hex(token, TOKEN_LEN, hex);
    assert_redis(hex, "HGET", "peygir:tokens", "hidden");
    all = REDIS_CLI("EVAL", "local t = redis.call('KEYS', '*') for _, k in ipairs(redis.call('KEYS', '*')) do "
                            "for _, v in ipairs(redis.call('HGETALL', k)) do t[#t + 1] = v end end return t", "0");
    assert_non_null(strstr(all, hex));
    assert_null(strstr(all, token));
    assert_null(strstr(all, token + 4));
    free(all);
}

static void what_is_no_token_is_told_so(void **state)
{
    static const char *const texts[] = { "", "pgt_", "pgt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "Bearer", "*" };
    char token[TOKEN_LEN + 1], wrong[TOKEN_LEN + 2], huge[5000];

    (void)state;
    make(TOKEN_BOT, "right", token);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(check(span_of(texts[i])), 0);
    snprintf(wrong, sizeof wrong, "%s ", token);
    assert_int_equal(check(span_of(wrong)), 0);
    assert_int_equal(check((struct span){ token, TOKEN_LEN - 1 }), 0);
    wrong[TOKEN_LEN] = '\0';
    wrong[10] = wrong[10] == 'A' ? 'B' : 'A';
    assert_int_equal(check(span_of(wrong)), 0);
    memset(huge, 'x', sizeof huge);
    assert_int_equal(check((struct span){ huge, sizeof huge }), 0);
    assert_int_equal(check((struct span){ NULL, 0 }), 0);
    assert_int_equal(check(span_of(token)), 1);
}

/* Zeros stand in for a text of another length: nobody can make them a token. */
static void what_stands_in_for_a_text_of_another_length_opens_nothing(void **state)
{
    static const char zeros[TOKEN_LEN];
    char hex[DIGEST_HEX_SIZE];
    struct key k;

    (void)state;
    digest_sha256_hex(zeros, TOKEN_LEN, hex);
    k = key_token(&house, span_of(hex));
    REDIS_RUN("HSET", k.s, "name", "zero", "role", "site");
    assert_int_equal(check(SPAN("short")), 0);
}

static void any_text_costs_one_round_trip(void **state)
{
    char token[TOKEN_LEN + 1];
    uint64_t before;

    (void)state;
    make(TOKEN_BOT, "once", token);
    before = redis_round_trips(app.redis);
    assert_int_equal(check(span_of(token)), 1);
    assert_int_equal(check(SPAN("none")), 0);
    assert_int_equal(check(span_of(token)), 1);
    assert_int_equal(redis_round_trips(app.redis), before + 3);
}

static void several_are_known_by_one_round_trip_and_their_use_is_noted(void **state)
{
    enum { TOKENS = 3 };
    char token[TOKENS][TOKEN_LEN + 1];
    const struct reply *replies;
    struct token known;
    uint64_t before;
    size_t count;

    (void)state;
    make(TOKEN_API, "first", token[0]);
    make(TOKEN_SITE, "second", token[1]);
    snprintf(token[2], sizeof token[2], "pgt_%043d", 0);
    before = redis_round_trips(app.redis);
    for (size_t i = 0; i < TOKENS; i++)
        token_queue(&app, span_of(token[i]));
    assert_int_equal(redis_exchange(app.redis, &replies, &count, &err), 0);
    assert_int_equal(count, TOKENS * TOKEN_REPLIES);
    assert_int_equal(token_take(&app, span_of(token[0]), replies, &known, &err), 1);
    assert_int_equal(known.role, TOKEN_API);
    assert_int_equal(token_take(&app, span_of(token[1]), replies + TOKEN_REPLIES, &known, &err), 1);
    assert_int_equal(known.role, TOKEN_SITE);
    assert_int_equal(token_take(&app, span_of(token[2]), replies + 2 * TOKEN_REPLIES, &known, &err), 0);
    assert_int_equal(redis_round_trips(app.redis), before + 1);
    redis_flush(app.redis);
    assert_int_equal(check(SPAN("none")), 0); /* what was posted has arrived */
    assert_redis("2", "EVAL", "local n = 0 for _, k in ipairs(redis.call('KEYS', 'peygir:token:*')) do "
                              "n = n + redis.call('HEXISTS', k, 'last_used') end return n", "0");
}

static void a_name_is_taken_once(void **state)
{
    char first[TOKEN_LEN + 1], second[TOKEN_LEN + 1];

    (void)state;
    make(TOKEN_BOT, "same", first);
    assert_int_equal(token_create(&app, &(struct token_new){ .role = TOKEN_SITE, .name = "same" }, second, &err), -1);
    assert_int_equal(err.kind, ERR_STATE);
    assert_int_equal(check(span_of(first)), 1);
    assert_int_equal(check(span_of(second)), 0);
}

static void a_name_that_is_none_is_refused(void **state)
{
    static const char *const names[] = { "", "a b", "a/b", "نام", "a\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    char token[TOKEN_LEN + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(token_create(&app, &(struct token_new){ .role = TOKEN_BOT, .name = names[i] }, token, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
    assert_redis("0", "DBSIZE");
    make(TOKEN_BOT, names[5] + 1, token); /* 64 are allowed */
}

static void a_revoked_token_is_forgotten_and_its_name_is_free(void **state)
{
    char token[TOKEN_LEN + 1];

    (void)state;
    make(TOKEN_BOT, "gone", token);
    assert_int_equal(token_revoke(&app, "gone", &err), 1);
    assert_int_equal(check(span_of(token)), 0);
    assert_int_equal(token_revoke(&app, "gone", &err), 0);
    assert_redis("0", "DBSIZE");
    make(TOKEN_BOT, "gone", token);
    assert_int_equal(check(span_of(token)), 1);
}

struct list {
    struct str text;
    int64_t created_ms, used_ms; /* of the last one */
};

static void note(void *ctx, const struct token_view *token)
{
    struct list *list = ctx;

    str_addf(&list->text, "%s=%s ", token->name, token_roles[token->role]);
    list->created_ms = token->created_ms;
    list->used_ms = token->used_ms;
}

static struct list listed(void)
{
    struct list list = { .text = STR_INIT };

    str_reset(&list.text);
    assert_int_equal(token_each(&app, note, &list, &err), 0);
    return list;
}

static void tokens_are_listed_in_order_of_name(void **state)
{
    char token[TOKEN_LEN + 1];
    struct list list = listed();

    (void)state;
    assert_string_equal(list.text.s, "");
    str_free(&list.text);
    make(TOKEN_SITE, "c", token);
    make(TOKEN_BOT, "a", token);
    make(TOKEN_API, "b", token);
    list = listed();
    assert_string_equal(list.text.s, "a=bot b=api c=site ");
    assert_true(list.created_ms > 0);
    assert_true(list.used_ms == 0);
    str_free(&list.text);
}

static int64_t used_ms(const char *hex)
{
    struct key k = key_token(&house, span_of(hex));

    return REDIS_NUMBER("HGET", k.s, "last_used");
}

static void the_time_of_use_is_written_at_most_once_a_minute(void **state)
{
    char token[TOKEN_LEN + 1], hex[DIGEST_HEX_SIZE], digits[NUMBER_SIZE];
    int64_t first;
    struct key k;

    (void)state;
    make(TOKEN_BOT, "busy", token);
    digest_sha256_hex(token, TOKEN_LEN, hex);
    k = key_token(&house, span_of(hex));
    check(span_of(token));
    check(span_of(token)); /* takes along what the first one posted */
    first = used_ms(hex);
    assert_true(first > 0);
    snprintf(digits, sizeof digits, "%lld", (long long)first - 50000);
    REDIS_RUN("HSET", k.s, "last_used", digits);
    check(span_of(token));
    check(span_of(token));
    assert_true(used_ms(hex) == first - 50000);
    snprintf(digits, sizeof digits, "%lld", (long long)first - 61000);
    REDIS_RUN("HSET", k.s, "last_used", digits);
    check(span_of(token));
    check(span_of(token));
    assert_true(used_ms(hex) >= first);
}

static void noting_the_use_brings_no_revoked_token_back(void **state)
{
    char token[TOKEN_LEN + 1];

    (void)state;
    make(TOKEN_BOT, "late", token);
    assert_int_equal(check(span_of(token)), 1); /* the time of use is posted */
    REDIS_RUN("FLUSHALL");
    assert_int_equal(check(span_of(token)), 0);
    assert_redis("0", "DBSIZE");
}

static void its_holder_has_an_owner_id_of_their_own(void **state)
{
    char one[TOKEN_LEN + 1], other[TOKEN_LEN + 1], owner[TOKEN_OWNER_LEN + 1], again[TOKEN_OWNER_LEN + 1], another[TOKEN_OWNER_LEN + 1];

    (void)state;
    make(TOKEN_API, "one", one);
    make(TOKEN_API, "other", other);
    token_owner(span_of(one), owner);
    token_owner(span_of(one), again);
    token_owner(span_of(other), another);
    assert_true(rnd_is_base32(owner, TOKEN_OWNER_LEN));
    assert_string_equal(again, owner);
    assert_string_not_equal(another, owner);
}

static void a_token_may_be_for_some_services_alone(void **state)
{
    static const char *const bad[] = { ",", "a,", ",a", "a,,b", "A", "a b", "a;b" };
    char token[TOKEN_LEN + 1], other[TOKEN_LEN + 1];
    struct token known;

    (void)state;
    assert_int_equal(token_create(&app, &(struct token_new){ .role = TOKEN_BOT, .name = "two", .services = "document-ocr,credit" }, token, &err), 0);
    assert_int_equal(token_check(&app, span_of(token), &known, &err), 1);
    assert_true(token_covers(&known, SPAN("document-ocr")));
    assert_true(token_covers(&known, SPAN("credit")));
    assert_false(token_covers(&known, SPAN("document")));
    assert_false(token_covers(&known, SPAN("document-ocr,credit")));
    assert_false(token_covers(&known, SPAN("")));
    make(TOKEN_BOT, "all", other);
    assert_int_equal(token_check(&app, span_of(other), &known, &err), 1);
    assert_true(token_covers(&known, SPAN("anything")));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(token_create(&app, &(struct token_new){ .role = TOKEN_BOT, .name = "bad", .services = bad[i] }, token, &err), -1);
}

static void roles_are_known_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < TOKEN_ROLES; i++)
        assert_int_equal(token_role_parse(span_of(token_roles[i])), i);
    assert_int_equal(token_role_parse(SPAN("admin")), -1);
    assert_int_equal(token_role_parse(SPAN("")), -1);
}

static void without_redis_nobody_is_let_in(void **state)
{
    char token[TOKEN_LEN + 1];

    (void)state;
    make(TOKEN_BOT, "away", token);
    server_kill();
    assert_int_equal(check(span_of(token)), -1);
    assert_int_equal(err.kind, ERR_AWAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_token_is_known_by_its_text_with_its_role_and_name, fresh),
        cmocka_unit_test_setup(a_token_is_256_random_bits_in_characters_that_need_no_escape, fresh),
        cmocka_unit_test_setup(redis_never_holds_the_token_itself, fresh),
        cmocka_unit_test_setup(what_is_no_token_is_told_so, fresh),
        cmocka_unit_test_setup(what_stands_in_for_a_text_of_another_length_opens_nothing, fresh),
        cmocka_unit_test_setup(any_text_costs_one_round_trip, fresh),
        cmocka_unit_test_setup(several_are_known_by_one_round_trip_and_their_use_is_noted, fresh),
        cmocka_unit_test_setup(a_name_is_taken_once, fresh),
        cmocka_unit_test_setup(a_name_that_is_none_is_refused, fresh),
        cmocka_unit_test_setup(a_revoked_token_is_forgotten_and_its_name_is_free, fresh),
        cmocka_unit_test_setup(tokens_are_listed_in_order_of_name, fresh),
        cmocka_unit_test_setup(the_time_of_use_is_written_at_most_once_a_minute, fresh),
        cmocka_unit_test_setup(noting_the_use_brings_no_revoked_token_back, fresh),
        cmocka_unit_test_setup(its_holder_has_an_owner_id_of_their_own, fresh),
        cmocka_unit_test_setup(a_token_may_be_for_some_services_alone, fresh),
        cmocka_unit_test_setup(roles_are_known_by_name, fresh),
        cmocka_unit_test_setup(without_redis_nobody_is_let_in, fresh), /* the last: it takes Redis away */
    };
    return cmocka_run_group_tests_name("token", tests, open_house, close_house);
}
