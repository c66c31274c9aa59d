/* test_ws.c: what is said on a WebSocket */
#include "tests/unit/unit.h"

#include "core/job.h"
#include "push/ws.h"

#define HASH "req_0123456789ABCDEFGHJKMNPQRS"

static struct ws_message m;
static struct err err;

static void read_text(const char *text)
{
    err = (struct err)ERR_INIT;
    if (ws_read(span_of(text), &m, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

static void expect_order(size_t i, bool leave, const char *topic)
{
    assert_in_range(i + 1, 1, m.count);
    assert_int_equal(m.order[i].leave, leave);
    assert_string_equal(m.order[i].topic, topic);
}

/* {"name":["t","t",...]}; free(). */
static char *many(const char *name, size_t count)
{
    struct str text = STR_INIT;
    str_addf(&text, "{\"%s\":[", name);
    for (size_t i = 0; i < count; i++)
        str_adds(&text, i > 0 ? ",\"t\"" : "\"t\"");
    str_adds(&text, "]}");
    return str_take(&text, NULL);
}

/* --- what a client says --- */

static void topics_are_joined_and_left_in_the_order_named_and_leaving_goes_first(void **state)
{
    (void)state;
    read_text(" {\"subscribe\":[\"request:" HASH "\",\"task:a\"], \"unsubscribe\":[\"notifications\",\"task:b\"]} ");
    assert_int_equal(m.count, 4);
    expect_order(0, true, "notifications");
    expect_order(1, true, "task:b");
    expect_order(2, false, "request:" HASH);
    expect_order(3, false, "task:a");
    assert_false(m.pings);
    ws_clear(&m);
    assert_null(m.root);
}

static void one_of_the_three_is_enough_and_what_is_not_known_is_passed_over(void **state)
{
    (void)state;
    read_text("{\"subscribe\":[\"\"],\"since\":4}");
    assert_int_equal(m.count, 1);
    expect_order(0, false, "");
    ws_clear(&m);
    read_text("{\"unsubscribe\":[\"x\\u0001\"]}"); /* whether there is such a topic is another question */
    assert_int_equal(m.count, 1);
    expect_order(0, true, "x\x01");
    ws_clear(&m);
    read_text("{\"ping\":{\"n\":[1,2]}}");
    assert_int_equal(m.count, 0);
    assert_true(m.pings);
    assert_string_equal(json_object_to_json_string_ext(m.ping, JSON_C_TO_STRING_PLAIN), "{\"n\":[1,2]}");
    ws_clear(&m);
    read_text("{\"ping\":null}");
    assert_true(m.pings);
    assert_null(m.ping);
    ws_clear(&m);
}

static void each_list_may_be_full(void **state)
{
    char *full = many("subscribe", WS_TOPICS_AT_ONCE), *other = many("unsubscribe", WS_TOPICS_AT_ONCE), *both;
    (void)state;
    both = xasprintf("%.*s,%s", (int)strlen(full) - 1, full, other + 1);
    read_text(both);
    assert_int_equal(m.count, 2 * WS_TOPICS_AT_ONCE);
    expect_order(WS_TOPICS_AT_ONCE - 1, true, "t");
    expect_order(WS_TOPICS_AT_ONCE, false, "t");
    ws_clear(&m);
    free(full);
    free(other);
    free(both);
}

static void what_is_no_message_is_refused_with_a_sentence(void **state)
{
    char *full = many("subscribe", WS_TOPICS_AT_ONCE + 1);
    const struct {
        const char *text, *sentence;
    } rows[] = {
        { "", "The JSON text is wrong at byte 1" },
        { "{", "The JSON text is wrong at byte 2" },
        { "{\"ping\":1}x", "The JSON text is wrong at byte 11" },
        { "{\"ping\":1,\"ping\":2}", "The JSON text is wrong" },
        { "{\"subscribe\":[\"a\\u0000b\"]}", "\\u0000 is not accepted" },
        { "{\"subscribe\":[\"\xff\"]}", "The JSON text is wrong" },
        { "null", "A message is a JSON object." },
        { "[\"subscribe\"]", "A message is a JSON object." },
        { "\"ping\"", "A message is a JSON object." },
        { "{}", "A message says \"subscribe\", \"unsubscribe\" or \"ping\"." },
        { "{\"Subscribe\":[\"a\"]}", "A message says \"subscribe\", \"unsubscribe\" or \"ping\"." },
        { "{\"subscribe\":[]}", "\"subscribe\" must be a list of 1 to 64 topics." },
        { "{\"subscribe\":\"task:a\"}", "\"subscribe\" must be a list of 1 to 64 topics." },
        { "{\"subscribe\":null,\"ping\":1}", "\"subscribe\" must be a list of 1 to 64 topics." },
        { "{\"subscribe\":{\"0\":\"a\"}}", "\"subscribe\" must be a list of 1 to 64 topics." },
        { "{\"unsubscribe\":[],\"subscribe\":[\"a\"]}", "\"unsubscribe\" must be a list of 1 to 64 topics." },
        { "{\"subscribe\":[\"a\",1]}", "\"subscribe\" must name topics like \"request:HASH\"." },
        { "{\"subscribe\":[null]}", "\"subscribe\" must name topics like \"request:HASH\"." },
        { "{\"unsubscribe\":[[\"a\"]]}", "\"unsubscribe\" must name topics like \"request:HASH\"." },
        { full, "\"subscribe\" must be a list of 1 to 64 topics." },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        err = (struct err)ERR_INIT;
        if (ws_read(span_of(rows[i].text), &m, &err) == 0)
            fail_msg("accepted: %s", rows[i].text);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.text, rows[i].sentence))
            fail_msg("%s: %s", rows[i].text, err.text);
        ws_clear(&m);
        assert_null(m.root);
    }
    free(full);
}

/* --- names of topics --- */

static void a_topics_name_says_its_kind_and_its_id(void **state)
{
    char longest[JOB_ID_MAX + 1], *fits, *too_long;
    (void)state;
    memset(longest, 'x', JOB_ID_MAX);
    longest[JOB_ID_MAX] = '\0';
    fits = xasprintf("task:%s", longest);
    too_long = xasprintf("task:%sx", longest);
    const struct {
        const char *topic;
        enum ws_kind kind;
        const char *id;
    } rows[] = {
        { "request:" HASH, WS_REQUEST, HASH },
        { "task:a", WS_TASK, "a" },
        { "task:" HASH ".1", WS_TASK, HASH ".1" },
        { "task:a:b \xc3\xa9", WS_TASK, "a:b \xc3\xa9" },
        { fits, WS_TASK, longest },
        { "notifications", WS_NOTIFICATIONS, "" },
    };
    const char *const unknown[] = {
        "", "request", "request:", "request:" HASH "0", "request:req_0123", "request:req_0123456789abcdefghjkmnpqrs",
        "Request:" HASH, HASH, "task", "task:", "task:a\nb", "task:\x7f", "task:\x01", too_long, "notifications:", "notifications:user:1",
        "notification", " notifications", "tasks:a",
    };
    struct span id;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(ws_kind(rows[i].topic, &id), rows[i].kind);
        assert_true(span_is(id, rows[i].id));
    }
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        if (ws_kind(unknown[i], &id) != WS_UNKNOWN)
            fail_msg("\"%s\" is known", unknown[i]);
    free(fits);
    free(too_long);
}

/* --- what it hears --- */

static const char *const topics[] = { "task:a", "", "a\"b", "a\\", "\"}", "a\nb\tc\x01\x7f", "</script>", "\xd8\xb3\xf0\x9f\x98\x80", "\xe2\x80\xa8",
                                      "\",\"event\":\"update" };

/* One object, with that many members, and the text at `name`. Empties it. */
static void expect_object(struct str *out, int members, const char *name, const char *text)
{
    struct json_object *root, *value;
    err = (struct err)ERR_INIT;
    if (json_parse(out->s, out->len, &root, &err) < 0)
        fail_msg("%s: %s", out->s, err.text);
    assert_int_equal(json_object_object_length(root), members);
    assert_true(json_object_object_get_ex(root, name, &value));
    assert_string_equal(json_object_get_string(value), text);
    json_object_put(root);
    str_reset(out);
}

static void whatever_a_topic_is_called_each_word_is_one_json_object(void **state)
{
    struct str out = STR_INIT;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
        ws_add_word(&out, "subscribed", topics[i]);
        expect_object(&out, 1, "subscribed", topics[i]);
        ws_add_refused(&out, topics[i], 404, span_of(topics[i]));
        expect_object(&out, 3, "refused", topics[i]);
        ws_add_refused(&out, "t", 404, span_of(topics[i]));
        expect_object(&out, 3, "detail", topics[i]);
        ws_add_error(&out, topics[i]);
        expect_object(&out, 1, "error", topics[i]);
        ws_add_update(&out, topics[i], 7, SPAN("{\"event\":\"x\"}"));
        expect_object(&out, 4, "topic", topics[i]);
        ws_add_message(&out, topics[i], SPAN("{}"));
        expect_object(&out, 3, "topic", topics[i]);
    }
    str_free(&out);
}

static void words_are_as_the_documents_have_them(void **state)
{
    struct str out = STR_INIT;
    (void)state;
    ws_add_word(&out, "ended", "task:a");
    ws_add_refused(&out, "task:a", 404, SPAN("Not found."));
    ws_add_error(&out, "No.");
    ws_add_update(&out, "request:h", INT64_MAX, SPAN("{\"a\": 1}"));
    ws_add_message(&out, "notifications", SPAN("{\"type\":\"notification\"}"));
    assert_string_equal(out.s, "{\"ended\":\"task:a\"}"
                               "{\"refused\":\"task:a\",\"status\":404,\"detail\":\"Not found.\"}"
                               "{\"error\":\"No.\"}"
                               "{\"topic\":\"request:h\",\"event\":\"update\",\"id\":9223372036854775807,\"data\":{\"a\": 1}}"
                               "{\"topic\":\"notifications\",\"event\":\"message\",\"data\":{\"type\":\"notification\"}}");
    str_free(&out);
}

static void a_ping_comes_back_as_it_was(void **state)
{
    static const char *const values[] = { "1", "null", "\"\\\"\\n\"", "[true,{\"a\":\"é\"}]", "18446744073709551615", "-0.5", "\"\"" };
    struct str out = STR_INIT;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char *text = xasprintf("{\"ping\":%s}", values[i]), *pong = xasprintf("{\"pong\":%s}", values[i]);
        read_text(text);
        ws_add_pong(&out, m.ping);
        assert_string_equal(out.s, pong);
        ws_clear(&m);
        str_reset(&out);
        free(text);
        free(pong);
    }
    str_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_joined_and_left_in_the_order_named_and_leaving_goes_first),
        cmocka_unit_test(one_of_the_three_is_enough_and_what_is_not_known_is_passed_over),
        cmocka_unit_test(each_list_may_be_full),
        cmocka_unit_test(what_is_no_message_is_refused_with_a_sentence),
        cmocka_unit_test(a_topics_name_says_its_kind_and_its_id),
        cmocka_unit_test(whatever_a_topic_is_called_each_word_is_one_json_object),
        cmocka_unit_test(words_are_as_the_documents_have_them),
        cmocka_unit_test(a_ping_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
