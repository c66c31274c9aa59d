/* test_jread.c: reading definition files. */
#include "tests/unit/unit.h"

#include "base/jread.h"

#include <unistd.h>

static char path[64];

static void write_file(const char *text, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int make_file(void **state)
{
    const char *dir = getenv("TMPDIR");
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "%.40s/jread.XXXXXX", dir ? dir : "/tmp");
    fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

/* The root of text; goes with the returned obj. */
static struct jread root_of(const char *text)
{
    struct json_object *obj = NULL;

    assert_int_equal(json_parse(text, strlen(text), &obj, NULL), 0);
    return jread_root("x.json", obj);
}

static void a_file_is_read_whole(void **state)
{
    struct json_object *obj = NULL;

    (void)state;
    write_file("{\"a\":[1,2]}\n", 12);
    assert_int_equal(jread_file(path, &obj, NULL), 0);
    assert_int_equal(json_object_array_length(json_object_object_get(obj, "a")), 2);
    json_object_put(obj);
}

static void a_wrong_file_is_an_error_that_names_it(void **state)
{
    struct json_object *obj = NULL;
    struct err err = ERR_INIT;

    (void)state;
    write_file("{\n\"a\":1,\n\"a\":2}", 15);
    assert_int_equal(jread_file(path, &obj, &err), -1);
    assert_memory_equal(err.text, path, strlen(path));
    assert_non_null(strstr(err.text, "line 3"));
    assert_int_equal(err.kind, ERR_CONFIG);
    write_file("null", 4);
    assert_int_equal(jread_file(path, &obj, &err), -1);
    write_file("", 0);
    assert_int_equal(jread_file(path, &obj, &err), -1);
    assert_int_equal(jread_file("/nonexistent/x.json", &obj, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent/x.json"));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(jread_file("/", &obj, &err), -1);
    assert_null(obj);
}

static void a_file_over_a_mebibyte_is_refused(void **state)
{
    size_t size = 1024 * 1024;
    char *text = xmalloc(size + 1);
    struct json_object *obj = NULL;
    struct err err = ERR_INIT;

    (void)state;
    memset(text, ' ', size + 1);
    memcpy(text, "{}", 2);
    write_file(text, size);
    assert_int_equal(jread_file(path, &obj, &err), 0);
    json_object_put(obj);
    write_file(text, size + 1);
    assert_int_equal(jread_file(path, &obj, &err), -1);
    assert_non_null(strstr(err.text, "1 MiB"));
    free(text);
}

static void the_way_to_a_value_is_in_its_error(void **state)
{
    struct jread root = root_of("{\"fields\":[{},{\"rules\":5}]}"), fields, item, rules;
    struct err err = ERR_INIT;
    size_t length = 0;

    (void)state;
    fields = jread_member(&root, "fields");
    item = jread_item(&fields, 1);
    rules = jread_member(&item, "rules");
    assert_string_equal(rules.path, "fields[1].rules");
    assert_int_equal(jread_list(&rules, &length, &err), -1);
    assert_string_equal(err.text, "x.json: fields[1].rules: must be a list.");
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(jread_fail(&root, &err, "has %d faults.", 2), -1);
    assert_string_equal(err.text, "x.json: has 2 faults.");
    json_object_put(root.obj);
}

static void a_path_of_any_length_fits(void **state)
{
    struct jread at = root_of("{}");
    struct json_object *root = at.obj;
    struct err err = ERR_INIT;
    int i;

    (void)state;
    for (i = 0; i < 100; i++) {
        at = jread_member(&at, "quite_a_long_name");
        at = jread_item(&at, 3);
    }
    assert_int_equal(strlen(at.path), sizeof(at.path) - 1);
    assert_int_equal(jread_fail(&at, &err, "is deep."), -1);
    assert_non_null(strstr(err.text, "is deep."));
    json_object_put(root);
}

static void absent_and_null_are_the_same_and_touch_nothing(void **state)
{
    struct jread root = root_of("{\"n\":null}"), at;
    const char *text = "old", *names[] = { "n", "missing" };
    int64_t n = 7;
    bool flag = true;
    size_t i, length = 9;

    (void)state;
    for (i = 0; i < ARRAY_LEN(names); i++) {
        at = jread_member(&root, names[i]);
        assert_null(at.obj);
        assert_int_equal(jread_string(&at, &text, NULL), 0);
        assert_int_equal(jread_int(&at, 0, 1, &n, NULL), 0);
        assert_int_equal(jread_bool(&at, &flag, NULL), 0);
        assert_int_equal(jread_list(&at, &length, NULL), 0);
        assert_int_equal(jread_object(&at, NULL), 0);
    }
    assert_string_equal(text, "old");
    assert_int_equal(n, 7);
    assert_true(flag);
    assert_int_equal(length, 9);
    json_object_put(root.obj);
}

static void each_type_is_read_and_no_other(void **state)
{
    struct jread root = root_of("{\"string\":\"x\",\"int\":5,\"bool\":false,\"list\":[1,2],\"object\":{}}"), at;
    static const char *const names[] = { "string", "int", "bool", "list", "object" };
    const char *text = NULL;
    int64_t n = 0;
    bool flag = true;
    size_t i, length = 0;

    (void)state;
    for (i = 0; i < ARRAY_LEN(names); i++) {
        at = jread_member(&root, names[i]);
        assert_int_equal(jread_string(&at, &text, NULL), i == 0 ? 1 : -1);
        assert_int_equal(jread_int(&at, 0, 9, &n, NULL), i == 1 ? 1 : -1);
        assert_int_equal(jread_bool(&at, &flag, NULL), i == 2 ? 1 : -1);
        assert_int_equal(jread_list(&at, &length, NULL), i == 3 ? 1 : -1);
        assert_int_equal(jread_object(&at, NULL), i == 4 ? 1 : -1);
        assert_int_equal(jread_length(&at), i == 3 ? 2 : 0);
    }
    assert_string_equal(text, "x");
    assert_int_equal(n, 5);
    assert_false(flag);
    assert_int_equal(length, 2);
    json_object_put(root.obj);
}

static void integers_outside_the_range_are_refused_with_the_range(void **state)
{
    struct jread root = root_of("[1,5,0,6,1.0,18446744073709551615,9223372036854775807]"), at;
    struct err err = ERR_INIT;
    int64_t n = 0;
    size_t i;

    (void)state;
    for (i = 0; i < 5; i++) {
        at = jread_item(&root, i);
        assert_int_equal(jread_int(&at, 1, 5, &n, &err), i < 2 ? 1 : -1);
    }
    assert_string_equal(err.text, "x.json: [4]: must be a whole number from 1 to 5.");
    at = jread_item(&root, 5);
    assert_int_equal(jread_int(&at, 0, INT64_MAX, &n, &err), -1);
    at = jread_item(&root, 6);
    assert_int_equal(jread_int(&at, 0, INT64_MAX, &n, &err), 1);
    assert_true(n == INT64_MAX);
    json_object_put(root.obj);
}

static void members_and_items_of_other_things_are_absent(void **state)
{
    struct jread root = root_of("[{\"a\":1}]"), at;

    (void)state;
    at = jread_member(&root, "a");
    assert_null(at.obj);
    at = jread_item(&root, 1);
    assert_null(at.obj);
    assert_string_equal(at.path, "[1]");
    at = jread_item(&root, 0);
    at = jread_item(&at, 0);
    assert_null(at.obj);
    json_object_put(root.obj);
}

static void unknown_members_are_named(void **state)
{
    static const char *const allowed[] = { "slug", "title", NULL };
    struct jread good = root_of("{\"title\":1}"), bad = root_of("{\"slug\":1,\"titel\":2}");
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(jread_only(&good, allowed, &err), 0);
    assert_int_equal(jread_only(&bad, allowed, &err), -1);
    assert_string_equal(err.text, "x.json: titel: is not known here; known are: slug, title.");
    json_object_put(good.obj);
    json_object_put(bad.obj);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_wrong_file_is_an_error_that_names_it),
        cmocka_unit_test(a_file_over_a_mebibyte_is_refused),
        cmocka_unit_test(the_way_to_a_value_is_in_its_error),
        cmocka_unit_test(a_path_of_any_length_fits),
        cmocka_unit_test(absent_and_null_are_the_same_and_touch_nothing),
        cmocka_unit_test(each_type_is_read_and_no_other),
        cmocka_unit_test(integers_outside_the_range_are_refused_with_the_range),
        cmocka_unit_test(members_and_items_of_other_things_are_absent),
        cmocka_unit_test(unknown_members_are_named),
    };

    return cmocka_run_group_tests_name("jread", tests, make_file, remove_file);
}
