/* test_log.c: one line an event. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* Standard error goes into a pipe between begin and end; what came is in `got`. */
static int pipe_fds[2], saved_stderr;
static char got[32768];

static void begin(void)
{
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
}

static void end(void)
{
    ssize_t n;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_fds[1]);
    n = read(pipe_fds[0], got, sizeof(got) - 1);
    got[n > 0 ? n : 0] = '\0';
    close(pipe_fds[0]);
}

/* The line without its time, which must be one. */
static const char *after_time(void)
{
    assert_true(strlen(got) > CLOCK_RFC3339_SIZE);
    assert_true(clock_parse_rfc3339((struct span){ got, CLOCK_RFC3339_SIZE - 1 }) > 0);
    return got + CLOCK_RFC3339_SIZE - 1;
}

static void a_text_line_has_time_level_program_message_and_fields(void **state)
{
    (void)state;
    log_setup("web", LOG_INFO, false);
    begin();
    log_event(LOG_WARN, LOG_FIELDS("status", "503", "gone", NULL, "took_ms", "7"), "cannot %s \"it\"", "do");
    end();
    assert_string_equal(after_time(), " warn web: cannot do \"it\" status=503 took_ms=7\n");
}

static void values_that_could_be_misread_are_quoted(void **state)
{
    (void)state;
    log_setup("web", LOG_INFO, false);
    begin();
    log_event(LOG_INFO, LOG_FIELDS("a", "two words", "b", "x=y", "c", "q\"q", "d", "", "e", "nl\n"), "m");
    end();
    assert_string_equal(after_time(), " info web: m a=\"two words\" b=\"x=y\" c=\"q\\x22q\" d=\"\" e=nl\\x0a\n");
}

static void an_event_is_one_line_whatever_it_says(void **state)
{
    (void)state;
    log_setup("web", LOG_INFO, false);
    begin();
    log_info("%s", "a\nb\r\x1b[2J\xff");
    end();
    assert_string_equal(after_time(), " info web: a\\x0ab\\x0d\\x1b[2J\\xff\n");
}

static void a_json_line_is_an_object_with_the_fields_beside(void **state)
{
    struct json_object *obj;
    struct str again = STR_INIT;

    (void)state;
    log_setup("worker", LOG_DEBUG, true);
    begin();
    log_event(LOG_DEBUG, LOG_FIELDS("path", "/a\"b", "gone", NULL), "line\none \xff");
    end();
    assert_int_equal(strcspn(got, "\n"), strlen(got) - 1);
    assert_int_equal(json_parse(got, strlen(got), &obj, NULL), 0);
    assert_true(clock_parse_rfc3339(span_of(json_object_get_string(json_object_object_get(obj, "time")))) > 0);
    json_object_object_del(obj, "time");
    json_add(&again, obj);
    assert_string_equal(again.s, "{\"level\":\"debug\",\"program\":\"worker\",\"message\":\"line\\none \xef\xbf\xbd\","
                                 "\"path\":\"/a\\\"b\"}");
    str_free(&again);
    json_object_put(obj);
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    log_setup("web", LOG_WARN, false);
    assert_true(log_wants(LOG_ERROR));
    assert_true(log_wants(LOG_WARN));
    assert_false(log_wants(LOG_INFO));
    begin();
    log_info("quiet");
    log_debug("quiet");
    end();
    assert_string_equal(got, "");
    begin();
    log_error("loud");
    end();
    assert_string_equal(after_time(), " error web: loud\n");
}

static void errno_survives_logging(void **state)
{
    (void)state;
    log_setup("web", LOG_INFO, false);
    begin();
    errno = ENOENT;
    log_info("something");
    assert_int_equal(errno, ENOENT);
    end();
}

static void a_huge_message_still_ends_its_line_and_cuts_no_character(void **state)
{
    char *huge = xmalloc(20001);
    size_t i;

    (void)state;
    for (i = 0; i < 20000; i += 2)
        memcpy(huge + i, "\xd9\xbe", 2);
    huge[20000] = '\0';
    log_setup("web", LOG_INFO, true);
    begin();
    log_event(LOG_INFO, LOG_FIELDS("value", huge), "x%s", huge);
    end();
    free(huge);
    assert_true(strlen(got) <= 4096);
    assert_int_equal(got[strlen(got) - 1], '\n');
    assert_int_equal(json_check(got, strlen(got), NULL), 0);
    assert_null(strstr(got, "\xef\xbf\xbd"));
}

static void *chatter(void *arg)
{
    int i;

    for (i = 0; i < 50; i++)
        log_info("%s", (const char *)arg);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    static const char *const texts[] = { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccc" };
    pthread_t threads[3];
    size_t i, lines = 0;
    char *line, *next;

    (void)state;
    log_setup("w", LOG_INFO, false);
    begin();
    for (i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, chatter, (void *)(uintptr_t)texts[i]), 0);
    for (i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    end();
    for (line = got; (next = strchr(line, '\n')) != NULL; line = next + 1, lines++) {
        *next = '\0';
        assert_int_equal(strlen(line), CLOCK_RFC3339_SIZE - 1 + strlen(" info w: ") + 20);
        assert_int_equal(strspn(next - 20, (char[]){ next[-1], '\0' }), 20);
    }
    assert_int_equal(lines, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_program_message_and_fields),
        cmocka_unit_test(values_that_could_be_misread_are_quoted),
        cmocka_unit_test(an_event_is_one_line_whatever_it_says),
        cmocka_unit_test(a_json_line_is_an_object_with_the_fields_beside),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(errno_survives_logging),
        cmocka_unit_test(a_huge_message_still_ends_its_line_and_cuts_no_character),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
