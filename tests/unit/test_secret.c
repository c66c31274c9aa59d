/* test_secret.c: the keys of PEYGIR_SECRET_FILE and what they sign. */
#include "tests/unit/unit.h"

#include "core/secret.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_ONE "11111111111111111111111111111111"
#define KEY_TWO "22222222222222222222222222222222"

static char directory[] = "/tmp/peygir-secret-XXXXXX";
static char file[64];

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(file, sizeof(file), "%s/secret", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(directory);
}

static void write_secret(const char *text, mode_t mode)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(file, mode), 0);
}

static struct secret *load(const char *text)
{
    struct err err = ERR_INIT;
    struct secret *s = NULL;

    write_secret(text, 0600);
    if (secret_load(file, &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static void assert_refused(const char *name, const char *word)
{
    struct err err = ERR_INIT;
    struct secret *s = NULL;

    assert_int_equal(secret_load(name, &s, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, word));
    assert_null(s);
}

static void a_file_that_others_may_use_is_refused_with_what_to_do(void **state)
{
    (void)state;
    write_secret(KEY_ONE "\n", 0640);
    assert_refused(file, "chmod 600");
    write_secret(KEY_ONE "\n", 0604);
    assert_refused(file, "chmod 600");
    write_secret(KEY_ONE "\n", 0602);
    assert_refused(file, "chmod 600");
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    assert_refused(NULL, "PEYGIR_SECRET_FILE");
    assert_refused("/nonexistent/secret", "/nonexistent/secret");
    assert_refused(directory, "not a regular file");
    unlink(file);
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_refused(file, "not a regular file"); /* and is not waited for */
    unlink(file);
}

static void short_keys_and_no_keys_are_refused_by_line_without_showing_them(void **state)
{
    struct err err = ERR_INIT;
    struct secret *s = NULL;

    (void)state;
    write_secret("# comment\n" KEY_ONE "\ntooshort\n", 0600);
    assert_int_equal(secret_load(file, &s, &err), -1);
    assert_non_null(strstr(err.text, "Line 3"));
    assert_null(strstr(err.text, "tooshort"));
    write_secret("\n# " KEY_ONE "\n", 0600);
    assert_refused(file, "no key");
    write_secret("1234567890123456789012345678901\n", 0600); /* 31 */
    assert_refused(file, "at least 32");
}

static void the_first_key_signs_and_all_open(void **state)
{
    char old[DIGEST_HEX_SIZE], new[DIGEST_HEX_SIZE];
    struct secret *s = load(KEY_ONE "\n");

    (void)state;
    secret_sign_hex(s, "csrf", SPAN("text"), old);
    secret_free(s);

    s = load("# rotated\n\n" KEY_TWO "\r\n" KEY_ONE); /* no newline at the end */
    secret_sign_hex(s, "csrf", SPAN("text"), new);
    assert_string_not_equal(old, new);
    assert_true(secret_verify_hex(s, "csrf", SPAN("text"), span_of(old)));
    assert_true(secret_verify_hex(s, "csrf", SPAN("text"), span_of(new)));
    secret_free(s);

    s = load(KEY_TWO "\n");
    assert_true(secret_verify_hex(s, "csrf", SPAN("text"), span_of(new)));
    assert_false(secret_verify_hex(s, "csrf", SPAN("text"), span_of(old)));
    secret_free(s);
}

static void a_signature_holds_for_its_purpose_and_text_only(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    char hex[DIGEST_HEX_SIZE];

    (void)state;
    secret_sign_hex(s, "csrf", SPAN("text"), hex);
    assert_true(secret_verify_hex(s, "csrf", SPAN("text"), span_of(hex)));
    assert_false(secret_verify_hex(s, "cookie", SPAN("text"), span_of(hex)));
    assert_false(secret_verify_hex(s, "csrf", SPAN("texts"), span_of(hex)));
    assert_false(secret_verify_hex(s, "csrf", SPAN("text"), (struct span){ hex, 63 }));
    assert_false(secret_verify_hex(s, "csrf", SPAN("text"), SPAN("")));
    hex[63] = hex[63] == '0' ? '1' : '0';
    assert_false(secret_verify_hex(s, "csrf", SPAN("text"), span_of(hex)));
    hex[63] = 'g';
    assert_false(secret_verify_hex(s, "csrf", SPAN("text"), span_of(hex)));
    secret_free(s);
}

static void parts_are_kept_apart(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    const struct digest_part one[] = { { "ab", 2 }, { "c", 1 } }, two[] = { { "a", 1 }, { "bc", 2 } };
    uint8_t mac[DIGEST_BYTES];

    (void)state;
    secret_sign(s, "submit", one, 2, mac);
    assert_true(secret_verify(s, "submit", one, 2, mac));
    assert_false(secret_verify(s, "submit", two, 2, mac));
    secret_free(s);
    secret_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_others_may_use_is_refused_with_what_to_do),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(short_keys_and_no_keys_are_refused_by_line_without_showing_them),
        cmocka_unit_test(the_first_key_signs_and_all_open),
        cmocka_unit_test(a_signature_holds_for_its_purpose_and_text_only),
        cmocka_unit_test(parts_are_kept_apart),
    };

    return cmocka_run_group_tests_name("secret", tests, make_directory, remove_directory);
}
