/* test_session_user.c: users whom the host site signs in: made, entered, listed, ended (contract 4.3). */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/digest.h"
#include "core/keys.h"
#include "core/session_admin.h"
#include "tests/unit/jobhouse.h"

#include <sys/stat.h>
#include <unistd.h>

#define SESSION_DB "2"
#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define MINUTE_MS INT64_C(60000)
#define NOTHING ((struct span){ NULL, 0 })

static char secret_file[] = "/tmp/peygir-secret-XXXXXX";
static struct app app;
static struct err err;

static int write_secret(void)
{
    static const char line[] = "0123456789abcdef0123456789abcdef\n";
    int fd = mkstemp(secret_file);
    bool written = fd >= 0 && write(fd, line, sizeof(line) - 1) == (ssize_t)sizeof(line) - 1;

    if (fd >= 0)
        close(fd);
    return written ? 0 : -1;
}

static int open_house(void **state)
{
    (void)state;
    if (write_secret() < 0)
        return -1;
    house_start();
    house_set("PEYGIR_SECRET_FILE", secret_file);
    house_set("SESSION_MAX_PER_USER", "3");
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_stop();
    unlink(secret_file);
    return 0;
}

static void begin(const char *session_keys)
{
    server_flush();
    clock_test_offset(0);
    house_set("SESSION_KEYS", session_keys);
    house_enter(HOUSE_SECRET);
    app_open(&app, &house);
}

static int hashed(void **state)
{
    (void)state;
    begin("hashed");
    return 0;
}

static int plain(void **state)
{
    (void)state;
    begin("plain");
    return 0;
}

static int leave(void **state)
{
    (void)state;
    clock_test_offset(0);
    clock_test_wrong(0);
    app_close(&app);
    house_leave();
    return 0;
}

/* --- what tests do --- */

struct pass {
    char token[SESSION_TOKEN_LEN + 1], ticket[SESSION_TICKET_LEN + 1];
};

static struct pass sign_in(const char *user)
{
    struct pass p;

    assert_int_equal(session_create(&app, &(struct session_new){ .user_id = span_of(user), .next = SPAN("/requests") }, p.token, p.ticket, &err), 0);
    return p;
}

static int look(const char *token, struct session *s)
{
    const struct reply *replies;
    size_t count;

    session_queue(&app, span_of(token));
    assert_int_equal(redis_exchange(app.session_redis, &replies, &count, &err), 0);
    return session_take(&app, span_of(token), replies, s, &err);
}

static bool lives(const char *token)
{
    struct session s;

    return look(token, &s) == 1;
}

/* Posted commands have arrived when a later one is answered. */
static void settle(void)
{
    assert_non_null(redis_do(app.session_redis, &err, "PING"));
}

static struct session visitor(bool stored)
{
    char cookie[SESSION_COOKIE_MAX];
    struct session s;

    session_fresh(&app, &s, cookie);
    if (stored)
        session_store_queue(&app, &s, NULL);
    settle();
    return s;
}

static const struct session_about browser = { .ip = "192.0.2.7", .user_agent = "Firefox/128.0" };

static struct session entered(const struct pass *p, const struct session *before)
{
    struct str next = STR_INIT;
    struct session s;

    assert_int_equal(session_enter(&app, span_of(p->ticket), before, &browser, &s, &next, &err), 1);
    assert_string_equal(next.s, "/requests");
    assert_string_equal(s.token, p->token);
    str_free(&next);
    return s;
}

/* As if it had begun so long ago, for scripts go by Redis's clock. */
static void make_older(const char *token, int64_t created_ago_ms, int64_t active_ago_ms)
{
    struct key k = key_session(&house, span_of(token));
    char text[512];

    snprintf(text, sizeof text, "{\"user_id\":\"u\",\"owner\":\"0123456789ABCDEFGHJKMNPQRS\",\"created_at\":%lld,\"last_activity\":%lld}",
             (long long)(clock_ms() - created_ago_ms), (long long)(clock_ms() - active_ago_ms));
    REDIS_RUN("-n", SESSION_DB, "SET", k.s, text, "KEEPTTL");
}

static size_t count_of(const char *user)
{
    struct session_view *list;
    size_t count;

    assert_int_equal(session_list(&app, span_of(user), &list, &count, &err), 0);
    session_list_free(list, count);
    return count;
}

/* --- making --- */

static void a_user_is_known_by_the_token_and_stands_in_their_set(void **state)
{
    struct session_new n = { .user_id = SPAN("u"), .role = SPAN("member"), .email = SPAN("a@example.org"),
                             .metadata = SPAN("{\"plan\": 7, \"last_activity\":1}") };
    char token[SESSION_TOKEN_LEN + 1], hex[DIGEST_HEX_SIZE];
    struct session_view view;
    struct session s;

    (void)state;
    assert_int_equal(session_create(&app, &n, token, NULL, &err), 0);
    assert_int_equal(look(token, &s), 1);
    assert_string_equal(s.user_id, "u");
    assert_string_equal(s.role, "member");
    digest_sha256_hex(token, SESSION_TOKEN_LEN, hex);
    assert_redis(hex, "-n", SESSION_DB, "SMEMBERS", "peygir:user_sessions:u");
    assert_in_range(REDIS_NUMBER("-n", SESSION_DB, "TTL", "peygir:user_sessions:u"), 604700, 604800);
    assert_int_equal(session_look(&app, span_of(token), &view, &err), 1);
    assert_string_equal(view.email, "a@example.org");
    assert_string_equal(view.metadata, "{\"plan\": 7, \"last_activity\":1}");
    assert_true(strncmp(view.id, hex, SESSION_ID_LEN) == 0);
    session_view_clear(&view);
}

static void what_a_session_may_not_be_is_refused_by_name(void **state)
{
    static char long_text[SESSION_NEXT_MAX + 2];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[0] = '/';
    const struct {
        struct session_new n;
        const char *named;
    } rows[] = {
        { { .user_id = SPAN("") }, "user_id" },
        { { .user_id = NOTHING }, "user_id" },
        { { .user_id = SPAN("a\nb") }, "user_id" },
        { { .user_id = SPAN("a\xff") }, "user_id" },
        { { .user_id = { long_text, SESSION_USER_MAX + 1 } }, "user_id" },
        { { .user_id = SPAN("u"), .role = SPAN("") }, "role" },
        { { .user_id = SPAN("u"), .email = SPAN("nobody") }, "email" },
        { { .user_id = SPAN("u"), .metadata = SPAN("[]") }, "metadata" },
        { { .user_id = SPAN("u"), .metadata = SPAN("{\"a\":1,\"a\":2}") }, "metadata" },
        { { .user_id = SPAN("u"), .next = SPAN("") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("requests") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("//evil.example") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("/\\evil.example") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("\\/evil.example") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("https://evil.example") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("javascript:alert(1)") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("/\t/evil.example") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("/a\r\nSet-Cookie: b=c") }, "next" },
        { { .user_id = SPAN("u"), .next = SPAN("/ \xd8\xa7") }, "next" },
        { { .user_id = SPAN("u"), .next = { long_text, sizeof long_text - 1 } }, "next" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(session_check(&rows[i].n, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_ptr_equal(strstr(err.text, rows[i].named), err.text);
    }
    assert_int_equal(session_check(&(struct session_new){ .user_id = SPAN("سارا"), .next = SPAN("/requests?lang=fa#x") }, &err), 0);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
    struct pass p[4];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        p[i] = sign_in("u");
        make_older(p[i].token, i == 1 ? 9 * MINUTE_MS : MINUTE_MS, 0); /* the second is the oldest */
    }
    p[3] = sign_in("u");
    assert_true(lives(p[0].token) && !lives(p[1].token) && lives(p[2].token) && lives(p[3].token));
    assert_int_equal(REDIS_NUMBER("-n", SESSION_DB, "SCARD", "peygir:user_sessions:u"), 3);
}

static void one_that_ended_takes_no_place(void **state)
{
    struct pass p[3];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        p[i] = sign_in("u");
    REDIS_RUN("-n", SESSION_DB, "DEL", key_session(&house, span_of(p[2].token)).s);
    sign_in("u");
    assert_true(lives(p[0].token) && lives(p[1].token));
    assert_int_equal(REDIS_NUMBER("-n", SESSION_DB, "SCARD", "peygir:user_sessions:u"), 3);
}

/* --- entering --- */

static int follow(const char *ticket, const struct session *before)
{
    struct str next = STR_INIT;
    struct session s;
    int rc = session_enter(&app, span_of(ticket), before, &browser, &s, &next, &err);

    str_free(&next);
    return rc;
}

static void a_ticket_opens_once(void **state)
{
    struct session nobody = { .known = false };
    struct pass p = sign_in("u");

    (void)state;
    entered(&p, &nobody);
    assert_int_equal(follow(p.ticket, &nobody), 0);
    assert_int_equal(follow(TOKEN, &nobody), 0);
    assert_int_equal(follow("short", &nobody), 0);
    assert_int_equal(follow(NULL, &nobody), 0);
}

static void a_ticket_lives_a_minute_and_redis_holds_neither_it_nor_its_token(void **state)
{
    struct pass p = sign_in("u");
    char hex[DIGEST_HEX_SIZE];
    struct key k;

    (void)state;
    digest_sha256_hex(p.ticket, SESSION_TICKET_LEN, hex);
    k = key_ticket(&house, span_of(hex));
    assert_in_range(REDIS_NUMBER("-n", SESSION_DB, "PTTL", k.s), 50000, SESSION_TICKET_MS);
    char *text = REDIS_CLI("-n", SESSION_DB, "GET", k.s), *keys = REDIS_CLI("-n", SESSION_DB, "--scan");
    assert_null(strstr(text, p.token));
    assert_null(strstr(keys, p.token));
    assert_null(strstr(keys, p.ticket));
    free(text);
    free(keys);
}

static void a_visitor_who_comes_in_keeps_the_owner_id_and_loses_the_token(void **state)
{
    struct session before = visitor(true), now;
    struct pass p = sign_in("u");

    (void)state;
    now = entered(&p, &before);
    assert_string_equal(now.owner, before.owner);
    assert_string_equal(now.user_id, "u");
    assert_string_equal(now.token, p.token);
    assert_false(lives(before.token));
    assert_int_equal(look(p.token, &now), 1);
    assert_string_equal(now.owner, before.owner);
}

static void a_signed_cookie_gives_its_owner_id_too(void **state)
{
    struct session before = visitor(false);
    struct pass p = sign_in("u");

    (void)state;
    assert_string_equal(entered(&p, &before).owner, before.owner);
}

static void another_users_owner_id_stays_theirs_though_their_session_ends(void **state)
{
    struct pass first = sign_in("a"), second = sign_in("b"), third = sign_in("b");
    struct session none = { .known = false }, a = entered(&first, &none), b, again;

    (void)state;
    b = entered(&second, &a);
    assert_string_not_equal(b.owner, a.owner);
    assert_false(lives(first.token));
    assert_redis("0", "-n", SESSION_DB, "EXISTS", "peygir:user_sessions:a");
    again = entered(&third, &b); /* the same user once more */
    assert_string_equal(again.owner, b.owner);
    assert_false(lives(second.token));
    assert_int_equal(count_of("b"), 1);
}

static void the_browser_that_comes_in_is_what_the_list_shows(void **state)
{
    struct pass p = sign_in("u");
    struct session none = { .known = false };
    struct session_view *list;
    size_t count;

    (void)state;
    entered(&p, &none);
    assert_int_equal(session_list(&app, SPAN("u"), &list, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].ip, "192.0.2.7");
    assert_string_equal(list[0].user_agent, "Firefox/128.0");
    session_list_free(list, count);
}

static void a_link_to_a_session_that_ended_leads_nowhere(void **state)
{
    struct session before = visitor(true);
    struct pass p = sign_in("u");

    (void)state;
    assert_int_equal(session_revoke(&app, span_of(p.token), &err), 1);
    assert_int_equal(follow(p.ticket, &before), 0);
    assert_true(lives(before.token));
}

static void a_csrf_token_is_a_new_one_at_sign_in_and_on_each_device(void **state)
{
    struct session before = visitor(true), one, two, again;
    struct pass p = sign_in("u"), q = sign_in("u"), r = sign_in("u");
    char token[65];

    (void)state;
    session_csrf(&app, &before, token);
    one = entered(&p, &before);
    two = entered(&q, &(struct session){ .known = false });
    assert_false(session_csrf_ok(&app, &one, span_of(token)));
    session_csrf(&app, &one, token);
    assert_true(session_csrf_ok(&app, &one, span_of(token)));
    assert_false(session_csrf_ok(&app, &two, span_of(token)));
    assert_false(session_csrf_ok(&app, &before, span_of(token)));
    again = entered(&r, &one);
    assert_string_equal(again.owner, one.owner);
    assert_false(session_csrf_ok(&app, &again, span_of(token)));
}

/* --- limits --- */

static void a_user_who_was_idle_too_long_is_nobody_and_is_taken_off_the_list(void **state)
{
    struct pass p = sign_in("u");

    (void)state;
    make_older(p.token, 40 * MINUTE_MS, 31 * MINUTE_MS);
    assert_int_equal(count_of("u"), 0);
    assert_false(lives(p.token));
    settle();
    assert_redis("0", "-n", SESSION_DB, "EXISTS", "peygir:user_sessions:u");
}

static void a_user_who_is_always_active_is_nobody_after_session_ttl(void **state)
{
    struct pass p = sign_in("u");
    int64_t week_ms = 7 * 24 * 60 * MINUTE_MS;

    (void)state;
    make_older(p.token, week_ms - MINUTE_MS, 0);
    assert_true(lives(p.token));
    make_older(p.token, week_ms + MINUTE_MS, 0);
    assert_false(lives(p.token));
}

/* --- ending --- */

static void a_host_whose_clock_is_wrong_ends_no_session_and_makes_none_that_others_end(void **state)
{
    struct pass p = sign_in("42"), later;

    (void)state;
    clock_test_wrong(30 * 24 * 60 * MINUTE_MS);
    assert_true(lives(p.token));
    clock_test_wrong(-30 * 24 * 60 * MINUTE_MS);
    later = sign_in("42");
    clock_test_wrong(0);
    assert_true(lives(later.token) && lives(p.token));
}

static void one_of_many_is_ended_by_its_id_and_only_by_its_user(void **state)
{
    struct pass p = sign_in("u"), q = sign_in("u");
    char id[SESSION_ID_LEN + 1];

    (void)state;
    session_id(&app, span_of(p.token), id);
    assert_int_equal(session_revoke_id(&app, SPAN("somebody"), span_of(id), &err), 0);
    assert_true(lives(p.token));
    assert_int_equal(session_revoke_id(&app, SPAN("u"), span_of(id), &err), 1);
    assert_false(lives(p.token));
    assert_true(lives(q.token));
    assert_int_equal(session_revoke_id(&app, SPAN("u"), span_of(id), &err), 0);
    assert_int_equal(count_of("u"), 1);
}

static void all_but_one_are_ended_and_then_that_too(void **state)
{
    struct pass p = sign_in("u"), q = sign_in("u"), other = sign_in("v");

    (void)state;
    sign_in("u");
    assert_int_equal(session_revoke_user(&app, SPAN("u"), span_of(q.token), &err), 2);
    assert_false(lives(p.token));
    assert_true(lives(q.token) && lives(other.token));
    assert_int_equal(session_revoke_user(&app, SPAN("u"), NOTHING, &err), 1);
    assert_false(lives(q.token));
    assert_redis("v", "-n", SESSION_DB, "ZRANGE", "peygir:user_sessions", "0", "-1");
}

static void an_administrator_finds_a_session_by_id_or_token(void **state)
{
    struct session s = visitor(true);
    struct pass p = sign_in("u");
    struct session_view view;
    char id[SESSION_ID_LEN + 1];

    (void)state;
    session_id(&app, span_of(p.token), id);
    assert_int_equal(session_find(&app, span_of(id), &view, &err), 1);
    assert_string_equal(view.user_id, "u");
    session_view_clear(&view);
    assert_int_equal(session_find(&app, span_of(s.token), &view, &err), 1);
    assert_null(view.user_id);
    assert_int_equal(session_revoke_view(&app, &view, &err), 1);
    session_view_clear(&view);
    assert_false(lives(s.token));
    assert_int_equal(session_find(&app, SPAN("0000000000000000"), &view, &err), 0);
    assert_int_equal(session_find(&app, SPAN("x"), &view, &err), 0);
}

/* --- cleaning up --- */

static void cleaning_up_forgets_what_is_gone_and_looks_again_when_the_next_may_be(void **state)
{
    struct pass p = sign_in("u"), q = sign_in("u"), r = sign_in("u");
    int64_t forgotten = 0;
    char due[32];

    (void)state;
    assert_int_equal(session_cleanup(&app, &forgotten, &err), 0); /* nobody is due yet */
    make_older(p.token, 50 * MINUTE_MS, 40 * MINUTE_MS);
    make_older(q.token, 50 * MINUTE_MS, 10 * MINUTE_MS);
    REDIS_RUN("-n", SESSION_DB, "DEL", key_session(&house, span_of(r.token)).s);
    REDIS_RUN("-n", SESSION_DB, "ZADD", "peygir:user_sessions", "1", "u");
    assert_int_equal(session_cleanup(&app, &forgotten, &err), 1);
    assert_int_equal(forgotten, 2);
    assert_redis("0", "-n", SESSION_DB, "EXISTS", key_session(&house, span_of(p.token)).s);
    assert_true(lives(q.token));
    snprintf(due, sizeof due, "%lld", (long long)(clock_ms() + 20 * MINUTE_MS - 5000));
    assert_redis("1", "-n", SESSION_DB, "ZCOUNT", "peygir:user_sessions", due, "+inf");
    assert_int_equal(session_cleanup(&app, &forgotten, &err), 0);
    REDIS_RUN("-n", SESSION_DB, "DEL", key_session(&house, span_of(q.token)).s);
    REDIS_RUN("-n", SESSION_DB, "ZADD", "peygir:user_sessions", "1", "u");
    assert_int_equal(session_cleanup(&app, &forgotten, &err), 1);
    assert_redis("0", "-n", SESSION_DB, "EXISTS", "peygir:user_sessions", "peygir:user_sessions:u");
}

/* --- sessions that others write --- */

static void write_theirs(const char *token, const char *user)
{
    char text[256], key[128];

    snprintf(key, sizeof key, "peygir:session:%s", token);
    snprintf(text, sizeof text, "{\"user_id\":%s,\"email\":\"a@example.org\",\"role\":\"user\",\"created_at\":%lld,\"last_activity\":%lld}", user,
             (long long)clock_ms(), (long long)clock_ms());
    REDIS_RUN("-n", SESSION_DB, "SET", key, text, "EX", "600000");
}

static void a_session_of_others_joins_its_users_set_at_first_use(void **state)
{
    struct pass p = sign_in("42");

    (void)state;
    write_theirs(TOKEN, "42");
    assert_int_equal(count_of("42"), 1);
    assert_true(lives(TOKEN));
    settle();
    assert_redis("1", "-n", SESSION_DB, "SISMEMBER", "peygir:user_sessions:42", TOKEN);
    assert_redis("1", "-n", SESSION_DB, "SISMEMBER", "peygir:user_sessions:42", p.token);
    assert_int_equal(session_revoke_user(&app, SPAN("42"), NOTHING, &err), 2);
    assert_false(lives(TOKEN));
}

static void a_session_of_others_counts_among_the_most_a_user_may_have(void **state)
{
    struct pass p[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        p[i] = sign_in("42");
        make_older(p[i].token, i == 0 ? 9 * MINUTE_MS : MINUTE_MS, 0);
    }
    write_theirs(TOKEN, "\"42\"");
    assert_true(lives(TOKEN));
    settle();
    assert_false(lives(p[0].token));
    assert_true(lives(TOKEN) && lives(p[1].token) && lives(p[2].token));
}

static void an_id_of_a_plain_session_is_no_part_of_its_token(void **state)
{
    struct pass p = sign_in("42");
    char id[SESSION_ID_LEN + 1];

    (void)state;
    session_id(&app, span_of(p.token), id);
    assert_null(strstr(p.token, id));
    assert_int_equal(session_revoke_id(&app, SPAN("42"), span_of(id), &err), 1);
}

#define HASHED(name) cmocka_unit_test_setup_teardown(name, hashed, leave)
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, plain, leave)
int main(void)
{
    const struct CMUnitTest tests[] = {
        HASHED(a_user_is_known_by_the_token_and_stands_in_their_set),
        HASHED(what_a_session_may_not_be_is_refused_by_name),
        HASHED(the_oldest_goes_when_there_are_too_many),
        HASHED(one_that_ended_takes_no_place),
        HASHED(a_ticket_opens_once),
        HASHED(a_ticket_lives_a_minute_and_redis_holds_neither_it_nor_its_token),
        HASHED(a_visitor_who_comes_in_keeps_the_owner_id_and_loses_the_token),
        HASHED(a_signed_cookie_gives_its_owner_id_too),
        HASHED(another_users_owner_id_stays_theirs_though_their_session_ends),
        HASHED(the_browser_that_comes_in_is_what_the_list_shows),
        HASHED(a_link_to_a_session_that_ended_leads_nowhere),
        HASHED(a_csrf_token_is_a_new_one_at_sign_in_and_on_each_device),
        HASHED(a_user_who_was_idle_too_long_is_nobody_and_is_taken_off_the_list),
        HASHED(a_user_who_is_always_active_is_nobody_after_session_ttl),
        HASHED(a_host_whose_clock_is_wrong_ends_no_session_and_makes_none_that_others_end),
        HASHED(one_of_many_is_ended_by_its_id_and_only_by_its_user),
        HASHED(all_but_one_are_ended_and_then_that_too),
        HASHED(an_administrator_finds_a_session_by_id_or_token),
        HASHED(cleaning_up_forgets_what_is_gone_and_looks_again_when_the_next_may_be),
        PLAIN(a_ticket_opens_once),
        PLAIN(a_session_of_others_joins_its_users_set_at_first_use),
        PLAIN(a_session_of_others_counts_among_the_most_a_user_may_have),
        PLAIN(an_id_of_a_plain_session_is_no_part_of_its_token),
    };

    return cmocka_run_group_tests_name("session_user", tests, open_house, close_house);
}
