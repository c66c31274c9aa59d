/* test_digest.c: SHA-256 and HMAC-SHA-256. */
#include "tests/unit/unit.h"

#include "base/digest.h"
#include "base/rnd.h"
#include "base/xmalloc.h"

static void hmac_is(const struct digest_part *parts, size_t count, const char *want)
{
    uint8_t key[DIGEST_BYTES], out[DIGEST_BYTES];
    char hex[DIGEST_HEX_SIZE];
    size_t i;

    for (i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    digest_hmac(key, parts, count, out);
    rnd_hex(out, sizeof(out), hex);
    assert_string_equal(hex, want);
}

static void sha256_gives_the_published_digests(void **state)
{
    char hex[DIGEST_HEX_SIZE];

    (void)state;
    digest_sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void the_hex_digest_is_the_bytes_in_hex(void **state)
{
    uint8_t out[DIGEST_BYTES];
    char hex[DIGEST_HEX_SIZE], want[DIGEST_HEX_SIZE];

    (void)state;
    digest_sha256("peygir", 6, out);
    digest_sha256_hex("peygir", 6, hex);
    rnd_hex(out, sizeof(out), want);
    assert_string_equal(hex, want);
}

/* The expected values were computed with Python's hmac module over the same framing. */
static void the_length_of_each_part_is_under_the_hmac(void **state)
{
    static const struct digest_part one[] = { { "ab", 2 }, { "c", 1 } };
    static const struct digest_part other[] = { { "a", 1 }, { "bc", 2 } };

    (void)state;
    hmac_is(one, 2, "b0c00b9c008947559cd4524980c14546efc123c1f72f20f7333f624bee6bc469");
    hmac_is(other, 2, "c3c9c3696dc367b58a693eb7dfa40171f48959648a28e1eeaf0d6225de005f6d");
}

static void no_parts_and_long_parts_have_an_hmac_too(void **state)
{
    char x[300];
    const struct digest_part part = { x, sizeof(x) };

    (void)state;
    memset(x, 'x', sizeof(x));
    hmac_is(NULL, 0, "d38b42096d80f45f826b44a9d5607de72496a415d3f4a1a8c88e3bb9da8dc1cb");
    hmac_is(&part, 1, "10d1a3cf2fe7b96712fdc7fa04ef0dc2b4f3f78ec120edb20f65c2371ef4f0a2");
}

static void equality_looks_at_every_byte(void **state)
{
    uint8_t a[DIGEST_BYTES], b[DIGEST_BYTES];
    size_t i;

    (void)state;
    memset(a, 5, sizeof(a));
    memset(b, 5, sizeof(b));
    assert_true(digest_equal(a, b, sizeof(a)));
    for (i = 0; i < sizeof(b); i++) {
        b[i] ^= 0x80;
        assert_false(digest_equal(a, b, sizeof(a)));
        b[i] ^= 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(the_hex_digest_is_the_bytes_in_hex),
        cmocka_unit_test(the_length_of_each_part_is_under_the_hmac),
        cmocka_unit_test(no_parts_and_long_parts_have_an_hmac_too),
        cmocka_unit_test(equality_looks_at_every_byte),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
