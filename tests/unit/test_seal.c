/* test_seal.c: values sealed at rest. Names of requirements are those of OWASP ASVS 4.0.3. */
#include "tests/unit/unit.h"

#include "base/rnd.h"
#include "core/seal.h"
#include "tests/unit/files.h"

#include <sys/stat.h>

#define KEY_ONE "11111111111111111111111111111111"
#define KEY_TWO "22222222222222222222222222222222"
#define HASH SPAN("req_0123456789ABCDEFGHJKMNPQRS")
#define OTHER SPAN("req_0123456789ABCDEFGHJKMNPQRT")
#define FORM SPAN("{\"mobile\":\"09120000000\",\"national_code\":\"0012345679\"}")
#define FIELD "request_data"

static struct secret *load(const char *lines)
{
    struct err err = ERR_INIT;
    struct secret *s = NULL;
    const char *file = files_put("secret", lines);
    assert_int_equal(chmod(file, 0600), 0);
    if (secret_load(file, &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static struct span span_str(const struct str *b)
{
    return (struct span){ b->s, b->len };
}

static struct str sealed(const struct secret *s, struct span json)
{
    struct str out = STR_INIT;
    seal_add(&out, s, HASH, FIELD, json);
    return out;
}

/* What it says to a text that must not open; nothing may be appended. */
static int refused(const struct secret *s, struct span hash, const char *field, struct span json)
{
    struct err err = ERR_INIT;
    struct str out = STR_INIT;
    str_adds(&out, "before");
    int result = seal_open(&out, s, hash, field, json, &err);
    assert_string_equal(out.s, "before");
    if (result < 0)
        assert_int_equal(err.kind, ERR_FAILED);
    str_free(&out);
    return result;
}

static void expect_open(const struct secret *s, struct span text, struct span value)
{
    struct err err = ERR_INIT;
    struct str out = STR_INIT;
    str_adds(&out, "=");
    if (seal_open(&out, s, HASH, FIELD, text, &err) != 1)
        fail_msg("it does not open: %s", err.text);
    assert_int_equal(out.len, value.len + 1);
    assert_memory_equal(out.s + 1, value.s, value.len);
    str_free(&out);
}

/* --- there and back --- */

static void a_value_comes_back_byte_for_byte(void **state)
{
    static const char *const values[] = { "", "{}", "[]", "null", "{\"name\":\"\xd8\xb1\xd8\xb6\xd8\xa7\",\"n\":12345678901234567890}",
                                          "{\"sealed\":\"v1:00000000:AAAA\"}" };
    struct secret *s = load(KEY_ONE "\n");
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct str text = sealed(s, span_of(values[i]));
        expect_open(s, span_str(&text), span_of(values[i]));
        str_free(&text);
    }
    secret_free(s);
}

static void so_does_one_of_every_length_and_a_large_one(void **state)
{
    enum { LARGE = 1 << 20, SMALL = 70 };
    struct secret *s = load(KEY_ONE "\n");
    char *large = xmalloc(LARGE);
    (void)state;
    rnd_bytes(large, LARGE);
    for (size_t len = 0; len <= SMALL; len++) {
        struct str text = sealed(s, (struct span){ large, len });
        expect_open(s, span_str(&text), (struct span){ large, len });
        str_free(&text);
    }
    struct str text = sealed(s, (struct span){ large, LARGE });
    expect_open(s, span_str(&text), (struct span){ large, LARGE });
    str_free(&text);
    free(large);
    secret_free(s);
}

static void it_has_its_documented_form_shows_nothing_and_is_never_twice_the_same_asvs_6_2_2_and_6_2_5(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    struct str a = sealed(s, FORM), b = sealed(s, FORM);
    (void)state;
    assert_true(seal_is(span_str(&a)));
    assert_memory_equal(a.s, "{\"sealed\":\"v1:", 14);
    assert_true(rnd_is_hex(a.s + 14, 8));
    assert_int_equal(a.s[22], ':');
    assert_int_equal(a.len, 23 + ((24 + FORM.len + 16) * 4 + 2) / 3 + 2); /* base64 without padding of nonce, value, tag */
    assert_null(strstr(a.s, "mobile"));
    assert_memory_equal(a.s, b.s, 23);
    assert_string_not_equal(a.s, b.s);
    str_free(&a);
    str_free(&b);
    secret_free(s);
}

/* --- what does not open --- */

static void it_opens_in_no_other_request_and_no_other_field(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    struct str text = sealed(s, FORM);
    (void)state;
    assert_int_equal(refused(s, OTHER, FIELD, span_str(&text)), -1);
    assert_int_equal(refused(s, HASH, "result_data", span_str(&text)), -1);
    assert_int_equal(refused(s, SPAN(""), FIELD, span_str(&text)), -1);
    str_free(&text);
    secret_free(s);
}

static void no_changed_character_goes_unnoticed_asvs_8_3_7(void **state)
{
    static const char others[] = "AZ09a_-:\"{} v2";
    struct secret *s = load(KEY_ONE "\n");
    struct str text = sealed(s, FORM);
    (void)state;
    for (size_t i = 0; i < text.len; i++)
        for (size_t k = 0; k < sizeof others; k++) { /* the NUL too */
            char kept = text.s[i];
            text.s[i] = others[k];
            if (others[k] != kept)
                assert_true(refused(s, HASH, FIELD, span_str(&text)) <= 0);
            text.s[i] = kept;
        }
    expect_open(s, span_str(&text), FORM);
    str_free(&text);
    secret_free(s);
}

static void nothing_cut_off_or_put_in_opens(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    struct str text = sealed(s, FORM);
    (void)state;
    for (size_t i = 0; i < text.len; i++) {
        struct str more = STR_INIT;
        assert_true(refused(s, HASH, FIELD, (struct span){ text.s, i }) <= 0);
        if (i > 0)
            assert_true(refused(s, HASH, FIELD, (struct span){ text.s + i, text.len - i }) <= 0);
        str_add(&more, text.s, i);
        str_addc(&more, 'A');
        str_add(&more, text.s + i, text.len - i);
        assert_true(refused(s, HASH, FIELD, span_str(&more)) <= 0);
        str_free(&more);
    }
    str_free(&text);
    secret_free(s);
}

static void garbage_of_every_kind_is_plain_or_refused(void **state)
{
    static const char alphabet[] = "{}\":v1,sealed0fA_-= \n";
    enum { ROUNDS = 20000, LENGTH = 64 };
    struct secret *s = load(KEY_ONE "\n");
    char text[LENGTH] = "{\"sealed\":\"v1:";
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t from = round % 2 ? 0 : 14, len = from + rnd_below(LENGTH - (uint32_t)from);
        for (size_t i = from; i < len; i++)
            text[i] = round % 3 ? alphabet[rnd_below(sizeof alphabet)] : (char)rnd_below(256);
        assert_true(refused(s, HASH, FIELD, (struct span){ text, len }) <= 0);
        memcpy(text, "{\"sealed\":\"v1:", 14);
    }
    secret_free(s);
}

static void what_only_resembles_it_is_plain(void **state)
{
    static const char *const plain[] = { "", "null", "{}", "[]", "\"sealed\"", "{\"sealed\":1}", "{\"sealed\":null}", "{\"sealed\":\"\"}",
                                         "{\"sealed\":\"yes\"}", "{\"sealed\":\"v\"}", "{\"sealed\":\"v1\"}", "{\"sealed\":\"vx:\"}",
                                         "{\"sealed\":\"v1:a:b\",\"more\":1}", "{\"more\":1,\"sealed\":\"v1:a:b\"}", "{\"Sealed\":\"v1:a:b\"}",
                                         "[{\"sealed\":\"v1:a:b\"}]", "{\"sealed\":\"v1:a:b c\"}", "{\"sealed\":\"v1:a:\\u0062\"}" };
    struct secret *s = load(KEY_ONE "\n");
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        assert_false(seal_is(span_of(plain[i])));
        assert_int_equal(refused(s, HASH, FIELD, span_of(plain[i])), 0);
    }
    assert_int_equal(refused(s, HASH, FIELD, (struct span){ NULL, 0 }), 0);
    secret_free(s);
}

/* --- other writers --- */

static void blanks_that_another_writer_sets_do_no_harm(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    struct str text = sealed(s, FORM), spaced = STR_INIT;
    (void)state;
    str_addf(&spaced, " {\n  \"sealed\" :\t%s \r\n} ", strchr(text.s, ':') + 1);
    spaced.len = (size_t)(strchr(spaced.s, '}') - spaced.s); /* without its own end */
    str_adds(&spaced, " \r\n} ");
    assert_true(seal_is(span_str(&spaced)));
    expect_open(s, span_str(&spaced), FORM);
    str_free(&text);
    str_free(&spaced);
    secret_free(s);
}

static void a_later_version_is_known_as_sealed_and_not_opened(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    (void)state;
    assert_true(seal_is(SPAN("{\"sealed\":\"v2:anything:at-all\"}")));
    assert_int_equal(refused(s, HASH, FIELD, SPAN("{\"sealed\":\"v2:anything:at-all\"}")), -1);
    secret_free(s);
}

/* --- keys --- */

static void a_new_key_in_front_seals_and_the_old_one_still_opens(void **state)
{
    struct secret *before = load(KEY_ONE "\n"), *after = load(KEY_TWO "\n" KEY_ONE "\n");
    struct str old = sealed(before, FORM), fresh = sealed(after, FORM);
    (void)state;
    expect_open(after, span_str(&old), FORM);
    expect_open(after, span_str(&fresh), FORM);
    assert_memory_not_equal(old.s + 14, fresh.s + 14, 8);
    assert_int_equal(refused(before, HASH, FIELD, span_str(&fresh)), -1);
    str_free(&old);
    str_free(&fresh);
    secret_free(before);
    secret_free(after);
}

static void a_missing_key_is_named_and_the_value_is_not(void **state)
{
    struct secret *gone = load(KEY_ONE "\n"), *present = load(KEY_TWO "\n");
    struct str text = sealed(gone, FORM), out = STR_INIT;
    struct err err = ERR_INIT;
    char id[9] = "";
    (void)state;
    memcpy(id, text.s + 14, 8);
    for (int i = 0; i < 2; i++) { /* another key, and none */
        assert_int_equal(seal_open(&out, i ? NULL : present, HASH, FIELD, span_str(&text), &err), -1);
        assert_non_null(strstr(err.text, id));
        assert_non_null(strstr(err.text, FIELD));
        assert_non_null(strstr(err.text, "req_0123456789ABCDEFGHJKMNPQRS"));
        assert_null(strstr(err.text, text.s + 23));
    }
    assert_int_equal(out.len, 0);
    str_free(&text);
    str_free(&out);
    secret_free(gone);
    secret_free(present);
}

/* The key that seals is none that signs, and its name gives none of it away. */
static void keys_of_different_purposes_have_nothing_in_common(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    uint8_t seal[DIGEST_BYTES], id[DIGEST_BYTES], mac[DIGEST_BYTES];
    char hex[DIGEST_HEX_SIZE], raw[DIGEST_HEX_SIZE];
    struct str text = sealed(s, FORM);
    (void)state;
    secret_derive(s, 0, "seal", seal);
    secret_derive(s, 0, "seal id", id);
    secret_sign(s, "csrf", NULL, 0, mac);
    assert_memory_not_equal(seal, id, 4);
    assert_memory_not_equal(seal, mac, 4);
    digest_sha256_hex(KEY_ONE, sizeof KEY_ONE - 1, raw);
    rnd_hex(seal, sizeof seal, hex);
    assert_memory_not_equal(text.s + 14, hex, 8);
    assert_memory_not_equal(text.s + 14, raw, 8);
    str_free(&text);
    secret_free(s);
}

/* Packed, and back again. */
static void expect_packed(struct span json, bool shorter)
{
    struct str packed = STR_INIT, out = STR_INIT;
    seal_pack(&packed, json);
    seal_unpack(&out, span_str(&packed));
    assert_int_equal(packed.len < json.len, shorter);
    assert_int_equal(out.len, json.len);
    assert_memory_equal(out.s, json.s, json.len);
    str_free(&packed);
    str_free(&out);
}

static void a_packed_value_is_shorter_and_comes_back_as_it_was(void **state)
{
    struct secret *s = load(KEY_ONE "\n");
    struct str text = sealed(s, FORM);
    (void)state;
    expect_packed(span_str(&text), true);
    expect_packed(FORM, false);
    expect_packed(SPAN("null"), false);
    expect_packed(SPAN("{\"sealed\":\"v1:00000000:AAAA\"}"), false); /* too short to be one */
    expect_packed(SPAN("{\"sealed\":\"v2:00000000:AAAA\"}"), false);
    str_free(&text);
    secret_free(s);
}

static void what_is_no_packed_value_is_left_as_it_is(void **state)
{
    static const char *const texts[] = { "", "\1", "\0011234567", "{}" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str out = STR_INIT;
        str_adds(&out, "=");
        seal_unpack(&out, span_of(texts[i]));
        assert_string_equal(out.s + 1, texts[i]);
        str_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_comes_back_byte_for_byte),
        cmocka_unit_test(so_does_one_of_every_length_and_a_large_one),
        cmocka_unit_test(it_has_its_documented_form_shows_nothing_and_is_never_twice_the_same_asvs_6_2_2_and_6_2_5),
        cmocka_unit_test(it_opens_in_no_other_request_and_no_other_field),
        cmocka_unit_test(no_changed_character_goes_unnoticed_asvs_8_3_7),
        cmocka_unit_test(nothing_cut_off_or_put_in_opens),
        cmocka_unit_test(garbage_of_every_kind_is_plain_or_refused),
        cmocka_unit_test(what_only_resembles_it_is_plain),
        cmocka_unit_test(blanks_that_another_writer_sets_do_no_harm),
        cmocka_unit_test(a_later_version_is_known_as_sealed_and_not_opened),
        cmocka_unit_test(a_new_key_in_front_seals_and_the_old_one_still_opens),
        cmocka_unit_test(a_missing_key_is_named_and_the_value_is_not),
        cmocka_unit_test(a_packed_value_is_shorter_and_comes_back_as_it_was),
        cmocka_unit_test(what_is_no_packed_value_is_left_as_it_is),
        cmocka_unit_test(keys_of_different_purposes_have_nothing_in_common),
    };
    return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
