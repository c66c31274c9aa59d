/* test_redis.c: a connection to Redis, on good days and bad ones, against a private server. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "redis/parse.h"
#include "redis/redis.h"
#include "redis/server.h"
#include "tests/unit/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 500
#define COMMAND_MS 300

/* sha1sum of the bodies */
static const struct script script_count_up = {
    "count_up", "return redis.call('INCR', KEYS[1])", 34, "61636018f4e6b5817b89791bbed242f93fa089e3"
};
static const struct script script_count_when_full = {
    "count_when_full", "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])", 56,
    "02fdbc51656326dde723da33ce142c6fcb891588"
};
static const struct script script_go_wrong = {
    "go_wrong", "return nil + 1", 14, "d13bc48d895ba57f297c4db70c1d256548a54e2d"
};
static const struct script script_not_lua = {
    "not_lua", "return return", 13, "89ed24b40cddf845bd84599da5ab343289d92c1c"
};

struct place {
    struct redis_server *server;
    struct redis *r;
};

static struct redis_server *server_at(const char *text, int command_ms)
{
    struct redisurl url;
    struct redis_server *s;
    struct err err = ERR_INIT;

    if (redisurl_parse(text, &url, &err) < 0)
        fail_msg("%s", err.text);
    s = redis_server_new(&url, "unit", CONNECT_MS, command_ms);
    redisurl_free(&url);
    return s;
}

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    server_start();
    server_flush();
    p->server = server_at(server_url(), COMMAND_MS);
    p->r = redis_new(p->server);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    redis_free(p->r);
    redis_server_free(p->server);
    free(p);
    clock_test_offset(0);
    clock_test_wrong(0);
    return 0;
}

static struct err last;

static const struct reply *do_or_fail(const struct reply *reply)
{
    if (!reply)
        fail_msg("%s", last.text);
    return reply;
}
#define DO(r, ...) do_or_fail(redis_do(r, &last, __VA_ARGS__))

static size_t exchanged(struct redis *r, const struct reply **replies)
{
    struct err err = ERR_INIT;
    size_t count = 0;

    if (redis_exchange(r, replies, &count, &err) < 0)
        fail_msg("%s", err.text);
    return count;
}

#define assert_text(reply, expected) assert_string_equal(reply_text(reply).s, expected)

/* --- good days --- */

static void a_value_comes_back_byte_for_byte(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    char bytes[256];
    const struct reply *reply;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    DO(r, "SET key %b", bytes, sizeof(bytes));
    reply = DO(r, "GET key");
    assert_int_equal(reply->text.len, sizeof(bytes));
    assert_memory_equal(reply->text.s, bytes, sizeof(bytes));
    assert_int_equal(reply->text.s[sizeof(bytes)], 0);
}

static void a_format_splits_at_its_own_spaces_only(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    DO(r, "RPUSH list %s x%sy %d %lld %u %lu %zu %.17g %c%% %s", "a b", "", -5, INT64_MIN, 7u, 8ul, (size_t)9,
       0.5, 'z', "");
    reply = DO(r, "LRANGE list 0 -1");
    assert_int_equal(reply->count, 10);
    assert_text(&reply->item[0], "a b");
    assert_text(&reply->item[1], "xy");
    assert_text(&reply->item[2], "-5");
    assert_text(&reply->item[3], "-9223372036854775808");
    assert_text(&reply->item[4], "7");
    assert_text(&reply->item[5], "8");
    assert_text(&reply->item[6], "9");
    assert_text(&reply->item[7], "0.5");
    assert_text(&reply->item[8], "z%");
    assert_text(&reply->item[9], "");
}

static void every_type_of_reply_is_told_apart(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    redis_queuef(r, "SET n 42");
    redis_queuef(r, "GET n");
    redis_queuef(r, "INCR n");
    redis_queuef(r, "GET nothing");
    redis_queuef(r, "LPUSH n 1");
    redis_queuef(r, "EVAL %s 0", "return {1, {'two', {}}, false}");
    assert_int_equal(exchanged(r, &reply), 6);
    assert_int_equal(reply[0].type, REPLY_STATUS);
    assert_text(&reply[0], "OK");
    assert_int_equal(reply[1].type, REPLY_STRING);
    assert_int_equal(reply_int(&reply[1], -1), 42);
    assert_int_equal(reply[2].type, REPLY_INT);
    assert_int_equal(reply_int(&reply[2], -1), 43);
    assert_int_equal(reply[3].type, REPLY_NIL);
    assert_int_equal(reply_int(&reply[3], -1), -1);
    assert_null(reply_text(&reply[3]).s);
    assert_int_equal(reply[4].type, REPLY_ERROR);
    assert_int_equal(redis_reply_ok(&reply[4], NULL), -1);
    assert_int_equal(reply[5].type, REPLY_ARRAY);
    assert_int_equal(reply[5].count, 3);
    assert_int_equal(reply[5].item[0].integer, 1);
    assert_text(&reply[5].item[1].item[0], "two");
    assert_int_equal(reply[5].item[1].item[1].count, 0);
    assert_int_equal(reply[5].item[2].type, REPLY_NIL);
}

static void only_whole_numbers_that_fit_are_read_from_text(void **state)
{
    static const struct { const char *text; int64_t value; } cases[] = {
        { "0", 0 }, { "-7", -7 }, { "9223372036854775807", INT64_MAX }, { "9223372036854775808", -1 },
        { "", -1 }, { "-", -1 }, { "+5", -1 }, { " 5", -1 }, { "5 ", -1 }, { "5x", -1 }, { "1.5", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct reply reply = { .type = REPLY_STRING, .text = span_of(cases[i].text) };
        assert_int_equal(reply_int(&reply, -1), cases[i].value);
    }
}

static void ten_commands_cost_one_round_trip(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    uint64_t before;

    DO(r, "PING");
    before = redis_round_trips(r);
    for (int i = 0; i < 10; i++)
        redis_queuef(r, "ECHO %d", i);
    assert_int_equal(exchanged(r, &reply), 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(reply_int(&reply[i], -1), i);
    assert_int_equal(redis_round_trips(r) - before, 1);
}

static void a_reply_larger_than_every_buffer_is_whole(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    size_t len = 3 * 1024 * 1024;
    char *large = xmalloc(len);
    const struct reply *reply;

    memset(large, 'x', len);
    redis_queuef(r, "SET large %b", large, len);
    redis_queuef(r, "GET large");
    redis_queuef(r, "ECHO after");
    assert_int_equal(exchanged(r, &reply), 3);
    assert_int_equal(reply[1].text.len, len);
    assert_memory_equal(reply[1].text.s, large, len);
    assert_text(&reply[2], "after");
    free(large);
}

static void an_exchange_of_nothing_is_nothing(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    assert_int_equal(exchanged(r, &reply), 0);
    assert_int_equal(redis_round_trips(r), 0);
}

static void a_blocking_command_may_take_longer_than_the_time_out(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    size_t count;
    struct err err = ERR_INIT;

    redis_queuef(r, "BLPOP empty 0.5");
    assert_int_equal(redis_exchange_blocking(r, 500, &reply, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(reply[0].type, REPLY_NIL);
    assert_text(DO(r, "ECHO next"), "next");
}

/* --- posted commands --- */

static void replies_to_posted_commands_never_show(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    redis_postf(r, "SET a 1");
    redis_queuef(r, "GET a");
    redis_postf(r, "NOSUCHCOMMAND");
    redis_post(r, 3, (const struct span[]){ SPAN("RPUSH"), SPAN("list"), SPAN("x") });
    redis_postf(r, "LRANGE list 0 -1");
    redis_queuef(r, "GET list");
    assert_int_equal(exchanged(r, &reply), 2);
    assert_text(&reply[0], "1");
    assert_int_equal(reply[1].type, REPLY_ERROR);
    assert_text(DO(r, "ECHO next"), "next");
}

static void a_flush_sends_what_was_posted(void **state)
{
    struct place *p = *state;
    struct redis *other = redis_new(p->server);
    const struct reply *reply;
    size_t count;
    struct err err = ERR_INIT;

    redis_postf(p->r, "RPUSH list x");
    redis_flush(p->r);
    redis_queuef(other, "BLPOP list 5");
    assert_int_equal(redis_exchange_blocking(other, 5000, &reply, &count, &err), 0);
    assert_int_equal(reply[0].count, 2);
    redis_free(other);
    for (int i = 0; i < 1000; i++) {
        redis_use_db(p->r, i % 3);
        redis_postf(p->r, "INCR n");
        redis_flush(p->r);
    }
    redis_use_db(p->r, 1);
    assert_int_equal(reply_int(DO(p->r, "GET n"), -1), 333);
}

static void a_flush_keeps_the_replies_of_the_last_exchange(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *kept = DO(r, "ECHO kept");

    for (int i = 0; i < 100; i++) {
        redis_postf(r, "ECHO %s", "something else entirely");
        redis_flush(r);
    }
    assert_text(kept, "kept");
}

/* --- databases --- */

static void each_command_runs_in_its_database(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    uint64_t before;

    for (int round = 0; round < 2; round++) {
        for (int db = 0; db < 4; db++) {
            redis_use_db(r, db);
            redis_queuef(r, "SET where %d", db);
        }
        redis_use_db(r, 2);
        redis_queuef(r, "GET where");
        before = redis_round_trips(r);
        assert_int_equal(exchanged(r, &reply), 5);
        assert_text(&reply[4], "2");
    }
    assert_int_equal(redis_round_trips(r) - before, 1);
    assert_text(DO(r, "GET where"), "2");
    server_kill();
    server_start();
    redis_queuef(r, "SET where again");
    redis_use_db(r, 0);
    redis_queuef(r, "GET where");
    assert_int_equal(exchanged(r, &reply), 2);
    assert_int_equal(reply[1].type, REPLY_NIL);
}

static void a_database_that_does_not_exist_stops_the_whole_pipeline(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    size_t count;
    struct err err = ERR_INIT;

    redis_queuef(r, "SET a 1");
    redis_use_db(r, 500);
    redis_queuef(r, "SET b 1");
    assert_int_equal(redis_exchange(r, &reply, &count, &err), -1);
    assert_non_null(strstr(err.text, "Database 500"));
    redis_use_db(r, 0);
    assert_int_equal(reply_int(DO(r, "DBSIZE"), -1), 0);
}

static void the_database_of_the_address_is_where_commands_begin(void **state)
{
    struct place *p = *state;
    char *url = xasprintf("%.*s5", (int)strlen(server_url()) - 1, server_url());
    struct redis_server *server = server_at(url, COMMAND_MS);
    struct redis *r = redis_new(server);

    DO(r, "SET here 1");
    assert_int_equal(DO(p->r, "GET here")->type, REPLY_NIL);
    redis_use_db(p->r, 5);
    assert_text(DO(p->r, "GET here"), "1");
    redis_free(r);
    redis_server_free(server);
    free(url);
}

/* --- scripts --- */

static void queue_count_up(struct redis *r, const char *key)
{
    struct span keys[] = { span_of(key) };

    redis_queue_script(r, &script_count_up, 1, keys, 0, NULL);
}

static void a_posted_script_runs_also_where_the_server_does_not_know_it(void **state)
{
    struct redis *r = ((struct place *)*state)->r;

    DO(r, "SCRIPT FLUSH");
    redis_post_script(r, &script_count_up, 1, (const struct span[]){ SPAN("n") }, 0, NULL);
    assert_text(DO(r, "GET n"), "1");
}

static void a_script_that_the_server_does_not_know_is_loaded(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    for (int64_t n = 1; n <= 3; n++) {
        DO(r, "SCRIPT FLUSH");
        queue_count_up(r, "n");
        assert_int_equal(exchanged(r, &reply), 1);
        assert_int_equal(reply_int(&reply[0], -1), n);
    }
}

static void only_the_unknown_script_runs_again_and_in_its_database(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    DO(r, "SCRIPT FLUSH");
    redis_queuef(r, "INCR plain");
    queue_count_up(r, "a");
    redis_postf(r, "INCR posted");
    redis_use_db(r, 3);
    queue_count_up(r, "a");
    redis_queuef(r, "ECHO end");
    redis_use_db(r, 0);
    assert_int_equal(exchanged(r, &reply), 4);
    assert_int_equal(reply_int(&reply[0], -1), 1);
    assert_int_equal(reply_int(&reply[1], -1), 1);
    assert_int_equal(reply_int(&reply[2], -1), 1);
    assert_text(&reply[3], "end");
    assert_text(DO(r, "GET plain"), "1");
    assert_text(DO(r, "GET posted"), "1");
    assert_text(DO(r, "GET a"), "1");
    redis_use_db(r, 3);
    assert_text(DO(r, "GET a"), "1");
}

static void a_known_script_costs_no_more_than_a_command(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    uint64_t before;

    DO(r, "SCRIPT LOAD %s", script_count_up.body);
    before = redis_round_trips(r);
    queue_count_up(r, "n");
    exchanged(r, &reply);
    assert_int_equal(redis_round_trips(r) - before, 1);
}

static void an_error_in_a_script_names_its_file(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    struct err err = ERR_INIT;

    redis_queue_script(r, &script_go_wrong, 0, NULL, 0, NULL);
    redis_queue_script(r, &script_not_lua, 0, NULL, 0, NULL);
    redis_queuef(r, "ECHO end");
    assert_int_equal(exchanged(r, &reply), 3);
    assert_int_equal(redis_reply_ok(&reply[0], &err), -1);
    assert_non_null(strstr(err.text, "go_wrong.lua"));
    assert_int_equal(redis_reply_ok(&reply[1], &err), -1);
    assert_non_null(strstr(err.text, "not_lua.lua"));
    assert_text(&reply[2], "end");
}

/* --- transactions --- */

static void a_transaction_is_one_reply_among_those_of_others(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    DO(r, "SCRIPT LOAD %s", script_count_up.body);
    redis_postf(r, "SET n 10");
    redis_queuef(r, "GET n");
    redis_queue_multi(r);
    redis_queuef(r, "INCR n");
    redis_queue(r, 2, (const struct span[]){ SPAN("GET"), SPAN("n") });
    redis_queuef(r, "GET nothing");
    redis_queue_exec(r);
    redis_postf(r, "INCR n");
    queue_count_up(r, "n");
    redis_queue_multi(r);
    redis_queue_exec(r);
    redis_queuef(r, "ECHO end");
    assert_int_equal(exchanged(r, &reply), 5);
    assert_text(&reply[0], "10");
    assert_int_equal(reply[1].type, REPLY_ARRAY);
    assert_int_equal(reply[1].count, 3);
    assert_int_equal(reply_int(&reply[1].item[0], -1), 11);
    assert_text(&reply[1].item[1], "11");
    assert_int_equal(reply[1].item[2].type, REPLY_NIL);
    assert_int_equal(reply_int(&reply[2], -1), 13);
    assert_int_equal(reply[3].type, REPLY_ARRAY);
    assert_int_equal(reply[3].count, 0);
    assert_text(&reply[4], "end");
}

static void a_transaction_beside_a_script_that_the_server_does_not_know_runs_once(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    DO(r, "SCRIPT FLUSH");
    redis_queue_multi(r);
    redis_queuef(r, "INCR plain");
    redis_queue_exec(r);
    queue_count_up(r, "a");
    redis_queuef(r, "ECHO end");
    assert_int_equal(exchanged(r, &reply), 3);
    assert_int_equal(reply_int(&reply[0].item[0], -1), 1);
    assert_int_equal(reply_int(&reply[1], -1), 1);
    assert_true(reply[1].late);
    assert_text(&reply[2], "end");
    assert_text(DO(r, "GET plain"), "1");
}

static void a_transaction_stays_in_the_database_where_it_began(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    uint64_t before;

    for (int round = 0; round < 2; round++) {
        before = redis_round_trips(r);
        redis_use_db(r, 3);
        redis_queue_multi(r);
        redis_queuef(r, "SET where three");
        redis_use_db(r, 0);
        redis_queuef(r, "SET here three");
        redis_queue_exec(r);
        redis_queuef(r, "GET here");
        assert_int_equal(exchanged(r, &reply), 2);
        assert_int_equal(reply[0].count, 2);
        assert_int_equal(reply[1].type, REPLY_NIL);
    }
    assert_int_equal(redis_round_trips(r) - before, 1);
    redis_use_db(r, 3);
    assert_text(DO(r, "GET where"), "three");
    assert_text(DO(r, "GET here"), "three");
}

static void a_flush_sends_no_half_of_a_transaction(void **state)
{
    struct place *p = *state;
    const struct reply *reply;

    DO(p->r, "PING");
    redis_postf(p->r, "SET n 1");
    redis_queue_multi(p->r);
    redis_queuef(p->r, "INCR n");
    redis_flush(p->r);
    assert_redis("", "GET", "n");
    redis_queue_exec(p->r);
    assert_int_equal(exchanged(p->r, &reply), 1);
    assert_int_equal(reply_int(&reply[0].item[0], -1), 2);
}

static void an_error_inside_a_transaction_is_one_of_its_items(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    struct err err = ERR_INIT;

    redis_queue_multi(r);
    redis_queuef(r, "SET text x");
    redis_queuef(r, "LPUSH text x");
    redis_queuef(r, "INCR n");
    redis_queue_exec(r);
    assert_int_equal(exchanged(r, &reply), 1);
    assert_int_equal(redis_reply_ok(&reply[0], &err), 0);
    assert_int_equal(reply[0].count, 3);
    assert_int_equal(redis_reply_ok(&reply[0].item[0], &err), 0);
    assert_int_equal(redis_reply_ok(&reply[0].item[1], &err), -1);
    assert_int_equal(err.kind, ERR_FAILED);
    assert_non_null(strstr(err.text, "WRONGTYPE"));
    assert_int_equal(reply_int(&reply[0].item[2], -1), 1);
}

static void queue_pair(struct redis *r, const char *first, const char *then)
{
    redis_queue_multi(r);
    redis_queuef(r, first);
    redis_queuef(r, then);
    redis_queue_exec(r);
}

static void what_redis_refuses_of_a_transaction_is_its_reply_and_nothing_of_it_runs(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    struct err err = ERR_INIT;

    DO(r, "CONFIG SET maxmemory-policy noeviction");
    DO(r, "CONFIG SET maxmemory 1");
    queue_pair(r, "SET a 1", "NOSUCHCOMMAND");
    queue_pair(r, "NOSUCHCOMMAND 12345678", "SET a 1");
    redis_queuef(r, "CONFIG SET maxmemory 0");
    queue_pair(r, "INCR b", "PUBLISH channel x");
    redis_queuef(r, "EXISTS a");
    assert_int_equal(exchanged(r, &reply), 5);
    assert_int_equal(redis_reply_ok(&reply[0], &err), -1);
    assert_int_equal(err.kind, ERR_FULL);
    assert_int_equal(redis_reply_ok(&reply[1], &err), -1); /* what came first, and no more of it than of any other */
    assert_int_equal(err.kind, ERR_FAILED);
    assert_non_null(strstr(err.text, "unknown command"));
    assert_null(strstr(err.text, "12345678"));
    assert_int_equal(reply[3].count, 2); /* the next one is none the worse */
    assert_int_equal(reply_int(&reply[4], -1), 0);
}

static void transactions_are_had_once_one_was_seen_to_work(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    DO(r, "PING");
    uint64_t before = redis_round_trips(r);
    assert_false(redis_may_transact(r));
    assert_false(redis_may_transact(r));
    redis_queuef(r, "ECHO here");
    assert_int_equal(exchanged(r, &reply), 1);
    assert_text(&reply[0], "here");
    assert_int_equal(redis_round_trips(r) - before, 1);
    assert_true(redis_may_transact(r));
    server_kill();
    server_start();
    redis_queue_multi(r);
    redis_queuef(r, "INCR n");
    redis_queue_exec(r);
    assert_int_equal(exchanged(r, &reply), 1);
    assert_int_equal(reply_int(&reply[0].item[0], -1), 1);
    assert_false(redis_may_transact(r)); /* another connection: it is seen again */
    DO(r, "PING");
    assert_true(redis_may_transact(r));
}

static void whether_there_are_transactions_is_asked_again_after_a_failure(void **state)
{
    struct redis *r = ((struct place *)*state)->r;

    DO(r, "PING");
    redis_use_db(r, 500);
    assert_false(redis_may_transact(r));
    assert_null(redis_do(r, NULL, "PING")); /* there is no such database: nothing was sent */
    redis_use_db(r, 0);
    assert_false(redis_may_transact(r));
    DO(r, "PING");
    assert_true(redis_may_transact(r));
}

static void where_transactions_are_forbidden_none_are_had_and_redis_is_asked_once(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    char *stats;

    REDIS_RUN("ACL", "SETUSER", "default", "-multi");
    REDIS_RUN("CONFIG", "RESETSTAT");
    for (int i = 0; i < 3; i++) {
        assert_false(redis_may_transact(r));
        DO(r, "PING");
    }
    stats = REDIS_CLI("INFO", "commandstats");
    assert_non_null(strstr(stats, "cmdstat_multi:"));
    assert_non_null(strstr(strstr(stats, "cmdstat_multi:"), "rejected_calls=1,"));
    free(stats);
    REDIS_RUN("ACL", "SETUSER", "default", "+multi");
    REDIS_RUN("ACL", "SETUSER", "default", "-exec");
    for (int i = 0; i < 3; i++) {
        struct redis *other = redis_new(((struct place *)*state)->server);
        assert_false(redis_may_transact(other));
        assert_text(DO(other, "ECHO out"), "out");
        assert_text(DO(other, "ECHO again"), "again"); /* MULTI holds on to nothing */
        assert_false(redis_may_transact(other));
        redis_free(other);
    }
    REDIS_RUN("ACL", "SETUSER", "default", "+exec");
}

/* --- bad days --- */

static void a_restart_is_not_noticed(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;

    for (int i = 0; i < 3; i++) {
        redis_use_db(r, i);
        DO(r, "SET before 1");
        redis_postf(r, "SET posted 1");
        redis_flush(r);
        server_kill();
        server_start();
        redis_queuef(r, "GET before");
        redis_queuef(r, "ECHO here");
        assert_int_equal(exchanged(r, &reply), 2);
        assert_int_equal(reply[0].type, REPLY_NIL);
        assert_text(&reply[1], "here");
    }
}

static void a_connection_that_was_killed_after_long_silence_is_made_again(void **state)
{
    struct place *p = *state;
    struct redis *other = redis_new(p->server);

    DO(p->r, "PING");
    DO(other, "CLIENT KILL TYPE normal SKIPME yes");
    clock_test_offset(1000);
    assert_text(DO(p->r, "ECHO here"), "here");
    redis_free(other);
}

static void a_killed_server_is_away_and_comes_back(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    struct err err = ERR_INIT;

    DO(r, "PING");
    server_kill();
    assert_null(redis_do(r, &err, "PING"));
    assert_int_equal(err.kind, ERR_AWAY);
    assert_int_equal(err.retry_after_s, 1);
    assert_non_null(strstr(err.text, "cannot be reached"));
    assert_non_null(strstr(err.text, "redis.sock"));
    server_start();
    clock_test_offset(250);
    assert_text(DO(r, "ECHO back"), "back");
}

static void after_one_time_out_nobody_waits_again(void **state)
{
    struct place *p = *state;
    struct redis *other = redis_new(p->server);
    struct err err = ERR_INIT;
    uint64_t before;

    DO(p->r, "PING");
    DO(other, "PING");
    server_freeze();
    assert_null(redis_do(p->r, &err, "PING"));
    assert_int_equal(err.kind, ERR_AWAY);
    assert_non_null(strstr(err.text, "did not answer within 300 ms"));
    before = redis_round_trips(other);
    clock_test_offset(-1000);
    assert_null(redis_do(other, &err, "PING"));
    assert_int_equal(err.kind, ERR_AWAY);
    assert_int_equal(err.retry_after_s, 1);
    assert_int_equal(redis_round_trips(other), before);
    server_thaw();
    clock_test_offset(1000);
    assert_text(DO(other, "ECHO back"), "back");
    clock_test_offset(-1000);
    assert_text(DO(p->r, "ECHO back"), "back");
    redis_free(other);
}

static void a_late_reply_is_never_taken_for_another(void **state)
{
    struct redis *r = ((struct place *)*state)->r;

    DO(r, "MSET a A b B");
    server_freeze();
    assert_null(redis_do(r, NULL, "GET a"));
    server_thaw();
    clock_test_offset(1000);
    assert_text(DO(r, "GET b"), "B");
}

static void *probe(void *ctx)
{
    return (void *)redis_do(ctx, NULL, "ECHO probe");
}

static void one_thread_at_a_time_finds_out_whether_it_is_back(void **state)
{
    struct redis_server *server = server_at(server_url(), 20000);
    struct redis *prober = redis_new(server);
    struct redis *other = redis_new(server);
    struct err err = ERR_INIT;
    pthread_t thread;
    void *result;

    (void)state;
    DO(other, "PING");
    server_failed(server, false, "It was away a moment ago.");
    clock_test_offset(1000);
    server_freeze();
    pthread_create(&thread, NULL, probe, prober);
    while (!atomic_load(&server->probing))
        sched_yield();
    assert_null(redis_do(other, &err, "PING"));
    assert_string_equal(err.text, "It was away a moment ago.");
    server_thaw();
    pthread_join(thread, &result);
    assert_text((const struct reply *)result, "probe");
    assert_text(DO(other, "ECHO back"), "back");
    redis_free(prober);
    redis_free(other);
    redis_server_free(server);
}

static void a_failed_exchange_leaves_nothing_queued(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    const struct reply *reply;
    size_t count;

    server_kill();
    redis_queuef(r, "SET a 1");
    assert_int_equal(redis_exchange(r, &reply, &count, NULL), -1);
    assert_int_equal(count, 0);
    redis_postf(r, "SET a 2");
    redis_flush(r);
    server_start();
    clock_test_offset(1000);
    assert_int_equal(DO(r, "GET a")->type, REPLY_NIL);
}

static void a_full_server_refuses_writes_but_not_reads_and_scripts_that_may(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    struct span keys[] = { SPAN("a") };
    const struct reply *reply;
    struct err err = ERR_INIT;

    DO(r, "SET a 1");
    DO(r, "CONFIG SET maxmemory-policy noeviction");
    DO(r, "CONFIG SET maxmemory 1");
    assert_null(redis_do(r, &err, "SET b 1"));
    assert_int_equal(err.kind, ERR_FULL);
    assert_text(DO(r, "GET a"), "1");
    redis_queue_script(r, &script_count_when_full, 1, keys, 0, NULL);
    exchanged(r, &reply);
    assert_int_equal(reply_int(&reply[0], -1), 2);
    DO(r, "CONFIG SET maxmemory 0");
}

static void the_password_is_given_again_after_a_reconnect(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    char *url = xasprintf("%s&password=s3cret", server_url());
    struct redis_server *server = server_at(url, COMMAND_MS);
    struct redis *inside;

    DO(r, "CONFIG SET requirepass s3cret");
    inside = redis_new(server);
    for (int i = 0; i < 3; i++) {
        assert_text(DO(inside, "ECHO in"), "in");
        DO(r, "CLIENT KILL TYPE normal SKIPME yes");
    }
    DO(r, "CONFIG SET requirepass %s", "");
    redis_free(inside);
    redis_server_free(server);
    free(url);
}

static void refused_by(const char *option, const char *sentence)
{
    char *url = xasprintf("%s%s", server_url(), option);
    struct redis_server *server = server_at(url, COMMAND_MS);
    struct redis *r = redis_new(server);
    struct err err = ERR_INIT;

    assert_null(redis_do(r, &err, "SET a 1"));
    assert_int_equal(err.kind, ERR_FAILED);
    if (!strstr(err.text, sentence) || strstr(err.text, "h1dden"))
        fail_msg("%s", err.text);
    redis_free(r);
    redis_server_free(server);
    free(url);
}

static void a_refusal_says_what_to_check(void **state)
{
    struct redis *r = ((struct place *)*state)->r;

    DO(r, "ACL SETUSER reader on >h1dden ~* +get +ping");
    refused_by("&user=reader&password=wrong-h1dden", "user reader: check REDIS_URL");
    refused_by("&user=reader&password=h1dden", "check its ACL");
    DO(r, "CONFIG SET requirepass s3cret");
    refused_by("", "wants a password");
    refused_by("&password=h1dden", "refused the password");
    DO(r, "CONFIG SET requirepass %s", "");
    DO(r, "ACL DELUSER reader");
}

static void an_unknown_command_is_reported_without_its_arguments(void **state)
{
    struct redis *r = ((struct place *)*state)->r;
    struct err err = ERR_INIT;

    assert_null(redis_do(r, &err, "NOSUCH %s", "12345"));
    assert_int_equal(err.kind, ERR_FAILED);
    assert_non_null(strstr(err.text, "NOSUCH"));
    assert_null(strstr(err.text, "12345"));
}

/* --- a server that says whatever the test wants, over TCP: it takes connections one after the other --- */

struct fake {
    int fd;
    const char *const *say; /* an answer to each thing received; NULL: close, take the next connection; "" ends it */
    atomic_int closed;
    pthread_t thread;
};

static void *fake_main(void *ctx)
{
    struct fake *f = ctx;
    char buffer[4096];
    int fd = -1;

    for (const char *const *say = f->say; !*say || **say; say++) {
        if (*say) {
            if (fd < 0)
                fd = accept(f->fd, NULL, NULL);
            if (recv(fd, buffer, sizeof(buffer), 0) > 0)
                send(fd, *say, strlen(*say), MSG_NOSIGNAL);
        } else {
            close(fd);
            fd = -1;
            atomic_fetch_add(&f->closed, 1);
        }
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static struct redis_server *fake_start(struct fake *f)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    struct redis_server *s;
    char *url;

    f->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(f->fd, 8), 0);
    getsockname(f->fd, (struct sockaddr *)&address, &len);
    pthread_create(&f->thread, NULL, fake_main, f);
    url = xasprintf("redis://127.0.0.1:%d", ntohs(address.sin_port));
    s = server_at(url, 5000);
    free(url);
    return s;
}

static void fake_end(struct fake *f, struct redis *r, struct redis_server *s)
{
    pthread_join(f->thread, NULL);
    close(f->fd);
    redis_free(r);
    redis_server_free(s);
}

#define GREETED "+OK\r\n*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n" /* CLIENT SETNAME and TIME */

static void a_server_that_is_loading_is_away_but_keeps_its_connection(void **state)
{
    static const char *const say[] = { GREETED, "-LOADING Redis is loading\r\n", "$2\r\nhi\r\n", "" };
    struct fake fake = { .say = say };
    struct redis_server *server = fake_start(&fake);
    struct redis *r = redis_new(server);
    const struct reply *reply;
    size_t count;
    struct err err = ERR_INIT;

    (void)state;
    redis_queuef(r, "GET a");
    assert_int_equal(redis_exchange(r, &reply, &count, &err), -1);
    assert_int_equal(err.kind, ERR_AWAY);
    assert_int_equal(err.retry_after_s, 1);
    assert_text(DO(r, "GET a"), "hi");
    fake_end(&fake, r, server);
}

static void refused_at(const char *said, enum err_kind kind, const char *sentence)
{
    const char *const say[] = { GREETED, "+PONG\r\n", said, "" };
    struct fake fake = { .say = say };
    struct redis_server *server = fake_start(&fake);
    struct redis *r = redis_new(server);
    const struct reply *reply;
    size_t count;
    struct err err = ERR_INIT;
    int rc;

    DO(r, "PING");
    redis_queue_multi(r);
    redis_queuef(r, "INCR a");
    redis_queue_exec(r);
    rc = redis_exchange(r, &reply, &count, &err);
    assert_int_equal(rc, kind == ERR_AWAY ? -1 : 0);
    if (rc == 0) {
        assert_int_equal(count, 1);
        assert_int_equal(redis_reply_ok(&reply[0], &err), -1);
    }
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, sentence) || strstr(err.text, "EXEC"))
        fail_msg("%s", err.text);
    fake_end(&fake, r, server);
}

static void wherever_a_transaction_is_refused_the_reason_is_told(void **state)
{
    (void)state;
    refused_at("-NOPERM this user\r\n:1\r\n-ERR EXEC without MULTI\r\n", ERR_FAILED, "check its ACL");
    refused_at("+OK\r\n-MISCONF no disk\r\n-EXECABORT Transaction discarded because of previous errors.\r\n", ERR_FULL, "cannot save");
    refused_at("+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: OOM command not allowed\r\n", ERR_FULL, "maxmemory");
    refused_at("+OK\r\n-LOADING Redis is loading\r\n-EXECABORT Transaction discarded because of previous errors.\r\n", ERR_AWAY, "loading");
    refused_at("+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: LOADING Redis is loading\r\n", ERR_AWAY, "loading");
}

static void a_connection_that_breaks_after_the_write_is_not_tried_again(void **state)
{
    static const char *const say[] = { GREETED, "$9\r\nhalf", NULL, GREETED, ":2\r\n", "" };
    struct fake fake = { .say = say };
    struct redis_server *server = fake_start(&fake);
    struct redis *r = redis_new(server);
    struct err err = ERR_INIT;

    (void)state;
    assert_null(redis_do(r, &err, "INCR a"));
    assert_int_equal(err.kind, ERR_AWAY);
    assert_non_null(strstr(err.text, "closed the connection"));
    assert_int_equal(reply_int(DO(r, "INCR a"), -1), 2);
    fake_end(&fake, r, server);
}


static void a_connection_closed_in_long_silence_is_noticed_before_writing(void **state)
{
    static const char *const say[] = { GREETED, ":1\r\n", NULL, GREETED, ":2\r\n", "" };
    struct fake fake = { .say = say };
    struct redis_server *server = fake_start(&fake);
    struct redis *r = redis_new(server);

    (void)state;
    assert_int_equal(reply_int(DO(r, "INCR a"), -1), 1);
    while (atomic_load(&fake.closed) == 0)
        sched_yield();
    clock_test_offset(1000);
    assert_int_equal(reply_int(DO(r, "INCR a"), -1), 2);
    clock_test_offset(0);
    fake_end(&fake, r, server);
}

static void what_is_not_redis_is_told_so(void **state)
{
    static const char *const say[] = { "HTTP/1.1 400 Bad Request\r\n\r\n", "" };
    struct fake fake = { .say = say };
    struct redis_server *server = fake_start(&fake);
    struct redis *r = redis_new(server);
    struct err err = ERR_INIT;

    (void)state;
    assert_null(redis_do(r, &err, "GET a"));
    assert_int_equal(err.kind, ERR_AWAY);
    assert_non_null(strstr(err.text, "does not speak Redis"));
    fake_end(&fake, r, server);
}

static void a_server_with_too_many_clients_is_away(void **state)
{
    static const char *const say[] = { "-ERR max number of clients reached\r\n", "" };
    struct fake fake = { .say = say };
    struct redis_server *server = fake_start(&fake);
    struct redis *r = redis_new(server);
    struct err err = ERR_INIT;

    (void)state;
    assert_null(redis_do(r, &err, "GET a"));
    assert_int_equal(err.kind, ERR_AWAY);
    assert_non_null(strstr(err.text, "maxclients"));
    fake_end(&fake, r, server);
}

/* --- the server's clock --- */

#define HOUR_MS INT64_C(3600000)

static int64_t true_ms(void)
{
    return REDIS_NUMBER("EVAL", "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)", "0");
}

/* What is known of the server's clock lies between what it says before and after. */
static void assert_knows_the_time(const struct redis_server *server, int64_t passed_ms)
{
    int64_t before = true_ms() + passed_ms, known = redis_server_now_ms(server);

    assert_in_range(known, before - 2, true_ms() + passed_ms + 2);
}

static void a_host_whose_clock_is_wrong_knows_the_servers_time(void **state)
{
    struct place *p = *state;

    clock_test_wrong(HOUR_MS);
    assert_true(redis_server_now_ms(p->server) > true_ms() + HOUR_MS / 2); /* nobody has asked yet */
    DO(p->r, "PING");
    assert_knows_the_time(p->server, 0);
    clock_test_wrong(-HOUR_MS);
    assert_knows_the_time(p->server, 0);
    clock_test_offset(5000);
    assert_knows_the_time(p->server, 5000);
}

static long long times_asked(void)
{
    char *stats = REDIS_CLI("INFO", "commandstats"), *at = strstr(stats, "cmdstat_time:calls=");
    long long n = at ? strtoll(at + strlen("cmdstat_time:calls="), NULL, 10) : 0;

    free(stats);
    return n;
}

static void run_script(struct redis *r)
{
    const struct reply *reply;

    redis_queue_script(r, &script_count_up, 1, (const struct span[]){ SPAN("n") }, 0, NULL);
    redis_queuef(r, "ECHO last");
    assert_int_equal(exchanged(r, &reply), 2);
    assert_text(&reply[1], "last");
}

static void run_transaction(struct redis *r)
{
    const struct reply *reply;

    redis_queue_multi(r);
    redis_queuef(r, "GET n");
    redis_queue_exec(r);
    redis_queuef(r, "ECHO last");
    assert_int_equal(exchanged(r, &reply), 2);
    assert_text(&reply[1], "last");
}

static void the_time_is_read_again_with_a_script_or_a_transaction_after_a_minute(void **state)
{
    struct place *p = *state;
    uint64_t trips;
    long long asked;

    run_script(p->r);
    trips = redis_round_trips(p->r);
    asked = times_asked();
    run_script(p->r);
    assert_int_equal(times_asked(), asked);
    clock_test_offset(61000);
    DO(p->r, "GET n");
    assert_int_equal(times_asked(), asked); /* who only reads is not burdened with it */
    run_script(p->r);
    run_script(p->r);
    assert_int_equal(times_asked(), asked + 1);
    assert_int_equal(redis_round_trips(p->r), trips + 4);
    assert_knows_the_time(p->server, 61000);
    asked = times_asked();
    run_transaction(p->r);
    assert_int_equal(times_asked(), asked);
    clock_test_offset(122000);
    run_transaction(p->r);
    assert_int_equal(times_asked(), asked + 1);
}

static void told(struct redis_server *server, const char *seconds, int64_t took_ms)
{
    const struct reply words[] = { { .type = REPLY_STRING, .text = span_of(seconds) }, { .type = REPLY_STRING, .text = SPAN("0") } };

    server_told_time(server, clock_mono_ms() - took_ms, &(struct reply){ .type = REPLY_ARRAY, .count = 2, .item = words });
}

#define assert_now_s(server, expected) assert_in_range(redis_server_now_ms(server) / 1000, expected, (expected) + 1)

static void a_reading_that_was_long_on_its_way_counts_only_where_there_is_no_better(void **state)
{
    struct redis_server *server = ((struct place *)*state)->server;

    told(server, "1600000000", 6000);
    assert_true(redis_server_now_ms(server) > true_ms() - HOUR_MS); /* this host's own still */
    told(server, "1700000000", 1000);
    assert_now_s(server, 1700000000);
    told(server, "1800000000", 1000);
    assert_now_s(server, 1700000000);
    server_told_time(server, clock_mono_ms(), &(struct reply){ .type = REPLY_ERROR, .text = SPAN("NOPERM") });
    assert_now_s(server, 1700000000);
    told(server, "1800000000", 0);
    assert_now_s(server, 1800000000);
    clock_test_offset(600000);
    told(server, "1900000000", 6000);
    assert_now_s(server, 1800000600);
    told(server, "1900000000", 1000);
    assert_now_s(server, 1900000600); /* with what tests let pass */
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void an_array_larger_than_any_that_is_asked_for_is_no_reply(void **state)
{
    static const char *const heads[] = { "*300000\r\n", "*16777216\r\n", "*2147483647\r\n" };
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct parse *p = parse_new();

        parse_feed(p, heads[i], strlen(heads[i]));
        assert_int_equal(parse_next(p, parse_room(p, 1), &err), -1);
        assert_int_equal(err.kind, ERR_AWAY);
        parse_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_server(a_value_comes_back_byte_for_byte),
        with_server(a_format_splits_at_its_own_spaces_only),
        with_server(every_type_of_reply_is_told_apart),
        cmocka_unit_test(only_whole_numbers_that_fit_are_read_from_text),
        with_server(ten_commands_cost_one_round_trip),
        with_server(a_reply_larger_than_every_buffer_is_whole),
        with_server(an_exchange_of_nothing_is_nothing),
        with_server(a_blocking_command_may_take_longer_than_the_time_out),
        with_server(replies_to_posted_commands_never_show),
        with_server(a_flush_sends_what_was_posted),
        with_server(a_flush_keeps_the_replies_of_the_last_exchange),
        with_server(each_command_runs_in_its_database),
        with_server(a_database_that_does_not_exist_stops_the_whole_pipeline),
        with_server(the_database_of_the_address_is_where_commands_begin),
        with_server(a_script_that_the_server_does_not_know_is_loaded),
        with_server(a_posted_script_runs_also_where_the_server_does_not_know_it),
        with_server(only_the_unknown_script_runs_again_and_in_its_database),
        with_server(a_known_script_costs_no_more_than_a_command),
        with_server(an_error_in_a_script_names_its_file),
        with_server(a_transaction_is_one_reply_among_those_of_others),
        with_server(a_transaction_beside_a_script_that_the_server_does_not_know_runs_once),
        with_server(a_transaction_stays_in_the_database_where_it_began),
        with_server(a_flush_sends_no_half_of_a_transaction),
        with_server(an_error_inside_a_transaction_is_one_of_its_items),
        with_server(what_redis_refuses_of_a_transaction_is_its_reply_and_nothing_of_it_runs),
        with_server(transactions_are_had_once_one_was_seen_to_work),
        with_server(whether_there_are_transactions_is_asked_again_after_a_failure),
        with_server(where_transactions_are_forbidden_none_are_had_and_redis_is_asked_once),
        with_server(a_restart_is_not_noticed),
        with_server(a_connection_that_was_killed_after_long_silence_is_made_again),
        with_server(a_killed_server_is_away_and_comes_back),
        with_server(after_one_time_out_nobody_waits_again),
        with_server(a_late_reply_is_never_taken_for_another),
        with_server(one_thread_at_a_time_finds_out_whether_it_is_back),
        with_server(a_failed_exchange_leaves_nothing_queued),
        with_server(a_full_server_refuses_writes_but_not_reads_and_scripts_that_may),
        with_server(the_password_is_given_again_after_a_reconnect),
        with_server(a_refusal_says_what_to_check),
        with_server(an_unknown_command_is_reported_without_its_arguments),
        cmocka_unit_test(a_server_that_is_loading_is_away_but_keeps_its_connection),
        cmocka_unit_test(wherever_a_transaction_is_refused_the_reason_is_told),
        cmocka_unit_test(a_connection_that_breaks_after_the_write_is_not_tried_again),
        cmocka_unit_test(a_connection_closed_in_long_silence_is_noticed_before_writing),
        cmocka_unit_test(what_is_not_redis_is_told_so),
        cmocka_unit_test(a_server_with_too_many_clients_is_away),
        with_server(a_host_whose_clock_is_wrong_knows_the_servers_time),
        with_server(the_time_is_read_again_with_a_script_or_a_transaction_after_a_minute),
        with_server(a_reading_that_was_long_on_its_way_counts_only_where_there_is_no_better),
        cmocka_unit_test(an_array_larger_than_any_that_is_asked_for_is_no_reply),
    };

    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
